// Random graphs written by the real JavaScript savers; prints what the library's own list and
// getTuple read back, in the form of the fixtures' oracles: {"threads":…,"raised":{…}}.
//
//   JS_MODULES=build/js/node_modules fresh_js.mjs sqlite PATH SEED | pg URL SCHEMA SEED
//
// A node's behaviour follows from the seed and from how often it ran.
import { createRequire } from "node:module";

const require = createRequire(process.env.JS_MODULES + "/x.js");
const { StateGraph, Annotation, MessagesAnnotation, START, END, Send, Command, interrupt } =
	require("@langchain/langgraph");
const { AIMessage, BaseMessage, HumanMessage, ToolMessage } = require("@langchain/core/messages");

const THREADS = 40;
const ODD = ["", " two  words ", "x~1", "y@{head:2}", "tab\there", "\x1b[2Jred", "-dash", "日本",
	"a/b\\c", "'; DROP TABLE checkpoints; --", "\u202eevil"];

// ---- random values --------------------------------------------------------------------------

function random(seed) {
	let h = 1779033703;
	for (const c of seed) h = Math.imul(h ^ c.codePointAt(0), 3432918353), h = (h << 13) | (h >>> 19);
	const next = () => {
		h = (h + 0x6d2b79f5) | 0;
		let t = Math.imul(h ^ (h >>> 15), 1 | h);
		t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
		return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
	};
	next.below = (n) => Math.floor(next() * n);
	next.of = (list) => list[next.below(list.length)];
	return next;
}

const TEXTS = ["", "plain", "naïve – 日本語 🚀", "a\x1b[1mb\n\t", "\u202egnp", "</b>&\"'", "{\"lc\":1}",
	"NaN", "y".repeat(3000), "\ufeffx", "\u2028"];
const ATOMS = [
	(r) => null, (r) => r() < 0.5, (r) => r.below(1e9) - 5e8, (r) => (r() - 0.5) * 10 ** r.below(30),
	(r) => r.of([0, -0, 5e-324, 1e21, 1e22, 0.1, Number.MAX_SAFE_INTEGER, NaN, Infinity, 1e-7]),
	(r) => r.of(TEXTS), (r) => r.of(TEXTS), (r) => new Date(r.below(4e12)),
	(r) => new Uint8Array([r.below(256), 0, 255]), (r) => /^a+\/b$/gi, (r) => new Error(r.of(TEXTS)),
];
function value(r, depth = 2) {
	if (depth <= 0 || r() < 0.45) return r.of(ATOMS)(r);
	const items = Array.from({ length: r.below(4) }, () => value(r, depth - 1));
	const key = () => r.of(["a b", "ключ", "$ref", "type", "id", "__proto_", "0", "~/"]);
	switch (r.below(5)) {
	case 0: return new Set(items.filter((x) => typeof x !== "object"));
	case 1: return new Map(items.map((x, i) => [r() < 0.5 ? key() : i, x]));
	case 2: return Object.fromEntries(items.map((x) => [key(), x]));
	case 3: return { u: undefined, x: items };
	default: return items;
	}
}
function message(r) {
	const id = "m" + r.below(1e9);
	if (r() < 0.4) return new HumanMessage({ id, content: r.of(TEXTS) });
	if (r() < 0.5)
		return new ToolMessage({ id, tool_call_id: "c" + id, name: "look", content: r.of(TEXTS) });
	return new AIMessage({ id, content: r.of(TEXTS), response_metadata: { model: "js" },
		tool_calls: r() < 0.5 ? [] :
			[{ name: "look", args: { q: r.of(TEXTS) }, id: "c" + id, type: "tool_call" }] });
}

// ---- random graphs ----------------------------------------------------------------------------

const NAMES = ["plan", "work", "review", "ask human", "naïve", "n-6"];
const log = () => Annotation({ reducer: (a, b) => a.concat(b), default: () => [] });
const state = () => Annotation.Root({ ...MessagesAnnotation.spec, log: log(), last: Annotation(),
	n: Annotation({ reducer: (a, b) => a + b, default: () => 0 }), item: Annotation(),
	...Object.fromEntries(NAMES.map((x) => ["v " + x, Annotation()])) });

function behaviour(name, seed, r, may) {
	const asks = r() < 0.25, fails = may && r() < 0.15;
	let runs = 0;
	return () => {
		const own = random(`${seed} ${name} ${++runs}`);
		if (fails && runs % 3 === 1) throw new Error(name + " broke");
		const out = { log: [name], n: 1, ["v " + name]: value(own) };
		if (asks) out.log = [name, interrupt({ from: name, detail: value(own, 1) })];
		if (asks && own() < 0.4) out.log.push(interrupt("and?"));
		if (own() < 0.5) out.messages = [message(own)];
		return out;
	};
}

function inner(seed, r, stateful) {
	return new StateGraph(state()).addNode("look", behaviour("plan", seed, r, false))
		.addNode("room", behaviour("ask human", seed, r, false))
		.addEdge(START, "look").addEdge("look", "room")
		.compile(stateful ? { checkpointer: true } : {});
}

function build(saver, seed) {
	const r = random(seed), names = NAMES.slice(0, 2 + r.below(NAMES.length - 1));
	const g = new StateGraph(state());
	for (const name of names) g.addNode(name, behaviour(name, seed, r, true));
	g.addNode("worker", (s) => ({ log: ["w"], n: 1 }));
	const house = r() < 0.4;
	if (house) g.addNode("house", inner(seed, r, r() < 0.4));
	g.addEdge(START, names[0]);
	if (names.length > 2 && r() < 0.5) g.addEdge(START, names[1]);
	names.forEach((name, i) => {
		const later = [...names.slice(i + 1), ...(house ? ["house"] : [])];
		if (!later.length) return g.addEdge(name, END);
		const sends = r() < 0.4, to = [...later, "worker", END];
		return g.addConditionalEdges(name, (s) => {
			const own = random(`${seed} ${name} ${s.n}`);
			if (s.n > 10) return END;
			if (sends && own() < 0.6)
				return Array.from({ length: 1 + own.below(3) },
					() => new Send("worker", { item: value(own, 1), n: 0 }));
			return own.of(later);
		}, to);
	});
	return { graph: g.compile({ checkpointer: saver }), names };
}

async function turn({ graph, names }, config, r, number) {
	const now = await graph.getState(config);
	const pending = now.tasks.flatMap((t) => t.interrupts), roll = r();
	const input = () => ({ log: ["in"], last: value(r), messages: [message(r)] });
	if (number === 0) return graph.invoke(input(), config);
	if (pending.length && roll < 0.75) {
		const resume = pending.length === 1 ? value(r, 1) ?? "yes" : { [r.of(pending).id]: "fine" };
		return graph.invoke(new Command({ resume }), config);
	}
	if (roll < 0.3) return graph.updateState(config, { last: value(r) }, r.of(names));
	if (roll < 0.55) {
		const past = [];
		for await (const s of graph.getStateHistory(config)) past.push(s.config);
		if (roll < 0.45) return graph.invoke(null, r.of(past));
		return graph.updateState(r.of(past), { last: "edited" }, r.of(names));
	}
	if (roll < 0.75 && now.next.length) return graph.invoke(null, config);
	return graph.invoke(input(), config);
}

async function fill(saver, seed) {
	const raised = {};
	for (let i = 0; i < THREADS; i++) {
		const made = build(saver, `${seed}/${i}`), r = random(`use ${seed}/${i}`);
		const config = { configurable: { thread_id: ODD[i] ?? "js-" + i }, recursionLimit: 25 };
		for (let number = 0; number < 2 + (i % 5); number++) {
			try {
				await turn(made, config, r, number);
			} catch (e) {           // failing nodes and the like are part of the game
				raised[e.name] = (raised[e.name] ?? 0) + 1;
			}
		}
	}
	return raised;
}

// ---- what the library reads back -----------------------------------------------------------------

const text = JSON.stringify;
const ascii = (v) => text(v).replace(/[\u007f-\uffff]/g,
	(c) => "\\u" + c.charCodeAt(0).toString(16).padStart(4, "0"));
function plain(v) {
	if (v === undefined || v === null) return null;
	if (typeof v === "number")
		return Number.isFinite(v) ? v : { $float: String(v) };
	if (typeof v !== "object") return v;
	if (v instanceof Uint8Array) return { $bytes: Buffer.from(v).toString("base64") };
	if (v instanceof Date) return v.toISOString();
	if (v instanceof RegExp) return { pattern: v.source, flags: v.flags };
	if (v instanceof Error) return String(v);
	if (v instanceof Set) return [...v].map(plain).sort((a, b) => (ascii(a) < ascii(b) ? -1 : 1));
	if (v instanceof Map) return { $map: [...v].map(([k, x]) => [plain(k), plain(x)]) };
	if (Array.isArray(v)) return v.map(plain);
	if (BaseMessage.isInstance ? BaseMessage.isInstance(v) : v instanceof BaseMessage) {
		const j = JSON.parse(text(v));
		return { type: j.id[j.id.length - 1], ...j.kwargs };
	}
	if (v.lg_name === "Send") return { node: v.node, arg: plain(v.args) };
	return Object.fromEntries(Object.entries(v).filter(([, x]) => x !== undefined)
		.map(([k, x]) => [k, plain(x)]));
}
const mapped = (o) => Object.fromEntries(Object.entries(o).map(([k, v]) => [k, plain(v)]));

async function oracle(saver) {
	const threads = {}, all = [];
	for await (const t of saver.list({})) all.push(t.config.configurable);
	for (const { thread_id, checkpoint_ns = "", checkpoint_id } of all) {
		const t = await saver.getTuple({ configurable: { thread_id, checkpoint_ns, checkpoint_id } });
		const c = t.checkpoint, m = t.metadata;
		const part = ((threads[thread_id] ??= {})[checkpoint_ns] ??= { order: [], checkpoints: {} });
		part.order.push(checkpoint_id);
		part.checkpoints[checkpoint_id] = {
			parent: t.parentConfig?.configurable?.checkpoint_id ?? null, ts: c.ts, v: c.v,
			step: m.step, source: m.source, metadata: plain(m), channel_versions: c.channel_versions,
			versions_seen: c.versions_seen, updated_channels: null, values: mapped(c.channel_values),
			pending_writes: (t.pendingWrites ?? []).map(([a, b, v]) => [a, b, plain(v)]) };
	}
	return threads;
}

const [kind, where, ...rest] = process.argv.slice(2);
let saver;
if (kind === "sqlite") {
	saver = require("@langchain/langgraph-checkpoint-sqlite").SqliteSaver.fromConnString(where);
} else {
	const { PostgresSaver } = require("@langchain/langgraph-checkpoint-postgres");
	saver = PostgresSaver.fromConnString(where, { schema: rest.shift() });
	await saver.setup();
}
const raised = await fill(saver, rest[0]);
process.stdout.write(text({ threads: await oracle(saver), raised }));
if (kind === "pg") await saver.end();
