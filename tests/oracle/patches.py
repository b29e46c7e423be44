"""`ckpt diff --patch` of every checkpoint with a parent, applied to what `ckpt show` gives of the
parent, must give what it shows of the checkpoint. TAP, one line a store.

    patches.py [STORE…]     CKPT=build/ckpt FIXTURES=build/fixtures
    patches.py --pg         the PostgreSQL dumps among them; inside tests/pg/with-server.sh

Belongs here: an applier of JSON Patch (RFC 6902) of its own. Which values are right is compare.py's.
"""
import concurrent.futures
import copy
import json
import os
import pathlib
import sys

import broken
import common
import compare_pg
import postgres

FIXTURES = pathlib.Path(os.environ.get("FIXTURES", "build/fixtures"))
MOST = int(os.environ.get("PATCHES", "60"))         # pairs of a store


# ---- RFC 6902 -------------------------------------------------------------------------------------

def steps(pointer):
    if not pointer.startswith("/"):
        raise ValueError("pointer %r" % pointer)
    return [p.replace("~1", "/").replace("~0", "~") for p in pointer[1:].split("/")]


def index(text, n, more=0):
    if not text.isdigit() or str(int(text)) != text or int(text) >= n + more:
        raise ValueError("index %r of %d" % (text, n))
    return int(text)


def apply(doc, patch):
    doc = copy.deepcopy(doc)
    for op in patch:
        *way, last = steps(op["path"])
        at = doc
        for p in way:
            at = at[index(p, len(at))] if isinstance(at, list) else at[p]
        if isinstance(at, list):
            i = index(last, len(at), op["op"] == "add")
            if op["op"] == "add":
                at.insert(i, op["value"])
            elif op["op"] == "remove":
                del at[i]
            else:
                at[i] = op["value"]
        elif op["op"] == "remove":
            del at[last]
        elif (last in at) != (op["op"] == "replace"):
            raise ValueError("%s of %r" % (op["op"], op["path"]))
        else:
            at[last] = op["value"]
    return doc


# ---- one pair -----------------------------------------------------------------------------------------

def state(store, key):
    run = common.show(store, *key)
    if run.code not in (0, 8):
        raise ValueError(str(run))
    data = run.json()["data"]
    return {"values": data["values"], "metadata": data["metadata"]}


def diff(store, key, *more):
    run = common.Run(["diff", *common.at(store), "--thread=" + key[0], "--ns=" + key[1],
                      "--checkpoint=" + key[2], *more])
    if run.code not in (0, 8):
        raise ValueError(str(run))
    return run.json()


def check_changes(t, at, store, key, a, b):
    """Each change alone: what it says was there is there, in A, in B, or in both."""
    data = diff(store, key, "--json")["data"]
    for c in data["changes"]:
        if "/-" in c["path"]:
            continue
        if c["op"] != "add":
            t.equal("%s old %s" % (at, c["path"]), c["old"], find(a, c["path"]))
        if c["op"] == "add":
            t.equal("%s new %s" % (at, c["path"]), c["new"], find(b, c["path"]))
        t.add("changes")
    equal = sum(json.dumps(v, sort_keys=True) == json.dumps(b["values"].get(k, ""), sort_keys=True)
                for k, v in a["values"].items() if k in b["values"])
    if "$opaque" not in a["values"]:
        t.equal(at + " unchanged", data["unchanged"], equal)


def find(doc, pointer):
    for p in steps(pointer):
        doc = doc[index(p, len(doc))] if isinstance(doc, list) else doc[p]
    return doc


def check_pair(store, row):
    t = common.Tally()
    key = row["thread"], row["ns"], row["id"]
    at = "%s %s %s" % (key[0][:40], key[1][:20], key[2][-12:])
    try:
        a = {"values": {}, "metadata": {}}
        if row["parent"] is not None:
            a = state(store, (key[0], key[1], row["parent"]))
        b = state(store, key)
        patch = diff(store, key, "--patch")
        t.equal(at, apply(a, patch), b)
        t.add("operations", len(patch))
        check_changes(t, at, store, key, a, b)
        t.add("pairs")
    except (ValueError, KeyError, IndexError, TypeError) as e:
        t.fail(at, "%s: %s" % (type(e).__name__, e))
    return t


def check_store(store):
    t = common.Tally()
    run = common.Run(["list", *common.at(store), "--all", "--ns", "*", "--ndjson"])
    if run.code:
        t.fail("list", str(run))
        return t
    rows = [r for r in run.lines()[:-1] if "\0" not in r["thread"] and r["id"] and
            "thread_b64" not in r and (r["parent"] is None or r["parent_present"])]
    rows = rows[::-(-len(rows) // MOST) or 1]
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        for one in pool.map(lambda r: check_pair(store, r), rows):
            t.merge(one)
    return t


def stores():
    return [p for p in sorted(FIXTURES.glob("*/store.db"))
            if p.parent.name.startswith(("py-", "js-"))]


def files(chosen):
    for path in [pathlib.Path(x) for x in chosen] or stores():
        yield path.parent.name, check_store(broken.copied(path))


def databases():
    for dump in sorted(FIXTURES.glob("*/store.sql.gz")):
        folder = dump.parent
        if not folder.name.startswith(("py-", "js-")):
            continue
        with postgres.Database(dump) as database:
            database.schema = compare_pg.oracle_of(folder).get("schema", "public")
            t = check_store(database.store())
        # a shallow saver keeps no parents: nothing to compare with
        if not t.count["pairs"] and "shallow" not in folder.name:
            t.fail("pairs", "none")
        yield folder.name, t


def main(chosen):
    if not os.access(common.CKPT, os.X_OK):
        print("Bail out! there is no %s" % common.CKPT)
        return 1
    total, bad, n = common.Tally(), 0, 0
    for n, (name, t) in enumerate(databases() if chosen == ["--pg"] else files(chosen), 1):
        common.tap(n, "patches of %s make the child of the parent" % name, t.problems)
        bad += bool(t.problems)
        total.count.update(t.count)
    print("1..%d" % n)
    print("# compared: " + common.totals(total.count))
    return 1 if bad or not total.count["pairs"] else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
