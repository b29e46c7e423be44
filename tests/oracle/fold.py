"""Delta channels of the fixtures as `ckpt show` gives them, with and without --fold, against what
the graph that owns them loads. TAP.

    fold.py [--pg]      CKPT=build/ckpt FIXTURES=build/fixtures
                        --pg: the PostgreSQL twin; PGHOST … lead to a server (tests/pg/fold.sh)

Belongs here: comparing materialised values (the oracle's `state`) and counting how each came
about. Raw histories are judged in delta.py.
"""
import collections
import contextlib
import json
import os
import pathlib
import sys

import common
import postgres

FIXTURES = pathlib.Path(os.environ.get("FIXTURES", os.path.join("build", "fixtures")))


def how(data, channel):
    """stored, certain, guess or rows; as the warnings and the value say."""
    value = data["values"].get(channel)
    if isinstance(value, dict) and "$delta" in value:
        return "rows"
    if any(w.startswith("channel %s is a guess" % channel) for w in data["warnings"]):
        return "guess"
    stored = [c["stored"] for c in data["channels"] if c["name"] == channel]
    return "certain" if stored == ["delta"] else "stored"


class Count:
    """How the values of each channel came about, and those that are not what is loaded."""

    def __init__(self):
        self.ways = collections.defaultdict(collections.Counter)
        self.differ = []

    def put(self, where, channel, way, difference):
        self.ways[channel][way + (", not equal" if difference else "")] += 1
        if difference:
            self.differ.append("%s %s (%s): %s" % (where, channel, way, difference))

    def lines(self):
        return ["%s: %s" % (c, ", ".join("%d %s" % (n, w) for w, n in sorted(ways.items())))
                for c, ways in sorted(self.ways.items())]


def channels_of(data):
    return [c["name"] for c in data["channels"]]


def check(t, count, where, run, state, names):
    """What is shown of the channels in `names` is what is loaded; rows are not judged."""
    if run.code:
        return t.fail(where, str(run))
    data = run.json()["data"]
    for name in names:
        if name not in channels_of(data):       # never written here: empty, and not in values
            if state.get(name):
                count.put(where, name, "not there", "want %s" % common.short(state[name]))
            continue
        way, got = how(data, name), data["values"].get(name)
        wrong = None
        if way != "rows":
            wrong = common.difference(got, state.get(name, []))
        count.put(where, name, way, wrong)
        if wrong and way != "guess":
            t.fail(where, "%s, %s: %s" % (name, way, wrong))


def check_store(t, store, oracle, names, fold):
    count = Count()
    for thread, spaces in oracle["threads"].items():
        for ns, part in spaces.items():
            for cid, entry in part["checkpoints"].items():
                if "state" not in entry:
                    continue
                present = [n for n in names if n in entry["state"]]
                run = common.show(store, thread, ns, cid, *(["--fold"] if fold else []))
                where = "%s %s …%s" % (thread, ns[:8], cid[-12:])
                check(t, count, where, run, entry["state"], present)
                t.add("checkpoints")
    return count


def report(n, title, t, count, fold):
    left = sum(w["rows"] for w in count.ways.values())
    if fold:
        for text in count.differ:
            t.fail("guess", text)
        if left:
            t.fail("guess", "%d values are still raw rows" % left)
    common.tap(n, title, t.problems, 40)
    for line in count.lines():
        print("#   " + line)


def check_lost(t, store, oracle):
    """The mark of a snapshot without its blob: told where it is, and where the chain ends there."""
    thread, ns, cid, channel = (oracle[k] for k in ("thread", "ns", "id", "channel"))
    at = common.show(store, thread, ns, cid)
    places = {c["name"]: c["stored"] for c in at.json()["data"]["channels"]}
    t.equal("lost", [at.code, places[channel]], [8, "missing"])
    for more in ([], ["--fold"]):
        head = common.show(store, thread, ns, "", *more)
        data = head.json()["data"]
        t.equal("lost below", [head.code, data["values"][channel]["$delta"]["snapshot_id"]], [8, cid])
        if not any("is lost" in w and cid in w for w in data["warnings"]):
            t.fail("lost below", "no warning: %s" % data["warnings"])


def check_dangling(t, store, oracle):
    """A parent of the chain that is gone: named in a warning, and the writes that are left shown."""
    run = common.show(store, oracle["thread"], oracle["ns"], "", "--channel", "events")
    if not any("events: the parent %s" % oracle["id"] in w for w in run.json()["data"]["warnings"]):
        t.fail("dangling", "%s: %s" % (run, run.out[-400:]))


def stores(pg, stack):
    """(name, store, oracle) of py-delta and its damaged copies."""
    for name in ["py-delta"] + ["broken/%s%s" % ("pg-" * pg, x) for x in
                                ["delta-dangling"] + ["lost-snapshot"] * pg]:
        folder = FIXTURES / name
        second = pg and name == "py-delta"
        oracle = json.loads((folder / ("oracle%s.json" % (".pg" * second))).read_text())
        store = folder / "store.db"
        if pg:
            store = stack.enter_context(postgres.Database(folder / "store.sql.gz")).store()
        yield name, store, oracle


def main(args):
    names = ("events", "files", "messages", "tags", "log")
    n = bad = 0
    with contextlib.ExitStack() as stack:
        for name, store, oracle in stores("--pg" in args, stack):
            for fold in (False, True) if name == "py-delta" else (False,):
                t, count = common.Tally(), Count()
                if name == "py-delta":
                    count = check_store(t, store, oracle, names, fold)
                else:
                    (check_lost if "lost" in name else check_dangling)(t, store, oracle)
                n += 1
                report(n, "%s, %s" % (name, "--fold" if fold else "what is certain"), t, count, fold)
                bad += bool(t.problems)
    print("1..%d" % n)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
