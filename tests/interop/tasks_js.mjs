// Random graphs of LangGraph for JavaScript, for the question what comes next: edges, conditions,
// Sends, joins, deferred nodes, subgraphs of two levels and stateful ones, functions, Commands.
// Nodes ask, several times, and fail. Prints what getState says of every checkpoint, without an id
// of the newest ones, in the form of the fixtures' oracles:
// {"threads":…,"kinds":{…},"silent":N}.
//
//   JS_MODULES=build/js/node_modules tasks_js.mjs sqlite PATH SEED GRAPHS | pg URL SEED GRAPHS
//
// A node's behaviour follows from the seed and from how often it ran.
import { createHash } from "node:crypto";
import { createRequire } from "node:module";

const require = createRequire(process.env.JS_MODULES + "/x.js");
const { StateGraph, Annotation, START, END, Send, Command, interrupt, entrypoint, task } =
	require("@langchain/langgraph");

function random(seed) {
	let n = 0;
	const next = () => createHash("sha256").update(`${seed} ${n++}`).digest().readUInt32BE() / 2 ** 32;
	next.below = (most) => Math.floor(next() * most);
	next.of = (list) => list[next.below(list.length)];
	next.some = (list) => {
		const few = list.filter(() => next() < 0.6);
		return few.length ? few : [next.of(list)];
	};
	return next;
}

// ---- nodes ------------------------------------------------------------------------------------

const state = () => Annotation.Root({ last: Annotation({ reducer: (a, b) => b }),
	log: Annotation({ reducer: (a, b) => a.concat(b), default: () => [] }),
	n: Annotation({ reducer: (a, b) => a + b, default: () => 0 }) });

function step(name, seed, asks = 0.25, fails = 0.15) {
	let runs = 0;
	return () => {
		const r = random(`${seed} ${name} ${++runs}`), out = { log: [name], n: 1 };
		if (r() < asks) {
			out.last = interrupt({ from: name, run: runs });
			if (r() < 0.5) out.last = [out.last, interrupt(`and ${name}?`)];
		}
		if (r() < fails) throw new Error(name + " broke");
		return out;
	};
}

// One or more of the targets, the end after enough rounds.
const until = (seed, targets, most = 8) => (s) =>
	s.n > most ? END : random(`${seed} ${s.n}`).some(targets);

// ---- graphs -----------------------------------------------------------------------------------

function edges(seed, r) {
	const g = new StateGraph(state()), names = ["plan", "work", "ask human", "naïve \"q\"\t"];
	for (const x of names) g.addNode(x, step(x, seed));
	g.addEdge(START, names[0]);
	if (r() < 0.4) g.addEdge(START, names[1]);
	names.slice(1).forEach((x, i) => g.addEdge(names[i], x));
	if (r() < 0.6)
		g.addConditionalEdges(names.at(-1), until(seed, names.slice(0, 2)), [...names.slice(0, 2), END]);
	return g;
}

function conditions(seed, r) {
	const g = new StateGraph(state()), names = ["a", "b", "c", "d"];
	for (const x of names) g.addNode(x, step(x, seed));
	g.addConditionalEdges(START, until(seed, names, 99), names);
	for (const x of names)
		if (r() < 0.7) g.addConditionalEdges(x, until(seed + x, names), [...names, END]);
	return g;
}

function joins(seed, r) {
	const g = new StateGraph(state());
	for (const x of ["a", "b", "c", "d + e", "f"]) g.addNode(x, step(x, seed), { defer: r() < 0.3 });
	g.addEdge(START, "a").addEdge("a", "c").addEdge(r() < 0.5 ? START : "a", "b");
	g.addEdge(["b", "c"], "d + e");
	if (r() < 0.5) g.addEdge(["a", "c"], "d + e");
	if (r() < 0.5) g.addEdge(["b", "d + e"], r() < 0.4 ? "a" : "f");
	g.addConditionalEdges("d + e", until(seed, ["f", "b", "a"]), ["f", "b", "a", END]);
	return g;
}

function tree(seed, r, depth, stateful) {
	const g = new StateGraph(state()).addNode("in", step("in", seed, 0.3, 0.1));
	const below = depth > 0 && r() < 0.7;
	g.addNode("deep", below ? tree(seed + " x", r, depth - 1, r() < 0.3) : step("deep", seed, 0.4, 0.1));
	g.addEdge(START, "in").addEdge("in", "deep");
	if (r() < 0.5) g.addNode("side", step("side", seed)).addEdge("in", "side");
	return g.compile(stateful ? { checkpointer: true } : {});
}

function fans(seed, r) {
	const g = new StateGraph(state());
	g.addNode("plan", step("plan", seed, 0.1, 0.1)).addNode("one", step("one", seed, 0.3, 0.2));
	g.addNode("many", tree(seed + " many", r, 1, false));
	g.addNode("sum", step("sum", seed), { defer: r() < 0.5 });
	g.addEdge(START, "plan").addEdge("one", "sum").addEdge("many", "sum");
	g.addConditionalEdges("plan", (s) => {
		const own = random(`${seed} ${s.n}`);
		return Array.from({ length: 1 + own.below(4) },
			() => new Send(own.of(["one", "one", "many"]), { n: 0, log: [] }));
	}, ["one", "many"]);
	g.addConditionalEdges("sum", until(seed, ["plan"], 6), ["plan", END]);
	return g;
}

function nested(seed, r) {
	const g = new StateGraph(state()).addNode("open", step("open", seed, 0.1, 0.1));
	g.addNode("desk", tree(seed, r, 2, r() < 0.5));
	g.addNode("beside", r() < 0.5 ? tree(seed + " beside", r, 1, false) : step("beside", seed));
	g.addNode("close", step("close", seed));
	g.addEdge(START, "open").addEdge("open", "desk").addEdge("open", "beside");
	g.addEdge(["desk", "beside"], "close");
	g.addConditionalEdges("close", until(seed, ["open"], 5), ["open", END]);
	return g;
}

function commands(seed) {
	const g = new StateGraph(state()), names = ["p", "q", "r"];
	for (const x of names) {
		const inner = step(x, seed);
		g.addNode(x, (s) => {
			const update = inner(), own = random(`${seed} ${x} ${s.n}`);
			const goto = s.n > 6 ? END : own.of(["p", "q", "r", ["p", "q"],
				new Send("r", { n: 1, log: [] })]);
			return new Command({ update, goto });
		}, { ends: [...names, END] });
	}
	return g.addEdge(START, "p");
}

function functions(seed) {
	const first = task("first task", (() => { const f = step("one", seed, 0.4); return async () => f().log; })());
	const second = task("second", (() => { const f = step("two", seed, 0.4); return async () => f().log; })());
	const outer = task("outer", async (i) => i ? second(i) : first(i));
	return { compile: (how) => entrypoint({ name: "flow", ...how }, async () => {
		const out = await Promise.all([first(0), first(1)]);
		out.push(await outer(1));
		const enough = seed.length % 2 ? interrupt("enough?") : "yes";
		return entrypoint.final({ value: { out, enough }, save: out.length });
	}) };
}

const KINDS = { edges, conditions, joins, fans, nested, commands, functions };

// ---- using them -------------------------------------------------------------------------------

function answer(r, pending) {
	if (pending.length === 1 && r() < 0.6) return new Command({ resume: r.of(["yes", 0, false, [1]]) });
	return new Command({ resume: Object.fromEntries(r.some(pending).map((i) => [i.id, "for " + i.id])) });
}

async function turn(graph, config, r, number, functional) {
	const now = await graph.getState(config), roll = r();
	const pending = now.tasks.flatMap((t) => t.interrupts).flat();
	const input = functional ? "in" : { log: ["in"], n: 0 };
	if (number === 0) return graph.invoke(input, config);
	if (pending.length && roll < 0.75) return graph.invoke(answer(r, pending), config);
	if (roll < 0.3 && !functional)
		return graph.updateState(config, { last: "by hand" }, r.of(now.next.length ? now.next : Object.keys(graph.nodes)));
	if (roll < 0.5) {
		const past = [];
		for await (const s of graph.getStateHistory(config)) past.push(s.config);
		if (roll < 0.4 || functional) return graph.invoke(null, r.of(past));
		return graph.updateState(r.of(past), { last: "edited" }, "__copy__");
	}
	if (roll < 0.8 && now.next.length) return graph.invoke(null, config);
	if (roll < 0.88 && !functional)
		return graph.invoke(new Command({ update: { last: "cmd" }, goto: r.of(Object.keys(graph.nodes)) }), config);
	return graph.invoke(input, config);
}

// ---- what the library says --------------------------------------------------------------------

const plain = (v) => v === undefined ? null : JSON.parse(JSON.stringify(v));
const asked = (s) => ({ next: s.next, tasks: s.tasks.map((t) => ({ id: t.id, name: t.name,
	error: plain(t.error), interrupts: plain(t.interrupts) })) });

async function ask(saver, graph, thread_id) {
	const spaces = {}, all = [];
	let silent = 0;
	for await (const t of saver.list({ configurable: { thread_id } })) all.push(t.config.configurable);
	for (const { checkpoint_ns = "", checkpoint_id } of all) {
		const part = spaces[checkpoint_ns] ??= { order: [], checkpoints: {} };
		const at = { thread_id, checkpoint_ns };
		part.order.push(checkpoint_id);
		part.checkpoints[checkpoint_id] = {};
		try {
			if (part.order.length === 1)
				part.latest = asked(await graph.getState({ configurable: at }));
			part.checkpoints[checkpoint_id] =
				asked(await graph.getState({ configurable: { ...at, checkpoint_id } }));
		} catch {               // namespaces the library itself cannot find again
			silent++;
		}
	}
	return [spaces, silent];
}

const [kind, where, seed, count] = process.argv.slice(2);
let saver;
if (kind === "sqlite") {
	saver = require("@langchain/langgraph-checkpoint-sqlite").SqliteSaver.fromConnString(where);
} else {
	const { PostgresSaver } = require("@langchain/langgraph-checkpoint-postgres");
	saver = PostgresSaver.fromConnString(where);
	await saver.setup();
}
const threads = {}, kinds = {}, raised = {}, made_of = {};
let silent = 0;
for (let i = 0; i < Number(count); i++) {
	const label = `${seed}/${i}`, name = Object.keys(KINDS)[i % Object.keys(KINDS).length];
	const r = random("build " + label), made = KINDS[name](label, r), thread_id = "thread-" + i;
	const functional = name === "functions";
	const stops = !functional && r() < 0.2 ? { [r.of(["interruptBefore", "interruptAfter"])]:
		[r.of(Object.keys(made.nodes))] } : {};
	const graph = made.compile({ checkpointer: saver, ...stops });
	const config = { configurable: { thread_id }, recursionLimit: 25 };
	for (let number = 0; number < 2 + (i % 6); number++) {
		try {
			await turn(graph, config, r, number, functional);
		} catch (e) {           // failing nodes and the like are part of the game
			raised[e.name] = (raised[e.name] ?? 0) + 1;
		}
	}
	made_of[thread_id] = [graph, name];
}
// A branch that fails does not stop its neighbours: they write on for a while.
await new Promise((done) => setTimeout(done, 1000));
for (const [thread_id, [graph, name]] of Object.entries(made_of)) {
	const [spaces, n] = await ask(saver, graph, thread_id);
	threads[thread_id] = spaces;
	silent += n;
	for (const part of Object.values(spaces)) kinds[name] = (kinds[name] ?? 0) + part.order.length;
}
process.stdout.write(JSON.stringify({ threads, kinds, raised, silent }));
if (kind === "pg") await saver.end();
