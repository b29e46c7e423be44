"""The rows about `ckpt diff`: two states of messages against the saver and its objects, long lists
against reading them, two stores whole against reading them. measure.py calls."""
import os
import pathlib

from measure import CKPT, alternating, ms, once

PEER = os.environ.get("DIFF_PEER", "").split()


def bench_diff(t, folder, scale):
    short, long, wide = (str(pathlib.Path(folder, n + ".db")) for n in ("D", "L", "W4"))
    mine, = alternating([CKPT, "diff", "-s", short, "long"])
    if PEER:
        t.at_least("diff of two states of 1,000 messages / SqliteSaver", "D", mine.cpu,
                   once([*PEER, short, "long"])[1], 20)
    mine, show = alternating([CKPT, "diff", "-s", long, "long"], [CKPT, "show", "-s", long, "long",
                                                                  "--json"])
    t.at_most("diff of two lists of %d messages / decoding one" % max(1000, int(100_000 * scale)),
              "L", mine.cpu, show.cpu, ms, 4)
    whole, = alternating([CKPT, "diff", "-s", wide, "--against", wide, "--stat"])
    t.peak("diff --against", whole)
