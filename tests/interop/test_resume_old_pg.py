"""`ckpt resume --fork` on what releases of all ages and delta channels left, SQLite and PostgreSQL: the
real savers load from each branch what they load from the checkpoint it began at, and `ckpt show`
says so. TAP; run with the Python of build/venv inside tests/pg/with-server.sh.

    test_resume_old_pg.py [FIXTURE...]     CKPT=build/ckpt FIXTURES=build/fixtures
"""
import contextlib
import logging
import os
import pathlib
import shutil
import sqlite3
import sys
import tempfile
import warnings

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "oracle"))
warnings.simplefilter("ignore")

import common
import postgres
import psycopg
from freshvalues import plain
from langgraph.checkpoint.postgres import PostgresSaver
from langgraph.checkpoint.sqlite import SqliteSaver

FIXTURES = pathlib.Path(os.environ.get("FIXTURES", "build/fixtures"))
CHOSEN = ("py-old-v1", "py-old-v2", "py-old-v3", "py-old-v4", "py-old-json", "py-old-pg100",
          "py-old-pg2011", "py-old-pg2012", "py-upgraded", "py-delta")
NEW = {"id", "ts", "updated_channels"}
KEPT = ("parents", "counters_since_delta_snapshot", "delta_writes_versioned")


def config(thread, cid):
    return {"configurable": {"thread_id": thread, "checkpoint_ns": "", "checkpoint_id": cid}}


def ckpt(t, where, *words):
    run = common.Run([words[0], "--json", "-s", where, *words[1:]])
    if run.code:
        t.fail(" ".join(words), str(run))
        return None
    return common.loads(run.out)["data"]


def begin(t, where):
    """Branches from a third of the checkpoints, in the thread and, of some, in a new one: [(thread, id, new
    thread, new id)]. Nobody but ckpt has had the store in hand yet."""
    made = []
    for at, row in enumerate(ckpt(t, where, "list")):
        thread = row["thread"]
        rows = ckpt(t, where, "list", "--ns", "", "--", thread) or []
        for n, c in enumerate(rows):
            if (n + at) % 3:
                continue
            for new in [[], ["--thread-id", "new %s %d" % (thread, n)]][:1 + (n + at) % 2]:
                new = ckpt(t, where, "resume", "--thread", thread, "--checkpoint", c["id"], "--fork", "--yes", *new)
                if new:
                    made.append((thread, c["id"], new["created"]["thread"], new["created"]["id"]))
    return made


def loaded(saver, thread, cid):
    """What an application gets: the checkpoint, and the history of channels without a value."""
    got = saver.get_tuple(config(thread, cid))
    state = {k: v for k, v in got.checkpoint.items() if k not in NEW}
    missing = [c for c in state["channel_versions"] if c not in state["channel_values"]]
    past = saver.get_delta_channel_history(config=config(thread, cid), channels=missing) if missing else {}
    kept = {k: got.metadata[k] for k in KEPT if k in got.metadata}
    parent = got.parent_config and got.parent_config["configurable"]["checkpoint_id"]
    history = {c: [h.get("seed"), [w[2] for w in h["writes"]]] for c, h in past.items()}
    return plain([state, kept, parent, history]), got


def compare(t, where, saver, made):
    for thread, cid, new, newest in made:
        t.add("branches")
        want, old = loaded(saver, thread, cid)
        got, fork = loaded(saver, new, newest)
        if got != want:
            t.fail("%s %s in %s" % (thread, cid, new), "got %.300s, want %.300s" % (got, want))
        if new == thread:
            step = old.metadata.get("step", 0) + 1
            meta = {k: fork.metadata.get(k) for k in ("source", "step")}
            if meta != {"source": "fork", "step": step} or fork.pending_writes:
                t.fail("%s %s" % (thread, cid), "metadata %s, %d writes" % (meta, len(fork.pending_writes)))
        if t.count["branches"] % 5 == 0:
            a, b = (ckpt(t, where, "show", "--thread", x, "--checkpoint", i) for x, i in ((thread, cid), (new, newest)))
            t.add("shown")
            if a["values"] != b["values"]:
                t.fail("%s %s shown" % (thread, cid), "got %.300s, want %.300s" % (b["values"], a["values"]))


def sqlite(t, fixture, folder):
    store = os.path.join(folder, fixture.name + ".db")
    for end in ("", "-wal"):
        if (fixture / ("store.db" + end)).exists():
            shutil.copy(fixture / ("store.db" + end), store + end)
    os.chmod(store, 0o600)
    made = begin(t, store)
    with contextlib.closing(sqlite3.connect(store, check_same_thread=False)) as db:
        compare(t, store, SqliteSaver(db), made)


def server(t, fixture):
    with postgres.Database(fixture / "store.sql.gz") as base:
        made = begin(t, base.address)
        with psycopg.connect(base.address, autocommit=True, row_factory=psycopg.rows.dict_row) as db:
            saver = PostgresSaver(db)
            saver.setup()
            compare(t, base.address, saver, made)


def main():
    logging.disable(logging.CRITICAL)
    n = bad = 0
    with tempfile.TemporaryDirectory(prefix="ckpt-resume-old-") as folder:
        for name in sys.argv[1:] or CHOSEN:
            fixture = FIXTURES / name
            for engine, there in (("SQLite", "store.db"), ("PostgreSQL", "store.sql.gz")):
                if not (fixture / there).exists():
                    continue
                n += 1
                t = common.Tally()
                if engine == "SQLite":
                    sqlite(t, fixture, folder)
                else:
                    server(t, fixture)
                if not t.count:
                    t.fail(name, "nothing was compared")
                common.tap(n, "%s, %s: %s" % (name, engine, common.totals(t.count)), t.problems)
                bad += bool(t.problems)
    print("1..%d" % n)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
