"""`ckpt list` and `ckpt show` against the recorded oracles: what the libraries that own the
fixtures read from them. TAP, one line a store; totals at the end.

    compare.py [STORE…]     CKPT=build/ckpt FIXTURES=build/fixtures

Belongs here: which store has which oracle. Equality is in common.py, damaged stores in broken.py.
"""
import concurrent.futures
import contextlib
import json
import os
import pathlib
import sqlite3
import sys

import broken
import common
import delta
import encrypted

FIXTURES = pathlib.Path(os.environ.get("FIXTURES", "build/fixtures"))


# ---- which answer is right ------------------------------------------------------------------------

def lost(v):
    """Today's reader gives up on these: json-era values outside its list of safe types."""
    return v is None or isinstance(v, dict) and v.get("lc") in (1, 2)


def prefer(now, then):
    """Today's answer, except where the stored bytes still hold what only the old release reads."""
    if lost(now) and not lost(then):
        return then
    if isinstance(now, dict) and isinstance(then, dict):
        return {k: prefer(x, then.get(k)) for k, x in now.items()}
    if isinstance(now, list) and isinstance(then, list) and len(now) == len(then):
        return [prefer(x, y) for x, y in zip(now, then)]
    return now


def prefer_writes(now, then):
    """The two releases order the rows differently, but those of a task and channel alike."""
    rest = list(then)
    out = []
    for task, channel, value in now:
        old = next((r for r in rest if r[:2] == [task, channel]), None)
        if old:
            rest.remove(old)
        out.append([task, channel, prefer(value, old[2]) if old else value])
    return out


def merge_old(now, then):
    """py-old-*: ckpt shows what today's library reads (oracle.now.json): interrupt ids are the
    computed ones. oracle.json, written by the old release, is right where today's reader loses a
    value that the bytes still hold (a datetime of type json becomes None; bytes and classes stay
    lc records), and it alone has the raw rows."""
    for thread, spaces in then["threads"].items():
        for ns, part in spaces.items():
            for cid, old in part["checkpoints"].items():
                entry = now["threads"][thread][ns]["checkpoints"][cid]
                for k in ("stored", "blobs", "raw_writes"):
                    if k in old:
                        entry.setdefault(k, old[k])
                entry["values"] = prefer(entry["values"], old["values"])
                entry["pending_writes"] = prefer_writes(entry["pending_writes"],
                                                        old["pending_writes"])
    return now


def oracle_of(folder):
    oracle = json.loads((folder / "oracle.json").read_text())
    now = folder / "oracle.now.json"
    if now.exists():
        return merge_old(json.loads(now.read_text()), oracle)
    if folder.name == "py-upgraded":        # py-old-v3, carried on by today's release
        return merge_old(oracle, json.loads((folder.parent / "py-old-v3/oracle.json").read_text()))
    return oracle


# ---- one store --------------------------------------------------------------------------------------

def by_bytes(keys):
    return sorted(keys, key=str.encode)


def check_lists(t, store, oracle, rows):
    """ids, their order, parents, times and sizes: list THREAD and list --all."""
    threads = oracle["threads"]
    everything = []
    for thread in by_bytes(threads):
        for ns in by_bytes(threads[thread]):
            part = threads[thread][ns]
            everything += [(thread, ns, i) for i in part["order"]]
            if "\0" not in thread:
                check_list(t, store, thread, ns, part)
    run = common.Run(["list", *common.at(store), "--all", "--ns", "*", "-l", "--ndjson"])
    if run.code:
        return t.fail("list --all", str(run))
    lines = run.lines()
    t.equal("list --all order", [(x["thread"], x["ns"], x["id"]) for x in lines[:-1]], everything)
    t.equal("list --all summary", lines[-1].get("checkpoints"), len(everything))
    for x in lines[:-1]:
        if (x["thread"], x["ns"], x["id"]) in rows.parent:
            check_long(t, oracle, rows, x)
    return None


def check_list(t, store, thread, ns, part):
    run = common.Run(["list", *common.at(store), "--ns", ns, "--json", "--", thread])
    at = "list %r %r" % (thread[:40], ns[:40])
    if run.code:
        return t.fail(at, str(run))
    data = run.json()["data"]
    entries = part["checkpoints"]
    parents = {e["parent"] for e in entries.values()}
    want = [{"thread": thread, "ns": ns, "id": i, "parent": entries[i]["parent"],
             "parent_present": entries[i]["parent"] in entries,
             "time": common.wanted_time(i, entries[i]["ts"]), "head": i not in parents}
            for i in part["order"]]
    t.equal(at, [x["id"] for x in data], part["order"])
    for got, wanted in zip(data, want):
        if wanted["parent"] is None:    # whether nobody is present is not promised
            got.pop("parent_present"), wanted.pop("parent_present")
        t.equal(at, got, wanted)
    t.add("list rows", len(data))
    return None


def check_long(t, oracle, rows, x):
    key = x["thread"], x["ns"], x["id"]
    want = oracle["threads"][key[0]][key[1]]["checkpoints"][key[2]]
    at = "list -l %s %s" % (key[0][:30], key[2][-12:])
    for k in ("step", "source", "metadata"):
        t.equal("%s %s" % (at, k), x[k], want[k])
    raw = want.get("raw_writes")
    if raw is None:
        return
    needed, first = rows.blob_bytes.get(key, (0, 0))
    t.equal(at + " state_bytes", x["state_bytes"], rows.size[key] + needed)
    t.equal(at + " writes", x["writes"], len(raw))
    t.equal(at + " bytes", x["bytes"],
            rows.size[key] + first + rows.meta_size[key] + sum(r[4] for r in raw))
    t.add("sizes", 3)


def check_one(store, rows, entries, key, thread, ns, cid, env=None):
    t = common.Tally()
    at = "%s %s %s" % (thread[:40], ns[:20], cid[-12:])
    run = common.show(store, thread, ns, cid, env=env)
    if run.code:
        t.fail(at, str(run))
        return t
    try:
        data = run.json()["data"]
        names = ()
        if key or not any("+" in (e.get("stored", {}).get("type") or "") for e in entries.values()):
            names = delta.check(t, at, rows, entries, thread, ns, cid, data)
        common.check_checkpoint(t, at, thread, ns, cid, entries[cid], data, key, names)
    except (KeyError, ValueError, TypeError, AttributeError) as e:
        t.fail(at, "%s: %s" % (type(e).__name__, e))
    return t


def check_shows(t, store, oracle, rows, env=None, key=None):
    """Without `key` encrypted rows are closed; that is right where there are none as well."""
    key = key or "aes_key" not in oracle
    jobs = []
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        for thread, spaces in oracle["threads"].items():
            if "\0" in thread:              # cannot be an argument
                continue
            for ns, part in spaces.items():
                jobs += [pool.submit(check_one, store, rows, part["checkpoints"], key, thread, ns, i,
                                     env)
                         for i in part["order"] if i]
        for j in jobs:
            t.merge(j.result())


def check_store(store, oracle):
    t = common.Tally()
    try:
        with contextlib.closing(sqlite3.connect(broken.copied(store))) as db:
            rows = delta.sqlite_rows(db)
        store = broken.copied(store)        # whatever happens, not beside the fixture
        check_lists(t, store, oracle, rows)
        check_shows(t, store, oracle, rows)
    except (KeyError, ValueError, TypeError, OSError) as e:
        t.fail(str(store), "%s: %s" % (type(e).__name__, e))
    return t


def with_keys(store, oracle):
    if "aes_key" not in oracle:
        return
    with contextlib.closing(sqlite3.connect(broken.copied(store))) as db:
        rows = delta.sqlite_rows(db)
    yield from encrypted.parts(broken.copied(store), oracle, rows)


def stores():
    out = []
    for folder in sorted(FIXTURES.iterdir()):
        if folder.name.startswith(("py-", "js-")) and (folder / "store.db").exists():
            out += [p for p in (folder / "store.db", folder / "wal" / "store.db") if p.exists()]
    return out


def main(chosen):
    if not os.access(common.CKPT, os.X_OK):
        print("Bail out! there is no %s" % common.CKPT)
        return 1
    total, n, bad = common.Tally(), 0, 0
    for store in [pathlib.Path(x) for x in chosen] or stores():
        n += 1
        folder = store.parent.parent if store.parent.name == "wal" else store.parent
        t = check_store(store, oracle_of(folder))
        common.tap(n, "%s as its library reads it" % store.relative_to(FIXTURES), t.problems)
        bad += bool(t.problems)
        total.count.update(t.count)
        for what, t in with_keys(store, oracle_of(folder)):
            n += 1
            common.tap(n, "%s %s" % (store.relative_to(FIXTURES), what), t.problems)
            bad += bool(t.problems)
            total.count.update(t.count)
    if not chosen:
        for name, t in broken.check_all(FIXTURES / "broken"):
            n += 1
            common.tap(n, "broken/" + name, t.problems)
            bad += bool(t.problems)
            total.count.update(t.count)
    print("1..%d" % n)
    print("# compared: " + common.totals(total.count))
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
