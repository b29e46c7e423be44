"""The stores that are measured: rows exactly as SqliteSaver 3.1.2 writes them, made fast.

    stores.py DIR SCALE     makes DIR/W.db, DIR/W4.db, DIR/M.db unless they are there

W: 2,000 threads of 100 checkpoints of 1.5 kB with two writes each, rows in time order.
W4: the same threads with 25 checkpoints each. M: one thread of 1,000 and 190 of 100 checkpoints
of 50 kB, thread by thread. A few dozen payloads come from the library's own serializer; each row
is one of them with its id, time and versions put in. Same scale, same bytes.
"""
import json
import os
import pathlib
import random
import sqlite3
import sys
import uuid
from datetime import datetime, timedelta, timezone

from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer
from langgraph.checkpoint.sqlite import SqliteSaver

START = datetime(2026, 9, 1, tzinfo=timezone.utc)
GREGORIAN = 0x01B21DD213814000
SERDE = JsonPlusSerializer()
WORDS = ("order refund agent ticket review draft invoice approve customer reply plan search index "
         "answer source market report value weather translate summary budget contract river").split()

# Stand-ins of the right length: a msgpack string's head holds its length.
ID, TS = "#" * 36, "2026-00-00T00:00:00.000000+00:00"
VERSION = "v" * 51


def words(r, size):
    out = []
    while size > 0:
        out.append(r.choice(WORDS) + str(r.randrange(1000)))
        size -= len(out[-1]) + 1
    return " ".join(out)


def conversation(r, count, size):
    kinds = (lambda i: HumanMessage(words(r, size), id="h%06d" % i),
             lambda i: AIMessage(words(r, size), id="a%06d" % i, tool_calls=[
                 {"name": "search", "args": {"q": words(r, 20)}, "id": "c%d" % i, "type": "tool_call"}]),
             lambda i: ToolMessage(words(r, size), tool_call_id="c%d" % (i - 1), id="t%06d" % i))
    return [kinds[i % 3](i) for i in range(count)]


def small(r):
    return {"messages": conversation(r, 2, 150), "topic": words(r, 40), "round": r.randrange(100)}


def large(r):
    return {"messages": conversation(r, 24, 1100),
            "files": {"notes/%d.md" % i: words(r, 2400) for i in range(6)},
            "plan": [{"step": i, "text": words(r, 120), "done": i < 4} for i in range(12)],
            "topic": words(r, 60), "round": r.randrange(100), "approved": r.random() < 0.5}


def template(r, values):
    """The serialized checkpoint, cut at its stand-ins: [(bytes, which), …]."""
    channels = {**values, "branch:to:agent": None}
    versions = {k: VERSION for k in (*channels, "__start__")}
    checkpoint = {"v": 4, "ts": TS, "id": ID, "channel_values": channels,
                  "channel_versions": versions,
                  "versions_seen": {"__input__": {}, "__start__": {"__start__": VERSION},
                                    "agent": {"branch:to:agent": VERSION}},
                  "updated_channels": sorted(channels)}
    kind, body = SERDE.dumps_typed(checkpoint)
    assert kind == "msgpack"
    pieces = []
    for part in body.replace(TS.encode(), b"\0TS\0").replace(ID.encode(), b"\0ID\0").split(
            VERSION.encode()):
        pieces.append(part)
    return pieces


def fill(pieces, ident, ts, version):
    body = version.join(pieces)
    head, rest = body.split(b"\0TS\0", 1)
    middle, tail = rest.split(b"\0ID\0", 1)
    return b"".join((head, ts, middle, ident, tail))


class Clock:
    """UUIDv6 ids and ISO times that move a few milliseconds a row."""

    def __init__(self, seed):
        self.ticks = int(START.timestamp()) * 10**7 + GREGORIAN
        self.r = random.Random(seed)

    def stamp(self, step):
        self.ticks += self.r.randrange(10_000, 60_000)
        t = self.ticks
        ident = uuid.UUID(int=(t >> 12) << 80 | 6 << 76 | (t & 0xFFF) << 64 |
                          (0x8000 | step & 0x3FFF) << 48 | self.r.getrandbits(48))
        when = datetime(1970, 1, 1, tzinfo=timezone.utc) + timedelta(
            microseconds=(t - GREGORIAN) // 10)
        return str(ident), when.isoformat(timespec="microseconds")


def rows(order, pieces, seed):
    """A checkpoint row for each (thread, step), in that order."""
    clock, r, parent = Clock(seed), random.Random(seed), {}
    for thread, step in order:
        ident, ts = clock.stamp(step)
        version = "%032d.0.%d" % (step + 2, r.randrange(10**15, 10**16))
        body = fill(r.choice(pieces), ident.encode(), ts.encode(), version.ljust(51, "7").encode())
        meta = json.dumps({"source": "loop", "step": step, "parents": {}, "user_id": "u%d" % (step % 7)},
                          ensure_ascii=False).encode()
        yield thread, "", ident, parent.get(thread), "msgpack", body, meta
        parent[thread] = ident


def writes(db, seed):
    """Two rows under every checkpoint: a message and the edge to the next node."""
    r = random.Random(seed)
    said = [SERDE.dumps_typed(conversation(r, 1, 180))[1] for _ in range(24)]
    tasks = [str(uuid.UUID(int=r.getrandbits(128))) for _ in range(512)]
    for thread, ident in db.execute("SELECT thread_id, checkpoint_id FROM checkpoints ORDER BY rowid"):
        task = r.choice(tasks)
        yield thread, "", ident, task, "~__pregel_pull, agent", 0, "messages", "msgpack", r.choice(said)
        yield thread, "", ident, task, "~__pregel_pull, agent", 1, "branch:to:agent", "null", b""


def make(path, order, values, seed, with_writes):
    part = path.with_suffix(".part")
    part.unlink(missing_ok=True)
    saver_conn = sqlite3.connect(part)
    SqliteSaver(saver_conn).setup()             # its tables, its columns, its WAL mode
    saver_conn.close()
    db = sqlite3.connect(part, isolation_level=None)
    db.execute("PRAGMA journal_mode=DELETE")
    for pragma in ("journal_mode=OFF", "synchronous=OFF", "cache_size=-800000"):
        db.execute("PRAGMA " + pragma)
    r = random.Random(seed)
    pieces = [template(r, values(r)) for _ in range(40)]
    db.execute("BEGIN")
    db.executemany("INSERT INTO checkpoints VALUES (?,?,?,?,?,?,?)", rows(order, pieces, seed))
    if with_writes:
        more = list(writes(db, seed))
        db.executemany("INSERT INTO writes VALUES (?,?,?,?,?,?,?,?,?)", more)
    db.execute("COMMIT")
    db.execute("PRAGMA journal_mode=WAL")
    db.close()
    verify(part, values(random.Random(seed)))
    os.replace(part, path)


def verify(path, like):
    """The real saver reads a sample: same channels, right parents, all messages."""
    with SqliteSaver.from_conn_string(str(path)) as saver:
        for tup in list(saver.list(None, limit=5)):
            config = tup.config["configurable"]
            again = saver.get_tuple({"configurable": config})
            assert again.checkpoint["id"] == config["checkpoint_id"] == tup.checkpoint["id"]
            assert set(again.checkpoint["channel_values"]) == {*like, "branch:to:agent"}
            messages = again.checkpoint["channel_values"]["messages"]
            assert len(messages) == len(like["messages"]) and isinstance(messages[0], HumanMessage)
            assert again.parent_config is not None and again.metadata["source"] == "loop"


def interleaved(threads, depth):
    return [("thread-%05d" % t, s) for s in range(-1, depth - 1) for t in range(threads)]


def thread_by_thread(scale):
    depth = max(20, int(1000 * scale))
    out = [("long", s) for s in range(-1, depth - 1)]
    for t in range(max(4, int(190 * scale))):
        out += [("chat-%04d" % t, s) for s in range(-1, 99)]
    return out


def main(folder, scale):
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    threads = max(20, int(2000 * scale))
    wanted = (("W", lambda: interleaved(threads, 100), small, 1, True),
              ("W4", lambda: interleaved(threads, 25), small, 1, True),
              ("M", lambda: thread_by_thread(scale), large, 2, False))
    for name, order, values, seed, with_writes in wanted:
        path = folder / (name + ".db")
        if not path.exists():
            make(path, order(), values, seed, with_writes)
            print("made %s: %d MB" % (path, path.stat().st_size // 10**6))


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]))
