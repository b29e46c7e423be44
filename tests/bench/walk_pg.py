"""The way without ckpt, by PostgresSaver: every thread with its count and newest checkpoint, or
the newest checkpoint of one thread.

    walk_pg.py DATABASE [THREAD]
"""
import collections
import sys

from langgraph.checkpoint.postgres import PostgresSaver

with PostgresSaver.from_conn_string("dbname=" + sys.argv[1]) as saver:
    if len(sys.argv) > 2:
        print(saver.get_tuple({"configurable": {"thread_id": sys.argv[2], "checkpoint_ns": ""}}))
        sys.exit()
    count, newest = collections.Counter(), {}
    for tup in saver.list(None):
        c = tup.config["configurable"]
        count[c["thread_id"]] += 1
        newest.setdefault(c["thread_id"], c["checkpoint_id"])
    for thread in sorted(count):
        print(thread, count[thread], newest[thread], sep="\t")
