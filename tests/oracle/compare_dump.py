"""`ckpt list`, `show` and `diff` on a dump of every fixture against the store it came from: the same
documents but for the `store` object. TAP.

    compare_dump.py [FOLDER…]         the SQLite fixtures
    compare_dump.py --pg [FOLDER…]    the PostgreSQL ones (tests/pg/with-server.sh)

Belongs here: what is asked of both. The lines are dump.py's.
"""
import concurrent.futures
import json
import os
import pathlib
import sys
import tempfile

import broken
import common
import compare
import dump
import postgres

JOBS = int(os.environ.get("JOBS", "2"))
# Ids that no clock made: a database orders them by its collation, a dump by bytes.
OWN_IDS = ("py-ids",)
LISTS = (["--ndjson"], ["--json", "--all"], ["-l", "--all", "--ns", "*", "--ndjson"],
         ["-l", "--all", "--ns", "*", "--json"])


# What depends on which checkpoint is the newest.
OF_HEADS = ("latest", "status", "next", "tasks", "waits", "warnings")


def bare(run, latest=True):
    """What was answered, without what names the store; the newest too is the database's own."""
    try:
        out = run.json()
    except ValueError:
        out = {"data": [common.loads(x) for x in run.out.splitlines()]}
    if isinstance(out, dict):
        out.pop("store", None)
        for side in ("a", "b", "from", "to"):
            if isinstance(out.get(side), dict):
                out[side].pop("store", None)
    rows = out["data"] if isinstance(out["data"], list) else [out["data"]]
    for row in rows if not latest else ():
        for name in OF_HEADS:
            row.pop(name, None)
    return out


def same(t, what, one, other, latest=True):
    t.add(what.split(" ")[0])
    if one.code != other.code:
        t.fail(what, "%s; %s" % (one, other))
    elif bare(one, latest) != bare(other, latest):
        t.fail(what, common.difference(bare(other, latest), bare(one, latest)) or "not the same")


def both(ask, stores):
    return [ask(s) for s in stores]


def questions(rows):
    """(what, ask) for each checkpoint that an argument can name."""
    for row in rows:
        t, ns, i = row["thread"], row["ns"], row["id"]
        if not all(isinstance(x, str) and "\0" not in x for x in (t, ns, i)):
            continue
        at = ["--thread=" + t, "--ns=" + ns, "--checkpoint=" + i]
        yield "show %s %s %s" % (t[:30], ns[:20], i[-12:]), \
            lambda s, at=at: common.Run(["show", *common.at(s), *at, "--json"], s.env)
        if row.get("parent"):
            yield "diff %s %s %s" % (t[:30], ns[:20], i[-12:]), \
                lambda s, at=at: common.Run(["diff", *common.at(s), *at, "--json"], s.env)


class Store(tuple):
    """What common.at takes, with the environment that opens its encrypted rows."""
    env = None


def opened(store, key):
    s = Store(store if isinstance(store, tuple) else (str(store),))
    s.env = {"LANGGRAPH_AES_KEY": key} if key else None
    return s


def check(lines, store, key=None, latest=True):
    t = common.Tally()
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "a.jsonl"
        path.write_bytes("".join(x + "\n" for x in lines).encode())
        stores = (opened(store, key), opened(path, key))
        for more in LISTS:
            one, other = both(lambda s, m=more: common.Run(["list", *common.at(s), *m], s.env), stores)
            same(t, "list %s" % " ".join(more), one, other, latest)
        rows = [x for x in one.json()["data"]] if one.code == 0 else []
        with concurrent.futures.ThreadPoolExecutor(JOBS) as pool:
            asked = list(questions(rows))
            for (what, _), (one, other) in zip(
                    asked, pool.map(lambda q: both(q[1], stores), asked)):
                same(t, what, one, other, latest)
        for name in {x["thread"] for x in rows if isinstance(x["thread"], str)}:
            if "\0" not in name:
                one, other = both(lambda s, n=name: common.Run(
                    ["list", *common.at(s), "--thread=" + n, "--graph", "--all"], s.env), stores)
                t.add("graphs")
                if (one.code, one.out) != (other.code, other.out):
                    t.fail("graph %s" % name[:30], "%s; %s" % (one, other))
    return t


def key_of(folder):
    path = folder / "oracle.json"
    return json.loads(path.read_text()).get("aes_key") if path.exists() else None


def sqlite_parts(folder):
    store = broken.copied(folder / "store.db")
    for key in {None, key_of(folder)}:
        yield "with its key" if key else "as it is", check(dump.sqlite_lines(store), store, key)


def postgres_parts(folder):
    oracle = folder / "oracle.pg.json"
    with postgres.Database(folder / "store.sql.gz") as database:
        if oracle.exists() or (folder / "oracle.json").exists():
            oracle = oracle if oracle.exists() else folder / "oracle.json"
            database.schema = json.loads(oracle.read_text()).get("schema", "public")
        for key in {None, key_of(folder)}:
            yield "with its key" if key else "as it is", \
                check(dump.postgres_lines(database), database.store(), key,
                      folder.name not in OWN_IDS)


def main(args):
    pg = args[:1] == ["--pg"]
    chosen = [pathlib.Path(x) for x in args[pg:]]
    if not chosen:
        pattern = "*/store.sql.gz" if pg else "*/store.db"
        chosen = [x.parent for x in sorted(compare.FIXTURES.glob(pattern))
                  if x.parent.name.startswith(("py-", "js-"))]
    total, n, bad = common.Tally(), 0, 0
    for folder in chosen:
        for what, t in postgres_parts(folder) if pg else sqlite_parts(folder):
            n += 1
            common.tap(n, "%s %s" % (folder.name, what), t.problems)
            bad += bool(t.problems)
            total.count.update(t.count)
    print("1..%d" % n)
    print("# compared: " + common.totals(total.count))
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
