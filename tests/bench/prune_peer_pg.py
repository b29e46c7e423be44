"""The way without ckpt, by PostgresSaver: keep the newest checkpoint of each thread. Prints seconds.

    prune_peer_pg.py DATABASE
"""
import sys
import time

from langgraph.checkpoint.postgres import PostgresSaver

with PostgresSaver.from_conn_string("dbname=" + sys.argv[1]) as saver:
    threads = [r["thread_id"] for r in saver.conn.execute(
        "SELECT DISTINCT thread_id FROM checkpoints").fetchall()]
    began = time.monotonic()
    saver.prune(threads, strategy="keep_latest")
    print(time.monotonic() - began)
