"""For test_prune.py and test_prune_pg.py: the stores of both engines, their rows byte for byte, and
everything the real savers read from them.

Belongs here: copying, reading and comparing stores. Policies and what must hold are prune_proof.py's.
"""
import collections
import contextlib
import json
import os
import pathlib
import sqlite3
import sys

os.environ.setdefault("LANGSMITH_TRACING", "false")
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "oracle"))

import postgres
import psycopg
from freshvalues import plain
from langgraph.checkpoint.postgres import PostgresSaver
from langgraph.checkpoint.serde.encrypted import EncryptedSerializer
from langgraph.checkpoint.sqlite import SqliteSaver

FIXTURES = pathlib.Path(os.environ.get("FIXTURES", os.path.join("build", "fixtures")))


def key_env(name):
    oracle = FIXTURES / name / "oracle.json"
    key = json.loads(oracle.read_text()).get("aes_key") if oracle.exists() else None
    return {"LANGGRAPH_AES_KEY": key} if key else {}


def serde_of(env):
    key = env.get("LANGGRAPH_AES_KEY")
    return EncryptedSerializer.from_pycryptodome_aes(key=key.encode()) if key else None


def config(key):
    return {"configurable": dict(zip(("thread_id", "checkpoint_ns", "checkpoint_id"), key))}


# ---- rows --------------------------------------------------------------------------------------------

class Rows:
    """checkpoints: key -> the other columns; writes: key -> rows, task by task in the order of the
    store; blobs: (thread, ns, channel, version) -> rest; refs: key -> the blobs that it names."""

    def __init__(self):
        self.checkpoints, self.blobs, self.refs = {}, {}, {}
        self.writes = collections.defaultdict(list)

    def named(self, keys):
        return {b for k in keys for b in self.refs.get(k, ())} & set(self.blobs)


class Lite:
    """A SQLite store in a folder of its own; copies lie beside it."""

    copies = 0
    engine = "SQLite"

    def __init__(self, path, env=None):
        self.path, self.env = pathlib.Path(path), env or {}
        self.address = str(path)

    @contextlib.contextmanager
    def copy(self):
        Lite.copies += 1
        to = self.path.with_name("copy%d.db" % Lite.copies)
        with contextlib.closing(sqlite3.connect(self.path)) as db, \
                contextlib.closing(sqlite3.connect(to)) as out:
            db.backup(out)
        yield Lite(to, self.env)
        for x in self.path.parent.glob(to.name + "*"):
            x.unlink()

    @contextlib.contextmanager
    def saver(self):
        with contextlib.closing(sqlite3.connect(self.path, check_same_thread=False)) as db:
            yield SqliteSaver(db, serde=serde_of(self.env))

    readable = copy

    def rows(self):
        out = Rows()
        with contextlib.closing(sqlite3.connect(self.path)) as db:
            for row in db.execute("SELECT * FROM checkpoints"):
                out.checkpoints[row[:3]] = row[3:]
            for row in db.execute("SELECT * FROM writes ORDER BY rowid"):
                out.writes[row[:3]].append(row[3:])
        for rows in out.writes.values():
            rows.sort(key=lambda r: r[0])           # stable: tasks lie apart or mixed
        return out

    def whole(self):
        with contextlib.closing(sqlite3.connect(self.path)) as db:
            return db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


class Pg:
    """A database of the private server; copies are databases, too."""

    copies = 0
    engine = "PostgreSQL"

    def __init__(self, database, env=None, schema="public"):
        self.database, self.env, self.schema = database, env or {}, schema
        self.address = database.address
        if schema != "public":
            self.address += " options=-csearch_path=" + postgres.quoted(schema)

    @contextlib.contextmanager
    def copy(self):
        Pg.copies += 1
        name = "%s_%d" % (self.database.name, Pg.copies)
        postgres.psql("postgres", 'CREATE DATABASE "%s" TEMPLATE "%s"' %
                      (name, self.database.name))
        other = postgres.Database()
        other.address = other.address.replace("dbname=" + other.name, "dbname=" + name)
        other.name, other.schema = name, self.schema
        try:
            yield Pg(other, self.env, self.schema)
        finally:
            other.__exit__()

    @contextlib.contextmanager
    def saver(self):
        with psycopg.connect(self.address, autocommit=True, prepare_threshold=0,
                             row_factory=psycopg.rows.dict_row) as conn:
            yield PostgresSaver(conn, serde=serde_of(self.env))

    def rows(self):
        out = Rows()
        path = "task_path" if "task_path" in self.database.columns("checkpoint_writes") else "''"
        with psycopg.connect(self.address) as db:
            for row in db.execute("SELECT thread_id, checkpoint_ns, checkpoint_id, "
                                  "parent_checkpoint_id, type, checkpoint::text, metadata::text, "
                                  "checkpoint->'channel_versions' FROM checkpoints"):
                out.checkpoints[row[:3]] = row[3:7]
                out.refs[row[:3]] = [(*row[:2], c, v if isinstance(v, str) else json.dumps(v))
                                     for c, v in (row[7] or {}).items()]
            for row in db.execute("SELECT thread_id, checkpoint_ns, checkpoint_id, task_id, idx, "
                                  "channel, type, blob, %s FROM checkpoint_writes ORDER BY 4, 5" % path):
                out.writes[row[:3]].append(row[3:])
            for row in db.execute("SELECT thread_id, checkpoint_ns, channel, %s, type, blob "
                                  "FROM checkpoint_blobs" %
                                  ("version" if "version" in
                                   self.database.columns("checkpoint_blobs") else "''")):
                out.blobs[row[:4]] = row[4:]
        return out

    def whole(self):
        return True

    @contextlib.contextmanager
    def readable(self):
        """A copy where the saver's setup would alter it, which all it opens must have had."""
        newest = len(PostgresSaver.MIGRATIONS) - 1
        if self.database.columns("checkpoint_migrations") and [newest] in postgres.rows_of(
                self.database.name, "SELECT json_build_array(v) FROM %s.checkpoint_migrations" %
                postgres.quoted(self.schema)):
            yield self
        else:
            with self.copy() as copy, copy.saver() as saver:
                saver.setup()
                yield copy


# ---- what the real saver reads ---------------------------------------------------------------------------

def readable(v):
    try:
        return plain(v)
    except TypeError:
        return repr(v)


def delta_channels(tuples):
    """Channels that live in writes, by thread and namespace: one checkpoint does not name all."""
    out = collections.defaultdict(set)
    for x in tuples:
        c = x.config["configurable"]
        out[c["thread_id"], c["checkpoint_ns"]] |= set(
            (x.metadata or {}).get("counters_since_delta_snapshot") or {}) | {
            k for k, v in x.checkpoint["channel_values"].items()
            if type(v).__name__ == "_DeltaSnapshot"}
    return out


def entry(saver, tup, deltas):
    parent = tup.parent_config and tup.parent_config["configurable"]["checkpoint_id"]
    out = {"checkpoint": readable(tup.checkpoint), "metadata": readable(tup.metadata), "parent": parent,
           "writes": [[t, c, readable(v)] for t, c, v in tup.pending_writes or []]}
    asked = sorted(deltas - set(tup.checkpoint["channel_values"]))  # as the library does
    if asked:
        out["delta"] = readable(dict(saver.get_delta_channel_history(config=tup.config,
                                                                     channels=asked)))
    return out


def read(store, deltas=None):
    """{key: what get_tuple and the history of its delta channels say}, and which these are; what
    cannot be read: the error."""
    out, got = {}, {}
    with store.readable() as copy, copy.saver() as saver:
        for key in sorted(store.rows().checkpoints):
            try:
                got[key] = saver.get_tuple(config(key))
            except Exception as e:
                out[key] = type(e).__name__
        deltas = deltas or delta_channels(x for x in got.values() if x)
        for key, tup in got.items():
            out[key] = tup and entry(saver, tup, deltas[key[:2]])
    return out, deltas
