"""Delta channels in stores that the real JavaScript savers wrote a moment ago, on SQLite and on
PostgreSQL, by a release of today and by one that did not yet seal its forks: `ckpt show` gives what
getState gives, `ckpt check` has no complaint, and finds what is taken out. TAP; run with the Python
of build/venv inside tests/pg/with-server.sh.

    test_delta_js.py [SEED…]    or SEED in the environment; CKPT=build/ckpt, NODE, JS_DELTA_MODULES

Belongs here: comparing. What JavaScript does is in delta_js.mjs, what is taken out in
test_delta_pg.py.
"""
import json
import logging
import os
import pathlib
import sqlite3
import subprocess
import sys
import tempfile

import test_delta as delta                      # first: it makes tests/oracle importable
import test_delta_pg
import common
import fold
import postgres

HERE = pathlib.Path(__file__).resolve().parent
BUILD = HERE.parent.parent / "build"
SEEDS = ("1",)
THREADS = 5
LEAST = 100
LIBRARIES = ("@langchain/langgraph", "langgraph-unsealed")


def javascript(*args):
    modules = os.environ.get("JS_DELTA_MODULES", str(BUILD / "js-delta/node_modules"))
    p = subprocess.run([os.environ.get("NODE", str(BUILD / "js/node")), str(HERE / "delta_js.mjs"), *args],
                       capture_output=True, timeout=300, env={**os.environ, "JS_MODULES": modules})
    if p.returncode:
        raise OSError("delta_js.mjs: " + p.stderr.decode("utf-8", "replace")[-600:])
    return json.loads(p.stdout)


# ---- the reducers, on JSON -------------------------------------------------------------------------------

def chat(state, writes):
    out = {m["id"]: m for m in state or []}
    for w in writes:
        for m in w if isinstance(w, list) else [w]:
            if m["type"] == "RemoveMessage":
                out.pop(m["id"], None)
            else:
                out[m["id"]] = m
    return [*out.values()]


REDUCERS = {"events": delta.extend, "files": delta.merge, "chat": chat}
EMPTY = {"events": [], "files": {}, "chat": []}


def overwritten(v):
    """What an Overwrite puts in place, in a list; or nothing."""
    if not isinstance(v, dict):
        return []
    if "__overwrite__" in v:
        return [v["__overwrite__"]]
    return [v["value"]] if v.get("type") == "__overwrite__" else []


def folded(name, shown):
    state, writes = shown["snapshot"] if shown["snapshot_id"] else EMPTY[name], []
    for w in shown["writes"]:
        if overwritten(w):
            state, writes = overwritten(w)[0] or EMPTY[name], []
        else:
            writes.append(w)
    return REDUCERS[name](state, writes) if writes else state


# ---- comparing --------------------------------------------------------------------------------------------

def check_rows(t, where, run, state):
    """Raw rows, folded. Returns the channels that have none at all: no guess knows of what kind."""
    data, empty = run.json()["data"], []
    delta.mixed(t, where, run)
    for name in delta.NAMES:
        value = data["values"].get(name)
        if not isinstance(value, dict) or "$delta" not in value:
            continue
        shown = value["$delta"]
        t.equal("%s %s folded" % (where, name), folded(name, shown), state[name])
        t.add("raw rows folded")
        if not shown["snapshot_id"] and not shown["writes"]:
            empty.append(name)
    t.add("stub roots", data["step"] == -2)
    t.add("delta_writes_versioned", data["metadata"].get("delta_writes_versioned") is True)
    return empty


def compared(t, store, answer):
    counts = {False: fold.Count(), True: fold.Count()}
    for thread, entries in answer["threads"].items():
        for cid, state in entries.items():
            where = "%s …%s" % (thread, cid[-12:])
            for how, count in counts.items():
                run = common.show(store, thread, "", cid, *(["--fold"] if how else []))
                empty = check_rows(t, where, run, state)
                fold.check(t, count, where, run, state, [x for x in delta.NAMES if x not in empty])
            t.add("checkpoints")
    return counts


def expected(t, library):
    """Did the graphs do what this is about? Only today's release says that its writes have versions,
    and only the older one mixes the writes of branches."""
    today = library == LIBRARIES[0]
    if t.count["checkpoints"] < LEAST or not t.count["stub roots"]:
        t.fail("size", common.totals(t.count))
    t.equal("mixed branches", t.count["warnings of mixed branches"] > 0, not today)
    t.equal("delta_writes_versioned", t.count["delta_writes_versioned"] > 0, today)


def sqlite_store(t, folder, library, seed):
    path = folder / "store.db"
    answer = javascript(library, "sqlite", str(path), seed, str(THREADS))
    counts = compared(t, path, answer)
    ids = [(x, cid) for x, entries in answer["threads"].items() for cid in entries]

    def execute(sql):
        with sqlite3.connect(path) as db:
            db.execute(sql)
    test_delta_pg.check_broken(t, path, delta.NAMES, ids, execute, blobs=False)     # has none
    return counts, answer["raised"]


def postgres_store(t, _, library, seed):
    with postgres.Database() as database:
        url = "postgresql://%s@/%s?host=%s&port=%s" % (
            os.environ["PGUSER"], database.name, os.environ["PGHOST"], os.environ["PGPORT"])
        answer = javascript(library, "pg", url, seed, str(THREADS))
        counts = compared(t, database.store(), answer)
        test_delta_pg.broken(t, database, marks=False)
    return counts, answer["raised"]


def main(seeds):
    logging.disable(logging.WARNING)
    n = bad = 0
    for library in LIBRARIES:
        for seed in seeds:
            for engine, make in (("SQLite", sqlite_store), ("PostgreSQL", postgres_store)):
                t = common.Tally()
                with tempfile.TemporaryDirectory(prefix="ckpt-delta-js-") as d:
                    counts, raised = make(t, pathlib.Path(d), library, seed)
                expected(t, library)
                for how in False, True:
                    n += 1
                    fold.report(n, "%s, %s, seed %s, %s" % (
                        library, engine, seed, "--fold" if how else "what is certain"), t,
                        counts[how], how)
                    bad += bool(t.problems)
                print("# %s; raised %s" % (common.totals(t.count), raised))
    print("1..%d" % n)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:] or os.environ.get("SEED", "").split() or SEEDS))
