"""Stores of SQLite that are pruned, limited and deleted from, killed: at every named place
(lib/failpoint.h) several times, and at calls that change a file. What is to stay is there as it was,
what went is in the archive, and the same command again ends as if nothing had been. TAP.

    kill.py [MORE]      MORE times as many file calls (1); FAILPOINTS=build/failpoints/ckpt SEED

Belongs here: runs that end at once. Runs that go on where something fails: full.py, memory.py.
"""
import contextlib
import json
import os
import pathlib
import random
import shutil
import signal
import sqlite3
import subprocess
import sys

import madestore as made
from madestore import common

MORE = int(sys.argv[1]) if len(sys.argv) > 1 else 1
SEED = os.environ.get("SEED", "1")
PROGRAM = os.environ.get("FAILPOINTS", str(made.TOP / "build" / "failpoints" / "ckpt"))
CALLS = 6 * MORE                                # file calls of a case at which it is killed
KILLS = 40                                      # at least, at named places
NAMES = ["t%d" % n for n in range(3, 9)]


class Case:
    """A command on a store; what an uninterrupted run of it leaves."""

    def __init__(self, folder, what, store, words, hits, archive=None):
        self.what, self.words, self.hits = what, list(words), hits
        self.archive, self.folder, self.runs = archive, folder, 0
        self.source = folder / (store + ".db")
        self.before = made.rows_of(self.source)
        store = self.store()
        log = folder / "calls"
        run = self.run(store, {"LD_PRELOAD": made.preload("files"), "CRASH_LOG": str(log)})
        if run.returncode:
            raise OSError("%s: %s" % (what, made.said(run)))
        self.calls = int(log.read_text())
        self.kept = made.rows_of(store)
        self.left = self.files(store)
        self.gone = {t: self.before[t] - self.kept[t] for t in made.TABLES}
        if not self.gone["checkpoints"] or not self.kept["checkpoints"]:
            raise OSError("%s: all or nothing goes" % what)
        shutil.rmtree(store.parent.parent)

    @staticmethod
    def files(store):
        """All that there are."""
        top = store.parent.parent
        return {str(x.relative_to(top)) for x in top.rglob("*") if x.is_file()}

    def store(self):
        self.runs += 1
        folder = self.folder / ("%s %d" % (self.what, self.runs))
        for name in ("temp", "kept"):           # an archive is in another folder than its store
            (folder / name).mkdir(parents=True)
        return made.copy_store(self.source, folder / "store")

    def run(self, store, env=None, dry=False, **how):
        words = list(self.words)
        if self.archive and not dry:
            words += ["--archive", str(store.parent.parent / "kept" / self.archive)]
        if words[0] == "delete":                # a name that is gone is not found a second time
            with contextlib.closing(sqlite3.connect(store)) as db:
                there = {name for (name,) in db.execute("SELECT thread_id FROM checkpoints UNION "
                                                        "SELECT thread_id FROM writes")}
            names = [name for name in NAMES if name in there]
            if not names:
                return subprocess.CompletedProcess(words, 0, '{"summary":{"checkpoints":0}}', "")
            words += [word for name in names for word in ("--thread", name)]
        temp = str(store.parent.parent / "temp")
        return made.ckpt(store, *words, "--dry-run" if dry else "--yes", "--json", program=PROGRAM,
                         env={"TMPDIR": temp, "SQLITE_TMPDIR": temp, **(env or {})}, **how)

    # ---- what must hold ----

    def archived(self, archive):
        """What it lacks of that which was to go; None: nothing."""
        if archive.suffix == ".jsonl":
            back = archive.with_name("back.db")
            p = subprocess.run([PROGRAM, "migrate", str(archive), str(back)], env=made.ENV,
                               capture_output=True, text=True)
            if p.returncode:
                return "the archive: " + made.said(p)
            rows = made.rows_of(back)
            back.unlink()
        else:
            rows = made.rows_of(archive)
        lacks = [table for table in ("checkpoints", "writes") if not self.gone[table] <= rows[table]]
        return "the archive lacks rows of " + " and ".join(lacks) if lacks else None

    def look(self, store):
        """At a copy: to look recovers a store."""
        copy = store.parent.parent / "copy"
        for name in ("store", "kept"):
            shutil.copytree(store.parent.parent / name, copy / name,
                            ignore=shutil.ignore_patterns("*-shm"))
        there = copy / "store" / store.name
        now = made.rows_of(there)
        fault = made.faults_of(now, self.before, self.kept)
        if not fault:
            check = made.ckpt(there, "check", program=PROGRAM)
            fault = "check: " + made.said(check) if check.returncode else None
        if not fault and self.archive and now["checkpoints"] != self.before["checkpoints"]:
            there = copy / "kept" / self.archive
            fault = self.archived(there) if there.exists() else "rows are gone, the archive is not there"
        shutil.rmtree(copy)
        return fault

    @staticmethod
    def gone_by(run):
        return json.loads(run.stdout)["summary"]["checkpoints"]

    def again(self, store):
        p = self.run(store)
        if p.returncode:
            return "again: " + made.said(p)
        idle = not self.gone_by(p)
        now = made.rows_of(store)
        fault = made.faults_of(now, self.before, self.kept)
        if fault:
            return "again: " + fault
        more = self.gone_by(self.run(store, dry=True))
        if more:
            return "again: %d checkpoints are still to go" % more
        # where nothing is left to do the lock is not taken, and that of a killed run stays
        left = self.files(store) - self.left - ({"store/store.db-ckpt"} if idle else set())
        return "again: left behind: " + " ".join(sorted(left)) if left else None

    def killed(self, t, where, env):
        """Once; false if the run came to its end."""
        store = self.store()
        p = self.run(store, env)
        if p.returncode != -signal.SIGKILL:
            if p.returncode:
                t.fail("%s, %s" % (self.what, where), made.said(p))
            shutil.rmtree(store.parent.parent)
            return False
        try:
            fault = self.look(store) or self.again(store)
        except sqlite3.Error as e:
            fault = "SQLite says: %s" % e
        if fault:
            t.fail("%s, killed at %s" % (self.what, where), fault)
        t.add("kills")
        shutil.rmtree(store.parent.parent)
        return True


# ---- the cases --------------------------------------------------------------------------------------------

def cases(folder, short=False):
    """`short`: none needs several transactions."""
    long, rest = ((6, 60), (6, 60)) if short else ((40, 60), (16, 60))
    for name, mode, threads, each in (("long", "wal", *long), ("long-journal", "delete", *long),
                                      ("wal", "wal", *rest), ("delete", "delete", *rest)):
        made.make_mixed(folder / (name + ".db"), threads, each, 300, mode, () if short else made.MIXED)
    few, many = ("prune", "--keep-last", "1", *made.GUARDS), ("prune", "--keep-last", "40", *made.GUARDS)
    prune, rewrite = "prune.sqlite_", "prune.rewrite_"
    batch = {"row.after": (1, 2, 400, 1200), "commit.before": (1, 2), "commit.after": (1, 2)}
    batches = {prune + k: v for k, v in batch.items()}
    anew = {rewrite + k: (1,) for k in ("lock.after", "copy.after", "swap.before", "swap.after")}
    copied = {name: (1, 2) for name in names("migrate.")}
    one = {name: (1,) for name in batches}
    threads = ("prune", "--delete-threads", "--thread-glob", "t*[0-4]", "--max-delete", "100%", *made.GUARDS)
    size = ("enforce-size", "--max-size", "100kB" if short else "500kB", *made.GUARDS)
    for what, store, words, hits, *archive in (
            ("in place", "long", few, batches), ("in place, with a journal", "long-journal", few, batches),
            ("written anew", "wal", (*few, "--vacuum=full"), anew),
            ("deleted, then vacuumed", "wal", (*many, "--vacuum=full"), one),
            ("the same with a journal", "delete", (*few, "--vacuum=full"), one),
            ("archived", "wal", few, {**copied, **one}, "gone.db"),
            ("archived in lines", "delete", few, {**copied, **one}, "gone.jsonl"),
            ("archived, and written anew", "wal", (*few, "--vacuum=full"), anew, "gone.db"),
            ("whole threads", "long", threads, one), ("down to a size", "long", size, one),
            ("down to a size, archived", "wal", size, one, "gone.jsonl"),
            ("deleted", "wal", ("delete",), {"delete.commit.before": (1, 3, 6), "delete.commit.after": (1, 4)})):
        yield Case(folder, what, store, words, hits, *archive)


def names(prefix):
    return subprocess.run([str(made.TOP / "tests" / "failpoints.sh"), prefix], check=True,
                          capture_output=True, text=True).stdout.split()


def main():
    want = {*names("prune.sqlite_"), *names("prune.rewrite_"), *names("delete."), *names("migrate.rename."),
            *names("migrate.archive.")}
    reached, kills, bad, n = set(), 0, 0, 0
    r = random.Random("kill " + SEED)
    with made.folder("kill") as d:
        for n, case in enumerate(cases(pathlib.Path(d)), 1):
            t = common.Tally()
            for name, hits in case.hits.items():
                for hit in hits:
                    if not case.killed(t, "%s:%d" % (name, hit), {"CKPT_FAILPOINT": "%s:%d:kill" % (name, hit)}):
                        break
                    reached.add(name)
            kills += t.count["kills"]
            for at in sorted(r.sample(range(1, case.calls + 1), min(CALLS, case.calls))):
                case.killed(t, "call %d of %d" % (at, case.calls), {
                    "LD_PRELOAD": made.preload("files"), "CRASH_AT": str(at)})
            common.tap(n, "%s: %s" % (case.what, common.totals(t.count)), t.problems)
            bad += bool(t.problems)
    t = common.Tally()
    if want - reached:
        t.fail("no run comes by", " ".join(sorted(want - reached)))
    if kills < KILLS:
        t.fail("named places", "%d kills" % kills)
    common.tap(n + 1, "every named place was reached, with %d kills" % kills, t.problems)
    print("# seed %s\n1..%d" % (SEED, n + 1))
    return 1 if bad or t.problems else 0


if __name__ == "__main__":
    sys.exit(main())
