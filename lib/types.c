/*
 * types.c - the classes that LangGraph's strict mode revives from msgpack.
 *
 * The list of langgraph-checkpoint 4.3.2, sorted by bytes. What a class looks like when it is
 * shown is in ext.c.
 */
#include <stdlib.h>
#include <string.h>

#include "base.h"

static const char *const safe_types[] = {
	"builtins.frozenset",
	"builtins.set",
	"collections.deque",
	"datetime.date",
	"datetime.datetime",
	"datetime.time",
	"datetime.timedelta",
	"datetime.timezone",
	"decimal.Decimal",
	"ipaddress.IPv4Address",
	"ipaddress.IPv4Interface",
	"ipaddress.IPv4Network",
	"ipaddress.IPv6Address",
	"ipaddress.IPv6Interface",
	"ipaddress.IPv6Network",
	"langchain_core.documents.base.Document",
	"langchain_core.messages.ai.AIMessage",
	"langchain_core.messages.ai.AIMessageChunk",
	"langchain_core.messages.base.BaseMessage",
	"langchain_core.messages.base.BaseMessageChunk",
	"langchain_core.messages.chat.ChatMessage",
	"langchain_core.messages.chat.ChatMessageChunk",
	"langchain_core.messages.function.FunctionMessage",
	"langchain_core.messages.function.FunctionMessageChunk",
	"langchain_core.messages.human.HumanMessage",
	"langchain_core.messages.human.HumanMessageChunk",
	"langchain_core.messages.modifier.RemoveMessage",
	"langchain_core.messages.system.SystemMessage",
	"langchain_core.messages.system.SystemMessageChunk",
	"langchain_core.messages.tool.ToolMessage",
	"langchain_core.messages.tool.ToolMessageChunk",
	"langgraph.store.base.GetOp",
	"langgraph.store.base.Item",
	"langgraph.types.Command",
	"langgraph.types.Interrupt",
	"langgraph.types.Overwrite",
	"langgraph.types.PregelTask",
	"langgraph.types.Send",
	"langgraph.types.StateSnapshot",
	"langgraph.types.TimeoutPolicy",
	"pathlib.Path",
	"pathlib.PosixPath",
	"pathlib.WindowsPath",
	"pathlib._local.Path",
	"pathlib._local.PosixPath",
	"pathlib._local.WindowsPath",
	"re.compile",
	"uuid.UUID",
	"zoneinfo.ZoneInfo",
};

struct class
{
	struct ckpt_view module, name;
};

/* A class against "module.Name", without joining the two. */
static int compare(const void *a, const void *b)
{
	const struct class *class = a;
	const char *text = *(const char *const *)b;
	size_t dot = class->module.n;
	struct ckpt_view whole = ckpt_view_of(text), rest = { text, 0 };
	int cmp;

	if (whole.n < dot + 1)
		return ckpt_view_cmp(class->module, whole) < 0 ? -1 : 1;
	cmp = memcmp(class->module.p, text, dot);
	if (cmp)
		return cmp;
	if (text[dot] != '.')
		return '.' < text[dot] ? -1 : 1;
	rest = (struct ckpt_view){ text + dot + 1, whole.n - dot - 1 };
	return ckpt_view_cmp(class->name, rest);
}

bool ckpt_type_safe(struct ckpt_view module, struct ckpt_view name)
{
	struct class class = { module, name };

	/* The last dot divides the texts above. */
	if (!module.p || !name.p || !name.n || memchr(name.p, '.', name.n))
		return false;
	return bsearch(&class, safe_types, sizeof(safe_types) / sizeof(safe_types[0]),
			       sizeof(safe_types[0]), compare) != NULL;
}
