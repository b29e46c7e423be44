/*
 * test_types.c - which classes the library's strict mode revives.
 */
#include "t.h"
#include "base.h"

static const struct {
	const char *module, *name;
	bool safe;
} cases[] = {
	{ "builtins", "set", true },
	{ "builtins", "se", false },
	{ "builtins", "sets", false },
	{ "builtins", "eval", false },
	{ "builtins", "", false },
	{ "", "set", false },
	{ "builtins.set", "", false },
	{ "", "", false },
	{ "langgraph.types", "Send", true },
	{ "langgraph", "types.Send", false },
	{ "langgraph.constants", "Send", false },
	{ "zoneinfo", "ZoneInfo", true },
	{ "pathlib._local", "WindowsPath", true },
	{ "langchain_core.messages.ai", "AIMessage", true },
	{ "langchain_core.messages.ai", "AIMessageChunk", true },
	{ "pydantic.types", "SecretStr", false },
	{ "zzz", "Z", false },
};

int main(void)
{
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		ok(ckpt_type_safe(ckpt_view_of(cases[i].module),
				   ckpt_view_of(cases[i].name)) == cases[i].safe,
				"%s.%s", cases[i].module, cases[i].name);
	}
	ok(!ckpt_type_safe((struct ckpt_view){ NULL, 0 }, CKPT_LIT("x")), "no module");
	return done();
}
