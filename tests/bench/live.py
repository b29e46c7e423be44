"""A writer beside whatever is measured: puts as SqliteSaver makes them, until its input ends.

    live.py STORE PAUSE_MS NAME     prints JSON: puts, failed, and the waits of all puts in ms

A put is one transaction of a checkpoint and a write, with Python's own timeout of 5 s.
"""
import json
import select
import sqlite3
import sys
import time

path, pause, name = sys.argv[1], float(sys.argv[2]) / 1000, sys.argv[3]
store = sqlite3.connect(path, timeout=5.0, isolation_level=None)
waits, failed = [], 0
while not select.select([sys.stdin], [], [], pause)[0]:
    began = time.perf_counter()
    ident = "%08x-0000-6000-8000-000000000000" % len(waits)
    try:
        store.execute("BEGIN IMMEDIATE")
        store.execute("INSERT INTO checkpoints VALUES (?, '', ?, NULL, 'msgpack', ?, ?)",
                      ("~live-" + name, ident, b"\x80" + bytes(1500), b"{}"))
        store.execute("INSERT INTO writes (thread_id, checkpoint_ns, checkpoint_id, task_id, idx, "
                      "channel, type, value) VALUES (?, '', ?, 't', 0, 'c', 'msgpack', x'c0')",
                      ("~live-" + name, ident))
        store.execute("COMMIT")
    except sqlite3.OperationalError:
        failed += 1
        if store.in_transaction:
            store.execute("ROLLBACK")
    waits.append((time.perf_counter() - began) * 1000)
print(json.dumps({"puts": len(waits), "failed": failed, "waits": sorted(waits)}))
