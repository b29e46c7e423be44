"""`ckpt check` says undecodable where LangGraph's own serializer raises, and nowhere else. TAP.

    test_check.py       CKPT=build/ckpt FIXTURES=build/fixtures; needs the real libraries

Payloads of the fixtures, as they are and with bytes changed or cut off, become the pending writes
of one checkpoint; one check judges them all. Two exceptions: a broken payload of an ext value makes
the library load None without a word, and ckpt tells it; and a class may refuse what it is built
from, where every byte can be read.
"""
import json
import logging
import os
import pathlib
import random
import re
import sqlite3
import subprocess
import sys
import tempfile
import warnings

import ormsgpack
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer

warnings.simplefilter("ignore")
logging.disable(logging.CRITICAL)
CKPT = os.environ.get("CKPT", os.path.join("build", "ckpt"))
FIXTURES = pathlib.Path(os.environ.get("FIXTURES", os.path.join("build", "fixtures")))
STORES = ("py-basic", "py-delta", "py-hitl", "py-old-v1", "py-old-json", "py-subgraph", "js-basic")
SERDE = JsonPlusSerializer()
SILENT = "the payload of an ext value is broken"


def payloads():
    for name in STORES:
        db = sqlite3.connect("file:%s?immutable=1" % (FIXTURES / name / "store.db"), uri=True)
        yield from db.execute("SELECT type, checkpoint FROM checkpoints ORDER BY rowid LIMIT 60")
        yield from db.execute("SELECT type, value FROM writes ORDER BY rowid LIMIT 60")
        db.close()


def changed(r, body):
    body = bytearray(body)
    for _ in range(r.choice((0, 1, 1, 1, 2, 5))):
        if body:
            body[r.randrange(len(body))] = r.choice((0xC1, 0xFF, 0x80, 0xDD, r.randrange(256)))
    return bytes(body[:r.randrange(len(body) + 1)]) if r.random() < 0.2 else bytes(body)


def raises(kind, body):
    try:
        SERDE.loads_typed((kind, body))
    except RecursionError:
        return None
    except Exception:
        return True
    return False


def readable(kind, body):
    """Bytes alone, payloads of ext values too; nothing is built."""
    def hook(_, payload):
        return ormsgpack.unpackb(payload, ext_hook=hook, option=ormsgpack.OPT_NON_STR_KEYS)
    try:
        ormsgpack.unpackb(body, ext_hook=hook, option=ormsgpack.OPT_NON_STR_KEYS)
    except ValueError:
        return False
    return kind == "msgpack"


def store(path, rows):
    src = sqlite3.connect("file:%s?immutable=1" % (FIXTURES / "py-hitl" / "store.db"), uri=True)
    db = sqlite3.connect(path)
    src.backup(db)
    db.execute("DELETE FROM writes")
    thread, ns, ident = db.execute("SELECT thread_id, checkpoint_ns, checkpoint_id FROM checkpoints").fetchone()
    db.executemany("INSERT INTO writes (thread_id, checkpoint_ns, checkpoint_id, task_id, idx, channel, "
                   "type, value) VALUES (?,?,?,'t',?,'x',?,?)",
                   [(thread, ns, ident, i, *row) for i, row in enumerate(rows)])
    db.commit()
    db.close()


def main():
    r = random.Random(5)
    rows = [(kind, body) for kind, body in payloads() if kind in ("msgpack", "json")]
    rows += [(kind, changed(r, body)) for kind, body in rows for _ in range(4)]
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "store.db")
        store(path, rows)
        run = subprocess.run([CKPT, "check", "-s", path, "--json"], capture_output=True)
    found = {}
    for f in json.loads(run.stdout)["data"]:
        if f["code"] == "undecodable":
            found[int(re.match(r"write (\d+) of", f["detail"])[1])] = f["detail"]
    wrong, bad, refused = [], 0, 0
    for i, (kind, body) in enumerate(rows):
        want = raises(kind, body)
        bad += bool(want)
        if want is None or (not want and SILENT in found.get(i, "")):
            continue
        if want and i not in found and readable(kind, body):
            refused += 1
        elif want != (i in found):
            wrong.append("%s %s library raises %s, ckpt %s" % (kind, body[:60].hex(), want, found.get(i)))
    for line in wrong[:20]:
        print("#", line)
    print("1..2")
    print("%s 1 - %d payloads, %d of them bad: ckpt and the library agree" %
          ("not ok" if wrong else "ok", len(rows), bad))
    good = bad > 300 and len(rows) - bad > 300 and refused < 10
    print("%s 2 - there are enough of both" % ("ok" if good else "not ok"))
    return not good or bool(wrong)


if __name__ == "__main__":
    sys.exit(main())
