"""Stores written a moment ago by the real savers, sync and async, still open in WAL mode: `ckpt`
must read what the library reads, and leave no trace. TAP; run with the Python of build/venv.

    test_fresh.py [SEED…]       or SEED in the environment; CKPT=build/ckpt

Belongs here: making the stores and the oracle from the library. Graphs are in freshgraphs.py,
values in freshvalues.py, comparing in tests/oracle.
"""
import asyncio
import collections
import hashlib
import logging
import os
import pathlib
import random
import sqlite3
import sys
import tempfile
import threading
import time

os.environ.setdefault("LANGSMITH_TRACING", "false")
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "oracle"))

import common
import compare
import delta
import freshgraphs
from freshvalues import plain, user_metadata
from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver

SEEDS = ("1", "2")
THREADS, CHECKPOINTS = 52, 400
ODD = ("", " two  words ", "mail:ann@example.org", "x~1", "y@{head:2}", "tab\there", "\x1b[2Jred",
       "-dash", "--all", "日本", "a/b\\c", "'; DROP TABLE checkpoints; --", "\u202eevil")


# ---- the library's answer ---------------------------------------------------------------------------

def entry(tup):
    ck, meta, parent = tup.checkpoint, tup.metadata, tup.parent_config
    return {"parent": parent["configurable"]["checkpoint_id"] if parent else None,
            "ts": ck.get("ts"), "v": ck["v"], "step": meta.get("step"), "source": meta.get("source"),
            "metadata": plain(meta), "channel_versions": plain(ck["channel_versions"]),
            "versions_seen": plain(ck["versions_seen"]),
            "updated_channels": plain(ck.get("updated_channels")),
            "values": {k: plain(x) for k, x in ck["channel_values"].items()},
            "pending_writes": [[t, c, plain(x)] for t, c, x in tup.pending_writes or []]}


def stored(db):
    """Type, size and hash of each row's bytes, straight from the file."""
    rows = {}
    for t, ns, i, kind, body in db.execute("SELECT thread_id, checkpoint_ns, checkpoint_id, type, "
                                           "checkpoint FROM checkpoints"):
        rows[t, ns, i] = {"stored": {"type": kind, "size": len(body),
                                     "sha256": hashlib.sha256(body).hexdigest()}, "raw_writes": []}
    for t, ns, i, task, idx, channel, kind, body, path in db.execute(
            "SELECT thread_id, checkpoint_ns, checkpoint_id, task_id, idx, channel, type, value, "
            "task_path FROM writes"):
        if (t, ns, i) in rows:
            rows[t, ns, i]["raw_writes"].append(
                [task, idx, channel, kind, len(body), hashlib.sha256(body).hexdigest(), path])
    return rows


async def oracle_of(path, read_list, read_one):
    """The oracle in the fixtures' form: order by the library's list, contents by its get_tuple."""
    db = sqlite3.connect(path)
    raw = stored(db)
    threads = {}
    for thread in sorted({k[0] for k in raw}):
        for tup in await read_list({"configurable": {"thread_id": thread}}):
            c = tup.config["configurable"]
            ns, cid = c["checkpoint_ns"], c["checkpoint_id"]
            full = await read_one({"configurable": {"thread_id": thread, "checkpoint_ns": ns,
                                                    "checkpoint_id": cid}})
            part = threads.setdefault(thread, {}).setdefault(ns, {"order": [], "checkpoints": {}})
            part["order"].append(cid)
            part["checkpoints"][cid] = {**entry(full), **raw[thread, ns, cid]}
    rows = delta.sqlite_rows(db)
    db.close()
    return {"threads": threads}, rows


async def add_states(oracle, faces):
    """What each root checkpoint's delta channel holds when the graph loads it."""
    for thread, face in faces.items():
        for cid, e in oracle["threads"].get(thread, {}).get("", {"checkpoints": {}})["checkpoints"].items():
            try:
                s = await face.aget_state({"configurable": {"thread_id": thread, "checkpoint_id": cid}})
                e["state"] = {"events": plain(s.values.get("events", []))}
            except Exception:           # the graph cannot say; then nothing is certain
                pass


# ---- writing ------------------------------------------------------------------------------------------

def thread_name(number):
    return ODD[number] if number < len(ODD) else "thread-%d" % number


async def fill(face_of, seed):
    faces, failures, rows = {}, collections.Counter(), 0
    for number in range(THREADS):
        thread, label = thread_name(number), "%s/%d" % (seed, number)
        faces[thread] = await face_of(freshgraphs.build(label))
        failures.update(await freshgraphs.use(faces[thread], thread, label, 3 + number % 6))
    return faces, failures


def listing(folder):
    """Names, inodes, owners, sizes, times. SQLite's readers lock in -shm: only its name counts."""
    return sorted((p.name, s.st_ino, s.st_uid, s.st_mode) + (() if p.name.endswith("-shm") else
                  (s.st_size, s.st_mtime_ns)) for p in folder.iterdir() for s in [p.stat()])


def compared(path, oracle, rows):
    t = common.Tally()
    before = listing(path.parent)
    compare.check_lists(t, path, oracle, rows)
    compare.check_shows(t, path, oracle, rows)
    if listing(path.parent) != before:
        t.fail("trace", "%s became %s" % (before, listing(path.parent)))
    n = sum(len(p["order"]) for s in oracle["threads"].values() for p in s.values())
    if n < CHECKPOINTS or len(oracle["threads"]) < 30:
        t.fail("size", "only %d checkpoints in %d threads" % (n, len(oracle["threads"])))
    return t


async def sync_store(folder, seed):
    path = folder / "store.db"
    with SqliteSaver.from_conn_string(str(path)) as saver:
        async def face_of(make):
            return freshgraphs.sync_face(make(saver))

        async def read_list(config):
            return list(saver.list(config))

        async def read_one(config):
            return saver.get_tuple(config)

        faces, failures = await fill(face_of, "sync " + seed)
        oracle, rows = await oracle_of(path, read_list, read_one)
        await add_states(oracle, faces)
        return compared(path, oracle, rows), failures


async def async_store(folder, seed):
    path = folder / "store.db"
    async with AsyncSqliteSaver.from_conn_string(str(path)) as saver:
        async def face_of(make):
            return await freshgraphs.async_face(make(saver))

        async def read_list(config):
            return [t async for t in saver.alist(config)]

        faces, failures = await fill(face_of, "async " + seed)
        oracle, rows = await oracle_of(path, read_list, saver.aget_tuple)
        await add_states(oracle, faces)
        return await asyncio.to_thread(compared, path, oracle, rows), failures


# ---- while it is being written ------------------------------------------------------------------------

class Writer(threading.Thread):
    """Runs small graphs until told to stop; holds still while `pause` is held."""

    def __init__(self, path, seed):
        super().__init__(daemon=True)
        self.path, self.seed, self.pause, self.stop = path, seed, threading.Lock(), False
        self.ready = threading.Event()

    def run(self):
        with SqliteSaver.from_conn_string(str(self.path)) as saver:
            number = 0
            while not self.stop:
                graph = freshgraphs.sync_face(freshgraphs.build("live 7")(saver))
                with self.pause:
                    asyncio.run(freshgraphs.use(graph, "live-%d" % (number % 5), str(number), 1))
                number += 1
                if number > 5:
                    self.ready.set()
                time.sleep(0.002)


def consistent(t, rows):
    """One snapshot: no root checkpoint without its parent, no namespace listed twice."""
    keys = [(x["thread"], x["ns"], x["id"]) for x in rows]
    if len(set(keys)) != len(keys):
        t.fail("snapshot", "a checkpoint is listed twice")
    for x in rows:
        if x["parent"] is not None and not x["parent_present"]:
            t.fail("snapshot", "%s has no parent" % x["id"])


def read_beside(t, path, seen):
    run = common.Run(["list", "-s", str(path), "--all", "--ns", "*", "--ndjson"])
    if run.code:
        return t.fail("live", str(run))
    lines = run.lines()
    rows = lines[:-1]
    consistent(t, rows)
    if lines[-1]["type"] != "summary" or lines[-1]["checkpoints"] != len(rows):
        t.fail("live", "summary does not fit: %s" % lines[-1])
    now = {(x["thread"], x["ns"], x["id"]) for x in rows}
    if seen - now:
        t.fail("live", "%d checkpoints vanished" % len(seen - now))
    total = common.Run(["list", "-s", str(path), "--json"]).json()
    if sum(x["checkpoints"] for x in total["data"]) < len(rows):
        t.fail("live", "fewer checkpoints than a moment ago")
    for x in rows[-2:]:
        shown = common.show(path, x["thread"], x["ns"], x["id"])
        if shown.code:
            t.fail("live", str(shown))
    t.add("live snapshots")
    return now


def live(folder, seed):
    t = common.Tally()
    writer = Writer(folder / "store.db", seed)
    writer.start()
    writer.ready.wait(60)
    seen = set()
    for number in range(40):
        if number % 4 == 0:             # hold the writer: then nothing at all may change
            with writer.pause:
                before = listing(folder)
                seen = read_beside(t, writer.path, seen) or seen
                if listing(folder) != before:
                    t.fail("trace", "%s became %s" % (before, listing(folder)))
        else:
            seen = read_beside(t, writer.path, seen) or seen
    writer.stop = True
    writer.join(30)
    t.add("checkpoints written meanwhile", len(seen))
    return t


def main(seeds):
    logging.disable(logging.WARNING)            # unregistered types; told once per class
    total, n, bad = common.Tally(), 0, 0
    print("# seeds: " + " ".join(seeds))
    for seed in seeds:
        for name, make in (("SqliteSaver", sync_store), ("AsyncSqliteSaver", async_store)):
            n += 1
            started = time.monotonic()
            with tempfile.TemporaryDirectory(prefix="ckpt-fresh-") as d:
                t, failures = asyncio.run(make(pathlib.Path(d), seed))
            common.tap(n, "%s, seed %s, reads as the library does" % (name, seed), t.problems)
            print("# %.0f s; %s; graphs raised %s" % (time.monotonic() - started,
                                                      common.totals(t.count), dict(failures)))
            bad += bool(t.problems)
            total.count.update(t.count)
    with tempfile.TemporaryDirectory(prefix="ckpt-live-") as d:
        n += 1
        t = live(pathlib.Path(d), seeds[0])
        common.tap(n, "beside a live writer: consistent snapshots, no trace", t.problems)
        bad += bool(t.problems)
        total.count.update(t.count)
    print("1..%d" % n)
    print("# compared: " + common.totals(total.count))
    return 1 if bad else 0


if __name__ == "__main__":
    chosen = sys.argv[1:] or os.environ.get("SEED", "").split() or SEEDS
    sys.exit(main(chosen))
