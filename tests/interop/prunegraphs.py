"""Stores that graphs wrote a moment ago, pruned, and the graphs that go on with them: from every
head that stays, to the same end as with a copy that was not pruned.

Belongs here: the threads, their states, going on. Policies and rows are prune_proof.py's; the
graphs freshgraphs.py's, taskgraphs.py's and test_copy.py's.
"""
import asyncio
import contextlib
import random

import prunestores as stores                    # first: it makes tests/oracle importable
import freshgraphs
import migrategraphs
import prune_proof as proof
import taskgraphs
import test_copy

TURNS = 5


class Thread:
    """A thread, and how its graph is made anew: what a node does depends on how often it ran."""

    def __init__(self, name, make):
        self.name, self.make = name, make
        self.config = {"configurable": {"thread_id": name}, "recursion_limit": 40}

    def at(self, cid):
        return {**self.config, "configurable": {"thread_id": self.name, "checkpoint_ns": "",
                                                "checkpoint_id": cid}}


# ---- writing ---------------------------------------------------------------------------------------------

def known(saver, seed):
    """test_copy's graphs, stopped after some turns; one with a branch, one written at the exit."""
    r = random.Random(seed)
    for name, make in test_copy.GRAPHS.items():
        for turns in (1, 2):
            thread = Thread("%s %d" % (name, turns), make)
            graph = make(saver)
            graph.invoke(test_copy.INPUT, thread.config,
                         durability="exit" if turns == 2 else "sync")
            for _ in range(turns):
                test_copy.turn(graph, thread.name)
            if turns == 1 and name != "functional":
                past = test_copy.ids(graph, thread.name)
                at = r.choice(past[:-1])
                with contextlib.suppress(Exception):
                    graph.update_state(thread.at(at), None, as_node="__copy__")
            yield thread


def freshgraphs_of(label):
    return lambda saver: freshgraphs.build(label)(saver)


def taskgraphs_of(label):
    return lambda saver: taskgraphs.build(label)[0](saver)


def random_ones(saver, seed, n):
    for number in range(n):
        label = "prune %s %d" % (seed, number)
        thread = Thread("t%d" % number, freshgraphs_of(label) if number % 2 else taskgraphs_of(label))
        asyncio.run(freshgraphs.use(freshgraphs.sync_face(thread.make(saver)), thread.name, label,
                                    2 + number % 5))
        yield thread


# ---- states ------------------------------------------------------------------------------------------------

def states(store, threads, keys):
    """What get_state says of each root checkpoint, subgraphs included, and of each thread."""
    out = {}
    with store.saver() as saver:
        for thread in threads:
            graph = thread.make(saver)
            for cid in sorted(k[2] for k in keys if k[0] == thread.name and k[1] == ""):
                out[thread.name, cid] = state(graph, thread.at(cid))
            if any(k[0] == thread.name for k in keys):
                out[thread.name, None] = state(graph, thread.config)
    return out


def bare(v):
    """Without the objects that the configuration of a subgraph not yet begun carries."""
    if isinstance(v, dict):
        return {k: bare(x) for k, x in v.items() if not str(k).startswith("__pregel")}
    return [bare(x) for x in v] if isinstance(v, list) else v


def state(graph, config):
    try:
        return bare(test_copy.face(graph.get_state(config, subgraphs=True)))
    except Exception as e:          # a functional graph cannot say what an old step was
        return type(e).__name__


def heads(keys, rows):
    """Root checkpoints that are nobody's parent, newest first."""
    parents = {(k[0], rows.checkpoints[k][0]) for k in keys if k[1] == ""}
    return sorted((k for k in keys if k[1] == "" and (k[0], k[2]) not in parents), reverse=True)


# ---- going on ----------------------------------------------------------------------------------------------

def attempt(graph, value, config):
    """One node at a time, in the same order everywhere; a function waits for its tasks, though."""
    one = {"max_concurrency": 1} if hasattr(graph, "builder") else {}
    try:
        graph.invoke(value, {**config, **one}, durability="sync")
    except Exception as e:          # clashing updates, limits: the same on every store
        return type(e).__name__
    return None


def go_on(graph, thread, cid):
    """Answers, retries, until the end, then one more input: what came of it at each turn."""
    migrategraphs.made[0] = 0
    config, out, again = thread.at(cid) if cid else thread.config, [], False
    for _ in range(TURNS):
        try:
            now = graph.get_state(config)
        except Exception as e:
            return [*out, type(e).__name__]
        what, value = migrategraphs.move(now)
        if what == "input" and again:
            break
        again |= what == "input"
        raised = attempt(graph, value, config)
        config = thread.config
        after = migrategraphs.view(graph.get_state(config), {})
        out.append([what, raised, after["values"], after["next"], after["step"], after["tasks"]])
    return out


def ends(store, threads, from_where):
    with store.saver() as saver:
        return {(t.name, cid): go_on(t.make(saver), t, cid)
                for t in threads for cid in from_where.get(t.name, ())}


def places(gone, rows):
    """As the application would load the thread, and at most one other head, by their ids."""
    out = {}
    for k in heads(set(rows.checkpoints) - gone, rows):
        out.setdefault(k[0], [None] if k[0] not in out else None)
        if len(out[k[0]]) < 3:
            out[k[0]].append(k[2])
    return {t: [None, *cids[2:3]] for t, cids in out.items()}


def unsteady(store, threads, where, k, want):
    """Does the graph itself come to another end now and then?"""
    some = [x for x in threads if x.name == k[0]]
    for _ in range(4):
        with store.copy() as again:
            if ends(again, some, {k[0]: where[k[0]]})[k] != want:
                return True
    return False


def policies(r, keys):
    yield ["--keep-last", "1"], False
    yield ["--keep-last", "1", "--no-keep-heads", "--no-keep-interrupted"], False
    yield proof.random_policy(r, keys)


def pruned(t, store, threads, seed):
    """`store` as it was written; each policy on a copy, and both go on."""
    source = proof.Prune(t, store, "")
    keys = sorted(source.rows.checkpoints)
    before = states(store, threads, keys)
    for words, whole in policies(random.Random(seed), keys):
        with store.copy() as copy, store.copy() as other:
            one = proof.Prune(t, copy, " ".join(words), source)
            gone = one.policy(words, whole)
            if gone is None:
                continue
            stay = set(keys) - gone
            after = states(copy, threads, stay)
            for k, got in after.items():
                # a thread as a whole stands where its newest checkpoint is
                one.equal("state of %s" % (k,), got, before[k])
                t.add("states")
            where = places(gone, source.rows)
            want, got = ends(other, threads, where), ends(copy, threads, where)
            for k in want:
                if got[k] != want[k] and unsteady(store, threads, where, k, want[k]):
                    t.add("unsteady")
                    continue
                one.equal("goes on: %s" % (k,), got[k], want[k])
                for turn in want[k]:
                    t.add("turns: " + (turn[0] if isinstance(turn, list) else "none"))
            unpruned = proof.Prune(t, other, "not pruned", source)
            one.equal("check after going on", {x[:2] for x in one.check()},
                      {x[:2] for x in unpruned.check()})


def test(t, store, seed, n):
    with store.saver() as saver:
        saver.setup()
        threads = [*known(saver, seed), *random_ones(saver, seed, n)]
    migrategraphs.steady()
    pruned(t, store, threads, seed)
    if t.count["unsteady"] > 5:
        t.fail("size", "too much goes on in another way each time")
    for what in ("answer", "retry", "continue", "input"):
        if not t.count["turns: " + what]:
            t.fail("size", "no thread for " + what)
