"""For prune.py: stores of PostgreSQL as savers write them, a naive model of what deleting leaves,
running what deletes, and running tests. Tests do not belong here.
"""
import collections
import contextlib
import json
import os
import pathlib
import random
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "oracle"))
import common
from postgres import psql, rows_of

DROP, DROP_FAIL = os.environ["DROP"], os.environ["DROP_FAIL"]
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

    def put(self, thread, ns, base, ident=None, caller=None):
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
                    literal(json.dumps(body)), literal(json.dumps(
                        {"source": "loop", "step": step, **({"parents": {"": caller}} if caller else {})}))))
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


def keys(state, doomed, threads=(), whole=(), chains=(), roots=None):
    """As drop_keys.c reads them; `whole`: namespaces of which all goes, `chains`: that need parents,
    `roots`: {namespace: newest root checkpoint} of those that hang on it."""
    count = collections.Counter(k[:2] for k in state.checkpoints)
    strays = collections.Counter()
    for k, n in state.writes.items():
        strays[k[0]] += n if k not in state.checkpoints else 0
    out = []
    spaces = collections.defaultdict(list)
    for k in sorted(state.checkpoints):
        if k in doomed or k[0] in threads:
            spaces[k[:2]].append(k[2])
    for (thread, ns), ids in sorted(spaces.items()):
        out += ["s", thread, ns, state.newest[thread, ns],
                str(int((thread, ns) in whole or thread in threads)), str(int(thread in threads)),
                str(int((thread, ns) in chains)), str(count[thread, ns]),
                (roots or {}).get((thread, ns), ""), str(strays[thread])]
        for i in ids:
            out += ["i", i, str(state.writes[thread, ns, i])]
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


def until(p, name, what):
    """Waits till the database says so; or the process has ended, to which nothing of it can happen."""
    while p.poll() is None and psql(name, "SELECT " + what).strip() != b"t":
        time.sleep(0.02)


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


def ckpt(*words):
    env = {k: v for k, v in os.environ.items() if not k.startswith(("PG", "CKPT_", "LANGGRAPH_"))}
    return subprocess.run([common.CKPT, *words], capture_output=True, env=env)


def findings(name):
    """Errors and where they are."""
    p = subprocess.run([common.CKPT, "check", "-s", address(name), "--json"], capture_output=True)
    return {(x["code"], x["thread"], x["ns"], x["id"], x.get("channel"))
            for x in json.loads(p.stdout)["data"] if x["severity"] == "error"}


# ---- TAP ------------------------------------------------------------------------------------------------

def run_tests(tests):
    seed, only, bad = os.environ.get("SEED", "1"), os.environ.get("ONLY"), 0
    print("# seed %s\n1..%d" % (seed, len(tests)))
    for n, run in enumerate(tests, 1):
        if only and run.__name__ not in only.split():
            continue
        t, began = common.Tally(), time.monotonic()
        run(t, random.Random("%s %s" % (run.__name__, seed)))
        common.tap(n, "%s: %s" % (run.__doc__.split(":")[0].split("\n")[0],
                                  common.totals(t.count)), t.problems)
        print("# %s %.1f s" % (run.__name__, time.monotonic() - began), flush=True)
        bad |= bool(t.problems)
    return int(bad)
