"""PostgreSQL databases written a moment ago by the real savers, sync and async: `ckpt` must read
what the library reads. TAP; run with the Python of build/venv inside tests/pg/with-server.sh.

    test_fresh_pg.py [SEED…]       or SEED in the environment; CKPT=build/ckpt

Belongs here: the savers and their oracle. Graphs and how they are used are those of test_fresh.py.
"""
import asyncio
import logging
import os
import sys
import time

import test_fresh as fresh                      # first: it makes tests/oracle importable
import common
import compare
import freshgraphs
import postgres
from langgraph.checkpoint.postgres import PostgresSaver
from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver
from psycopg.rows import dict_row
from psycopg_pool import AsyncConnectionPool, ConnectionPool

# Pools: a value that PostgreSQL refuses, or a run that is cancelled, may cost the connection.
POOL = {"min_size": 1, "max_size": 4, "open": False,
        "kwargs": {"autocommit": True, "prepare_threshold": 0, "row_factory": dict_row}}


async def oracle_of(database, read_list, read_one):
    """Order by the library's list, contents by its get_tuple, raw rows by psql."""
    raw, threads = database.raw(), {}
    for thread in sorted({k[0] for k in raw}):
        for tup in await read_list({"configurable": {"thread_id": thread}}):
            c = tup.config["configurable"]
            key = thread, c["checkpoint_ns"], c["checkpoint_id"]
            full = await read_one({"configurable": {"thread_id": thread, "checkpoint_ns": key[1],
                                                    "checkpoint_id": key[2]}})
            part = threads.setdefault(thread, {}).setdefault(key[1], {"order": [], "checkpoints": {}})
            part["order"].append(key[2])
            part["checkpoints"][key[2]] = {**fresh.entry(full), **raw[key]}
    return {"threads": threads}


def compared(database, oracle):
    t = common.Tally()
    rows = database.rows()
    compare.check_lists(t, database.store(), oracle, rows)
    compare.check_shows(t, database.store(), oracle, rows)
    n = sum(len(p["order"]) for s in oracle["threads"].values() for p in s.values())
    if n < fresh.CHECKPOINTS:
        t.fail("size", "only %d checkpoints" % n)
    return t


async def sync_store(database, seed):
    with ConnectionPool(database.address, **POOL) as pool:
        saver = PostgresSaver(pool)
        saver.setup()

        async def face_of(make):
            return freshgraphs.sync_face(make(saver))

        async def read_list(config):
            return list(saver.list(config))

        async def read_one(config):
            return saver.get_tuple(config)

        faces, failures = await fresh.fill(face_of, "pg sync " + seed)
        oracle = await oracle_of(database, read_list, read_one)
        await fresh.add_states(oracle, faces)
        return compared(database, oracle), failures


async def async_store(database, seed):
    async with AsyncConnectionPool(database.address, **POOL) as pool:
        saver = AsyncPostgresSaver(pool)
        await saver.setup()

        async def face_of(make):
            return await freshgraphs.async_face(make(saver))

        async def read_list(config):
            return [t async for t in saver.alist(config)]

        faces, failures = await fresh.fill(face_of, "pg async " + seed)
        oracle = await oracle_of(database, read_list, saver.aget_tuple)
        await fresh.add_states(oracle, faces)
        return await asyncio.to_thread(compared, database, oracle), failures


def main(seeds):
    logging.disable(logging.WARNING)            # unregistered types; told once per class
    total, n = common.Tally(), 0
    print("# seeds: " + " ".join(seeds))
    for seed in seeds:
        for name, make in (("PostgresSaver", sync_store), ("AsyncPostgresSaver", async_store)):
            n += 1
            started = time.monotonic()
            with postgres.Database() as database:
                t, failures = asyncio.run(make(database, seed))
            common.tap(n, "%s, seed %s, reads as the library does" % (name, seed), t.problems)
            print("# %.0f s; %s; graphs raised %s" % (time.monotonic() - started,
                                                      common.totals(t.count), dict(failures)))
            total.merge(t)
    print("1..%d" % n)
    print("# compared: " + common.totals(total.count))
    return 1 if total.problems else 0


if __name__ == "__main__":
    chosen = sys.argv[1:] or os.environ.get("SEED", "").split() or fresh.SEEDS
    sys.exit(main(chosen))
