"""LangGraph's conformance suite on AsyncPostgresSaver, with `ckpt` doing what alters whole threads.
TAP; run with the Python of build/venv inside tests/pg/with-server.sh. CKPT=build/ckpt
"""
import sys

import conformance
import postgres
from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver


def factory_of(part):
    class Saver(part, AsyncPostgresSaver):
        pass

    async def factory():
        with postgres.Database() as database:
            async with Saver.from_conn_string(database.address) as saver:
                saver.store = database.address
                await saver.setup()
                yield saver
    return factory


if __name__ == "__main__":
    sys.exit(conformance.main("PostgreSQL", factory_of))
