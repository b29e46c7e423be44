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
import common
import postgres
import prunegraphs
import prunestores as stores

POLICIES, THREADS = 1, 4
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


def fresh(t, seed):
    with postgres.Database() as database:
        prunegraphs.test(t, stores.Pg(database), seed, THREADS)


def upstream(t):
    """keep_latest of the saver on one copy, of ckpt on another: the same rows, but for the parents,
    whose names ckpt leaves where they are. It keeps the calls of subgraphs whole, and what may be
    the chain of a delta channel; nothing else beyond."""
    for name in ("py-hitl", "py-subgraph", "py-basic", "py-age"):
        with postgres.Database(stores.FIXTURES / name / "store.sql.gz") as database:
            store = stores.Pg(database)
            threads = sorted({k[0] for k in store.rows().checkpoints})
            with store.copy() as theirs, store.copy() as ours:
                with theirs.saver() as saver:
                    saver.prune(threads, strategy="keep_latest")
                run = common.Run(["prune", "--strategy", "keep_latest", "--no-keep-heads", "--list",
                                  "--no-keep-interrupted", *proof.NOW, "--yes", "--json", "-s",
                                  ours.address])
                why = {(x["thread"], x["ns"], x["id"]): x["why"] for x in run.json()["data"]["checkpoints"]}
                want, got = theirs.rows(), ours.rows()
            compare_upstream(t, name, want, got, why)


def compare_upstream(t, name, want, got, why):
    t.equal(name + ": missing", sorted(set(want.checkpoints) - set(got.checkpoints)), [])
    t.equal(name + ": more", [k for k in set(got.checkpoints) - set(want.checkpoints)
                              if not set(why[k]) & {"subgraph", "delta"}], [])
    t.equal(name + ": blobs", sorted(got.named(want.checkpoints)),
            sorted(want.named(want.checkpoints)))
    for k in set(want.checkpoints) & set(got.checkpoints):
        t.equal("%s: %s" % (name, k), got.checkpoints[k][1:] == want.checkpoints[k][1:], True)
        t.equal("%s: writes of %s" % (name, k), got.writes[k] == want.writes[k], True)
        t.add("kept")


def tests(seed):
    yield "as PostgresSaver.prune", upstream
    yield "fresh, seed " + seed, lambda t: fresh(t, seed)
    yield from fixtures(seed)


def main(seed):
    logging.disable(logging.WARNING)            # of types that are not registered
    print("# seed: " + seed)
    return proof.run_all(tests(seed))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1] if sys.argv[1:] else os.environ.get("SEED") or "1"))
