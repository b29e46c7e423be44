"""Random graphs for the question what comes next: joins, deferred nodes, Sends to subgraphs, two
levels of subgraphs, stateful ones, error handlers, functions, static stops. What is done with them
is freshgraphs.use.

A node's behaviour follows from the seed and from how often it ran.
"""
import random

import freshgraphs
from freshgraphs import state_of
from langgraph.func import entrypoint, task
from langgraph.graph import END, START, StateGraph
from langgraph.types import Command, Send, interrupt


class Step:
    """A node that asks, fails, crashes half way or goes on."""

    def __init__(self, name, seed, asks=0.25, fails=0.15):
        self.name, self.seed, self.runs, self.asks, self.fails = name, seed, 0, asks, fails

    def __call__(self, state):
        self.runs += 1
        r = random.Random("%s %s %d" % (self.seed, self.name, self.runs))
        out = {"log": [self.name], "n": 1}
        if r.random() < self.asks:
            out["last"] = interrupt({"from": self.name, "run": self.runs})
            if r.random() < 0.5:
                out["last"] = [out["last"], interrupt("and %s?" % self.name)]
        if r.random() < self.fails:
            raise ValueError("%s broke" % self.name)
        return out


def until(seed, targets, most=9):
    """One or more of the targets, the end after enough rounds."""
    def choose(state):
        n = state.get("n", 0)
        r = random.Random("%s %d" % (seed, n))
        return END if n > most else r.sample(targets, r.randrange(1, len(targets) + 1))
    return choose


def joins(seed, r):
    """Nodes that wait for several others, behind parallel branches, in loops; some deferred."""
    g = StateGraph(state_of(()))
    names = ["a", "b", "c", "d + e", "f"]
    for x in names:
        g.add_node(x, Step(x, seed), defer=r.random() < 0.3)
    g.add_edge(START, "a")
    if r.random() < 0.5:
        g.add_edge(START, "b")
    else:
        g.add_edge("a", "b")
    g.add_edge("a", "c")
    g.add_edge(["b", "c"], "d + e")
    if r.random() < 0.5:
        g.add_edge(["a", "c"], "d + e")
    if r.random() < 0.5:
        g.add_edge(["b", "d + e"], "a" if r.random() < 0.4 else "f")
    g.add_conditional_edges("d + e", until(seed, ["f", "b", "a"]), ["f", "b", "a", END])
    return g


def fans(seed, r):
    """Sends, of which some fail and some ask, to a node and to a subgraph."""
    g = StateGraph(state_of(()))
    one = Step("one", seed, 0.3, 0.2)
    g.add_node("plan", Step("plan", seed, 0.1, 0.1))
    g.add_node("one", lambda arg: one({"n": 0}))
    g.add_node("many", tree(seed + " many", r, 1))
    g.add_node("sum", Step("sum", seed), defer=r.random() < 0.5)

    def spread(state):
        k = random.Random("%s %d" % (seed, state.get("n", 0)))
        return [Send(k.choice(("one", "one", "many")), {"log": [], "n": i}) for i in range(k.randrange(1, 5))]

    g.add_edge(START, "plan")
    g.add_conditional_edges("plan", spread, ["one", "many"])
    g.add_edge("one", "sum")
    g.add_edge("many", "sum")
    g.add_conditional_edges("sum", until(seed, ["plan"], 6), ["plan", END])
    return g


def tree(seed, r, depth, stateful=False):
    """A subgraph, maybe with one of its own."""
    g = StateGraph(state_of(()))
    g.add_node("in", Step("in", seed, 0.3, 0.1))
    below = depth > 0 and r.random() < 0.7
    g.add_node("deep", tree(seed + " x", r, depth - 1, r.random() < 0.3) if below
               else Step("deep", seed, 0.4, 0.1))
    g.add_edge(START, "in")
    if r.random() < 0.5:
        g.add_node("side", Step("side", seed))
        g.add_edge("in", "side")
    g.add_edge("in", "deep")
    return g.compile(checkpointer=True if stateful else None)


def nested(seed, r):
    g = StateGraph(state_of(()))
    g.add_node("open", Step("open", seed, 0.1, 0.1))
    g.add_node("desk", tree(seed, r, 2, r.random() < 0.5))
    g.add_node("beside", tree(seed + " beside", r, 1) if r.random() < 0.5 else Step("beside", seed))
    g.add_edge(START, "open")
    g.add_edge("open", "desk")
    g.add_edge("open", "beside")
    g.add_node("close", Step("close", seed))
    g.add_edge(["desk", "beside"], "close")
    g.add_conditional_edges("close", until(seed, ["open"], 5), ["open", END])
    return g


def handled(seed, r):
    """Nodes whose errors a handler takes, which may ask, too, or fail."""
    handler = Step("handler", seed, 0.4, 0.2)
    g = StateGraph(state_of(()))
    g.add_node("try", Step("try", seed, 0.1, 0.7), error_handler=lambda s: handler(s))
    g.add_node("other", Step("other", seed))
    g.add_node("after", Step("after", seed))
    g.add_edge(START, "try")
    g.add_edge(START, "other")
    g.add_edge("try", "after")
    g.add_conditional_edges("after", until(seed, ["try"], 6), ["try", END])
    return g


def commands(seed, r):
    """Nodes that say themselves where to go."""
    g = StateGraph(state_of(()))
    steps = {x: Step(x, seed) for x in ("p", "q", "r")}

    def wrap(x):
        def go(state):
            out = steps[x](state)
            k = random.Random("%s %s %d" % (seed, x, state.get("n", 0)))
            ends = END if state.get("n", 0) > 6 else k.choice(("p", "q", "r", ["p", "q"], Send("r", {"log": [], "n": 1})))
            return Command(update=out, goto=ends)
        return go

    for x in steps:
        g.add_node(x, wrap(x), destinations=("p", "q", "r", END))
    g.add_edge(START, "p")
    return g


def functions(seed, r):
    """The functional API: tasks in a row and at once, which ask and fail."""
    one, two = Step("one", seed, 0.4, 0.15), Step("two", seed, 0.4, 0.15)

    @task(name="first task")
    def first(x):
        return one({"n": 0})["log"]

    @task
    def second(x):
        return [inner(i).result() for i in range(2)] if r.random() < 0 else two({"n": 0})["log"]

    @task
    def inner(x):
        return second(x).result() if x else first(x).result()

    def make(saver):
        @entrypoint(checkpointer=saver, name="flow")
        def flow(value, *, previous=None):
            at_once = [first(i) for i in range(2)]
            out = [f.result() for f in at_once] + [second(0).result(), inner(1).result()]
            asked = interrupt("enough?") if len(seed) % 2 else "yes"
            return entrypoint.final(value={"out": out, "asked": asked}, save=len(out))
        return flow
    return make


KINDS = (joins, fans, nested, handled, commands, functions)


def build(seed):
    """A function saver -> compiled graph, and its kind."""
    r = random.Random(seed)
    if r.random() < 0.2:
        return freshgraphs.build(seed), "any"
    kind = r.choice(KINDS)
    made = kind(seed, r)
    if kind is functions:
        return made, kind.__name__
    stops = [r.choice([x for x in made.nodes])] if r.random() < 0.25 else None
    after = stops and r.random() < 0.3
    return (lambda saver: made.compile(checkpointer=saver, interrupt_before=None if after else stops,
                                       interrupt_after=stops if after else None)), kind.__name__
