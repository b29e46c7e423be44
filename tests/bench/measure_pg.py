"""Rows of the table for PostgreSQL: `ckpt` against psql and the real saver, on one server.

The server works for either side, so these times are wall times, with the client's own user plus
system time in brackets.
"""
import os
import subprocess

from measure import CKPT, alternating, once

WALK = os.environ.get("WALK_PG", "").split()
STORES = os.environ.get("STORES_PG", "").split()

GROUP_BY = ("SELECT thread_id, checkpoint_ns, count(*), min(checkpoint_id), max(checkpoint_id) "
            "FROM checkpoints GROUP BY 1, 2")
HISTORY = ("SELECT thread_id, checkpoint_ns, checkpoint_id, parent_checkpoint_id FROM checkpoints "
           "WHERE thread_id = 'long' AND checkpoint_ns = '' ORDER BY checkpoint_id DESC")
NEWEST = ("WITH c AS (SELECT * FROM checkpoints WHERE thread_id = 'long' AND checkpoint_ns = '' "
          "ORDER BY checkpoint_id DESC LIMIT 1) SELECT c.*, b.channel, b.version, b.type, b.blob "
          "FROM c CROSS JOIN jsonb_each_text(c.checkpoint -> 'channel_versions') v "
          "JOIN checkpoint_blobs b USING (thread_id, checkpoint_ns) "
          "WHERE b.channel = v.key AND b.version = v.value")


def ckpt(database, *words):
    command, *rest = words
    return [CKPT, command, "-s", "postgresql:///" + database, *rest]


def psql(database, query):
    return ["psql", "-XAtd", database, "-c", query]


def told(cost):
    return "%.1f (%.1f) ms" % (cost.wall / 1000, cost.cpu / 1000)


def at_most(t, job, store, mine, peer, most):
    ratio = mine.wall / peer.wall
    t.add(job, "pg " + store, told(mine), told(peer), ratio, "<= %g" % most, ratio <= most)


def at_least(t, job, store, mine, wall, least):
    t.add(job, "pg " + store, told(mine), "%.0f ms" % (wall / 1000), wall / mine.wall,
          ">= %g x" % least, wall / mine.wall >= least)


def bench_list(t, store, scale):
    database = store.lower()
    mine, peer = alternating(ckpt(database, "list"), psql(database, GROUP_BY))
    at_most(t, "list / psql GROUP BY", store, mine, peer, 1.3)
    t.peak("list pg " + store, mine)
    if WALK:
        walk = once([*WALK, database])
        at_least(t, "list / walking PostgresSaver.list", store, mine, walk[0],
                 (400 if store == "M" else 250) * min(1, scale))


def bench_limit(t):
    many, few = alternating(ckpt("w", "list", "--limit", "20"), ckpt("w4", "list", "--limit", "20"))
    raw, full = alternating(ckpt("w", "list", "--schema", "raw"), ckpt("w", "list"))
    at_most(t, "list --limit 20 / list", "W", many, full, 1)
    at_most(t, "list --limit 20, 4x the rows", "W, W4", many, few, 1.5)
    at_most(t, "list, never vacuumed / vacuumed", "W", raw, full, 3)
    t.peak("list --limit 20 pg", many)


def bench_thread(t):
    mine, peer = alternating(ckpt("m", "list", "long"), psql("m", HISTORY))
    at_most(t, "list THREAD / psql", "M", mine, peer, 1.4)
    t.peak("list THREAD pg", mine)
    mine, peer = alternating(ckpt("m", "show", "long"), psql("m", NEWEST))
    at_most(t, "show newest / psql row and blobs", "M", mine, peer, 2)
    t.peak("show pg", mine)
    if WALK:
        walk = min(once([*WALK, "m", "long"])[0] for _ in range(3))
        at_least(t, "show newest / PostgresSaver.get_tuple", "M", mine, walk, 14)


def bench_postgres(t, scale):
    """Makes the stores on the server PGHOST leads to, and measures."""
    subprocess.run([*STORES, str(scale)], check=True)
    bench_list(t, "W", scale)
    bench_list(t, "M", scale)
    bench_limit(t)
    bench_thread(t)
