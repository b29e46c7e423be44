"""Where checkpoints stand: `ckpt show` against what get_state says of them: next, and each task
with its id, its questions and its error. For the newest of a namespace get_state without an id,
for all others with it.

    stand.py [STORE…]     CKPT=build/ckpt FIXTURES=build/fixtures

Belongs here: the comparison, and the fixtures' stores and dumps. Fresh graphs are in
tests/interop/test_tasks*.py, which compare the dumps as well.
"""
import collections
import concurrent.futures
import json
import os
import pathlib
import sys

import common
import postgres

FIXTURES = pathlib.Path(os.environ.get("FIXTURES", "build/fixtures"))


def plain_tasks(tasks):
    """What must be equal, in an order of its own: that of nodes is the graph's."""
    return sorted(([t["id"], t["name"], t["interrupts"], t["error"]] for t in tasks),
                  key=lambda t: json.dumps(t, sort_keys=True))


def of_ckpt(doc):
    tasks = [{"id": t["id"], "name": t["node"], "error": t.get("error"),
              "interrupts": [{"id": i["id"], "value": i.get("value")} for i in t["interrupts"]]}
             for t in doc["tasks"]]
    return sorted(doc["next"]), plain_tasks(tasks)


def flat(state, js):
    """JavaScript gives a list of questions a row."""
    tasks = [dict(t) for t in state["tasks"]]
    for t in tasks:
        if js:
            t["interrupts"] = [i for row in t["interrupts"]
                               for i in (row if isinstance(row, list) else [row])]
        t["interrupts"] = [{"id": i.get("id"), "value": i["value"]} for i in t["interrupts"]]
    return sorted(state["next"]), plain_tasks(tasks)


def unnamed(got, wanted, t):
    """JavaScript's ids hold the first of the joins that trigger, in the graph's order: where no row
    tells, there is none to compare."""
    without = [x[1] for x in got if x[0] is None]
    t.add("tasks of several joins without an id", len(without))
    return sorted(([None if x[1] in without else x[0], *x[1:]] for x in wanted),
                  key=lambda x: json.dumps(x, sort_keys=True))


def unmet(tasks, hidden):
    """The id of a task counts all joins that trigger its node: one whose sources never ran in the
    thread stands in no row."""
    return sorted(([None if x[1] in hidden else x[0], *x[1:]] for x in tasks),
                  key=lambda x: json.dumps(x, sort_keys=True))


def check_one(store, key, want, js=False, env=None):
    """One checkpoint; (tally, unknown)."""
    thread, ns, cid = key
    t = common.Tally()
    at = "%s %s %s" % (thread[:40], ns[:30], cid[-12:])
    run = common.show(store, thread, ns, cid, env=env)
    if run.code not in (0, 8):
        t.fail(at, str(run))
        return t, None
    doc = run.json()["data"]
    if doc["status"] == "unknown":
        return t, next((w for w in doc["warnings"] if "status is unknown" in w), "?")
    got, wanted = of_ckpt(doc), flat(want, js)
    if "sends" in want:             # seen by the release that wrote them alone, without ids
        t.equal(at + " Sends", got[0], want["sends"])
        got = wanted[0], [x for x in got[1] if x[0] in [y[0] for y in wanted[1]]]
    elif js:
        wanted = wanted[0], unnamed(got[1], wanted[1], t)
    if want.get("hidden") and got[1] != wanted[1]:
        t.add("checkpoints with ids of joins never met", 1)
        got, wanted = ((x[0], unmet(x[1], want["hidden"])) for x in (got, wanted))
    t.equal(at + " next", got[0], wanted[0])
    t.equal(at + " tasks", got[1], wanted[1])
    t.add("checkpoints", 1)
    t.add("tasks", len(got[1]))
    return t, None


def check_store(store, oracle, env=None):
    """Every checkpoint of an oracle that holds get_state's answer; (tally, unknown by reason)."""
    jobs = []
    for thread, spaces in oracle["threads"].items():
        if "\0" in thread:
            continue
        for ns, part in spaces.items():
            for i, cid in enumerate(part["order"]):
                entry = part["checkpoints"][cid]
                want = part.get("latest") if i == 0 else entry
                want = want if want and "next" in want else None if i == 0 else entry
                if want and "next" in want:
                    jobs.append(((thread, ns, cid), want, "js" in oracle.get("writers", ())))
    tally, unknown = common.Tally(), collections.Counter()
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        for t, why in pool.map(lambda j: check_one(store, *j, env=env), jobs):
            tally.merge(t)
            if why:
                unknown[why] += 1
    return tally, unknown


def oracle_in(folder, *names):
    """The first of the answer sheets that is there, if it has get_state's answers; and the key."""
    oracle = next(json.loads(p.read_text()) for p in map(folder.joinpath, names) if p.exists())
    spaces = [s for s in oracle.get("threads", {}).values() if isinstance(s, dict)]
    if not any("latest" in part for s in spaces for part in s.values()):
        return None, None
    if folder.name.startswith("js"):
        oracle["writers"] = ("js",)
    return oracle, {"LANGGRAPH_AES_KEY": oracle["aes_key"]} if "aes_key" in oracle else None


def with_sends(now, then):
    """The first releases kept Sends in the checkpoint as a pair of type and base64, which no later
    one reads: what comes next there only they say."""
    for thread, spaces in then["threads"].items():
        for ns, part in spaces.items():
            for cid, entry in part["checkpoints"].items():
                if entry.get("pending_sends"):
                    at = now["threads"][thread][ns]["checkpoints"][cid]
                    if sorted(at["next"]) != sorted(entry["next"]):
                        at["sends"] = sorted(entry["next"])
    return now


def folders(what, names):
    return [FIXTURES / x for x in names or sorted(p.parent.name for p in FIXTURES.glob("*/" + what))]


def fixtures(names=()):
    """(name, tally, unknown) of each store of LangGraph's that has an oracle of get_state."""
    for folder in folders("store.db", names):
        oracle, env = oracle_in(folder, "oracle.now.json", "oracle.json")
        if oracle:
            yield (folder.name, *check_store(folder / "store.db", oracle, env))


def dumps(names=()):
    """The same of PostgreSQL; PGHOST … lead to a server."""
    for folder in folders("store.sql.gz", names):
        oracle, env = oracle_in(folder, "oracle.pg.now.json", "oracle.pg.json", "oracle.now.json",
                                "oracle.json")
        if folder.name == "py-old-pg100":
            oracle = with_sends(oracle, json.loads((folder / "oracle.json").read_text()))
        if oracle:
            with postgres.Database(folder / "store.sql.gz") as database:
                database.schema = oracle.get("schema", "public")
                yield (folder.name, *check_store(database.store(), oracle, env))


def main():
    failed, n = False, 0
    for n, (name, tally, unknown) in enumerate(fixtures(sys.argv[1:]), 1):
        failed |= bool(tally.problems)
        common.tap(n, "%s: %s; unknown: %s" % (name, common.totals(tally.count),
                                               dict(unknown) or 0), tally.problems)
    print("1..%d" % n)
    return failed or not n


if __name__ == "__main__":
    sys.exit(main())
