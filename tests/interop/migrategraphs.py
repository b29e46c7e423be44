"""The graphs of freshgraphs.py go on with a store, in a process of their own: pending questions are
answered, failed tasks run again, then the graph goes back in time. Prints what came of each thread,
without what is new each time (ids, times).

    migrategraphs.py sqlite PATH | pg ADDRESS  LABEL THREADS SKIPPED

SKIPPED is a JSON list of threads. Values are ones that all stores keep as they are.
"""
import json
import logging
import sys
import types
import uuid

import test_fresh as fresh                      # first: it makes tests/oracle importable
import freshgraphs
import freshvalues
import langgraph.graph.message
from freshvalues import plain
from langgraph.checkpoint.postgres import PostgresSaver
from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.types import Command

real_text, real_call, real_message = freshvalues.text, freshgraphs.Node.__call__, freshvalues.message
made = [0]


def counted():
    made[0] += 1
    return uuid.UUID(int=made[0])


def healed(node, state):
    node.fails = False
    return real_call(node, state)


def named(r):
    """An id that a reducer gives may be in what is written, or not yet."""
    m = real_message(r)
    m.id = m.id or "x%d" % r.getrandbits(30)
    return m


def steady():
    """What is random in the libraries is not; what PostgreSQL refuses or changes does not come up."""
    langgraph.graph.message.uuid = types.SimpleNamespace(uuid4=counted)
    freshvalues.text = lambda r: real_text(r).replace("\0", "")
    freshvalues.message = named
    freshvalues.real = lambda r: r.choice((0.5, 1 / 3, 100.25))
    freshvalues.user_metadata = lambda r: {}
    freshgraphs.Node.__call__ = healed


def view(state, known):
    """A state as the library gives it; checkpoints by their place in the history from before."""
    def place(config):
        cid = config and config["configurable"].get("checkpoint_id")
        return known.get(cid, "new") if cid else None
    return {"values": plain(state.values), "next": list(state.next), "step": state.metadata.get("step"),
            "source": state.metadata.get("source"), "at": place(state.config),
            "parent": place(state.parent_config),
            "tasks": [[x.name, x.error and str(x.error), [plain(i.value) for i in x.interrupts],
                       plain(x.result)] for x in state.tasks]}


def attempt(graph, value, config):
    try:
        graph.invoke(value, {**config, "recursion_limit": 25, "max_concurrency": 1},
                     durability="sync")
    except Exception as e:          # clashing updates, limits: the same on every store
        return type(e).__name__
    return None


def move(state):
    if state.interrupts:
        return "answer", Command(resume={i.id: "answer %d" % n
                                         for n, i in enumerate(state.interrupts)})
    if any(x.error for x in state.tasks):
        return "retry", None
    if state.next:
        return "continue", None
    return "input", {"log": ["again"], "n": 0, "last": 5}


def go_on(graph, thread):
    made[0] = 0
    config = {"configurable": {"thread_id": thread}}
    past = [*graph.get_state_history(config)]
    known = {s.config["configurable"]["checkpoint_id"]: n for n, s in enumerate(past)}
    steps = [{"what": "history", "states": [view(s, known) for s in past]}]
    if not past:
        return steps
    if any(len(s.values.get("events", [])) > 1 for s in past):
        steps.append({"what": "delta"})

    def step(what, value, at):
        raised = attempt(graph, value, at)
        steps.append({"what": what, "raised": raised, "state": view(graph.get_state(config), known)})
    step(*move(graph.get_state(config)), config)
    old = past[2 * len(past) // 3]
    step("travel", None, {"configurable": {**old.config["configurable"]}})
    steps.append({"what": "history", "states": [view(s, known)
                                                for s in graph.get_state_history(config)]})
    return steps


def main(kind, where, label, threads, skipped):
    logging.disable(logging.WARNING)
    steady()
    if kind == "sqlite":
        made_by = SqliteSaver.from_conn_string(where)
    else:
        made_by = PostgresSaver.from_conn_string(where)
    out, skipped = {}, json.loads(skipped)
    with made_by as saver:
        for number in range(int(threads)):
            thread = fresh.thread_name(number)
            if thread not in skipped:
                graph = freshgraphs.build("%s/%d" % (label, number))(saver)
                out[thread] = go_on(graph, thread)
    json.dump(out, sys.stdout)


if __name__ == "__main__":
    main(*sys.argv[1:])
