"""Rows of the table for `ckpt prune` on SQLite: beside a writer, against one DELETE of the same rows
by sqlite3 with what Debian sets (secure_delete), that and VACUUM, and what stays written into a new
file. Wall times, each on a fresh copy, in turn; the medians of three count.
"""
import json
import pathlib
import shutil
import sqlite3
import statistics
import subprocess
import sys
import threading
import time

from measure import CKPT, once

LIVE = [sys.executable, str(pathlib.Path(__file__).with_name("live.py"))]
ROUNDS = 3
DOOMED = ("CREATE TEMP TABLE doomed (t, n, c, PRIMARY KEY (t, n, c)) WITHOUT ROWID;"
          "INSERT INTO doomed SELECT thread_id, checkpoint_ns, checkpoint_id FROM (SELECT *, "
          "row_number() OVER (PARTITION BY thread_id, checkpoint_ns ORDER BY checkpoint_id DESC) AS r "
          "FROM checkpoints) WHERE r > %d;")
KEY = "(thread_id, checkpoint_ns, checkpoint_id)"


def fresh(path, to):
    for f in to.parent.glob(to.name + "*"):
        f.unlink()
    shutil.copyfile(path, to)
    subprocess.run(["sync", str(to)], check=True)
    return str(to)


def log_size(path):
    try:
        return pathlib.Path(path + "-wal").stat().st_size
    except FileNotFoundError:
        return 0


def timed(work):
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


class Writer:
    """live.py beside a block; what its puts waited, and how large the log became."""

    def __init__(self, path, pause, name):
        self.path, self.log, self.stop = path, 0, threading.Event()
        self.process = subprocess.Popen([*LIVE, path, str(pause), name], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True)
        self.thread = threading.Thread(target=self.look)

    def look(self):
        while not self.stop.wait(0.02):
            self.log = max(self.log, log_size(self.path))

    def __enter__(self):
        self.thread.start()
        time.sleep(0.3)
        return self

    def __exit__(self, *_):
        self.stop.set()
        self.thread.join()
        self.said = json.loads(self.process.communicate("end\n")[0])


def prune(path, keep, *words):
    wall, _, peak, _ = once([CKPT, "-s", path, "prune", "--keep-last", str(keep), "--yes",
                             "--min-age", "0", "--active-within", "0", "--thread-glob", "[!~]*",
                             "--progress", "none", *words])
    return wall / 1e6, peak * 1024


def delete(path, keep, *more):
    """Seconds, and the bytes of the log."""
    db = sqlite3.connect(path, isolation_level=None)
    db.execute("PRAGMA secure_delete = ON")
    db.executescript(DOOMED % keep)
    began = time.perf_counter()
    for text in ("BEGIN IMMEDIATE", "DELETE FROM writes WHERE %s IN doomed" % KEY,
                 "DELETE FROM checkpoints WHERE %s IN doomed" % KEY, "COMMIT", *more):
        db.execute(text)
    log = log_size(path)
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    db.close()
    return time.perf_counter() - began, log


def new_file(path, keep, to):
    for f in to.parent.glob(to.name + "*"):
        f.unlink()
    db = sqlite3.connect(path, isolation_level=None)
    db.executescript(DOOMED % keep)
    began = time.perf_counter()
    db.execute("ATTACH ? AS made", (str(to),))
    for (text,) in db.execute("SELECT sql FROM main.sqlite_master WHERE type = 'table'").fetchall():
        db.execute(text.replace("CREATE TABLE ", "CREATE TABLE made.", 1))
    db.execute("BEGIN")
    for table in ("checkpoints", "writes"):
        db.execute("INSERT INTO made.%s SELECT * FROM main.%s AS x WHERE NOT EXISTS (SELECT 1 FROM "
                   "doomed WHERE t = x.thread_id AND n = x.checkpoint_ns AND c = x.checkpoint_id)"
                   % (table, table))
    db.execute("COMMIT")
    db.close()
    return time.perf_counter() - began


def quantile(waits, q):
    return waits[min(len(waits) - 1, int(len(waits) * q))] if waits else 0.0


def beside(t, name, path, keep, room):
    mine, peer, log, waits, failed, peak = [], [], 0, [], 0, 0
    for r in range(ROUNDS):
        store = fresh(path, room / (name + ".db"))
        with Writer(store, 50, str(r)) as w:
            wall, rss = prune(store, keep)
        mine.append(wall)
        log, peak = max(log, w.log), max(peak, rss)
        waits += w.said["waits"]
        failed += w.said["failed"]
        peer.append(delete(fresh(path, room / "peer.db"), keep)[0])
    a, b, job = statistics.median(mine), statistics.median(peer), "prune --keep-last %d" % keep
    waits.sort()
    least = 4 if name == "M" else 1 / 1.3
    t.add(job + " / one DELETE", name, "%.2f s" % a, "%.2f s" % b, b / a, ">= %.2g x" % least,
          b / a >= least)
    t.add(job + ": log", name, "%.1f MB" % (log / 1e6), "", log / 1e6, "<= 32 MB", log <= 32e6)
    t.add(job + ": peak", name, "%.1f MB" % (peak / 1e6), "", peak / 1e6, "<= 67 MB", peak <= 67e6)
    t.add(job + ": a writer waits, p99", name, "%.0f ms" % quantile(waits, .99), "",
          quantile(waits, .99), "<= 60 ms", quantile(waits, .99) <= 60)
    t.add(job + ": a writer waits, max", name, "%.0f ms" % waits[-1], "", waits[-1], "<= 500 ms",
          waits[-1] <= 500 and not failed)


def whole(t, name, path, keep, room):
    mine, peer, least = [], [], []
    for _ in range(ROUNDS):
        mine.append(prune(fresh(path, room / (name + ".db")), keep, "--vacuum=full")[0])
        peer.append(delete(fresh(path, room / "peer.db"), keep, "VACUUM")[0])
        least.append(new_file(path, keep, room / "new.db"))
    a, b, c = (statistics.median(x) for x in (mine, peer, least))
    job = "prune --keep-last %d --vacuum=full" % keep
    t.add(job + " / DELETE, VACUUM", name, "%.2f s" % a, "%.2f s" % b, b / a, ">= 4 x", b / a >= 4)
    t.add(job + " / into a new file", name, "%.2f s" % a, "%.2f s" % c, a / c, "<= 3", a / c <= 3)


def bench_prune(t, path, folder):
    room = pathlib.Path(folder, "prune")
    room.mkdir(exist_ok=True)
    try:
        for name in ("M", "W"):
            for keep in (10, 1):
                beside(t, name, path[name], keep, room)
                whole(t, name, path[name], keep, room)
    finally:
        shutil.rmtree(room)
