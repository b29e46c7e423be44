"""Damaged PostgreSQL databases: what is documented to happen with each, and what the library still
reads.

Belongs here: the table of exit codes of broken/pg-*. No database may crash ckpt or be written to.
"""
import json

import broken
import common
import postgres

# store: exit codes of (list, show of the damaged checkpoint), a word that stderr of list must have.
CODES = {
    "pg-view": (7, 7, "view"),
    "pg-no-blobs-table": (0, None, "no table of blobs"),
    "pg-no-migrations": (0, None, None),
    "pg-two-schemas": (0, None, None),
    "pg-extra-column": (0, None, "column"),
    "pg-foreign-key": (0, 0, None),
    "pg-orphan-blobs": (0, 4, None),
    "pg-orphan-writes": (0, 4, None),
    "pg-missing-parent": (0, 4, None),
    "pg-delta-dangling": (0, 4, None),
    "pg-self-parent": (0, (0, 8), None),
    # Whether a channel without a blob was consumed or lost it, one checkpoint does not tell.
    "pg-missing-blob": (0, 0, None),
    "pg-lost-snapshot": (0, (0, 8), None),
    "pg-unknown-type": (0, 0, None),
    # As it happens both are still values: a number with bytes behind it, and another number.
    "pg-bad-blob": (0, (0, 8), None),
    "pg-flipped-bit": (0, (0, 8), None),
    "pg-odd-jsonb": (0, 8, None),
}
# What must be among the warnings of show.
WARNINGS = {"pg-bad-blob": "bytes follow", "pg-odd-jsonb": "cannot be decoded"}


def check_warning(t, store, oracle, name):
    run = common.show(store, oracle["thread"], oracle["ns"], oracle["id"])
    if not any(WARNINGS[name] in w for w in run.json()["data"]["warnings"]):
        t.fail("warning", "nothing about %r" % WARNINGS[name])


def check_undecodable(t, database, oracle):
    """A blob that no reader takes: named where it is, the rest shown, exit 8."""
    key = oracle["thread"], oracle["ns"], oracle["id"]
    good = common.show(database.store(), *key).json()["data"]
    version = next(c["version"] for c in good["channels"] if c["name"] == oracle["channel"])
    postgres.psql(database.name, "UPDATE checkpoint_blobs SET blob = '\\xc1' "
                  "WHERE channel = '%s' AND version = '%s'" % (oracle["channel"], version))
    run = common.show(database.store(), *key)
    broken.allowed(t, run, 8)
    bad = run.json()["data"]
    if "$corrupt" not in bad["values"][oracle["channel"]]:
        t.fail("undecodable", "shown as %s" % bad["values"][oracle["channel"]])
    for data in good, bad:
        del data["values"][oracle["channel"]]
        del data["warnings"]
        data["channels"] = [c for c in data["channels"] if c["name"] != oracle["channel"]]
    t.equal("undecodable: the rest", bad, good)


def check_other_schema(t, database, counts):
    """The first of the search path counts; --schema picks any."""
    turned = database.address + " options='-c search_path=second,public'"
    for schema, store in (("public", database.store()), ("second", (turned,)),
                          ("second", database.store("--schema", "second")),
                          ("public", (turned, "--schema", "public"))):
        run = common.Run(["list", *common.at(store), "--json"])
        allowed = counts[("" if schema == "public" else schema + ".") + "checkpoints"]
        if run.code:
            t.fail(schema, str(run))
            continue
        got = run.json()
        t.equal(schema, [got["store"]["schema"], sum(x["checkpoints"] for x in got["data"])],
                [schema, allowed])
        t.add("schemas")


def check_without_blobs(t, store, oracle):
    """The library cannot read any of these; inline values and writes are still there."""
    for thread, spaces in oracle["threads"].items():
        for ns, part in spaces.items():
            for cid in part["order"]:
                run = common.show(store, thread, ns, cid)
                if run.code or "no table of blobs" not in run.err:
                    t.fail("%s %s" % (thread, cid[-12:]), str(run))
                else:
                    stored = {c["stored"] for c in run.json()["data"]["channels"]}
                    t.equal(cid, sorted(stored - {"inline", "empty", "delta"}), [])
                t.add("checkpoints without blobs")


def check_database(database, oracle, name):
    t = common.Tally()
    on_list, on_show, words = CODES[name]
    store, before = database.store(), database.content()
    run = common.Run(["list", *common.at(store), "--json"])
    broken.allowed(t, run, on_list)
    if words and words not in run.err:
        t.fail("note", "stderr does not speak of %r: %r" % (words, run.err))
    if on_show is not None:
        broken.allowed(t, common.show(store, oracle.get("thread", "exit"), oracle.get("ns", ""),
                                      oracle.get("id", "")), on_show)
    if name in WARNINGS:
        check_warning(t, store, oracle, name)
    if name == "pg-no-blobs-table":
        check_without_blobs(t, store, oracle)
    elif run.code == 0:
        broken.check_checkpoints(t, store, oracle, isinstance(on_show, tuple))
        broken.check_orders(t, store, oracle)
    if name == "pg-two-schemas":
        check_other_schema(t, database, oracle["counts"])
    if database.content() != before:
        t.fail("database", "ckpt changed it")
    if name == "pg-bad-blob":
        check_undecodable(t, database, oracle)
    return t


def check_all(folder):
    for path in sorted(folder.glob("pg-*")):
        oracle = json.loads((path / "oracle.json").read_text())
        with postgres.Database(path / "store.sql.gz") as database:
            try:
                t = check_database(database, oracle, path.name)
            except (KeyError, ValueError, TypeError, AttributeError) as e:
                t = common.Tally()
                t.fail(path.name, "%s: %s" % (type(e).__name__, e))
        yield path.name, t
