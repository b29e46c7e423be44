"""Where checkpoints stand on PostgreSQL: the graphs of taskgraphs.py on PostgresSaver, and the
fixtures' dumps, against get_state. There the rows of one call share a transaction, and order is by
transaction. TAP; run with the Python of build/venv inside tests/pg/with-server.sh.

    test_tasks_pg.py [SEED…]       or SEED in the environment; CKPT=build/ckpt, GRAPHS=120

Belongs here: PostgreSQL. What is asked and how it is told are those of test_tasks.py.
"""
import logging
import os
import sys

import test_tasks                               # first: it makes tests/oracle importable
import common
import postgres
import safe
import stand
from langgraph.checkpoint.postgres import PostgresSaver

GRAPHS = int(os.environ.get("GRAPHS", "120"))


def fresh(number, seed):
    with postgres.Database() as database:
        with PostgresSaver.from_conn_string(database.address) as saver:
            saver.setup()
            oracle, kinds, silent = test_tasks.fill(saver, seed, GRAPHS)
        tally, unknown = stand.check_store(database.store(), oracle)
    for why, n in unknown.items():
        tally.fail("unknown", "%d checkpoints: %s" % (n, why))
    return test_tasks.report(number, "%d fresh graphs on PostgreSQL, seed %s" % (GRAPHS, seed), tally,
                             unknown, "; %s; %d the library cannot find" % (
                                 common.totals(kinds), silent))


def main():
    logging.disable(logging.CRITICAL)
    seeds = sys.argv[1:] or os.environ.get("SEED", "pg").split()
    good = True
    for number, seed in enumerate(seeds, 1):
        good &= fresh(number, seed)
    for number, (name, tally, unknown) in enumerate(stand.dumps(), len(seeds) + 1):
        good &= test_tasks.report(number, name, tally, unknown)
    for number, (name, tally) in enumerate(safe.dumps(), number + 1):
        common.tap(number, "safe in %s: %s" % (name, common.totals(tally.count)), tally.problems)
        good &= not tally.problems
    print("1..%d" % number)
    return not good


if __name__ == "__main__":
    sys.exit(main())
