"""Deleting on PostgreSQL: what is left is what a naive model says, whatever happens meanwhile:
live writers, killed runs, several at once, a lost server, missing privileges. TAP; run inside
with-server.sh. Standard library and psql only.

    prune.py [SOAK_SECONDS]     (8); CKPT=build/ckpt DROP=… DROP_FAIL=… FIXTURES SEED

DROP deletes the keys it reads (drop_keys.c), DROP_FAIL is the same with failpoints. Belongs here:
what happens around deleting. What a policy keeps is tested with the planner.
"""
import collections
import contextlib
import json
import os
import pathlib
import random
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "oracle"))
import common
import postgres
from postgres import psql, rows_of

SOAK = float(sys.argv[1]) if len(sys.argv) > 1 else 8
SEED = os.environ.get("SEED", "1")
DROP, DROP_FAIL = os.environ["DROP"], os.environ["DROP_FAIL"]
FIXTURES = pathlib.Path(os.environ.get("FIXTURES", "build/fixtures"))
BUSY, REFUSED = 4, 8    # codes of the library
TABLES = """
CREATE TABLE checkpoint_migrations (v INTEGER PRIMARY KEY);
CREATE TABLE checkpoints (thread_id TEXT NOT NULL, checkpoint_ns TEXT NOT NULL DEFAULT '',
    checkpoint_id TEXT NOT NULL, parent_checkpoint_id TEXT, type TEXT, checkpoint JSONB NOT NULL,
    metadata JSONB NOT NULL DEFAULT '{}', PRIMARY KEY (thread_id, checkpoint_ns, checkpoint_id));
CREATE TABLE checkpoint_blobs (thread_id TEXT NOT NULL, checkpoint_ns TEXT NOT NULL DEFAULT '',
    channel TEXT NOT NULL, version TEXT NOT NULL, type TEXT NOT NULL, blob BYTEA,
    PRIMARY KEY (thread_id, checkpoint_ns, channel, version));
CREATE TABLE checkpoint_writes (thread_id TEXT NOT NULL, checkpoint_ns TEXT NOT NULL DEFAULT '',
    checkpoint_id TEXT NOT NULL, task_id TEXT NOT NULL, idx INTEGER NOT NULL, channel TEXT NOT NULL,
    type TEXT, blob BYTEA NOT NULL, task_path TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (thread_id, checkpoint_ns, checkpoint_id, task_id, idx));
CREATE INDEX ON checkpoints (thread_id); CREATE INDEX ON checkpoint_blobs (thread_id);
CREATE INDEX ON checkpoint_writes (thread_id);
INSERT INTO checkpoint_migrations SELECT generate_series(0, 9);
"""
NAMED = ("(SELECT thread_id, checkpoint_ns, v.key, v.value FROM checkpoints, jsonb_each_text("
         "checkpoint -> 'channel_versions') AS v WHERE %s)")


def equal(t, where, got, want):
    if got != want:
        t.fail(where, "got %s, want %s" % (str(got)[:250], str(want)[:250]))


# ---- stores ---------------------------------------------------------------------------------------------

def literal(v):
    return "'%s'" % str(v).replace("'", "''")


def values(rows):
    return ", ".join("(%s)" % ", ".join(map(literal, row)) for row in rows)


class Writer:
    """SQL of what a saver writes; Python's versions have random digits, JavaScript's count."""

    def __init__(self, seed, js=False):
        self.r, self.js = random.Random(seed), js
        self.clock = 0x1f0cafe0000

    def next_id(self):
        self.clock += self.r.randrange(1, 50)
        x = "%015x" % self.clock
        return "%s-%s-6%s-8000-%012x" % (x[:8], x[8:12], x[12:], self.r.randrange(2**40))

    def version(self, n):
        return n if self.js else "%032d.%016d" % (n, self.r.randrange(10**15, 10**16))

    def put(self, thread, ns, base, ident=None):
        """One checkpoint after `base`, (id, versions) or None: (SQL, the new base)."""
        parent, versions = base or (None, {})
        ident = ident or self.next_id()
        step = 1 + max((int(str(v).split(".")[0]) for v in versions.values()), default=0)
        changed = [c for c in ("messages", "plan", "файл\"\\") if not base or self.r.random() < 0.5]
        changed += ["__start__"] if self.js else []
        now = self.version(step)
        versions = {**versions, **dict.fromkeys(changed, now), "__start__": now}
        body = {"v": 4, "id": ident, "ts": "2026-11-21T00:00:00+00:00", "channel_versions": versions,
                "versions_seen": {}}
        if not self.js:
            body.update(channel_values={"round": step}, updated_channels=None)
            versions["round"] = now
        key = (thread, ns)
        sql = ""
        if changed:
            kind, blob = ("json", "\\x5b315d") if self.js else ("msgpack", "\\x9101")
            sql += ("INSERT INTO checkpoint_blobs VALUES %s ON CONFLICT DO NOTHING;\n" %
                    values((*key, c, now, kind, blob) for c in changed))
        sql += ("INSERT INTO checkpoints VALUES (%s, %s, NULL, %s, %s) ON CONFLICT (thread_id, "
                "checkpoint_ns, checkpoint_id) DO UPDATE SET checkpoint = EXCLUDED.checkpoint, "
                "metadata = EXCLUDED.metadata;\n" % (
                    ", ".join(map(literal, (*key, ident))), literal(parent) if parent else "NULL",
                    literal(json.dumps(body)), literal(json.dumps({"source": "loop", "step": step}))))
        return sql, (ident, versions)

    def writes(self, thread, ns, ident):
        return ("INSERT INTO checkpoint_writes VALUES %s ON CONFLICT DO NOTHING;\n" % values(
            (thread, ns, ident, "task", i, "messages", "json" if self.js else "msgpack",
             "\\x5b315d" if self.js else "\\x9101", "") for i in range(2)))


def fill(database, w, threads, each, spaces=("",)):
    """Random histories with forks; and blobs that nobody names."""
    sql = ["BEGIN;\n"]
    for t in range(threads):
        thread = "t%05d'\"\\{,}é" % t
        for ns in spaces:
            bases = []
            for _ in range(w.r.randrange(1, each * 2)):
                base = bases[-1] if bases and w.r.random() < 0.9 else w.r.choice(bases or [None])
                text, new = w.put(thread, ns, base)
                sql += text, w.writes(thread, ns, new[0])
                bases.append(new)
            if w.r.random() < 0.2:
                sql.append("INSERT INTO checkpoint_blobs VALUES (%s);\n" % ", ".join(
                    map(literal, (thread, ns, "lost", w.version(1), "empty", ""))))
    psql(database, "".join(sql) + "COMMIT; ANALYZE;")


@contextlib.contextmanager
def database(template=None):
    database.number = getattr(database, "number", 0) + 1
    name = "p%d" % database.number
    psql("postgres", "CREATE DATABASE %s TEMPLATE %s" % (name, template or "template0"))
    try:
        if not template:
            psql(name, TABLES)
        yield name
    finally:
        psql("postgres", "DROP DATABASE %s WITH (FORCE)" % name)


def address(name, **more):
    words = {"host": os.environ["PGHOST"], "port": os.environ["PGPORT"],
             "user": os.environ["PGUSER"], "dbname": name, **more}
    return " ".join("%s=%s" % x for x in words.items())


# ---- the model ------------------------------------------------------------------------------------------

class State:
    """All rows: checkpoints {(thread, ns, id): {(channel, version)}}, keys of blobs and writes."""

    def __init__(self, name):
        self.checkpoints = {tuple(r[:3]): set(map(tuple, r[3])) for r in rows_of(
            name, "SELECT json_build_array(thread_id, checkpoint_ns, checkpoint_id, (SELECT "
            "coalesce(json_agg(json_build_array(key, value)), '[]') FROM jsonb_each_text("
            "checkpoint -> 'channel_versions'))) FROM checkpoints")}
        self.blobs = {tuple(r) for r in rows_of(
            name, "SELECT json_build_array(thread_id, checkpoint_ns, channel, version) FROM "
            "checkpoint_blobs")}
        self.writes = collections.Counter(tuple(r) for r in rows_of(
            name, "SELECT json_build_array(thread_id, checkpoint_ns, checkpoint_id) FROM "
            "checkpoint_writes"))
        self.newest = {tuple(r[:2]): r[2] for r in rows_of(
            name, "SELECT json_build_array(thread_id, checkpoint_ns, max(checkpoint_id)) FROM "
            "checkpoints GROUP BY thread_id, checkpoint_ns")}

    def after(self, doomed, threads=()):
        """What has to be left when these checkpoints, and these threads with all they have, go."""
        s = object.__new__(State)
        s.checkpoints = {k: v for k, v in self.checkpoints.items()
                         if k not in doomed and k[0] not in threads}
        kept, freed = set(), set()
        for k, v in self.checkpoints.items():
            (kept if k in s.checkpoints else freed).update((*k[:2], *x) for x in v)
        s.blobs = {b for b in self.blobs
                   if b[0] not in threads and (b not in freed or b in kept)}
        s.writes = collections.Counter({k: n for k, n in self.writes.items()
                                        if k not in doomed and k[0] not in threads})
        return s

    def same(self, t, what, other):
        for table in ("checkpoints", "blobs", "writes"):
            mine, theirs = getattr(self, table), getattr(other, table)
            if mine != theirs:
                a, b = set(mine), set(theirs)
                t.fail(what, "%s: %d too many %s, %d missing %s" % (
                    table, len(a - b), sorted(a - b)[:2], len(b - a), sorted(b - a)[:2]))
            else:
                t.count["equal"] += 1

    def dangling(self):
        """Blobs that are named but not there; channels never had one are not asked about."""
        return {(*k[:2], *x) for k, v in self.checkpoints.items() for x in v
                if x[0] not in ("__start__", "round") and (*k[:2], *x) not in self.blobs}


def keys(state, doomed, threads=(), whole=()):
    """As drop_keys.c reads them; `whole`: namespaces of which all goes."""
    out = []
    spaces = collections.defaultdict(list)
    for k in sorted(state.checkpoints):
        if k in doomed or k[0] in threads:
            spaces[k[:2]].append(k[2])
    for (thread, ns), ids in sorted(spaces.items()):
        out += ["s", thread, ns, state.newest[thread, ns],
                str(int((thread, ns) in whole or thread in threads)), str(int(thread in threads))]
        for i in ids:
            out += ["i", i]
    return b"".join(x.encode() + b"\0" for x in out)


# ---- running --------------------------------------------------------------------------------------------

def start(store, data, *more, failpoint=None):
    with tempfile.TemporaryFile() as f:
        f.write(data)
        f.seek(0)
        env = {k: v for k, v in os.environ.items() if not k.startswith("PG")}
        if failpoint:
            env["CKPT_FAILPOINT"] = failpoint
        return subprocess.Popen([DROP_FAIL if failpoint else DROP, store, *map(str, more)], stdin=f,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=env)


class Ended:
    def __init__(self, p):
        out, err = p.communicate(timeout=120)
        lines = out.decode("utf-8", "replace").splitlines()
        self.code, self.error = p.returncode, err.decode("utf-8", "replace").strip()
        self.vacuum = next(([int(x) for x in line.split()[1:4]] + [line] for line in lines
                            if line.startswith("vacuum ")), None)
        lines = [x for x in lines if not x.startswith("vacuum ")]
        self.moved = [x for x in lines if x.startswith("moved ")]
        self.sum = [int(x) for x in lines[-1].split()] if lines and p.returncode >= 0 else None


def drop(store, data, *more):
    return Ended(start(store, data, *more))


def dropped(t, what, store, data, *more):
    e = drop(store, data, *more)
    equal(t, what + ": exit", (e.code, e.error), (0, ""))
    return e


def check(t, what, name, allowed=()):
    """ckpt check finds nothing but what deleting leaves behind by its nature."""
    p = subprocess.run([common.CKPT, "check", "-s", address(name), "--json"], capture_output=True)
    doc = json.loads(p.stdout) if p.stdout else {}
    codes = collections.Counter(x["code"] for x in doc.get("data", []))
    for code in ("missing-parent", "orphan-blob", *allowed):
        codes.pop(code, None)
    equal(t, what + ": check", dict(codes), {})


class Session:
    """psql that is told statement by statement."""

    def __init__(self, name):
        self.p = subprocess.Popen(["psql", "-XAtq", "-d", name], stdin=subprocess.PIPE,
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.n = 0

    def send(self, sql):
        self.n += 1
        self.p.stdin.write(("%s\n\\echo done-%d\n" % (sql, self.n)).encode())
        self.p.stdin.flush()

    def wait(self):
        out = []
        while True:
            line = self.p.stdout.readline().decode("utf-8", "replace").rstrip("\n")
            if line == "done-%d" % self.n:
                return "\n".join(out)
            if not line and self.p.poll() is not None:
                raise OSError("psql ended: " + "\n".join(out))
            out.append(line)

    def run(self, sql):
        self.send(sql)
        return self.wait()

    def close(self):
        self.p.stdin.close()
        self.p.wait()


def some(r, state, share):
    return {k for k in state.checkpoints if r.random() < share}


def all_but_newest(state):
    return {k for k in state.checkpoints if state.newest[k[:2]] != k[2]}


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
            for hold in (0, 4, 200):
                before = State(name)
                names = sorted({k[0] for k in before.checkpoints})
                threads = set(r.sample(names, len(names) // 8))
                spaces = sorted(s for s in before.newest if s[0] not in threads)
                whole = set(r.sample(spaces, len(spaces) // 6))
                doomed = {k for k in before.checkpoints if k[0] not in threads and
                          (k[:2] in whole or r.random() < 0.4)}
                what = "js %s, hold %s" % (js, hold)
                want = before.after(doomed, threads)
                for data in (keys(before, doomed, whole=whole), keys(before, (), threads)):
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


def ckpt(*words):
    env = {k: v for k, v in os.environ.items() if not k.startswith(("PG", "CKPT_", "LANGGRAPH_"))}
    return subprocess.run([common.CKPT, *words], capture_output=True, env=env)


def findings(name):
    """Errors and where they are."""
    p = subprocess.run([common.CKPT, "check", "-s", address(name), "--json"], capture_output=True)
    return {(x["code"], x["thread"], x["ns"], x["id"], x.get("channel"))
            for x in json.loads(p.stdout)["data"] if x["severity"] == "error"}


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
        p = start(address(name), keys(State(name), all_but_newest(State(name))), 0, 0, 0, 0, "full")
        time.sleep(1)
        began = time.monotonic()
        other = psql(name, "INSERT INTO checkpoint_blobs VALUES ('x', '', 'c', '1', 'empty', '')")
        equal(t, "who writes waits for it", (other, time.monotonic() - began > 1), (b"", False))
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
            time.sleep(0.5)
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
            ps = [start(address(name), keys(before, {k for k in doomed if hash(k[0]) % 4 == i}),
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
        time.sleep(0.7)
        equal(t, "still waits", p.poll(), None)
        s.run("COMMIT;")
        s.close()
        e = Ended(p)
        equal(t, "goes on", (e.code, e.error), (0, ""))
        State(name).same(t, "went on", before.after(doomed))


# ---- runs that end too early ------------------------------------------------------------------------

def killed(t, r):
    """At the commits and at any time; the next run goes on with what is left."""
    with database() as name:
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
        equal(t, "kills", t.count["killed"] >= 40, True)
        dropped(t, "finish", address(name), keys(State(name), doomed))
        State(name).same(t, "finished", want)
        check(t, "finished", name)


def stop_before_commit(store, data, at=1):
    """A run that stands still with its batch deleted, not committed."""
    p = start(store, data, 0, 0, 1, failpoint="prune.server_commit.before:%d:stop" % at)
    for _ in range(400):
        if pathlib.Path("/proc/%d/stat" % p.pid).read_text().rsplit(")", 1)[1].split()[0] == "T":
            return p
        time.sleep(0.01)
    raise OSError("it never came to the commit")


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
    """Each privilege that is missing: a refusal with its reason, and nothing is gone."""
    with database() as name:
        fill(name, Writer(r.random()), 8, 4)
        before = State(name)
        data = keys(before, all_but_newest(before))
        grants = [(p, x) for x in ("checkpoints", "checkpoint_blobs", "checkpoint_writes")
                  for p in ("SELECT", "INSERT", "UPDATE", "DELETE")]
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


def main():
    print("# seed %s\n1..%d" % (SEED, len(TESTS)))
    only = os.environ.get("ONLY")
    for n, run in enumerate(TESTS, 1):
        if only and run.__name__ not in only.split():
            continue
        t, began = common.Tally(), time.monotonic()
        run(t, random.Random("%s %s" % (run.__name__, SEED)))
        common.tap(n, "%s: %s" % (run.__doc__.split(":")[0].split("\n")[0],
                                  common.totals(t.count)), t.problems)
        print("# %s %.1f s" % (run.__name__, time.monotonic() - began), flush=True)
        main.bad = getattr(main, "bad", 0) + bool(t.problems)
    return 1 if getattr(main, "bad", 0) else 0


if __name__ == "__main__":
    sys.exit(main())
