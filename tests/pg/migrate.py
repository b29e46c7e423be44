"""Migrations that are interrupted: killed at any moment, cut off from the server at each message,
out of room, two at once. The same command again always ends with every row once, as it was.
TAP; run inside with-server.sh. Standard library, psql and a C compiler only.

    migrate.py [MORE]       MORE times as many moments (1); CKPT=build/ckpt SEED

Belongs here: what happens around a run. What is carried and how is tests/interop/test_migrate_*.py's.
"""
import contextlib
import functools
import hashlib
import os
import pathlib
import random
import resource
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
sys.path.insert(0, str(HERE.parent / "oracle"))
sys.path.insert(0, str(HERE.parent / "faults"))
import common
import cutter
from madestore import make_store, preload
import postgres

MORE = int(sys.argv[1]) if len(sys.argv) > 1 else 1
SEED = os.environ.get("SEED", "1")
DSN = "host=%(PGHOST)s port=%(PGPORT)s user=%(PGUSER)s dbname=%(PGDATABASE)s" % os.environ
ENV = {k: v for k, v in os.environ.items() if not k.startswith(("CKPT_", "LANGGRAPH_", "PG"))}
TABLES = ("checkpoints", "checkpoint_blobs", "checkpoint_writes")


# ---- targets --------------------------------------------------------------------------------------------

class Schema:
    """A schema of the server as a target; `address` may lead through something."""
    number = 0

    def __init__(self, dsn=DSN):
        Schema.number += 1
        self.name = "target%d" % Schema.number
        self.dsn = dsn
        sql("CREATE SCHEMA " + self.name)

    def address(self, dsn=None):
        return "%s options=-csearch_path=%s" % (dsn or self.dsn, self.name)

    def drop(self):
        sql("DROP SCHEMA %s CASCADE" % self.name)

    def digest(self):
        """Of every row, and which tables there are."""
        rows = " UNION ALL ".join("SELECT md5(t::text) AS x FROM %s.%s t" % (self.name, table)
                                  for table in TABLES)
        names = sql("SELECT string_agg(relname, ' ' ORDER BY relname) FROM pg_class WHERE "
                    "relkind = 'r' AND relnamespace = '%s'::regnamespace" % self.name)
        return names, sql("SELECT count(*), md5(string_agg(x, '' ORDER BY x)) FROM (%s) q" % rows)


class File:
    """A file as a target: SQLite or, by its name, an archive."""

    def __init__(self, folder, name):
        self.folder = pathlib.Path(tempfile.mkdtemp(dir=folder))
        self.path = self.folder / name

    def address(self):
        return str(self.path)

    def drop(self):
        shutil.rmtree(self.folder)

    def digest(self):
        if self.path.suffix == ".jsonl":
            return sorted(x.name for x in self.folder.iterdir()), hashlib.sha256(
                self.path.read_bytes()).hexdigest()
        with contextlib.closing(sqlite3.connect(self.path)) as db:
            names = [n for (n,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
            ok = db.execute("PRAGMA integrity_check").fetchone()[0]
            return sorted(names), ok, [db.execute("SELECT * FROM %s ORDER BY 1, 2, 3, 4, 5" % t).fetchall()
                                       for t in ("checkpoints", "writes")]


def sql(text, dsn=DSN):
    p = subprocess.run(["psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-d", dsn], input=text.encode(),
                       capture_output=True)
    if p.returncode:
        raise OSError("psql: " + p.stderr.decode()[:300])
    return p.stdout.decode().strip()


# ---- running --------------------------------------------------------------------------------------------

def start(source, target, *more, env=None, **how):
    return subprocess.Popen([common.CKPT, "migrate", str(source), str(target), "--json", *more],
                            env={**ENV, **(env or {})}, stdin=subprocess.DEVNULL,
                            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, **how)


def ended(process, limit=60):
    err = process.communicate(timeout=limit)[1]
    return process.returncode, err.decode("utf-8", "replace").strip()[-300:]


def took(source, target, *words):
    began = time.monotonic()
    code, err = ended(start(source, target, *words))
    if code:
        raise OSError("ckpt migrate: exit %d: %s" % (code, err))
    return time.monotonic() - began


class Case:
    """One source into targets of one kind, and what a run without trouble makes of it."""

    def __init__(self, t, source, make, *words):
        self.t, self.source, self.make, self.words = t, source, make, words
        target = make()
        self.seconds = took(source, target.address(), *words)
        self.want = target.digest()
        target.drop()

    def finish(self, what, target, codes, result, more=None):
        """`result` of the run with trouble; then it is run once more, without."""
        code, err = result
        if code not in codes:
            self.t.fail(what, "exit %d: %s" % (code, err))
        code, err = ended(start(self.source, target.address(), *self.words))
        if code:
            self.t.fail(what, "again: exit %d: %s" % (code, err))
        elif target.digest() != self.want:
            self.t.fail(what, "not what it should be: %s, wanted %s" %
                        (str(target.digest())[:200], str(self.want)[:200]))
        self.t.add("interrupted runs")
        target.drop()


def killed(t, case, moments, r):
    """kill -9, now and then more than once before it is left alone."""
    for n in range(moments):
        target = case.make()
        for _ in range(1 + (n % 5 == 0)):
            p = start(case.source, target.address(), *case.words)
            time.sleep(r.uniform(0, case.seconds))
            p.kill()
            result = ended(p)
        case.finish("killed", target, (0, -9), result)


def terminated(t, case, moments, r):
    """The server ends the connection."""
    for _ in range(moments):
        target = case.make()
        p = start(case.source, target.address())
        time.sleep(r.uniform(0.02, case.seconds))
        sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'ckpt%'")
        case.finish("terminated", target, (0, 5, 6), ended(p))


def cut(t, case, limit, kill):
    """At each message of the protocol, of which a run of the same kind makes one list."""
    with tempfile.TemporaryDirectory(prefix="ckpt-cut-") as folder:
        dsn = DSN.replace(os.environ["PGHOST"], folder)
        with cutter.Cutter(folder, os.environ["PGHOST"], os.environ["PGPORT"]) as proxy:
            def once(at, target):
                proxy.arm(at)
                p = start(case.source, target.address(dsn))
                if kill:
                    proxy.victim = p.pid
                return ended(p)
            target = case.make()
            case.finish("through a proxy", target, (0,), once(None, target))
            places = cutter.boundaries(proxy.seen, limit)
            t.add("messages", len(proxy.seen))
            for at in places:
                target = case.make()
                what = "%s after message %d of %d (%s)" % ("killed" if kill else "cut", at,
                                                          len(proxy.seen), proxy.kinds(at))
                case.finish(what, target, (0, -9) if kill else (0, 5, 6, 8), once(at, target))


def together(t, case, times):
    for _ in range(times):
        target = case.make()
        both = [start(case.source, target.address()) for _ in range(2)]
        results = [ended(p) for p in both]
        for code, err in results:
            if code not in (0, 6):
                t.fail("two at once", "exit %d: %s" % (code, err))
        t.add("two at once, of which ended well", sum(code == 0 for code, _ in results))
        case.finish("two at once", target, (0, 6), results[0])


def jobs(t, source, case):
    """However many connections there are, and where they come to an end: the same rows."""
    for n in ("1", "2", "4", "16"):
        target = case.make()
        code, err = ended(start(source, target.address(), "--jobs", n))
        if code:
            t.fail(n + " jobs", "exit %d: %s" % (code, err))
        t.equal(n + " jobs", target.digest(), case.want)
        back = case.make()
        code, err = ended(start(target.address(), back.address(), "--jobs", n))
        t.equal(n + " jobs, server to server", (code, back.digest()), (0, case.want))
        target.drop()
        back.drop()
        t.add("stores")
    few = "few" + SEED
    sql("CREATE ROLE %s LOGIN CONNECTION LIMIT 3" % few)
    target = case.make()
    sql("GRANT ALL ON SCHEMA %s TO %s" % (target.name, few))
    code, err = ended(start(source, target.address().replace("user=" + os.environ["PGUSER"], "user=" + few),
                            "--jobs", "8"))
    t.equal("three connections instead of eight", (code, target.digest()), (0, case.want))
    if " connections instead of 8" not in err:
        t.fail("three connections instead of eight", err)
    target.drop()
    sql("DROP ROLE " + few)


# ---- files ------------------------------------------------------------------------------------------------

def crashed(t, case, limit, how, r):
    """At each call that changes a file: killed there, or no room from there on."""
    target = case.make()
    log = pathlib.Path(preload("files")).parent / "calls"
    result = ended(start(case.source, target.address(),
                         env={"LD_PRELOAD": preload("files"), "CRASH_LOG": str(log)}))
    case.finish("counted", target, (0,), result)
    calls = int(log.read_text())
    t.add("calls", calls)
    places = range(1, calls + 1) if calls <= limit else sorted(
        {*range(1, limit // 4), *range(calls - limit // 4, calls + 1),
         *r.sample(range(1, calls + 1), limit // 2)})
    for at in places:
        target = case.make()
        result = ended(start(case.source, target.address(), env={
            "LD_PRELOAD": preload("files"), "CRASH_AT": str(at), "CRASH_HOW": how}))
        case.finish("%s at call %d of %d" % (how, at, calls), target,
                    (0, -9) if how == "kill" else (0, 9), result)


def limited(t, case, whole, times, r):
    """No file may grow beyond a size."""
    for _ in range(times):
        size = r.randrange(4096, whole)
        target = case.make()
        p = start(case.source, target.address(), preexec_fn=lambda: resource.setrlimit(
            resource.RLIMIT_FSIZE, (size, size)))
        case.finish("a limit of %d bytes" % size, target, (9,), ended(p))


def full_disk(t, case, source, name, times, r):
    """A file system of its own that is too small; False if none can be mounted."""
    with tempfile.TemporaryDirectory(prefix="ckpt-full-") as folder:
        for _ in range(times):
            kb = r.randrange(64, 2400)
            p = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=%dk" % kb, "tmpfs", folder],
                               capture_output=True)
            if p.returncode:
                return False
            try:
                code, err = ended(start(source, pathlib.Path(folder) / name))
                if code != 9:
                    t.fail("%d kB" % kb, "exit %d: %s" % (code, err))
                subprocess.run(["mount", "-o", "remount,size=64m", folder], check=True)
                code, err = ended(start(source, pathlib.Path(folder) / name))
                target = File.__new__(File)
                target.folder, target.path = pathlib.Path(folder), pathlib.Path(folder) / name
                if code or target.digest() != case.want:
                    t.fail("%d kB, then room" % kb, "exit %d: %s" % (code, err))
                t.add("full disks")
            finally:
                subprocess.run(["umount", folder], check=True)
    return True


# ---- servers ----------------------------------------------------------------------------------------------

def as_owner():
    """The server's user, who alone may run one."""
    if os.geteuid():
        return []
    owner = pathlib.Path(os.environ["PGHOST"], "data").stat()
    return ["setpriv", "--reuid", str(owner.st_uid), "--regid", str(owner.st_gid), "--clear-groups"]


def stopped(t, source, times, r):
    """A server of its own that ends at once, and is started again."""
    folder = pathlib.Path(os.environ["PGHOST"], "second")
    user = as_owner()
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "check": True}
    subprocess.run([*user, "initdb", "-D", str(folder), "-U", "ckpt", "-A", "trust", "-E", "UTF8",
                    "--locale=C.UTF-8", "--no-sync"], **quiet)
    dsn = "host=%s port=5499 user=ckpt dbname=postgres" % os.environ["PGHOST"]

    def ctl(*words):
        subprocess.run([*user, "pg_ctl", "-w", "-D", str(folder), "-l", str(folder / "log"), "-o",
                        "-c port=5499 -c listen_addresses= -c unix_socket_directories=%s -c fsync=off "
                        "-c synchronous_commit=on" % os.environ["PGHOST"], *words], **quiet)
    ctl("start")
    try:
        def make():
            sql("DROP SCHEMA public CASCADE; CREATE SCHEMA public", dsn)
            return Public(dsn)
        case = Case(t, source, make)
        for _ in range(times):
            target = make()
            p = start(source, target.address())
            time.sleep(r.uniform(0.02, case.seconds))
            ctl("stop", "-m", "immediate")
            ctl("start")
            case.finish("server stopped", target, (0, 5, 6), ended(p))
    finally:
        ctl("stop", "-m", "immediate")


class Public(Schema):
    """The schema public of a server of its own."""

    def __init__(self, dsn):
        self.name, self.dsn = "public", dsn

    def address(self, dsn=None):
        return self.dsn

    def drop(self):
        pass

    def digest(self):
        rows = " UNION ALL ".join("SELECT md5(t::text) AS x FROM %s t" % table for table in TABLES)
        return (sql("SELECT string_agg(relname, ' ' ORDER BY relname) FROM pg_class WHERE relkind = 'r' "
                    "AND relnamespace = 'public'::regnamespace", self.dsn),
                sql("SELECT count(*), md5(string_agg(x, '' ORDER BY x)) FROM (%s) q" % rows, self.dsn))


def pooled(t, case, folder):
    """PgBouncer between, in transaction mode; True if there is one."""
    program = shutil.which("pgbouncer", path=os.environ["PATH"] + ":/usr/sbin")
    if not program:
        return False
    base = os.environ["PGHOST"]
    ini = pathlib.Path(base, "migrate.ini")
    ini.write_text("[databases]\n* = host=%s port=%s\n[pgbouncer]\nunix_socket_dir = %s\n"
                   "listen_port = 6435\nauth_type = trust\nauth_file = %s/migrate.users\n"
                   "pool_mode = transaction\ndefault_pool_size = 2\n" %
                   (base, os.environ["PGPORT"], base, base))
    pathlib.Path(base, "migrate.users").write_text('"%s" ""\n' % os.environ["PGUSER"])
    pooler = subprocess.Popen([*as_owner(), program, str(ini)], stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL)
    try:
        for _ in range(100):
            if pathlib.Path(base, ".s.PGSQL.6435").exists():
                break
            time.sleep(0.1)
        postgres.psql("postgres", "CREATE DATABASE pooled TEMPLATE template0")
        dsn = "host=%s port=6435 user=%s dbname=pooled" % (base, os.environ["PGUSER"])
        direct = dsn.replace("6435", os.environ["PGPORT"])
        back = File(folder, "back.db")
        for what, a, b in (("into", case.source, dsn), ("again", case.source, dsn),
                           ("out of", dsn, back.address())):
            code, err = ended(start(a, b))
            if code:
                t.fail(what + " the pooler", "exit %d: %s" % (code, err))
        t.equal("rows", Public(direct).digest()[1], case.want[1])
        t.equal("tables", Public(direct).digest()[0], case.want[0])
        t.equal("sessions left", sql("SELECT count(*) FROM pg_prepared_statements", direct), "0")
    finally:
        pooler.terminate()
        pooler.wait()
    return True


# ---- all ------------------------------------------------------------------------------------------------

def tests(folder):
    r = random.Random("migrate " + SEED)
    small, large = folder / "small.db", folder / "large.db"
    make_store(small, 20, 120, 300, SEED)
    make_store(large, 30, 160, 600, SEED)
    t = common.Tally()
    into = Case(t, large, Schema)
    several = Case(t, large, Schema, "--jobs", "3")
    batches = Case(t, small, Schema)
    out_of = Schema()
    took(small, out_of.address())
    lite = Case(t, out_of.address(), lambda: File(folder, "target.db"))
    dump = Case(t, out_of.address(), lambda: File(folder, "target.jsonl"))
    yield "killed, into PostgreSQL", lambda t: killed(t, into, 40 * MORE, r), (into,)
    yield "killed with three jobs", lambda t: killed(t, several, 12 * MORE, r), (several,)
    yield "any number of jobs", lambda t: jobs(t, large, into), (into,)
    yield "killed, into SQLite", lambda t: killed(t, lite, 10 * MORE, r), (lite,)
    yield "killed, into an archive", lambda t: killed(t, dump, 6 * MORE, r), (dump,)
    yield "connection ended by the server", lambda t: terminated(t, into, 8 * MORE, r), (into,)
    yield "server stopped", lambda t: stopped(t, small, 3 * MORE, r), ()
    yield "cut off at messages", lambda t: cut(t, batches, 18 * MORE, False), (batches,)
    yield "killed at messages", lambda t: cut(t, batches, 22 * MORE, True), (batches,)
    yield "two at once", lambda t: together(t, into, 4 * MORE), (into,)
    yield "through PgBouncer", lambda t: pooled(t, batches, folder), (batches,)
    for name, case in (("SQLite", lite), ("an archive", dump)):
        yield "killed at file calls, into " + name, functools.partial(
            lambda t, case: crashed(t, case, 16 * MORE, "kill", r), case=case), (case,)
        yield "no room at file calls, into " + name, functools.partial(
            lambda t, case: crashed(t, case, 12 * MORE, "full", r), case=case), (case,)
        yield "a limit to the size of files, " + name, functools.partial(
            lambda t, case: limited(t, case, 500000, 4 * MORE, r), case=case), (case,)
        yield "a full disk, " + name, functools.partial(
            lambda t, case, at: full_disk(t, case, out_of.address(), at, 4 * MORE, r), case=case,
            at="target.db" if case is lite else "target.jsonl"), (case,)


def main():
    n = bad = 0
    print("# seed " + SEED)
    with tempfile.TemporaryDirectory(prefix="ckpt-migrate-") as d:
        for name, run, cases in tests(pathlib.Path(d)):
            n += 1
            t, began = common.Tally(), time.monotonic()
            for case in cases:
                case.t = t
            if run(t) is False:
                print("ok %d - %s # SKIP not possible here" % (n, name), flush=True)
                continue
            common.tap(n, "%s: %s" % (name, common.totals(t.count)), t.problems)
            print("# %.1f s" % (time.monotonic() - began), flush=True)
            bad += bool(t.problems)
    print("1..%d" % n)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
