"""No room while a store of SQLite is pruned: on disks of many sizes, as a file system of their own where
one can be mounted, else as a limit to the size of files. It says so (exit 9, which file, a hint), the store
is whole, nothing is gone without its archive. TAP.

    full.py [SIZES]     of each case (14). CKPT=build/ckpt
"""
import contextlib
import pathlib
import resource
import shutil
import sqlite3
import subprocess
import sys

import kill
import madestore as made
from madestore import common

SIZES = int(sys.argv[1]) if len(sys.argv) > 1 else 14
CASES = {"in place": ("store",), "in place, with a journal": ("store",), "written anew": ("store",),
         "the same with a journal": ("store",), "archived": ("kept", "store"), "archived in lines": ("kept",),
         "down to a size, archived": ("kept",)}


def mounted(folder, kb):
    return subprocess.run(["mount", "-t", "tmpfs", "-o", "size=%dk" % kb, "tmpfs", str(folder)],
                          capture_output=True).returncode == 0


@contextlib.contextmanager
def small(case, which, kb, mounts):
    """A store, its folder or that of its archive with so much room beside what is there; and how to run."""
    store = case.store()
    folder = store.parent if which == "store" else store.parent.parent / "kept"
    size = kb * 1024
    how = {}
    if which == "store":
        size += -(-store.stat().st_size // 4096) * 4096
    if mounts:
        mounted(folder, size // 1024)
        if which == "store":
            shutil.copyfile(case.source, store)
    else:
        how["preexec_fn"] = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
    try:
        yield store, how
    finally:
        if mounts:
            subprocess.run(["umount", str(folder)], check=True)
        shutil.rmtree(store.parent.parent)


def fault_of(case, store, run, hint):
    if run.returncode not in (0, 9):
        return made.said(run)
    if run.returncode == 9 and not ((not hint or "hint: " in run.stderr) and (
            str(store) in run.stderr or (case.archive and case.archive in run.stderr))):
        return "no file, or no hint: " + made.said(run)
    return case.look(store)


def case_of(t, case, which, mounts):
    """All sizes: from where nothing fits to where all does."""
    most, least = 2 * case.source.stat().st_size // 1024, None
    for i in range(SIZES):
        kb = 4 + most * i * i // ((SIZES - 1) * (SIZES - 1)) // 4 * 4
        with small(case, which, kb, mounts) as (store, how):
            run = case.run(store, **how)
            try:
                fault = fault_of(case, store, run, mounts)      # a limit is no full disk
            except sqlite3.Error as e:
                fault = "SQLite says: %s" % e
            if fault:
                t.fail("%s, %d KiB for the %s" % (case.what, kb, which), fault)
            t.add("went on" if run.returncode == 0 else "told")
            if run.returncode == 0 and least is None:
                least = kb
    if mounts and (not t.count["told"] or not t.count["went on"]):
        t.fail(case.what, "not both: " + common.totals(t.count))
    return least


def lost_output(t, case):
    store = case.store()
    with open("/dev/full", "wb") as out:
        run = case.run(store, stdout=out)
    fault = case.look(store) if run.returncode == 9 else made.said(run)
    if fault:
        t.fail("stdout on a full device", fault)
    shutil.rmtree(store.parent.parent)


def main():
    number = bad = 0
    with made.folder("full") as d:
        folder = pathlib.Path(d)
        (folder / "try").mkdir()
        mounts = mounted(folder / "try", 64)
        if mounts:
            subprocess.run(["umount", str(folder / "try")], check=True)
        for case in kill.cases(folder, short=True):
            for which in CASES.get(case.what, ()):
                t = common.Tally()
                number += 1
                least = case_of(t, case, which, mounts)
                common.tap(number, "%s, little room for the %s: %s; enough: %s KiB" % (
                    case.what, which, common.totals(t.count), least), t.problems)
                bad += bool(t.problems)
            if case.what in ("in place", "deleted"):
                t = common.Tally()
                number += 1
                lost_output(t, case)
                common.tap(number, case.what + ", told to a full device", t.problems)
                bad += bool(t.problems)
    print("# %s\n1..%d" % ("small file systems" if mounts else "limits to the size of files", number))
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
