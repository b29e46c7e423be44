"""JavaScript's checkpoints through lib/convert.c to PostgreSQL and back: JavaScript's savers read
what they read of the source, forked branches included, each with its own values.
TAP; run with the Python of build/venv inside tests/pg/with-server.sh.

    test_convert_js.py      CKPT=build/ckpt FIXTURES=build/fixtures NODE JS_MODULES

Belongs here: what JavaScript reads. Reading is done by convert_js.mjs, Python's side of the same
is test_convert_pg.py.
"""
import json
import os
import pathlib
import sqlite3
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "oracle"))
import broken
import common
import postgres
import psycopg
import test_convert_pg as convert
from langgraph.checkpoint.postgres import PostgresSaver
from langgraph.checkpoint.sqlite import SqliteSaver

JS = HERE.parent.parent / "build" / "js"


def read(keys, *where):
    p = subprocess.run([os.environ.get("NODE", str(JS / "node")), str(HERE / "convert_js.mjs"), *where],
                       input=json.dumps(keys).encode(), capture_output=True, timeout=300,
                       env={"JS_MODULES": str(JS / "node_modules"), **os.environ})
    if p.returncode:
        raise OSError("convert_js.mjs: " + p.stderr.decode("utf-8", "replace")[-600:])
    return json.loads(p.stdout)


def old_versions(entry, renamed):
    """With the source's versions where new ones were made; False if one is not in its place."""
    own = entry["versions"]

    def old(channel, version):
        return renamed[channel] if channel in renamed and version == own[channel] else version
    fits = all(renamed[c] < own[c] < renamed[c] + 1 for c in renamed)
    return fits and {**entry, "versions": {c: old(c, v) for c, v in own.items()},
                     "seen": {n: {c: old(c, v) for c, v in seen.items()}
                              for n, seen in entry["seen"].items()}}


def comparable(writes):
    """SQLite's reader gives them in no order of its own, and bytes damaged, where PostgreSQL's gives
    a Buffer."""
    return sorted((w for w in writes if not isinstance(w[2], dict) or
                   (w[2].get("id") != ["Uint8Array"] and w[2].get("type") != "Buffer")),
                  key=json.dumps)


def differences(name, source, target):
    for key, want in source.items():
        got = target[key]
        renamed = {c: want["versions"][c] for c, v in got["versions"].items()
                   if want["versions"].get(c) != v}
        got = old_versions(got, renamed)
        if not got:
            yield "%s: %s: a version out of its place" % (name, key)
            continue
        # PostgreSQL leaves out what no version speaks of: defaults
        values = {c: v for c, v in want["values"].items()
                  if name == "back" or c in want["versions"] or c in got["values"]}
        for field in want:
            a, b = values if field == "values" else want[field], got[field]
            if field == "writes":
                a, b = comparable(a), comparable(b)
            if a != b:
                yield "%s: %s: %s: %s => %s" % (name, key, field, a, b)


def main():
    t = common.Tally()
    path = broken.copied(convert.FIXTURES / "js-basic" / "store.db")
    back = str(path) + ".back"
    with postgres.Database() as database, sqlite3.connect(path) as db, \
            psycopg.connect(database.address, autocommit=True,
                            row_factory=psycopg.rows.dict_row) as conn:
        to = sqlite3.connect(back)
        PostgresSaver(conn).setup()
        SqliteSaver(to).setup()
        keys = []
        for row in convert.converted(path, None):
            keys.append(convert.key_of(row))
            convert.put_pg(conn, db, row)
            convert.put_sqlite(to, db, row)
            t.count["renumbered"] += len(row["cares"])
        to.commit()
        to.close()
        t.count["checkpoints"] += len(keys)
        source = read(keys, "sqlite", str(path))
        url = "postgresql://%s@/%s?host=%s&port=%s" % (os.environ["PGUSER"], database.name,
                                                      os.environ["PGHOST"], os.environ["PGPORT"])
        t.problems += differences("PostgreSQL", source, read(keys, "pg", url))
        t.problems += differences("back", source, read(keys, "sqlite", back))
    common.tap(1, "js-basic: " + common.totals(t.count), t.problems)
    print("1..1")
    return 1 if t.problems else 0


if __name__ == "__main__":
    sys.exit(main())
