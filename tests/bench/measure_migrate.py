"""Rows of the table for `ckpt migrate`: into PostgreSQL against COPY of rows that are converted
already and against the savers' own put, back into SQLite against inserting from memory. Wall times:
the server works on either side. Three runs each, in turn; the medians count.
"""
import os
import pathlib
import statistics
import subprocess
import time

from measure import CKPT, once

PUT = os.environ.get("PUT_PEER", "").split()
INSERT = os.environ.get("INSERT_PEER", "").split()
TABLES = ("checkpoint_blobs", "checkpoints", "checkpoint_writes")
ROUNDS = 3


def psql(database, *commands, env=None):
    words = [w for c in commands for w in ("-c", c)]
    subprocess.run(["psql", "-qXd", database, *words], check=True, stdout=subprocess.DEVNULL,
                   env=dict(os.environ, **(env or {})))


def fresh(name):
    psql("postgres", 'DROP DATABASE IF EXISTS "%s"' % name, 'CREATE DATABASE "%s"' % name)


def migrate(source, target, *words):
    wall, _, peak, _ = once([CKPT, "migrate", source, target, "--progress", "none", *words])
    return wall / 1e6, peak


def copied(name, folder, compression):
    """Seconds for COPY of the ready rows into empty tables as the saver makes them."""
    psql(name, "TRUNCATE " + ", ".join(TABLES), "CHECKPOINT")
    began = time.perf_counter()
    for table in TABLES:
        psql(name, "\\copy %s from %s (format binary)" % (table, folder / (table + ".bin")),
             env={"PGOPTIONS": "-c default_toast_compression=" + compression})
    return time.perf_counter() - began


def into_postgres(t, name, path, folder, scale):
    runs = {"none": [], "full": [], "lz4": [], "pglz": []}
    peak = 0
    for _ in range(ROUNDS):
        for verify in ("none", "full"):
            fresh("mig")
            wall, rss = migrate(path, "postgresql:///mig", "--verify", verify)
            runs[verify].append(wall)
            peak = max(peak, rss * 1024)
        if not (folder / "checkpoints.bin").exists():
            for table in TABLES:
                psql("mig", "\\copy %s to %s (format binary)" % (table, folder / (table + ".bin")))
        again = migrate(path, "postgresql:///mig", "--verify", "none")[0]
        for compression in ("lz4", "pglz"):
            runs[compression].append(copied("mig", folder, compression))
    mid = {k: statistics.median(v) for k, v in runs.items()}
    row(t, "migrate to PostgreSQL / lz4 COPY of ready rows", name, mid["none"], mid["lz4"], 1.5)
    row(t, "migrate, verified / lz4 COPY", name, mid["full"], mid["lz4"], 2.5)
    row(t, "migrate, all of it there / lz4 COPY", name, again, mid["lz4"], 3)
    times(t, "migrate / plain COPY of ready rows", name, mid["none"], mid["pglz"], 2.5 if name == "M"
          else 1)
    t.add("peak of migrate", name, "%.1f MB" % (peak / 1e6), "", peak / 1e6, "<= 67 MB + 3 rows",
          peak <= 67e6 + 3 * 60e3)
    if PUT:
        fresh("put")
        count = max(100, int(1500 * min(1, scale)))
        each = float(subprocess.run([*PUT, path, "put", str(count)], check=True,
                                    capture_output=True, text=True).stdout)
        total = {"M": 20000, "W": 200000}[name] * scale
        times(t, "migrate / the savers' own put", name, mid["none"], each * total,
              (7 if name == "M" else 15) * min(1, scale))


def back_to_sqlite(t, name, path, folder):
    """The database that into_postgres left is emptied: made again."""
    fresh("mig")
    migrate(path, "postgresql:///mig", "--verify", "none")
    mine, peer = [], []
    for _ in range(ROUNDS):
        for kind in ("new.db", "peer.db"):
            for f in folder.glob(kind + "*"):
                f.unlink()
        mine.append(migrate("postgresql:///mig", str(folder / "new.db"), "--verify", "none")[0])
        peer.append(float(subprocess.run([*INSERT, path, str(folder / "peer.db")], check=True,
                                         capture_output=True, text=True).stdout))
    row(t, "migrate to SQLite / inserting from memory", name, statistics.median(mine),
        statistics.median(peer), 2)


def row(t, job, name, mine, peer, most):
    t.add(job, name, "%.2f s" % mine, "%.2f s" % peer, mine / peer, "<= %g" % most,
          mine / peer <= most)


def times(t, job, name, mine, peer, least):
    t.add(job, name, "%.2f s" % mine, "%.2f s" % peer, peer / mine, ">= %g x" % least,
          peer / mine >= least)


def bench_migrate(t, path, scale, folder):
    for name in ("M", "W"):
        room = pathlib.Path(folder, "migrate-" + name)
        room.mkdir(exist_ok=True)
        try:
            into_postgres(t, name, path[name], room, scale)
            if INSERT:
                back_to_sqlite(t, name, path[name], room)
        finally:
            for f in room.iterdir():
                f.unlink()
            room.rmdir()
