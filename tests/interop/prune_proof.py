"""What must hold of every `ckpt prune`, told by the rows of the store and by the real saver: what
stays loads as before, what goes is gone with all it had, the dry run said it, a second run finds
nothing, and the archive brings everything back.

Belongs here: policies and one run of prune on any store. Stores are prunestores.py's, graphs that
go on prunegraphs.py's.
"""
import collections
import json
import random

import prunestores as stores                    # first: it makes tests/oracle importable
import common

NOW = ["--min-age", "0", "--active-within", "0"]


# ---- policies ------------------------------------------------------------------------------------------

def rule(r):
    return r.choice((["--keep-last", "1"], ["--keep-last", "1"], ["--keep-last", "3"],
                     ["--keep-where", r.choice(("source=input", "step=1", "source=update"))],
                     ["--keep-daily", str(r.randrange(1, 3))], ["--keep-hourly", "2"]))


def selection(r, threads, spaces):
    roll = r.random()
    if roll < 0.2:
        return ["--ns=" + r.choice(spaces)]
    if roll < 0.4:
        return ["--thread=" + t for t in r.sample(threads, (len(threads) + 1) // 2)]
    return ["--keep-thread=" + r.choice(threads)] if roll < 0.5 else []


def random_policy(r, keys):
    """Words for `ckpt prune`, and whether threads go whole."""
    threads, spaces = sorted({k[0] for k in keys}), sorted({k[1] for k in keys})
    threads = [t for t in threads if "\0" not in t] or [""]
    if r.random() < 0.15 and len(threads) > 1:
        gone = ["--thread=" + t for t in r.sample(threads, (len(threads) + 2) // 3)]
        return ["--delete-threads", *gone, *(["--no-keep-interrupted"] if r.random() < 0.5 else [])], True
    out = rule(r) + selection(r, threads, spaces)
    if r.random() < 0.3:
        out += rule(r)
    for option, chance in (("--no-keep-heads", 0.4), ("--no-keep-interrupted", 0.3), ("--orphans", 0.3)):
        out += [option] if r.random() < chance else []
    return out, False


# ---- one run ---------------------------------------------------------------------------------------------

class Prune:
    """`ckpt prune` on a store: looked at before, done, looked at after."""

    def __init__(self, t, store, name, source=None):
        """`source`: a Prune of the store that this one is a copy of."""
        self.t, self.store, self.name = t, store, name
        if source:
            self.rows, self.tuples, self.deltas = source.rows, source.tuples, source.deltas
            self.errors = source.errors
        else:
            self.rows, (self.tuples, self.deltas) = store.rows(), self.read()
            self.errors = self.check()
        self.unnamed = len(set(self.rows.blobs) - self.rows.named(self.rows.checkpoints))

    def read(self, deltas=None):
        """What the library loads, and the delta channels that it is about."""
        return stores.read(self.store, deltas)

    def ckpt(self, *words, codes=(0,)):
        run = common.Run([*words, "-s", self.store.address], self.store.env)
        if run.code not in codes:
            self.t.fail(self.name, str(run))
        return run

    def equal(self, what, got, want):
        self.t.add("compared")
        if got != want:
            self.t.fail("%s: %s" % (self.name, what), difference(got, want))

    def check(self):
        run = self.ckpt("check", "--json", codes=(0, 8))
        return {(x["code"], x["thread"], x["ns"], x["id"]) for x in run.json()["data"]
                if x["severity"] == "error"}

    def policy(self, words, whole=False, archive=None, runs=1):
        """Dry run, run, what is left, what the archive brings back, and that after `runs` there is
        nothing more to do; the keys that went. None: it was refused."""
        how = ["prune", *words, *NOW, "--list", "--json"]
        if whole:
            how += ["--max-delete", "100%"]
        dry = self.ckpt(*how, "--dry-run", codes=(0, 7))
        if dry.code:
            self.equal("a refusal alters nothing", self.store.rows().__dict__, self.rows.__dict__)
            self.t.add("refused")
            return None
        plan = dry.json()
        expected = [*how, "--expect-plan", plan["data"]["plan"], "--yes"]
        run, archive = self.archived(expected, archive)
        if run.code:
            return None
        gone = {(x["thread"], x["ns"], x["id"]) for x in plan["data"]["checkpoints"]
                if x["action"] == "drop"}
        done = run.json()
        self.as_planned(plan, done)
        self.left(gone, whole, "--orphans" in words, done["summary"])
        if archive and gone and "--orphans" not in words:
            self.restore(archive)
            self.ckpt(*how, "--yes")
        self.settles(how, whole, runs)
        self.t.add("policies")
        self.t.add("dropped", len(gone))
        return gone

    def archived(self, how, archive):
        """The run; where an archive is refused nothing has happened, and JSON Lines it is."""
        if not archive:
            return self.ckpt(*how), None
        run = self.ckpt(*how, "--archive", str(archive), codes=(0, 7))
        if run.code == 7:
            self.equal("a refused archive", self.store.rows().__dict__, self.rows.__dict__)
            self.equal("a refused archive: a file", archive.exists(), False)
            self.t.add("archives refused")
            archive = archive.with_suffix(".jsonl")
            run = self.ckpt(*how, "--archive", str(archive))
        self.t.add("archives " + archive.suffix)
        return run, archive

    def as_planned(self, plan, done):
        for what in ("plan", "threads", "checkpoints", "policy"):
            self.equal("dry run = run: " + what, done["data"][what], plan["data"][what])
        plan, done = plan["summary"], done["summary"]
        for what in ("checkpoints", "threads_emptied", "threads_skipped"):
            self.equal("dry run = run: " + what, done[what], plan[what])
        # of other rows than planned the bytes are not known
        same = all(done[what] == plan[what] for what in ("writes", "blobs"))
        self.equal("dry run = run: bytes", done["bytes"], plan["bytes"] if same else None)
        # the plan does not read what goes, so it takes blobs that nothing names for theirs; and
        # with a whole thread go its writes without a checkpoint
        over = plan["blobs"] - done["blobs"]
        self.equal("dry run = run: blobs", 0 <= over <= self.unnamed or over, True)
        over = done["writes"] - plan["writes"]
        strays = sum(len(v) for k, v in self.rows.writes.items() if k not in self.rows.checkpoints)
        self.equal("dry run = run: writes", 0 <= over <= strays or over, True)

    def settles(self, how, whole, runs):
        """After so many runs one more finds nothing; what stays is loaded all the time."""
        for n in range(runs):
            run = self.ckpt(*how, "--yes", codes=(0, 4, 7) if whole else (0,))
            if run.code:                        # the threads that were named are gone
                return
            if n == runs - 1:
                self.equal("run %d finds nothing" % (n + 2), run.json()["summary"]["checkpoints"], 0)
        if runs > 1:
            for k, got in self.read(self.deltas)[0].items():
                self.equal("%s is loaded in the end" % (k,), got, self.tuples[k])

    def left(self, gone, whole, orphans, summary):
        rows, before = self.store.rows(), self.rows
        stay = set(before.checkpoints) - gone
        self.equal("dropped keys were there", gone - set(before.checkpoints), set())
        self.equal("rows of checkpoints", rows.checkpoints, {k: before.checkpoints[k] for k in stay})
        threads = {k[0] for k in gone} if whole else set()
        strays = {k for k in before.writes if k not in before.checkpoints and k[0] not in threads}
        known = set(rows.writes)
        self.equal("writes without a checkpoint", known - stay - strays, set())
        if not orphans:
            self.equal("writes that nothing owned stay", strays - known, set())
        for k in known | {k for k in before.writes if k in stay}:
            self.equal("writes of %s" % (k,), rows.writes[k], before.writes[k])
        self.blobs(rows, stay, threads, orphans)
        self.equal("sum of checkpoints", summary["checkpoints"], len(gone))
        self.equal("sum of writes", summary["writes"],
                   sum(map(len, before.writes.values())) - sum(map(len, rows.writes.values())))
        self.equal("sum of blobs", summary["blobs"], len(before.blobs) - len(rows.blobs))
        tuples = self.read(self.deltas)[0]
        self.equal("which are loaded", set(tuples), stay)
        for k in stay & set(tuples):
            self.equal("%s is loaded" % (k,), tuples[k], self.tuples[k])
        self.t.add("loaded", len(stay))
        self.equal("check", self.check() - self.errors, set())
        self.equal("the file is whole", self.store.whole(), True)

    def blobs(self, rows, stay, threads, orphans):
        """Those that what stays names, and those that nothing ever named."""
        before = self.rows
        needed = before.named(stay)
        never = {b for b in before.blobs if b[0] not in threads} - before.named(before.checkpoints)
        self.equal("blobs that are needed", needed - set(rows.blobs), set())
        self.equal("blobs too many", set(rows.blobs) - needed - never, set())
        if not orphans:
            self.equal("blobs that nothing ever named", never - set(rows.blobs), set())
        self.equal("blobs unchanged", rows.blobs, {b: before.blobs[b] for b in rows.blobs})

    def restore(self, archive):
        """Every row again, byte for byte, whatever the archive."""
        self.ckpt_migrate(archive)
        rows = self.store.rows()
        self.equal("restored: keys", set(rows.checkpoints), set(self.rows.checkpoints))
        for what in ("checkpoints", "writes", "blobs"):
            got, want = getattr(rows, what), getattr(self.rows, what)
            self.equal("restored: keys of " + what, set(got) ^ set(want), set())
            for k in want:
                self.equal("restored: %s %s" % (what, k), got.get(k), want[k])
        tuples = self.read(self.deltas)[0]
        for k in self.tuples:
            self.equal("restored: %s is loaded" % (k,), tuples.get(k), self.tuples[k])
        self.t.add("restored", len(self.tuples))

    def ckpt_migrate(self, archive):
        run = common.Run(["migrate", str(archive), self.store.address], self.store.env)
        if run.code:
            self.t.fail(self.name, str(run))


def difference(got, want):
    if isinstance(got, dict) and isinstance(want, dict):
        for k in [*want, *got]:
            if got.get(k, common.MISSING) != want.get(k, common.MISSING):
                return "%.150r: got %.200r, want %.200r" % (
                    k, got.get(k, common.MISSING), want.get(k, common.MISSING))
    return "got %.250r, want %.250r" % (got, want)


# ---- the fixtures -----------------------------------------------------------------------------------------

# Before v 3 channels were named like the nodes that wrote them, and had no value after the next
# step: they might be delta channels while any write on them is there. Their chains are shorter the
# second time.
SLOW = {"py-old-json": 3, "py-old-v1": 3, "py-old-v2": 3, "py-old-pg100": 3, "py-old-pg2011": 3,
        "py-old-pg2012": 3}


def fixture(t, store, name, seed, policies, folder):
    """Several policies, each on a copy; every second one with an archive, of either form. What goes
    from PostgreSQL to SQLite and back is not quite the same of JavaScript's bytes, and of the lists
    of Sends of the very first PostgresSaver."""
    r = random.Random("%s %s" % (seed, name))
    source = Prune(t, store, name)
    some = [(["--keep-last", "1"], False), (["--strategy", "keep_latest", "--no-keep-heads",
                                            "--no-keep-interrupted"], False)]
    some += [random_policy(r, sorted(source.rows.checkpoints)) for _ in range(policies)]
    odd = store.engine == "PostgreSQL" and name in ("js-basic", "py-old-pg100")
    for n, (words, whole) in enumerate(some):
        with store.copy() as copy:
            one = Prune(t, copy, "%s %s" % (name, " ".join(words)), source)
            archive = folder / ("a%d.%s" % (n, "db" if n % 4 == 0 and not odd else "jsonl"))
            one.policy(words, whole, archive if n % 2 == 0 else None, SLOW.get(name, 1))


def run_all(tests):
    """[(name, function of a Tally)] as TAP; the exit code."""
    import traceback
    total, bad, n = collections.Counter(), 0, 0
    for name, test in tests:
        n += 1
        t = common.Tally()
        try:
            test(t)
        except Exception as e:
            t.fail("exception", "".join(traceback.format_exception(e))[-550:])
        common.tap(n, "%s (%s)" % (name, common.totals(t.count)), t.problems)
        total.update(t.count)
        bad += bool(t.problems)
    print("1..%d\n# %s" % (n, common.totals(total)))
    return int(bad > 0)
