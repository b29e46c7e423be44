"""Stores written a moment ago by the real JavaScript savers, on SQLite and on PostgreSQL in a schema
whose name must be quoted, and a file in which both languages write. TAP; run with the Python of
build/venv inside tests/pg/with-server.sh.

    test_fresh_js.py [SEED…]    or SEED in the environment; CKPT=build/ckpt, NODE, JS_MODULES

Belongs here: completing the oracle that fresh_js.mjs prints by the raw rows. What JavaScript does
is in fresh_js.mjs.
"""
import asyncio
import collections
import contextlib
import json
import logging
import os
import pathlib
import sqlite3
import subprocess
import sys
import tempfile
import urllib.parse

import test_fresh as fresh                      # first: it makes tests/oracle importable
import common
import compare
import delta
import freshgraphs
import postgres
from langgraph.checkpoint.sqlite import SqliteSaver

HERE = pathlib.Path(__file__).resolve().parent
JS = HERE.parent.parent / "build/js"
SCHEMA = "Agent-data"
CHECKPOINTS = 250


def javascript(*args):
    modules = os.environ.get("JS_MODULES", str(JS / "node_modules"))
    p = subprocess.run([os.environ.get("NODE", str(JS / "node")), str(HERE / "fresh_js.mjs"), *args],
                       capture_output=True, timeout=300, env={**os.environ, "JS_MODULES": modules})
    if p.returncode:
        raise OSError("fresh_js.mjs: " + p.stderr.decode("utf-8", "replace")[-600:])
    return json.loads(p.stdout)


# ---- the oracle --------------------------------------------------------------------------------------

def in_order(writes, raw):
    """The library's writes in the order of the keys, by which it does not sort everywhere."""
    left = collections.defaultdict(list)
    for w in writes:
        left[w[0], w[1]].append(w)
    keys = sorted(raw, key=lambda r: (r[6] if len(r) > 6 else "", r[0], r[1]))
    return [left[r[0], r[2]].pop(0) for r in keys]


def completed(answer, raw):
    for thread, spaces in answer["threads"].items():
        for ns, part in spaces.items():
            for cid, entry in part["checkpoints"].items():
                entry.update(raw[thread, ns, cid])
                entry["pending_writes"] = in_order(entry["pending_writes"], entry["raw_writes"])
    return {"threads": answer["threads"]}


def sqlite_raw(db):
    if "task_path" not in [r[1] for r in db.execute("PRAGMA table_info(writes)")]:
        db.execute("CREATE TEMP VIEW writes AS SELECT *, '' AS task_path FROM main.writes")
    return fresh.stored(db)


def compared(store, oracle, rows, least=CHECKPOINTS):
    t = common.Tally()
    compare.check_lists(t, store, oracle, rows)
    compare.check_shows(t, store, oracle, rows)
    n = sum(len(p["order"]) for s in oracle["threads"].values() for p in s.values())
    if n < least:
        t.fail("size", "only %d checkpoints" % n)
    return t


def writers(t, store, want):
    run = common.Run(["list", *common.at(store), "--json"])
    t.equal("writers", run.json()["store"]["writers"] if run.code == 0 else str(run), want)


# ---- the stores --------------------------------------------------------------------------------------

def sqlite_store(folder, seed):
    path = folder / "store.db"
    answer = javascript("sqlite", str(path), seed)
    with contextlib.closing(sqlite3.connect(path)) as db:
        oracle, rows = completed(answer, sqlite_raw(db)), delta.sqlite_rows(db)
    t = compared(path, oracle, rows)
    writers(t, path, ["js"])
    return t, answer["raised"]


def postgres_store(_, seed):
    with postgres.Database(schema=SCHEMA) as database:
        url = "postgresql://%s@/%s?%s" % (os.environ["PGUSER"], database.name, urllib.parse.urlencode(
            {"host": os.environ["PGHOST"], "port": os.environ["PGPORT"]}))
        answer = javascript("pg", url, SCHEMA, seed)
        t = compared(database.store(), completed(answer, database.raw()), database.rows())
        writers(t, database.store(), ["js"])
        return t, answer["raised"]


async def python_part(path, seed):
    """Threads of Python in the same file; their oracle."""
    with SqliteSaver.from_conn_string(str(path)) as saver:
        async def read_list(config):
            return list(saver.list(config)) if config["configurable"]["thread_id"][:3] == "py-" else []

        async def read_one(config):
            return saver.get_tuple(config)

        faces = {}
        for number in range(6):
            thread = "py-%d" % number
            faces[thread] = freshgraphs.sync_face(freshgraphs.build("%s/%d" % (seed, number))(saver))
            await freshgraphs.use(faces[thread], thread, "%s/%d" % (seed, number), 4)
        oracle, _ = await fresh.oracle_of(path, read_list, read_one)
        await fresh.add_states(oracle, faces)
        return oracle


def mixed_store(folder, seed):
    """JavaScript first; then Python adds task_path to its tables, and threads."""
    path = folder / "store.db"
    answer = javascript("sqlite", str(path), "mixed " + seed)
    oracle = asyncio.run(python_part(path, "mixed " + seed))
    with contextlib.closing(sqlite3.connect(path)) as db:
        js, rows = completed(answer, sqlite_raw(db)), delta.sqlite_rows(db)
    t = compared(path, {"threads": {**js["threads"], **oracle["threads"]}}, rows)
    writers(t, path, ["python", "js"])
    for thread, spaces in [*js["threads"].items(), *oracle["threads"].items()]:
        want = "python" if thread in oracle["threads"] else "js"
        cid = spaces.get("", {"order": [""]})["order"][0]
        t.equal("writer of %r" % thread, common.show(path, thread, "", cid).json()["data"]["writer"],
                want)
        t.add("writers of threads")
    return t, answer["raised"]


STORES = (("JavaScript's SqliteSaver", sqlite_store),
          ("JavaScript's PostgresSaver in schema " + SCHEMA, postgres_store),
          ("JavaScript and Python in one file", mixed_store))


def main(seeds):
    logging.disable(logging.WARNING)
    total, n = common.Tally(), 0
    print("# seeds: " + " ".join(seeds))
    for seed in seeds:
        for name, make in STORES:
            n += 1
            with tempfile.TemporaryDirectory(prefix="ckpt-js-") as d:
                t, raised = make(pathlib.Path(d), seed)
            common.tap(n, "%s, seed %s, reads as the library does" % (name, seed), t.problems)
            print("# %s; graphs raised %s" % (common.totals(t.count), raised))
            total.merge(t)
    print("1..%d" % n)
    print("# compared: " + common.totals(total.count))
    return 1 if total.problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:] or os.environ.get("SEED", "").split() or fresh.SEEDS))
