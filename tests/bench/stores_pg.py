"""PostgreSQL twins of the measured stores: rows exactly as PostgresSaver 3.2.0 writes them.

    stores_pg.py SCALE      in with-server.sh: databases w, w4, m; and w's checkpoints once more
                            in a schema `raw` that was never vacuumed

Same threads, steps, ids and times as stores.py's. Values that are plain JSON stand in the
checkpoint, others as blobs under (channel, version), and a channel that did not change keeps its
version and so its blob. The saver's setup() makes the tables; each gets its rows by COPY.
"""
import json
import random
import struct
import subprocess
import sys
import time
import uuid

from langchain_core.messages import HumanMessage
from langgraph.checkpoint.postgres import PostgresSaver

from stores import SERDE, Clock, conversation, interleaved, large, small, thread_by_thread

COLUMNS = {
    "checkpoints": "thread_id, checkpoint_ns, checkpoint_id, parent_checkpoint_id, checkpoint, metadata",
    "checkpoint_blobs": "thread_id, checkpoint_ns, channel, version, type, blob",
    "checkpoint_writes": "thread_id, checkpoint_ns, checkpoint_id, task_id, task_path, idx, channel, "
                         "type, blob",
}
EVERY = {"files": 6, "plan": 3}     # steps after which a channel changes; others each time
JSONB = b"\1"                       # in front of the text in binary
RAW = """CREATE SCHEMA raw;
CREATE TABLE raw.checkpoints (LIKE public.checkpoints INCLUDING ALL) WITH (autovacuum_enabled = off);
CREATE TABLE raw.checkpoint_blobs (LIKE public.checkpoint_blobs INCLUDING ALL);
CREATE TABLE raw.checkpoint_writes (LIKE public.checkpoint_writes INCLUDING ALL);
INSERT INTO raw.checkpoints SELECT * FROM public.checkpoints;"""


class Copy:
    """One table's rows on their way into psql, in COPY's binary format."""

    def __init__(self, database, table):
        self.psql = subprocess.Popen(
            ["psql", "-qX", "-v", "ON_ERROR_STOP=1", "-d", database, "-c",
             "COPY %s (%s) FROM STDIN (FORMAT binary)" % (table, COLUMNS[table])],
            stdin=subprocess.PIPE)
        self.to = self.psql.stdin
        self.to.write(b"PGCOPY\n\xff\r\n\0" + struct.pack(">ii", 0, 0))

    def row(self, *cells):
        parts = [struct.pack(">h", len(cells))]
        for c in cells:
            parts += (b"\xff\xff\xff\xff",) if c is None else (struct.pack(">i", len(c)), c)
        self.to.write(b"".join(parts))

    def done(self):
        self.to.write(struct.pack(">h", -1))
        self.to.close()
        if self.psql.wait():
            sys.exit("stores_pg: psql failed")


def template(values):
    """The text of a checkpoint with %(…)s for what differs, and what goes to the blobs."""
    channels = {**values, "branch:to:agent": None}
    plain = {k: v for k, v in channels.items() if v is None or isinstance(v, (str, int, float))}
    checkpoint = {"v": 4, "ts": "%(ts)s", "id": "%(id)s", "channel_values": plain,
                  "channel_versions": {k: "%%(%s)s" % k for k in (*channels, "__start__")},
                  "versions_seen": {"__input__": {}, "__start__": {"__start__": "%(__start__)s"},
                                    "agent": {"branch:to:agent": "%(branch:to:agent)s"}},
                  "updated_channels": sorted(channels)}
    blobs = {k: SERDE.dumps_typed(v) for k, v in channels.items() if k not in plain}
    return json.dumps(checkpoint), blobs


def version(r, step):
    return ("%032d.0.%d" % (step + 2, r.randrange(10**15, 10**16))).ljust(51, "7")


def fill(tables, order, templates, seed):
    """A checkpoint for each (thread, step), its new blobs; its writes where there is a table."""
    clock, r = Clock(seed), random.Random(seed)
    last = {}                           # thread: id, versions, template
    said = [SERDE.dumps_typed(conversation(r, 1, 180)) for _ in range(24)]
    tasks = [str(uuid.UUID(int=r.getrandbits(128))).encode() for _ in range(512)]
    for thread, step in order:
        ident, ts = clock.stamp(step)
        now = version(r, step)
        parent, versions = last.get(thread, (None, {}))
        text, blobs = r.choice(templates)
        versions = {k: v if k in EVERY and (step + 1) % EVERY[k] else now
                    for k, v in (versions or dict.fromkeys(
                        (*blobs, "topic", "round", "approved", "branch:to:agent", "__start__"))).items()}
        last[thread] = ident, versions
        t, i = thread.encode(), ident.encode()
        meta = {"source": "loop", "step": step, "parents": {}, "user_id": "u%d" % (step % 7)}
        tables[0].row(t, b"", i, parent and parent.encode(),
                      JSONB + (text % {**versions, "ts": ts, "id": ident}).encode(),
                      JSONB + json.dumps(meta).encode())
        for channel, (kind, body) in blobs.items():
            if versions[channel] == now:
                tables[1].row(t, b"", channel.encode(), now.encode(), kind.encode(), body)
        if len(tables) > 2:
            task, (kind, body) = r.choice(tasks), r.choice(said)
            head = t, b"", i, task, b"~__pregel_pull, agent"
            tables[2].row(*head, struct.pack(">i", 0), b"messages", kind.encode(), body)
            tables[2].row(*head, struct.pack(">i", 1), b"branch:to:agent", b"null", b"")


def verify(database, like, with_writes):
    """The real saver reads a sample: all channels, right parents, all messages."""
    with PostgresSaver.from_conn_string("dbname=" + database) as saver:
        for tup in list(saver.list(None, limit=5)):
            config = tup.config["configurable"]
            again = saver.get_tuple({"configurable": config})
            assert again.checkpoint["id"] == config["checkpoint_id"] == tup.checkpoint["id"]
            assert set(again.checkpoint["channel_values"]) == {*like, "branch:to:agent"}
            messages = again.checkpoint["channel_values"]["messages"]
            assert len(messages) == len(like["messages"]) and isinstance(messages[0], HumanMessage)
            assert again.parent_config is not None and again.metadata["source"] == "loop"
            assert len(again.pending_writes) == 2 * with_writes


def sql(database, *commands):
    subprocess.run(["psql", "-qX", "-v", "ON_ERROR_STOP=1", "-d", database,
                    *(a for c in commands for a in ("-c", c))], check=True)


def make(database, order, values, seed, with_writes):
    sql("postgres", "CREATE DATABASE " + database)
    with PostgresSaver.from_conn_string("dbname=" + database) as saver:
        saver.setup()
    r = random.Random(seed)
    templates = [template(values(r)) for _ in range(40)]
    tables = [Copy(database, t) for t in list(COLUMNS)[:3 if with_writes else 2]]
    fill(tables, order, templates, seed)
    for t in tables:
        t.done()
    sql(database, "VACUUM ANALYZE")
    verify(database, values(random.Random(seed)), with_writes)


def main(scale):
    threads = max(20, int(2000 * scale))
    wanted = (("w", interleaved(threads, 100), small, 1, True),
              ("w4", interleaved(threads, 25), small, 1, True),
              ("m", thread_by_thread(scale), large, 2, False))
    for name, *how in wanted:
        started = time.monotonic()
        make(name, *how)
        print("made PostgreSQL's %s in %.0f s" % (name, time.monotonic() - started),
              file=sys.stderr)
    sql("w", RAW)


if __name__ == "__main__":
    main(float(sys.argv[1]))
