"""`ckpt copy`, judged by the real library: in a copy every checkpoint is what it is in the original,
subgraphs and questions included, and the graph goes on with it to the same end; also with the
history up to any one checkpoint. TAP.

    test_copy.py        CKPT=build/ckpt

Belongs here: SQLite, the graphs and what is compared. test_copy_pg.py does the same on PostgreSQL.
"""
import operator
import os
import pathlib
import sqlite3
import sys
import tempfile
import traceback
import typing

os.environ.setdefault("LANGSMITH_TRACING", "false")
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "oracle"))

import common
import freshgraphs
from freshvalues import plain
from langgraph.channels import DeltaChannel
from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.func import entrypoint, task
from langgraph.graph import END, START, StateGraph
from langgraph.types import Command, Send, StateSnapshot, interrupt


class State(typing.TypedDict, total=False):
    log: typing.Annotated[list, operator.add]
    n: int
    events: typing.Annotated[list, DeltaChannel(freshgraphs.extend, snapshot_frequency=4)]


# ---- the graphs --------------------------------------------------------------------------------------

def step(name, asks=False):
    def node(state):
        said = interrupt({"ask": name, "n": state.get("n", 0)}) if asks else None
        return {"log": [name if said is None else "%s: %s" % (name, said)],
                "n": state.get("n", 0) + 1, "events": [[name, state.get("n", 0)]]}
    return node


def chain(nodes, loop=0, **how):
    """Nodes one after the other; `loop` rounds of them."""
    g = StateGraph(State)
    for name, node in nodes:
        g.add_node(name, node)
    g.add_edge(START, nodes[0][0])
    for (a, _), (b, _) in zip(nodes, nodes[1:]):
        g.add_edge(a, b)
    if loop:
        first, last = nodes[0][0], nodes[-1][0]
        g.add_conditional_edges(last, lambda s: first if s["n"] < loop else END, [first, END])
    else:
        g.add_edge(nodes[-1][0], END)
    return g.compile(**how)


def nested(saver):
    leaf = chain([("leaf", step("leaf", True)), ("after", step("after"))])
    middle = chain([("before", step("before")), ("inner", leaf), ("ask", step("ask", True))])
    return chain([("first", step("first")), ("sub", middle), ("last", step("last"))],
                 checkpointer=saver)


def stateful(saver):
    sub = chain([("a", step("a")), ("b", step("b", True))], checkpointer=True)
    return chain([("plan", step("plan")), ("desk", sub)], loop=9, checkpointer=saver)


def parallel(saver):
    g = StateGraph(State)
    g.add_node("start", step("start"))
    for name in ("left", "right"):
        g.add_node(name, lambda s, name=name: {"log": ["%s %s" % (name, interrupt(name))]})
    g.add_node("worker", lambda s: {"log": ["w%s %s" % (s["i"], interrupt({"w": s["i"]}))]})
    g.add_node("join", step("join"))
    g.add_edge(START, "start")
    g.add_conditional_edges("start", lambda s: ["left", "right", Send("worker", {"i": 1}),
                                                Send("worker", {"i": 2})],
                            ["left", "right", "worker"])
    g.add_edge(["left", "right"], "join")
    g.add_edge("join", END)
    return g.compile(checkpointer=saver)


def delta(saver):
    return chain([("x", step("x")), ("y", step("y")), ("z", step("z", True))], loop=12,
                 checkpointer=saver)


def functional(saver):
    @task
    def add(n):
        return n + 1

    @entrypoint(checkpointer=saver)
    def flow(state):
        n = add(state["n"]).result()
        one = interrupt({"n": n})
        two = interrupt({"again": one})
        return {"log": [n, one, two]}
    return flow


GRAPHS = {"nested": nested, "stateful": stateful, "parallel": parallel, "delta": delta,
          "functional": functional}
INPUT = {"log": [], "n": 0}


def answers(state):
    return Command(resume={i.id: "answer to %s" % (plain(i.value),) for i in state.interrupts})


def config(thread, cid=None):
    at = {"checkpoint_ns": "", "checkpoint_id": cid} if cid else {}
    return {"configurable": {"thread_id": thread, **at},
            "recursion_limit": 60}


def turn(graph, thread):
    """One more invocation; False at the end."""
    state = graph.get_state(config(thread))
    if state.interrupts:
        graph.invoke(answers(state), config(thread), durability="sync")
    elif state.next:
        graph.invoke(None, config(thread), durability="sync")
    else:
        return False
    return True


def drive(graph, thread):
    state = graph.get_state(config(thread))
    if state.values and not state.interrupts:   # all tasks of the step may be done: go to the next
        graph.invoke(None, config(thread), durability="sync")
    for _ in range(60):
        if not turn(graph, thread):
            return graph.get_state(config(thread)).values
    raise RuntimeError("no end")


# ---- what is compared --------------------------------------------------------------------------------

def face(state):
    """A state without the names of its thread; subgraphs as deep as they go."""
    def where(c):
        return c and {k: v for k, v in c["configurable"].items() if k != "thread_id"}
    meta = {k: v for k, v in (state.metadata or {}).items() if k != "thread_id"}
    return {"values": plain(state.values), "next": list(state.next), "meta": plain(meta),
            "at": where(state.config), "parent": where(state.parent_config),
            "created": state.created_at,
            "tasks": [[t.id, t.name, t.error and str(t.error), plain(t.result),
                       [(i.id, plain(i.value)) for i in t.interrupts],
                       face(t.state) if isinstance(t.state, StateSnapshot) else None]
                      for t in state.tasks]}


def ids(graph, thread):
    return [s.config["configurable"]["checkpoint_id"]
            for s in graph.get_state_history(config(thread))]


def faces(graph, thread, cids, deep=True):
    return {c: face(graph.get_state(config(thread, c), subgraphs=deep)) for c in cids}


def end_of(graph, thread):
    """Where a finished thread stands, without what is new each time."""
    out = []
    for s in graph.get_state_history(config(thread)):
        out.append([plain(s.values), list(s.next), s.metadata.get("step"), s.metadata.get("source")])
    return out


class Copies:
    """The tests on one store; `raw` gives its rows of a thread."""

    def __init__(self, store, saver, raw):
        self.t, self.store, self.saver, self.raw = None, store, saver, raw

    def equal(self, where, got, want):
        self.t.add("compared")
        if got != want:
            self.t.fail(where, "got %.250r, want %.250r" % (got, want))

    def ckpt(self, *words):
        run = common.Run([*words, "-s", self.store])
        if run.code:
            self.t.fail(" ".join(words), str(run))
        return run

    def whole(self, name, graph, thread):
        copy = thread + " copy"
        self.ckpt("copy", thread, copy)
        self.equal(name + ": rows", self.raw(copy), self.raw(thread))
        past = ids(graph, thread)
        self.equal(name + ": history", ids(graph, copy), past)
        self.equal(name + ": states", faces(graph, copy, past), faces(graph, thread, past))
        self.equal(name + ": head", face(graph.get_state(config(copy), subgraphs=True)),
                face(graph.get_state(config(thread), subgraphs=True)))
        # the original must not feel what becomes of the copy, nor the copy need the original
        before = self.raw(thread)
        end = drive(graph, copy)
        self.equal(name + ": original untouched", self.raw(thread), before)
        return copy, end

    def at_each(self, name, graph, thread, end):
        """Its history up to each checkpoint: goes on to the same end."""
        for n, cid in enumerate(ids(graph, thread)):
            to = "%s at %d" % (thread, n)
            self.ckpt("copy", thread, to, "--at", "%s@{%s}" % (thread, cid))
            line = ids(graph, to)
            self.equal("%s %d: newest" % (name, n), line[0], cid)
            # a stateful subgraph is shown as it stands now, which is further on in the original
            deep = name != "stateful"
            self.equal("%s %d: states" % (name, n), faces(graph, to, line, deep),
                       faces(graph, thread, line, deep))
            self.equal("%s %d: end" % (name, n), plain(drive(graph, to)), plain(end))

    def graph(self, name):
        thread = "t:%s/1" % name
        graph = GRAPHS[name](self.saver)
        graph.invoke(INPUT, config(thread), durability="sync")
        turns = 0
        while True:             # at every question: a copy of it as it is
            copy, end = self.whole("%s %d" % (name, turns), graph, thread)
            more = turn(graph, thread)
            if not more:
                break
            turns += 1
            thread_now = ids(graph, thread)
            self.ckpt("delete", "--thread", copy, "--yes")
            self.equal("%s %d: copy is gone" % (name, turns), self.raw(copy), ([], [], []))
            self.equal("%s %d: original is there" % (name, turns), ids(graph, thread), thread_now)
        self.equal(name + ": asked", turns > 0, True)
        self.equal(name + ": same end", end_of(graph, copy), end_of(graph, thread))
        self.at_each(name, graph, thread, graph.get_state(config(thread)).values)

    def forked(self):
        """Branches are copied like all else, and one of them can be taken alone."""
        thread = "forked"
        graph = delta(self.saver)
        graph.invoke(INPUT, config(thread), durability="sync")
        past = ids(graph, thread)
        graph.update_state(config(thread, past[2]), {"log": ["by hand"]}, as_node="x")
        drive(graph, thread)
        self.whole("forked", graph, thread)
        self.ckpt("copy", thread, "branch", "--at", "%s@{%s}" % (thread, past[0]))
        self.equal("branch: ids", ids(graph, "branch"), past)
        self.equal("branch: states", faces(graph, "branch", past), faces(graph, thread, past))
        drive(graph, "branch")

    def check(self):
        self.ckpt("check")

    def run(self):
        """All tests as TAP; the exit code."""
        tests = [("a thread copied whole, and up to each checkpoint: %s" % name,
                  lambda name=name: self.graph(name)) for name in GRAPHS]
        tests += [("branches", self.forked), ("nothing is wrong with the store", self.check)]
        print("1..%d" % len(tests), flush=True)
        failed = False
        for n, (name, test) in enumerate(tests):
            self.t = common.Tally()
            try:
                test()
            except Exception as e:
                self.t.fail("exception", "".join(traceback.format_exception(e))[-550:])
            failed = failed or bool(self.t.problems)
            common.tap(n + 1, "%s (%s)" % (name, common.totals(self.t.count)), self.t.problems)
        return int(failed)


# ---- SQLite -------------------------------------------------------------------------------------------

def rows_of(path):
    def raw(thread):
        with sqlite3.connect(path) as db:
            return (db.execute("SELECT checkpoint_ns, checkpoint_id, parent_checkpoint_id, type, "
                               "checkpoint, metadata FROM checkpoints WHERE thread_id = ? "
                               "ORDER BY rowid", (thread,)).fetchall(),
                    db.execute("SELECT checkpoint_ns, checkpoint_id, task_id, task_path, idx, channel, "
                               "type, value FROM writes WHERE thread_id = ? ORDER BY rowid",
                               (thread,)).fetchall(), [])
    return raw


def main():
    with tempfile.TemporaryDirectory(prefix="ckpt-copy-") as folder:
        path = os.path.join(folder, "store.db")
        with SqliteSaver.from_conn_string(path) as saver:
            return Copies(path, saver, rows_of(path)).run()


if __name__ == "__main__":
    sys.exit(main())
