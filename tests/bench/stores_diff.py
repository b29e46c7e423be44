"""Stores whose last step is compared: two checkpoints of long lists of messages, put by the saver.

    stores_diff.py DIR SCALE    makes DIR/D.db (1,000 messages) and DIR/L.db (100,000) unless they
                                are there: one message reworded, one gone, one more at the end
"""
import os
import pathlib
import random
import sys

from langchain_core.messages import HumanMessage
from langgraph.checkpoint.base import empty_checkpoint
from langgraph.checkpoint.sqlite import SqliteSaver

from stores import conversation


def checkpoint(messages, step):
    out = empty_checkpoint()
    version = "%032d.0.5" % step
    out["channel_values"] = {"messages": messages}
    out["channel_versions"] = {"messages": version}
    return out


def make(path, count, size):
    part = path.with_suffix(".part")
    part.unlink(missing_ok=True)
    before = conversation(random.Random(3), count, size)
    after = [*before[:count // 4], *before[count // 4 + 1:], HumanMessage("one more", id="new")]
    at = count // 2
    after[at] = after[at].model_copy(update={"content": "reworded"})
    config = {"configurable": {"thread_id": "long", "checkpoint_ns": ""}}
    with SqliteSaver.from_conn_string(str(part)) as saver:
        for step, messages in enumerate((before, after)):
            config = saver.put(config, checkpoint(messages, step + 1),
                               {"source": "loop", "step": step, "parents": {}}, {})
        saver.conn.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    os.replace(part, path)


def main(folder, scale):
    folder = pathlib.Path(folder)
    for name, count, size in (("D", 1000, 300), ("L", max(1000, int(100_000 * scale)), 60)):
        path = folder / (name + ".db")
        if not path.exists():
            make(path, count, size)
            print("made %s: %d MB" % (path, path.stat().st_size // 10**6))


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]))
