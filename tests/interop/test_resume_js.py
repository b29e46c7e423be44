"""`ckpt resume --answer, --fork` on threads of JavaScript, judged by its own library: a copy of each
thread takes the library's own way, and both come to the same end; each time in a new process that
knows no more than the config. TAP; run with the Python of build/venv inside tests/pg/with-server.sh.
The graphs are in resume_js.mjs.

    test_resume_js.py      CKPT=build/ckpt NODE JS_MODULES
"""
import json
import os
import pathlib
import subprocess
import sys
import tempfile

import test_fresh_js as fresh_js                # first: it makes tests/oracle importable
import common

SCHEMA = fresh_js.SCHEMA
ASKING = ("simple", "repeated", "parallel", "nested", "stateful")
FORMS = ["yes", False, {"a": [1, 2.5, None]}, 0, "n\u00e4 \u2713", [], ""]


def config(thread, cid=None):
    at = {"checkpoint_ns": "", "checkpoint_id": cid} if cid else {}
    return {"configurable": {"thread_id": thread, **at}}


class Store:
    """A store of one kind, JavaScript's library and ckpt on it."""

    def __init__(self, t, *words, name):
        self.t, self.words, self.name = t, words, name

    def equal(self, where, got, want):
        self.t.add("compared")
        if got != want:
            self.t.fail(where, "got %.400r, want %.400r" % (got, want))

    def library(self, *acts):
        """Each act (GRAPH, WHAT, CONFIG[, WITH]) in turn, in one process."""
        keys = ("graph", "do", "config", "with")
        modules = os.environ.get("JS_MODULES", str(fresh_js.JS / "node_modules"))
        p = subprocess.run([os.environ.get("NODE", str(fresh_js.JS / "node")),
                            str(fresh_js.HERE / "resume_js.mjs"), *self.words],
                           input=json.dumps([dict(zip(keys, a)) for a in acts]).encode(),
                           capture_output=True, timeout=300, env={**os.environ, "JS_MODULES": modules})
        self.t.add("processes")
        if p.returncode:
            raise OSError("resume_js.mjs: " + p.stderr.decode("utf-8", "replace")[-600:])
        return json.loads(p.stdout)

    def ckpt(self, *words, code=0):
        where = ["--schema", SCHEMA] if self.words[0] == "pg" else []
        run = common.Run([*words, "-s", self.name, *where])
        if run.code != code:
            self.t.fail(" ".join(words), str(run))
        return run

    def resume(self, thread, *words, cid=None, code=0):
        at = ["--checkpoint", cid] if cid else []
        run = self.ckpt("resume", "--thread", thread, *at, *words, "--json", code=code)
        return common.loads(run.out)["data"] if code == 0 else run.err

    # ---- answers

    def staged(self, graph, thread, turn):
        """Answers to all that waits: staged in the thread; what the library is told in a copy."""
        data = self.resume(thread)
        waits = [w["id"] for w in data.get("waits", [])]
        if not waits:
            self.equal("%s %d: through" % (thread, turn), data["status"], "finished")
            return None
        given = {i: FORMS[(turn + n) % len(FORMS)] for n, i in enumerate(waits)}
        self.ckpt("copy", thread, "%s ref %d" % (thread, turn))
        first = waits[0]
        self.resume(thread, "--answer", first + '="not this one"', "--yes")
        data = self.resume(thread, "--yes", *[w for i in waits for w in
                                              ("--answer", "%s=%s" % (i, json.dumps(given[i])))])
        self.equal("%s %d: staged" % (thread, turn), data["status"], "answered")
        self.equal("%s %d: config" % (thread, turn), data["config"]["configurable"],
                   {"thread_id": thread, "checkpoint_ns": ""})
        # one question: as people answer it; by id it is the same
        said = given if len(given) > 1 or turn % 2 else given[first]
        return [(graph, "resume", config("%s ref %d" % (thread, turn)), said),
                (graph, "invoke", data["config"])]

    def answers(self):
        self.library(*[(g, "invoke", config("ask " + g), {"log": []}) for g in ASKING])
        open_ = list(ASKING)
        for turn in range(10):
            acts = {g: self.staged(g, "ask " + g, turn) for g in open_}
            open_ = [g for g in open_ if acts[g]]
            if not open_:
                break
            got = self.library(*[a for g in open_ for a in acts[g]])
            for n, g in enumerate(open_):
                want, ours = ({k: r[k] for k in ("ran", "values", "next", "step", "source")} |
                              {"asks": [a[1] for a in r["asks"]]} for r in got[2 * n:2 * n + 2])
                self.equal("%s %d" % (g, turn), ours, want)
        self.equal("all are through", open_, [])

    # ---- branches

    def forks(self):
        """Of each checkpoint of a thread that is through, and of one that waits."""
        self.library(("plain", "invoke", config("go"), {"log": []}),
                     ("nested", "invoke", config("wait"), {"log": []}),
                     ("stateful", "invoke", config("room"), {"log": []}),
                     ("stateful", "until", config("room"), 7))
        for graph, thread in (("plain", "go"), ("nested", "wait"), ("stateful", "room")):
            ids, = self.library((graph, "ids", config(thread)))
            if self.words[0] == "pg":
                err = self.resume(thread, "--fork", "--yes", cid=ids[0], code=7)
                self.equal(thread + ": refused", "JavaScript numbers its blobs" in err, True)
            self.apart(graph, thread, ids)
            if self.words[0] == "sqlite":
                self.beside(graph, thread, ids)

    def beside(self, graph, thread, ids):
        """In the same thread, beside the library's own copy."""
        refs = ["%s ref %d" % (thread, n) for n in range(len(ids))]
        for ref in refs:
            self.ckpt("copy", thread, ref)
        copied = self.library(*[(graph, "copy", config(ref, cid)) for ref, cid in zip(refs, ids)])
        acts = []
        for n, cid in enumerate(ids):
            ours = "%s ours %d" % (thread, n)
            self.ckpt("copy", thread, ours)
            data = self.resume(ours, "--fork", "--yes", cid=cid)
            by_id = "checkpoint_id" in data["config"]["configurable"]
            self.equal("%s %d: by id" % (thread, n), by_id, graph == "stateful")
            acts += [(graph, "state", config(ours)),
                     (graph, "invoke", config(refs[n], by_id and copied[n]["id"])),
                     (graph, "invoke", data["config"])]
        got = self.library(*acts)
        for n in range(len(ids)):
            forked, want, ours = got[3 * n:3 * n + 3]
            for where, a, b in (("state", forked, copied[n]), ("goes on", ours, want)):
                drop = ("id",) if where == "state" else ("id", "parent")
                self.equal("%s %d: %s" % (thread, n, where),
                           *({k: [x[1] for x in v] if k == "asks" else v for k, v in r.items() if k not in drop}
                             for r in (a, b)))

    def apart(self, graph, thread, ids):
        """In a new thread: as it was there, and to the same end."""
        here, = self.library((graph, "state", config(thread)))
        acts = []
        for n, cid in enumerate(ids):
            new = "%s new %d" % (thread, n)
            data = self.resume(thread, "--fork", "--thread-id", new, "--yes", cid=cid)
            self.equal(new, data["created"], {"thread": new, "ns": "", "id": cid})
            acts += [(graph, "state", config(new)), (graph, "invoke", data["config"]),
                     (graph, "until", config(new), here["values"]["n"])]
        got = self.library(*acts)
        self.equal(thread + ": the head", got[0], here)
        for n in range(len(ids)):
            self.equal("%s %d: id" % (thread, n), got[3 * n]["id"], ids[n])
            if n and got[3 * n]["next"] == ["room"]:
                continue    # JavaScript's library goes on with the room's old state, by id as well
            self.equal("%s %d: end" % (thread, n), [got[3 * n + 2][k] for k in ("values", "next")],
                       [here[k] for k in ("values", "next")])


def main():
    n = bad = 0
    at = "postgresql:///%(PGDATABASE)s?host=%(PGHOST)s&port=%(PGPORT)s&user=%(PGUSER)s" % os.environ
    print("1..4")
    with tempfile.TemporaryDirectory(prefix="ckpt-resume-js-") as d:
        lite = str(pathlib.Path(d) / "js.db")
        for kind, words, name in (("SQLite", ("sqlite", lite), lite), ("PostgreSQL", ("pg", at, SCHEMA), at)):
            for test in (Store.answers, Store.forks):
                n += 1
                t = common.Tally()
                test(Store(t, *words, name=name))
                common.tap(n, "%s: %s: %s" % (kind, test.__name__, common.totals(t.count)), t.problems)
                bad += bool(t.problems)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
