"""What a run says that did not do all of its plan: stopped by a signal, or others wrote beside it.
Every number is that of the rows which are gone, or null; what it advises leads to the end.

SQLite, standard library only, run by prune_told.sh; stores and runs are prune_killed.py's.
"""
import contextlib
import json
import os
import pathlib
import signal
import sqlite3
import subprocess
import sys
import tempfile

from prune_killed import CKPT, STEP, common, make, preload

AFTER = "prune.sqlite_commit.after:1:"
GUARDS = ["--min-age", "0", "--active-within", "0"]


def counts(path):
    with contextlib.closing(sqlite3.connect(path, timeout=20)) as db:
        return {"checkpoints": db.execute("SELECT count(*) FROM checkpoints").fetchone()[0],
                "writes": db.execute("SELECT count(*) FROM writes").fetchone()[0],
                "threads": db.execute("SELECT count(DISTINCT thread_id) FROM checkpoints").fetchone()[0]}


def go_on(path):
    """Somebody adds a checkpoint to each thread; how many there are then."""
    with contextlib.closing(sqlite3.connect(path, timeout=20)) as db:
        n = db.execute("INSERT INTO checkpoints SELECT thread_id, '', '2' || substr(max(checkpoint_id), 2), "
                       "max(checkpoint_id), type, checkpoint, metadata FROM checkpoints WHERE "
                       "checkpoint_ns = '' GROUP BY thread_id").rowcount
        db.commit()
    return n


def run(path, words, failpoint=None):
    """Exit code, document, stderr, what is gone of each."""
    env = {**os.environ, "LD_PRELOAD": preload(), "CLOCK_STEP": STEP}
    if failpoint:
        env["CKPT_FAILPOINT"] = failpoint
    before, more = counts(path), 0
    p = subprocess.Popen([CKPT, words[0], "-s", str(path), "--json", *words[1:]], env=env, text=True,
                         stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    if failpoint and failpoint.endswith("stop"):
        os.waitid(os.P_PID, p.pid, os.WSTOPPED)
        more = go_on(path)
        os.kill(p.pid, signal.SIGCONT)
    out, err = p.communicate(timeout=120)
    gone = {k: before[k] - v for k, v in counts(path).items()}
    gone["checkpoints"] += more
    return p.returncode, json.loads(out) if p.returncode >= 0 else None, err, gone


def wrong(summary, gone, names, nulls):
    """Members that do not tell what happened."""
    bad = ["%s: %s, %d are gone" % (k, summary[k], gone[of]) for k, of in names if summary[k] != gone[of]]
    return bad + ["%s: %s" % (k, summary[k]) for k in nulls if summary[k] is not None]


COUNTS = (("checkpoints", "checkpoints"), ("writes", "writes"))
EMPTIED = (*COUNTS, ("threads_emptied", "threads"))
PRUNE = ["prune", *GUARDS, "-y"]
WHOLE = [*PRUNE, "--delete-threads", "--max-delete", "100%"]
NAMED = [*WHOLE, *(x for n in range(6) for x in ("--thread", "t%d" % n))]
SIZE = ["enforce-size", *GUARDS, "-y", "--max-size", "1kB"]

CASES = (  # what, words, how it is disturbed, exit code, members, what is not known, advice
    ("prune, others write", [*PRUNE, "--keep-last", "1"], AFTER + "stop", 0, EMPTIED, ("bytes",), "left alone"),
    ("prune, stopped", [*PRUNE, "--keep-last", "1"], AFTER + "int", 130, EMPTIED, ("bytes",),
     "run the same command again to finish"),
    ("threads, others write", [*WHOLE, "--thread-glob", "*"], AFTER + "stop", 0, EMPTIED, ("bytes",),
     "left alone"),
    ("threads that were named, stopped", NAMED, "prune.sqlite_commit.after:3:term", 143, EMPTIED, ("bytes",),
     "name the others to finish"),
    ("enforce-size, others write", SIZE, AFTER + "stop", 3, COUNTS, ("bytes", "live_bytes"), "left alone"),
    ("enforce-size, stopped", SIZE, AFTER + "int", 130, COUNTS, ("bytes", "live_bytes"),
     "run the same command again to finish"),
    ("delete, stopped", ["delete", "-y", "--thread", "t1", "--thread", "t2"], "delete.commit.after:1:int", 130,
     (*COUNTS, ("threads", "threads")), (), "the same again finishes it"),
)


def case(t, path, words, failpoint, code, names, nulls, advice):
    make(path, 7, 6, 40)
    got, doc, err, gone = run(path, words, failpoint)
    t.add("rows gone", gone["checkpoints"] + gone["writes"])
    bad = wrong(doc["summary"], gone, names, nulls)
    if got != code or advice not in err or bad or not gone["checkpoints"]:
        t.fail("exit %d: %s" % (got, "; ".join(bad)), err[-300:])


def expected(t, path):
    """The same again is another plan once a part of it is gone."""
    make(path, 7, 6, 40)
    words = [*PRUNE, "--keep-last", "1"]
    plan = run(path, [*words, "--dry-run"])[1]["data"]["plan"]
    code, _, err, gone = run(path, [*words, "--expect-plan", plan], AFTER + "term")
    t.add("rows gone", gone["checkpoints"])
    if code != 143 or "the same without --expect-plan finishes it" not in err:
        t.fail("exit %d" % code, err[-300:])
    if run(path, [*words, "--expect-plan", plan])[0] != 7 or run(path, words)[0] != 0:
        t.fail("what was advised", "is not what finishes it")


def archived(t, path):
    """What a killed run had put into its archive is not counted again: no number is told then."""
    make(path, 7, 6, 40)
    words = [*PRUNE, "--keep-last", "1", "--archive", str(path.with_suffix(".archive.db"))]
    killed = run(path, words, "migrate.rename.before:1:kill")[0]
    code, doc, err, gone = run(path, words)
    t.add("rows gone", gone["checkpoints"])
    if killed != -9 or code or "begun by a run before; complete, compared, synced" not in err:
        t.fail("exit %d, %d" % (killed, code), err[-300:])
    if doc["summary"]["checkpoints"] != gone["checkpoints"] or not gone["checkpoints"]:
        t.fail("summary", str(doc["summary"]))


def main():
    bad = 0
    with tempfile.TemporaryDirectory(prefix="ckpt-told-") as d:
        every = [(what, lambda t, path, rest=rest: case(t, path, *rest)) for what, *rest in CASES]
        every.append(("an expected plan, stopped", expected))
        every.append(("an archive, killed", archived))
        for n, (what, test) in enumerate(every, 1):
            t = common.Tally()
            test(t, pathlib.Path(d) / ("%d.db" % n))
            common.tap(n, "%s; %s" % (what, common.totals(t.count)), t.problems)
            bad += bool(t.problems)
        print("1..%d" % len(every))
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
