"""Encrypted rows, on either engine: with the key all is as its library reads it, with another one
nothing of them is, and neither key nor plain text comes out by mistake.

Belongs here: keys from the environment and from a file. Without a key compare.py has asked.
"""
import hashlib
import os
import tempfile

import common

WRONG = "wrong-key-of-32-bytes-0123456789"


def raw(store, thread, ns, cid, channel, env=None):
    return common.Run(["show", *common.at(store), "--thread=" + thread, "--ns=" + ns,
                       "--checkpoint=" + cid, "--channel=" + channel, "--raw"], env)


def same_bytes(t, run, blob):
    if run.code:
        return t.fail("raw", str(run))
    if hashlib.sha256(run.out).hexdigest() != blob["sha256"]:
        t.fail("raw", "other bytes (%d): %s" % (len(run.out), run))
    t.add("raw blobs")
    return None


def key_file(key):
    """A file of nobody else's."""
    fd, name = tempfile.mkstemp(prefix="ckpt-key-")
    with os.fdopen(fd, "w") as f:
        f.write(key)
    return name


def is_closed(entry):
    """Is anything of this checkpoint encrypted?"""
    types = [(entry.get("stored") or {}).get("type")]
    types += [b["type"] for b in (entry.get("blobs") or {}).values()]
    types += [r[3] for r in entry["raw_writes"]]
    return any("+" in (x or "") for x in types)


def check_key(store, oracle, rows, env=None):
    import compare                  # which itself asks for parts() below
    t = common.Tally()
    compare.check_shows(t, store, oracle, rows, env, True)
    return t


def check_wrong(store, oracle):
    """show of an encrypted checkpoint: 8, and no word of what is in it; of an open one: 0."""
    t = common.Tally()
    env = {"LANGGRAPH_AES_KEY": WRONG}
    run = common.Run(["list", *common.at(store), "--all", "--ns", "*", "-l", "--json"], env)
    warnings = [x for x in run.err.splitlines() if x.startswith("ckpt: ")]
    # In SQLite the nodes are inside of what is closed; in PostgreSQL nothing that list shows is.
    if run.code or len(warnings) != (0 if isinstance(store, tuple) else 1):
        t.fail("list", "%d warnings: %s" % (len(warnings), run))
    for thread, spaces in oracle["threads"].items():
        for ns, part in spaces.items():
            for cid, entry in part["checkpoints"].items():
                run = common.show(store, thread, ns, cid, env=env)
                want = 8 if is_closed(entry) else 0
                if run.code != want or (want == 8 and not run.json()["data"]):
                    t.fail("%s %s" % (thread, cid[-12:]), "wanted exit %d: %s" % (want, run))
                t.add("asked with a wrong key")
            newest = part["order"][0]
            for channel, blob in part["checkpoints"][newest].get("blobs", {}).items():
                run = raw(store, thread, ns, newest, channel, env)
                if (run.code, run.out) != (8, b"") and "+" in blob["type"]:
                    t.fail("raw %s" % channel, "%d bytes: %s" % (len(run.out), run))
    return t


def parts(store, oracle, rows):
    key = oracle["aes_key"]
    at = store if isinstance(store, tuple) else (str(store),)
    name = key_file(key)
    try:
        yield ("with the key in the environment",
               check_key(store, oracle, rows, {"LANGGRAPH_AES_KEY": key}))
        yield "with the key in a file", check_key((*at, "--aes-key-file", name), oracle, rows)
        yield "with a wrong key", check_wrong(store, oracle)
    finally:
        os.unlink(name)
