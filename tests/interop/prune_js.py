"""What JavaScript's own library says of a store before and after `ckpt` was there: everything that it
loads, where its graphs stand, and to which end they go on.

Belongs here: asking it, and what must be as before. The graphs are in prune_js.mjs; what else must
hold of a prune is prune_proof.py's, and what is tried test_prune_js.py's.
"""
import contextlib
import json
import os
import pathlib
import subprocess
import tempfile

import prune_proof as proof                     # first: it makes tests/oracle importable
import test_migrate_js

HERE = pathlib.Path(__file__).resolve().parent
BUILD = HERE.parent.parent / "build"
FOLDERS = {"JS_MODULES": "js", "JS_DELTA_MODULES": "js-delta"}


# ---- JavaScript ------------------------------------------------------------------------------------------

class Node:
    """A process that answers requests; prune_js.mjs says which."""

    def __init__(self, modules="JS_MODULES", library="@langchain/langgraph"):
        self.modules, self.library = modules, library

    def __enter__(self):
        modules = os.environ.get(self.modules, str(BUILD / FOLDERS[self.modules] / "node_modules"))
        self.err = tempfile.TemporaryFile()
        self.process = subprocess.Popen(
            [os.environ.get("NODE", str(BUILD / "js/node")), str(HERE / "prune_js.mjs"), self.library],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.err,
            env={**os.environ, "JS_MODULES": modules})
        return self

    def __exit__(self, *args):
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()
        self.process.wait(60)
        self.process.stdout.close()
        self.err.close()

    def another(self):
        """A new process, which knows nothing of what this one did."""
        return Node(self.modules, self.library)

    def ask(self, what, store, **more):
        at = (["sqlite", str(store.path)] if store.engine == "SQLite" else
              ["pg", test_migrate_js.url(store.database), store.schema])
        line = json.dumps({"do": what, "store": at, **more}) + "\n"
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.write(line.encode())
            self.process.stdin.flush()
        answer = self.process.stdout.readline()
        if not answer:
            self.process.wait(60)
            self.err.seek(0)
            raise OSError("prune_js.mjs: " + self.err.read().decode("utf-8", "replace")[-600:])
        return json.loads(answer)


def by_key(pairs):
    return {tuple(k): v for k, v in pairs}


# ---- judging ---------------------------------------------------------------------------------------------

class Judge(proof.Prune):
    """What ckpt does to a store, judged by JavaScript. `states` are as they were read last, `first`
    those from before."""

    def __init__(self, t, store, name, node, source=None, graphs=True):
        self.node, self.graphs, self.states = node, graphs, {}
        super().__init__(t, store, name, source)
        self.first = source.first if source else self.states

    def read(self, deltas=None):
        answer = self.node.ask("read", self.store, graphs=self.graphs)
        self.states = by_key(answer["states"])
        return by_key(answer["tuples"]), None

    def settles(self, how, whole, runs):
        if "--keep-within" not in how:          # by then more may be older
            super().settles(how, whole, runs)

    def left(self, gone, whole, orphans, summary):
        super().left(gone, whole, orphans, summary)
        self.stand()

    def restore(self, archive):
        super().restore(archive)
        self.equal("restored: which states", set(self.states), set(self.first))
        self.stand()

    def stand(self, same=lambda state: state):
        """Graphs stand where they stood; a thread as a whole where its newest checkpoint is."""
        for k, got in self.states.items():
            self.equal("state of %s" % (k,), same(got), same(self.first[k]))
            self.t.add("states")

    def loads(self, stay):
        """Those that stay and no others are loaded, as before."""
        tuples, _ = self.read()
        self.equal("which are loaded", set(tuples), set(stay))
        for k in set(stay) & set(tuples):
            self.equal("%s is loaded" % (k,), tuples[k], self.tuples[k])
        self.t.add("loaded", len(stay))

    def is_whole(self):
        self.equal("check", self.check() - self.errors, set())
        self.equal("the file is whole", self.store.whole(), True)

    def goes_on(self, source, places, original=lambda thread: thread):
        """To the ends that the untouched store comes to, where threads may have another name. Forks
        use the numbers of versions again and PostgreSQL keeps the first value of each: what a prune
        took away is then in nobody's way any more, and both are asked with numbers used once."""
        mine = [[original(thread), cid] for thread, cid in places]
        with source.store.copy() as other, self.store.copy() as spare, self.node.another() as node:
            want = by_key(node.ask("go", other, places=mine)["ends"])
            got = by_key(node.ask("go", self.store, places=places)["ends"])
            odd = [p for p in places if got[tuple(p)] != want[original(p[0]), p[1]]]
            if odd and self.store.engine == "PostgreSQL":
                self.t.add("taken versions", len(odd))
                with source.store.copy() as other:
                    want = by_key(node.ask("go", other, places=mine, apart=True)["ends"])
                got = by_key(node.ask("go", spare, places=places, apart=True)["ends"])
        for thread, cid in places:
            end = want[original(thread), cid]
            self.equal("goes on: %s" % ((thread, cid),), got[thread, cid], end)
            for turn in end if isinstance(end, list) else [["error " + end[:50]]]:
                self.t.add("turns: " + turn[0])
        self.equal("check after going on", self.check() - self.errors, set())
