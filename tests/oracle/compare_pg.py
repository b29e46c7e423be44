"""`ckpt list` and `ckpt show` on the fixtures' PostgreSQL dumps against the recorded oracles, and
against their SQLite twins. TAP; PGHOST … lead to a server (tests/pg/with-server.sh).

    compare_pg.py [FOLDER…]     CKPT=build/ckpt FIXTURES=build/fixtures

Belongs here: which dump has which oracle, and where twins may differ. Equality is in common.py and
compare.py, damaged databases in broken_pg.py, keys in encrypted.py.
"""
import json
import pathlib
import sys

import broken
import broken_pg
import common
import compare
import encrypted
import postgres

# Nothing of JavaScript is on a repeatable clock.
TWINLESS = ("js-basic",)


def oracle_of(folder):
    pg = ".pg" if (folder / "oracle.pg.json").exists() else ""
    oracle = json.loads((folder / ("oracle%s.json" % pg)).read_text())
    now = folder / ("oracle%s.now.json" % pg)
    if now.exists():
        return with_sends(compare.merge_old(json.loads(now.read_text()), oracle), oracle)
    if folder.name == "py-upgraded":        # py-old-v3, carried on by today's release
        old = folder.parent / "py-old-v3/oracle.pg.json"
        return compare.merge_old(oracle, json.loads(old.read_text()))
    return oracle


def with_sends(now, then):
    """The first releases kept Sends in the checkpoint too, as a pair of type and base64, which no
    reader takes any more: what counts is the channel made of the parent's writes."""
    for thread, spaces in now["threads"].items():
        for ns, part in spaces.items():
            for cid, entry in part["checkpoints"].items():
                old = then["threads"][thread].get(ns, {"checkpoints": {}})["checkpoints"]
                old = old.get(cid, {}).get("pending_sends")
                entry.pop("pending_sends", None)
                if old and "__pregel_tasks" in entry["values"]:
                    entry["values"]["__pregel_tasks"] = compare.prefer(
                        entry["values"]["__pregel_tasks"], old)
    return now


def check_database(database, oracle):
    t = common.Tally()
    try:
        rows = database.rows()
        compare.check_lists(t, database.store(), oracle, rows)
        compare.check_shows(t, database.store(), oracle, rows)
        check_raw(t, database.store(), oracle)
    except (KeyError, ValueError, TypeError, OSError, AssertionError) as e:
        t.fail(database.name, "%s: %s" % (type(e).__name__, e))
    return t


def check_raw(t, store, oracle):
    """The bytes of each blob of the newest checkpoints."""
    for thread, spaces in oracle["threads"].items():
        for ns, part in spaces.items():
            newest = part["order"][0] if part["order"] else None
            blobs = part["checkpoints"][newest].get("blobs", {}) if newest else {}
            for channel, blob in blobs.items():
                if blob["type"] != "empty":
                    raw = encrypted.raw(store, thread, ns, newest, channel)
                    encrypted.same_bytes(t, raw, blob)


# ---- twins --------------------------------------------------------------------------------------------

KEYS = ("thread", "ns", "id", "parent", "time", "head", "step", "source")


def listed(store, t):
    run = common.Run(["list", *common.at(store), "--all", "--ns", "*", "-l", "--ndjson"])
    if run.code:
        t.fail("list", str(run))
    return [tuple(x[k] for k in KEYS) for x in run.lines()[:-1]]


def apart(folder, row):
    """Rows that the engines do not share: PostgreSQL cannot hold them, or a race decided."""
    if row[0].endswith("-sqlite-only") or "\0" in row[0]:
        return True
    return folder.name == "py-subgraph" and row[0] == "fan"


def check_twins(folder, database):
    t = common.Tally()
    ours, theirs = ([x for x in listed(s, t) if not apart(folder, x)]
                    for s in (broken.copied(folder / "store.db"), database.store()))
    t.equal("rows", [x[:3] for x in theirs], [x[:3] for x in ours])
    for a, b in zip(theirs, ours):
        t.equal("%s %s" % (a[0][:30], a[2][-12:]), list(a), list(b))
    t.add("twin rows", len(ours))
    return t


# ---- all of them ----------------------------------------------------------------------------------------

def parts(folder):
    """(name, tally) of what one folder's dump is compared by."""
    oracle = oracle_of(folder)
    with postgres.Database(folder / "store.sql.gz") as database:
        database.schema = oracle.get("schema", "public")
        yield "as its library reads it", check_database(database, oracle)
        if (folder / "store.db").exists() and folder.name not in TWINLESS:
            yield "lists what its SQLite twin lists", check_twins(folder, database)
        if "aes_key" in oracle:
            yield from encrypted.parts(database.store(), oracle, database.rows())


def folders():
    return [x.parent for x in sorted(compare.FIXTURES.glob("*/store.sql.gz"))
            if x.parent.name.startswith(("py-", "js-"))]


def main(chosen):
    total, n, bad = common.Tally(), 0, 0
    todo = [(f.name, parts(f)) for f in [pathlib.Path(x) for x in chosen] or folders()]
    if not chosen:
        todo.append(("broken", broken_pg.check_all(compare.FIXTURES / "broken")))
    for name, made in todo:
        for what, t in made:
            n += 1
            common.tap(n, "%s %s" % (name, what), t.problems)
            bad += bool(t.problems)
            total.count.update(t.count)
    print("1..%d" % n)
    print("# compared: " + common.totals(total.count))
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
