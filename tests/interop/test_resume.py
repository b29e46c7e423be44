"""`ckpt resume --answer, --fork, --rollback`, judged by the real library: each time a copy of the
thread takes the library's own way, and both come to the same end; the application that goes on with
ours is a new process that knows no more than the config. TAP.

    test_resume.py                              CKPT=build/ckpt
    test_resume.py go KIND STORE GRAPH CONFIG   that process

Belongs here: SQLite, AES, and what is compared. test_resume_pg.py does the same on PostgreSQL; the
graphs are test_copy.py's.
"""
import contextlib
import json
import os
import pathlib
import sqlite3
import subprocess
import sys
import tempfile
import traceback
import typing

os.environ.setdefault("LANGSMITH_TRACING", "false")
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "oracle"))

import common
import psycopg
from freshvalues import plain
from langchain_core.messages import AIMessage, HumanMessage
from langgraph.checkpoint.postgres import PostgresSaver
from langgraph.checkpoint.serde.encrypted import EncryptedSerializer
from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.graph import END, START, StateGraph
from langgraph.graph.message import add_messages
from langgraph.types import Command
from resumegraphs import ASKS
from test_copy import GRAPHS as COPIED, INPUT, config, drive, ids

GRAPHS = {**COPIED, **ASKS}
KEY = "0123456789abcdef"


class Chat(typing.TypedDict, total=False):
    messages: typing.Annotated[list, add_messages]


def wedged(saver):
    """A model calls a tool, the tool fails: the call stays without a result."""
    def agent(state):
        if len(state["messages"]) == 3:
            call = {"name": "refund", "args": {"n": 1}, "id": "c1", "type": "tool_call"}
            return {"messages": [AIMessage("", tool_calls=[call], id="m-call")]}
        return {"messages": [AIMessage("hello", id="m%d" % len(state["messages"]))]}

    def tools(state):
        raise RuntimeError("no such tool")
    g = StateGraph(Chat)
    g.add_node("agent", agent)
    g.add_node("tools", tools)
    g.add_edge(START, "agent")
    g.add_conditional_edges("agent", lambda s: "tools" if s["messages"][-1].tool_calls else END,
                            ["tools", END])
    g.add_edge("tools", END)
    return g.compile(checkpointer=saver)


def saver_of(kind, store):
    serde = EncryptedSerializer.from_pycryptodome_aes(key=KEY.encode()) if kind.endswith("+aes") else None
    if kind.startswith("sqlite"):
        @contextlib.contextmanager
        def opened():
            with contextlib.closing(sqlite3.connect(store, check_same_thread=False)) as db:
                yield SqliteSaver(db, serde=serde)
        return opened()
    @contextlib.contextmanager
    def connected():
        with psycopg.connect(store, autocommit=True, prepare_threshold=0,
                             row_factory=psycopg.rows.dict_row) as db:
            yield PostgresSaver(db, serde=serde)
    return connected()


def face(state):
    """Where a thread stands, without what is new each time."""
    return {"values": plain(state.values), "next": sorted(state.next),
            "step": state.metadata and state.metadata.get("step"),
            "asks": sorted(str(plain(i.value)) for i in state.interrupts),
            "errors": sorted(str(t.error) for t in state.tasks if t.error)}


class Courses:
    """The tests on one store of one kind."""

    def __init__(self, kind, store, saver):
        self.t, self.kind, self.store, self.saver = None, kind, store, saver

    # ---- steps of a test

    def equal(self, where, got, want):
        self.t.add("compared")
        if got != want:
            self.t.fail(where, "got %.300r, want %.300r" % (got, want))

    def ckpt(self, *words, code=0):
        env = {**os.environ, "LANGGRAPH_AES_KEY": KEY} if self.kind.endswith("+aes") else None
        run = common.Run([*words, "-s", self.store], env=env)
        if run.code != code:
            self.t.fail(" ".join(words), str(run))
        return run

    def resume(self, thread, *words, cid=None):
        at = ["--checkpoint", cid] if cid else []
        run = self.ckpt("resume", "--thread", thread, *at, *words, "--yes", "--json")
        return common.loads(run.out)["data"]

    def go(self, name, cfg, durability="sync"):
        """The application, in a process of its own."""
        run = subprocess.run([sys.executable, __file__, "go", self.kind, self.store, name,
                              json.dumps(cfg), durability], capture_output=True, text=True)
        self.t.add("processes")
        if run.returncode:
            self.t.fail("go " + name, run.stderr[-400:])

    def copied(self, thread, to):
        self.ckpt("copy", thread, to)
        return to

    # ---- answers

    def waits(self, thread):
        run = self.ckpt("resume", "--thread", thread, "--json")
        return {w["id"]: w["value"] for w in common.loads(run.out)["data"].get("waits", [])}

    def runs(self, name):
        """What ran to its end since the last call."""
        path = pathlib.Path(os.environ["RUNS"])
        lines = sorted(path.read_text().split("\n")) if path.exists() else []
        path.unlink(missing_ok=True)
        return lines

    def answer_all(self, name, **how):
        """Every question of a thread, to its end; an answer in each of the forms JSON has."""
        # a subgraph without checkpoints cannot be run with sync: the library fails
        how = {"durability": "async" if name == "bare" else "sync", **how}
        graph, thread = GRAPHS[name](self.saver), "answers:%s %s" % (name, how["durability"])
        graph.invoke(INPUT, config(thread), **how)
        asked, forms = 0, ["yes", None, {"a": [1, 2.5, None, True]}, 0, False, "n\u00e4 \u2713", [], "", 7]
        # the library finds neither handlers nor subgraphs without checkpoints by id; and of a
        # question answered without id it takes no null
        alone = name in ("handled", "bare")
        forms = [f for f in forms if f is not None or not alone]
        for turn in range(20):
            state, waits = graph.get_state(config(thread)), self.waits(thread)
            if not waits:
                break
            if state.interrupts:
                self.equal("%s %d: waits" % (name, turn), waits, {i.id: plain(i.value) for i in state.interrupts})
            given = {i: forms[(turn + n) % len(forms)] for n, i in enumerate(waits)}
            asked += len(given)
            ref = self.copied(thread, "%s/ref%d" % (thread, turn))
            self.runs(name)
            whole = list(given.values())[0] if alone else given
            graph.invoke(Command(resume=whole), config(ref), **how)
            want = self.runs(name)
            words = [w for k, v in given.items() for w in ("--answer", "%s=%s" % (k, json.dumps(v)))]
            data = self.resume(thread, *words)
            self.equal("%s %d: staged" % (name, turn), data["status"],
                       "answered" if state.interrupts else data["status"])
            self.equal("%s %d: config" % (name, turn), data["config"]["configurable"],
                       {"thread_id": thread, "checkpoint_ns": ""})
            self.go(name, data["config"], how["durability"])
            self.equal("%s %d: runs" % (name, turn), self.runs(name), want)
            self.equal("%s %d" % (name, turn), face(graph.get_state(config(thread))),
                       face(graph.get_state(config(ref))))
        self.equal(name + ": asked", asked > 0, True)
        self.equal(name + ": finished", graph.get_state(config(thread)).next, ())

    def one_of_many(self):
        """One of four questions at a time; an answer given twice; none for the others."""
        graph, thread = GRAPHS["parallel"](self.saver), "one by one"
        graph.invoke(INPUT, config(thread), durability="sync")
        for turn in range(4):
            state = graph.get_state(config(thread))
            waits = sorted(state.interrupts, key=lambda i: i.id)
            self.equal("%d: waits" % turn, len(waits), 4 - turn)
            run = self.ckpt("resume", "--thread", thread, "--answer", "1", "--dry-run",
                            code=4 if len(waits) > 1 else 0)
            self.equal("%d: several" % turn, "questions wait" in run.err, len(waits) > 1)
            ref = self.copied(thread, "%s/ref%d" % (thread, turn))
            graph.invoke(Command(resume={waits[0].id: "late"}), config(ref), durability="sync")
            self.resume(thread, "--answer", waits[0].id + '="early"')
            data = self.resume(thread, "--answer", waits[0].id + '="late"')
            self.go("parallel", data["config"])
            self.equal("%d" % turn, face(graph.get_state(config(thread))),
                       face(graph.get_state(config(ref))))

    def nothing(self):
        """null answers any question but that of a subgraph that keeps no checkpoints."""
        graph = GRAPHS["bare"](self.saver)
        graph.invoke(INPUT, config("nothing"))
        run = self.ckpt("resume", "--thread", "nothing", "--answer", " null", "--yes", code=7)
        self.equal("refused", "takes no null" in run.err, True)

    def stale(self):
        """What a plain Command(resume=…) leaves behind answers no question of ours."""
        graph, thread = GRAPHS["functional"](self.saver), "stale'; $(x)\n\\ {thread}~1"
        graph.invoke(INPUT, config(thread), durability="sync")
        graph.invoke(Command(resume="first"), config(thread), durability="sync")
        data = self.resume(thread, "--answer", '"second"')
        self.go("functional", data["config"])
        self.equal("stale", plain(graph.get_state(config(thread)).values["log"][1:]),
                   ["first", "second"])

    # ---- branches

    def fork_each(self, name):
        """A branch from each checkpoint, beside LangGraph's own __copy__ of it."""
        graph, thread = GRAPHS[name](self.saver), "forks:" + name
        graph.invoke(INPUT, config(thread), durability="sync")
        drive(graph, thread)
        for n, cid in enumerate(ids(graph, thread)):
            ref, ours = (self.copied(thread, "%s/%s%d" % (thread, who, n)) for who in ("r", "o"))
            made = graph.update_state(config(ref, cid), None, as_node="__copy__")
            data = self.resume(ours, "--fork", cid=cid)
            new = data["created"]["id"]
            self.equal("%s %d: newest" % (name, n), ids(graph, ours)[0], new)
            got, want = (graph.get_state(config(t)) for t in (ours, ref))
            self.equal("%s %d: state" % (name, n), face(got), face(want))
            self.equal("%s %d: metadata" % (name, n), plain(got.metadata), plain(want.metadata))
            self.equal("%s %d: parent" % (name, n),
                       [s.parent_config and s.parent_config["configurable"]["checkpoint_id"]
                        for s in (got,)],
                       [s.parent_config and s.parent_config["configurable"]["checkpoint_id"]
                        for s in (want,)])
            stateful = name == "stateful"
            self.equal("%s %d: warning" % (name, n), "stateful-subgraph" in data["warnings"], stateful)
            self.equal("%s %d: config" % (name, n),
                       data["config"]["configurable"].get("checkpoint_id"), new if stateful else None)
            if n % 3 == 0:
                at = made["configurable"]["checkpoint_id"] if stateful else None
                graph.invoke(None, config(ref, at), durability="sync")
                self.go(name, data["config"])
                self.equal("%s %d: goes on" % (name, n), plain(drive(graph, ours)),
                           plain(drive(graph, ref)))

    def fork_branched(self):
        """Of delta channels too, where time was travelled, states edited and one row kept a run."""
        graph, thread = GRAPHS["delta"](self.saver), "branched"
        graph.invoke(INPUT, config(thread), durability="exit")
        drive(graph, thread)
        for back in (3, 6, 2):
            cid = ids(graph, thread)[back]
            if back == 6:
                graph.update_state(config(thread, cid), {"n": 50, "events": [["by", "hand"]]})
            else:
                graph.invoke(None, config(thread, cid), durability="sync")
            drive(graph, thread)
        for n, cid in enumerate(ids(graph, thread)):
            ref, ours = (self.copied(thread, "%s/%s%d" % (thread, who, n)) for who in ("r", "o"))
            shown = common.loads(self.ckpt("show", "--thread", thread, "--checkpoint", cid, "--json").out)
            graph.update_state(config(ref, cid), None, as_node="__copy__")
            data = self.resume(ours, "--fork", cid=cid)
            for where, cfg in (("head", config(ours)), ("in a new thread", config("%s new %d" % (thread, n)))):
                if where != "head":
                    self.resume(thread, "--fork", "--thread-id", cfg["configurable"]["thread_id"], cid=cid)
                values = plain(graph.get_state(cfg).values)
                self.equal("%d: %s" % (n, where), values, plain(graph.get_state(config(thread, cid)).values))
                events = shown["data"]["values"].get("events", [])
                if "$delta" not in events:
                    self.equal("%d: shown" % n, values.get("events", []), events)
            if n % 4 == 0:
                self.go("delta", data["config"])
                graph.invoke(None, config(ref), durability="sync")
                self.equal("%d: goes on" % n, plain(drive(graph, ours)), plain(drive(graph, ref)))

    def fork_away(self, name):
        """A branch in a new thread: the head as it stands; what is past, to run again, as a
        sibling does. All come to the end of the original, while it waits and when it is through."""
        graph, thread, ends = GRAPHS[name](self.saver), "away:" + name, {}
        graph.invoke(INPUT, config(thread), durability="sync")
        for when in ("waits", "through"):
            for n, cid in enumerate(ids(graph, thread)):
                new, ref = "%s %s %d" % (thread, when, n), "%s ref %s %d" % (thread, when, n)
                data = self.resume(thread, "--fork", "--thread-id", new, cid=cid)
                self.equal("%s: created" % new, data["created"], {"thread": new, "ns": "", "id": cid})
                self.copied(thread, ref)
                if n:
                    graph.update_state(config(ref, cid), None, as_node="__copy__")
                want, got = (graph.get_state(config(t)) for t in (ref, new))
                self.equal(new, {**face(got), "step": 0}, {**face(want), "step": 0})
                again = "stateful-subgraph" in data["warnings"]
                self.equal(new + ": by id", again, name == "stateful" and n > 0)
                if again:
                    graph.invoke(None, {"configurable": data["config"]["configurable"]}, durability="sync")
                ends[new] = plain(drive(graph, new))
            end = plain(drive(graph, thread))
        for new in ends:
            self.equal(new + ": end", ends[new], end)

    def roll_back(self):
        graph, thread = wedged(self.saver), "wedged"
        graph.invoke({"messages": [HumanMessage("hi", id="h1")]}, config(thread), durability="sync")
        good = graph.get_state(config(thread))
        try:
            graph.invoke({"messages": [HumanMessage("refund", id="h2")]}, config(thread),
                         durability="sync")
        except RuntimeError:
            self.t.add("failed as it should")
        data = common.loads(self.ckpt("resume", "--thread", thread, "--json").out)["data"]
        self.equal("wedged", [data["status"], "c1" in (data["safe"]["why"] or "")], ["failed", True])
        safe = graph.get_state(config(thread, data["safe"]["id"]))
        self.equal("safe", [m.id for m in safe.values["messages"]], ["h1", "m1", "h2"])
        new = self.resume(thread, "--rollback")
        state = graph.get_state(config(thread))
        self.equal("rolled back", [new["created"]["id"], plain(state.values)],
                   [state.config["configurable"]["checkpoint_id"], plain(safe.values)])
        again = self.resume(thread, "--rollback")
        self.equal("nothing more to do", "created" in again, False)
        self.equal("good", [m.id for m in good.values["messages"]], ["h1", "m1"])
        graph.invoke({"messages": [HumanMessage("never mind", id="h3")]}, config(thread),
                     durability="sync")
        self.equal("goes on", graph.get_state(config(thread)).next, ())

    # ---- all of them

    def check(self):
        self.ckpt("check")

    def tests(self):
        if self.kind.endswith("+aes"):
            names, forked = ["functional", "nested"], ["nested"]
        else:
            names, forked = list(GRAPHS), list(COPIED)
        out = [("answers: " + n, lambda n=n: self.answer_all(n)) for n in names]
        if self.kind == "sqlite":
            out.append(("answers: exit", lambda: self.answer_all("wide", durability="exit")))
        out += [("forks: " + n, lambda n=n: self.fork_each(n)) for n in forked]
        if not self.kind.endswith("+aes"):
            out += [("one question of several", self.one_of_many),
                    ("null where it is not taken", self.nothing),
                    ("a stale answer reaches no question", self.stale),
                    ("forks: delta channels with branches", self.fork_branched),
                    *[("a branch of %s in a new thread" % n, lambda n=n: self.fork_away(n))
                      for n in ("nested", "stateful", "delta")],
                    ("rolled back to the newest good checkpoint", self.roll_back)]
        return [("%s: %s" % (self.kind, n), f) for n, f in out + [("check is content", self.check)]]


def run(courses):
    """The tests of each as TAP; the exit code."""
    with tempfile.TemporaryDirectory(prefix="ckpt-runs-") as folder:
        os.environ["RUNS"] = os.path.join(folder, "runs")
        return run_all(courses)


def run_all(courses):
    tests = [(c, name, test) for c in courses for name, test in c.tests()]
    print("1..%d" % len(tests), flush=True)
    failed = False
    for n, (course, name, test) in enumerate(tests):
        course.t = common.Tally()
        try:
            test()
        except Exception as e:
            course.t.fail("exception", "".join(traceback.format_exception(e))[-550:])
        failed = failed or bool(course.t.problems)
        common.tap(n + 1, "%s (%s)" % (name, common.totals(course.t.count)), course.t.problems)
    return int(failed)


def go(kind, store, name, cfg, durability):
    with saver_of(kind, store) as saver:
        GRAPHS[name](saver).invoke(None, {**json.loads(cfg), "recursion_limit": 60},
                                   durability=durability)


def main():
    if sys.argv[1:2] == ["go"]:
        return go(*sys.argv[2:])
    with tempfile.TemporaryDirectory(prefix="ckpt-resume-") as folder:
        kinds = [(k, os.path.join(folder, k + ".db")) for k in ("sqlite", "sqlite+aes")]
        with saver_of(*kinds[0]) as plain_saver, saver_of(*kinds[1]) as aes_saver:
            return run([Courses(*kinds[0], plain_saver), Courses(*kinds[1], aes_saver)])


if __name__ == "__main__":
    sys.exit(main())
