// What the JavaScript savers read of each checkpoint: prints {"KEY": {…}}, KEY being the JSON of
// [thread, namespace, id]. Which are asked for comes as JSON on standard input.
//
//   JS_MODULES=build/js/node_modules convert_js.mjs sqlite PATH | pg URL [SCHEMA [setup]] <KEYS
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";

const require = createRequire(process.env.JS_MODULES + "/x.js");
const [kind, where, schema = "public", first] = process.argv.slice(2);

function saver() {
	if (kind === "sqlite")
		return require("@langchain/langgraph-checkpoint-sqlite").SqliteSaver.fromConnString(where);
	return require("@langchain/langgraph-checkpoint-postgres").PostgresSaver.fromConnString(where,
		{ schema });
}

const out = {}, s = saver();
if (first === "setup")
	await s.setup();
for (const [thread_id, checkpoint_ns, checkpoint_id] of JSON.parse(readFileSync(0, "utf8"))) {
	const t = await s.getTuple({ configurable: { thread_id, checkpoint_ns, checkpoint_id } });
	const { channel_values, channel_versions, versions_seen, ...rest } = t.checkpoint;
	out[JSON.stringify([thread_id, checkpoint_ns, checkpoint_id])] = {
		values: channel_values, versions: channel_versions, seen: versions_seen, rest,
		metadata: t.metadata, writes: t.pendingWrites,
		parent: t.parentConfig?.configurable.checkpoint_id ?? null,
	};
}
// as the saver itself writes it: sets, maps and bytes are told apart
process.stdout.write((await s.serde.dumpsTyped(out))[1]);
if (kind === "pg")
	await s.end();
