"""`ckpt` against sqlite3, the real saver and the size of an index: one table of ratios.

    measure.py DIR SCALE     CKPT TIMED WALK RUNS in the environment; see run.sh. Where PGHOST
                             is set too, also rows for PostgreSQL: measure_pg.py

Whole processes, warm cache, output to /dev/null, the two sides of a row in turn. A time is user
plus system time, the median of RUNS runs, so that a busy machine does not decide; the wall time
is told beside it. `check` reads by several threads: its rows compare wall time, the processors'
beside it in brackets, and mean something only where nothing else runs. Bytes are what read(2) and its like returned.
"""
import os
import pathlib
import sqlite3
import statistics
import subprocess
import sys
import tempfile

CKPT = os.environ.get("CKPT", "build/ckpt")
TIMED = os.environ["TIMED"]
WALK = os.environ.get("WALK", "").split()
RUNS = int(os.environ.get("RUNS", "15"))
PEAK = 16 * 1024            # KiB, for every command measured here

GROUP_BY = ("SELECT thread_id,count(*),min(checkpoint_id),max(checkpoint_id) "
            "FROM checkpoints GROUP BY 1")
HISTORY = ("SELECT thread_id,checkpoint_ns,checkpoint_id,parent_checkpoint_id FROM checkpoints "
           "WHERE thread_id='%s' AND checkpoint_ns='' ORDER BY checkpoint_id DESC")
NEWEST = ("SELECT thread_id,checkpoint_ns,checkpoint_id,parent_checkpoint_id,type,hex(checkpoint),"
          "hex(metadata) FROM checkpoints WHERE thread_id='%s' AND checkpoint_ns='' "
          "ORDER BY checkpoint_id DESC LIMIT 1")


class Cost:
    """Medians of several runs of one command."""

    def __init__(self, samples):
        columns = list(zip(*samples))
        self.wall, self.cpu = (statistics.median(c) for c in columns[:2])
        self.peak, self.read = max(columns[2]), statistics.median(columns[3])


def once(command):
    with tempfile.NamedTemporaryFile("r") as f:
        subprocess.run([TIMED, f.name, *command], check=True)
        wall, user, system, peak, read, status = map(int, f.read().split())
    if status:
        sys.exit("measure: exit %d: %s" % (status, " ".join(command)))
    return wall, user + system, peak, read


def alternating(*commands):
    """The commands in turn, RUNS times, after one run each to warm the cache."""
    for c in commands:
        once(c)
    samples = [[] for _ in commands]
    for _ in range(RUNS):
        for c, s in zip(commands, samples):
            s.append(once(c))
    return [Cost(s) for s in samples]


# ---- the table ------------------------------------------------------------------------------------------

def ms(micros):
    return "%.1f ms" % (micros / 1000)


def both(cost):
    return "%.0f (%.0f) ms" % (cost.wall / 1000, cost.cpu / 1000)


def mb(size):
    return "%.2f MB" % (size / 1e6)


class Table:
    HEAD = ("job", "store", "ckpt", "peer", "ratio", "wanted", "verdict")

    def __init__(self):
        self.rows, self.missed, self.peaks = [], 0, {}

    def add(self, job, store, ckpt, peer, ratio, wanted, good):
        self.missed += not good
        self.rows.append((job, store, ckpt, peer, "%.2f" % ratio if ratio < 100 else "%.0f" % ratio,
                          wanted, "ok" if good else "MISSED"))

    def at_most(self, job, store, a, b, show, most):
        self.add(job, store, show(a), show(b), a / b, "<= %g" % most, a / b <= most)

    def at_least(self, job, store, a, b, least):
        self.add(job, store, ms(a), ms(b), b / a, ">= %g x" % least, b / a >= least)

    def peak(self, job, cost):
        self.peaks[job] = cost.peak

    def text(self):
        rows = [self.HEAD, *self.rows]
        widths = [max(len(r[i]) for r in rows) for i in range(len(self.HEAD))]
        lines = ["  ".join(c.ljust(w) for c, w in zip(r, widths)).rstrip() for r in rows]
        return "\n".join([lines[0], "-" * len(lines[0]), *lines[1:]])


# ---- the jobs -------------------------------------------------------------------------------------------

def index_bytes(path):
    """Size of the key index, pages counted by the shell's dbstat."""
    out = subprocess.run(["sqlite3", path, "SELECT sum(pgsize) FROM dbstat "
                          "WHERE name='sqlite_autoindex_checkpoints_1'"],
                         check=True, capture_output=True, text=True)
    return int(out.stdout)


def bench_list(t, name, path, scale):
    mine, peer = alternating([CKPT, "list", "-s", path], ["sqlite3", path, GROUP_BY])
    t.at_most("list / sqlite3 GROUP BY", name, mine.cpu, peer.cpu, ms, 1.3)
    t.at_most("list, bytes read / key index", name, mine.read, index_bytes(path), mb, 1.2)
    t.peak("list " + name, mine)
    if WALK:
        walk = once([*WALK, path])
        # A tenth of the rows takes a tenth of the walk, but ckpt starts no faster.
        least = (500 if name == "M" else 150) * min(1, scale)
        t.at_least("list / walking SqliteSaver.list", name, mine.cpu, walk[1], least)
    return mine


def bench_limit(t, full, wide, narrow):
    """--limit 20: its cost follows the threads, not the rows."""
    many, few = alternating([CKPT, "list", "-s", wide, "--limit", "20"],
                            [CKPT, "list", "-s", narrow, "--limit", "20"])
    t.at_most("list --limit 20 / list", "W", many.cpu, full.cpu, ms, 1.0)
    t.at_most("list --limit 20, bytes / list", "W", many.read, full.read, mb, 1.0)
    t.at_most("list --limit 20, 4x the rows", "W, W4", many.cpu, few.cpu, ms, 1.5)
    t.peak("list --limit 20", many)


def bench_thread(t, path):
    db = sqlite3.connect("file:%s?mode=ro" % path, uri=True)
    count = db.execute("SELECT count(*) FROM checkpoints WHERE thread_id='long'").fetchone()[0]
    db.close()
    mine, peer = alternating([CKPT, "list", "-s", path, "long"], ["sqlite3", path, HISTORY % "long"])
    t.at_most("list THREAD of %d / sqlite3" % count, "M", mine.cpu, peer.cpu, ms, 1.4)
    t.at_most("list THREAD, bytes / sqlite3", "M", mine.read, peer.read, mb, 1.4)
    t.peak("list THREAD", mine)
    mine, peer = alternating([CKPT, "show", "-s", path, "long"], ["sqlite3", path, NEWEST % "long"])
    t.at_most("show newest / sqlite3 row", "M", mine.cpu, peer.cpu, ms, 2)
    t.peak("show", mine)


def bench_check(t, name, path):
    """Every row: against a walk in C, and what Python needs to decode the same. Wall time."""
    mine, peer = alternating([CKPT, "check", "-s", path], [os.environ["CHECK_WALK"], path])
    ratio = mine.wall / peer.wall
    t.add("check, wall / reading and walking in C", name, both(mine), both(peer), ratio, "<= 1.5",
          ratio <= 1.5)
    t.peak("check " + name, mine)
    for what, least in (("ormsgpack", 1), ("library", 8)):
        python = once([*os.environ["CHECK_PEER"].split(), what, path])
        t.at_least("check, wall / %s in Python" % what, name, mine.wall, python[0], least)


def bench_start(t):
    mine, peer = alternating([CKPT, "--version"], [TIMED])
    t.add("--version / empty C program", "-", ms(mine.cpu), ms(peer.cpu), mine.cpu / peer.cpu,
          "<= 3 ms", mine.cpu <= 3000)
    t.peak("--version", mine)


def bench_peak(t):
    job = max(t.peaks, key=t.peaks.get)
    worst = t.peaks[job]
    t.add("peak memory, worst: " + job, "all", "%.1f MiB" % (worst / 1024), "16.0 MiB", worst / PEAK,
          "<= 1", worst <= PEAK)


def main(folder, scale):
    path = {n: str(pathlib.Path(folder, n + ".db")) for n in ("W", "W4", "M")}
    t = Table()
    full = bench_list(t, "W", path["W"], scale)
    bench_list(t, "M", path["M"], scale)
    bench_limit(t, full, path["W"], path["W4"])
    bench_thread(t, path["M"])
    import measure_diff
    measure_diff.bench_diff(t, folder, scale)
    import measure_du
    for name in ("M", "W"):
        measure_du.bench_du(t, name, path[name])
    for name in ("W", "M"):
        bench_check(t, name, path[name])
    bench_start(t)
    import measure_prune
    measure_prune.bench_prune(t, path, folder)
    if os.environ.get("PGHOST"):
        import measure_pg
        measure_pg.bench_postgres(t, scale)
        import measure_migrate
        measure_migrate.bench_migrate(t, path, scale, folder)
        import measure_prune_pg
        measure_prune_pg.bench_prune_pg(t)
    bench_peak(t)
    print("user+system time (pg, check: wall time first), medians of %d runs in turn; scale %g; "
          "load %.1f on %d cores" % (RUNS, scale, os.getloadavg()[0], os.cpu_count()))
    print(t.text())
    if scale < 1:
        print("small stores: start-up weighs too much, a miss is no failure")
    return 1 if t.missed and scale >= 1 else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], float(sys.argv[2])))
