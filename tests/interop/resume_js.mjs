// JavaScript graphs that ask, alone, in parallel, twice in a node, in subgraphs; one that goes on
// without asking. Does what it is told to, in the order of the list, and prints what came of it:
//
//   JS_MODULES=build/js/node_modules resume_js.mjs sqlite PATH | pg URL SCHEMA
//
// stdin: [{"graph","do":"invoke|resume|until|copy|state|ids","config","with"},…]; stdout: as many results.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const require = createRequire(process.env.JS_MODULES + "/x.js");
const { StateGraph, Annotation, START, END, Send, Command, interrupt } =
	require("@langchain/langgraph");

let ran = [];
const State = () => Annotation.Root({ log: Annotation({ reducer: (a, b) => a.concat(b), default: () => [] }),
	n: Annotation({ reducer: (a, b) => Math.max(a, b), default: () => 0 }) });

const step = (name, asks = 0) => (s) => {
	const said = Array.from({ length: asks }, (_, time) => interrupt({ ask: name, time }));
	ran.push(name);
	return { log: [[name, ...said]], n: (s.n ?? 0) + 1 };
};

function chain(nodes, how = {}) {
	const g = new StateGraph(State());
	let last = START;
	for (const [name, node] of Object.entries(nodes)) {
		g.addNode(name, node).addEdge(last, name);
		last = name;
	}
	return g.addEdge(last, END).compile(how);
}

const graphs = {
	simple: (checkpointer) => chain({ plan: step("plan"), ask: step("ask", 1), act: step("act") }, { checkpointer }),
	repeated: (checkpointer) => chain({ plan: step("plan"), form: step("form", 3), act: step("act", 1) },
		{ checkpointer }),
	parallel: (checkpointer) => new StateGraph(State()).addNode("plan", step("plan"))
		.addNode("left", step("left", 1)).addNode("right", step("right", 1)).addNode("quiet", step("quiet"))
		.addNode("work", (s) => step("work " + s.n, s.n)(s)).addNode("join", step("join", 1))
		.addEdge(START, "plan")
		.addConditionalEdges("plan", () => ["left", "right", "quiet", new Send("work", { n: 0 }),
			new Send("work", { n: 1 })], ["left", "right", "quiet", "work"])
		.addEdge(["left", "right", "quiet"], "join").addEdge("join", END).compile({ checkpointer }),
	nested: (checkpointer) => chain({ open: step("open"),
		desk: chain({ before: step("before"), inner: chain({ leaf: step("leaf", 1), after: step("after", 1) }),
			sign: step("sign", 1) }),
		close: step("close") }, { checkpointer }),
	// its subgraph keeps a state of its own and is called again and again
	stateful: (checkpointer) => new StateGraph(State()).addNode("plan", step("plan"))
		.addNode("room", chain({ sit: step("sit"), stand: step("stand", 1) }, { checkpointer: true }))
		.addEdge(START, "plan").addEdge("plan", "room")
		.addConditionalEdges("room", (s) => s.n > 6 ? END : "plan", ["plan", END]).compile({ checkpointer }),
	plain: (checkpointer) => chain({ a: step("a"), b: step("b"), c: step("c"), d: step("d") }, { checkpointer }),
};

const stands = (s) => ({ values: s.values, next: s.next, step: s.metadata?.step, source: s.metadata?.source,
	id: s.config.configurable.checkpoint_id, parent: s.parentConfig?.configurable.checkpoint_id ?? null,
	asks: s.tasks.flatMap((t) => t.interrupts.map((i) => [i.id, i.value])) });

async function act(graph, { do: what, config, with: given }) {
	ran = [];
	if (what === "invoke") await graph.invoke(given ?? null, config);
	else if (what === "resume") await graph.invoke(new Command({ resume: given }), config);
	else if (what === "until") { // answers 1 until its n is this
		for (let s = await graph.getState(config); (s.values.n ?? 0) < given; s = await graph.getState(config))
			await graph.invoke(new Command({ resume: 1 }), config);
	} else if (what === "copy") await graph.updateState(config, null, "__copy__");
	else if (what === "ids") {
		const ids = [];
		for await (const s of graph.getStateHistory(config)) ids.push(s.config.configurable.checkpoint_id);
		return ids;
	}
	delete config.configurable.checkpoint_id;
	return { ran: ran.sort(), ...stands(await graph.getState(config)) };
}

const [kind, where, schema] = process.argv.slice(2);
let saver;
if (kind === "sqlite") {
	saver = require("@langchain/langgraph-checkpoint-sqlite").SqliteSaver.fromConnString(where);
} else {
	const { PostgresSaver } = require("@langchain/langgraph-checkpoint-postgres");
	saver = PostgresSaver.fromConnString(where, { schema });
	await saver.setup();
}
const out = [];
for (const one of JSON.parse(readFileSync(0))) out.push(await act(graphs[one.graph](saver), one));
process.stdout.write(JSON.stringify(out));
if (kind === "pg") await saver.end();
