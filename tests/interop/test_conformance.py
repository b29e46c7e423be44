"""LangGraph's conformance suite on AsyncSqliteSaver, with `ckpt` doing what alters whole threads.
TAP; run with the Python of build/venv. CKPT=build/ckpt
"""
import os
import sys
import tempfile

import conformance
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver


def factory_of(part):
    class Saver(part, AsyncSqliteSaver):
        pass

    async def factory():
        with tempfile.TemporaryDirectory(prefix="ckpt-conformance-") as folder:
            path = os.path.join(folder, "store.db")
            async with Saver.from_conn_string(path) as saver:
                saver.store = path
                await saver.setup()
                yield saver
    return factory


if __name__ == "__main__":
    sys.exit(conformance.main("SQLite", factory_of))
