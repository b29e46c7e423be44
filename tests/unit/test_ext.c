/*
 * test_ext.c - msgpack ext values and lc records as JSON. Bytes are what Python's own
 * serializer writes, where it can write them.
 */
#include "t.h"
#include "base.h"

static struct ckpt_render options;

static struct ckpt_view unhex(struct ckpt_buf *to, const char *hex)
{
	to->n = 0;
	for (; hex[0] && hex[1]; hex += 2) {
		uint8_t byte = (uint8_t)(hex_value(hex[0]) << 4 | hex_value(hex[1]));

		ckpt_buf_add(to, &byte, 1);
	}
	return ckpt_buf_view(to);
}

struct row {
	const char *name, *hex, *want;
};

static const struct row plain[] = {
	{ "set", "c7110093a86275696c74696e73a373657491a162", "[\"b\"]" },
	{ "set is sorted by text",
			"c7180093a86275696c74696e73a373657496a162a1610a099102c0",
			"[\"a\",\"b\",10,9,[2],null]" },
	{ "deque", "c7160093ab636f6c6c656374696f6e73a56465717565920201", "[2,1]" },
	{ "uuid",
			"c72d0093a475756964a455554944d92030303030303030303030303030303030"
			"30303030303030303030303030303464",
			"\"00000000-0000-0000-0000-00000000004d\"" },
	{ "langgraph's own uuid",
			"c7450093bc6c616e6767726170682e636865636b706f696e742e626173652e69"
			"64a455554944d920303030303030303030303030303030303030303030303030"
			"3030303030303066",
			"\"00000000-0000-0000-0000-00000000000f\"" },
	{ "no uuid", "c70e0093a475756964a455554944a27a7a", "\"zz\"" },
	{ "decimal", "c7160093a7646563696d616ca7446563696d616ca4312e3130", "\"1.10\"" },
	{ "ip", "c71b0093a9697061646472657373ab4950763641646472657373a33a3a31",
			"\"::1\"" },
	{ "zone",
			"c7200093a87a6f6e65696e666fa85a6f6e65496e666fac4575726f70652f5061"
			"726973",
			"\"Europe/Paris\"" },
	{ "path", "c71c0193a7706174686c6962a9506f7369785061746893a12fa161a3622263",
			"\"/a/b\\\"c\"" },
	{ "relative path", "c7180193a7706174686c6962a9506f7369785061746892a161a162",
			"\"a/b\"" },
	{ "empty path", "c7140193a7706174686c6962a9506f7369785061746890", "\".\"" },
	{ "path of 3.13",
			"c71d0193ae706174686c69622e5f6c6f63616ca9506f7369785061746891a12"
			"f",
			"\"/\"" },
	{ "windows path",
			"c71e0193a7706174686c6962ab57696e646f77735061746893a3433a5ca161a1"
			"62",
			"\"C:\\\\a\\\\b\"" },
	{ "pattern", "c7110193a27265a7636f6d70696c6592a2782b22",
			"{\"pattern\":\"x+\",\"flags\":34}" },
	{ "datetime",
			"c7430394a86461746574696d65a86461746574696d65d920323032342d30392d"
			"30315430323a30333a30342e3030303030352b30303a3030ad66726f6d69736f"
			"666f726d6174",
			"\"2024-09-01T02:03:04.000005+00:00\"" },
	{ "date", "c7150193a86461746574696d65a46461746593cd07e80901", "\"2024-09-01\"" },
	{ "no date", "c7150193a86461746574696d65a46461746593cd07e80d01", "[2024,13,1]" },
	{ "time",
			"c7410293a86461746574696d65a474696d6586a4686f757201a66d696e757465"
			"02a67365636f6e6403ab6d6963726f7365636f6e6400a6747a696e666fc0a466"
			"6f6c6400",
			"\"01:02:03\"" },
	{ "time with all",
			"c7760293a86461746574696d65a474696d6586a4686f757201a66d696e757465"
			"02a67365636f6e6403ab6d6963726f7365636f6e6404a6747a696e666fc73301"
			"93a86461746574696d65a874696d657a6f6e6591c71c0193a86461746574696d"
			"65a974696d6564656c746193ffce0001204800a4666f6c6401",
			"\"01:02:03.000004-03:30\"" },
	{ "time with a zone",
			"c7630293a86461746574696d65a474696d6586a4686f757201a66d696e757465"
			"02a67365636f6e6400ab6d6963726f7365636f6e6400a6747a696e666fc72000"
			"93a87a6f6e65696e666fa85a6f6e65496e666fac4575726f70652f5061726973"
			"a4666f6c6400",
			"\"01:02:00\"" },
	{ "timedelta", "c7180193a86461746574696d65a974696d6564656c746193010203",
			"{\"$timedelta\":86402.000003}" },
	{ "negative timedelta",
			"c7200193a86461746574696d65a974696d6564656c746193ffce0001517fce00"
			"0f423f",
			"{\"$timedelta\":-1e-06}" },
	{ "longest timedelta",
			"c7240193a86461746574696d65a974696d6564656c746193ce3b9ac9ffce0001"
			"517fce000f423f",
			"{\"$timedelta\":86400000000000.0}" },
	{ "timezone",
			"c7310193a86461746574696d65a874696d657a6f6e6591c71a0193a864617465"
			"74696d65a974696d6564656c74619300cd1c2000",
			"\"+02:00\"" },
	{ "timezone with seconds",
			"c7330193a86461746574696d65a874696d657a6f6e6591c71c0193a864617465"
			"74696d65a974696d6564656c746193ffce0001436b00",
			"\"-01:00:05\"" },
	{ "named timezone",
			"c7310193a86461746574696d65a874696d657a6f6e6592c7180193a864617465"
			"74696d65a974696d6564656c746193000000a158",
			"\"+00:00\"" },
	{ "secret",
			"c71f0093ae707964616e7469632e7479706573a9536563726574537472a46875"
			"7368",
			"\"**********\"" },
	{ "secret bytes",
			"c7220093ae707964616e7469632e7479706573ab5365637265744279746573c4"
			"0468757368",
			"\"**********\"" },
	{ "secret of pydantic 1",
			"c7220093b1707964616e7469632e76312e7479706573a9536563726574537472"
			"a468757368",
			"\"**********\"" },
	{ "send", "c71d0193af6c616e6767726170682e7479706573a453656e6492a17781a16b01",
			"{\"node\":\"w\",\"arg\":{\"k\":1}}" },
	{ "send with a timeout",
			"c7700193af6c616e6767726170682e7479706573a453656e6493a17701c75302"
			"93af6c616e6767726170682e7479706573ad54696d656f7574506f6c69637983"
			"ab72756e5f74696d656f7574cb4008000000000000ac69646c655f74696d656f"
			"7574c0aa726566726573685f6f6ea46175746f",
			"{\"node\":\"w\",\"arg\":1,\"timeout\":{\"run_timeout\":3.0,"
			"\"idle_timeout\":null,\""
			"refresh_on\":\"auto\"}}" },
	{ "send of old",
			"c71e0193b36c616e6767726170682e636f6e7374616e7473a453656e6492a177"
			"c0",
			"{\"node\":\"w\",\"arg\":null}" },
	{ "interrupt",
			"c75a0293af6c616e6767726170682e7479706573a9496e7465727275707483a5"
			"76616c7565a171a26964d9203030303030303030303030303030303030303030"
			"303030303030303030303030af726573706f6e73655f736368656d61c0",
			"{\"id\":\"00000000000000000000000000000000\",\"value\":\"q\"}" },
	{ "interrupt with a schema",
			"c7460293af6c616e6767726170682e7479706573a9496e7465727275707483a5"
			"76616c7565a171a26964a169af726573706f6e73655f736368656d6181a47479"
			"7065a6737472696e67",
			"{\"id\":\"i\",\"value\":\"q\",\"response_schema\":{\"type\":"
			"\"string\"}}" },
	{ "interrupt with a namespace",
			"c7620293af6c616e6767726170682e7479706573a9496e7465727275707484a5"
			"76616c756501a9726573756d61626c65c3a26e7393ab6c65676163793a746573"
			"74ac776974683a636f6d706c6578aa6e616d653a7370616365a47768656ea664"
			"7572696e67",
			"{\"id\":\"e69356a9ee3630ee7f4f597f2693000c\",\"value\":1}" },
	{ "interrupt without id",
			"c72f0293af6c616e6767726170682e7479706573a9496e7465727275707482a5"
			"76616c756501a47768656ea6647572696e67",
			"{\"id\":\"placeholder-id\",\"value\":1}" },
	{ "overwrite",
			"c7360293af6c616e6767726170682e7479706573a94f766572777269746582a5"
			"76616c756590a474797065ad5f5f6f76657277726974655f5f",
			"{\"value\":[],\"type\":\"__overwrite__\"}" },
	{ "enum", "d80093a3617070a6436f6c6f7572a3726564", "\"red\"" },
	{ "unknown class, args", "c70a0193a3617070a143920102", "[1,2]" },
	{ "unknown class, kwargs", "c70b0293a3617070a14381a16101", "{\"a\":1}" },
	{ "unknown class, method", "c70d0394a3617070a14305a46d616b65", "5" },
	{ "pydantic 1", "c70b0493a3617070a14d81a16101", "{\"a\":1}" },
	{ "pydantic 2",
			"c71f0594a3617070a14d81a16101b36d6f64656c5f76616c69646174655f6a73"
			"6f6e",
			"{\"a\":1}" },
	{ "snapshot", "c7030791a161", "[\"a\"]" },
	{ "sentinel", "c70008", "null" },
	{ "class with an odd map", "c70a0293a3617070a143810102", "{\"$map\":[[1,2]]}" },
	{ "class as a key", "81c7090093a3617070a145a16101", "{\"$map\":[[\"a\",1]]}" },
	{ "sets in a set",
			"c7440093a86275696c74696e73a373657492c7170093a86275696c74696e73a9"
			"66726f7a656e736574920201c7180093a86275696c74696e73a966726f7a656e"
			"73657493010200",
			"[[0,1,2],[1,2]]" },
};

static const struct row typed[] = {
	{ "uuid",
			"c72d0093a475756964a455554944d92030303030303030303030303030303030"
			"30303030303030303030303030303464",
			"{\"$type\":\"uuid.UUID\",\"value\":"
			"\"0000000000000000000000000000004d\"}" },
	{ "set keeps its order", "c7130093a86275696c74696e73a373657492a162a161",
			"{\"$type\":\"builtins.set\",\"value\":[\"b\",\"a\"]}" },
	{ "nested",
			"c7310193a86461746574696d65a874696d657a6f6e6591c71a0193a864617465"
			"74696d65a974696d6564656c74619300cd1c2000",
			"{\"$type\":\"datetime.timezone\",\"value\":[{\"$type\":"
			"\"datetime.timedelta\",\"v"
			"alue\":[0,7200,0]}]}" },
	{ "datetime",
			"c7350394a86461746574696d65a86461746574696d65b3323032342d30392d30"
			"315430303a30303a3030ad66726f6d69736f666f726d6174",
			"{\"$type\":\"datetime.datetime\",\"value\":\"2024-09-01T00:00:"
			"00\"}" },
	{ "snapshot", "d40790",
			"{\"$type\":\"langgraph.checkpoint.serde.types._DeltaSnapshot\","
			"\"value\":[]}" },
	{ "secret",
			"c71f0093ae707964616e7469632e7479706573a9536563726574537472a46875"
			"7368",
			"{\"$type\":\"pydantic.types.SecretStr\",\"value\":\"**********"
			"\"}" },
	{ "fields with a dollar", "c70c0293a3617070a14381a2246101",
			"{\"$type\":\"app.C\",\"value\":{\"$$a\":1}}" },
	{ "unknown code", "d5096162",
			"{\"$type\":\"ext:9\",\"value\":{\"$bytes\":\"YWI=\"}}" },
	{ "array", "c70f0694a33c69329102a143c40401000200",
			"{\"$type\":\"numpy.ndarray\",\"value\":{\"dtype\":\"<i2\","
			"\"shape\":[2],\"order\":\"C"
			"\",\"data\":\"AQACAA==\"}}" },
};

static const struct {
	const char *name, *hex;
} opaque[] = {
	{ "unknown code", "d5096162" },
	{ "negative code", "d4ff00" },
	{ "no array", "d400c0" },
	{ "too short", "c7050092a161a162" },
	{ "too long", "c7070094a161a1620102" },
	{ "no names", "d60293010280" },
	{ "cut short", "c7050093a161a162" },
	{ "bytes behind", "c7070093a161a162c0c0" },
	{ "sentinel with bytes", "d408c0" },
	{ "empty snapshot", "c70007" },
	{ "no numpy", "c7130694a33c66389103a143c4083132333435363738" },
	{ "overflow", "c7150694a33c663893cf40000000000000000404a143c400" },
};

static const struct {
	const char *json, *want;
} records[] = {
#define LC2(id, rest) "{\"lc\":2,\"type\":\"constructor\",\"id\":[" id "]," rest "}"
#define ARGS(args) "\"method\":null,\"args\":[" args "],\"kwargs\":{}"
	{ LC2("\"builtins\",\"set\"", ARGS("[\"b\",\"a\"]")), "[\"a\",\"b\"]" },
	{ LC2("\"builtins\",\"frozenset\"", ARGS("")), "[]" },
	{ LC2("\"collections\",\"deque\"", "\"args\":[[2,1]]"), "[2,1]" },
	{ LC2("\"builtins\",\"bytes\"", ARGS("\"00ff\"")), "{\"$bytes\":\"AP8=\"}" },
	{ LC2("\"datetime\",\"datetime\"", ARGS("\"2024-09-01T02:03:04\"")),
			"\"2024-09-01T02:03:04\"" },
	{ LC2("\"datetime\",\"date\"", ARGS("2024,9,1")), "\"2024-09-01\"" },
	{ LC2("\"datetime\",\"time\"", "\"args\":[1,2,3,4,null],\"kwargs\":{\"fold\":0}"),
			"\"01:02:03.000004\"" },
	{ LC2("\"datetime\",\"timezone\"",
			  ARGS(LC2("\"datetime\",\"timedelta\"", ARGS("0,7200,0")))),
			"\"+02:00\"" },
	{ LC2("\"uuid\",\"UUID\"", ARGS("\"0000000000000000000000000000004d\"")),
			"\"00000000-0000-0000-0000-00000000004d\"" },
	{ LC2("\"pathlib\",\"Path\"", ARGS("\"/\",\"a\",\"b\"")), "\"/a/b\"" },
	{ LC2("\"re\",\"compile\"", ARGS("\"x+\",34")),
			"{\"pattern\":\"x+\",\"flags\":34}" },
	{ LC2("\"app\",\"Colour\"", ARGS("\"red\"")), "\"red\"" },
	{ LC2("\"app\",\"Invoice\"", "\"args\":[],\"kwargs\":{\"a\":1}"), "{\"a\":1}" },
	{ LC2("\"app\",\"Both\"", "\"args\":[1],\"kwargs\":{\"a\":1}"),
			"{\"args\":[1],\"kwargs\":{\"a\":1}}" },
	{ LC2("\"app\",\"None\"", "\"args\":[]"),
			LC2("\"app\",\"None\"", "\"args\":[]") },
	{ LC2("\"langgraph\",\"types\",\"Send\"",
			  "\"kwargs\":{\"node\":\"w\",\"arg\":[1]}"),
			"{\"node\":\"w\",\"arg\":[1]}" },
	{ LC2("\"langgraph\",\"types\",\"Interrupt\"",
			  "\"args\":[],\"kwargs\":{\"value\":\"q\",\"when\":\"during\"}"),
			"{\"id\":\"placeholder-id\",\"value\":\"q\"}" },
	{ LC2("\"Set\"", ARGS("[\"b\",\"a\",3]")), "[\"a\",\"b\",3]" },
	{ LC2("\"Map\"", ARGS("[[\"k\",1],[2,{}]]")), "{\"$map\":[[\"k\",1],[2,{}]]}" },
	{ LC2("\"RegExp\"", ARGS("\"^a\",\"gi\"")),
			"{\"pattern\":\"^a\",\"flags\":\"gi\"}" },
	{ LC2("\"Error\"", ARGS("\"boom\"")), "\"Error: boom\"" },
	{ LC2("\"Uint8Array\"", "\"method\":\"from\",\"args\":[[0,255]]"),
			"{\"$bytes\":\"AP8=\"}" },
	{ "[{\"lc\":2,\"type\":\"undefined\"}]", "[null]" },
	{ "{\"lc\":2,\"type\":\"delta_snapshot\",\"value\":[1]}", "[1]" },
	{ "{\"lc\":1,\"type\":\"constructor\",\"id\":[\"langchain_core\",\"messages\","
	  "\"HumanMessage\"],\"kwargs\":{\"id\":\"h\",\"content\":\"hi\"}}",
			"{\"type\":\"HumanMessage\",\"id\":\"h\",\"content\":\"hi\"}" },
	{ "{\"lc\":1,\"type\":\"constructor\",\"id\":[\"langchain\",\"schema\","
	  "\"messages\","
	  "\"HumanMessage\"],\"kwargs\":{\"content\":\"hi\",\"type\":\"human\"}}",
			"{\"content\":\"hi\",\"type\":\"human\","
			"\"additional_kwargs\":{},\"response_metadata\":{},"
			"\"name\":null,\"id\":null}" },
	{ "{\"lc\":1,\"type\":\"constructor\",\"id\":[\"langchain\",\"schema\","
	  "\"messages\",\"ToolMessage\"],\"kwargs\":{\"type\":\"tool\",\"name\":\"t\","
	  "\"id\":\"i\",\"additional_kwargs\":{\"a\":1},\"response_metadata\":{}}}",
			"{\"type\":\"tool\",\"name\":\"t\",\"id\":\"i\","
			"\"additional_kwargs\":{\"a\":1},\"response_metadata\":{},"
			"\"artifact\":null,\"status\":\"success\"}" },
	{ "{\"lc\":1,\"type\":\"not_implemented\",\"id\":[\"a\"],\"repr\":\"<A>\"}",
			"\"<A>\"" },
	{ "{\"lc\":1,\"type\":\"secret\",\"id\":[\"KEY\"]}", "\"**********\"" },
	{ "{\"id\":[\"Set\"],\"lc\":2,\"args\":[[1]],\"type\":\"constructor\"}", "[1]" },
	{ "{\"lc\":3,\"type\":\"undefined\"}", "{\"lc\":3,\"type\":\"undefined\"}" },
	{ "{\"lc\":2}", "{\"lc\":2}" },
};

static const struct {
	const char *json, *want;
} typed_records[] = {
	{ LC2("\"Set\"", ARGS("[\"b\",\"a\"]")),
			"{\"$type\":\"Set\",\"value\":[[\"b\",\"a\"]]}" },
	{ LC2("\"app\",\"C\"", "\"kwargs\":{\"$a\":1}"),
			"{\"$type\":\"app.C\",\"value\":{\"$$a\":1}}" },
	{ "{\"lc\":2,\"type\":\"undefined\"}",
			"{\"$type\":\"undefined\",\"value\":null}" },
};

static void run(const struct row *rows, size_t n)
{
	struct ckpt_buf bytes = { 0 }, out = { 0 };
	size_t i;

	for (i = 0; i < n; i++) {
		out.n = 0;
		ckpt_render_value(&out, CKPT_LIT("msgpack"), unhex(&bytes, rows[i].hex),
				&options);
		same(out.p, out.n, rows[i].want, rows[i].name);
	}
	ckpt_buf_free(&bytes);
	ckpt_buf_free(&out);
}

static void run_json(const char *json, const char *want)
{
	struct ckpt_buf out = { 0 };

	ckpt_render_value(&out, CKPT_LIT("json"), ckpt_view_of(json), &options);
	same(out.p, out.n, want, json);
	ckpt_buf_free(&out);
}

static void test_opaque(void)
{
	struct ckpt_buf bytes = { 0 }, out = { 0 };
	size_t i;

	for (i = 0; i < sizeof(opaque) / sizeof(opaque[0]); i++) {
		int rc;

		out.n = 0;
		rc = ckpt_render_value(&out, CKPT_LIT("msgpack"),
				unhex(&bytes, opaque[i].hex), &options);
		ok(rc == 0 && out.n > 16 && memcmp(out.p, "{\"$opaque\":\"ext:", 16) == 0,
				"%s", opaque[i].name);
	}
	ckpt_buf_free(&bytes);
	ckpt_buf_free(&out);
}

static void note(void *arg, struct ckpt_view module, struct ckpt_view name)
{
	ckpt_buf_addf(arg, "%.*s.%.*s ", (int)module.n, (const char *)module.p,
			(int)name.n, (const char *)name.p);
}

static void test_seen(void)
{
	struct ckpt_buf bytes = { 0 }, out = { 0 }, names = { 0 };
	struct ckpt_render opt = { .seen = note, .arg = &names };

	ckpt_render_value(&out, CKPT_LIT("json"),
			ckpt_view_of(LC2("\"app\",\"C\"",
					"\"args\":[" LC2("\"Set\"", ARGS("[]")) "]")),
			&opt);
	ckpt_render_value(&out, CKPT_LIT("msgpack"), unhex(&bytes, typed[2].hex), &opt);
	same(names.p, names.n, "app.C datetime.timezone datetime.timedelta ",
			"classes are told once each");
	ckpt_buf_free(&bytes);
	ckpt_buf_free(&out);
	ckpt_buf_free(&names);
}

int main(void)
{
	size_t i;

	run(plain, sizeof(plain) / sizeof(plain[0]));
	test_opaque();
	test_seen();
	for (i = 0; i < sizeof(records) / sizeof(records[0]); i++)
		run_json(records[i].json, records[i].want);
	options.typed = true;
	run(typed, sizeof(typed) / sizeof(typed[0]));
	for (i = 0; i < sizeof(typed_records) / sizeof(typed_records[0]); i++)
		run_json(typed_records[i].json, typed_records[i].want);
	options = (struct ckpt_render){ .reveal_secrets = true };
	run_json(LC2("\"pydantic\",\"types\",\"SecretStr\"", ARGS("\"hush\"")),
			"\"hush\"");
	return done();
}
