"""Delta channels in stores written a moment ago: random graphs with two DeltaChannels of different
snapshot frequency, Overwrites, forks, edits, runs whose durability is exit. What `ckpt show` gives
for each checkpoint, with --fold and without, is what the graph itself loads; and so are its raw
rows, once the reducer has folded them. TAP.

    test_delta.py [SEED…]       or SEED in the environment; CKPT=build/ckpt

Belongs here: making the graphs and asking them. Comparing is in tests/oracle/fold.py, PostgreSQL
in test_delta_pg.py.
"""
import asyncio
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
import freshgraphs
from freshvalues import plain
from langchain_core.messages import AIMessage, HumanMessage, RemoveMessage
from langgraph.channels import DeltaChannel
from langgraph.channels.delta import MISSING
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


async def turn(face, thread, r, number):
    config = {"configurable": {"thread_id": thread}, "recursion_limit": 100}
    durability = r.choice(("sync", "async", "exit"))
    roll = r.random()
    if roll < 0.5 or (number == 0 and roll < 0.85):
        await face.ainvoke({"n": number * 100, "stop": number * 100 + r.randrange(1, 12),
                            **change(r, -number)}, config, durability=durability)
    elif roll < 0.7 or number == 0:
        await face.aupdate_state(config, change(r, -number) or {"n": number}, as_node="work")
    else:
        past = [s async for s in face.aget_state_history(config)]
        past = r.choice(past or [await face.aget_state(config)]).config
        if roll < 0.8:
            past = await face.aupdate_state(past, change(r, -number) or {"n": number},
                                            as_node="work")
        elif roll < 0.85:
            past = await face.aupdate_state(past, None, as_node="__copy__")
        if r.random() < 0.7:
            await face.ainvoke(None, {**past, "recursion_limit": 100}, durability=durability)


async def fill(t, face_of, seed, threads=THREADS):
    """Threads of random graphs; face_of makes a face of a function saver -> graph."""
    faces = {}
    for number in range(threads):
        thread = "t%d" % number
        faces[thread] = await face_of(build("%s/%d" % (seed, number)))
        r = random.Random("%s %d turns" % (seed, number))
        for k in range(TURNS):
            try:
                await turn(faces[thread], thread, r, k)
            except Exception as e:          # what the library refuses is not judged here
                t.add("turns that raised " + type(e).__name__)
    return faces


# ---- asking ------------------------------------------------------------------------------------------

MESSAGES = {"ai": AIMessage, "human": HumanMessage, "remove": RemoveMessage}
REDUCERS = {"events": (extend, list), "files": (merge, dict), "chat": (_messages_delta_reducer, list)}


def revived(v):
    """Messages of what is shown of them."""
    if isinstance(v, list):
        return [revived(x) for x in v]
    return MESSAGES[v["type"]](**v) if isinstance(v, dict) and v.get("type") in MESSAGES else v


def folded(name, shown):
    """What the channel itself makes of {"snapshot", "writes"}."""
    reducer, kind = REDUCERS[name]
    seed = revived(shown["snapshot"]) if shown["snapshot_id"] else MISSING
    channel = DeltaChannel(reducer, kind).from_checkpoint(seed)
    channel.replay_writes([("", name, revived(v)) for v in shown["writes"]])
    return plain(channel.get())


def mixed(t, where, run):
    """Warnings that writes of another branch come in; the releases of today seal their forks."""
    n = sum("branches part at" in w for w in run.json()["data"]["warnings"]) if run.code == 0 else 0
    if n:
        t.add("warnings of mixed branches", n)
    return n


def check_rows(t, where, run, state):
    """What is not certain is right all the same, once its reducer has folded it."""
    if mixed(t, where, run):
        t.fail(where, "a sealed fork is said to be mixed")
    for name, value in run.json()["data"]["values"].items() if run.code == 0 else ():
        if name in NAMES and isinstance(value, dict) and "$delta" in value:
            t.equal("%s %s folded" % (where, name), folded(name, value["$delta"]), state[name])
            t.add("raw rows folded")


async def compared(t, store, faces, read_list):
    counts = {False: fold.Count(), True: fold.Count()}
    for thread, face in faces.items():
        for tup in await read_list({"configurable": {"thread_id": thread}}):
            cid = tup.config["configurable"]["checkpoint_id"]
            state = plain((await face.aget_state({"configurable": {
                "thread_id": thread, "checkpoint_ns": "", "checkpoint_id": cid}})).values)
            where = "%s …%s" % (thread, cid[-12:])
            for how, count in counts.items():
                run = common.show(store, thread, "", cid, *(["--fold"] if how else []))
                fold.check(t, count, where, run, state, [x for x in NAMES if x in state])
                if not how:
                    check_rows(t, where, run, state)
            t.add("checkpoints")
    return counts


async def one(t, seed, folder):
    path = folder / "store.db"
    with SqliteSaver.from_conn_string(str(path)) as saver:
        async def face_of(make):
            return freshgraphs.sync_face(make(saver))

        async def read_list(config):
            return [*saver.list(config)]

        faces = await fill(t, face_of, seed)
        return await compared(t, path, faces, read_list)


def main(seeds):
    logging.disable(logging.WARNING)
    n = bad = 0
    for seed in seeds:
        t = common.Tally()
        with tempfile.TemporaryDirectory(prefix="ckpt-delta-") as d:
            counts = asyncio.run(one(t, seed, pathlib.Path(d)))
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
