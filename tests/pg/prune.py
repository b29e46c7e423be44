"""Deleting on PostgreSQL: what is left is what a naive model says, whatever happens meanwhile:
live writers, killed runs, several at once, a lost server, missing privileges. TAP; run inside
with-server.sh. Standard library and psql only.

    prune.py [SOAK_SECONDS]     (8); CKPT=build/ckpt DROP=… DROP_FAIL=… FIXTURES SEED

DROP deletes the keys it reads (drop_keys.c), DROP_FAIL is the same with failpoints. Belongs here:
what happens around deleting. What a policy keeps is tested with the planner.
"""
import collections
import json
import os
import pathlib
import random
import re
import signal
import subprocess
import sys
import threading
import time
import zlib

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
sys.path.insert(0, str(HERE.parent / "oracle"))
import common
import postgres
from postgres import psql, rows_of
from prune_store import (Ended, Session, State, TABLES, Writer, address, all_but_newest, check, ckpt, database,
                         drop, dropped, equal, fill, findings, keys, literal, run_tests, some, start,
                         until)

SOAK = float(sys.argv[1]) if len(sys.argv) > 1 else 8
FIXTURES = pathlib.Path(os.environ.get("FIXTURES", "build/fixtures"))
BUSY, REFUSED = 4, 8    # codes of the library
WAITS = ("EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database() AND "
         "wait_event_type = 'Lock')")


# ---- what goes, and only that -----------------------------------------------------------------------

def fixtures(t, r):
    """Any checkpoints of the stores that savers of every release made."""
    for path in sorted(FIXTURES.glob("*/store.sql.gz")):
        with postgres.Database(path) as db:
            has = psql(db.name, "SELECT count(*) FROM information_schema.columns WHERE table_schema "
                       "= 'public' AND (table_name, column_name) IN (('checkpoints', "
                       "'parent_checkpoint_id'), ('checkpoint_blobs', 'version'))").strip()
            if has != b"2":
                continue
            for share in (0.3, 0.8, 1):
                before = State(db.name)
                doomed = some(r, before, share)
                e = drop(db.address, keys(before, doomed))
                if e.code == REFUSED and "not as it is known" in e.error:
                    t.count["refused"] += 1
                    before.same(t, path.parent.name + " refused", State(db.name))
                    break
                equal(t, path.parent.name + ": exit", (e.code, e.error), (0, ""))
                after = State(db.name)
                after.same(t, path.parent.name, before.after(doomed))
                equal(t, path.parent.name + ": told", e.sum, [
                    len(doomed), before.writes.total() - after.writes.total(),
                    len(before.blobs) - len(after.blobs), 0])


def random_sets(t, r):
    """Ids, whole namespaces, whole threads; batches of all sizes; versions of both languages."""
    for js in (False, True):
        with database() as name:
            fill(name, Writer(r.random(), js), 150, 8, ("", "agent", "call:1|in:2"))
            for hold, share in ((0, 0.4), (4, 0.4), (4, 0.05), (200, 0.1)):
                before = State(name)
                names = sorted({k[0] for k in before.checkpoints})
                threads = set(r.sample(names, len(names) // 8))
                spaces = sorted(s for s in before.newest if s[0] not in threads)
                whole = set(r.sample(spaces, len(spaces) // 6))
                doomed = {k for k in before.checkpoints if k[0] not in threads and
                          (k[:2] in whole or r.random() < share)}
                chains = set(r.sample(spaces, len(spaces) // 3))
                what = "js %s, hold %s, share %s" % (js, hold, share)
                want = before.after(doomed, threads)
                for data in (keys(before, doomed, whole=whole, chains=chains), keys(before, (), threads)):
                    dropped(t, what, address(name), data, 0, 0, hold)
                State(name).same(t, what, want)
            check(t, what, name)


def moved(t, r):
    """What was written to since it was planned is left out whole, and told."""
    with database() as name:
        w = Writer(r.random())
        fill(name, w, 40, 12, ("", "agent"))
        before = State(name)
        names = sorted({k[0] for k in before.checkpoints})
        late = {s: i for s, i in before.newest.items() if r.random() < 0.3}
        gone = set(names[:10])
        for hold in (0, 2):
            doomed = {k for k in all_but_newest(before) if k[0] not in gone}
            data = keys(before, doomed), keys(before, (), gone)
            sql = [w.put(*s, (i, {}))[0] for s, i in late.items()]
            sql += [w.put(x, "new", None)[0] for x in names[8:10]]      # a namespace nobody planned
            sql.append(w.put(names[7], "", None, "00000000-0000-6000-8000-%012d" % hold)[0])
            psql(name, "".join(sql))
            left = {names[7], names[8], names[9]} | {s[0] for s in late}
            spaces = set(late) | {s for s in before.newest if s[0] in left & gone}
            now = State(name)
            es = [dropped(t, "moved", address(name), d, 0, 0, hold) for d in data]
            told = {tuple(x.split(" ")[1:]) for e in es for x in e.moved}
            planned = {k[:2] for k in doomed} | {s for s in before.newest if s[0] in gone}
            equal(t, "told", told, {s for s in spaces if s in planned})
            equal(t, "counted", sum(e.sum[3] for e in es), len(told))
            State(name).same(t, "moved", now.after({k for k in doomed if k[:2] not in late},
                                                   gone - left))
            before = State(name)
            gone &= set(x[0] for x in before.newest)
        check(t, "moved", name, ("version-regression",))


def command(t, r):
    """ckpt prune on the savers' stores: what its dry run lists goes, with writes and blobs."""
    for path in sorted(FIXTURES.glob("*/store.sql.gz")):
        with postgres.Database(path) as db:
            policy = ["prune", "-s", db.address, "--keep-last", str(r.randrange(1, 4)), "--min-age", "0",
                      "--active-within", "0", "--no-keep-heads", "--json"]
            plan = ckpt(*policy, "--dry-run", "--list")
            if plan.returncode == 7:    # a store that is only read
                t.count["refused"] += 1
                continue
            doomed = {(x["thread"], x["ns"], x["id"])
                      for x in json.loads(plan.stdout)["data"]["checkpoints"] if x["action"] == "drop"}
            before, errors = State(db.name), findings(db.name)
            done = ckpt(*policy, "--yes")
            if done.returncode == 7:
                t.count["refused"] += 1
                before.same(t, path.parent.name, State(db.name))
                continue
            equal(t, path.parent.name + ": exit", (done.returncode, done.stderr[-200:]), (0, done.stderr[-200:]))
            after = State(db.name)
            after.same(t, path.parent.name, before.after(doomed))
            summary = json.loads(done.stdout)["summary"]
            equal(t, path.parent.name + ": told", [summary[x] for x in ("checkpoints", "writes", "blobs")], [
                len(doomed), before.writes.total() - after.writes.total(),
                len(before.blobs) - len(after.blobs)])
            equal(t, path.parent.name + ": new errors", findings(db.name) - errors, set())
            t.count["dropped"] += len(doomed)


def vacuum(t, r):
    """VACUUM gives room back: plain at the end of tables, FULL all, if nobody uses them."""
    with database() as name:
        fill(name, Writer(r.random()), 60, 30)
        before = State(name)
        threads = {k[0] for k in before.checkpoints}
        out = drop(address(name), keys(before, (), threads), 0, 0, 0, 0, "plain")
        equal(t, "plain", (out.code, out.error), (0, ""))
        left = psql(name, "SELECT pg_relation_size('checkpoints'), pg_relation_size('checkpoint_blobs')")
        equal(t, "all are gone", (out.vacuum[0], out.vacuum[2] < out.vacuum[1], left.strip()),
              (1, True, b"0|0"))
        fill(name, Writer(r.random()), 60, 30)
        s = Session(name)
        s.run("BEGIN; SELECT count(*) FROM checkpoint_blobs;")
        file = "pg_relation_filenode('checkpoint_writes')"
        was = psql(name, "SELECT " + file).decode().strip()
        p = start(address(name), keys(State(name), all_but_newest(State(name))), 0, 0, 0, 0, "full")
        until(p, name, "%s <> %s" % (file, was))    # the blobs are next, which it tries again and again
        other = Session(name)
        other.run("SET lock_timeout = '1s';")
        for i in range(20):
            equal(t, "who writes waits for it", other.run(
                "INSERT INTO checkpoint_blobs VALUES ('x', '', 'c', '%d', 'empty', '');" % i), "")
            time.sleep(0.05)
        other.close()
        equal(t, "it waits for the reader", p.poll(), None)
        s.run("COMMIT;")
        s.close()
        out = Ended(p)
        equal(t, "full", (out.code, out.vacuum[0], out.vacuum[2] < out.vacuum[1]), (0, 2, True))
        psql(name, "CREATE ROLE guest LOGIN; GRANT ALL ON ALL TABLES IN SCHEMA public TO guest")
        try:
            out = drop(address(name, user="guest"), b"", 0, 0, 0, 0, "plain")
            equal(t, "not the owner", (out.code, out.vacuum[0], "owner" in out.vacuum[3]), (0, 0, True))
        finally:
            psql(name, "DROP OWNED BY guest; DROP ROLE guest")


# ---- beside others --------------------------------------------------------------------------------------

def counting_writer(t, r):
    """JavaScript counts versions: the blob that it does not insert, as it is there, is being swept."""
    for js, text in ((True, False), (True, True)):
        with database() as name:
            w = Writer(r.random(), js)
            psql(name, "".join(w.put("t", "", b)[0] for b in [None]))
            base = None
            sql = []
            w.r = random.Random(3)
            for _ in range(6):
                text_sql, base = w.put("u", "", base)
                sql.append(text_sql)
            psql(name, "".join(sql))
            # a forked branch ended with version 4 of a channel of its own
            psql(name, "INSERT INTO checkpoint_blobs VALUES ('u', '', 'own', '4', 'json', '');"
                 "UPDATE checkpoints SET checkpoint = jsonb_set(checkpoint, '{channel_versions,own}', "
                 "%s) WHERE thread_id = 'u' AND checkpoint_id = (SELECT min(checkpoint_id) FROM "
                 "checkpoints WHERE thread_id = 'u')" % literal('"4"' if text else "4"))
            if text:    # nothing shows by sample that versions are counted
                psql(name, "UPDATE checkpoints SET checkpoint = jsonb_set(checkpoint, "
                     "'{channel_versions}', (SELECT jsonb_object_agg(key, value) FROM jsonb_each_text("
                     "checkpoint -> 'channel_versions')))")
            before = State(name)
            s = Session(name)
            s.run("BEGIN; INSERT INTO checkpoint_blobs VALUES ('u', '', 'own', '4', 'json', '') "
                  "ON CONFLICT DO NOTHING;")
            p = start(address(name), keys(before, all_but_newest(before)))
            until(p, name, WAITS)
            equal(t, "waits for the writer", p.poll(), None)
            s.run("INSERT INTO checkpoints SELECT thread_id, checkpoint_ns, %s, checkpoint_id, type, "
                  "jsonb_set(checkpoint, '{channel_versions,own}', '4'), metadata FROM checkpoints "
                  "WHERE checkpoint_id = %s; COMMIT;" % (literal(w.next_id()), literal(base[0])))
            s.close()
            e = Ended(p)
            equal(t, "exit", (e.code, e.error), (0, ""))
            equal(t, "left out", e.moved, ["moved u "])
            equal(t, "blobs that are missing", State(name).dangling(), set())


def fork_unguarded(t, r):
    """The hazard that only the planner's guards keep away: ckpt check has to find it."""
    with database() as name:
        w = Writer(r.random())
        fill(name, w, 3, 10)
        before = State(name)
        k = next(k for k in sorted(before.checkpoints) if before.newest[k[:2]] != k[2] and
                 before.after(all_but_newest(before)).blobs.isdisjoint(
                     {(*k[:2], *x) for x in before.checkpoints[k]}))
        dropped(t, "fork", address(name), keys(before, all_but_newest(before)))
        body = rows_of(name, "SELECT json_build_array(checkpoint) FROM checkpoints LIMIT 1")[0][0]
        ident = w.next_id()
        body.update(id=ident, channel_versions=dict(before.checkpoints[k]))
        psql(name, "INSERT INTO checkpoints VALUES (%s, NULL, NULL, %s)" % (
            ", ".join(map(literal, (*k[:2], ident))), literal(json.dumps(body))))
        p = subprocess.run([common.CKPT, "check", "-s", address(name), "--json"], capture_output=True)
        found = {x["code"] for x in json.loads(p.stdout)["data"]}
        equal(t, "check finds it", ("missing-blob" in found, p.returncode), (True, 8))


class Live(threading.Thread):
    """A writer that goes on from the newest checkpoint of its threads, until it is stopped."""

    def __init__(self, name, state, threads, seed, js=False):
        super().__init__()
        self.w = Writer(seed, js)
        self.w.clock += 1 << 40
        self.name_, self.error, self.longest, self.count = name, "", 0, 0
        self.over = threading.Event()
        self.bases = {s: (i, {c: int(v) if js else v
                              for c, v in state.checkpoints[(*s, i)]})
                      for s, i in state.newest.items() if s[0] in threads}

    def run(self):
        s = Session(self.name_)
        try:
            while not self.over.is_set():
                key = self.w.r.choice(sorted(self.bases))
                sql, base = self.w.put(*key, self.bases[key])
                began = time.monotonic()
                said = s.run("BEGIN;\n%sCOMMIT;\n%s" % (sql, self.w.writes(*key, base[0])))
                self.longest = max(self.longest, time.monotonic() - began)
                if said:
                    self.error = said
                    break
                self.bases[key] = base
                self.count += 1
        except OSError as e:
            self.error = str(e)
        s.close()


def soak(t, r, seconds=None):
    """Runs one after the other beside writers: nobody fails, nobody waits long, nothing dangles."""
    seconds = seconds or SOAK
    log = pathlib.Path(os.environ["PGHOST"], "server.log")
    for js in (False, True):
        with database() as name:
            psql("postgres", "ALTER DATABASE %s SET log_lock_waits = on" % name)
            fill(name, Writer(r.random(), js), 120, 25)
            state = State(name)
            at = log.stat().st_size
            names = sorted({k[0] for k in state.checkpoints})
            live = [Live(name, state, set(names[i::3]), r.random(), js) for i in range(2)]
            for x in live:
                x.start()
            end = time.monotonic() + seconds / 2
            left = runs = gone = 0
            while time.monotonic() < end:
                now = State(name)
                doomed = {k for k in all_but_newest(now) if r.random() < 0.3}
                e = dropped(t, "beside writers", address(name), keys(now, doomed), 0, 0,
                            r.choice((2, 50, 0)))
                runs, left, gone = runs + 1, left + e.sum[3], gone + e.sum[0]
                if e.code:
                    break
            for x in live:
                x.over.set()
                x.join()
                equal(t, "a writer failed", x.error, "")
                equal(t, "waited over a second", x.longest > 1, False)
            said = log.read_bytes()[at:]
            equal(t, "deadlocks", said.count(b"deadlock detected"), 0)
            equal(t, "long lock waits", said.count(b"still waiting for"), 0)
            equal(t, "dangling", State(name).dangling(), set())
            check(t, "soak", name, ("version-collision",) if js else ())
            print("# js %s: %d runs, %d dropped, %d left out, %d written, longest %.0f ms" % (
                js, runs, gone, left, sum(x.count for x in live),
                1000 * max(x.longest for x in live)))


def shards(t, r):
    """Four at once, and one of the whole store is kept out."""
    for js in (False, True):
        with database() as name:
            fill(name, Writer(r.random(), js), 200, 10, ("", "agent"))
            before = State(name)
            doomed = all_but_newest(before)
            ps = [start(address(name), keys(before, {k for k in doomed if zlib.crc32(k[0].encode()) % 4 == i}),
                        i + 1, 4, 8) for i in range(4)]
            for p in ps:
                e = Ended(p)
                equal(t, "shard", (e.code, e.error, e.moved), (0, "", []))
            State(name).same(t, "shards", before.after(doomed))


def waiting(t, r):
    """A row that another holds is waited for, not for ever, and never with locks of ours held."""
    with database() as name:
        fill(name, Writer(r.random()), 10, 6)
        before = State(name)
        doomed = all_but_newest(before)
        data = keys(before, doomed)
        s = Session(name)
        s.run("BEGIN; SELECT count(*) FROM (SELECT FROM checkpoints FOR UPDATE) x;")
        e = drop(address(name), data, 0, 0, 0, 1200)
        equal(t, "gives up", e.code, BUSY)
        State(name).same(t, "gave up", before)
        p = start(address(name), data, 0, 0, 0, 20000)
        until(p, name, WAITS)
        equal(t, "still waits", p.poll(), None)
        s.run("COMMIT;")
        s.close()
        e = Ended(p)
        equal(t, "goes on", (e.code, e.error), (0, ""))
        State(name).same(t, "went on", before.after(doomed))


# ---- runs that end too early ------------------------------------------------------------------------

def killed(t, r):
    """At the commits and at any time; the next run goes on with what is left."""
    for _ in range(8):      # the faster the machine, the less a store is good for
        with database() as name:
            killed_till_done(t, r, name)
        if t.count["killed"] >= 40:
            break
    equal(t, "kills", t.count["killed"] >= 40, True)


def killed_till_done(t, r, name):
    fill(name, Writer(r.random()), 200, 10, ("", "call:1"))
    before = now = State(name)
    doomed = all_but_newest(before)
    want = before.after(doomed)
    for i in range(44):
        data = keys(now, doomed)
        if not data:
            break
        if i % 4 < 2:
            p = start(address(name), data, 0, 0, 1, failpoint="prune.server_commit.%s:%d" % (
                ("before", "after")[i % 2], r.randrange(1, 4)))
        else:
            p = start(address(name), data, 0, 0, 1)
            time.sleep(r.uniform(0.001, 0.04))
            p.kill()
        e = Ended(p)
        equal(t, "killed", e.code in (0, -signal.SIGKILL), True)
        t.count["killed"] += e.code < 0
        now = State(name)
        equal(t, "killed: dangling", now.dangling(), set())
        if i % 10 == 0:
            check(t, "killed", name)
    dropped(t, "finish", address(name), keys(State(name), doomed))
    State(name).same(t, "finished", want)
    check(t, "finished", name)


def stop_before_commit(store, data, at=1):
    """A run that stands still with its batch deleted, not committed."""
    p = start(store, data, 0, 0, 1, failpoint="prune.server_commit.before:%d:stop" % at)
    if os.waitid(os.P_PID, p.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT).si_code != os.CLD_STOPPED:
        raise OSError("it never came to the commit")
    return p


def terminated(t, r):
    """The server ends the session in the middle of a batch."""
    with database() as name:
        fill(name, Writer(r.random()), 60, 10)
        before = State(name)
        doomed = all_but_newest(before)
        for at in (1, 2):
            now = State(name)
            p = stop_before_commit(address(name), keys(now, doomed), at)
            psql("postgres", "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                 "WHERE datname = '%s'" % name)
            p.send_signal(signal.SIGCONT)
            e = Ended(p)
            equal(t, "exit", e.code, BUSY)
            equal(t, "says so", bool(re.search("lost the connection|terminating", e.error)), True)
            after = State(name)
            equal(t, "dangling", after.dangling(), set())
            equal(t, "as told", len(now.checkpoints) - len(after.checkpoints), e.sum[0])
        dropped(t, "again", address(name), keys(State(name), doomed))
        State(name).same(t, "again", before.after(doomed))


def as_owner():
    data = pathlib.Path(os.environ["PGHOST"], "data").stat()
    return ["setpriv", "--reuid", str(data.st_uid), "--regid", str(data.st_gid), "--clear-groups"] \
        if os.getuid() == 0 else []


def server_stopped(t, r):
    """A server of its own that ends at once in the middle of a batch, and is started again."""
    host = os.environ["PGHOST"]
    folder = pathlib.Path(host, "third")
    user, quiet = as_owner(), {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "check": True}
    subprocess.run([*user, "initdb", "-D", str(folder), "-U", "ckpt", "-A", "trust", "-E", "UTF8",
                    "--locale=C.UTF-8", "--no-sync"], **quiet)

    def ctl(*words):
        subprocess.run([*user, "pg_ctl", "-w", "-D", str(folder), "-l", str(folder / "log"), "-o",
                        "-c port=5498 -c listen_addresses= -c unix_socket_directories=%s -c fsync=off" %
                        host, *words], **quiet)
    ctl("start")
    dsn = address("postgres", port=5498)
    try:
        psql(dsn, TABLES)
        fill(dsn, Writer(r.random()), 60, 10)
        before = State(dsn)
        doomed = all_but_newest(before)
        for at in (1, 2, 3):
            p = stop_before_commit(dsn, keys(State(dsn), doomed), at)
            ctl("stop", "-m", "immediate")
            p.send_signal(signal.SIGCONT)
            e = Ended(p)
            equal(t, "exit", e.code, BUSY)
            ctl("start")
            equal(t, "dangling", State(dsn).dangling(), set())
        dropped(t, "again", dsn, keys(State(dsn), doomed))
        State(dsn).same(t, "again", before.after(doomed))
    finally:
        ctl("stop", "-m", "immediate")


def roles(t, r):
    """Each privilege that deleting needs and that is missing: a refusal with its reason, and nothing
    is gone. It needs no other."""
    with database() as name:
        fill(name, Writer(r.random()), 8, 4)
        before = State(name)
        data = keys(before, all_but_newest(before))
        grants = [(p, x) for x in ("checkpoints", "checkpoint_blobs", "checkpoint_writes")
                  for p in ("SELECT", "DELETE")]
        psql(name, "CREATE ROLE cutter LOGIN; GRANT USAGE ON SCHEMA public TO cutter;"
             "GRANT SELECT ON checkpoint_migrations TO cutter;" +
             "".join("GRANT %s ON %s TO cutter;" % g for g in grants))
        try:
            for g in grants:
                psql(name, "REVOKE %s ON %s FROM cutter" % g)
                e = drop(address(name, user="cutter"), data)
                equal(t, "without %s on %s" % g, (e.code, bool(e.error)), (REFUSED, True))
                State(name).same(t, "without %s on %s" % g, before)
                psql(name, "GRANT %s ON %s TO cutter" % g)
            dropped(t, "with all", address(name, user="cutter"), data)
            State(name).same(t, "with all", before.after(all_but_newest(before)))
        finally:
            psql(name, "DROP OWNED BY cutter; DROP ROLE cutter")


TESTS = (fixtures, random_sets, moved, command, vacuum, counting_writer, fork_unguarded, shards, waiting, killed,
         terminated, server_stopped, roles, soak)


if __name__ == "__main__":
    sys.exit(run_tests(TESTS))
