"""Delta channels in stores written a moment ago: random graphs with two DeltaChannels of different
snapshot frequency, Overwrites, forks, edits, runs whose durability is exit. What `ckpt show` gives
for each checkpoint, with --fold and without, is what the graph itself loads. TAP.

    test_delta.py [SEED…]       or SEED in the environment; CKPT=build/ckpt

Belongs here: making the graphs and asking them. Comparing is in tests/oracle/fold.py.
"""
import logging
import os
import pathlib
import random
import sys
import tempfile
import typing

os.environ.setdefault("LANGSMITH_TRACING", "false")
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "oracle"))

import common
import fold
from freshvalues import plain
from langchain_core.messages import AIMessage, HumanMessage, RemoveMessage
from langgraph.channels import DeltaChannel
from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.graph import END, START, StateGraph
from langgraph.graph.message import _messages_delta_reducer
from langgraph.types import Overwrite

SEEDS = ("1", "2", "3")
THREADS, TURNS = 24, 6
NAMES = ("events", "files", "chat")


def extend(state, writes):
    out = list(state or [])
    for w in writes:
        out.extend(w if isinstance(w, list) else [w])
    return out


def merge(state, writes):
    out = dict(state or {})
    for w in writes:
        for k, v in w.items():
            out.pop(k, None) if v is None else out.__setitem__(k, v)
    return out


def change(r, number):
    """A node's or an editor's update: some of the channels, now and then an Overwrite."""
    out = {}
    if r.random() < 0.6:
        out["events"] = r.choice(([number], [number, {"k": [number]}], "e%d" % number, []))
        if r.random() < 0.12:
            out["events"] = r.choice((Overwrite(["new", number]), Overwrite(None),
                                      {"__overwrite__": [number]},
                                      {"type": "__overwrite__", "value": []}))
    if r.random() < 0.35:
        out["files"] = {"f%d" % r.randrange(6): r.choice((None, number, {"size": number}))}
        if r.random() < 0.12:
            out["files"] = r.choice((Overwrite({"only": number}), Overwrite(None)))
    if r.random() < 0.3:
        new = "m%d" % r.randrange(8)
        out["chat"] = r.choice(([AIMessage("a%d" % number, id=new)], [RemoveMessage(id=new)],
                                HumanMessage("h%d" % number, id=new)))
    return out


def build(seed):
    """A function saver -> compiled graph; parallel nodes, so that order matters."""
    r = random.Random(seed)
    often, seldom, third = r.choice((1, 2, 3, 4)), r.choice((5, 8, 50)), r.choice((2, 6))
    state = typing.TypedDict("S", {
        "n": int, "stop": int,
        "events": typing.Annotated[list, DeltaChannel(extend, snapshot_frequency=often)],
        "files": typing.Annotated[dict, DeltaChannel(merge, snapshot_frequency=seldom)],
        "chat": typing.Annotated[list, DeltaChannel(_messages_delta_reducer,
                                                    snapshot_frequency=third)]}, total=False)

    def work(s):
        n = s.get("n", 0) + 1
        return {"n": n, **change(random.Random("%s %d" % (seed, n)), n)}

    def beside(name):
        def run(s):             # one Overwrite a step is what the library allows
            out = change(random.Random("%s %s %d" % (seed, name, s.get("n", 0))), s.get("n", 0))
            return {k: v for k, v in out.items() if k == "events" and isinstance(v, list)}
        return run

    g = StateGraph(state)
    g.add_node("work", work)
    names = r.sample(("zeta", "alpha"), r.randrange(3))
    for x in names:
        g.add_node(x, beside(x))
        g.add_edge("work", x)
        g.add_edge(x, END)
    g.add_edge(START, "work")
    g.add_conditional_edges("work", lambda s: "work" if s.get("n", 0) < s.get("stop", 0) else END,
                            ["work", END])
    return lambda saver: g.compile(checkpointer=saver)


def turn(graph, thread, r, number):
    config = {"configurable": {"thread_id": thread}, "recursion_limit": 100}
    durability = r.choice(("sync", "async", "exit"))
    roll = r.random()
    if roll < 0.5 or (number == 0 and roll < 0.85):
        graph.invoke({"n": number * 100, "stop": number * 100 + r.randrange(1, 12),
                      **change(r, -number)}, config, durability=durability)
    elif roll < 0.7 or number == 0:
        graph.update_state(config, change(r, -number) or {"n": number}, as_node="work")
    else:
        past = r.choice([*graph.get_state_history(config)] or [graph.get_state(config)]).config
        if roll < 0.8:
            past = graph.update_state(past, change(r, -number) or {"n": number}, as_node="work")
        elif roll < 0.85:
            past = graph.update_state(past, None, as_node="__copy__")
        if r.random() < 0.7:
            graph.invoke(None, {**past, "recursion_limit": 100}, durability=durability)


def compared(t, path, graphs, saver):
    counts = {False: fold.Count(), True: fold.Count()}
    for thread, graph in graphs.items():
        for tup in [*saver.list({"configurable": {"thread_id": thread}})]:
            cid = tup.config["configurable"]["checkpoint_id"]
            state = plain(graph.get_state({"configurable": {
                "thread_id": thread, "checkpoint_ns": "", "checkpoint_id": cid}}).values)
            for how, count in counts.items():
                run = common.show(path, thread, "", cid, *(["--fold"] if how else []))
                fold.check(t, count, "%s …%s" % (thread, cid[-12:]), run, state,
                           [x for x in NAMES if x in state])
            t.add("checkpoints")
    return counts


def one(t, seed, folder):
    path = folder / "store.db"
    with SqliteSaver.from_conn_string(str(path)) as saver:
        graphs = {}
        for number in range(THREADS):
            thread = "t%d" % number
            graphs[thread] = build("%s/%d" % (seed, number))(saver)
            r = random.Random("%s %d turns" % (seed, number))
            for k in range(TURNS):
                try:
                    turn(graphs[thread], thread, r, k)
                except Exception as e:          # what the library refuses is not judged here
                    t.add("turns that raised " + type(e).__name__)
        return compared(t, path, graphs, saver)


def main(seeds):
    logging.disable(logging.WARNING)
    n = bad = 0
    for seed in seeds:
        t = common.Tally()
        with tempfile.TemporaryDirectory(prefix="ckpt-delta-") as d:
            counts = one(t, seed, pathlib.Path(d))
        if t.count["checkpoints"] < 300:
            t.fail("size", "only %d checkpoints" % t.count["checkpoints"])
        for how in False, True:
            n += 1
            fold.report(n, "seed %s, %s" % (seed, "--fold" if how else "what is certain"), t,
                        counts[how], how)
            bad += bool(t.problems)
        print("# " + common.totals(t.count))
    print("1..%d" % n)
    return 1 if bad else 0


if __name__ == "__main__":
    chosen = sys.argv[1:] or os.environ.get("SEED", "").split() or SEEDS
    sys.exit(main(chosen))
