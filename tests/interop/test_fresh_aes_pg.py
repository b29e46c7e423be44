"""Stores written a moment ago under a key, by SqliteSaver and PostgresSaver with EncryptedSerializer:
with the key `ckpt` reads what the library reads, with another one nothing of it. TAP; run with the
Python of build/venv inside tests/pg/with-server.sh.

    test_fresh_aes_pg.py [SEED…]       or SEED in the environment; CKPT=build/ckpt

Belongs here: the savers with their serializer. What is asked with which key is in encrypted.py.
"""
import asyncio
import contextlib
import logging
import os
import pathlib
import random
import sqlite3
import sys
import tempfile

import test_fresh as fresh                      # first: it makes tests/oracle importable
import test_fresh_pg as fresh_pg
import broken
import common
import compare
import encrypted
import freshgraphs
import postgres
from langgraph.checkpoint.postgres import PostgresSaver
from langgraph.checkpoint.serde.encrypted import EncryptedSerializer
from langgraph.checkpoint.sqlite import SqliteSaver
from psycopg_pool import ConnectionPool

KEYS = {n: "".join(random.Random(n).choices("0123456789abcdef", k=n)) for n in (16, 24, 32)}
fresh.THREADS = 24                              # each checkpoint is asked for six times


def serde(key):
    return EncryptedSerializer.from_pycryptodome_aes(key=key.encode())


async def fill(saver, seed, make_oracle):
    async def face_of(make):
        return freshgraphs.sync_face(make(saver))

    async def read_list(config):
        return list(saver.list(config))

    async def read_one(config):
        return saver.get_tuple(config)

    faces, _ = await fresh.fill(face_of, seed)
    oracle, rows = await make_oracle(read_list, read_one)
    await fresh.add_states(oracle, faces)
    return oracle, rows


def compared(store, oracle, rows, key):
    t = common.Tally()
    compare.check_lists(t, store, oracle, rows)
    for what, more in encrypted.parts(store, {**oracle, "aes_key": key}, rows):
        more.problems = ["%s: %s" % (what, p) for p in more.problems]
        t.merge(more)
    return t


def sqlite_store(folder, seed, key):
    path = folder / "store.db"
    with contextlib.closing(sqlite3.connect(path, check_same_thread=False)) as db:
        oracle, rows = asyncio.run(fill(SqliteSaver(db, serde=serde(key)), "aes " + seed,
                                        lambda *read: fresh.oracle_of(path, *read)))
    return compared(broken.copied(path), oracle, rows, key)


def postgres_store(_, seed, key):
    with postgres.Database() as database, ConnectionPool(database.address, **fresh_pg.POOL) as pool:
        saver = PostgresSaver(pool, serde=serde(key))
        saver.setup()

        async def make_oracle(*read):
            return await fresh_pg.oracle_of(database, *read), database.rows()

        oracle, rows = asyncio.run(fill(saver, "aes pg " + seed, make_oracle))
        return compared(database.store(), oracle, rows, key)


def main(seeds):
    logging.disable(logging.WARNING)
    total, n = common.Tally(), 0
    print("# seeds: " + " ".join(seeds))
    for number, seed in enumerate(seeds):
        key = list(KEYS.values())[number % len(KEYS)]
        for name, make in (("SqliteSaver", sqlite_store), ("PostgresSaver", postgres_store)):
            n += 1
            with tempfile.TemporaryDirectory(prefix="ckpt-aes-") as d:
                t = make(pathlib.Path(d), seed, key)
            common.tap(n, "%s under a key of %d bytes, seed %s" % (name, len(key), seed), t.problems)
            print("# " + common.totals(t.count))
            total.merge(t)
    print("1..%d" % n)
    print("# compared: " + common.totals(total.count))
    return 1 if total.problems else 0


if __name__ == "__main__":
    chosen = sys.argv[1:] or os.environ.get("SEED", "").split() or (*fresh.SEEDS, "3")
    sys.exit(main(chosen))
