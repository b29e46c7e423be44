"""`ckpt diff --against` of whole stores across engines: what SqliteSaver reads from a fixture, put
with the same ids by PostgresSaver, is no difference; each change made then is told, and only it.
TAP; run with the Python of build/venv inside tests/pg/with-server.sh.

    test_match_pg.py [FIXTURE…]     CKPT=build/ckpt FIXTURES=build/fixtures

Belongs here: the way through the savers and the changes. How single values compare is
tests/unit/test_match.c's.
"""
import logging
import os
import pathlib
import re
import sqlite3
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "oracle"))
import broken
import common
import postgres
import psycopg
from langgraph.checkpoint.base import WRITES_IDX_MAP
from langgraph.checkpoint.postgres import PostgresSaver
from langgraph.checkpoint.sqlite import SqliteSaver

FIXTURES = pathlib.Path(os.environ.get("FIXTURES", "build/fixtures"))
# Python of today, whose values and names PostgreSQL takes.
CHOSEN = ("py-basic", "py-hitl", "py-subgraph", "py-delta", "py-ids", "py-meta")
CHANGED = "py-hitl"
# What the way through the savers does change: (thread, channels). All of it must be told.
KNOWN = {
    "py-basic": (
        ("json-traps", "f_1e16 f_1e22 f_negzero"),      # jsonb's numbers
        ("in-place", "box"),            # one version, two values: PostgreSQL keeps the first
        ("gone-classes", "order shop kind nested"),     # read as plain values, and put so
        ("types", "dataclass dataclass_nested enum enum_int_value frozenset int_enum namedtuple "
         "pydantic str_enum")),
    # a snapshot under a version that other checkpoints name without a value
    "py-delta": (("channel-changed-kind", "log"), ("chat", "messages tags"), ("forked", "files"),
                 ("long", "events files"), ("overwrite", "files")),
}
GAP = ("(gap)", "null", b"")        # at a position that no row has; taken away at the end


# ---- from one saver to the other --------------------------------------------------------------------

def settings(thread, ns, ident):
    inner = {"thread_id": thread, "checkpoint_ns": ns}
    return {"configurable": {**inner, "checkpoint_id": ident} if ident else inner}


def batches(db, key):
    """The writes of a checkpoint as put_writes takes them: (task, path, [(channel, type, value)])."""
    has_path = any(c[1] == "task_path" for c in db.execute("PRAGMA table_info(writes)"))
    tasks = {}
    for task, path, idx, channel, kind, value in db.execute(
            "SELECT task_id, %s, idx, channel, type, value FROM writes WHERE thread_id = ? AND "
            "checkpoint_ns = ? AND checkpoint_id = ? ORDER BY rowid" %
            ("task_path" if has_path else "''"), key):
        tasks.setdefault((task, path), {})[idx] = (channel, kind, value)
    for (task, path), rows in tasks.items():
        special = [r for i, r in sorted(rows.items(), reverse=True) if r[0] in WRITES_IDX_MAP]
        plain = {i: r for i, r in rows.items() if r[0] not in WRITES_IDX_MAP}
        batch = []
        for i in range(max(plain, default=-1) + 1):     # what is special took a position
            batch.append(plain[i] if i in plain else special.pop(0) if special else GAP)
        yield task, path, batch + special


def put(source, target, db, key, parent):
    tup = source.get_tuple(settings(*key))
    if tup:         # put is told which versions are new; the rows are the same if told of all
        target.put(settings(*key[:2], parent), tup.checkpoint, tup.metadata,
                   tup.checkpoint["channel_versions"])
    for task, path, batch in batches(db, key):
        target.put_writes(settings(*key), [(channel, source.serde.loads_typed((kind, value)))
                                           for channel, kind, value in batch], task, path)


def carry(t, path, address):
    """True to the libraries: what one saver reads the other one puts. Threads that PostgreSQL
    refuses (NaN, NUL) are taken out of both."""
    db, refused = sqlite3.connect(path), set()
    with SqliteSaver.from_conn_string(str(path)) as source, \
            PostgresSaver.from_conn_string(address) as target:
        target.setup()
        rows = db.execute("SELECT thread_id, checkpoint_ns, checkpoint_id, max(parent) FROM ("
                          "SELECT thread_id, checkpoint_ns, checkpoint_id, parent_checkpoint_id AS parent FROM checkpoints UNION ALL "
                          "SELECT thread_id, checkpoint_ns, checkpoint_id, NULL FROM writes) "
                          "GROUP BY 1, 2, 3 ORDER BY 1, 2, 3").fetchall()
        for *key, parent in rows:
            try:
                if key[0] not in refused:
                    put(source, target, db, key, parent)
                    t.add("checkpoints carried")
            except (psycopg.DataError, UnicodeEncodeError):
                refused.add(key[0])
    with PostgresSaver.from_conn_string(address) as target:
        for thread in refused:
            if "\0" not in thread:
                target.delete_thread(thread)
            db.execute("DELETE FROM checkpoints WHERE thread_id = ?", (thread,))
            db.execute("DELETE FROM writes WHERE thread_id = ?", (thread,))
        with target._cursor() as cur:
            cur.execute("DELETE FROM checkpoint_writes WHERE channel = %s", GAP[:1])
    t.add("threads refused", len(refused))
    db.commit()
    db.close()


# ---- what ckpt says -----------------------------------------------------------------------------------

def compared(t, a, b, known=()):
    """The differences, the same ones from whichever side; of `known` channels each at least once."""
    run = common.Run(["diff", *common.at(a), "--against", str(b), "--json", "--exit-code"])
    back = common.Run(["diff", *common.at(b), "--against", str(a), "--json", "--exit-code"])
    if run.code not in (0, 1) or back.code != run.code:
        t.fail("exit", "%s; %s" % (run, back))
        return []
    doc, other = run.json(), back.json()
    found = told(doc)
    turned = {"only-a": "only-b", "only-b": "only-a", "differs": "differs"}
    t.equal("turned round", sorted((turned[x[0]], *x[1:]) for x in told(other)), sorted(found))
    t.equal("exit", run.code, 1 if found else 0)
    t.equal("summary", [doc["summary"][k] for k in ("differs", "only_a", "only_b")],
            [sum(x[0] == op for x in found) for op in ("differs", "only-a", "only-b")])
    t.add("rows", doc["summary"]["same"])
    if known:
        found = unexpected(t, doc["data"], known)
    return found


def unexpected(t, data, known):
    wanted = {(thread, channel) for thread, channels in known for channel in channels.split()}
    names = [(d["thread"], re.search(r"channel (\w+)", d["detail"])) for d in data]
    names = [(thread, m and m[1]) for thread, m in names]
    t.equal("known differences", sorted(wanted & set(names)), sorted(wanted))
    return [d for d, name in zip(data, names) if name not in wanted]


def told(doc):
    return [(d["op"], d["table"], d["thread"], d["ns"], d["id"] or "") for d in doc["data"]]


# ---- changes ------------------------------------------------------------------------------------------

NAMES = ("FROM checkpoints c, jsonb_each_text(c.checkpoint->'channel_versions') v WHERE "
         "c.thread_id = '{0}' AND c.checkpoint_ns = '{1}' AND v.key = '{2}' AND v.value = '{3}'")


def pick_blob(database):
    """A blob that more than one checkpoint names, and the keys of those."""
    blob = postgres.rows_of(database, """
        SELECT json_build_array(b.thread_id, b.checkpoint_ns, b.channel, b.version)
        FROM checkpoint_blobs b JOIN checkpoints c USING (thread_id, checkpoint_ns)
        WHERE b.type = 'msgpack' AND c.checkpoint->'channel_versions'->>b.channel = b.version
        GROUP BY b.thread_id, b.checkpoint_ns, b.channel, b.version
        HAVING count(*) > 1 ORDER BY b.thread_id, b.version LIMIT 1""")[0]
    keys = postgres.rows_of(database, "SELECT json_build_array(c.thread_id, c.checkpoint_ns, "
                            "c.checkpoint_id) " + NAMES.format(*blob))
    where = "thread_id = '%s' AND checkpoint_ns = '%s' AND channel = '%s' AND version = '%s'"
    return where % tuple(blob), [tuple(k) for k in keys]


def pick(database, table, more="true"):
    key = postgres.rows_of(database, "SELECT json_build_array(thread_id, checkpoint_ns, "
                           "checkpoint_id, ctid::text) FROM %s WHERE %s ORDER BY ctid LIMIT 1" %
                           (table, more))[0]
    return "ctid = '%s'" % key[3], tuple(key[:3])


def changes(database):
    """(what, SQL, the differences that must be told)"""
    blob, named = pick_blob(database)
    write, at = pick(database, "checkpoint_writes", "type = 'msgpack'")
    row, key = pick(database, "checkpoints", "parent_checkpoint_id IS NOT NULL")
    alone = [("only-b", "values", key[0], key[1], "")] * postgres.rows_of(database, """
        SELECT json_build_array(count(*)) FROM checkpoint_blobs b, checkpoints c
        WHERE c.%s AND b.thread_id = c.thread_id AND b.checkpoint_ns = c.checkpoint_ns
            AND c.checkpoint->'channel_versions'->>b.channel = b.version AND NOT EXISTS (
                SELECT 1 FROM checkpoints d WHERE d.thread_id = c.thread_id
                AND d.checkpoint_ns = c.checkpoint_ns AND d.checkpoint_id <> c.checkpoint_id
                AND d.checkpoint->'channel_versions'->>b.channel = b.version)""" % row)[0][0]
    return [
        ("a value", "UPDATE checkpoint_blobs SET blob = '\\xa3414243' WHERE " + blob,
         [("differs", "values", *k) for k in named]),
        ("a value of another type", "UPDATE checkpoint_blobs SET type = 'bytes' WHERE " + blob,
         [("differs", "values", *k) for k in named]),
        ("a lost value", "DELETE FROM checkpoint_blobs WHERE " + blob,
         [("only-a", "values", *k) for k in named]),
        ("an inline value", "UPDATE checkpoints SET checkpoint = jsonb_set(checkpoint, "
         "'{channel_values,extra}', '1.0') WHERE " + row, [("only-b", "values", *key)]),
        ("a write", "UPDATE checkpoint_writes SET blob = '\\xa3414243' WHERE " + write,
         [("differs", "writes", *at)]),
        ("a write's channel", "UPDATE checkpoint_writes SET channel = 'x' WHERE " + write,
         [("differs", "writes", *at)]),
        ("a lost write", "DELETE FROM checkpoint_writes WHERE " + write, [("only-a", "writes", *at)]),
        ("a write more", "INSERT INTO checkpoint_writes SELECT thread_id, checkpoint_ns, "
         "checkpoint_id, 'zz', idx, channel, type, blob, task_path FROM checkpoint_writes "
         "WHERE " + write, [("only-b", "writes", *at)]),
        ("a write of no checkpoint", "INSERT INTO checkpoint_writes SELECT thread_id, "
         "checkpoint_ns, 'zz', task_id, idx, channel, type, blob, task_path FROM "
         "checkpoint_writes WHERE " + write, [("only-b", "writes", at[0], at[1], "zz")]),
        ("a parent", "UPDATE checkpoints SET parent_checkpoint_id = 'zz' WHERE " + row,
         [("differs", "checkpoints", *key)]),
        ("no parent", "UPDATE checkpoints SET parent_checkpoint_id = NULL WHERE " + row,
         [("differs", "checkpoints", *key)]),
        ("metadata", "UPDATE checkpoints SET metadata = metadata || '{\"step\":1.0}' WHERE " + row,
         [("differs", "checkpoints", *key)]),
        ("a version", "UPDATE checkpoints SET checkpoint = jsonb_set(checkpoint, "
         "'{versions_seen,x}', '{}') WHERE " + row, [("differs", "checkpoints", *key)]),
        ("a lost checkpoint", "DELETE FROM checkpoints WHERE " + row,
         [("only-a", "checkpoints", *key), *alone]),
        ("a lost checkpoint with its writes", "WITH gone AS (DELETE FROM checkpoint_writes "
         "WHERE thread_id = '%s' AND checkpoint_ns = '%s' AND checkpoint_id = '%s') "
         "DELETE FROM checkpoints WHERE %s" % (*key, row),
         [("only-a", "checkpoints", *key), *alone]),
        ("a checkpoint more", "INSERT INTO checkpoints SELECT thread_id, checkpoint_ns, 'zz', "
         "parent_checkpoint_id, type, checkpoint, metadata FROM checkpoints WHERE " + row,
         [("only-b", "checkpoints", key[0], key[1], "zz")]),
    ]


def check_changes(path, database):
    """Each change in a copy of the database."""
    copy = postgres.Database(None)
    copy.name = database.name + "_copy"
    copy.address = database.address.replace(database.name, copy.name)
    for what, sql, want in changes(database.name):
        t = common.Tally()
        postgres.psql("postgres", "CREATE DATABASE %s TEMPLATE %s" % (copy.name, database.name))
        try:
            postgres.psql(copy.name, sql)
            t.equal("told", sorted(compared(t, path, copy.address)), sorted(want))
        finally:
            copy.__exit__()
        yield what + " is told and nothing else", t


# ---- all of them --------------------------------------------------------------------------------------

def parts(name):
    path = broken.copied(FIXTURES / name / "store.db")
    with postgres.Database() as database:
        t = common.Tally()
        carry(t, path, database.address)
        t.equal("differences", compared(t, path, database.address,
                                        KNOWN.get(name, ())), [])
        yield "is the same through both savers", t
        if name == CHANGED:
            yield from check_changes(path, database)


def main(chosen):
    logging.disable(logging.WARNING)            # of types that are not registered
    total, n, bad = common.Tally(), 0, 0
    for name in chosen or CHOSEN:
        for what, t in parts(name):
            n += 1
            common.tap(n, "%s: %s" % (name, what), t.problems)
            bad += bool(t.problems)
            total.count.update(t.count)
    print("1..%d" % n)
    print("# compared: " + common.totals(total.count))
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
