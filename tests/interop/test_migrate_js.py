"""`ckpt migrate` of what JavaScript wrote, judged by its savers: SQLite, PostgreSQL, SQLite; into
another schema; through an archive. Tables are as its setup makes them.
TAP; run with the Python of build/venv inside tests/pg/with-server.sh.

    test_migrate_js.py [SEED…]      CKPT=build/ckpt FIXTURES=build/fixtures NODE JS_MODULES

Belongs here: JavaScript's savers. Python's are test_migrate_pg.py's.
"""
import os
import pathlib
import sys
import tempfile
import urllib.parse

import test_migrate_pg as migrate               # first: it makes tests/oracle importable
import broken
import common
import postgres
import test_convert_js as js
import test_fresh_js as fresh_js

SEEDS = ("1",)


def url(database, schema="public"):
    return "postgresql://%s@/%s?%s" % (os.environ["PGUSER"], database.name, urllib.parse.urlencode(
        {"host": os.environ["PGHOST"], "port": os.environ["PGPORT"],
         "options": "-csearch_path=" + postgres.quoted(schema)}))


def lite_keys(path, rejected):
    return [r[:3] for r in migrate.raw_sqlite(path, rejected)[0]]


def pg_keys(database, rejected, schema="public"):
    return [list(r[:3]) for r in migrate.raw(database, schema)["checkpoints"]
            if r[:3] not in rejected]


def bytes_alike(v):
    """Bytes that were a blob are read as a Buffer, in a container as an Uint8Array."""
    if isinstance(v, list):
        return [bytes_alike(x) for x in v]
    if not isinstance(v, dict):
        return v
    if v.get("type") == "Buffer":
        return {"$bytes": v["data"]}
    if v.get("id") == ["Uint8Array"]:
        return {"$bytes": v["args"][0]}
    return {k: bytes_alike(x) for k, x in v.items()}


def read(keys, *where):
    return {k: {**e, "values": bytes_alike(e["values"])} for k, e in js.read(keys, *where).items()}


def same(t, name, keys, source, target):
    """`name`: see test_convert_js.py; what goes back has the defaults, too."""
    want, got = read(keys, *source), read(keys, *target)
    t.problems += ["%s: %s" % (name, x) for x in js.differences(name, want, got)]
    t.add("tuples", len(keys))


def from_sqlite(t, path, folder):
    back, dump = folder / "back.db", folder / "all.jsonl"
    with migrate.Base("a") as there, migrate.Base("b") as second:
        did = migrate.moved(t, path, there.address, folder)
        migrate.Moved(t, there.address, back)
        migrate.Moved(t, path, dump)
        migrate.moved(t, dump, second.address, folder)
        migrate.same_rows(t, "through an archive", there, second)
        keys = lite_keys(path, did.rejected)
        same(t, "PostgreSQL", keys, ("sqlite", str(path)), ("pg", url(there), "public"))
        same(t, "back", keys, ("sqlite", str(path)), ("sqlite", str(back)))
        migrate.same_lite(t, migrate.raw_sqlite(path, did.rejected), migrate.raw_sqlite(back))
        check_setup(t, there)


def from_pg(t, seed, folder):
    """Written a moment ago, in a schema whose name must be quoted."""
    lite, schema = folder / "lite.db", fresh_js.SCHEMA
    with migrate.Base("src") as base, migrate.Base("b") as second:
        fresh_js.javascript("pg", url(base), schema, "migrate " + seed)
        address = "%s options=-csearch_path=%s" % (base.address, postgres.quoted(schema))
        did = migrate.moved(t, address, lite, folder)
        migrate.moved(t, lite, second.address, folder)
        migrate.Moved(t, address, migrate.in_schema(base, "An-other"))
        for table, rows in migrate.raw(base, schema).items():
            t.equal("another schema: " + table, migrate.raw(base, "An-other")[table], rows)
        keys = pg_keys(base, did.rejected, schema)
        same(t, "SQLite", keys, ("pg", url(base, schema), schema), ("sqlite", str(lite)))
        there = [k for k in keys if tuple(k) in set(map(tuple, pg_keys(second, ())))]
        same(t, "back", there, ("pg", url(base, schema), schema), ("pg", url(second), "public"))


def check_setup(t, database):
    """As the saver's setup makes them; it finds nothing to do."""
    with migrate.Base("setup") as other:
        js.read([], "pg", url(other), "public", "setup")
        t.equal("tables", migrate.structure(database), migrate.structure(other))
    before = database.content()
    js.read([], "pg", url(database), "public", "setup")
    t.equal("setup changes nothing", database.content() == before, True)


def fresh_sqlite(t, seed, folder):
    path = folder / "store.db"
    fresh_js.javascript("sqlite", str(path), "migrate " + seed)
    from_sqlite(t, path, folder)


def tests(seeds):
    yield "js-basic from SQLite", lambda t, d: from_sqlite(
        t, broken.copied(migrate.FIXTURES / "js-basic" / "store.db"), d)
    for seed in seeds:
        yield "fresh, SQLite, seed " + seed, lambda t, d: fresh_sqlite(t, seed, d)
        yield "fresh, PostgreSQL, seed " + seed, lambda t, d: from_pg(t, seed, d)


def main(seeds):
    n = bad = 0
    for name, run in tests(seeds):
        n += 1
        t = common.Tally()
        with tempfile.TemporaryDirectory(prefix="ckpt-migrate-") as d:
            run(t, pathlib.Path(d))
        common.tap(n, "%s: %s" % (name, common.totals(t.count)), t.problems)
        bad += bool(t.problems)
    print("1..%d" % n)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:] or os.environ.get("SEED", "").split() or SEEDS))
