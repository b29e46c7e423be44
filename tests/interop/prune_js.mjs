// JavaScript's LangGraph as the judge of what `ckpt` left of a store: writes one, reads every
// checkpoint, goes on from any. A thread is named after its graph, and what a node does follows from
// that name and its state alone, so that every process builds the same graph again.
//
//   JS_MODULES=build/js/node_modules prune_js.mjs LANGGRAPH
//
// One request a line on stdin, its answer a line on stdout. "store": ["sqlite", PATH] or ["pg", URL,
// SCHEMA]; values are as the library itself would write them.
//   {"do":"write","threads":[NAME,…]}       → {"raised":{MESSAGE:n}}
//   {"do":"read","graphs":bool}             → {"tuples":[[KEY,…],…],"states":[[[THREAD,ID],…],…]}
//   {"do":"go","places":[[THREAD,ID],…]}    → {"ends":[[[THREAD,ID],…],…]}; "apart":true has no
//                                             version twice
import { createHash } from "node:crypto";
import { createRequire } from "node:module";
import { createInterface } from "node:readline";

const require = createRequire(process.env.JS_MODULES + "/x.js");
const { StateGraph, Annotation, MessagesAnnotation, DeltaChannel, Overwrite, messagesDeltaReducer,
	START, END, Send, Command, interrupt } = require(process.argv[2]);
const { AIMessage, HumanMessage, RemoveMessage } = require("@langchain/core/messages");

const TURNS = 5, MORE = 3;
const UNSEALED = process.argv[2] === "langgraph-unsealed";
let healed = false;     // nodes fail while a store is written, and no more when it goes on

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

// ---- nodes --------------------------------------------------------------------------------------

const extend = (state, writes) => [...state, ...writes.flat()];
function merge(state, writes) {
	const out = { ...state };
	for (const w of writes) Object.assign(out, w);
	return out;
}
function deltas(r) {
	if (!DeltaChannel) return {};
	const of = (reducer, empty, frequency) => () => new DeltaChannel(reducer,
		{ snapshotFrequency: frequency, initialValueFactory: empty });
	return { events: of(extend, () => [], r.of([1, 2, 4])), files: of(merge, () => ({}), r.of([2, 3, 20])),
		chat: of(messagesDeltaReducer, () => [], r.of([1, 3])) };
}
const state = (own) => Annotation.Root({ ...MessagesAnnotation.spec, ...deltas(random("d" + own)),
	log: Annotation({ reducer: (a, b) => a.concat(b), default: () => [] }),
	last: Annotation({ reducer: (a, b) => b }), bytes: Annotation({ reducer: (a, b) => b }),
	n: Annotation({ reducer: (a, b) => a + b, default: () => 0 }) });

// Beside others a node leaves delta channels in order: they come in the order of random ids.
function written(r, name, n, beside = false) {
	const out = { log: [`${name} ${n}`], n: 1 }, id = "m" + r.below(6);
	if (r() < 0.6) out.last = r.of([name, { by: name, n }, null, [n, 0.5], new Map([["n", n]]), new Set([n])]);
	if (r() < 0.4) out.bytes = new Uint8Array([n, 0, 255]);
	if (r() < 0.5) out.messages = [r.of([new AIMessage({ id, content: name + n, tool_calls: [
		{ name: "look", args: { n }, id: "c" + n, type: "tool_call" }] }), new HumanMessage({ id, content: "é" + n })])];
	if (!DeltaChannel) return out;
	if (r() < 0.4) out.files = { ["f" + (beside ? name + n : r.below(6))]: r.of([n, { size: n }]) };
	if (beside) return out;
	if (r() < 0.6) out.events = [[name, n]];
	if (r() < 0.4) out.chat = r.of([[new AIMessage({ content: "a" + n, id })], [new HumanMessage({ content: "h" + n, id })],
		[new RemoveMessage({ id })]]);
	return out;
}

// A node that asks so often, and that may fail; alone in its step it overwrites now and then.
const step = (own, name, asks = 0, { fails = 0, alone = false, beside = false } = {}) => (s) => {
	const n = s.n ?? 0, r = random(`${own} ${name} ${n}`);
	const said = Array.from({ length: asks }, (_, time) => interrupt({ ask: name, time, n }));
	if (r() < fails && !healed) throw new Error(name + " broke");
	const out = written(r, name, n, beside);
	if (asks) out.log.push(said);
	if (alone && DeltaChannel && r() < 0.15) out.events = new Overwrite([["new", n]]);
	return out;
};

// ---- graphs -------------------------------------------------------------------------------------

function chain(own, nodes, how = {}) {
	const g = new StateGraph(state(own));
	let last = START;
	for (const [name, node] of Object.entries(nodes)) {
		g.addNode(name, node).addEdge(last, name);
		last = name;
	}
	return g.addEdge(last, END).compile(how);
}

const until = (own, targets, most) => (s) => s.n > most ? END : random(`${own} ${s.n}`).of(targets);

const KINDS = {
	asks: (own, how) => chain(own, { plan: step(own, "plan", 0, { alone: true }), ask: step(own, "ask", 1),
		form: step(own, "form", 2), act: step(own, "act", 0, { fails: 0.3 }) }, how),
	parallel: (own, how) => new StateGraph(state(own)).addNode("plan", step(own, "plan"))
		.addNode("left", step(own, "left", 1, { beside: true }))
		.addNode("right", step(own, "right", 2, { beside: true }))
		.addNode("quiet", step(own, "quiet", 0, { fails: 0.2, beside: true }))
		.addNode("work", (s) => step(own, "work" + s.item, s.item % 2, { beside: true })(s))
		.addNode("join", step(own, "join", 1))
		.addEdge(START, "plan")
		.addConditionalEdges("plan", (s) => ["left", "right", "quiet",
			...[0, 1, 2].map((item) => new Send("work", { item, n: s.n }))], ["left", "right", "quiet", "work"])
		.addEdge(["left", "right", "quiet"], "join").addEdge("join", END).compile(how),
	nested: (own, how) => chain(own, { open: step(own, "open"),
		desk: chain(own, { before: step(own, "before"),
			inner: chain(own, { leaf: step(own, "leaf", 1), after: step(own, "after", 1) }),
			sign: step(own, "sign", 1, { fails: 0.2 }) }),
		close: step(own, "close") }, how),
	stateful: (own, how) => new StateGraph(state(own)).addNode("plan", step(own, "plan", 0, { alone: true }))
		.addNode("room", chain(own, { sit: step(own, "sit"), stand: step(own, "stand", 1) }, { checkpointer: true }))
		.addEdge(START, "plan").addEdge("plan", "room")
		.addConditionalEdges("room", (s) => s.n > 15 ? END : "plan", ["plan", END]).compile(how),
	fan: (own, how) => new StateGraph(state(own)).addNode("plan", step(own, "plan"))
		.addNode("one", (s) => step(own, "one" + s.item, 0, { fails: 0.4, beside: true })(s))
		.addNode("many", chain(own, { in: step(own, "in", 0, { beside: true }),
			deep: (s) => step(own, "deep", s.n % 2, { beside: true })(s) }))
		.addNode("sum", step(own, "sum")).addEdge(START, "plan").addEdge("one", "sum").addEdge("many", "sum")
		.addConditionalEdges("plan", (s) => Array.from({ length: 1 + s.n % 3 }, (_, item) =>
			new Send(random(`${own} ${s.n} ${item}`).of(["one", "many"]), { item, n: s.n + item })), ["one", "many"])
		.addConditionalEdges("sum", until(own, ["plan", END], 12), ["plan", END]).compile(how),
	loop: (own, how) => {
		const g = new StateGraph(state(own)), names = ["a", "b", "c"];
		for (const x of names) g.addNode(x, (s) => step(own, x, s.n % 4 === 3 ? 1 : 0, { fails: 0.4, alone: true })(s));
		for (const x of names) g.addConditionalEdges(x, until(own + x, [...names, END], 9), [...names, END]);
		return g.addEdge(START, "a").compile(how);
	},
};
// A copy is of the graph that its original is of.
const built = (thread, checkpointer) =>
	KINDS[thread.split(" ")[0]](thread.split(" copy")[0], { checkpointer });

// ---- writing ------------------------------------------------------------------------------------

async function past(graph, config) {
	const out = [];
	for await (const s of graph.getStateHistory(config)) out.push(s.config);
	return out;
}

async function turn(graph, config, r, number) {
	const how = { recursionLimit: 40, durability: number || UNSEALED ? r.of(["sync", "async"]) :
		r.of(["sync", "async", "exit"]) };
	const now = await graph.getState(config), pending = now.tasks.flatMap((t) => t.interrupts), roll = r();
	const input = () => written(r, "in", -number), names = Object.keys(graph.nodes).filter((x) => x !== START);

	if (number === 0) return graph.invoke(input(), { ...config, ...how });
	if (pending.length && roll < 0.6) {     // some questions, so that the others are open beside them
		const resume = Object.fromEntries(r.some(pending).map((i) => [i.id, r.of(["yes", 0, { a: [1, null] }])]));
		return graph.invoke(new Command({ resume }), { ...config, ...how });
	}
	if (roll < 0.7) return graph.updateState(config, written(r, "by hand", number), r.of(names));
	if (roll < 0.9) {
		const at = r.of(await past(graph, config));
		if (r() < 0.4) return graph.invoke(null, { ...at, ...how });
		if (r() < 0.3) return graph.updateState(at, null, "__copy__");
		const edited = await graph.updateState(at, written(r, "fork", number), r.of(names));
		return r() < 0.6 ? graph.invoke(null, { ...edited, ...how }) : null;
	}
	return graph.invoke(now.next.length && r() < 0.5 ? null : input(), { ...config, ...how });
}

// The run of each checkpoint is in its metadata, as applications put it there that have runs.
async function write(saver, { threads }) {
	const raised = {}, put = saver.put.bind(saver);
	let run = "";
	saver.put = (config, checkpoint, metadata, versions) =>
		put(config, checkpoint, { ...metadata, run_id: run }, versions);
	for (const thread_id of threads) {
		const graph = built(thread_id, saver), r = random("turns " + thread_id);
		for (let number = 0; number < TURNS; number++) {
			run = `run ${number} of ${thread_id}`;
			await turn(graph, { configurable: { thread_id } }, r, number).catch((e) => {
				const name = `${e.name}: ${e.message}`.slice(0, 80);    // part of the game
				raised[name] = (raised[name] ?? 0) + 1;
			});
			await new Promise((done) => setTimeout(done, 5));  // neighbours of what failed write on
		}
	}
	return { raised };
}

// ---- reading ------------------------------------------------------------------------------------

const place = (c) => c?.configurable && [c.configurable.checkpoint_ns, c.configurable.checkpoint_id];
const stands = (s) => ({ values: s.values, next: s.next, metadata: s.metadata, created: s.createdAt,
	at: place(s.config), parent: place(s.parentConfig), tasks: s.tasks.map((t) => ({ id: t.id, name: t.name,
		path: t.path, error: t.error && String(t.error.message ?? t.error), interrupts: t.interrupts,
		below: t.state?.values ? stands(t.state) : t.state?.configurable?.checkpoint_ns })) });

const tried = (f) => f().catch((e) => `${e.name}: ${e.message}`);

async function read(saver, { graphs }) {
	const keys = [], tuples = [], states = [];
	for await (const t of saver.list({})) {
		const { thread_id, checkpoint_ns = "", checkpoint_id } = t.config.configurable;
		keys.push([thread_id, checkpoint_ns, checkpoint_id]);
	}
	for (const key of keys) {
		const [thread_id, checkpoint_ns, checkpoint_id] = key;
		tuples.push([key, await tried(async () => {
			const t = await saver.getTuple({ configurable: { thread_id, checkpoint_ns, checkpoint_id } });
			return { checkpoint: t.checkpoint, metadata: t.metadata, writes: t.pendingWrites,
				parent: t.parentConfig?.configurable };
		})]);
	}
	if (!graphs) return { tuples, states };
	const roots = keys.filter((k) => k[1] === "").map((k) => [k[0], k[2]]);
	for (const [thread_id, checkpoint_id] of [...roots, ...[...new Set(roots.map((k) => k[0]))].map((x) => [x, null])]) {
		const at = checkpoint_id ? { checkpoint_ns: "", checkpoint_id } : {};
		const graph = built(thread_id, saver);
		states.push([[thread_id, checkpoint_id], await tried(async () =>
			stands(await graph.getState({ configurable: { thread_id, ...at } }, { subgraphs: true })))]);
	}
	return { tuples, states };
}

// ---- going on -----------------------------------------------------------------------------------

// Without what is new each time.
const came = (s) => ({ values: s.values, next: s.next, step: s.metadata?.step, source: s.metadata?.source,
	tasks: s.tasks.map((t) => ({ name: t.name, error: !!t.error, asks: t.interrupts.map((i) => i.value) })) });

function move(now, number) {
	const pending = now.tasks.flatMap((t) => t.interrupts);
	if (pending.length)
		return ["answer", new Command({ resume: Object.fromEntries(pending.map((i) => [i.id, { went: i.value }])) })];
	if (now.tasks.some((t) => t.error)) return ["retry", null];
	return now.next.length ? ["continue", null] : ["input", { log: ["more " + number], n: 1 }];
}

async function goOn(graph, thread_id, checkpoint_id) {
	let config = { configurable: { thread_id, ...(checkpoint_id ? { checkpoint_ns: "", checkpoint_id } : {}) } };
	const out = [];
	for (let number = 0; number < MORE; number++) {
		const now = await graph.getState(config), [what, value] = move(now, number);
		if (what === "input" && out.some((x) => x[0] === "input")) break;
		const raised = await graph.invoke(value, { ...config, recursionLimit: 40, durability: "sync" })
			.then(() => null, (e) => e.message);
		config = { configurable: { thread_id } };
		out.push([what, raised, came(await graph.getState(config))]);
	}
	return out;
}

async function go(saver, { places, apart }) {
	const ends = [];
	let minted = 0;
	healed = true;
	if (apart) saver.getNextVersion = (v) => Math.floor(v ?? 0) + 1 + (++minted) / 2 ** 20;
	for (const [thread, id] of places)
		ends.push([[thread, id], await tried(() => goOn(built(thread, saver), thread, id))]);
	return { ends };
}

// ---- requests -----------------------------------------------------------------------------------

async function opened([kind, where, schema], first) {
	if (kind === "sqlite") {
		const { SqliteSaver } = require("@langchain/langgraph-checkpoint-sqlite");
		const saver = SqliteSaver.fromConnString(where);
		saver.db.pragma("synchronous = off");   // whoever pulls the plug begins again
		return [saver, () => saver.db.close()];
	}
	const { PostgresSaver } = require("@langchain/langgraph-checkpoint-postgres");
	const saver = PostgresSaver.fromConnString(where, { schema });
	if (first) await saver.setup();
	return [saver, () => saver.end()];
}

const DO = { write, read, go };
for await (const line of createInterface({ input: process.stdin })) {
	const asked = JSON.parse(line), [saver, close] = await opened(asked.store, asked.do === "write");
	const answer = await DO[asked.do](saver, asked);
	const [, text] = await saver.serde.dumpsTyped(answer);
	await close();
	process.stdout.write(Buffer.concat([Buffer.from(text), Buffer.from("\n")]));
}
