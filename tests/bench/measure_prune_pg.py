"""Rows of the table for `ckpt prune` on PostgreSQL: plan and delete, against a hand-written script
that is given the keys and only deletes, and against PostgresSaver.prune, which keeps the same.

Each run has a new copy of the database, warm in the cache. Wall times, medians: the server works
for either side.
"""
import os
import statistics
import subprocess
import tempfile
import time

from measure import CKPT

PEER = os.environ.get("PRUNE_PEER_PG", "").split()
ROUNDS = 3
KEYS = ("COPY (SELECT thread_id, checkpoint_ns, checkpoint_id FROM (SELECT *, row_number() OVER ("
        "PARTITION BY thread_id, checkpoint_ns ORDER BY checkpoint_id DESC) AS n FROM checkpoints) c "
        "WHERE n > %d) TO STDOUT")
# What a person who knows the keys, the tables and SQL would run: sets, statistics, one transaction.
SCRIPT = r"""
BEGIN;
CREATE TEMP TABLE d (thread_id text, checkpoint_ns text, checkpoint_id text);
\copy d FROM '%s'
ANALYZE d;
CREATE TEMP TABLE freed AS WITH gone AS (
    DELETE FROM checkpoints c USING d WHERE c.thread_id = d.thread_id
    AND c.checkpoint_ns = d.checkpoint_ns AND c.checkpoint_id = d.checkpoint_id
    RETURNING c.thread_id, c.checkpoint_ns, c.checkpoint -> 'channel_versions' AS v)
SELECT DISTINCT thread_id, checkpoint_ns, key, value FROM gone, jsonb_each_text(v);
DELETE FROM checkpoint_writes w USING d WHERE w.thread_id = d.thread_id
    AND w.checkpoint_ns = d.checkpoint_ns AND w.checkpoint_id = d.checkpoint_id;
DELETE FROM freed f USING (SELECT DISTINCT thread_id, checkpoint_ns, key, value FROM checkpoints,
    jsonb_each_text(checkpoint -> 'channel_versions')) k WHERE f.thread_id = k.thread_id
    AND f.checkpoint_ns = k.checkpoint_ns AND f.key = k.key AND f.value = k.value;
ANALYZE freed;
DELETE FROM checkpoint_blobs b USING freed f WHERE b.thread_id = f.thread_id
    AND b.checkpoint_ns = f.checkpoint_ns AND b.channel = f.key AND b.version = f.value;
COMMIT;
"""
LEFT = ("SELECT (SELECT count(*) FROM checkpoints), (SELECT count(*) FROM checkpoint_blobs), "
        "(SELECT count(*) FROM checkpoint_writes)")


def psql(database, *words, **how):
    return subprocess.run(["psql", "-qXAt", "-v", "ON_ERROR_STOP=1", "-d", database, *words], check=True,
                          capture_output=True, text=True, **how).stdout


def fresh(like):
    psql("postgres", "-c", "DROP DATABASE IF EXISTS pruned", "-c",
         "CREATE DATABASE pruned TEMPLATE " + like)
    psql("pruned", "-c", "SELECT count(length(checkpoint::text)) FROM checkpoints", "-c", LEFT)


def timed(run):
    began = time.monotonic()
    run()
    return time.monotonic() - began


def by_ckpt(keep):
    subprocess.run([CKPT, "prune", "-s", "postgresql:///pruned", "--keep-last", str(keep), "--min-age", "0",
                    "--active-within", "0", "--yes"], check=True, stdout=subprocess.DEVNULL,
                   stderr=subprocess.DEVNULL)


def by_saver():
    return float(subprocess.run([*PEER, "pruned"], check=True, capture_output=True, text=True).stdout)


def measure(store, keep, least):
    """Medians of each way's times; the saver knows only one number to keep."""
    with tempfile.NamedTemporaryFile("w") as f:
        f.write(psql(store, "-c", KEYS % keep))
        f.flush()
        ways = {"ckpt": lambda: timed(lambda: by_ckpt(keep)),
                "script": lambda: timed(lambda: psql("pruned", input=SCRIPT % f.name))}
        if PEER and least:
            ways["saver"] = by_saver
        took, left = {w: [] for w in ways}, set()
        for _ in range(ROUNDS):
            for way, run in ways.items():
                fresh(store)
                took[way].append(run())
                left.add(psql("pruned", "-c", LEFT))
    assert len(left) == 1, left
    return {w: statistics.median(x) for w, x in took.items()}


def bench_prune_pg(t):
    for name, keep, least in (("M", 1, 1.5), ("W", 1, 4), ("W", 10, None)):
        took = measure(name.lower(), keep, least)
        ratio = took["ckpt"] / took["script"]
        t.add("prune --keep-last %d / deleting by hand-written SQL" % keep, "pg " + name, "%.2f s" % took["ckpt"],
              "%.2f s" % took["script"], ratio, "<= 1.3", ratio <= 1.3)
        if "saver" in took:
            ratio = took["saver"] / took["ckpt"]
            t.add("prune / PostgresSaver.prune", "pg " + name, "%.2f s" % took["ckpt"],
                  "%.2f s" % took["saver"], ratio, ">= %g x" % least, ratio >= least)
    psql("postgres", "-c", "DROP DATABASE pruned")
