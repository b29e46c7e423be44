"""No memory, once, at the N-th time that a command asks for some: it says so (exit 9, no_memory), or
does without; it never crashes, and a store of SQLite has all that is to stay. TAP.

    memory.py [EVERY]   each EVERY-th N (1: all); without it a sample. CKPT=build/ckpt SEED
"""
import json
import os
import pathlib
import random
import shutil
import sqlite3
import sys

import madestore as made
from madestore import common

EVERY = int(sys.argv[1]) if len(sys.argv) > 1 else 0
SEED = os.environ.get("SEED", "1")
SAMPLE = 40                                     # of each command
FEW = ("--keep-last", "1", *made.GUARDS)
COMMANDS = (
    ("a dry run", "wal", ("prune", *FEW, "--dry-run"), None),
    ("prune", "wal", ("prune", *FEW, "--yes"), None),
    ("prune, with a journal", "delete", ("prune", *FEW, "--yes"), None),
    ("prune, written anew", "wal", ("prune", *FEW, "--yes", "--vacuum=full"), None),
    ("prune, vacuumed", "delete", ("prune", *FEW, "--yes", "--vacuum=full"), None),
    ("prune, archived", "wal", ("prune", *FEW, "--yes"), "gone.db"),
    ("prune, archived in lines", "wal", ("prune", *FEW, "--yes"), "gone.jsonl"),
    ("enforce-size", "wal", ("enforce-size", "--max-size", "8kB", *made.GUARDS, "--yes"), None),
    ("delete", "wal", ("delete", "--thread", "t1", "--thread", "t2", "--yes"), None),
    ("copy", "wal", ("copy", "t1", "t9"), None))


class Case:
    def __init__(self, folder, what, mode, words, archive):
        self.what, self.words, self.archive, self.folder = what, words, archive, folder / "run"
        self.source = folder / (mode + ".db")
        self.before = made.rows_of(self.source)
        log = folder / "asked"
        store = made.copy_store(self.source, self.folder)
        run = self.run(store, FAIL_LOG=str(log))
        if run.returncode:
            raise OSError("%s: %s" % (what, made.said(run)))
        self.asked = int(log.read_text())
        self.kept = made.rows_of(store)
        self.left = made.beside(store)
        shutil.rmtree(self.folder)

    def run(self, store, **env):
        words = (*self.words, *(("--archive", store.with_name(self.archive)) if self.archive else ()))
        return made.ckpt(store, *words, "--json", env={"LD_PRELOAD": made.preload("memory"), **env})

    def store_fault(self, store, done):
        now = made.rows_of(store)
        if done:
            return None if now == self.kept else "it said that all is done, and it is not"
        if self.words[0] == "copy":
            few, many = self.before, self.kept
        else:
            few, many = self.kept, self.before
        for table in made.TABLES:
            if not few[table] <= now[table] <= many[table]:
                return "rows of %s are neither as before nor as after" % table
        if self.archive and now != self.before and not store.with_name(self.archive).exists():
            return "rows are gone, the archive is not there"
        check = made.ckpt(store, "check")
        return "check: " + made.said(check) if check.returncode else None

    def fault(self, store, run):
        """What is wrong with this run, or None."""
        if run.returncode < 0:
            return "a crash: " + made.said(run)
        if run.returncode not in (0, 9):
            return made.said(run)
        if run.returncode == 9:
            try:
                error = json.loads(run.stderr.strip().splitlines()[-1])
            except (ValueError, IndexError):
                return "no error in JSON: " + made.said(run)
            if error["code"] != "no_memory":
                return made.said(run)
        fault = self.store_fault(store, run.returncode == 0)
        # the next run goes on with an archive that was begun
        left = [name for name in made.beside(store) if name not in self.left and ".part" not in name]
        return fault or ("left behind: " + " ".join(left) if left else None)

    def without(self, t, n, on):
        store = made.copy_store(self.source, self.folder)
        run = self.run(store, FAIL_AT=str(n), **({"FAIL_ON": "1"} if on else {}))
        try:
            fault = self.fault(store, run)
        except sqlite3.Error as e:
            fault = "SQLite says: %s" % e
        if fault:
            t.fail("%s, at %d of %d%s" % (self.what, n, self.asked, " and on" if on else ""), fault)
        t.add("told" if run.returncode else "did without")
        shutil.rmtree(self.folder)


def main():
    bad = 0
    r = random.Random("memory " + SEED)
    with made.folder("memory") as d:
        folder = pathlib.Path(d)
        for mode in ("wal", "delete"):
            made.make_mixed(folder / (mode + ".db"), 4, 6, 300, mode, ())
        for number, words in enumerate(COMMANDS, 1):
            t = common.Tally()
            case = Case(folder, *words)
            every = range(1, case.asked + 1)
            for n in every[::EVERY] if EVERY else sorted(r.sample(every, min(SAMPLE, case.asked))):
                case.without(t, n, False)
                if EVERY or n % 4 == 0:
                    case.without(t, n, True)
            if not t.count["told"]:
                t.fail(case.what, "was never without memory")
            common.tap(number, "%s: %s of %d" % (case.what, common.totals(t.count), case.asked), t.problems)
            bad += bool(t.problems)
    print("# seed %s\n1..%d" % (SEED, len(COMMANDS)))
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
