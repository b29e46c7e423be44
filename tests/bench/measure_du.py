"""`ckpt du` against sqlite3's sums of lengths, and against the least that reading all values and
walking over the top level of the containers can cost (toplevel.c)."""
import os

from measure import CKPT, alternating, mb, ms

LENGTHS = ("SELECT thread_id, sum(length(checkpoint) + length(metadata)) FROM checkpoints NOT INDEXED "
           "GROUP BY 1; SELECT thread_id, sum(length(value)) FROM writes NOT INDEXED GROUP BY 1")


def bench_du(t, name, path):
    mine, peer = alternating([CKPT, "du", "-s", path], ["sqlite3", path, LENGTHS])
    t.at_most("du / sqlite3 sums of lengths", name, mine.cpu, peer.cpu, ms, 1.3)
    t.at_most("du, bytes read / sqlite3", name, mine.read, peer.read, mb, 1.1)
    t.peak("du " + name, mine)
    mine, peer = alternating([CKPT, "du", "--by", "channel", "-s", path],
                             [os.environ["TOPLEVEL"], path])
    t.at_most("du --by channel / top-level walk", name, mine.cpu, peer.cpu, ms, 1.5)
