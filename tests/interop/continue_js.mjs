// A graph of JavaScript's LangGraph that asks, fans out, fails and remembers in a subgraph: threads
// that stand at every place of it, or what becomes of them when they go on; that is printed.
//
//   JS_MODULES=build/js/node_modules continue_js.mjs sqlite PATH | pg URL SCHEMA, then start | go
//
// `start` leaves thread n after n turns. `go` takes three more turns in each thread and prints what
// getState, the answers and getStateHistory say, without ids and times: those are new each time.
import { createRequire } from "node:module";

const require = createRequire(process.env.JS_MODULES + "/x.js");
const { StateGraph, Annotation, START, END, Send, Command, interrupt } =
	require("@langchain/langgraph");

const THREADS = 9;
const log = () => Annotation({ reducer: (a, b) => a.concat(b), default: () => [] });
const State = Annotation.Root({ log: log(), last: Annotation(), bytes: Annotation(),
	n: Annotation({ reducer: (a, b) => a + b, default: () => 0 }) });

function memory() { // keeps its own checkpoints, in a namespace of its own
	return new StateGraph(Annotation.Root({ log: log(), seen: log() }))
		.addNode("note", (s) => ({ seen: ["note " + s.seen.length], log: ["inner " + s.seen.length] }))
		.addEdge(START, "note").compile({ checkpointer: true });
}

function build(checkpointer) {
	return new StateGraph(State)
		.addNode("plan", (s) => ({ log: ["plan"], n: 1, bytes: new Uint8Array([s.n, 0, 255]) }))
		.addNode("ask", (s) => {
			const answer = interrupt({ question: "go on?", n: s.n });
			return { log: ["told " + JSON.stringify(answer)], last: { answer, when: [s.n, null] } };
		})
		.addNode("inner", memory())
		.addNode("work", (s) => {
			if (s.item === 1) return { log: ["chose " + interrupt("which, " + s.item + "?")], n: 10 };
			return { log: ["work " + s.item], n: 10 };
		})
		.addNode("review", (s) => {
			if (s.log.includes("break") && !s.log.includes("mended")) throw new Error("broke");
			return { log: ["review"], last: new Map([["n", s.n]]) };
		})
		.addEdge(START, "plan").addEdge("plan", "ask").addEdge("ask", "inner")
		.addConditionalEdges("inner", () => [0, 1, 2].map((item) => new Send("work", { item })), ["work"])
		.addEdge("work", "review").addEdge("review", END)
		.compile({ checkpointer });
}

async function turn(graph, config, number) {
	const now = await graph.getState(config);
	const pending = now.tasks.flatMap((t) => t.interrupts);

	if (pending.length) return graph.invoke(new Command({ resume: { yes: number } }), config);
	if (now.tasks.some((t) => t.error)) {
		await graph.updateState(config, { log: ["mended"] }, "work");
		return graph.invoke(null, config);
	}
	return graph.invoke({ log: [number % 2 ? "break" : "in"] }, config);
}

const plain = (v) => v instanceof Uint8Array ? ["bytes", ...v]
	: v instanceof Map ? ["map", ...v] : Array.isArray(v) ? v.map(plain)
	: v && typeof v === "object" ? Object.fromEntries(Object.entries(v).filter(([k]) => k !== "__interrupt__")
		.map(([k, x]) => [k, plain(x)])) : v;
const stands = (s) => ({ values: plain(s.values), next: s.next, step: s.metadata?.step,
	source: s.metadata?.source, tasks: s.tasks.map((t) => ({ name: t.name, error: !!t.error,
		asks: t.interrupts.map((i) => plain(i.value)) })) });

async function goOn(graph, config, number) {
	const out = [stands(await graph.getState(config))];
	for (let i = 0; i < 3; i++) {
		try {
			out.push(plain(await turn(graph, config, number + i)));
		} catch (e) {
			out.push("raised " + e.message);
		}
		out.push(stands(await graph.getState(config)));
	}
	for await (const s of graph.getStateHistory(config)) out.push(stands(s));
	return out;
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
const graph = build(saver), out = {};
for (let n = 0; n < THREADS; n++) {
	const config = { configurable: { thread_id: "go " + n } };
	if (rest[0] === "go") {
		out[n] = await goOn(graph, config, n);
		continue;
	}
	for (let i = 0; i <= n; i++) await turn(graph, config, i).catch(() => null);
}
process.stdout.write(JSON.stringify(out));
if (kind === "pg") await saver.end();
