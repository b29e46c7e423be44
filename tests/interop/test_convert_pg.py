"""What lib/convert.c makes of SQLite's checkpoints, put into PostgreSQL's tables as it stands, is
what PostgresSaver reads as SqliteSaver read the source, blobs as the saver itself would have written
them; and the way back gives SqliteSaver the same again.
TAP; run with the Python of build/venv inside tests/pg/with-server.sh.

    test_convert_pg.py [FIXTURE…]     CKPT=build/ckpt FIXTURES=build/fixtures

Belongs here: the savers' side of it. What has no home in the target is tests/unit/test_convert.c's.
"""
import base64
import contextlib
import json
import logging
import os
import pathlib
import sqlite3
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "oracle"))
import broken
import common
import postgres
import psycopg
from freshvalues import plain
from langgraph.checkpoint.postgres import PostgresSaver
from langgraph.checkpoint.serde.encrypted import EncryptedSerializer
from langgraph.checkpoint.sqlite import SqliteSaver

FIXTURES = pathlib.Path(os.environ.get("FIXTURES", "build/fixtures"))
PROGRAM = pathlib.Path(common.CKPT).parent / "unit" / "test_convert_stores"
CHOSEN = ("py-basic", "py-aes", "py-delta", "py-hitl", "py-ids", "py-meta", "py-old-json",
          "py-old-v1", "py-old-v3", "py-old-v4", "py-subgraph", "py-upgraded")
CANNOT = 2
KEYS = ("thread", "ns", "id")
TASKS = "__pregel_tasks"
EXT = b"\xc7\xc8\xc9\xd4\xd5\xd6\xd7\xd8"


# ---- what convert.c made ----------------------------------------------------------------------------

def converted(store, key):
    p = subprocess.run([str(PROGRAM), str(store), *([key] if key else [])], check=True,
                       stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=300)
    for line in p.stdout.splitlines():
        row = {k: base64.b64decode(v) if isinstance(v, str) else v
               for k, v in json.loads(line).items()}
        row["blobs"] = [{k: base64.b64decode(v) for k, v in b.items()} for b in row["blobs"]]
        yield row


def key_of(row):
    return tuple(row[k].decode() for k in KEYS)


def source_writes(db, key):
    path = any(c[1] == "task_path" for c in db.execute("PRAGMA table_info(writes)"))
    return db.execute("SELECT task_id, idx, channel, type, value, %s FROM writes WHERE thread_id = ? "
                      "AND checkpoint_ns = ? AND checkpoint_id = ? ORDER BY rowid" %
                      ("task_path" if path else "''"), key).fetchall()


def parent(db, key):
    return db.execute("SELECT parent_checkpoint_id FROM checkpoints WHERE thread_id = ? AND "
                      "checkpoint_ns = ? AND checkpoint_id = ?", key).fetchone()[0]


def put_pg(conn, db, row):
    key = key_of(row)
    conn.execute("INSERT INTO checkpoints VALUES (%s, %s, %s, %s, NULL, %s::jsonb, %s::jsonb)",
                 (*key, parent(db, key), row["body"].decode(), row["meta"].decode()))
    for b in row["blobs"]:
        conn.execute("INSERT INTO checkpoint_blobs VALUES (%s, %s, %s, %s, %s, %s)",
                     (*key[:2], *(b[k].decode() for k in ("channel", "version", "type")), b["body"]))
    for task, idx, channel, kind, value, path in source_writes(db, key):
        conn.execute("INSERT INTO checkpoint_writes (thread_id, checkpoint_ns, checkpoint_id, task_id, "
                     "idx, channel, type, blob, task_path) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)",
                     (*key, task, idx, channel, kind, value, path))


def put_sqlite(to, db, row):
    key = key_of(row)
    to.execute("INSERT INTO checkpoints VALUES (?, ?, ?, ?, ?, ?, ?)",
               (*key, parent(db, key), row["back_type"].decode(), row["back"], row["back_meta"]))
    for task, idx, channel, kind, value, path in source_writes(db, key):
        to.execute("INSERT INTO writes (thread_id, checkpoint_ns, checkpoint_id, task_id, idx, "
                   "channel, type, value, task_path) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                   (*key, task, idx, channel, kind, value, path))


# ---- comparing --------------------------------------------------------------------------------------

def text(v):
    """With types: 1 is not 1.0, and an object not its fields."""
    return type(v).__name__ + json.dumps(plain(v), sort_keys=True)


def versions(checkpoint, renamed):
    """Channel versions and those seen, with the source's version where a new one was made."""
    own = checkpoint["channel_versions"]

    def old(channel, version):
        return renamed[channel] if channel in renamed and version == own[channel] else version
    return text([{c: old(c, v) for c, v in own.items()},
                 {n: {c: old(c, v) for c, v in seen.items()}
                  for n, seen in checkpoint["versions_seen"].items()}])


def fields(tup, renamed):
    c = dict(tup.checkpoint)
    values, sends = dict(c["channel_values"]), c.get("pending_sends")
    if c["v"] < 4:      # one store has them in the container, the other among the parent's writes
        values[TASKS] = values.get(TASKS) or sends or []
        c = {**c, "channel_versions": {k: v for k, v in c["channel_versions"].items() if k != TASKS}}
    return {"values": {k: text(v) for k, v in values.items()}, "versions": versions(c, renamed),
            "metadata": text(tup.metadata), "parent": tup.parent_config and
            tup.parent_config["configurable"]["checkpoint_id"],
            "writes": [(t, ch, text(v)) for t, ch, v in tup.pending_writes or []],
            "rest": {k: text(c.get(k)) for k in ("v", "id", "ts", "updated_channels")}}


def differences(want, got, name):
    for k in want:
        if k != "values" and want[k] != got[k]:
            yield "%s: %s: %s => %s" % (name, k, want[k], got[k])
    for ch in sorted({*want["values"], *got["values"]}):
        a, b = want["values"].get(ch), got["values"].get(ch)
        # a snapshot stands for the checkpoints behind it that have its version
        if a != b and not (a is None and b.startswith("_DeltaSnapshot")):
            yield "%s: %s: %s => %s" % (name, ch, a, b)


class Recorder:
    """PostgresSaver's put without a server: what it would have sent."""

    def __init__(self, serde):
        self.saver = object.__new__(PostgresSaver)
        self.saver.serde = serde
        self.saver._cursor = self.cursor
        self.blobs, self.row = {}, None

    @contextlib.contextmanager
    def cursor(self, pipeline=False):
        yield self

    def executemany(self, _sql, rows):
        for _thread, _ns, channel, _version, kind, blob in rows:
            self.blobs[channel] = (kind, blob)

    def execute(self, _sql, args):
        self.row = args[4].obj

    def put(self, config, tup):
        self.blobs = {}
        self.saver.put(config, tup.checkpoint, {}, tup.checkpoint["channel_versions"])
        return self.row, self.blobs


def as_saver(recorder, tup, config, row, table):
    """Values whose place or bytes are not the saver's own. Left out: those it could not put or jsonb
    would change, and those that it writes otherwise than they lie in the source (sets in another
    order, classes that are gone, enums of str and int: as the bare value)."""
    mine = json.loads(row["body"])
    theirs, blobs = recorder.put(config, tup)
    moved = {channel for _code, _action, channel in row["cares"]}
    for ch, v in tup.checkpoint["channel_values"].items():
        blob = table.get((*key_of(row)[:2], ch, str(mine["channel_versions"].get(ch))))
        own = blobs.get(ch)
        if ch in moved or (own and own[0] == "msgpack" and own[1] not in row["back"]):
            continue
        if own and blob and b"set" in own[1] and sorted(own[1]) == sorted(blob[1]):
            continue            # another checkpoint's, whose set came in another order
        if own != blob and not (blob and blob[1][0] in EXT and (not own or own[1][0] not in EXT)):
            yield "%s: %r, the saver's %r" % (ch, blob, own)
        elif not blob and text(mine["channel_values"][ch]) != text(theirs["channel_values"][ch]):
            yield "%s: inline %r" % (ch, mine["channel_values"][ch])


# ---- a store ----------------------------------------------------------------------------------------

class Stores:
    """The source, and both targets with the savers that read them."""

    def __init__(self, name, database):
        self.path = broken.copied(FIXTURES / name / "store.db")
        self.key = json.loads((FIXTURES / name / "oracle.json").read_text()).get("aes_key")
        serde = EncryptedSerializer.from_pycryptodome_aes(
            key=self.key.encode()) if self.key else None
        self.db = sqlite3.connect(self.path, check_same_thread=False)
        self.conn = psycopg.connect(database.address, autocommit=True,
                                    row_factory=psycopg.rows.dict_row)
        self.sqlite = SqliteSaver(self.db, serde=serde)
        self.back_db = sqlite3.connect(":memory:", check_same_thread=False)
        self.back = SqliteSaver(self.back_db, serde=serde)
        self.pg = PostgresSaver(self.conn, serde=serde)
        self.recorder = Recorder(PostgresSaver(self.conn).serde)
        self.back.setup()
        self.pg.setup()

    def decoded(self, kind, body):
        """A blob without its encryption: a nonce is never the same."""
        if not kind.endswith("+aes"):
            return kind, body
        return kind[:-4], self.pg.serde.cipher.decrypt("aes", body)

    def close(self):
        self.conn.close()
        self.db.close()
        self.back_db.close()


def rename(row, tup):
    mine = json.loads(row["body"])["channel_versions"]
    return {c: tup.checkpoint["channel_versions"][c] for c in mine
            if mine[c] != tup.checkpoint["channel_versions"].get(c)}


def check(stores, t):
    rows, table = [], {}
    for row in converted(stores.path, stores.key):
        if any(c[1] == CANNOT for c in row["cares"]):
            t.count["without a home"] += 1
            continue
        rows.append(row)
        put_pg(stores.conn, stores.db, row)
        put_sqlite(stores.back_db, stores.db, row)
        for b in row["blobs"]:
            at = (*key_of(row)[:2], b["channel"].decode(), b["version"].decode())
            table[at] = stores.decoded(b["type"].decode(), b["body"])
    for row in rows:
        key = key_of(row)
        config = {"configurable": dict(zip(("thread_id", "checkpoint_ns", "checkpoint_id"), key))}
        source, pg, back = (x.get_tuple(config) for x in (stores.sqlite, stores.pg, stores.back))
        want = fields(source, {})
        renamed = rename(row, source)
        t.count["checkpoints"] += 1
        t.count["blobs"] += len(row["blobs"])
        t.problems += differences(want, fields(pg, renamed), "%s: PostgreSQL" % (key,))
        t.problems += differences(want, fields(back, renamed), "%s: back" % (key,))
        if source.checkpoint["v"] == 4 and not stores.key:
            t.problems += ["%s: %s" % (key, x)
                           for x in as_saver(stores.recorder, source, config, row, table)]


def main(chosen):
    logging.disable(logging.WARNING)            # of types that are not registered
    total, bad = common.Tally(), 0
    chosen = chosen or CHOSEN
    for n, name in enumerate(chosen, 1):
        t = common.Tally()
        with postgres.Database() as database:
            stores = Stores(name, database)
            try:
                check(stores, t)
            finally:
                stores.close()
        common.tap(n, "%s: %s" % (name, common.totals(t.count)), t.problems)
        bad += bool(t.problems)
        total.count.update(t.count)
    print("1..%d" % len(chosen))
    print("# compared: " + common.totals(total.count))
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
