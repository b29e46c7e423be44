"""Damaged stores: what is documented to happen with each, and what the library still reads.

Belongs here: the table of exit codes. No store may crash ckpt, hang it or be written to.
"""
import atexit
import json
import pathlib
import shutil
import tempfile

import common

# store: exit codes of (list, show of the damaged checkpoint); None: not asked. A tuple: either.
CODES = {
    "not-a-database": (8, 8), "truncated": (8, 8), "header-only": (8, 8),
    "other-database": (7, 7), "empty-file": (7, 7), "view": (7, 7),
    "no-writes-table": (0, 0), "extra-column": (0, 0), "foreign-tables": (0, 0),
    # A page of the file is noise: whether the key index is hit decides for list.
    "flipped-page": ((0, 8), None), "cut-wal": (0, None), "text-columns": (0, None),
    "bad-blob": (0, 8), "bad-metadata": (0, 8), "bad-write": (0, 8), "cut-blob": (0, 8),
    "deep-blob": (0, 8), "empty-blob": (0, 8), "huge-length": (0, 8),
    # A type nobody knows is opaque, which is no error. NULL is not a type.
    "unknown-type": (0, 0), "nulls": (0, (0, 8)),
    # The library reads these without a word; ckpt may say that something is wrong.
    "trailing-bytes": (0, (0, 8)), "flipped-byte": (0, (0, 8)), "id-mismatch": (0, (0, 8)),
    "cycle": (0, (0, 8)), "self-parent": (0, (0, 8)), "future-id": (0, 0),
    "delta-writes-lost": (0, 0),
    # The damaged checkpoint itself is not there.
    "missing-parent": (0, 4), "orphan-writes": (0, 4), "delta-dangling": (0, 4),
}
NOTES = {"extra-column": "column"}      # what stderr must speak of
MARKS = (b'"$corrupt":', b'"$opaque":')

scratch = None


def copied(store):
    """The file and its -wal in a directory of their own: others may write beside it."""
    global scratch
    if scratch is None:
        scratch = tempfile.mkdtemp(prefix="ckpt-oracle-")
        atexit.register(shutil.rmtree, scratch, True)
    to = pathlib.Path(tempfile.mkdtemp(dir=scratch)) / store.name
    shutil.copyfile(store, to)
    wal = pathlib.Path(str(store) + "-wal")
    if wal.exists():
        shutil.copyfile(wal, str(to) + "-wal")
    return to


def allowed(t, run, codes):
    codes = codes if isinstance(codes, tuple) else (codes,)
    if run.code not in codes:
        t.fail("exit", "wanted %s: %s" % (" or ".join(map(str, codes)), run))
    t.add("exit codes")


def check_unreadable(t, at, run, entry):
    """The library raises: ckpt shows what it can, and marks the rest."""
    if run.code not in (0, 8):
        return t.fail(at, "%s (library: %s)" % (run, entry["error"]))
    body = run.out
    # Cut metadata and SQL NULLs leave nothing to mark: null, and exit 8.
    if run.code == 0 and not any(m in body for m in MARKS):
        t.fail(at, "the library says %s, ckpt says nothing" % entry["error"])
    t.add("unreadable checkpoints")
    return None


def check_readable(t, at, run, thread, ns, cid, entry, lenient):
    if run.code and not (lenient and run.code == 8):
        return t.fail(at, str(run))
    want = {k: v for k, v in entry.items() if k != "id_in_payload"}
    data = run.json()["data"]
    delta = {c["name"] for c in data["channels"] if c["stored"] == "delta"}
    common.check_checkpoint(t, at, thread, ns, cid, want, data, True, delta)
    return None


def check_checkpoints(t, store, oracle, lenient):
    for thread, spaces in oracle.get("threads", {}).items():
        if thread.startswith("blob:"):          # a thread id that is no text: no name for it
            continue
        for ns, part in spaces.items():
            for cid, entry in part["checkpoints"].items():
                at = "%s %s %s" % (thread, ns[:20], cid[-12:])
                run = common.show(store, thread, ns, cid)
                if run.code not in (0, 8) and "error" in entry:
                    t.fail(at, str(run))
                elif "error" in entry:
                    check_unreadable(t, at, run, entry)
                else:
                    check_readable(t, at, run, thread, ns, cid, entry, lenient)


def check_orders(t, store, oracle):
    for thread, spaces in oracle.get("threads", {}).items():
        for ns, part in spaces.items():
            if thread.startswith("blob:"):
                continue
            run = common.Run(["list", *common.at(store), "--ns", ns, "--ids", "--json", "--", thread])
            if run.code == 0:
                t.equal("list %s %s" % (thread, ns[:20]), [x["id"] for x in run.json()["data"]],
                        part["order"])
            else:
                t.fail("list %s" % thread, str(run))


def check_store(store, oracle, codes):
    t = common.Tally()
    name, store = store.parent.name, copied(store)
    before = store.read_bytes()
    run = common.Run(["list", "-s", str(store), "--json"])
    allowed(t, run, codes[0])
    note = NOTES.get(name)
    if note and note not in run.err:
        t.fail("note", "stderr does not speak of %r: %r" % (note, run.err))
    cid = oracle.get("id")
    if codes[1] is not None and cid:
        allowed(t, common.show(store, oracle["thread"], oracle["ns"], cid), codes[1])
    elif codes[1] is not None:
        allowed(t, common.show(store, "edited-past", "", ""), codes[1])
    if run.code == 0:
        check_checkpoints(t, store, oracle, isinstance(codes[1], tuple))
        check_orders(t, store, oracle)
    if store.read_bytes() != before:
        t.fail("file", "ckpt changed it")
    return t


def check_all(folder):
    for path in sorted(folder.iterdir()):
        if not (path / "store.db").exists():
            continue
        oracle = json.loads((path / "oracle.json").read_text())
        try:
            t = check_store(path / "store.db", oracle, CODES[path.name])
        except (KeyError, ValueError, TypeError, AttributeError) as e:
            t = common.Tally()
            t.fail(path.name, "%s: %s" % (type(e).__name__, e))
        yield path.name, t
