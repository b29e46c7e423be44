"""LangGraph's own suite for savers, with savers that leave deleting, copying and pruning to `ckpt`:
all 8 capabilities, a TAP line for each of their tests. A control shows that the suite notices a
saver that does nothing.

Belongs here: what both engines share. test_conformance.py runs it on SQLite,
test_conformance_pg.py on PostgreSQL.
"""
import asyncio
import importlib
import os
import pathlib
import sys

os.environ.setdefault("LANGSMITH_TRACING", "false")
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "oracle"))

import common
from langgraph.checkpoint.conformance import checkpointer_test, validate
from langgraph.checkpoint.conformance.capabilities import Capability
from langgraph.checkpoint.conformance.report import ProgressCallbacks

DONE = (0, 4)                   # 4: a thread or run that is not there; to the library that is fine
OURS = {"delete_thread", "delete_for_runs", "copy_thread", "prune"}


def each(option, names):
    return ["%s=%s" % (option, x) for x in names]


class ByCkpt:
    """Above a saver: what the library asks of it is done by `ckpt` on `self.store`."""

    async def ckpt(self, *words):
        run = await asyncio.to_thread(common.Run, [*words, "-s", self.store])
        if run.code not in DONE:
            raise RuntimeError(str(run))

    async def adelete_thread(self, thread_id):
        await self.ckpt("delete", "--thread=" + thread_id, "--yes")

    async def adelete_for_runs(self, run_ids):
        if run_ids:
            await self.ckpt("delete", *each("--run-id", run_ids), "--yes")

    async def acopy_thread(self, source_thread_id, target_thread_id):
        await self.ckpt("copy", source_thread_id, target_thread_id)

    async def aprune(self, thread_ids, *, strategy="keep_latest"):
        if thread_ids:
            await self.ckpt("prune", "--strategy", strategy, "--min-age", "0", "--active-within", "0",
                            *each("--thread", thread_ids), "--yes")


class Idle:
    """The control: it promises the same and does nothing."""

    async def adelete_thread(self, thread_id):
        pass

    async def adelete_for_runs(self, run_ids):
        pass

    async def acopy_thread(self, source_thread_id, target_thread_id):
        pass

    async def aprune(self, thread_ids, *, strategy="keep_latest"):
        pass


def all_tests():
    """The suite's own lists, so that none is left out unseen."""
    out = set()
    for c in Capability:
        spec = importlib.import_module("langgraph.checkpoint.conformance.spec.test_" + c.value)
        out |= {(c.value, x.__name__) for x in getattr(spec, "ALL_%s_TESTS" % c.value.upper())}
    return out


async def ran(name, factory, capabilities=None):
    """{(capability, test): what went wrong, or None}"""
    results = {}

    def note(capability, test, passed, error):
        results[capability, test] = None if passed else str(error)
    await validate(checkpointer_test(name=name)(factory), capabilities=capabilities,
                   progress=ProgressCallbacks(on_test_result=note))
    return results


def main(name, factory_of):
    """`factory_of` makes, of one of the classes above, what the suite calls for a new saver."""
    want = all_tests()
    results = asyncio.run(ran(name, factory_of(ByCkpt)))
    problems = {}
    for n, key in enumerate(sorted(want)):
        error = results.get(key, "was not run")
        problems[key] = [error.strip()[-590:]] if error else []
        common.tap(n + 1, "%s, %s: %s" % (name, *key), problems[key])
    control = asyncio.run(ran(name, factory_of(Idle), OURS))
    missed = OURS - {c for (c, _), error in control.items() if error}
    common.tap(len(want) + 1, "%s: of a saver that does nothing %d of %d tests fail, some of each "
               "capability" % (name, sum(map(bool, control.values())), len(control)), sorted(missed))
    short = [] if len(want) >= 81 and len(results) == len(want) else [
        "%d tests were run, the suite has %d" % (len(results), len(want))]
    common.tap(len(want) + 2, "%s: all %d tests, %d capabilities" %
               (name, len(results), len({c for c, _ in results})), short)
    print("1..%d" % (len(want) + 2))
    return int(bool(missed or short) or any(problems.values()))
