"""Deleting on PostgreSQL in several batches: what goes first, and that a run that was killed, or met
a root that went on, leaves what the same command finishes. TAP; run inside with-server.sh.

    prune_again.py      CKPT=build/ckpt DROP=… DROP_FAIL=… SEED

Belongs here: the order of batches, and running again. What goes at all is prune.py's.
"""
import collections
import os
import signal
import subprocess
import sys

from prune_store import (Ended, State, Writer, address, all_but_newest, ckpt, database, dropped, equal, fill,
                         keys, literal, psql, run_tests, start)

CKPT_FAIL = "build/failpoints/ckpt"


def rooted(t, r):
    """A root that went on keeps what was planned by its checkpoints; one that lost some does not."""
    with database() as name:
        w = Writer(r.random())
        fill(name, w, 12, 12, ("", "agent", "call:1", "call:2"))
        before = State(name)
        names = sorted({k[0] for k in before.checkpoints})
        roots = {s: before.newest[s[0], ""] for s in before.newest if ":" in s[1]}
        doomed = {k for k in before.checkpoints if k[1] == "call:1"} | {
            k for k in all_but_newest(before) if k[1] in ("agent", "call:2")}
        whole = {k[:2] for k in doomed if k[1] == "call:1"}
        on, less = names[:4], names[4:8]
        # as the database orders them: in its language a is before B
        equal(t, "its order", psql(name, "SELECT 'a' < 'B'").strip(), b"t")
        roots.update({s: "a" for s in roots if s[0] in on[:2]})
        psql(name, "".join(w.put(x, "", None, "B" if x in on[:2] else None)[0] for x in on) +
             "".join("DELETE FROM checkpoints WHERE thread_id = %s AND checkpoint_ns = '' AND "
                     "checkpoint_id = %s;" % (literal(x), literal(before.newest[x, ""])) for x in less))
        now = State(name)
        for hold in (0, 1):
            e = dropped(t, "rooted", address(name), keys(before, doomed, whole=whole, roots=roots), 0, 0, hold)
            left = {s for s in roots if s[0] in on and any(k[:2] == s for k in doomed)}
            told = {tuple(x.split(" ")[1:]) for x in e.moved}
            if not hold:            # then also told: whole ones that are gone
                equal(t, "told", told, left)
            equal(t, "told again", told >= left and bool(left), True)
            State(name).same(t, "rooted", now.after({k for k in doomed if k[:2] not in left}))


def late_write(k):
    return ("INSERT INTO checkpoint_writes VALUES (%s, 'late', 0, 'c', 'msgpack', '\\x01', '');" %
            ", ".join(map(literal, k)))


def crowded(t, r):
    """A write that came since the plan to what goes: its namespace stays, and what hangs on it."""
    for share in (0.15, 0.9):                       # a few of many, or most
        with database() as name:
            fill(name, Writer(r.random()), 12, 40, ("", "agent", "call:1"))
            before = State(name)
            doomed = {k for k in all_but_newest(before) if r.random() < share}
            roots = {s: before.newest[s[0], ""] for s in before.newest if s[1] == "call:1"}
            spaces = sorted({k[:2] for k in doomed})
            left = {next(s for s in spaces if s[1] == ns) for ns in ("", "agent", "call:1")}
            left |= {s for s in spaces[6:12] if s[1] == ""}
            psql(name, "".join(late_write(max(k for k in doomed if k[:2] == s)) for s in left) +
                 "DELETE FROM checkpoint_writes WHERE idx = 1 AND thread_id = %s;" % literal(spaces[-1][0]))
            left |= {s for s in spaces if s[1] == "call:1" and (s[0], "") in left}
            now = State(name)
            e = dropped(t, "crowded", address(name), keys(before, doomed, roots=roots), 0, 0, 0)
            equal(t, "told", {tuple(x.split(" ")[1:]) for x in e.moved}, left)
            State(name).same(t, "crowded", now.after({k for k in doomed if k[:2] not in left}))


def crowded_threads(t, r):
    """A write that came to a thread that goes whole, of a checkpoint that is there or not: it stays."""
    with database() as name:
        fill(name, Writer(r.random()), 8, 10, ("", "agent"))
        threads = sorted({k[0] for k in State(name).checkpoints})
        psql(name, "".join(late_write((x, "", "gone")) for x in threads[:4]))
        before = State(name)
        psql(name, late_write(max(k for k in before.checkpoints if k[0] == threads[1])) +
             late_write((threads[2], "", "soon")) + late_write((threads[5], "x", "soon")))
        now = State(name)
        e = dropped(t, "crowded", address(name), keys(before, set(), threads), 0, 0, 0)
        left = [threads[n] for n in (1, 2, 5)]
        equal(t, "told", sorted({x.split(" ")[1] for x in e.moved}), left)
        State(name).same(t, "crowded", now.after(set(), set(threads) - set(left)))


def order(t, r):
    """A thread in several batches: calls before the root; the least first, where chains lead to
    parents the greatest."""
    with database() as whole:
        fill(whole, Writer(r.random()), 3, 150, ("", "agent", "call:1", "call:2"))
        before = State(whole)
        doomed = all_but_newest(before)
        ids = collections.defaultdict(list)
        for k in sorted(doomed):
            ids[k[:2]].append(k[2])
        chains = {s for s in ids if s[1] in ("agent", "call:1")}
        cut = collections.Counter()
        for at in range(1, 30):
            with database(whole) as name:
                e = Ended(start(address(name), keys(before, doomed, chains=chains), 0, 0, 1,
                                failpoint="prune.server_commit.after:%d" % at))
                left = State(name).checkpoints
                equal(t, "order: exit", e.code in (0, -signal.SIGKILL), True)
                for s, all_ids in ids.items():
                    rest = [i for i in all_ids if (*s, i) in left]
                    n = len(rest)
                    equal(t, "order: %s" % s[1], rest, all_ids[:n] if s in chains else all_ids[len(all_ids) - n:])
                    cut[s in chains] += 0 < n < len(all_ids)
                    later = [x for x in ids if x[0] == s[0] and x[1] > s[1]]
                    equal(t, "callers last", n < len(all_ids) and any(
                        (*x, i) in left for x in later for i in ids[x]), False)
                if e.code == 0:
                    break
        equal(t, "were cut", cut[False] >= 5 and cut[True] >= 5, True)


def resumed(t, r):
    """The same command after a kill: what is left is what one run leaves."""
    with database() as whole:
        w, sql = Writer(r.random()), ["BEGIN;\n"]
        for thread in ("a", "b"):
            bases = []
            for i in range(3000):
                base = bases[-1] if bases else None
                text, new = w.put(thread, "", base)
                sql += text, w.writes(thread, "", new[0])
                bases.append(new)
                if i % 700 == 9:                    # a branch
                    sql.append(w.put(thread, "", base)[0])
                if i % 30 == 0:
                    sql.append(w.put(thread, "call:%d" % i, None, caller=new[0])[0])
            base = None
            for _ in range(2500):
                text, base = w.put(thread, "agent", base)
                sql.append(text)
        psql(whole, "".join(sql) + "COMMIT; ANALYZE;")
        policy = ["--keep-last", "3", "--min-age", "0", "--active-within", "0", "--yes"]
        with database(whole) as name:
            done = ckpt("prune", "-s", address(name), *policy)
            equal(t, "resumed: one run", done.returncode, 0)
            want = State(name)
        equal(t, "something went", len(want.checkpoints) < 300, True)
        for at in (1, 3):
            with database(whole) as name:
                p = subprocess.run(
                    [CKPT_FAIL, "prune", "-s", address(name), *policy], capture_output=True,
                    env={**{k: v for k, v in os.environ.items() if not k.startswith("PG")},
                         "CKPT_FAILPOINT": "prune.server_commit.after:%d" % at})
                equal(t, "resumed: killed", p.returncode, -signal.SIGKILL)
                equal(t, "resumed: not done", len(State(name).checkpoints) > len(want.checkpoints), True)
                equal(t, "resumed: again", ckpt("prune", "-s", address(name), *policy).returncode, 0)
                State(name).same(t, "resumed at %d" % at, want)


if __name__ == "__main__":
    sys.exit(run_tests((order, resumed, rooted, crowded, crowded_threads)))
