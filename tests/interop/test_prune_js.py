"""What `ckpt` leaves of JavaScript's stores, judged by JavaScript's own library, on SQLite and on
PostgreSQL: the fixtures, and stores that its graphs wrote a moment ago, with delta channels of a
release of today and of one that did not yet seal its forks. What stays of a prune, a copy, a delete
or of enforce-size is loaded as before, the graphs stand where they stood, and go on in a new process
to the same end; and what a careless statement leaves is found out. TAP; run with the Python of
build/venv inside tests/pg/with-server.sh.

    test_prune_js.py [SEED [POLICIES]]  or SEED in the environment; CKPT FIXTURES NODE JS_MODULES
                                        JS_DELTA_MODULES

Belongs here: the stores and what is tried on them. What must hold is in prune_js.py and
prune_proof.py.
"""
import collections
import contextlib
import json
import os
import pathlib
import random
import sqlite3
import sys
import tempfile

import prune_js                                 # first: it makes tests/oracle importable
import broken
import common
import postgres
import prune_proof as proof
import prunestores as stores
import psycopg
import test_prune_pg

POLICIES = 1
SCHEMA = "Agent-data"
LIBRARIES = {"JavaScript": ("JS_MODULES", "@langchain/langgraph"),
             "delta channels": ("JS_DELTA_MODULES", "@langchain/langgraph"),
             "delta channels, forks not sealed": ("JS_DELTA_MODULES", "langgraph-unsealed")}
DELTA = tuple(LIBRARIES)[1:]
KINDS = ("asks", "parallel", "nested", "stateful", "fan", "loop")
# Graphs of one namespace: others show what a subgraph came to last, which may be of a run that went.
FLAT = ("asks", "parallel", "loop")
ODD = ("", " x~1", " y@{head:2}", " tab\there", " 日本:a/b", " it's", " \x1b[2J%", "  ")


def names(seed, each):
    """So many threads of each graph."""
    return ["%s %s.%d%s" % (kind, seed, n, ODD[(i + 3 * n) % len(ODD)])
            for n in range(each) for i, kind in enumerate(KINDS)]


# ---- stores -----------------------------------------------------------------------------------------------

@contextlib.contextmanager
def lite():
    with tempfile.TemporaryDirectory(prefix="ckpt-prune-js-") as folder:
        yield stores.Lite(os.path.join(folder, "store.db"))


@contextlib.contextmanager
def pg():
    with postgres.Database(schema=SCHEMA) as database:
        yield stores.Pg(database, schema=SCHEMA)


ENGINES = {"SQLite": lite, "PostgreSQL": pg}


def staged(t, store, threads):
    """ckpt answers one of the questions that are open in every other thread."""
    for thread in threads[::2]:
        run = common.Run(["resume", "--thread=" + thread, "--json", "-s", store.address])
        if run.code:
            t.fail(thread, str(run))
        asks = [i["id"] for x in run.json()["data"]["tasks"] for i in x["interrupts"]]
        if asks:
            run = common.Run(["resume", "--thread=" + thread, "--answer", asks[0] + '="staged"', "--yes",
                              "-s", store.address])
            t.add("staged answers", run.code == 0)


class Written:
    """A store that JavaScript wrote, and what it says of it."""

    def __init__(self, t, store, node, threads=None):
        self.store, self.node = store, node
        self.source = prune_js.Judge(t, store, "", node, graphs=bool(threads))
        self.keys = sorted(self.source.rows.checkpoints)
        self.graphs, self.threads = bool(threads), threads or sorted({k[0] for k in self.keys})

    @contextlib.contextmanager
    def judge(self, t, name):
        with self.store.copy() as copy:
            yield prune_js.Judge(t, copy, name, self.node, self.source, self.graphs)

    def places(self, r, stay, kinds=KINDS, newest=True):
        """As the application would load each thread, then by the id of some checkpoint that stays."""
        out = []
        for thread in self.threads if self.graphs else ():
            ids = sorted(k[2] for k in stay if k[:2] == (thread, ""))
            if ids and thread.split()[0] in kinds:
                out += ([[thread, None]] if newest else []) + [[thread, r.choice(ids)]] * (r.random() < 0.5)
        return out


def fresh(t, store, node, threads):
    """Graphs write it, in another process."""
    with node.another() as writer:
        raised = writer.ask("write", store, threads=threads)["raised"]
    t.add("graphs raised", sum(raised.values()))
    staged(t, store, threads)
    return Written(t, store, node, threads)


# ---- prune ---------------------------------------------------------------------------------------------------

def other_policy(r, it):
    thread = r.choice(it.threads)
    return r.choice((
        ["--keep-within", r.choice(("1s", "2s", "5s"))], ["--keep-last", "1", "--vacuum=full"],
        ["--keep-last", "1", "--no-keep-heads", "--thread-glob", r.choice(("n*", "*1*", "*"))],
        ["--strategy", "keep_latest", "--where", "source=loop", "--no-keep-heads"],
        ["--keep-last", "1", "--run-id", "run %d of %s" % (r.randrange(3), thread)],
        ["--keep-where", "step=2", "--no-keep-heads", "--no-keep-interrupted"],
        ["--keep-last", "2", "--keep-thread", thread, "--no-keep-interrupted"]))


def policies(r, it, n):
    """The words, whether threads go whole, and whether there is an archive."""
    yield ["--keep-last", "1"], False, True
    yield ["--keep-last", "1", "--no-keep-heads", "--no-keep-interrupted", "--vacuum=full"], False, False
    yield ["--keep-daily", "1", "--keep-where", "source=fork", "--no-keep-heads"], False, False
    for i in range(n):
        if i % 2 or not it.graphs:
            yield (*proof.random_policy(r, it.keys), r.random() < 0.5)
        else:
            yield other_policy(r, it), False, r.random() < 0.3


def prunes(t, it, r, folder, n):
    for i, (words, whole, kept) in enumerate(policies(r, it, n)):
        with it.judge(t, " ".join(words)) as one:
            # bytes come back from a SQLite archive as an Uint8Array, not as the Buffer they were
            form = "db" if one.store.engine == "SQLite" and i == 0 else "jsonl"
            archive = folder / ("a%d.%s" % (i, form)) if kept else None
            gone = one.policy(words, whole, archive)
            if gone is not None:
                one.goes_on(it.source, it.places(r, set(it.keys) - gone))


# ---- copy, delete, enforce-size ------------------------------------------------------------------------------

def renamed(value, new, old):
    """What is said of a copy, with the name of the original."""
    return json.loads(json.dumps(value).replace(json.dumps(new), json.dumps(old)))


def copies(t, it, r):
    """A copy of each thread is what the original is, and goes on to the same end."""
    with it.judge(t, "copy") as one:
        olds = {thread + " copy": thread for thread in it.threads}
        for new, old in olds.items():
            one.ckpt("copy", old, new)
        tuples, _ = one.read()
        one.equal("keys", set(tuples), set(it.keys) | {
            (new, *k[1:]) for new, old in olds.items() for k in it.keys if k[0] == old})
        for (thread, *key), got in tuples.items():
            old = olds.get(thread, thread)
            one.equal("%r is loaded" % [thread, *key], renamed(got, thread, old),
                      it.source.tuples[(old, *key)])
        for (thread, cid), got in one.states.items():
            old = olds.get(thread, thread)
            one.equal("state of %r" % [thread, cid], renamed(got, thread, old), one.first[old, cid])
        one.equal("check", one.check() - one.errors, {
            (code, new, ns, cid) for new, old in olds.items()
            for code, thread, ns, cid in one.errors if thread == old})
        t.add("loaded", len(tuples))
        news = [[thread + " copy", cid] for thread, cid in it.places(r, it.keys)]
        one.goes_on(it.source, news, olds.get)


def alone(state):
    """Without what its subgraphs came to since."""
    if not isinstance(state, dict):
        return state
    return {**state, "tasks": [{**x, "below": None} for x in state["tasks"]]}


def runs(t, it, r):
    """The checkpoints of some runs go, but for those that the others need."""
    of = {k: x["metadata"]["run_id"] for k, x in it.source.tuples.items()}
    some = {run for run in of.values() if r.random() < 0.25}
    with it.judge(t, "delete") as one:
        one.ckpt("delete", *["--run-id=" + x for x in sorted(some)], "--yes")
        stay = set(one.store.rows().checkpoints)
        theirs = {k for k in it.keys if of[k] in some}
        one.equal("of other runs", set(it.keys) - theirs - stay, set())
        if it.node.modules == "JS_MODULES":         # no delta channels: only what calls of others name
            calls = {(k[0], "", it.source.tuples[k]["metadata"]["parents"].get("")) for k in stay}
            one.equal("of these runs", {k for k in theirs & stay if k[1] == ""} - calls, set())
        one.equal("some are gone", len(stay) < len(it.keys), True)
        one.loads(stay)
        one.is_whole()
        newest = {thread: max(k[2] for k in it.keys if k[:2] == (thread, "")) for thread in it.threads}
        one.states = {k: x for k, x in one.states.items() if k[1] or (k[0], "", newest[k[0]]) in stay}
        one.stand(alone)
        t.add("dropped", len(it.keys) - len(stay))
        one.goes_on(it.source, it.places(r, stay, FLAT, newest=False))


def sizes(t, it, r):
    """Threads above a budget lose what enforce-size says, and no more."""
    with it.judge(t, "enforce-size") as one:
        sizes = sorted(x["bytes"] for x in one.ckpt("du", "--json").json()["data"])
        run = one.ckpt("enforce-size", "--max-thread", "%dB" % sizes[len(sizes) // 3], *proof.NOW, "--json",
                       "--yes", codes=(0, 3))
        said = {(x["thread"], x["ns"]): x["drop"] for x in run.json()["data"]["actions"]
                if x["action"] == "drop"}
        stay = set(one.store.rows().checkpoints)
        gone = set(it.keys) - stay
        one.equal("what goes", collections.Counter(k[:2] for k in gone), said)
        if it.node.modules == "JS_MODULES":         # chains of delta channels may need all there is
            one.equal("some are gone", bool(gone), True)
        one.loads(stay)
        one.is_whole()
        one.stand()
        t.add("dropped", len(gone))
        one.goes_on(it.source, it.places(r, stay))


# ---- careless statements -------------------------------------------------------------------------------------

NEWEST = ("DELETE FROM checkpoints WHERE checkpoint_id < (SELECT max(checkpoint_id) FROM checkpoints c "
          "WHERE c.thread_id = checkpoints.thread_id")
OF_SPACE = NEWEST + " AND c.checkpoint_ns = checkpoints.checkpoint_ns)"
BLOBS = ("DELETE FROM checkpoint_blobs b USING checkpoint_blobs x WHERE b.thread_id = x.thread_id AND "
         "b.checkpoint_ns = x.checkpoint_ns AND b.channel = x.channel AND b.version::int < x.version::int")
# What is wrong with it, and where.
CARELESS = (
    ("the newest of a thread, in whatever namespace", [NEWEST + ")"], ENGINES, LIBRARIES),
    ("the newest of a namespace, though delta channels need others", [OF_SPACE], ENGINES, DELTA),
    ("the greatest version of a channel, though of a branch left behind", [OF_SPACE, BLOBS], ("PostgreSQL",),
     ("JavaScript",)))


def execute(store, statements):
    with contextlib.closing(sqlite3.connect(store.path) if store.engine == "SQLite" else
                            psycopg.connect(store.address)) as db:
        for sql in statements:
            db.execute(sql)
        db.commit()


def careless(t, library, engine, it):
    for name, statements, engines, libraries in CARELESS:
        if engine not in engines or library not in libraries:
            continue
        found = common.Tally()
        with it.judge(found, name) as one:
            execute(one.store, statements)
            one.loads(one.store.rows().checkpoints)
            one.stand()
            threads = [{k for k in states if not k[1]} for states in (one.states, one.first)]
            one.equal("which threads stand", *threads)
        if not found.problems:
            t.fail("control", "nobody saw what was lost: " + name)
        t.add("losses seen", len(found.problems))


# ---- the tests ----------------------------------------------------------------------------------------------

def fresh_store(t, library, engine, seed, n):
    r = random.Random("%s %s %s" % (library, engine, seed))
    with ENGINES[engine]() as store, prune_js.Node(*LIBRARIES[library]) as node, \
            tempfile.TemporaryDirectory(prefix="ckpt-prune-js-") as folder:
        it = fresh(t, store, node, names(seed, 1 if library in DELTA else 2))
        prunes(t, it, r, pathlib.Path(folder), n)
        copies(t, it, r)
        runs(t, it, r)
        sizes(t, it, r)
        careless(t, library, engine, it)


def fixture(t, engine, at, seed, n):
    """One whose graphs are not known here: every checkpoint is loaded."""
    r = random.Random("%s %s %s" % (engine, at, seed))
    with tempfile.TemporaryDirectory(prefix="ckpt-prune-js-") as folder, prune_js.Node() as node, \
            contextlib.ExitStack() as stack:
        if engine == "SQLite":
            store = stores.Lite(broken.copied(at))
        else:
            schema = test_prune_pg.SCHEMAS.get(at.parent.name, "public")
            store = stores.Pg(stack.enter_context(postgres.Database(at, schema)), schema=schema)
        it = Written(t, store, node)
        prunes(t, it, r, pathlib.Path(folder), n)
        copies(t, it, r)


def all_met(t, met):
    for what in ("graphs raised", "staged answers", "turns: answer", "turns: retry", "turns: continue",
                 "turns: input", "losses seen", "archives .db", "archives .jsonl", "taken versions"):
        t.equal("there was something of " + what, met[what] > 0, True)


def tests(seed, n, more):
    met = collections.Counter()

    def counted(test, *words):
        def run(t):
            test(t, *words)
            met.update(t.count)
        return run
    for engine, name in (("SQLite", "store.db"), ("PostgreSQL", "store.sql.gz")):
        for at in sorted(stores.FIXTURES.glob("js-*/" + name)):
            yield "%s on %s" % (at.parent.name, engine), counted(fixture, engine, at, seed, n)
    for library in LIBRARIES:
        for engine in ENGINES:
            if more or (library, engine) != (DELTA[-1], "PostgreSQL"):
                yield ("%s on %s, seed %s" % (library, engine, seed),
                       counted(fresh_store, library, engine, seed, n))
    yield "everything came by", lambda t: all_met(t, met)


def main(seed, n=POLICIES):
    """With more policies all stores, too."""
    return proof.run_all(tests(seed, int(n), int(n) > POLICIES))


if __name__ == "__main__":
    sys.exit(main(*(sys.argv[1:] or [os.environ.get("SEED") or "1"])))
