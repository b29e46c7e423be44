"""The newest good checkpoint: what `ckpt resume` calls safe, for every checkpoint of the fixtures'
stores, against a walk over what the library read: back to the first that it could load, and in
which no message calls a tool without result, unless a person is being asked.

    safe.py [STORE…]     CKPT=build/ckpt FIXTURES=build/fixtures

Belongs here: good and not good. Where checkpoints stand is in stand.py.
"""
import concurrent.futures
import json
import sys

import broken
import common
import postgres
import stand

# Damage to what rows say of each other, not to whether one can be loaded; no LangGraph's at all;
# values that are good for a program that can read their types.
ODD = ("id-mismatch", "nulls", "cycle", "self-parent", "view", "text-columns", "empty-file",
       "other-database", "unknown-type")


def dangles(entry):
    """Does a message of any list call a tool whose result is not in the list?"""
    for value in {**entry["values"], **entry.get("state", {})}.values():
        messages = [m for m in value if isinstance(m, dict)] if isinstance(value, list) else []
        results = {m.get("tool_call_id") for m in messages}
        for m in messages:
            if any(isinstance(c, dict) and c.get("id") not in results
                   for c in m.get("tool_calls") or ()):
                return True
    return False


def asks(part, cid):
    tasks = part.get("latest", {}).get("tasks", ()) if cid == part["order"][0] else ()
    return any(t["interrupts"] for t in tasks)


def wanted(part, cid):
    """The id, or None. A parent that is not there ends the walk."""
    while cid in part["checkpoints"]:
        entry = part["checkpoints"][cid]
        if "error" in entry:        # its parent is not known by this
            return "?"
        if asks(part, cid) or not dangles(entry):
            return cid
        cid = entry["parent"]
    return None


def check_one(store, thread, ns, cid, part):
    t = common.Tally()
    run = common.Run(["resume", *common.at(store), "--thread=" + thread, "--ns=" + ns,
                      "--checkpoint=" + cid, "--json"])
    at = "%s %s %s" % (thread[:40], ns[:30], cid[-12:])
    if run.code:
        t.fail(at, str(run))
        return t
    safe, want = run.json()["data"]["safe"], wanted(part, cid)
    got = safe and safe["id"]
    if want == "?":
        t.equal(at + " is good", got is None or "error" not in part["checkpoints"][got], True)
        t.equal(at + " why", bool(safe and safe["why"]), True)
        t.add("that cannot be loaded")
    else:
        t.equal(at, got, want)
        t.add("good" if want == cid else "with a call without result")
    return t


def check_store(store, oracle):
    jobs = [(store, thread, ns, cid, part) for thread, spaces in oracle["threads"].items()
            if "\0" not in thread for ns, part in spaces.items() for cid in part["order"]
            if cid in part["checkpoints"]]
    tally = common.Tally()
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        for t in pool.map(lambda j: check_one(*j), jobs):
            tally.merge(t)
    return tally


# What the library loads without a word, though a value is gone: the address and why.
LOST = {"pg-missing-blob": "which its step wrote", "pg-lost-snapshot": "is lost"}


def dumps():
    """On PostgreSQL; PGHOST … lead to a server."""
    for name in ("py-basic", "py-hitl", "py-subgraph", "py-upgraded", "py-old-v3"):
        folder = stand.FIXTURES / name
        with postgres.Database(folder / "store.sql.gz") as database:
            yield name, check_store(database.store(), json.loads((folder / "oracle.pg.json").read_text()))
    for name, why in LOST.items():
        folder, t = stand.FIXTURES / "broken" / name, common.Tally()
        oracle = json.loads((folder / "oracle.json").read_text())
        with postgres.Database(folder / "store.sql.gz") as database:
            run = common.Run(["resume", *common.at(database.store()), "--thread=" + oracle["thread"],
                              "--checkpoint=" + oracle["id"], "--json"])
        safe = run.json()["data"]["safe"] if run.code == 0 else {"id": str(run), "why": ""}
        t.equal("why", why in safe["why"] and repr(oracle["channel"]) in safe["why"], True)
        t.equal("another one", bool(safe["id"]) and safe["id"] < oracle["id"], True)
        t.add("lost values")
        yield "broken/" + name, t


def fixtures(names=()):
    for name in names or ("py-basic", "py-hitl", "py-delta", "py-subgraph", "py-old-v3", "js-basic"):
        folder = stand.FIXTURES / name
        oracle = json.loads((folder / "oracle.json").read_text())
        yield name, check_store(folder / "store.db", oracle)
    for folder in () if names else sorted((stand.FIXTURES / "broken").glob("*/store.db")):
        oracle = json.loads((folder.parent / "oracle.json").read_text())
        if folder.parent.name not in ODD and isinstance(oracle.get("threads"), dict):
            yield "broken/" + folder.parent.name, check_store(broken.copied(folder), oracle)


def main():
    failed, n = False, 0
    for n, (name, tally) in enumerate(fixtures(sys.argv[1:]), 1):
        failed |= bool(tally.problems)
        common.tap(n, "safe in %s: %s" % (name, common.totals(tally.count)), tally.problems)
    print("1..%d" % n)
    return failed or not n


if __name__ == "__main__":
    sys.exit(main())
