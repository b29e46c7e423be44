"""What the savers themselves take: reads N checkpoints of a SQLite store with SqliteSaver, puts
them with PostgresSaver, and prints the seconds that putting one took.

    put_peer.py STORE.db DATABASE N
"""
import itertools
import sys
import time

from langgraph.checkpoint.postgres import PostgresSaver
from langgraph.checkpoint.sqlite import SqliteSaver


def main(path, database, count):
    with SqliteSaver.from_conn_string(path) as source, \
            PostgresSaver.from_conn_string("postgresql:///" + database) as target:
        target.setup()
        tuples = list(itertools.islice(source.list(None), count))
        began = time.perf_counter()
        for t in tuples:
            config = t.parent_config or {"configurable": {
                "thread_id": t.config["configurable"]["thread_id"], "checkpoint_ns": ""}}
            new = target.put(config, t.checkpoint, t.metadata, t.checkpoint["channel_versions"])
            for task, group in itertools.groupby(t.pending_writes, key=lambda w: w[0]):
                target.put_writes(new, [(c, v) for _, c, v in group], task)
        print((time.perf_counter() - began) / len(tuples))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
