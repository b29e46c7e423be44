"""`ckpt list --where` on the SQLite and the PostgreSQL twin: each gives the ids that the oracle's
metadata give by the documented rule, which is written down here once more. TAP.

Belongs here: the conditions. The server is that of tests/pg/with-server.sh.
"""
import decimal
import itertools
import json
import sys

import broken
import common
import compare
import postgres

CONDITIONS = {
    "py-meta": [
        ["region=eu"], ['region="eu"'], ["region=EU"], ["region=null"], ["region="], ["vip=true"],
        ["vip=false"], ["vip=True"], ["vip=1"], ["vip=0"], ['vip="true"'], ["vip=null"],
        ["weight=0.25"], ["weight=0.250"], ["weight=25e-2"], ["weight=1"], ["weight=1.0"],
        ["weight=0"], ["weight=-0.0"], ["weight=0.2500000000000000001"], ["weight=.25"],
        ["step=3"], ["step=3.0"], ["step=03"], ["step= 3"], ['step="3"'], ["step=30e-1"],
        ["user_id=u-003"], ['user_id="u\\u002d003"'], ["user_id=u-00"], ["session_type=sales"],
        ["parents={}"], ["parents=null"], ["nosuchkey=null"], ["nosuchkey=x"], ["region.x=eu"],
        ["region=eu", "vip=true"], ["vip=true", "vip=false"], ["step=5", "weight=1", "region=us"],
        ["source=loop"], ["=x=y"], ["region=eu=x"],
    ],
    "py-ids": [
        ["q=it's \"x\""], ['q="it\'s \\"x\\""'], ["k with space=1"], ["k with space=1.0"],
        ["dot.ted=v"], ["dot=v"], ["uni=ñ"], ['uni="\\u00f1"'], ["uni=n\u0303"], ["esc=\x1b[31m"],
        ['esc="\\u001b[31m"'], ["nul=ab"], ["nested.a.b=1"], ["nested.a=null"], ["nested=null"],
        ["nested.a.b.0=1"], ["big=1152921504606846976"], ["big=1152921504606846977"],
        ["big=1.152921504606846976e18"], ["f=0.5"], ["f=5e-1"], ["f=.5"], ["b=false"], ["b=0"],
        ["b=null"], ["n=null"], ["n="], ["n=None"], ["arr=x"], ["arr=[\"x\"]"], ["arr.0=x"],
        ["step=-1"], ["step=-1.0"], ["source=input"], ["parents.=x"], ["deep_nul.x=a"],
        ["parents.=1f1b4863-e1d9-61ad-8001-4923f0ebbf31"], ["big=1152921504606846976", "f=0.5"],
        ["nan=null"], ["nan=0"], ["nan=Infinity"], ["q=x' OR '1'='1"],
    ],
}


# ---- the rule -------------------------------------------------------------------------------------------

def scalar(text):
    """A JSON scalar if the text is one, else the text."""
    try:
        v = json.loads(text, parse_float=decimal.Decimal, parse_int=decimal.Decimal,
                       parse_constant=common.refuse_constant)
    except ValueError:
        return text
    return text if isinstance(v, (dict, list)) else v


def found(meta, key):
    """A literal member wins over descent by dots. All that `key` may mean, in that order."""
    if isinstance(meta, dict):
        if key in meta:
            yield meta[key]
        for at in (i for i, c in enumerate(key) if c == "."):
            if key[:at] in meta:
                yield from found(meta[key[:at]], key[at + 1:])


def holds(meta, condition):
    key, text = condition.split("=", 1)
    stored = next(found(meta, key), KeyError)
    if stored is KeyError or isinstance(stored, (dict, list)):
        return False
    if isinstance(stored, str) and stored == text:
        return True
    wanted = scalar(text)
    if isinstance(stored, bool) or isinstance(wanted, bool):
        return stored is wanted
    if isinstance(stored, (int, float)):
        return isinstance(wanted, decimal.Decimal) and decimal.Decimal(repr(stored)) == wanted
    return stored == wanted


def wanted(oracle, conditions):
    out = []
    for thread in compare.by_bytes(oracle["threads"]):
        for ns in compare.by_bytes(oracle["threads"][thread]):
            part = oracle["threads"][thread][ns]
            out += [[thread, ns, i] for i in part["order"]
                    if all(holds(part["checkpoints"][i]["metadata"], c) for c in conditions)]
    return out


# ---- asking ---------------------------------------------------------------------------------------------

def asked(store, conditions):
    where = itertools.chain.from_iterable(("--where", c) for c in conditions)
    return common.Run(["list", *common.at(store), "--all", "--ns", "*", "--ndjson", *where])


def check(t, store, oracle, conditions):
    run = asked(store, conditions)
    if any(c.startswith("=") for c in conditions):
        if run.code != 2:
            t.fail(conditions, "wanted exit 2: %s" % run)
        return
    if run.code:
        t.fail(conditions, str(run))
        return
    got = [[x["thread"], x["ns"], x["id"]] for x in run.lines()[:-1]]
    ids = wanted(oracle, conditions)
    t.equal(conditions, got, ids)
    t.add("conditions")
    t.add("ids", len(ids))


def check_folder(name):
    folder = compare.FIXTURES / name
    oracles = [json.loads((folder / f).read_text()) for f in ("oracle.json", "oracle.pg.json")]
    with postgres.Database(folder / "store.sql.gz") as database:
        stores = broken.copied(folder / "store.db"), database.store()
        for engine, store, oracle in zip(("SQLite", "PostgreSQL"), stores, oracles):
            t = common.Tally()
            for conditions in CONDITIONS[name]:
                check(t, store, oracle, conditions)
            yield "%s on %s" % (name, engine), t


def main():
    total, n = common.Tally(), 0
    for name in sorted(CONDITIONS):
        for what, t in check_folder(name):
            n += 1
            common.tap(n, "--where in %s" % what, t.problems)
            total.merge(t)
    print("1..%d" % n)
    print("# compared: " + common.totals(total.count))
    return 1 if total.problems else 0


if __name__ == "__main__":
    sys.exit(main())
