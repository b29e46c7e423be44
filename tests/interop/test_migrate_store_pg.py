"""`ckpt migrate --with-store` against LangGraph's own stores: what SqliteStore holds, PostgresStore
reads after a migration, and the other way round; it is found by search and filter, and TTL goes
on. TAP; run with the Python of build/venv inside tests/pg/with-server.sh.

    test_migrate_store_pg.py        CKPT=build/ckpt

Belongs here: the stores as judges. Options, refusals and SQLite alone are
tests/cli/migrate_store.bats'.
"""
import json
import os
import pathlib
import sqlite3
import subprocess
import sys
import tempfile

import psycopg
from langgraph.checkpoint.postgres import PostgresSaver
from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.store.postgres import PostgresStore
from langgraph.store.sqlite import SqliteStore

CKPT = os.environ.get("CKPT", "build/ckpt")
DIMS = 3
ITEMS = [
    (("users", "u-1"), "name", {"first": "Ada", "age": 36, "none": None}, None),
    (("users", "u-1"), "k with space", {"nested": [1, {"a": [True, 0.5, "Grüße 🙂"]}]}, None),
    (("users", "u-2", "prefs"), "name", {"big": 2**60, "tiny": 1e-300, "text": "a\"\\\n"}, 90),
    (("tmp",), "soon", {"first": "gone"}, 1),
]
count = failed = 0


def embed(texts):
    return [[float(len(t)), float(t.count("a")) + 0.1, 1 / 3] for t in texts]


def check(name, fine, more=""):
    global count, failed
    count += 1
    failed += not fine
    print(f"{'ok' if fine else 'not ok'} {count} - {name}")
    if not fine:
        print(f"# {more}")


def migrate(source, target, *more):
    run = subprocess.run([CKPT, "migrate", str(source), str(target), "--with-store", "--json",
                          *more], capture_output=True, text=True)
    if not run.stdout:
        raise RuntimeError(run.stderr)
    return run, json.loads(run.stdout)["summary"]


def seen(store):
    """All items as the store itself reads them; times as moments."""
    found = {}
    for ns in store.list_namespaces(limit=100):
        for item in store.search(ns, limit=100, refresh_ttl=False):
            if item.namespace == ns:
                found[ns, item.key] = (item.value, item.created_at.timestamp(),
                                       item.updated_at.timestamp())
    return found


def judge(name, old, new):
    a, b = seen(old), seen(new)
    check(f"{name}: equal items, equal times", a == b and len(a) == len(ITEMS), (a, b))
    got = new.get(("users", "u-1"), "k with space")
    check(f"{name}: get", got is not None and got.value == ITEMS[1][2], got)
    got = [i.key for i in new.search(("users",), filter={"first": "Ada"})]
    check(f"{name}: filtered search", got == ["name"], got)
    new.setup()
    new.put(("later",), "k", {"v": 1}, ttl=2)
    check(f"{name}: the store's setup and put go on", new.get(("later",), "k").value == {"v": 1})
    new.delete(("later",), "k")


def sweep(name, store, age):
    check(f"{name}: nothing has expired", store.sweep_ttl() == 0)
    age()
    gone = store.sweep_ttl()
    check(f"{name}: the sweep takes what has", gone == 1 and store.get(("tmp",), "soon") is None,
          gone)
    check(f"{name}: and leaves the rest", store.get(("users", "u-1"), "name") is not None)


def sqlite(path, index=None):
    db = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
    return SqliteStore(db, index=index)


def database(name):
    with psycopg.connect("dbname=postgres", autocommit=True) as c:
        c.execute(f"CREATE DATABASE {name}")
    return f"postgresql:///{name}"


def fill(store):
    store.setup()
    for ns, key, value, ttl in ITEMS:
        store.put(ns, key, value, ttl=ttl)


def has_pgvector():
    with psycopg.connect("dbname=postgres") as c:
        return c.execute("SELECT 1 FROM pg_available_extensions WHERE name = 'vector'"
                         ).fetchone() is not None


def to_postgres(work):
    source = work / "source.db"
    with SqliteSaver.from_conn_string(str(source)) as saver:
        saver.setup()
    old = sqlite(source, {"dims": DIMS, "embed": embed})
    fill(old)
    uri = database("fromsqlite")
    run, summary = migrate(source, uri)
    check("to PostgreSQL: succeeds, counted", run.returncode == 0 and
          summary["store_items"] == len(ITEMS), (run.stderr, summary))
    pgvector = has_pgvector()
    check("to PostgreSQL: embeddings are carried, or it is said that they are not",
          pgvector != ("embeddings of long-term memory are left out: the target has no pgvector"
                       in run.stderr), run.stderr)
    if pgvector:
        with PostgresStore.from_conn_string(uri, index={"dims": DIMS, "embed": embed}) as new:
            new.setup()
            got = [i.key for i in new.search(("users",), query="Ada", limit=1)]
            want = [i.key for i in old.search(("users",), query="Ada", limit=1)]
            check("to PostgreSQL: found by meaning", got == want, (got, want))
    again, summary = migrate(source, uri)
    check("to PostgreSQL: a second run copies nothing", again.returncode == 0 and
          summary["store_items"] == 0, (again.stderr, summary))
    with psycopg.connect(uri, autocommit=True) as c, \
            PostgresStore.from_conn_string(uri) as new:
        judge("to PostgreSQL", old, new)
        ttl = c.execute("SELECT ttl_minutes, round(extract(epoch FROM expires_at - created_at)) "
                        "FROM store WHERE key = 'name' AND prefix = 'users.u-2.prefs'").fetchone()
        check("to PostgreSQL: time to live", ttl[0] == 90 and abs(ttl[1] - 5400) <= 1, ttl)
        sweep("to PostgreSQL", new, lambda: c.execute(
            "UPDATE store SET expires_at = now() - interval '1 s' WHERE key = 'soon'"))


def to_sqlite(work):
    uri = database("tosqlite")
    with PostgresSaver.from_conn_string(uri) as saver:
        saver.setup()
    with PostgresStore.from_conn_string(uri) as old:
        fill(old)
        target = work / "target.db"
        run, summary = migrate(uri, target)
        check("to SQLite: succeeds, counted", run.returncode == 0 and
              summary["store_items"] == len(ITEMS), (run.stderr, summary))
        new = sqlite(target)
        judge("to SQLite", old, new)
        db = sqlite3.connect(target, isolation_level=None)
        kind = db.execute("SELECT DISTINCT typeof(value) FROM store").fetchall()
        check("to SQLite: values as the store binds them", kind == [("blob",)], kind)
        sweep("to SQLite", new, lambda: db.execute(
            "UPDATE store SET expires_at = datetime('now', '-1 second') WHERE key = 'soon'"))
        other = database("topostgres")
        run, summary = migrate(uri, other)
        with PostgresStore.from_conn_string(other) as third:
            judge("PostgreSQL to PostgreSQL", old, third)


def searched(work):
    """Embeddings from file to file: the store searches by them."""
    source, target = work / "vectors.db", work / "vectors2.db"
    with SqliteSaver.from_conn_string(str(source)) as saver:
        saver.setup()
    index = {"dims": DIMS, "embed": embed}
    old = sqlite(source, index)
    fill(old)
    run, _ = migrate(source, target)
    new = sqlite(target, index)
    new.setup()
    got, want = ([(i.key, i.score) for i in s.search(("users",), query="Ada")]
                 for s in (new, old))
    check("SQLite to SQLite: the same scores", run.returncode == 0 and got == want and
          got[0][1] is not None, (run.stderr, got, want))
    judge("SQLite to SQLite", old, new)


def main():
    with tempfile.TemporaryDirectory() as work:
        for step in (to_postgres, to_sqlite, searched):
            try:
                step(pathlib.Path(work))
            except Exception as e:  # noqa: BLE001  # the rest still says what it has to
                check(step.__name__, False, repr(e))
    print(f"1..{count}")
    return 1 if failed else 0


sys.exit(main())
