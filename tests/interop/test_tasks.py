"""Where checkpoints stand: `ckpt show` against get_state, for every checkpoint of every fixture's
store and of fresh random graphs. TAP; run with the Python of build/venv.

    test_tasks.py [SEED…]       or SEED in the environment; CKPT=build/ckpt, GRAPHS=200

Belongs here: asking the library. Graphs are in taskgraphs.py, the comparison in tests/oracle.
"""
import asyncio
import collections
import logging
import os
import pathlib
import sys
import tempfile

os.environ.setdefault("LANGSMITH_TRACING", "false")
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "oracle"))

import common
import freshgraphs
import safe
import stand
import taskgraphs
from freshvalues import plain
from langgraph.checkpoint.sqlite import SqliteSaver

SEEDS = ("1",)
GRAPHS = int(os.environ.get("GRAPHS", "200"))


def asked(state):
    """What of a state is compared."""
    return {"next": list(state.next),
            "tasks": [{"id": t.id, "name": t.name, "error": None if t.error is None else plain(t.error),
                       "interrupts": [{"id": i.id, "value": plain(i.value)} for i in t.interrupts]}
                      for t in state.tasks]}


def hidden(graph, tuples):
    """Nodes that wait for a join which nothing in the thread names."""
    met = {k for x in tuples for k in x.checkpoint["channel_versions"]}
    met |= {w[1] for x in tuples for w in x.pending_writes}
    return [name for name, node in getattr(graph, "nodes", {}).items()
            if any(c.startswith("join:") and c not in met for c in node.triggers)]


def oracle_of(saver, graph, thread):
    """get_state of every checkpoint, and of each namespace without an id."""
    spaces, silent = {}, 0
    tuples = list(saver.list({"configurable": {"thread_id": thread}}))
    nodes = hidden(graph, tuples)
    for tup in tuples:
        c = tup.config["configurable"]
        ns, cid = c["checkpoint_ns"], c["checkpoint_id"]
        part = spaces.setdefault(ns, {"order": [], "checkpoints": {}})
        at = {"thread_id": thread, "checkpoint_ns": ns}
        part["order"].append(cid)
        part["checkpoints"][cid] = {}
        try:
            if len(part["order"]) == 1:
                part["latest"] = asked(graph.get_state({"configurable": at}))
            part["checkpoints"][cid] = asked(graph.get_state({"configurable": {**at, "checkpoint_id": cid}}))
            for state in (part["latest"], part["checkpoints"][cid]):
                state["hidden"] = [] if ns else nodes
        except Exception:       # namespaces the library itself cannot find again
            silent += 1
    return spaces, silent


def fill(saver, seed, graphs):
    oracle, kinds, silent = {"threads": {}}, collections.Counter(), 0
    for number in range(graphs):
        label, thread = "%s/%d" % (seed, number), "thread-%d" % number
        make, kind = taskgraphs.build(label)
        graph = make(saver)
        asyncio.run(freshgraphs.use(freshgraphs.sync_face(graph), thread, label, 2 + number % 6))
        oracle["threads"][thread], n = oracle_of(saver, graph, thread)
        silent += n
        kinds[kind] += sum(len(p["order"]) for p in oracle["threads"][thread].values())
    return oracle, kinds, silent


def report(number, name, tally, unknown, more=""):
    if not tally.count["checkpoints"]:
        tally.fail("size", "nothing was compared")
    common.tap(number, "%s: %s; unknown: %s%s" % (name, common.totals(tally.count),
                                                  dict(unknown) or 0, more), tally.problems)
    return not tally.problems


def fresh(number, seed):
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "store.db"
        with SqliteSaver.from_conn_string(str(path)) as saver:
            oracle, kinds, silent = fill(saver, seed, GRAPHS)
        tally, unknown = stand.check_store(path, oracle)
        for why, n in unknown.items():      # today's library hides nothing that cannot be told
            tally.fail("unknown", "%d checkpoints: %s" % (n, why))
        return report(number, "%d fresh graphs, seed %s" % (GRAPHS, seed), tally, unknown,
                      "; %s; %d the library cannot find" % (common.totals(kinds), silent))


def main():
    logging.disable(logging.CRITICAL)
    seeds = sys.argv[1:] or os.environ.get("SEED", " ".join(SEEDS)).split()
    good = True
    for number, seed in enumerate(seeds, 1):
        good &= fresh(number, seed)
    for number, (name, tally, unknown) in enumerate(stand.fixtures(), len(seeds) + 1):
        good &= report(number, name, tally, unknown)
    for number, (name, tally) in enumerate(safe.fixtures(), number + 1):
        common.tap(number, "safe in %s: %s" % (name, common.totals(tally.count)), tally.problems)
        good &= not tally.problems
    print("1..%d" % number)
    return not good


if __name__ == "__main__":
    sys.exit(main())
