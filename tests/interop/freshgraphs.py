"""Random graphs and random use of them: nodes, edges, conditions, Sends, joins, subgraphs,
interrupts, failures, delta channels; then answers, retries, edits, forks, new input.

A node's behaviour follows from the seed and from how often it ran; parallel nodes share no
random source, so a seed gives the same graph every time.
"""
import asyncio
import operator
import random
import typing

import freshvalues
from langchain_core.messages import HumanMessage
from langgraph.channels import DeltaChannel
from langgraph.graph import END, START, StateGraph
from langgraph.graph.message import add_messages
from langgraph.types import Command, Overwrite, Send, interrupt


def extend(state, writes):
    out = list(state or [])
    for w in writes:
        out.extend(w if isinstance(w, list) else [w])
    return out


def keep_new(old, new):
    return new


def unite(old, new):
    return (old or set()) | (new or set())


NAMES = ("plan", "work", "review", "ask human", "naïve", "日本", "n-6", "seven")


def state_of(names):
    fields = {"log": typing.Annotated[list, operator.add], "n": typing.Annotated[int, operator.add],
              "messages": typing.Annotated[list, add_messages], "tags": typing.Annotated[set, unite],
              "last": typing.Annotated[typing.Any, keep_new],
              "events": typing.Annotated[list, DeltaChannel(extend, snapshot_frequency=3)]}
    fields.update({"v " + x: typing.Any for x in names})
    return typing.TypedDict("State", fields, total=False)


class Node:
    """One node: its random source, and how it misbehaves."""

    def __init__(self, name, seed, r):
        self.name, self.seed, self.runs = name, seed, 0
        self.asks = r.random() < 0.18
        self.fails = r.random() < 0.12
        self.limit = r.randrange(1, 5)

    def __call__(self, state):
        self.runs += 1
        r = random.Random("%s %s %d" % (self.seed, self.name, self.runs))
        if self.fails and self.runs % 3 == 1:
            raise ValueError("%s broke: \x1b[31m%s" % (self.name, freshvalues.text(r)[:40]))
        out = {"log": [self.name], "n": 1, "v " + self.name: freshvalues.value(r, 3)}
        if self.asks:
            out["last"] = interrupt({"from": self.name, "detail": freshvalues.value(r, 1)})
            if r.random() < 0.4:
                out["last"] = [out["last"], interrupt("and?")]
        if r.random() < 0.5:
            out["messages"] = [freshvalues.message(r)]
        if r.random() < 0.3:
            out["tags"] = {freshvalues.text(r)[:8], self.runs}
        if r.random() < 0.6:
            out["events"] = [freshvalues.value(r, 1)] if r.random() < 0.9 else Overwrite([1, "new"])
        return out


def worker(arg):
    return {"log": ["w"], "last": arg, "n": 1}


def leaf_graph(seed, r, stateful):
    """A small graph to be used as a node; it asks now and then."""
    state = state_of(("inner", "deep"))
    g = StateGraph(state)
    for name in ("inner", "deep"):
        node = Node(name, seed + " sub", r)
        node.fails = False
        g.add_node(name, node)
    g.add_edge(START, "inner")
    g.add_edge("inner", "deep")
    return g.compile(checkpointer=True if stateful else None)


def branch(node, targets, sends):
    """Where to go next: some of the targets, or Sends, or the end after enough rounds."""
    def choose(state):
        r = random.Random("%s %s %d" % (node.seed, node.name, state.get("n", 0)))
        if state.get("n", 0) > 12:
            return END
        if sends and r.random() < 0.6:
            return [Send("worker", freshvalues.value(r, 1)) for _ in range(r.randrange(1, 5))]
        return r.sample(targets, r.randrange(1, len(targets) + 1))
    return choose


def build(seed):
    """A function saver -> compiled graph."""
    r = random.Random(seed)
    names = r.sample(NAMES, r.randrange(2, 7))
    g = StateGraph(state_of(names))
    nodes = [Node(x, seed, r) for x in names]
    for node in nodes:
        g.add_node(node.name, node)
    g.add_node("worker", worker)
    g.add_edge(START, names[0])
    if len(names) > 2 and r.random() < 0.5:         # a second entry beside the first
        g.add_edge(START, names[1])
    extra = None
    if r.random() < 0.45:
        extra = "desk"
        g.add_node(extra, leaf_graph(seed, r, r.random() < 0.4))
    wire(g, nodes, extra, r)
    stops = [names[-1]] if r.random() < 0.15 else None
    return lambda saver: g.compile(checkpointer=saver, interrupt_before=stops)


def wire(g, nodes, extra, r):
    names = [x.name for x in nodes]
    for i, node in enumerate(nodes):
        later = names[i + 1:] + ([extra] if extra else [])
        back = names[:1] if r.random() < 0.2 else []
        kind = r.random()
        if not later or kind < 0.15:
            g.add_edge(node.name, END)
        elif kind < 0.55:
            targets = sorted(set(later + back))
            g.add_conditional_edges(node.name, branch(node, targets, r.random() < 0.5),
                                    [*targets, "worker", END])
        else:
            g.add_edge(node.name, r.choice(later))
    if len(names) > 3:
        g.add_edge(names[:2], names[-1])            # waits for both
    if extra:
        g.add_edge(extra, END)


# ---- using a graph ----------------------------------------------------------------------------------

def first_input(r):
    return {"log": [], "n": 0, "last": freshvalues.value(r, 2),
            "messages": [HumanMessage(freshvalues.text(r), id="h%d" % r.getrandbits(30))]}


def answers(r, pending):
    ids = [i.id for i in pending]
    if len(ids) == 1 and r.random() < 0.5:
        return Command(resume=freshvalues.value(r, 1) or "yes")
    some = r.sample(ids, r.randrange(1, len(ids) + 1))
    return Command(resume={i: freshvalues.value(r, 1) for i in some})


async def turn(graph, thread, r, number):
    """One thing that a user of the graph does."""
    config = {"configurable": {"thread_id": thread, "tenant": r.randrange(3)}, "recursion_limit": 25,
              "metadata": freshvalues.user_metadata(r)}
    durability = r.choice(("sync", "async", "exit"))
    state = await graph.aget_state({"configurable": {"thread_id": thread}})
    roll = r.random()
    if number == 0:
        await graph.ainvoke(first_input(r), config, durability=durability)
    elif state.interrupts and roll < 0.75:
        await graph.ainvoke(answers(r, state.interrupts), config, durability=durability)
    elif roll < 0.3:
        await graph.aupdate_state(config, {"last": freshvalues.value(r, 2), "log": ["by hand"]},
                                  as_node=r.choice([*graph.nodes]))
    elif roll < 0.55:
        past = [s async for s in graph.aget_state_history({"configurable": {"thread_id": thread}})]
        at = dict(r.choice(past).config)
        if roll < 0.4:
            await graph.aupdate_state(at, None, as_node="__copy__")
        else:
            await graph.ainvoke(None, at, durability=durability)
    elif roll < 0.75 and state.next:
        await graph.ainvoke(None, config, durability=durability)
    elif roll < 0.85:
        await graph.ainvoke(Command(update={"last": "command"}, goto=r.choice([*graph.nodes])), config)
    else:
        await graph.ainvoke(first_input(r), config, durability=durability)


def sync_face(graph):
    """The same calls through the synchronous saver."""
    class Face:
        nodes = {k: v for k, v in graph.nodes.items() if k != START}

        async def aget_state(self, config):
            return graph.get_state(config)

        async def ainvoke(self, *args, **kw):
            return graph.invoke(*args, **kw)

        async def aupdate_state(self, *args, **kw):
            return graph.update_state(*args, **kw)

        async def aget_state_history(self, config):
            for s in list(graph.get_state_history(config)):
                yield s

    return Face()


async def async_face(graph):
    face = sync_face(graph)
    face.aget_state, face.ainvoke = graph.aget_state, graph.ainvoke
    face.aupdate_state, face.aget_state_history = graph.aupdate_state, graph.aget_state_history
    return face


async def use(face, thread, seed, turns):
    """Several turns; a graph that raises is part of the game. Returns the kinds of failures."""
    r = random.Random("use " + seed)
    failures = []
    for number in range(turns):
        try:
            await asyncio.wait_for(turn(face, thread, r, number), 20)
        except Exception as e:          # failing nodes, recursion limits, clashing updates
            failures.append(type(e).__name__)
    return failures
