"""Where checkpoints of JavaScript stand: `ckpt show` against getState of the real library, for every
checkpoint of fresh random graphs, on SQLite and on PostgreSQL. TAP; run with the Python of
build/venv inside tests/pg/with-server.sh.

    test_tasks_js.py [SEED…]    or SEED in the environment; CKPT=build/ckpt, GRAPHS=70, NODE,
                                JS_MODULES

Belongs here: running the library. Graphs and questions are in tasks_js.mjs, the comparison in
tests/oracle.
"""
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import urllib.parse

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "oracle"))

import common
import postgres
import stand

JS = HERE.parent.parent / "build/js"
GRAPHS = os.environ.get("GRAPHS", "70")


def javascript(*args):
    modules = os.environ.get("JS_MODULES", str(JS / "node_modules"))
    p = subprocess.run([os.environ.get("NODE", str(JS / "node")), str(HERE / "tasks_js.mjs"), *args],
                       capture_output=True, timeout=300, env={**os.environ, "JS_MODULES": modules})
    if p.returncode:
        raise OSError("tasks_js.mjs: " + p.stderr.decode("utf-8", "replace")[-600:])
    return json.loads(p.stdout)


def sqlite_store(seed):
    with tempfile.TemporaryDirectory(prefix="ckpt-js-") as folder:
        path = os.path.join(folder, "store.db")
        answer = javascript("sqlite", path, seed, GRAPHS)
        return answer, stand.check_store(path, {**answer, "writers": ("js",)})


def postgres_store(seed):
    with postgres.Database() as database:
        url = "postgresql://%s@/%s?%s" % (os.environ["PGUSER"], database.name, urllib.parse.urlencode(
            {"host": os.environ["PGHOST"], "port": os.environ["PGPORT"]}))
        answer = javascript("pg", url, seed, GRAPHS)
        return answer, stand.check_store(database.store(), {**answer, "writers": ("js",)})


def main(seeds):
    number, bad = 0, False
    for seed in seeds:
        for name, make in (("SQLite", sqlite_store), ("PostgreSQL", postgres_store)):
            number += 1
            answer, (tally, unknown) = make(seed)
            for why, n in unknown.items():      # a function that left nothing but its input
                if "the input waits" not in why or n > 2:
                    tally.fail("unknown", "%d checkpoints: %s" % (n, why))
            if tally.count["checkpoints"] < 6 * int(GRAPHS):
                tally.fail("size", "only %d checkpoints" % tally.count["checkpoints"])
            common.tap(number, "%s graphs of JavaScript on %s, seed %s: %s; unknown: %s; %s; graphs "
                       "raised %s; %d the library cannot find" % (
                           GRAPHS, name, seed, common.totals(tally.count), dict(unknown) or 0,
                           common.totals(answer["kinds"]), answer["raised"], answer["silent"]),
                       tally.problems)
            bad |= bool(tally.problems)
    print("1..%d" % number)
    return bad


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:] or os.environ.get("SEED", "1").split()))
