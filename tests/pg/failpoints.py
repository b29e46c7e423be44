"""Migrations killed at every named place (lib/failpoint.h), the first three times it is reached: the
same command again ends with every row once, as it was. A name that no run reaches is a fault.
TAP; run inside with-server.sh, by failpoints.sh. Standard library and psql only.
"""
import contextlib
import os
import pathlib
import signal
import sqlite3
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
sys.path.insert(0, str(HERE.parent / "oracle"))
import common
import migrate

HITS = 3
ITEMS = ("CREATE TABLE store (prefix text NOT NULL, key text NOT NULL, value text NOT NULL, created_at "
         "TIMESTAMP DEFAULT CURRENT_TIMESTAMP, updated_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP, expires_at "
         "TIMESTAMP, ttl_minutes REAL, PRIMARY KEY (prefix, key))")


def make_source(path):
    migrate.make_store(path, 20, 120, 300)
    with contextlib.closing(sqlite3.connect(path)) as db:
        db.execute(ITEMS)
        db.executemany("INSERT INTO store (prefix, key, value) VALUES (?, ?, ?)",
                       [("a.b", str(n), '{"n": %d}' % n) for n in range(1200)])
        db.commit()


class Schema(migrate.Schema):
    """With the items."""

    def digest(self):
        names, rows = super().digest()
        return names, rows, migrate.sql("SELECT count(*), md5(string_agg(t::text, '' ORDER BY t::text)) "
                                        "FROM (SELECT prefix, key, value, created_at FROM %s.store) t" %
                                        self.name)


class File(migrate.File):
    def digest(self):
        if self.path.suffix == ".jsonl":
            return super().digest()
        with contextlib.closing(sqlite3.connect(self.path)) as db:
            items = db.execute("SELECT prefix, key, value FROM store ORDER BY 1, 2").fetchall()
        files = sorted(x.name for x in self.folder.iterdir() if "-" not in x.name)
        return super().digest(), items, files


def altered(source):
    """A target that has all rows, some with other contents."""
    target = Schema()
    code, err = migrate.ended(migrate.start(source, target.address(), "--with-store"))
    if code:
        raise OSError("ckpt migrate: exit %d: %s" % (code, err))
    migrate.sql("UPDATE %s.checkpoints SET metadata = '{\"other\": 1}' WHERE thread_id IN ('t3', 't7')" %
                target.name)
    return target


def killed_at(t, name, case):
    """At its first hits, one after the other; false: it is not reached."""
    what, source, make, words, want = case
    for hit in range(1, HITS + 1):
        target = make()
        run = migrate.start(source, target.address(), *words,
                            env={"CKPT_FAILPOINT": "%s:%d:kill" % (name, hit)})
        code, err = migrate.ended(run)
        if code != -signal.SIGKILL:
            if code:
                t.fail("%s, %s:%d" % (what, name, hit), "exit %d: %s" % (code, err))
            target.drop()
            return hit > 1
        code, err = migrate.ended(migrate.start(source, target.address(), *words))
        if code:
            t.fail("%s, after %s:%d" % (what, name, hit), "exit %d: %s" % (code, err))
        elif target.digest() != want:
            t.fail("%s, after %s:%d" % (what, name, hit), "not what it should be: %s" %
                   str(target.digest())[:200])
        t.add("kills")
        target.drop()
    return True


def cases(folder):
    file, server = folder / "source.db", Schema()
    make_source(file)
    migrate.ended(migrate.start(file, server.address(), "--with-store"))
    for what, source, make, words in (
            ("into PostgreSQL", file, Schema, ("--with-store", "--jobs", "3")),
            ("into SQLite", server.address(), lambda: File(folder, "target.db"), ("--with-store",)),
            ("into an archive", server.address(), lambda: File(folder, "target.jsonl"), ()),
            ("overwriting", file, lambda: altered(file), ("--with-store", "--on-conflict", "overwrite"))):
        target = make()
        code, err = migrate.ended(migrate.start(source, target.address(), *words))
        if code:
            raise OSError("%s: exit %d: %s" % (what, code, err))
        yield what, source, make, words, target.digest()
        target.drop()


def main():
    names = subprocess.run([str(HERE.parent / "failpoints.sh"), "migrate."], check=True,
                           capture_output=True, text=True).stdout.split()
    bad = 0
    with tempfile.TemporaryDirectory(prefix="ckpt-failpoints-") as d:
        runs = list(cases(pathlib.Path(d)))
        for n, name in enumerate(names, 1):
            t = common.Tally()
            reached = [case[0] for case in runs if killed_at(t, name, case)]
            if not reached:
                t.fail(name, "no run comes by here")
            common.tap(n, "%s: %s; %s" % (name, common.totals(t.count), ", ".join(reached)), t.problems)
            bad += bool(t.problems)
    print("1..%d" % len(names))
    return 1 if bad or not names else 0


if __name__ == "__main__":
    sys.exit(main())
