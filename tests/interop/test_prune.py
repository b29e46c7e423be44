"""`ckpt prune` on SQLite, judged by the real library: every fixture and fresh random graphs under
random policies. TAP; run with the Python of build/venv.

    test_prune.py [SEED]       or SEED in the environment; CKPT=build/ckpt FIXTURES=build/fixtures

Belongs here: SQLite's stores. What must hold is prune_proof.py's; test_prune_pg.py does the same on
PostgreSQL.
"""
import contextlib
import logging
import os
import pathlib
import sqlite3
import subprocess
import sys
import tempfile
import time

import prune_proof as proof                     # first: it makes tests/oracle importable
import broken
import common
import prunegraphs
import prunestores as stores

POLICIES, THREADS = 4, 8


def fixtures(seed):
    for at in sorted(stores.FIXTURES.glob("*/store.db")):
        name = at.parent.name
        if name.startswith(("py-", "js-")):
            def test(t, at=at, name=name):
                with tempfile.TemporaryDirectory(prefix="ckpt-prune-") as folder:
                    store = stores.Lite(broken.copied(at), stores.key_env(name))
                    proof.fixture(t, store, name, seed, POLICIES, pathlib.Path(folder))
            yield name, test


def fresh(t, seed):
    with tempfile.TemporaryDirectory(prefix="ckpt-prune-") as folder:
        prunegraphs.test(t, stores.Lite(os.path.join(folder, "store.db")), seed, THREADS)


def start(path, *more):
    return subprocess.Popen([common.CKPT, "prune", "--keep-last", "1", *proof.NOW, "--yes", *more, "-s", path],
                            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)


def signed(lock, pid):
    """Does the lock say that this process holds it? A killed one leaves its name there."""
    with contextlib.suppress(FileNotFoundError), open(lock, encoding="utf-8") as f:
        return "process %d on " % pid in f.read()


def one_at_a_time(t):
    """Of 50 one works, the others name it; killed, it is in nobody's way."""
    with contextlib.closing(sqlite3.connect(broken.copied(stores.FIXTURES / "py-hitl" / "store.db"),
                                            isolation_level=None)) as db:
        path = db.execute("PRAGMA database_list").fetchone()[2]
        for end in ("killed", "done"):
            db.execute("BEGIN IMMEDIATE")
            first = start(path, "--lock-wait", "90s")
            while not signed(path + "-ckpt", first.pid):
                time.sleep(0.02)
            others = [start(path, "--lock-wait", "0") for _ in range(49)]
            said = [(p.communicate()[1], p.returncode) for p in others]
            t.equal(end + ": exit codes", [code for _, code in said], [6] * 49)
            # many who open it to read at once meet SQLite's own short locks, and wait for none
            t.equal(end + ": why", [x for x, _ in said if "process %d on " % first.pid not in x and
                                    "cannot open store" not in x], [])
            if end == "killed":
                first.kill()
            db.execute("ROLLBACK")
            first.communicate()
            t.equal(end + ": the first", first.returncode, -9 if end == "killed" else 0)


def tests(seed):
    yield "one at a time", one_at_a_time
    yield from fixtures(seed)
    yield "fresh, seed " + seed, lambda t: fresh(t, seed)


def main(seed):
    logging.disable(logging.WARNING)            # of types that are not registered
    print("# seed: " + seed)
    return proof.run_all(tests(seed))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1] if sys.argv[1:] else os.environ.get("SEED") or "1"))
