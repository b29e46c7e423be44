"""`ckpt prune` on PostgreSQL, judged by the real library: what test_prune.py does, with values in
blobs, and against the saver's own prune.
TAP; run with the Python of build/venv inside tests/pg/with-server.sh.

    test_prune_pg.py [SEED]    or SEED in the environment; CKPT=build/ckpt FIXTURES=build/fixtures

Belongs here: PostgreSQL's stores. What must hold is prune_proof.py's.
"""
import logging
import os
import pathlib
import sys
import tempfile

import prune_proof as proof                     # first: it makes tests/oracle importable
import postgres
import prunestores as stores

POLICIES = 2
SCHEMAS = {"js-basic": "agent-data"}


def fixtures(seed):
    for at in sorted(stores.FIXTURES.glob("*/store.sql.gz")):
        name = at.parent.name
        if name.startswith(("py-", "js-")) and name != "py-shallow":
            def test(t, at=at, name=name):
                with tempfile.TemporaryDirectory(prefix="ckpt-prune-") as folder, \
                        postgres.Database(at, SCHEMAS.get(name, "public")) as database:
                    store = stores.Pg(database, stores.key_env(name), database.schema)
                    proof.fixture(t, store, name, seed, POLICIES, pathlib.Path(folder))
            yield name, test


def tests(seed):
    yield from fixtures(seed)


def main(seed):
    logging.disable(logging.WARNING)            # of types that are not registered
    print("# seed: " + seed)
    return proof.run_all(tests(seed))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1] if sys.argv[1:] else os.environ.get("SEED") or "1"))
