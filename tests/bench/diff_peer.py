"""The way without ckpt: what the last step did to the messages, by SqliteSaver and their ids."""
import sys

from langgraph.checkpoint.sqlite import SqliteSaver

with SqliteSaver.from_conn_string(sys.argv[1]) as saver:
    b, a = saver.list({"configurable": {"thread_id": sys.argv[2], "checkpoint_ns": ""}}, limit=2)
    old, new = ({m.id: m for m in x.checkpoint["channel_values"]["messages"]} for x in (a, b))
    for ident in old:
        if ident not in new:
            print("-", old[ident])
        elif old[ident] != new[ident]:
            print("~", old[ident], new[ident])
    for ident in new:
        if ident not in old:
            print("+", new[ident])
