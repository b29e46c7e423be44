"""`ckpt copy` on PostgreSQL, judged by the real library: the tests of test_copy.py, values in
blobs. TAP; run with the Python of build/venv inside tests/pg/with-server.sh.
"""
import os
import sys

import test_copy
from langgraph.checkpoint.postgres import PostgresSaver

QUERIES = ("SELECT checkpoint_ns, checkpoint_id, parent_checkpoint_id, type, checkpoint::text, "
           "metadata::text FROM checkpoints WHERE thread_id = %s ORDER BY 1, 2",
           "SELECT checkpoint_ns, checkpoint_id, task_id, task_path, idx, channel, type, blob "
           "FROM checkpoint_writes WHERE thread_id = %s ORDER BY 1, 2, 3, 5",
           "SELECT checkpoint_ns, channel, version, type, blob FROM checkpoint_blobs "
           "WHERE thread_id = %s ORDER BY 1, 2, 3")


def rows_of(saver):
    def raw(thread):
        with saver._cursor() as cur:
            return tuple([tuple(r.values()) for r in cur.execute(q, (thread,)).fetchall()]
                         for q in QUERIES)
    return raw


def main():
    store = "postgresql:///%(PGDATABASE)s?host=%(PGHOST)s&port=%(PGPORT)s&user=%(PGUSER)s" % os.environ
    with PostgresSaver.from_conn_string(store) as saver:
        saver.setup()
        return test_copy.Copies(store, saver, rows_of(saver)).run()


if __name__ == "__main__":
    sys.exit(main())
