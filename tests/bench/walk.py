"""The way without ckpt: every thread with its count and newest checkpoint, by SqliteSaver.list."""
import collections
import sys

from langgraph.checkpoint.sqlite import SqliteSaver

with SqliteSaver.from_conn_string(sys.argv[1]) as saver:
    count, newest = collections.Counter(), {}
    for tup in saver.list(None):
        c = tup.config["configurable"]
        count[c["thread_id"]] += 1
        newest.setdefault(c["thread_id"], c["checkpoint_id"])
    for thread in sorted(count):
        print(thread, count[thread], newest[thread], sep="\t")
