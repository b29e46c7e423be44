"""A dump (`ckpt help dump`) of a SQLite or PostgreSQL store, straight from its tables: a writer of
the format that shares nothing with ckpt. Standard library only.

    dump.py STORE.db >FILE.jsonl
    dump.py DATABASE [SCHEMA]           a database of the server that PGHOST … lead to

Belongs here: rows to lines. What ckpt reads from them is compare_dump.py's.
"""
import base64
import json
import pathlib
import sqlite3
import sys

import postgres


def b64(raw):
    return None if raw is None else base64.b64encode(raw).decode()


def text(raw):
    """Bytes of a text column."""
    if raw is None:
        return None
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return {"$str": b64(raw)}


def key(raw, kind):
    """A column that may hold TEXT or BLOB."""
    return {"$bytes": b64(raw)} if kind == "blob" else text(raw)


def line(kind, row):
    return json.dumps({kind: row}, ensure_ascii=False, separators=(",", ":"))


def header(engine, layout="langgraph"):
    return json.dumps({"ckpt": "dump", "version": 1, "engine": engine, "layout": layout})


def end(counts):
    return line("end", dict(zip(("checkpoints", "writes", "blobs"), counts)))


# ---- SQLite -----------------------------------------------------------------------------------------

def raw_of(name):
    """A column's bytes whatever its type, and that type."""
    return "CAST(%s AS BLOB), typeof(%s)" % (name, name)


def pairs(values):
    return [values[i:i + 2] for i in range(0, len(values), 2)]


def sqlite_lines(path):
    # a copy is read, so it may be opened as if nobody else did
    db = sqlite3.connect(str(path))
    db.text_factory = bytes
    tables = {t.decode() for (t,) in db.execute("SELECT name FROM sqlite_master")}
    counts = [0, 0, 0]
    yield header("sqlite")
    names = ("thread_id", "checkpoint_ns", "checkpoint_id", "parent_checkpoint_id", "type",
             "checkpoint", "metadata")
    for row in db.execute("SELECT %s FROM checkpoints ORDER BY rowid"
                          % ", ".join(map(raw_of, names))):
        t, ns, i, parent, kind, body, meta = pairs(row)
        counts[0] += 1
        yield line("checkpoint", {
            "thread": key(t[0], t[1].decode()), "ns": key(ns[0], ns[1].decode()),
            "id": key(i[0], i[1].decode()), "parent": text(parent[0]), "type": text(kind[0]),
            "body": b64(body[0]), "metadata": text(meta[0])})
    if "writes" in tables:
        columns = {c[1].decode() for c in db.execute("PRAGMA table_info(writes)")}
        path_of = "task_path" if "task_path" in columns else "''"
        names = ("thread_id", "checkpoint_ns", "checkpoint_id", "task_id", path_of, "channel",
                 "type", "value")
        for idx, *row in db.execute("SELECT idx, %s FROM writes ORDER BY rowid"
                                    % ", ".join(map(raw_of, names))):
            t, ns, i, task, where, channel, kind, value = pairs(row)
            counts[1] += 1
            yield line("write", {
                "thread": key(t[0], t[1].decode()), "ns": key(ns[0], ns[1].decode()),
                "id": key(i[0], i[1].decode()), "task": text(task[0]), "path": text(where[0]),
                "idx": idx, "channel": text(channel[0]), "type": text(kind[0]),
                "value": b64(value[0])})
    yield end(counts)
    db.close()


# ---- PostgreSQL ---------------------------------------------------------------------------------------

def hexed(row, *at):
    """encode(…, 'hex') → base64."""
    for i in at:
        row[i] = None if row[i] is None else b64(bytes.fromhex(row[i]))
    return row


def postgres_lines(database):
    """`database`: a postgres.Database, or what has its name, schema and columns()."""
    schema = postgres.quoted(database.schema)
    shallow = "checkpoint_id" not in database.columns("checkpoints")
    counts = [0, 0, 0]
    yield header("postgresql", "langgraph-shallow" if shallow else "langgraph")
    for row in postgres.rows_of(database.name, """
            SELECT json_build_array(thread_id, checkpoint_ns, {id}, {parent}, type,
                encode(convert_to(checkpoint::text, 'UTF8'), 'hex'), metadata::text)
            FROM {schema}.checkpoints""".format(
                schema=schema, id="checkpoint->>'id'" if shallow else "checkpoint_id",
                parent="NULL::text" if shallow else "parent_checkpoint_id")):
        counts[0] += 1
        yield line("checkpoint", dict(zip(
            ("thread", "ns", "id", "parent", "type", "body", "metadata"), hexed(row, 5))))
    columns = database.columns("checkpoint_writes")
    for row in postgres.rows_of(database.name, """
            SELECT json_build_array(thread_id, checkpoint_ns, checkpoint_id, task_id, {path}, idx,
                channel, type, encode(blob, 'hex')) FROM {schema}.checkpoint_writes""".format(
                    schema=schema, path="task_path" if "task_path" in columns else "''")
                                ) if columns else ():
        counts[1] += 1
        yield line("write", dict(zip(
            ("thread", "ns", "id", "task", "path", "idx", "channel", "type", "value"),
            hexed(row, 8))))
    columns = database.columns("checkpoint_blobs")
    for row in postgres.rows_of(database.name, """
            SELECT json_build_array(thread_id, checkpoint_ns, channel, {version}, type,
                encode(blob, 'hex')) FROM {schema}.checkpoint_blobs""".format(
                    schema=schema, version="version" if "version" in columns else "NULL::text")
                                ) if columns else ():
        counts[2] += 1
        yield line("blob", dict(zip(
            ("thread", "ns", "channel", "version", "type", "value"), hexed(row, 5))))
    yield end(counts)


class Server:
    """A database by name, for use from a shell."""

    def __init__(self, name, schema="public"):
        self.name, self.schema = name, schema

    columns = postgres.Database.columns


def lines(args):
    if pathlib.Path(args[0]).exists():
        return sqlite_lines(args[0])
    return postgres_lines(Server(*args))


if __name__ == "__main__":
    for x in lines(sys.argv[1:]):
        sys.stdout.buffer.write(x.encode() + b"\n")
