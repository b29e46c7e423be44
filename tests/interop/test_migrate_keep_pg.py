"""A part of a store, copied by `ckpt migrate` with keep rules, judged by the real savers: what comes
along is what `ckpt prune` would leave, and all of it is read from the target as from the source.
TAP; run with the Python of build/venv inside tests/pg/with-server.sh.

    test_migrate_keep_pg.py        CKPT=build/ckpt FIXTURES=build/fixtures

Belongs here: which checkpoints come along. Whole stores are test_migrate_pg.py's.
"""
import json
import logging
import pathlib
import sys
import tempfile

import prune_proof as proof                     # first: it makes tests/oracle importable
import broken
import common
import postgres
import prunestores as stores

AGES = ["--min-age", "0", "--active-within", "0"]
RULES = [["--keep-last", "1"], ["--keep-last", "3", "--keep-where", "source=input"],
         ["--keep-where", "step=1"], ["--keep-daily", "1"]]
# What another engine takes whole.
ACROSS = ("py-delta", "py-hitl", "py-meta", "py-subgraph", "py-aes", "py-store")


def kept(t, store, rules):
    """What prune leaves, as its dry run lists it."""
    run = common.Run(["prune", "-s", store.address, *rules, *AGES, "-n", "--list", "--json"], store.env)
    t.equal("prune %s" % rules, run.code in (0, 3) or str(run), True)
    return {(c["thread"], c["ns"], c["id"]) for c in run.json()["data"]["checkpoints"]
            if c["action"] == "keep"}


def loose(entries):
    """A version that two values had has a suffix in PostgreSQL: only where both came along."""
    out = {}
    for key, e in entries.items():
        e = json.loads(json.dumps(e, default=repr))
        if isinstance(e, dict):
            e["checkpoint"] = {k: v for k, v in e["checkpoint"].items() if "version" not in k}
        out[key] = e
    return out


def moved(t, source, target, *words):
    run = common.Run(["migrate", source.address, target, "--json", *words], source.env)
    if run.code != 0:
        t.fail("migrate %s" % " ".join(words), str(run))
        return None
    sums = run.json()["summary"]
    t.equal("different", sums["verified"]["different"], 0)
    return sums


def same(t, what, target, want, deltas, across=False):
    got = stores.read(target, deltas)[0]
    if across:
        got, want = loose(got), loose(want)
    t.add("checkpoints", len(want))
    t.equal("%s: keys" % what, sorted(got), sorted(want))
    for key in sorted(set(got) & set(want)):
        t.equal("%s: %s" % (what, key), got[key], want[key])


def engine_file(t, folder, source, rules, want, deltas, across):
    new = folder / "new.db"
    sums = moved(t, source, str(new), *rules, *AGES)
    if sums:
        t.equal("copied", sums["checkpoints"], len(want))
        same(t, "SQLite %s" % rules, stores.Lite(new, source.env), want, deltas, across)
        again = moved(t, source, str(new), *rules, *AGES)
        t.equal("again", (again["checkpoints"], again["skipped"]), (0, len(want)))
    # an archive of the part, and the part of an archive
    if source.engine == "SQLite":
        part, whole = folder / "part.jsonl", folder / "whole.jsonl"
        if moved(t, source, str(part), *rules, *AGES) and moved(t, source, str(whole)):
            for name, words in ((part, []), (whole, [*rules, *AGES])):
                back = folder / ("back-%s.db" % name.stem)
                dump = type(source)(name, source.env)
                if moved(t, dump, str(back), *words):
                    same(t, "%s %s" % (name.stem, rules), stores.Lite(back, source.env), want, deltas)
    for x in [*folder.glob("new.db*"), *folder.glob("back-*"), *folder.glob("*.jsonl")]:
        x.unlink()


def engine_server(t, source, rules, want, deltas, across):
    with postgres.Database() as database:
        target = stores.Pg(database, source.env)
        if moved(t, source, target.address, *rules, *AGES):
            same(t, "PostgreSQL %s" % rules, target, want, deltas, across)


def all_of(t, source, folder):
    """What the savers of each engine read when all was copied."""
    new = folder / "all.db"
    moved(t, source, str(new))
    with postgres.Database() as database:
        target = stores.Pg(database, source.env)
        moved(t, source, target.address)
        return {"SQLite": stores.read(stores.Lite(new, source.env)), "PostgreSQL": stores.read(target)}


def one_store(t, source, folder, name):
    there, across = source.engine, name in ACROSS
    read = all_of(t, source, folder) if across else {}
    read[there] = stores.read(source)
    for rules in RULES:
        keys = kept(t, source, rules)
        for engine, (entries, deltas) in read.items():
            want = {k: v for k, v in entries.items() if k in keys}
            if engine == "SQLite":
                engine_file(t, folder, source, rules, want, deltas, engine != there)
            else:
                engine_server(t, source, rules, want, deltas, engine != there)


def tests():
    for at in sorted(stores.FIXTURES.glob("py-*/store.db")):
        def file(t, at=at, name=at.parent.name):
            with tempfile.TemporaryDirectory(prefix="ckpt-keep-") as folder:
                source = stores.Lite(broken.copied(at), stores.key_env(name))
                one_store(t, source, pathlib.Path(folder), name)
        yield at.parent.name, file
    for at in sorted(stores.FIXTURES.glob("py-*/store.sql.gz")):
        def server(t, at=at, name=at.parent.name):
            with tempfile.TemporaryDirectory(prefix="ckpt-keep-") as folder, \
                    postgres.Database(at) as database:
                one_store(t, stores.Pg(database, stores.key_env(name)), pathlib.Path(folder), name)
        if at.parent.name in ACROSS:
            yield at.parent.name + " PostgreSQL", server


if __name__ == "__main__":
    logging.disable(logging.WARNING)            # of types that are not registered
    sys.exit(proof.run_all(tests()))
