"""The graphs of test_delta.py written by PostgresSaver and AsyncPostgresSaver: `ckpt show` gives what
the graph loads, `ckpt check` has no complaint, and finds a link or a snapshot that is taken out.
TAP; run with the Python of build/venv inside tests/pg/with-server.sh.

    test_delta_pg.py [SEED…]       or SEED in the environment; CKPT=build/ckpt

Belongs here: the savers and the damage. What is compared is in test_delta.py.
"""
import asyncio
import logging
import os
import sys

import test_delta as delta                      # first: it makes tests/oracle importable
import common
import fold
import freshgraphs
import postgres
from langgraph.checkpoint.postgres import PostgresSaver
from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver

SEEDS = ("1",)
THREADS = 6
LEAST = 120
DELTA_CODES = ("broken-delta", "lost-snapshot", "undecodable", "missing-blob", "orphan-blob",
               "orphan-write")


async def sync_store(t, database, seed):
    with PostgresSaver.from_conn_string(database.address) as saver:
        saver.setup()

        async def face_of(make):
            return freshgraphs.sync_face(make(saver))

        async def read_list(config):
            return [*saver.list(config)]

        faces = await delta.fill(t, face_of, "pg sync " + seed, THREADS)
        return await delta.compared(t, database.store(), faces, read_list)


async def async_store(t, database, seed):
    async with AsyncPostgresSaver.from_conn_string(database.address) as saver:
        await saver.setup()

        async def face_of(make):
            return await freshgraphs.async_face(make(saver))

        async def read_list(config):
            return [x async for x in saver.alist(config)]

        faces = await delta.fill(t, face_of, "pg async " + seed, THREADS)
        return await delta.compared(t, database.store(), faces, read_list)


# ---- what check says -----------------------------------------------------------------------------------

def found(store):
    """(code, id, channel) of every finding about delta channels and what they are made of."""
    run = common.Run(["check", *common.at(store), "--json"])
    return run.code, {(f["code"], f["id"], f.get("channel")) for f in run.json()["data"]
                      if f["code"] in DELTA_CODES}


def chosen(store, names, ids):
    """(thread, id, parent, channel, snapshot's version) of a checkpoint that hangs on two others."""
    for thread, cid in ids:
        data = common.show(store, thread, "", cid).json()["data"]
        for name in names:
            value = data["values"].get(name)
            value = value["$delta"] if isinstance(value, dict) and "$delta" in value else {}
            seed = value.get("snapshot_id")
            if seed and seed != data["parent"]:
                at = common.show(store, thread, "", seed).json()["data"]
                version = next(c["version"] for c in at["channels"] if c["name"] == name)
                return thread, cid, data["parent"], name, version
    raise LookupError("no chain to break")


def warned(t, store, thread, cid, words):
    run = common.show(store, thread, "", cid)
    if not any(words in w for w in run.json()["data"]["warnings"]):
        t.fail("show", "…%s does not say %s" % (cid[-12:], words))


def take_out_snapshot(t, store, at, execute, marks=True):
    """The blob goes; the checkpoints that have its mark are told. JavaScript leaves none: there it is
    the one whose counters begin anew, and what it loads is made from an older snapshot."""
    thread, cid, _, name, version = at
    if not marks:
        execute("DELETE FROM checkpoint_blobs WHERE thread_id = '%s' AND channel = '%s' AND "
                "version = '%s'" % (thread, name, version))
        code, codes = found(store)
        if code != 8 or not any((c, n) == ("lost-snapshot", name) for c, _, n in codes):
            t.fail("lost snapshot", "exit %d, none of %s in %s" % (code, name, codes))
        return
    marks = execute("SELECT checkpoint_id FROM checkpoints WHERE thread_id = '%s' AND "
                    "checkpoint->'channel_versions'->>'%s' = '%s' AND "
                    "checkpoint->'channel_values'->>'%s' = 'true'" % (thread, name, version, name))
    execute("DELETE FROM checkpoint_blobs WHERE thread_id = '%s' AND channel = '%s' AND "
            "version = '%s'" % (thread, name, version))
    code, codes = found(store)
    want = {("lost-snapshot", x, name) for x in marks.decode().split()}
    if code != 8 or not want or not want <= codes:
        t.fail("lost snapshot", "exit %d, %s of %s" % (code, want, codes))
    warned(t, store, thread, cid, "channel %s: the snapshot at" % name)


def check_broken(t, store, names, ids, execute, blobs=True, marks=True):
    """A healthy store; then one without a snapshot's blob, and one without a link of the chain."""
    t.equal("healthy", found(store), (0, set()))
    at = thread, cid, parent, name, _ = chosen(store, names, ids)
    if blobs:
        take_out_snapshot(t, store, at, execute, marks)
    execute("DELETE FROM checkpoints WHERE thread_id = '%s' AND checkpoint_id = '%s'" % (thread, parent))
    code, codes = found(store)
    if code != 8 or ("broken-delta", cid, name) not in codes:
        t.fail("broken chain", "exit %d, no %s %s in %s" % (code, cid, name, codes))
    warned(t, store, thread, cid, "channel %s: the parent %s" % (name, parent))
    t.add("stores broken")


def broken(t, database, marks=True):
    ids = [(k[0], k[2]) for k in sorted(database.rows().parent)]
    check_broken(t, database.store(), delta.NAMES, ids,
                 lambda sql: postgres.psql(database.name, sql), marks=marks)


def main(seeds):
    logging.disable(logging.WARNING)
    n = bad = 0
    for seed in seeds:
        for name, make in (("PostgresSaver", sync_store), ("AsyncPostgresSaver", async_store)):
            t = common.Tally()
            with postgres.Database() as database:
                counts = asyncio.run(make(t, database, seed))
                broken(t, database)
            if t.count["checkpoints"] < LEAST:
                t.fail("size", "only %d checkpoints" % t.count["checkpoints"])
            for how in False, True:
                n += 1
                fold.report(n, "%s, seed %s, %s" % (name, seed, "--fold" if how else
                                                    "what is certain"), t, counts[how], how)
                bad += bool(t.problems)
            print("# " + common.totals(t.count))
    print("1..%d" % n)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:] or os.environ.get("SEED", "").split() or SEEDS))
