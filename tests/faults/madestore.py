"""Stores of SQLite for tests of what goes wrong, and what must be true of one afterwards. Standard
library and a C compiler only.

Belongs here: making a store, reading its rows, running ckpt with a library before the C library.
What goes wrong does not: see kill.py, full.py, memory.py, power.py, tests/pg/migrate.py.
"""
import atexit
import contextlib
import functools
import os
import pathlib
import random
import shutil
import sqlite3
import struct
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
TOP = HERE.parent.parent
sys.path.insert(0, str(HERE.parent / "oracle"))
import common

FIXTURES = pathlib.Path(os.environ.get("FIXTURES", TOP / "build" / "fixtures"))
ENV = {k: v for k, v in os.environ.items() if not k.startswith(("CKPT_", "LANGGRAPH_", "PG", "CRASH_", "FAIL_"))}
GUARDS = ("--min-age", "0", "--active-within", "0")
COLUMNS = {"checkpoints": "thread_id, checkpoint_ns, checkpoint_id, parent_checkpoint_id, type, checkpoint, "
           "metadata", "writes": "thread_id, checkpoint_ns, checkpoint_id, task_id, idx, channel, type, value",
           "notes": "id, text"}
TABLES = tuple(COLUMNS)
MIXED = ("py-delta", "py-subgraph")


# ---- making ---------------------------------------------------------------------------------------------

def pack(v):
    """msgpack of what is needed here."""
    if v is None:
        return b"\xc0"
    if isinstance(v, int):
        return struct.pack(">Bq", 0xd3, v)
    if isinstance(v, str):
        return b"\xdb" + struct.pack(">I", len(v.encode())) + v.encode()
    if isinstance(v, list):
        return b"\xdd" + struct.pack(">I", len(v)) + b"".join(map(pack, v))
    return b"\xdf" + struct.pack(">I", len(v)) + b"".join(pack(k) + pack(x) for k, x in v.items())


def make_store(path, threads, each, size, seed="1"):
    """As SqliteSaver makes it: each checkpoint with a new list and two writes."""
    db = sqlite3.connect(path)
    db.executescript("""PRAGMA journal_mode = WAL;
        CREATE TABLE checkpoints (thread_id TEXT NOT NULL, checkpoint_ns TEXT NOT NULL DEFAULT '',
            checkpoint_id TEXT NOT NULL, parent_checkpoint_id TEXT, type TEXT, checkpoint BLOB,
            metadata BLOB, PRIMARY KEY (thread_id, checkpoint_ns, checkpoint_id));
        CREATE TABLE writes (thread_id TEXT NOT NULL, checkpoint_ns TEXT NOT NULL DEFAULT '',
            checkpoint_id TEXT NOT NULL, task_id TEXT NOT NULL, idx INTEGER NOT NULL,
            channel TEXT NOT NULL, type TEXT, value BLOB, task_path TEXT NOT NULL DEFAULT '',
            PRIMARY KEY (thread_id, checkpoint_ns, checkpoint_id, task_id, idx));""")
    r = random.Random(seed)
    for t in range(threads):
        parent = None
        for n in range(each):
            ident = "%08x-0000-6000-8000-%012x" % (n, t)
            version = "%032d.%016d" % (n + 1, t)
            body = {"v": 4, "ts": "2026-11-21T00:00:00+00:00", "id": ident,
                    "channel_values": {"messages": [r.randbytes(size // 2).hex(), n], "n": n},
                    "channel_versions": {"messages": version, "n": version},
                    "versions_seen": {"work": {"n": version}}, "updated_channels": None}
            db.execute("INSERT INTO checkpoints VALUES (?, '', ?, ?, 'msgpack', ?, ?)",
                       ("t%d" % t, ident, parent, pack(body), b'{"source": "loop", "step": %d}' % n))
            for i in range(2):
                db.execute("INSERT INTO writes VALUES (?, '', ?, 'task', ?, 'n', 'msgpack', ?, '~p')",
                           ("t%d" % t, ident, i, pack([n, i])))
            parent = ident
    db.commit()
    db.close()


def make_mixed(path, threads, each, size, mode, fixtures=MIXED):
    """… with delta channels and subgraphs of LangGraph's own, and a table of the application's;
    threads take turns in the file."""
    made = path.with_name("made.db")
    make_store(made, threads, each, size)
    db = sqlite3.connect(path)
    db.execute("PRAGMA journal_mode = " + mode)
    for source in (made, *(FIXTURES / name / "store.db" for name in fixtures)):
        db.execute("ATTACH ? AS other", ("file:%s" % source,))
        if source == made:
            for (sql,) in db.execute("SELECT sql FROM other.sqlite_master WHERE type = 'table'").fetchall():
                db.execute(sql)
            db.execute("CREATE TABLE notes (id INTEGER PRIMARY KEY, text TEXT UNIQUE)")
            db.executemany("INSERT INTO notes (text) VALUES (?)", (("note %d" % n,) for n in range(300)))
        for table in TABLES[:2]:
            names = COLUMNS[table] + (", task_path" if source == made and table == "writes" else "")
            db.execute("INSERT INTO main.%s (%s) SELECT %s FROM other.%s ORDER BY checkpoint_id" %
                       (table, names, names, table))
        db.commit()
        db.execute("DETACH other")
    db.close()
    made.unlink()


# ---- reading --------------------------------------------------------------------------------------------

def rows_of(path):
    """All rows, as sets; of a file that SQLite says is not whole a fault."""
    rows = {}
    with contextlib.closing(sqlite3.connect(path)) as db:
        db.text_factory = bytes
        said = db.execute("PRAGMA integrity_check").fetchone()[0]
        if said != b"ok":
            raise sqlite3.DatabaseError(said.decode("utf-8", "replace"))
        there = {name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        for table, names in COLUMNS.items():
            names += ", task_path" if table == "writes" else ""
            rows[table] = set(db.execute("SELECT %s FROM %s" % (names, table)).fetchall()
                              if table.encode() in there else ())
    return rows


def faults_of(now, before, kept):
    """What is wrong with a store of which some of what was to go is gone. None: nothing."""
    for table in TABLES:
        if not kept[table] <= now[table]:
            return "%d rows of %s that were to stay are gone, or altered" % (
                len(kept[table] - now[table]), table)
        if not now[table] <= before[table]:
            return "%d rows of %s that were never there" % (len(now[table] - before[table]), table)
    keys = {row[:3] for row in now["checkpoints"]}
    had = {row[:3] for row in before["checkpoints"]}
    for row in now["writes"]:
        if row[:3] not in keys and row[:3] in had:
            return "writes without their checkpoint"
    wrote = by_checkpoint(before["writes"])
    left = by_checkpoint(now["writes"])
    for key in keys:
        if left.get(key) != wrote.get(key):
            return "a checkpoint without all of its writes"
    return None


def by_checkpoint(writes):
    by_key = {}
    for row in writes:
        by_key.setdefault(row[:3], set()).add(row)
    return by_key


def beside(path):
    """Files that were left in the store's folder."""
    return sorted(x.name for x in path.parent.iterdir())


def folder(name):
    """A temporary one, in memory if there is such a place: what is tested syncs often."""
    memory = "/dev/shm"
    return tempfile.TemporaryDirectory(prefix="ckpt-%s-" % name,
                                       dir=memory if os.access(memory, os.W_OK) else None)


def copy_store(source, to):
    """Into a folder of its own."""
    to.mkdir(parents=True)
    shutil.copyfile(source, to / "store.db")
    return to / "store.db"


# ---- running --------------------------------------------------------------------------------------------

@functools.lru_cache
def preload(name):
    """files.c or memory.c, built."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="ckpt-preload-"))
    atexit.register(shutil.rmtree, folder, True)
    so = folder / (name + ".so")
    subprocess.run(["cc", "-D_GNU_SOURCE", "-O1", "-shared", "-fPIC", "-o", str(so),
                    str(HERE / (name + ".c")), "-ldl"], check=True)
    return str(so)


def ckpt(store, *words, env=None, program=None, limit=120, **how):
    """A finished run; .returncode is negative after a signal."""
    return subprocess.run([program or common.CKPT, "-s", str(store), *map(str, words)], timeout=limit,
                          env={**ENV, **(env or {})}, stdin=subprocess.DEVNULL, text=True, errors="replace",
                          **{"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **how})


def said(p):
    return "exit %d: %s" % (p.returncode, " | ".join(p.stderr.strip().splitlines()[-3:])[:300])
