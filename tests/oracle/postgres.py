"""A fixture's dump in a database of the private server, and its raw rows. Standard library only:
psql prints one JSON array a row.

Belongs here: loading, reading, dropping. What ckpt should say of it does not.
"""
import gzip
import json
import os
import subprocess
import zlib

import delta


def psql(database, sql, *more):
    p = subprocess.run(["psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-d", database, *more],
                       input=sql.encode() if isinstance(sql, str) else sql, capture_output=True)
    if p.returncode:
        raise OSError("psql: " + p.stderr.decode("utf-8", "replace")[:300])
    return p.stdout


def rows_of(database, sql):
    """The rows of a SELECT json_build_array(…)."""
    return [json.loads(line) for line in psql(database, sql).splitlines()]


def quoted(name):
    return '"%s"' % name.replace('"', '""')


class Database:
    """A new database, with a dump in it if there is one; gone at the end of the `with`."""

    def __init__(self, dump=None, schema="public"):
        self.name = "fx_%d_%08x" % (os.getpid(), zlib.crc32(str(dump).encode()))
        self.dump, self.schema = dump, schema
        self.address = "host=%s port=%s user=%s dbname=%s" % (
            os.environ["PGHOST"], os.environ["PGPORT"], os.environ["PGUSER"], self.name)

    def __enter__(self):
        psql("postgres", "CREATE DATABASE %s TEMPLATE template0" % self.name)
        if self.dump:
            psql(self.name, gzip.decompress(self.dump.read_bytes()))
        return self

    def __exit__(self, *args):
        psql("postgres", "DROP DATABASE %s WITH (FORCE)" % self.name)

    def store(self, *more):
        """What common.at takes."""
        schema = () if self.schema == "public" else ("--schema", self.schema)
        return (self.address, *schema, *more)

    def content(self):
        """Everything that is in it, to see whether it changed."""
        out = subprocess.run(["pg_dump", self.name], capture_output=True, check=True).stdout
        return [x for x in out.splitlines() if not x.startswith((b"\\restrict", b"\\unrestrict"))]

    def columns(self, table):
        return {c for (c,) in rows_of(self.name, """
            SELECT json_build_array(column_name) FROM information_schema.columns
            WHERE table_schema = '%s' AND table_name = '%s'""" % (self.schema, table))}

    def blob_bytes(self, ident):
        """(thread, ns, id) -> bytes of all blobs it names, of those no smaller id names."""
        if not self.columns("checkpoint_blobs"):
            return {}
        version = "AND b.version = v.value" if "version" in self.columns("checkpoint_blobs") else ""
        schema = quoted(self.schema)
        needed, first, seen = {}, {}, set()
        for t, ns, i, channel, value, size in rows_of(self.name, """
                SELECT json_build_array(c.thread_id, c.checkpoint_ns, {ident}, b.channel, v.value,
                    coalesce(octet_length(b.blob), 0))
                FROM {schema}.checkpoints c, jsonb_each_text(CASE
                    WHEN jsonb_typeof(checkpoint->'channel_versions') = 'object'
                    THEN checkpoint->'channel_versions' ELSE '{{}}' END) v, {schema}.checkpoint_blobs b
                WHERE b.thread_id = c.thread_id AND b.checkpoint_ns = c.checkpoint_ns
                    AND b.channel = v.key {version}
                ORDER BY {ident} COLLATE "C" """.format(ident=ident, schema=schema, version=version)):
            needed[t, ns, i] = needed.get((t, ns, i), 0) + size
            if (t, ns, channel, value) not in seen:
                first[t, ns, i] = first.get((t, ns, i), 0) + size
            seen.add((t, ns, channel, value))
        return {k: (n, first.get(k, 0)) for k, n in needed.items()}

    def raw(self):
        """(thread, ns, id) -> its raw_writes and blobs in the form of the fixtures' oracles."""
        path = ", task_path" if "task_path" in self.columns("checkpoint_writes") else ""
        schema, out = quoted(self.schema), {}
        for t, ns, i in rows_of(self.name, "SELECT json_build_array(thread_id, checkpoint_ns, "
                                "checkpoint_id) FROM %s.checkpoints" % schema):
            out[t, ns, i] = {"raw_writes": [], "blobs": {}}
        for t, ns, i, *row in rows_of(self.name, """
                SELECT json_build_array(thread_id, checkpoint_ns, checkpoint_id, task_id, idx, channel,
                    type, octet_length(blob), encode(sha256(blob), 'hex')%s)
                FROM %s.checkpoint_writes""" % (path, schema)):
            if (t, ns, i) in out:
                out[t, ns, i]["raw_writes"].append(row)
        for t, ns, i, channel, version, kind, size, sha in rows_of(self.name, """
                SELECT json_build_array(c.thread_id, c.checkpoint_ns, c.checkpoint_id, b.channel,
                    b.version, b.type, octet_length(b.blob), encode(sha256(b.blob), 'hex'))
                FROM {0}.checkpoints c, jsonb_each_text(checkpoint->'channel_versions') v,
                    {0}.checkpoint_blobs b
                WHERE b.thread_id = c.thread_id AND b.checkpoint_ns = c.checkpoint_ns
                    AND b.channel = v.key AND b.version = v.value""".format(schema)):
            out[t, ns, i]["blobs"][channel] = {"version": version, "type": kind, "size": size,
                                               "sha256": sha}
        return out

    def rows(self):
        shallow = "checkpoint_id" not in self.columns("checkpoints")
        ident = "(checkpoint->>'id')" if shallow else "checkpoint_id"
        parent = "NULL" if shallow else "parent_checkpoint_id"
        path = "task_path" if "task_path" in self.columns("checkpoint_writes") else "''"
        checkpoints = rows_of(self.name, """
            SELECT json_build_array(thread_id, checkpoint_ns, {ident}, {parent}, metadata::text,
                octet_length(checkpoint::text), octet_length(metadata::text))
            FROM {schema}.checkpoints""".format(ident=ident, parent=parent,
                                               schema=quoted(self.schema)))
        writes = rows_of(self.name, """
            SELECT json_build_array(thread_id, checkpoint_ns, checkpoint_id, {path}, task_id, idx,
                channel) FROM {schema}.checkpoint_writes""".format(
                    path=path, schema=quoted(self.schema)))
        return delta.Rows(checkpoints, writes, self.blob_bytes(ident))
