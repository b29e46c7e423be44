"""The power fails while a store of SQLite is pruned, limited or deleted from: of what was not synced
any part may be on disk, in any order. From a record of what a run did to files (files.c) such disks
are made and looked at: SQLite says that the file is whole, what is to stay is there byte by byte, and
nothing is gone of which the archive is not there and complete. TAP.

    power.py [STATES]   of all runs together (150). CKPT=build/ckpt FAILPOINTS=… SEED

A file's bytes and its length are on disk once it was synced; names are once their folder was, and
before that in the order in which they were given. What was not synced is there or not, write by write,
and the last one may end in the middle.
"""
import os
import pathlib
import random
import shutil
import sqlite3
import struct
import sys

import kill
import madestore as made
from madestore import common

STATES = int(sys.argv[1]) if len(sys.argv) > 1 else 150
SEED = os.environ.get("SEED", "1")
RECORD = struct.Struct("=IIIIq")
SECTOR = 512
FOLDERS = ("store", "kept")                     # of the store, and of its archive


# ---- a record -------------------------------------------------------------------------------------------

def calls_of(path, folder):
    """(what, name, offset, bytes or other name) of the files in folders of this folder."""
    data, at, calls = path.read_bytes(), 0, []
    while at < len(data):
        what, n, more, _, offset = RECORD.unpack_from(data, at)
        at += RECORD.size
        name, at = pathlib.Path(data[at:at + n].decode()), at + n
        rest, at = data[at:at + more], at + more
        if name.parent.parent == folder and name.parent.name in FOLDERS and not name.name.endswith("-shm"):
            calls.append((chr(what), str(name.relative_to(folder)), offset, rest))
        elif name.parent == folder and what == ord("s"):
            calls.append(("f", name.name, 0, b""))
    return calls


class File:
    """What is on disk of one, and what may be."""

    def __init__(self, data=b""):
        self.synced, self.rest = bytearray(data), []

    def now(self, r=None):
        """Its bytes; with `r` only some of what was not synced."""
        data = bytearray(self.synced)
        keep = r.random() if r else 1
        for what, offset, more in self.rest:
            if r and r.random() > keep:
                continue
            if what == "t":
                data[offset:] = bytes(max(0, offset - len(data)))
                continue
            if r and len(more) > SECTOR and r.random() < 0.1:
                more = more[:r.randrange(1, len(more) // SECTOR + 1) * SECTOR]
            data[len(data):] = bytes(max(0, offset - len(data)))
            data[offset:offset + len(more)] = more
        return bytes(data)

    def sync(self):
        self.synced, self.rest = bytearray(self.now()), []


class Disk:
    """Two folders: names that are on disk, and what was done to names since."""

    def __init__(self, files):
        self.names = {name: File(data) for name, data in files.items()}
        self.known, self.since = dict(self.names), {folder: [] for folder in FOLDERS}

    def name(self, name, done):
        done(self.names)
        self.since[os.path.dirname(name)].append(done)

    def do(self, what, name, offset, more):
        if what == "f":
            for done in self.since[name]:
                done(self.known)
            self.since[name] = []
        elif what == "u":
            self.name(name, lambda names: names.pop(name, None))
        elif what in "rl":
            other = os.path.join(os.path.dirname(name), os.path.basename(more.decode()))
            file = self.names[name]

            def done(names):
                if what == "r":
                    names.pop(name, None)
                names[other] = file
            self.name(name, done)
        else:
            file = self.names.get(name)
            if not file:
                file = File()
                self.name(name, lambda names: names.update({name: file}))
            if what == "s":
                file.sync()
            else:
                file.rest.append((what, offset, more))

    def crash(self, r):
        """Files as they may be found: all, none or some of what was not synced."""
        how = r.choice(("all", "none", "some", "some", "some"))
        names = dict(self.known)
        for since in self.since.values():
            for done in since[:{"all": len(since), "none": 0}.get(how, r.randrange(len(since) + 1))]:
                done(names)
        return {name: file.now() if how == "all" else bytes(file.synced) if how == "none" else file.now(r)
                for name, file in names.items()}


# ---- runs -----------------------------------------------------------------------------------------------

class Run:
    """A case of kill.py, recorded; `killed` at a place first, and then again."""

    def __init__(self, case, killed=None):
        self.case, self.what = case, case.what + (", killed at %s before" % killed if killed else "")
        store = case.store()
        record = store.parent.parent / "record"
        env = {"LD_PRELOAD": made.preload("files"), "CRASH_RECORD": str(record)}
        if killed:
            case.run(store, {**env, "CKPT_FAILPOINT": killed + ":1:kill"})
        run = case.run(store, env)
        if run.returncode:
            raise OSError("%s: %s" % (self.what, made.said(run)))
        self.calls = calls_of(record, store.parent.parent)
        self.found = {"store/store.db": case.source.read_bytes()}
        end = Disk(self.found)
        for call in self.calls:
            end.do(*call)
        # what was recorded is what was done, or the states would be of another run
        for name in case.files(store) - {"record"}:
            if end.names[name].now() != (store.parent.parent / name).read_bytes():
                raise OSError("%s: the record lacks something of %s" % (self.what, name))
        shutil.rmtree(store.parent.parent)

    def states(self, n, r):
        """n of them, each after some call, in order; half of them where something gets on disk."""
        disk, at = Disk(self.found), 0
        marks = [i for i, call in enumerate(self.calls) if call[0] in "sfrlu"]
        stops = [r.choice(marks) if r.random() < 0.5 else r.randrange(len(self.calls)) for _ in range(n)]
        for stop in sorted(stops):
            while at <= stop:
                disk.do(*self.calls[at])
                at += 1
            yield stop + 1, disk.crash(r)

    def check(self, t, n, r):
        gone = 0
        for stop, files in self.states(n, r):
            top = self.case.folder / "state"
            for name in FOLDERS:
                (top / name).mkdir(parents=True)
            for name, data in files.items():
                (top / name).write_bytes(data)
            try:
                store = top / "store" / "store.db"
                fault = self.case.look(store)
                gone += made.rows_of(store) != self.case.before
            except sqlite3.Error as e:
                fault = "SQLite says: %s" % e
            if fault:
                t.fail("%s, after call %d of %d" % (self.what, stop, len(self.calls)), fault)
            t.add("states")
            shutil.rmtree(top)
        t.add("with rows gone", gone)


def runs(folder):
    rename, archive = "migrate.rename.after", "migrate.archive.synced"
    for case in kill.cases(folder, short=True):
        yield Run(case)
        if case.what.startswith("archived"):
            yield Run(case, archive if case.archive.endswith("jsonl") else rename)


def main():
    bad = number = 0
    r = random.Random("power " + SEED)
    with made.folder("power") as d:
        recorded = list(runs(pathlib.Path(d)))
        for number, run in enumerate(recorded, 1):
            t = common.Tally()
            run.check(t, -(-STATES // len(recorded)), r)
            common.tap(number, "%s: %s" % (run.what, common.totals(t.count)), t.problems)
            bad += bool(t.problems)
    print("# seed %s\n1..%d" % (SEED, number))
    return 1 if bad or not number else 0


if __name__ == "__main__":
    sys.exit(main())
