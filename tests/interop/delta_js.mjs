// Random graphs with two DeltaChannels of numbers and one of messages, used with forks, edits and
// every durability; prints what getState gives for each checkpoint:
// {"threads":{THREAD:{ID:VALUES}},"raised":{…}}.
//
//   JS_MODULES=build/js-delta/node_modules delta_js.mjs LANGGRAPH sqlite PATH SEED THREADS
//   JS_MODULES=…                           delta_js.mjs LANGGRAPH pg URL SEED THREADS
//
// LANGGRAPH is the name of the package: one of those in delta-js/package.json.
import { createRequire } from "node:module";

const require = createRequire(process.env.JS_MODULES + "/x.js");
const [library, kind, where, seed, threads] = process.argv.slice(2);
const { StateGraph, Annotation, DeltaChannel, Overwrite, messagesDeltaReducer, START, END } =
	require(library);
const { AIMessage, BaseMessage, HumanMessage, RemoveMessage } = require("@langchain/core/messages");

const TURNS = 6, UNSEALED = "langgraph-unsealed";

function random(text) {
	let h = 1779033703;
	for (const c of text) h = Math.imul(h ^ c.codePointAt(0), 3432918353), h = (h << 13) | (h >>> 19);
	const next = () => {
		h = (h + 0x6d2b79f5) | 0;
		let t = Math.imul(h ^ (h >>> 15), 1 | h);
		t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
		return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
	};
	next(), next();
	next.below = (n) => Math.floor(next() * n);
	next.of = (list) => list[next.below(list.length)];
	return next;
}

// ---- the graphs -----------------------------------------------------------------------------------

const extend = (state, writes) => [...state, ...writes.flat()];
function merge(state, writes) {
	const out = { ...state };
	for (const w of writes)
		for (const [k, v] of Object.entries(w)) {
			delete out[k];
			if (v !== null) out[k] = v;
		}
	return out;
}

function change(r, number) {
	const out = {};
	if (r() < 0.6) {
		out.events = r.of([[number], [number, { k: [number] }], ["e" + number], []]);
		if (r() < 0.12)
			out.events = r.of([new Overwrite(["new", number]), new Overwrite(null),
				{ __overwrite__: [number] }, { type: "__overwrite__", value: [] }]);
	}
	if (r() < 0.35) {
		out.files = { ["f" + r.below(6)]: r.of([null, number, { size: number }]) };
		if (r() < 0.12) out.files = r.of([new Overwrite({ only: number }), new Overwrite(null)]);
	}
	if (r() < 0.3) {
		const id = "m" + r.below(8);
		out.chat = r.of([[new AIMessage({ content: "a" + number, id })], [new RemoveMessage({ id })],
			new HumanMessage({ content: "h" + number, id })]);
	}
	return out;
}

function build(saver, own) {
	const r = random(own);
	const delta = (reducer, empty, freq) => () =>
		new DeltaChannel(reducer, { snapshotFrequency: freq, initialValueFactory: empty });
	const g = new StateGraph(Annotation.Root({
		n: Annotation(), stop: Annotation(),
		events: delta(extend, () => [], r.of([1, 2, 3, 4])),
		files: delta(merge, () => ({}), r.of([5, 8, 50])),
		chat: delta(messagesDeltaReducer, () => [], r.of([2, 6])),
	}));
	g.addNode("work", (s) => {
		const n = (s.n ?? 0) + 1;
		return { n, ...change(random(`${own} ${n}`), n) };
	});
	for (const name of ["zeta", "alpha"].slice(0, r.below(3))) {
		g.addNode(name, (s) => {        // one Overwrite a step is what the library allows
			const { events } = change(random(`${own} ${name} ${s.n}`), s.n);
			return Array.isArray(events) ? { events } : {};
		});
		g.addEdge("work", name).addEdge(name, END);
	}
	g.addEdge(START, "work");
	g.addConditionalEdges("work", (s) => (s.n < s.stop ? "work" : END), ["work", END]);
	return g.compile({ checkpointer: saver });
}

async function turn(graph, config, r, number) {
	// 1.4.13 makes some later run with exit its own parent, and then walks in that ring for ever.
	const ways = ["exit", "sync", "async"].slice(number && library === UNSEALED ? 1 : 0);
	const how = { durability: r.of(ways), recursionLimit: 100 }, roll = r();
	const edit = () => {
		const out = change(r, -number);
		return Object.keys(out).length ? out : { n: number };
	};
	if (roll < 0.5 || (number === 0 && roll < 0.85))
		return graph.invoke({ n: number * 100, stop: number * 100 + 1 + r.below(11),
			...change(r, -number) }, { ...config, ...how });
	if (roll < 0.7 || number === 0) return graph.updateState(config, edit(), "work");
	const all = [];
	for await (const s of graph.getStateHistory(config)) all.push(s.config);
	let past = r.of(all);
	if (roll < 0.8) past = await graph.updateState(past, edit(), "work");
	else if (roll < 0.85) past = await graph.updateState(past, null, "__copy__");
	return r() < 0.7 ? graph.invoke(null, { ...past, ...how }) : null;
}

// ---- what they load ---------------------------------------------------------------------------------

function plain(v) {
	if (v === undefined || v === null) return null;
	if (typeof v !== "object") return v;
	if (Array.isArray(v)) return v.map(plain);
	if (BaseMessage.isInstance ? BaseMessage.isInstance(v) : v instanceof BaseMessage) {
		const j = JSON.parse(JSON.stringify(v));
		return { type: j.id[j.id.length - 1], ...j.kwargs };
	}
	return Object.fromEntries(Object.entries(v).map(([k, x]) => [k, plain(x)]));
}

async function states(saver, graph, thread_id) {
	const ids = [], out = {};
	for await (const t of saver.list({ configurable: { thread_id } }))
		ids.push(t.config.configurable.checkpoint_id);
	for (const checkpoint_id of ids)
		out[checkpoint_id] = plain((await graph.getState(
			{ configurable: { thread_id, checkpoint_ns: "", checkpoint_id } })).values);
	return out;
}

let saver;
if (kind === "sqlite") {
	saver = require("@langchain/langgraph-checkpoint-sqlite").SqliteSaver.fromConnString(where);
} else {
	const { PostgresSaver } = require("@langchain/langgraph-checkpoint-postgres");
	saver = PostgresSaver.fromConnString(where);
	await saver.setup();
}
const answer = { threads: {}, raised: {} };
for (let i = 0; i < Number(threads); i++) {
	const thread = "t" + i, own = `${seed}/${i}`, graph = build(saver, own), r = random(own + " turns");
	for (let number = 0; number < TURNS; number++) {
		try {
			await turn(graph, { configurable: { thread_id: thread } }, r, number);
		} catch (e) {                   // what the library refuses is not judged here
			const name = `${e.name}: ${e.message}`.slice(0, 100);
			answer.raised[name] = (answer.raised[name] ?? 0) + 1;
		}
	}
	answer.threads[thread] = await states(saver, graph, thread);
}
process.stdout.write(JSON.stringify(answer));
if (kind === "pg") await saver.end();
