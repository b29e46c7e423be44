"""Answers that lie in the store, on SQLite and on PostgreSQL: `ckpt show` says of each question
whether its answer is staged; the real library's next plain invoke(None) takes the answer or asks
again. Both must agree. TAP; run with the Python of build/venv inside tests/pg/with-server.sh.

    test_staged_pg.py       CKPT=build/ckpt

Belongs here: graphs that ask in every place, and every kind of row that an answer may be put in
by hand. Questions that nobody answered by hand are those of test_tasks.py.
"""
import collections
import contextlib
import logging
import operator
import os
import pathlib
import sqlite3
import sys
import tempfile
import typing

os.environ.setdefault("LANGSMITH_TRACING", "false")
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "oracle"))

import common
import postgres
import psycopg
from langgraph.checkpoint.postgres import PostgresSaver
from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.func import entrypoint, task
from langgraph.graph import START, StateGraph
from langgraph.types import Command, Send, interrupt

NULL = "00000000-0000-0000-0000-000000000000"
TAKEN = {}          # question -> answer, since the last clear()


class State(typing.TypedDict, total=False):
    log: typing.Annotated[list, operator.add]


# ---- graphs that ask ---------------------------------------------------------------------------------

def ask(name, times=1):
    for k in range(times):
        question = "%s %d?" % (name, k)
        TAKEN[question] = interrupt(question)


def asker(name, times=1):
    def node(state):
        ask(name, times)
        return {"log": [name]}
    return node


def chain(**nodes):
    """A graph of the nodes, one after the other."""
    g, before = StateGraph(State), START
    for name, node in nodes.items():
        g.add_node(name, node)
        g.add_edge(before, name)
        before = name
    return g


def quiet(state):
    return {"log": ["quiet"]}


def plain(times):
    return chain(ask=asker("ask", times)).compile


def nested(depth, times=1, keep=None):
    g = chain(ask=asker("deep", times))
    for _ in range(depth):
        g = chain(first=quiet, desk=g.compile(checkpointer=keep))
    return g.compile


def parallel():
    g = StateGraph(State)
    for x in ("left", "right"):
        g.add_node(x, asker(x))
        g.add_edge(START, x)
    return g.compile


def sends():
    g = StateGraph(State)
    g.add_node("one", lambda arg: asker("send %s" % arg["log"][0])(arg))
    g.add_conditional_edges(START, lambda s: [Send("one", {"log": [i]}) for i in range(2)], ["one"])
    return g.compile


def joined(defer):
    g = StateGraph(State)
    for x in ("a", "b"):
        g.add_node(x, quiet)
        g.add_edge(START, x)
    g.add_node("sum", asker("sum"), defer=defer)
    if defer:
        g.add_edge("a", "sum")
        g.add_edge("b", "sum")
    else:
        g.add_edge(["a", "b"], "sum")
    return g.compile


def handled():
    def broken(state):
        raise ValueError("broken")
    g = StateGraph(State)
    g.add_node("try", broken, error_handler=asker("handler"))
    g.add_edge(START, "try")
    return g.compile


def functional(deep, times=1):
    @task
    def inner(x):
        ask("task", times)
        return x

    @task
    def outer(x):
        return inner(x).result()

    def make(checkpointer):
        @entrypoint(checkpointer=checkpointer)
        def flow(value):
            return (outer if deep else inner)(1).result()
        return flow
    return make


# name -> (a function saver -> graph, questions that one task asks)
SHAPES = {"node": (plain(1), 1), "two in a node": (plain(2), 2), "three in a node": (plain(3), 3),
          "subgraph": (nested(1), 1), "two in a subgraph": (nested(1, 2), 2),
          "three levels": (nested(3), 1), "three in three levels": (nested(3, 3), 3),
          "stateful subgraph": (nested(1, 2, True), 2), "parallel": (parallel(), 1),
          "Sends": (sends(), 1), "join": (joined(False), 1), "deferred": (joined(True), 1),
          "error handler": (handled(), 1), "function": (functional(False, 2), 2),
          "function in a function": (functional(True, 2), 2)}


# ---- two engines -------------------------------------------------------------------------------------

Row = collections.namedtuple("Row", "ns checkpoint task path channel value")


class Engine:
    def rows(self, thread):
        return [Row(*r[:5], self.saver.serde.loads_typed((r[5], bytes(r[6]))))
                for r in self.select(thread)]

    def put(self, thread, at, task, value):
        kind, body = self.saver.serde.dumps_typed(value)
        key = thread, at.ns, at.checkpoint, task
        self.write(key, (*key, at.path if task == at.task else "", -4, "__resume__", kind, body))


class Sqlite(Engine):
    name = "SQLite"

    def __init__(self, stack):
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        self.store = os.path.join(folder, "store.db")
        self.saver = stack.enter_context(SqliteSaver.from_conn_string(self.store))
        self.saver.setup()
        self.db = stack.enter_context(contextlib.closing(
            sqlite3.connect(self.store, isolation_level=None)))

    def select(self, thread):
        return self.db.execute("SELECT checkpoint_ns, checkpoint_id, task_id, task_path, channel, type, "
                               "value FROM writes WHERE thread_id = ?", (thread,)).fetchall()

    def write(self, key, row):
        self.db.execute("DELETE FROM writes WHERE thread_id = ? AND checkpoint_ns = ? AND "
                        "checkpoint_id = ? AND task_id = ? AND channel = '__resume__'", key)
        # Right behind its question it looks like one that the engine wrote with it; where no name is
        # stored (see `again`) nothing else tells. Tasks end in any order: so leave a row's room.
        room = 2 if "~__pregel_push, ~" in row[4] else 1
        self.db.execute("INSERT INTO writes (rowid, thread_id, checkpoint_ns, checkpoint_id, task_id, "
                        "task_path, idx, channel, type, value) SELECT max(rowid) + ?, ?, ?, ?, ?, ?, ?, ?, "
                        "?, ? FROM writes", (room, *row))


class Postgres(Engine):
    name = "PostgreSQL"

    def __init__(self, stack):
        database = stack.enter_context(postgres.Database())
        self.store = database.store()
        self.saver = stack.enter_context(PostgresSaver.from_conn_string(database.address))
        self.saver.setup()
        self.db = stack.enter_context(psycopg.connect(database.address, autocommit=True))

    def select(self, thread):
        return self.db.execute("SELECT checkpoint_ns, checkpoint_id, task_id, task_path, channel, type, "
                               "blob FROM checkpoint_writes WHERE thread_id = %s", (thread,)).fetchall()

    def write(self, key, row):
        with self.db.transaction():
            self.db.execute("DELETE FROM checkpoint_writes WHERE thread_id = %s AND checkpoint_ns = %s AND "
                            "checkpoint_id = %s AND task_id = %s AND channel = '__resume__'", key)
            self.db.execute("INSERT INTO checkpoint_writes (thread_id, checkpoint_ns, checkpoint_id, task_id, "
                            "task_path, idx, channel, type, blob) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)",
                            row)


# ---- ways to answer ----------------------------------------------------------------------------------

class Asked:
    """The rows of what waits: for each question the innermost one, and those around it."""

    def __init__(self, engine, thread, open_questions):
        self.engine, self.thread = engine, thread
        by_id, rows = collections.defaultdict(list), engine.rows(thread)
        for r in rows:
            if r.channel == "__interrupt__":
                for i in r.value:
                    if i.value in open_questions:
                        by_id[i.id].append(r)
        self.groups = [sorted(g, key=lambda r: (len(r.ns), len(r.path))) for g in by_id.values()]
        self.root = next(r for r in rows if r.ns == "" and r in [x for g in self.groups for x in g])
        self.given = {(r.ns, r.checkpoint, r.task): r.value for r in rows if r.channel == "__resume__"}

    def old(self, row):
        return list(self.given.get((row.ns, row.checkpoint, row.task), []))

    def put(self, row, value, task=None):
        self.engine.put(self.thread, row, task or row.task, value)

    def inner(self, index=0):
        return self.groups[index][-1]


def each(a, value):
    for i in range(len(a.groups)):
        a.put(a.inner(i), a.old(a.inner(i)) + [value])


def around(a):
    for row in a.groups[0][:-1]:
        a.put(row, a.old(row) + ["outer"])
    return len(a.groups[0]) > 1


def again(a):
    """What was used up, written once more by itself. Of a function that is in its first step no
    name is stored, so that only the order of rows tells what was used up."""
    row = a.inner()
    if a.old(row) and "~__pregel_push, ~" not in row.path:
        a.put(row, a.old(row))
        return True
    return False


def shorter(a):
    row = a.inner()
    if len(a.old(row)) > 1:
        a.put(row, a.old(row)[:-1])
    return len(a.old(row)) > 1


def bare(a):
    if not a.old(a.inner()):
        a.put(a.inner(), "bare")
    return not a.old(a.inner())


def at_inner_head(a):
    if a.inner().ns:
        a.put(a.inner(), "null below", NULL)
    return bool(a.inner().ns)


# False: this way is none here
WAYS = {"nothing": lambda a: None,
        "null row": lambda a: a.put(a.root, "null", NULL),
        "null row False": lambda a: a.put(a.root, False, NULL),
        "null row None": lambda a: a.put(a.root, None, NULL),
        "null row at the innermost head": at_inner_head,
        "row of the task": lambda a: a.put(a.inner(), a.old(a.inner()) + ["one"]),
        "row of the task, None": lambda a: a.put(a.inner(), a.old(a.inner()) + [None]),
        "rows of all tasks": lambda a: each(a, "each"),
        "bare value": bare, "two answers": lambda a: a.put(a.inner(), a.old(a.inner()) + ["one", "two"]),
        "rows of tasks around": around, "used up, once more": again, "fewer than used up": shorter}


# ---- comparing ---------------------------------------------------------------------------------------

def questions(state):
    return [i for t in state.tasks for i in t.interrupts]


def prepare(engine, make, thread, before, scalar):
    """Run to the question after `before` answers, given one by one or by their ids."""
    graph, config = make(checkpointer=engine.saver), {"configurable": {"thread_id": thread}}
    graph.invoke({"log": []}, config)
    for n in range(before):
        pending = questions(graph.get_state(config))
        graph.invoke(Command(resume="old %d" % n if scalar else {pending[0].id: "old %d" % n}), config)
    return graph, config


def open_questions(graph, config, engine, thread):
    """The values of what waits; a handler's are in rows alone."""
    found = {i.value for i in questions(graph.get_state(config))}
    if not found:
        found = {i.value for r in engine.rows(thread) if r.channel == "__interrupt__" for i in r.value}
    return found


def stand_of(engine, thread):
    run = common.Run(["show", *common.at(engine.store), "--thread=" + thread, "--json"])
    if run.code:
        raise ValueError(str(run))
    doc = run.json()["data"]
    staged = {i["value"]: i["staged"] for x in doc["tasks"] for i in x["interrupts"]}
    return doc["status"], staged


def check_case(t, engine, shape, way, before, scalar, number):
    make, _ = SHAPES[shape]
    thread = "%s %d" % (shape, number)
    at = "%s, %s, %d answers%s" % (shape, way, before, " one by one" if scalar else "")
    graph, config = prepare(engine, make, thread, before, scalar)
    waits = open_questions(graph, config, engine, thread)
    if WAYS[way](Asked(engine, thread, waits)) is False:
        return
    status, staged = stand_of(engine, thread)
    TAKEN.clear()
    graph.invoke(None, config)
    taken = {q: q in TAKEN for q in waits}
    old = "old %d" % (before - 1)
    if scalar and status == "interrupted" and [TAKEN.get(q) for q in waits] == [old]:
        t.add("old answers that count twice")   # a null row that was used up; nobody meant it to
        return
    t.equal(at, status, "answered" if all(taken.values()) else "interrupted")
    t.add(status)
    if way.startswith("null row") and len(waits) > 1:
        return                  # one of them takes it, and it is not known which
    for question, yes in staged.items():
        t.equal("%s: %s" % (at, question), yes, taken[question])
        t.add("questions")


def check_engine(make):
    tallies, number = {}, 0
    with contextlib.ExitStack() as stack:
        engine = make(stack)
        for shape, (_, times) in SHAPES.items():
            t = tallies[shape] = common.Tally()
            for before in range(times):
                for scalar in (False, True) if before else (False,):
                    for way in WAYS:
                        number += 1
                        check_case(t, engine, shape, way, before, scalar, number)
    return engine.name, tallies


def main():
    logging.disable(logging.CRITICAL)
    number, bad = 0, False
    for make in (Sqlite, Postgres):
        name, tallies = check_engine(make)
        for shape, t in tallies.items():
            number += 1
            if not t.count["answered"] or not t.count["interrupted"]:
                t.fail("size", "one of the two never came up")
            common.tap(number, "%s, %s: %s" % (name, shape, common.totals(t.count)), t.problems)
            bad |= bool(t.problems)
    print("1..%d" % number)
    return bad


if __name__ == "__main__":
    sys.exit(main())
