"""JavaScript graphs go on in a store that was migrated: the same as in the one it came from. Threads
wait for an answer, are in the middle of Sends, failed, or are through; a subgraph remembers.
TAP; run with the Python of build/venv inside tests/pg/with-server.sh. What it is about is in
continue_js.mjs.

    test_continue_js.py      CKPT=build/ckpt NODE JS_MODULES
"""
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

import test_migrate_pg as migrate               # first: it makes tests/oracle importable
import common
import postgres
import test_fresh_js as fresh_js
import test_migrate_js as js

SCHEMA = fresh_js.SCHEMA


def javascript(*args):
    modules = os.environ.get("JS_MODULES", str(fresh_js.JS / "node_modules"))
    p = subprocess.run([os.environ.get("NODE", str(fresh_js.JS / "node")),
                        str(fresh_js.HERE / "continue_js.mjs"), *args], capture_output=True, timeout=300,
                       env={**os.environ, "JS_MODULES": modules})
    if p.returncode:
        raise OSError("continue_js.mjs: " + p.stderr.decode("utf-8", "replace")[-600:])
    return json.loads(p.stdout)


def all_met(t, want):
    """The threads went through all that is to be tried."""
    said = json.dumps(want)
    for word in ("go on?", "which, 1?", "raised broke", "mended", "inner 2", "review", '["bytes"', '["map"'):
        if word not in said:
            t.fail("nobody came by", word)


def same(t, name, want, got):
    """What is printed of each thread."""
    for thread in want:
        if want[thread] != got[thread]:
            at = next(i for i, (a, b) in enumerate(zip(want[thread], got[thread])) if a != b)
            t.fail("%s, thread %s, %d" % (name, thread, at), "%s, wanted %s" % (
                str(got[thread][at])[:300], str(want[thread][at])[:300]))
        t.add("threads")


def from_sqlite(t, folder):
    first, copy, back = folder / "first.db", folder / "copy.db", folder / "back.db"
    javascript("sqlite", str(first), "start")
    with migrate.Base("go") as base:
        migrate.Moved(t, first, base.address)
        shutil.copy(first, copy)
        want = javascript("sqlite", str(copy), "go")
        all_met(t, want)
        same(t, "SQLite to PostgreSQL", want, javascript("pg", js.url(base), "public", "go"))
        # what went on there comes back, and goes on as the first one does
        migrate.Moved(t, base.address, back)
        same(t, "and back", javascript("sqlite", str(copy), "go"), javascript("sqlite", str(back), "go"))


def from_pg(t, folder):
    lite = folder / "lite.db"
    with migrate.Base("go") as base, migrate.Base("second") as second:
        javascript("pg", js.url(base), SCHEMA, "start")
        address = "%s options=-csearch_path=%s" % (base.address, postgres.quoted(SCHEMA))
        migrate.Moved(t, address, lite)
        migrate.Moved(t, address, second.address, "--jobs", "3")
        want = javascript("pg", js.url(base), SCHEMA, "go")
        all_met(t, want)
        same(t, "PostgreSQL to SQLite", want, javascript("sqlite", str(lite), "go"))
        same(t, "PostgreSQL to PostgreSQL", want, javascript("pg", js.url(second), "public", "go"))


def main():
    n = bad = 0
    for name, run in (("from SQLite", from_sqlite), ("from PostgreSQL", from_pg)):
        n += 1
        t = common.Tally()
        with tempfile.TemporaryDirectory(prefix="ckpt-continue-") as d:
            run(t, pathlib.Path(d))
        common.tap(n, "%s: %s" % (name, common.totals(t.count)), t.problems)
        bad += bool(t.problems)
    print("1..%d" % n)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
