"""What a check is measured against in Python: decode every row of a store.

    check_peer.py ormsgpack|library STORE

ormsgpack: the bytes alone, payloads of ext values included. library: LangGraph's own serializer.
"""
import json
import sqlite3
import sys

import ormsgpack
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer

def hook(code, payload):
    return ormsgpack.unpackb(payload, ext_hook=hook, option=ormsgpack.OPT_NON_STR_KEYS)

def plain(kind, body):
    if kind == "msgpack":
        ormsgpack.unpackb(body, ext_hook=hook, option=ormsgpack.OPT_NON_STR_KEYS)

SERDE = JsonPlusSerializer()
load = plain if sys.argv[1] == "ormsgpack" else lambda kind, body: SERDE.loads_typed((kind, body))
db = sqlite3.connect("file:%s?mode=ro" % sys.argv[2], uri=True)
for kind, body, meta in db.execute("SELECT type, checkpoint, metadata FROM checkpoints"):
    load(kind, body)
    json.loads(meta)
for kind, body in db.execute("SELECT type, value FROM writes"):
    load(kind, body)
