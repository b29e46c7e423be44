"""A prune of a SQLite store, killed at many places through the real command: each time what is left
passes `ckpt check`, and the same command again ends in the very rows of one that nobody disturbed.
And one that others write beside: with a root stays what hangs on it.
Stores have forks, interrupts, subgraphs, delta channels and rows that were put again. TAP; standard
library only, run by prune_killed.sh.
"""
import atexit
import contextlib
import functools
import json
import os
import pathlib
import random
import re
import shutil
import signal
import sqlite3
import struct
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "oracle"))
import common

CKPT = os.environ["CKPT"]
STEP = "1500"  # microseconds: a transaction of some 16 rows, one of 130 that belong together
TABLES = """
CREATE TABLE checkpoints (thread_id TEXT NOT NULL, checkpoint_ns TEXT NOT NULL DEFAULT '',
    checkpoint_id TEXT NOT NULL, parent_checkpoint_id TEXT, type TEXT, checkpoint BLOB, metadata BLOB,
    PRIMARY KEY (thread_id, checkpoint_ns, checkpoint_id));
CREATE TABLE writes (thread_id TEXT NOT NULL, checkpoint_ns TEXT NOT NULL DEFAULT '',
    checkpoint_id TEXT NOT NULL, task_id TEXT NOT NULL, idx INTEGER NOT NULL, channel TEXT NOT NULL,
    type TEXT, value BLOB, task_path TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (thread_id, checkpoint_ns, checkpoint_id, task_id, idx));
PRAGMA journal_mode=WAL;
"""


# ---- stores -------------------------------------------------------------------------------------------

class Snapshot(list):
    """The value of a delta channel, stored whole."""


def pack(v):
    if isinstance(v, dict):
        return struct.pack(">BH", 0xde, len(v)) + b"".join(pack(x) for item in v.items() for x in item)
    if isinstance(v, Snapshot):
        body = pack(list(v))
        return struct.pack(">BIB", 0xc9, len(body), 7) + body
    if isinstance(v, list):
        return struct.pack(">BH", 0xdc, len(v)) + b"".join(map(pack, v))
    if isinstance(v, int):
        return struct.pack(">Bq", 0xd3, v)
    return struct.pack(">BH", 0xda, len(v.encode())) + v.encode() if isinstance(v, str) else b"\xc0"


class Line:
    """A namespace that grows, and what its checkpoints need."""

    def __init__(self, thread, ns="", delta=False, parents=None):
        self.thread, self.ns, self.delta, self.parents = thread, ns, delta, parents
        self.heads, self.step, self.ids = [], 0, []


class Writer:
    def __init__(self, db, seed):
        self.db, self.r, self.clock = db, random.Random(seed), 0x1f0cafe0000

    def next_id(self):
        self.clock += self.r.randrange(1, 50)
        x = "%015x" % self.clock
        return "%s-%s-6%s-8000-%012x" % (x[:8], x[8:12], x[12:], self.r.randrange(2**40))

    def put_write(self, line, ident, channel, value):
        self.db.execute("INSERT INTO writes VALUES (?, ?, ?, ?, 0, ?, 'msgpack', ?, '')", (
            line.thread, line.ns, ident, "task-%s-%d" % (channel, self.r.randrange(2**40)), channel, pack(value)))

    def put(self, line, source="loop"):
        """The next checkpoint: after the newest, or now and then after an older one."""
        at = self.r.choice(line.ids[-6:]) if line.ids and self.r.random() < 0.08 else \
            line.ids[-1] if line.ids else None
        ident, line.step = self.next_id(), line.step + 1
        version = "%032d.0.5" % line.step
        values, versions = {"n": line.step}, {"n": version}
        metadata = {"source": source, "step": line.step, "parents": line.parents or {}}
        if line.delta:
            versions["d"] = version
            if line.step % 9 == 1:
                values["d"] = Snapshot([line.step])
            else:
                metadata["counters_since_delta_snapshot"] = {"d": [line.step % 9, line.step % 9]}
        body = {"v": 4, "id": ident, "ts": "2025-01-01T00:00:00+00:00", "channel_values": values,
                "channel_versions": versions, "versions_seen": {}, "updated_channels": None}
        self.db.execute("INSERT INTO checkpoints VALUES (?, ?, ?, ?, 'msgpack', ?, ?)", (
            line.thread, line.ns, ident, at, pack(body), json.dumps(metadata).encode()))
        self.put_write(line, ident, "d" if line.delta else "n", [line.step])
        asked = at if self.r.random() < 0.2 else ident if line.thread == "t0" else None
        if asked and self.r.random() < 0.7:  # a question, gone on from; of one thread many are open
            self.put_write(line, asked, "__interrupt__", [{"value": "?", "id": "i"}])
        line.ids.append(ident)
        return ident


def make(path, seed, threads, each):
    """Threads that take turns; every other one has a delta channel, some calls and a stateful
    subgraph; the first checkpoint of each is the only one whose source is input."""
    with contextlib.closing(sqlite3.connect(path)) as db:
        db.executescript(TABLES)
        w = Writer(db, seed)
        roots = [Line("t%d" % n, delta=n % 2 == 1) for n in range(threads)]
        steady = {x.thread: Line(x.thread, "agent", x.delta) for x in roots[::3]}
        turns = roots * each
        w.r.shuffle(turns)
        for root in turns:
            ident = w.put(root, "loop" if root.ids else "input")
            if w.r.random() < 0.15:
                call = Line(root.thread, "sub:%012x" % w.r.randrange(2**40), w.r.random() < 0.5, {"": ident})
                for _ in range(w.r.randrange(1, 5)):
                    w.put(call)
            if root.thread in steady and w.r.random() < 0.3:
                w.put(steady[root.thread])
        # put again: the same key, a new row
        rows = db.execute("SELECT * FROM checkpoints WHERE rowid % 4 = 1 ORDER BY rowid").fetchall()
        w.r.shuffle(rows)
        db.executemany("REPLACE INTO checkpoints VALUES (%s)" % ", ".join("?" * 7), rows)
        # writes of a checkpoint that never came: they go with the thread, not after it
        db.execute("INSERT INTO writes SELECT thread_id, checkpoint_ns, '3' || substr(checkpoint_id, 2), "
                   "'late', 0, channel, type, value, '' FROM writes WHERE checkpoint_ns = '' "
                   "GROUP BY thread_id")
        db.commit()


def rows(path):
    with contextlib.closing(sqlite3.connect(path)) as db:
        return {(table, *row) for table in ("checkpoints", "writes")
                for row in db.execute("SELECT rowid, * FROM %s" % table)}


# ---- runs ---------------------------------------------------------------------------------------------

@functools.lru_cache
def preload():
    """clock.c, built."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="ckpt-clock-"))
    atexit.register(shutil.rmtree, folder, True)
    so = folder / "clock.so"
    subprocess.run(["cc", "-D_GNU_SOURCE", "-O1", "-shared", "-fPIC", "-o", str(so),
                    str(HERE / "clock.c"), "-ldl"], check=True)
    return str(so)


def prune(path, words, failpoint=None):
    env = {**os.environ, "LD_PRELOAD": preload(), "CLOCK_STEP": STEP}
    if failpoint:
        env["CKPT_FAILPOINT"] = failpoint
    return subprocess.Popen([CKPT, "prune", "-s", str(path), "--min-age", "0", "--active-within", "0",
                             "--max-delete", "100%", "-y", *words], env=env, text=True,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def ended(run):
    _, err = run.communicate(timeout=120)
    return run.returncode, err


def faults(path):
    run = subprocess.run([CKPT, "check", "-s", str(path)], capture_output=True, text=True)
    return "" if run.returncode == 0 else "exit %d: %s" % (run.returncode, run.stdout[:300])


def copy(path, name):
    to = path.with_name(name)
    for old in path.parent.glob(name + "*"):
        old.unlink()
    shutil.copyfile(path, to)
    return to


def difference(got, want):
    return "%d rows more, %d less: %s" % (len(got - want), len(want - got),
                                          sorted(got ^ want)[:2]) if got != want else ""


def killed_at(t, path, words, want, failpoint):
    """False: the run does not come there."""
    store = copy(path, "killed.db")
    before = rows(store)
    code, err = ended(prune(store, words, failpoint))
    if code == 0:
        return False
    t.add("kills")
    left = rows(store)
    t.add("between", 0 < len(before - left) and left != want)
    for what, fault in (("exit %d: %s" % (code, err), code != -signal.SIGKILL),
                        ("more than the whole run drops", not left >= want),
                        ("check: %s" % faults(store), faults(store))):
        if fault:
            t.fail("killed at " + failpoint, what)
    code, err = ended(prune(store, words))
    wrong = "exit %d: %s" % (code, err) if code else difference(rows(store), want)
    if wrong:
        t.fail("again after " + failpoint, wrong)
    return True


def case(t, folder, seed, words):
    path = folder / ("store%d.db" % seed)
    make(path, seed, 8, 40)
    with contextlib.closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    whole = copy(path, "whole.db")
    code, err = ended(prune(whole, words))
    want = rows(whole)
    t.add("rows gone", len(rows(path)) - len(want))
    if code or len(want) == len(rows(path)) or faults(whole) or faults(path):
        t.fail("undisturbed", "exit %d: %s %s" % (code, err, faults(path) + faults(whole)))
    for name in ("prune.sqlite_commit.before", "prune.sqlite_commit.after"):
        hit = 1
        while killed_at(t, path, words, want, "%s:%d" % (name, hit)):
            hit += 1
    for hit in sorted(random.Random(seed).sample(range(1, 300), 8)):
        killed_at(t, path, words, want, "prune.sqlite_row.after:%d" % hit)
    if t.count["between"] < 10:
        t.fail("kills", "only %d between the first and the last row" % t.count["between"])
    return t.count["kills"]


def moved(t, folder, words, hangs):
    """Stopped after its first transaction, when somebody adds a checkpoint to each root: none
    of those, nor what hangs on it, loses anything more."""
    path = folder / "moved.db"
    make(path, 5, 8, 40)
    threads = {x[2] for x in rows(path)}
    run = prune(path, words, "prune.sqlite_commit.after:1:stop")
    os.waitid(os.P_PID, run.pid, os.WSTOPPED)
    with contextlib.closing(sqlite3.connect(path, timeout=20)) as db:
        db.execute("INSERT INTO checkpoints SELECT thread_id, '', '2' || substr(max(checkpoint_id), 2), "
                   "max(checkpoint_id), type, checkpoint, metadata FROM checkpoints WHERE "
                   "checkpoint_ns = '' GROUP BY thread_id")
        db.commit()
    before = {x for x in rows(path) if hangs(x[3])}
    os.kill(run.pid, signal.SIGCONT)
    code, err = ended(run)
    after = rows(path)
    t.add("left alone", len(before))
    wrong = difference({x for x in after if hangs(x[3])}, before)
    gone = len(threads - {x[2] for x in after})  # which go first lies in the order of the rows
    if wrong or code or not before or " was written to" not in err:
        t.fail("exit %d: %s" % (code, err[-200:]), wrong)
    alone = len(set(re.findall("thread '(t[0-9])' was written to", err)))
    if "; %d thread%s emptied, %d active thread%s left alone" % (
            gone, "s" * (gone != 1), alone, "s" * (alone != 1)) not in err:
        t.fail("%d threads are gone, %d left alone" % (gone, alone), err[-200:])


def keyed(path):
    """Rows without their numbers, of which those of an archive have their own."""
    with contextlib.closing(sqlite3.connect(path)) as db:
        return {(table, *row) for table, names in (
            ("checkpoints", "parent_checkpoint_id, type, checkpoint, metadata"),
            ("writes", "task_id, idx, channel, type, value")) for row in db.execute(
                "SELECT thread_id, checkpoint_ns, checkpoint_id, %s FROM %s" % (names, table))}


def archived(t, folder, words):
    """Stopped between the archive and the first deletion, when somebody adds writes to what goes,
    or to a thread: those stay, and nothing is gone that is not in the archive."""
    path, archive = folder / "moved.db", folder / "archive.db"
    make(path, 6, 8, 40)
    archive.unlink(missing_ok=True)
    run = prune(path, (*words, "--archive", str(archive)), "prune.archive.after:1:stop")
    os.waitid(os.P_PID, run.pid, os.WSTOPPED)
    going = {x[1:4] for x in keyed(archive) if x[0] == "checkpoints"}
    late = {min(x for x in going if x[:2] == (thread, "")) for thread in ("t1", "t2")}
    late |= {("t3", "", "soon")} if "--delete-threads" in words else set()
    with contextlib.closing(sqlite3.connect(path, timeout=20)) as db:
        db.executemany("INSERT INTO writes VALUES (?, ?, ?, 'late', 0, 'n', 'msgpack', x'01', '')", late)
        db.commit()
    before = keyed(path)
    os.kill(run.pid, signal.SIGCONT)
    code, err = ended(run)
    gone = before - keyed(path)
    t.add("rows gone", len(gone))
    lost = gone - keyed(archive)
    alone = {x[:2] for x in late}
    if code or lost or not gone:
        t.fail("exit %d: %s" % (code, err[-200:]), "%d rows are in no archive: %s" % (len(lost), sorted(lost)[:2]))
    if any(x[1:3] in alone for x in gone) or err.count(" was written to") != len(late):
        t.fail("left alone", err[-300:])
    again, err = ended(prune(path, words))
    left = {x[1:4] for x in keyed(path)} & (going | late)
    if again or left:
        t.fail("again: exit %d: %s" % (again, err[-200:]), "left: %s" % sorted(left)[:2])


def archived_some(t, folder):
    archived(t, folder, ("--keep-last", "1"))


def archived_threads(t, folder):
    archived(t, folder, ("--delete-threads", "--thread-glob", "t*"))


def archived_anew(t, folder):
    archived(t, folder, ("--delete-threads", "--thread-glob", "t*", "--vacuum=full"))


def killed_anew(t, folder):
    """Threads that go whole, by a copy without them: killed before it is the store nothing is
    changed, after it all is done."""
    path, words = folder / "moved.db", ("--delete-threads", "--thread-glob", "t[1-7]", "--vacuum=full")
    make(path, 7, 8, 20)
    with contextlib.closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    whole = copy(path, "whole.db")
    code, err = ended(prune(whole, words))
    want = rows(whole)
    if code or not want or {x[2] for x in want} != {"t0"}:
        t.fail("undisturbed", "exit %d: %s" % (code, err))
    for name, left in (("lock.after", rows(path)), ("copy.after", rows(path)), ("swap.before", rows(path)),
                       ("swap.after", want)):
        store = copy(path, "killed.db")
        code, err = ended(prune(store, words, "prune.rewrite_" + name))
        t.add("kills", code == -signal.SIGKILL)
        wrong = difference(rows(store), left)
        if wrong or code != -signal.SIGKILL:
            t.fail("killed at %s: exit %d" % (name, code), wrong)


def moved_calls(t, folder):
    moved(t, folder, ("--keep-last", "1"), lambda ns: ns == "" or ":" in ns)


def moved_threads(t, folder):
    moved(t, folder, ("--delete-threads", "--thread-glob", "t*"), lambda ns: True)


CASES = (
    ("keep-last 1", 1, ("--keep-last", "1")),
    ("keep-last 3 and one a day", 2, ("--keep-last", "3", "--keep-daily", "2")),
    ("threads, by name", 3, ("--delete-threads", "--thread-glob", "t[0-5]")),
    ("threads, by what one of its checkpoints says", 4, ("--delete-threads", "--where", "source=input")),
)

BESIDE = (moved_calls, moved_threads, archived_some, archived_threads, archived_anew, killed_anew)


def main():
    bad = kills = 0
    with tempfile.TemporaryDirectory(prefix="ckpt-prune-") as d:
        for n, (what, seed, words) in enumerate(CASES, 1):
            t = common.Tally()
            kills += case(t, pathlib.Path(d), seed, words)
            common.tap(n, "%s; %s" % (what, common.totals(t.count)), t.problems)
            bad += bool(t.problems)
        for n, what in enumerate(BESIDE, len(CASES) + 1):
            t = common.Tally()
            what(t, pathlib.Path(d))
            common.tap(n, "%s; %s" % (what.__name__, common.totals(t.count)), t.problems)
            for file in pathlib.Path(d).glob("moved.db*"):
                file.unlink()
            bad += bool(t.problems)
    print("1..%d" % (len(CASES) + len(BESIDE)))
    return 1 if bad or kills < 40 else 0


if __name__ == "__main__":
    sys.exit(main())
