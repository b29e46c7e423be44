"""Graphs that ask in every place where a question can be asked: error handlers, subgraphs without
checkpoints, functions, Sends, joins, deferred nodes, several times in one node. What a node does
follows from its state alone, so that two threads can be compared; each run that ends is a line of
the file $RUNS.
"""
import operator
import os
import typing

from langgraph.func import entrypoint, task
from langgraph.graph import END, START, StateGraph
from langgraph.types import Send, interrupt


def greater(a, b):
    return max(a, b)


class State(typing.TypedDict, total=False):
    log: typing.Annotated[list, operator.add]
    n: typing.Annotated[int, greater]


def ran(name):
    if os.environ.get("RUNS"):
        with open(os.environ["RUNS"], "a") as f:
            f.write(name + "\n")


def step(name, asks=0):
    def node(state):
        said = [interrupt({"ask": name, "time": i}) for i in range(asks)]
        ran(name)
        return {"log": [[name, *said]]}
    return node


def graph_of(nodes, edges, saver=None, **how):
    g = StateGraph(State)
    for name, node in nodes.items():
        g.add_node(name, node, **how.get(name, {}))
    for a, b in edges:
        g.add_edge(a, b)
    return g.compile(checkpointer=saver)


def handled(saver):
    def broken(state):
        ran("try")
        raise ValueError("broke")
    return graph_of({"try": broken, "beside": step("beside"), "end": step("end")},
                    [(START, "try"), (START, "beside"), ("try", "end"), ("end", END)], saver,
                    **{"try": {"error_handler": lambda s: step("handler", 2)(s)}})


def bare(saver):
    """The subgraph keeps nothing: all of it runs again with each answer."""
    sub = graph_of({"a": step("a"), "b": step("b", 1)}, [(START, "a"), ("a", "b"), ("b", END)], False)
    return graph_of({"first": step("first"), "sub": sub, "last": step("last", 1)},
                    [(START, "first"), ("first", "sub"), ("sub", "last"), ("last", END)], saver)


def repeated(saver):
    return graph_of({"form": step("form", 4), "beside": step("beside"), "next": step("next", 1)},
                    [(START, "form"), (START, "beside"), (["form", "beside"], "next"), ("next", END)], saver)


def wide(saver):
    """Sends to a node and to a subgraph, a join, a deferred node: all of them ask."""
    sub = graph_of({"in": step("in", 1), "out": step("out", 2)}, [(START, "in"), ("in", "out"), ("out", END)])
    g = StateGraph(State)
    for name, node in {"plan": step("plan"), "one": lambda s: step("one %d" % s["n"], s["n"])(s),
                       "many": sub, "left": step("left", 1), "right": step("right"),
                       "join": step("join", 1)}.items():
        g.add_node(name, node)
    g.add_node("late", step("late", 1), defer=True)
    g.add_edge(START, "plan")
    g.add_conditional_edges("plan", lambda s: [Send("one", {"n": 0}), Send("one", {"n": 2}), "left", "right",
                                               Send("many", {"log": [], "n": 1}), Send("many", {"log": [], "n": 2})],
                            ["one", "many", "left", "right"])
    g.add_edge(["left", "right"], "join")
    g.add_edge("join", "late")
    g.add_edge("one", "late")
    g.add_edge("late", END)
    return g.compile(checkpointer=saver)


def functions(saver):
    @task
    def inner(x):
        said = interrupt({"inner": x})
        ran("inner")
        return [x, said]

    @task
    def outer(x):
        first = inner(x).result()
        said = interrupt({"outer": x})
        ran("outer")
        return [first, said]

    @task
    def quiet(x):
        ran("quiet")
        return x

    @entrypoint(checkpointer=saver)
    def flow(state):
        at_once = [outer(1), quiet(2), inner(3)]
        done = [f.result() for f in at_once]
        done.append(interrupt("enough?"))
        ran("flow")
        return {"log": done}
    return flow


def rooms(saver):
    """Subgraphs that keep a state of their own, one in the other, at the end of a Send."""
    room = StateGraph(State).add_node("sit", step("sit", 1)).add_node("stand", step("stand", 1))
    room = room.add_edge(START, "sit").add_edge("sit", "stand").compile(checkpointer=True)
    house = graph_of({"enter": step("enter", 1), "room": room}, [(START, "enter"), ("enter", "room")])
    g = StateGraph(State).add_node("house", house).add_node("go", step("go"))
    g.add_edge(START, "go")
    g.add_conditional_edges("go", lambda s: [Send("house", {"log": [], "n": 1})], ["house"])
    return g.compile(checkpointer=saver)


ASKS = {"handled": handled, "bare": bare, "repeated": repeated, "wide": wide, "functions": functions,
        "rooms": rooms}
