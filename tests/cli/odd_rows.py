#!/usr/bin/env python3
"""Rows of a SQLite store as LangGraph's savers would not write them, though the tables take them.

    odd_rows.py fill STORE SEED    adds some: keys as BLOB, payloads as TEXT, NULL, NUL, no UTF-8
    odd_rows.py print STORE        every row with its storage classes; writes of a checkpoint in the
                                   order in which they were written
"""
import random
import sqlite3
import sys

ODD = [b"", b"\0", b"a\0b", b"\xff\xfe", b"\xc3\xa9", b'q"\\', b"\n", b"x" * 300]


def columns(store, table):
    return [row[1] for row in store.execute("PRAGMA table_info(%s)" % table)]


def fill(store, seed):
    r = random.Random(seed)
    store.text_factory = bytes
    rows = store.execute("SELECT checkpoint_id, type, checkpoint, metadata FROM checkpoints").fetchall()

    def text(b):
        return "CAST(? AS TEXT)", b

    def name(b):
        return r.choice([text(b), text(b), ("?", b)])

    def payload(b):
        return r.choice([("?", b), text(b), ("NULL", None)])

    def put(table, row):
        values = [v for e, v in row.values() if "?" in e]
        store.execute("INSERT OR IGNORE INTO %s (%s) VALUES (%s)" % (
            table, ", ".join(row), ", ".join(e for e, _ in row.values())), values)

    for _ in range(80):
        like = r.choice(rows)
        key = {"thread_id": name(r.choice([b"odd", b"odd\0", b"\xffodd", b"chat-1"])),
               "checkpoint_ns": name(r.choice([b"", b"a|b:1", b"\0"])),
               "checkpoint_id": name(r.choice([like[0], r.choice(ODD)]))}
        put("checkpoints", {
            **key, "parent_checkpoint_id": payload(r.choice([*ODD, like[0]])),
            "type": payload(r.choice([like[1], b"json", b"null", b"bytearray", b"msgpack+aes", b""])),
            "checkpoint": payload(r.choice([like[2], like[2], r.choice(ODD)])),
            "metadata": payload(r.choice([like[3], r.choice(ODD)]))})
        for _ in range(r.randint(0, 3)):
            row = {**key, "checkpoint_id": r.choice([key["checkpoint_id"], name(b"none")]),
                   "task_id": name(r.choice(ODD)), "idx": ("?", r.choice([0, -3, 2**62, -2**63, 7])),
                   "channel": name(r.choice(ODD)), "type": payload(r.choice([b"msgpack", b"json"])),
                   "value": payload(r.choice(ODD))}
            if "task_path" in columns(store, "writes"):
                row["task_path"] = name(r.choice(ODD))
            put("writes", row)
    store.commit()


def show(store):
    names = {table: ", ".join(sorted(columns(store, table))) for table in ("checkpoints", "writes")}
    store.text_factory = lambda b: ("text", b)
    for table, order in (("checkpoints", "1"), ("writes", "rowid")):
        rows = store.execute("SELECT thread_id, checkpoint_ns, checkpoint_id, %s FROM %s ORDER BY %s" % (
            names[table], table, order))
        for row in sorted(rows, key=lambda row: repr(row[:3])):
            print(table, repr(row))


if __name__ == "__main__":
    if sys.argv[1] == "fill":
        fill(sqlite3.connect(sys.argv[2]), int(sys.argv[3]))
    else:
        show(sqlite3.connect(sys.argv[2]))
