"""`ckpt prune` on SQLite, judged by the real library: every fixture and fresh random graphs under
random policies. TAP; run with the Python of build/venv.

    test_prune.py [SEED]       or SEED in the environment; CKPT=build/ckpt FIXTURES=build/fixtures

Belongs here: SQLite's stores. What must hold is prune_proof.py's; test_prune_pg.py does the same on
PostgreSQL.
"""
import logging
import os
import pathlib
import sys
import tempfile

import prune_proof as proof                     # first: it makes tests/oracle importable
import broken
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


def tests(seed):
    yield from fixtures(seed)
    yield "fresh, seed " + seed, lambda t: fresh(t, seed)


def main(seed):
    logging.disable(logging.WARNING)            # of types that are not registered
    print("# seed: " + seed)
    return proof.run_all(tests(seed))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1] if sys.argv[1:] else os.environ.get("SEED") or "1"))
