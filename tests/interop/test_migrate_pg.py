"""`ckpt migrate` among SQLite, PostgreSQL and archives, judged by the real savers: what they read
from the target is what they read from the source, blobs are those that PostgresSaver itself would
have written, tables are as its setup makes them, and the real graphs go on with what arrived.
TAP; run with the Python of build/venv inside tests/pg/with-server.sh.

    test_migrate_pg.py [SEED…]     or SEED in the environment; CKPT=build/ckpt FIXTURES=build/fixtures

Belongs here: Python's savers. JavaScript's are test_migrate_js.py's, interrupted runs
tests/pg/migrate.py's, how a graph goes on migrategraphs.py's.
"""
import asyncio
import collections
import json
import logging
import os
import pathlib
import sqlite3
import subprocess
import sys
import tempfile

import test_fresh as fresh                      # first: it makes tests/oracle importable
import broken
import common
import freshgraphs
import freshvalues
import postgres
import psycopg
import test_convert_pg as convert
import test_fresh_pg as fresh_pg
from langgraph.checkpoint.postgres import PostgresSaver
from langgraph.checkpoint.serde.encrypted import EncryptedSerializer
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer
from langgraph.checkpoint.sqlite import SqliteSaver
from psycopg_pool import ConnectionPool

FIXTURES = convert.FIXTURES
GRAPHS = pathlib.Path(__file__).resolve().parent / "migrategraphs.py"
SEEDS = ("1",)
fresh.THREADS = 20
SERDE = JsonPlusSerializer()
TABLES = {"checkpoints": "parent_checkpoint_id, type, checkpoint::text, metadata::text",
          "checkpoint_blobs": "version, type, encode(blob, 'hex')",
          "checkpoint_writes": "task_id, idx, channel, type, encode(blob, 'hex'), task_path"}
KEYS = {"checkpoints": "thread_id, checkpoint_ns, checkpoint_id",
        "checkpoint_blobs": "thread_id, checkpoint_ns, channel",
        "checkpoint_writes": "thread_id, checkpoint_ns, checkpoint_id"}

# What is not carried as it lies, to PostgreSQL and to SQLite.
TO_PG = {
    "py-basic": {"blob bad-number": 6, "blob nan": 4, "blob nul": 2, "renumber same": 2},
    "py-delta": {"renumber same": 2},
    "py-ids": {"quarantine backslash": 19, "quarantine nul": 22},
    "py-old-v1": {"quarantine nul": 1}, "py-old-v3": {"quarantine nul": 1},
    "py-old-json": {"quarantine nul": 1}, "py-upgraded": {"quarantine nul": 1},
    "py-hitl": {}, "py-meta": {}, "py-subgraph": {}, "py-old-v4": {}, "py-aes": {},
}
TO_SQLITE = {
    "py-basic": {"quarantine bad-number": 2},
    "py-delta": {}, "py-hitl": {}, "py-store": {}, "py-subgraph": {}, "py-ids": {}, "py-aes": {},
    "py-old-pg100": {}, "py-old-pg2011": {}, "py-old-pg2012": {},
}
# And from there back to PostgreSQL. The very first saver kept a list of Sends that it never read.
BACK = {"py-old-pg100": {"quarantine sends": 55}}
# Damaged stores to the other engine: exit codes without and with --quarantine, what went there.
CORRUPT = 7, 3, {"corrupt"}
BROKEN = {
    "bad-blob": CORRUPT, "cut-blob": CORRUPT, "deep-blob": CORRUPT, "empty-blob": CORRUPT,
    "huge-length": CORRUPT, "trailing-bytes": CORRUPT, "pg-bad-blob": CORRUPT,
    "pg-odd-jsonb": CORRUPT, "nulls": (7, 3, {"corrupt", "null"}),
    "bad-metadata": (7, 3, {"metadata"}), "text-columns": (7, 3, {"key-type"}),
    "unknown-type": (7, 3, {"type"}), "pg-unknown-type": (7, 3, {"type"}),
    "pg-lost-snapshot": (7, 3, {"lost"}),
    "empty-file": (7, 7, set()), "other-database": (7, 7, set()), "view": (7, 7, set()),
    "pg-view": (7, 7, set()), "flipped-page": (8, 8, set()), "header-only": (8, 8, set()),
    "not-a-database": (8, 8, set()), "truncated": (8, 8, set()),
}


# ---- running ------------------------------------------------------------------------------------------

def key_env(name):
    oracle = FIXTURES / name / "oracle.json"
    key = json.loads(oracle.read_text()).get("aes_key") if oracle.exists() else None
    return {"LANGGRAPH_AES_KEY": key} if key else {}


def serde_of(env):
    key = env.get("LANGGRAPH_AES_KEY")
    return EncryptedSerializer.from_pycryptodome_aes(key=key.encode()) if key else None


class Moved:
    """One `ckpt migrate`, with what it told."""

    def __init__(self, t, source, target, *more, env=None, codes=(0,)):
        self.run = common.Run(["migrate", str(source), str(target), "--json", *more], env)
        self.data, self.summary = [], None
        t.equal("exit", self.run.code in codes or str(self.run), True)
        if self.run.code in (0, 3, 7) and self.run.out:
            doc = self.run.json()
            self.data, self.summary = doc["data"], doc["summary"]
        if self.run.code in (0, 3) and self.summary["verified"]["different"]:
            t.fail("verified", str(self.summary))
        self.renumbered = {(d["thread"], d["ns"], d["id"]) for d in self.data
                           if d["action"] == "renumber"}
        self.rejected = {(d["thread"], d["ns"], d["id"]) for d in self.data
                         if d["action"] in ("quarantine", "refuse")}
        self.told = dict(collections.Counter("%(action)s %(code)s" % d for d in self.data))


def moved(t, source, target, folder, env=None, want=None):
    """Everything that can be; the rest is refused at first, then found in the quarantine file."""
    first = Moved(t, source, target, env=env, codes=(0, 7))
    if want is not None:
        t.equal("cares", {k.replace("refuse", "quarantine"): n for k, n in first.told.items()}, want)
    if first.run.code == 0:
        return first
    at = folder / "quarantine.jsonl"
    at.unlink(missing_ok=True)
    second = Moved(t, source, target, "--quarantine", str(at), env=env, codes=(3,))
    t.equal("the same is said", second.rejected, first.rejected)
    listed = common.Run(["list", "-s", str(at), "--all", "--ns", "*", "--json"])
    t.equal("list of the quarantine file", listed.code, 0)
    if listed.code == 0:
        t.equal("in quarantine", sorted((d["thread"], d["ns"], d["id"]) for d in listed.json()["data"]),
                sorted(second.rejected))
    t.equal("quarantined", second.summary["quarantined"], len(second.rejected))
    t.add("in quarantine", len(second.rejected))
    return second


def raw(database, schema="public"):
    """The rows of the three tables, as text."""
    old = "task_path" not in database.columns("checkpoint_writes")
    return {table: sorted(map(tuple, postgres.rows_of(database.name, "SELECT json_build_array(%s, %s) "
            "FROM %s.%s" % (KEYS[table], columns.replace("task_path", "''") if old else columns,
                             postgres.quoted(schema), table))))
            for table, columns in TABLES.items()}


def raw_sqlite(path, without=(), sealed=False):
    """Keys, parents and writes in their order; `sealed`: not what encryption made of the values."""
    with sqlite3.connect(path) as db:
        path = any(c[1] == "task_path" for c in db.execute("PRAGMA table_info(writes)"))
        rows = [db.execute("SELECT thread_id, checkpoint_ns, checkpoint_id, parent_checkpoint_id "
                           "FROM checkpoints ORDER BY 1, 2, 3").fetchall(),
                db.execute("SELECT thread_id, checkpoint_ns, checkpoint_id, task_id, idx, channel, type, "
                           "%s, %s FROM writes ORDER BY thread_id, checkpoint_ns, checkpoint_id, rowid" %
                           ("0" if sealed else "hex(value)", "task_path" if path else "''")
                           ).fetchall()]
    return [[r for r in part if r[:3] not in without] for part in rows]


def same_lite(t, want, got):
    """The same rows, and those of a checkpoint in the order in which they were written: PostgreSQL
    does not promise to keep that, since it fills gaps in its pages, but mostly does."""
    t.equal("parents", got[0], want[0])
    t.equal("writes", sorted(got[1], key=repr), sorted(want[1], key=repr))
    order = collections.defaultdict(list), collections.defaultdict(list)
    for rows, lists in zip((want[1], got[1]), order):
        for row in rows:
            lists[row[:3]].append(row[3:])
    moved_about = sum(order[1][k] != v for k, v in order[0].items())
    if moved_about * 10 > len(order[0]):
        t.fail("order of writes", "other in %d of %d checkpoints" % (moved_about, len(order[0])))


# ---- what the savers read -------------------------------------------------------------------------------

def typed(v):
    """With the types of everything in it, as the library's own serializer tells them; members of
    sets come in any order."""
    try:
        kind, body = SERDE.dumps_typed(v)
        return kind, sorted(body)
    except Exception:           # it reads what it cannot write, such as classes that are gone
        return type(v)


def other_types(a, b):
    """Values that are of other types somewhere inside: channels, and positions of writes."""
    x, y = a.checkpoint["channel_values"], b.checkpoint["channel_values"]
    yield from (c for c in x if c in y and typed(x[c]) != typed(y[c]))
    for n, (w, v) in enumerate(zip(a.pending_writes or [], b.pending_writes or [])):
        if typed(w[2]) != typed(v[2]):
            yield "write %d" % n


class Savers:
    """The savers of one test, closed together."""

    def __init__(self, env=None):
        self.serde, self.open = serde_of(env or {}), []

    def __enter__(self):
        return self

    def __exit__(self, *args):
        for x in self.open:
            x.close()

    def sqlite(self, path):
        self.open.append(sqlite3.connect(path, check_same_thread=False))
        return SqliteSaver(self.open[-1], serde=self.serde)

    def pg(self, database, schema="public"):
        conn = psycopg.connect(database.address, autocommit=True, row_factory=psycopg.rows.dict_row,
                               options="-c search_path=" + postgres.quoted(schema))
        self.open.append(conn)
        return PostgresSaver(conn, serde=self.serde)


def config(key):
    return {"configurable": dict(zip(("thread_id", "checkpoint_ns", "checkpoint_id"), key))}


def keys_of(saver):
    """All of them, in the order of the library."""
    return [tuple(x.config["configurable"][k] for k in ("thread_id", "checkpoint_ns", "checkpoint_id"))
            for x in saver.list(None)]


def by_thread(keys):
    """Each namespace's ids in the library's order; of other than LangGraph's ids, which sort by the
    database's collation, only which there are."""
    out = {}
    for thread, ns, cid in keys:
        out.setdefault(json.dumps([thread, ns]), []).append(cid)
    return {k: v if all(len(x) == 36 for x in v) else sorted(v) for k, v in out.items()}


def renamed(source, target):
    own, want = target.checkpoint["channel_versions"], source.checkpoint["channel_versions"]
    return {c: want[c] for c in own if c in want and own[c] != want[c]}


def same_tuples(t, what, source, target, rejected, new_versions=()):
    """get_tuple of every checkpoint: values with types, versions, parents, metadata, writes in order.
    `new_versions`: where a version may have a new suffix."""
    keys = [k for k in keys_of(source) if k not in rejected]
    t.equal(what + ": list", by_thread(keys_of(target)), by_thread(keys))
    for key in keys:
        a, b = source.get_tuple(config(key)), target.get_tuple(config(key))
        if b is None:
            t.fail(what, "%s is not there" % (key,))
            continue
        names = renamed(a, b)
        if names and key not in new_versions:
            t.fail(what, "%s: versions of %s" % (key, sorted(names)))
        t.problems += convert.differences(convert.fields(a, {}), convert.fields(b, names),
                                          "%s: %s" % (what, key))
        t.problems += ["%s: %s: %s is of another type" % (what, key, c) for c in other_types(a, b)]
        t.add("tuples")


def as_saver(t, pg, source, path, database, did):
    """Blobs and inline values where PostgresSaver puts them, byte for byte."""
    recorder = convert.Recorder(pg.serde)
    cares = collections.defaultdict(list)
    for d in did.data:
        cares[d["thread"], d["ns"], d["id"]].append(("", 0, d["channel"]))
    table = {tuple(r[:4]): (r[4], bytes.fromhex(r[5] or ""))
             for r in raw(database)["checkpoint_blobs"]}
    with sqlite3.connect(path) as db:
        bodies = {r[:3]: r[3] for r in db.execute("SELECT thread_id, checkpoint_ns, checkpoint_id, "
                                                  "checkpoint FROM checkpoints WHERE type = 'msgpack'")}
    for thread, ns, cid, _parent, _type, body, _meta in raw(database)["checkpoints"]:
        key = thread, ns, cid
        tup = source.get_tuple(config(key))
        if key not in bodies or tup.checkpoint["v"] != 4:
            continue
        row = {"thread": thread.encode(), "ns": ns.encode(), "id": cid.encode(), "body": body,
               "back": bodies[key], "cares": cares[key]}
        t.problems += ["%s: %s" % (key, x)
                       for x in convert.as_saver(recorder, tup, config(key), row, table)]
        t.add("checkpoints as the saver puts them")


# ---- the ways --------------------------------------------------------------------------------------------

class Base(postgres.Database):
    """A database of this name."""

    def __init__(self, label, dump=None):
        super().__init__(dump)
        self.address = self.address.replace(self.name, self.name + "_" + label)
        self.name += "_" + label


def in_schema(database, name):
    """The address of a new schema of the same database."""
    postgres.psql(database.name, "CREATE SCHEMA %s" % postgres.quoted(name))
    return "%s options=-csearch_path=%s" % (database.address, postgres.quoted(name))


def same_rows(t, what, source, target, schema="public"):
    for (table, want), got in zip(raw(source).items(), raw(target, schema).values()):
        if want != got:
            t.fail(what, "%s: lost %s, new %s" % (table, sorted(set(want) - set(got))[:2],
                                                  sorted(set(got) - set(want))[:2]))
        t.add("rows of PostgreSQL", len(want))


def from_sqlite(t, path, folder, env, want, go_on=None):
    """SQLite, PostgreSQL, SQLite; and through an archive to another PostgreSQL."""
    back, dump = folder / "back.db", folder / "all.jsonl"
    with Base("a") as there, Base("b") as second, Savers(env) as savers:
        did = moved(t, path, there.address, folder, env, want)
        Moved(t, there.address, back, env=env)
        source, pg = savers.sqlite(path), savers.pg(there)
        same_tuples(t, "PostgreSQL", source, pg, did.rejected, did.renumbered)
        same_tuples(t, "back", pg, savers.sqlite(back), ())
        same_lite(t, raw_sqlite(path, did.rejected, env), raw_sqlite(back, sealed=env))
        check_setup(t, there, pg)
        if not env:         # a nonce is never the same
            as_saver(t, pg, source, path, there, did)
            Moved(t, path, dump)
            moved(t, dump, second.address, folder, want=want)
            same_rows(t, "through an archive", there, second)
        if go_on:
            go_on(t, did, path, back, there)


def from_pg(t, base, folder, env, want, back=None, go_on=None):
    """PostgreSQL, SQLite, PostgreSQL; into another schema; and through an archive."""
    lite, dump = folder / "lite.db", folder / "all.jsonl"
    with Base("a") as second, Base("b") as third, Savers(env) as savers:
        did = moved(t, base.address, lite, folder, env, want)
        back = moved(t, lite, second.address, folder, env, back)
        Moved(t, base.address, in_schema(base, "An-other"), env=env)
        Moved(t, base.address, dump, env=env)
        Moved(t, dump, third.address, env=env)
        same_rows(t, "another schema", base, base, "An-other")
        same_rows(t, "through an archive", base, third)
        source = savers.pg(base)
        source.setup()          # what an older release made is read by today's
        same_tuples(t, "SQLite", source, savers.sqlite(lite), did.rejected)
        same_tuples(t, "back", source, savers.pg(second), did.rejected | back.rejected)
        if go_on:
            go_on(t, did, base, lite, second)


# ---- tables ----------------------------------------------------------------------------------------------

def structure(database, schema="public"):
    """Columns, indexes, constraints and the numbers of the saver's migrations."""
    sql = """
        SELECT json_build_array('column', table_name, ordinal_position, column_name, data_type,
            is_nullable, column_default, collation_name) FROM information_schema.columns
            WHERE table_schema = '{0}' UNION ALL
        SELECT json_build_array('index', tablename, replace(indexdef, '{1}', 'public'))
            FROM pg_indexes WHERE schemaname = '{0}' UNION ALL
        SELECT json_build_array('constraint', conrelid::regclass::oid::regclass::text, conname,
            contype, pg_get_constraintdef(c.oid)) FROM pg_constraint c JOIN pg_namespace n
            ON n.oid = connamespace WHERE n.nspname = '{0}' UNION ALL
        SELECT json_build_array('applied', v) FROM "{0}".checkpoint_migrations"""
    return sorted(map(json.dumps, postgres.rows_of(database.name, sql.format(
        schema, postgres.quoted(schema)))))


def check_setup(t, database, saver):
    """As setup() makes them; it finds nothing to do."""
    with Base("setup") as other, Savers() as savers:
        savers.pg(other).setup()
        t.equal("tables", structure(database), structure(other))
    before = database.content()
    saver.setup()
    t.equal("setup changes nothing", database.content() == before, True)


# ---- going on ----------------------------------------------------------------------------------------------

def going_on(stores, label, skip):
    """Each store's graphs in a process of their own: {thread: what came of it}."""
    running = [subprocess.Popen([sys.executable, str(GRAPHS), kind, str(where), label,
                                 str(fresh.THREADS), json.dumps(sorted(skip))], stdout=subprocess.PIPE,
                                env={**os.environ, "PYTHONHASHSEED": "0"}) for kind, where in stores]
    out = [p.communicate(timeout=300)[0] for p in running]
    if any(p.returncode for p in running):
        raise OSError("migrategraphs.py failed")
    return [json.loads(x) for x in out]


def same_going_on(t, label, skip, source, **targets):
    want, *rest = going_on([source, *targets.values()], label, skip)
    for name, got in zip(targets, rest):
        for thread, steps in want.items():
            t.equal("%s: %r goes on" % (name, thread), got[thread], steps)
    for steps in want.values():
        for what in {s["what"] for s in steps}:
            t.add("threads: " + what)
    for what in ("answer", "travel", "delta"):
        if not t.count["threads: " + what]:
            t.fail("size", "no thread for " + what)


def aside(did):
    """Threads that PostgreSQL's saver itself cannot go on with, or that are not whole."""
    return {d["thread"] for d in did.data if d["action"] != "renumber"}


# ---- the stores ----------------------------------------------------------------------------------------------

def tame(make):
    """Metadata with a number that jsonb changes goes into quarantine: only now and then."""
    def user_metadata(r):
        out = make(r)
        if "weight" in out and r.random() < 0.95:
            out["weight"] = 0.5
        return out
    return user_metadata


def fill(saver, label):
    async def face_of(make):
        return freshgraphs.sync_face(make(saver))
    asyncio.run(fresh.fill(face_of, label))


def fresh_sqlite(t, seed, folder):
    path, label = folder / "store.db", "migrate " + seed
    with SqliteSaver.from_conn_string(str(path)) as saver:
        fill(saver, label)

    def go_on(t, did, path, back, there):
        copy = broken.copied(path)
        same_going_on(t, label, aside(did), ("sqlite", copy), sqlite=("sqlite", back),
                      postgres=("pg", there.address))
    from_sqlite(t, path, folder, None, None, go_on)


def fresh_pg_store(t, seed, folder):
    label = "migrate pg " + seed
    with Base("fresh") as base:
        with ConnectionPool(base.address, **fresh_pg.POOL) as pool:
            saver = PostgresSaver(pool)
            saver.setup()
            fill(saver, label)

        def go_on(t, did, base, lite, second):
            same_going_on(t, label, aside(did), ("pg", base.address), sqlite=("sqlite", lite),
                          postgres=("pg", second.address))
        from_pg(t, base, folder, None, None, go_on=go_on)


def broken_stores(t, folder):
    for at in sorted((FIXTURES / "broken").iterdir()):
        with Base("broken", at / "store.sql.gz" if at.name[:3] == "pg-" else None) as base:
            if at.name[:3] == "pg-":
                source, target = base.address, folder / (at.name + ".db")
            else:
                source, target = broken.copied(at / "store.db"), base.address
            first, second, codes = BROKEN.get(at.name, (0, 0, set()))
            rejected = folder / (at.name + ".jsonl")
            Moved(t, source, target, codes=(first,))
            if first == 7 and target != base.address:
                t.equal(at.name + ": nothing is made", target.exists(), False)
            did = Moved(t, source, target, "--quarantine", str(rejected), codes=(second,))
            t.equal(at.name, {d["code"] for d in did.data if d["action"] == "quarantine"}, codes)
            t.equal(at.name + ": a file", rejected.exists(), second == 3)
            t.add("damaged stores")


def tests(seeds):
    for name, want in TO_PG.items():
        yield name + " from SQLite", lambda t, d: from_sqlite(
            t, broken.copied(FIXTURES / name / "store.db"), d, key_env(name), want)
    for name, want in TO_SQLITE.items():
        def run(t, d):
            with Base("src", FIXTURES / name / "store.sql.gz") as base:
                from_pg(t, base, d, key_env(name), want, BACK.get(name, {}))
        yield name + " from PostgreSQL", run
    yield "damaged stores", broken_stores
    for seed in seeds:
        yield "fresh, SQLite, seed " + seed, lambda t, d: fresh_sqlite(t, seed, d)
        yield "fresh, PostgreSQL, seed " + seed, lambda t, d: fresh_pg_store(t, seed, d)


def main(seeds):
    logging.disable(logging.WARNING)            # of types that are not registered
    freshvalues.user_metadata = tame(freshvalues.user_metadata)
    total, n, bad = common.Tally(), 0, 0
    print("# seeds: " + " ".join(seeds))
    for name, run in tests(seeds):
        n += 1
        t = common.Tally()
        with tempfile.TemporaryDirectory(prefix="ckpt-migrate-") as d:
            run(t, pathlib.Path(d))
        common.tap(n, "%s: %s" % (name, common.totals(t.count)), t.problems)
        bad += bool(t.problems)
        total.count.update(t.count)
    print("1..%d" % n)
    print("# " + common.totals(total.count))
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:] or os.environ.get("SEED", "").split() or SEEDS))
