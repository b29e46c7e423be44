#!/usr/bin/env bats
# ckpt list: threads, checkpoints, filters, order, forms; exit codes and messages.

# shellcheck disable=SC2030,SC2031,SC2034,SC2154  # each test is a subshell of bats
load helper
load stores

setup() {
	alone || return
	db=$(store py-hitl)
}

list() {
	apart ckpt list -s "$db" "$@"
}

ids_of() { # THREAD [SQL]: as the saver lists them
	sqlite3 "$db" "SELECT checkpoint_id FROM checkpoints WHERE thread_id='$1'
		AND checkpoint_ns='' ${2:-} ORDER BY checkpoint_id DESC"
}

# ---- threads ------------------------------------------------------------------------------------

@test "threads: four porcelain columns, full ids, ISO times" {
	list
	works
	same columns "$(awk -F'\t' '{ print NF }' <<<"$stdout" | sort -u)" 4
	same count "$(wc -l <<<"$stdout")" 34
	same row "$(awk -F'\t' '$1 == "forked"' <<<"$stdout" | cut -f 1,2,4)" \
		$'forked\t11\t1f1a779a-13ab-6293-8006-78eabc1997f4'
	[[ $(awk -F'\t' '$1 == "forked" { print $3 }' <<<"$stdout") =~ ^20[0-9-]+T[0-9:.]+Z$ ]]
}

@test "threads: counts of all namespaces, latest of the root" {
	list --json --thread-glob nested-pending
	works
	data 'd["data"][0]["checkpoints"], d["data"][0]["namespaces"]' "[8, 3]"
	data 'd["data"][0]["latest"]' "$(ids_of nested-pending | head -1)"
}

@test "threads: JSON keys in their order, -l adds to them" {
	list --json --limit 1
	works
	data 'list(d)' '["format", "store", "data", "summary"]'
	data 'd["format"]' ckpt.list/1
	data '[d["store"][k] for k in ("engine", "layout", "writers")]' '["sqlite", "langgraph", ["python"]]'
	data 'list(d["data"][0])' '["thread", "namespaces", "checkpoints", "first", "last", "latest"]'
	list --json --limit 1 -l
	works
	data 'list(d["data"][0])[6:]' \
		'["heads", "bytes", "step", "source", "status", "interrupts", "metadata"]'
}

@test "threads: last active first, ties by thread bytes" {
	list --json
	works
	data 'd["data"] == sorted(sorted(d["data"], key=lambda r: r["thread"].encode()), key=lambda r: r["last"], reverse=True)' true
}

@test "threads: --reverse turns the order round" {
	list --ids
	local forward=$stdout
	list --ids --reverse
	works
	same order "$(tac <<<"$stdout")" "$forward"
}

@test "threads: --sort first, checkpoints, bytes, thread" {
	list --sort thread --ids
	works
	same thread "$stdout" "$(LC_ALL=C sort <<<"$stdout")"
	list --sort checkpoints --json
	works
	data '[r["checkpoints"] for r in d["data"]] == sorted((r["checkpoints"] for r in d["data"]), reverse=True)' true
	list --sort first --json
	works
	data '[r["first"] for r in d["data"]] == sorted((r["first"] for r in d["data"]), reverse=True)' true
	list --sort bytes --json -l
	works
	data '[r["bytes"] for r in d["data"]] == sorted((r["bytes"] for r in d["data"]), reverse=True)' true
	list --sort size
	fails 2 size
}

@test "threads: --limit; the summary counts what is shown" {
	list --limit 3 --json
	works
	data 'len(d["data"]), d["summary"]["threads"]' "[3, 3]"
	data 'sum(r["checkpoints"] for r in d["data"]) == d["summary"]["checkpoints"]' true
	list --limit 0
	fails 2 limit
	list --limit x
	fails 2 limit
}

@test "threads: a limit gives the same rows as the whole list" {
	list --json
	local all=$stdout
	list --json --limit 5
	works
	same rows "$(json 'd["data"]')" "$(stdout=$all json 'd["data"][:5]')"
}

@test "threads: --ids" {
	list --ids
	works
	same ids "$(LC_ALL=C sort <<<"$stdout")" \
		"$(sqlite3 "$db" 'SELECT DISTINCT thread_id FROM checkpoints' | LC_ALL=C sort)"
	list --ids --json
	works
	data 'list(d["data"][0])' '["thread"]'
}

@test "threads: -l porcelain appends the keys of -l" {
	list -l
	works
	same columns "$(awk -F'\t' '{ print NF }' <<<"$stdout" | sort -u)" 11
	same heads "$(awk -F'\t' '$1 == "forked-three" { print $5 }' <<<"$stdout")" 3
	same source "$(awk -F'\t' '$1 == "forked-three" { print $8 }' <<<"$stdout")" update
}

@test "threads: --thread-glob; what matches nothing is no failure" {
	list --thread-glob 'ask-*' --ids --sort thread
	works
	same matches "$(tr '\n' ' ' <<<"$stdout")" \
		"ask-abandoned ask-answered ask-both ask-forked ask-pending ask-second-pending "
	list --thread-glob 'f[a-i]*d' --ids --sort thread
	works
	same class "$stdout" $'failed\nfailed-handled\nfailed-then-retried\nfinished'
	list --thread-glob 'no such*'
	works
	same nothing "$stdout" ""
}

# ---- checkpoints --------------------------------------------------------------------------------

@test "checkpoints: five columns, newest first, as the saver lists them" {
	list forked
	works
	same columns "$(awk -F'\t' '{ print NF }' <<<"$stdout" | sort -u)" 5
	same ids "$(cut -f 3 <<<"$stdout")" "$(ids_of forked)"
	same parents "$(cut -f 4 <<<"$stdout")" "$(sqlite3 "$db" "SELECT ifnull(parent_checkpoint_id,'')
		FROM checkpoints WHERE thread_id='forked' ORDER BY checkpoint_id DESC")"
}

@test "checkpoints: JSON keys in their order, -l adds to them" {
	list forked --json
	works
	data 'list(d["data"][0])' '["thread", "ns", "id", "parent", "parent_present", "time", "head"]'
	data 'd["data"][-1]["parent"]' null
	data 'd["summary"]' '{"threads": 1, "checkpoints": 11}'
	list forked --json -l
	works
	data 'list(d["data"][0])[7:]' '["step", "source", "bytes", "state_bytes", "writes", "nodes", "status", "metadata"]'
	data '[r["step"] for r in d["data"]]' '[6, 5, 4, 3, 5, 4, 3, 2, 1, 0, -1]'
	data 'd["data"][3]["source"], d["data"][3]["metadata"]' '["fork", {"source": "fork", "step": 3, "parents": {}}]'
}

@test "checkpoints: -l porcelain has thirteen columns" {
	list forked -l
	works
	same columns "$(awk -F'\t' '{ print NF }' <<<"$stdout" | sort -u)" 13
	same steps "$(cut -f 6 <<<"$stdout" | tr '\n' ' ')" "6 5 4 3 5 4 3 2 1 0 -1 "
}

@test "checkpoints: bytes are the row, its metadata and its writes" {
	list forked --json -l
	works
	same bytes "$(json '[r["bytes"] for r in d["data"]]')" "[$(sqlite3 "$db" "SELECT
		length(checkpoint) + length(metadata) + (SELECT ifnull(sum(length(value)), 0) FROM writes w
		WHERE w.thread_id = c.thread_id AND w.checkpoint_id = c.checkpoint_id)
		FROM checkpoints c WHERE thread_id='forked' ORDER BY checkpoint_id DESC" |
		paste -sd, | sed 's/,/, /g')]"
	same state "$(json '[r["state_bytes"] for r in d["data"]]')" "[$(sqlite3 "$db" "SELECT
		length(checkpoint) FROM checkpoints WHERE thread_id='forked' ORDER BY checkpoint_id DESC" |
		paste -sd, | sed 's/,/, /g')]"
}

@test "checkpoints: --reverse, --limit" {
	list forked --ids --reverse --limit 2
	works
	same oldest "$stdout" "$(ids_of forked | tail -2 | tac)"
	list forked --ids --limit 2
	works
	same newest "$stdout" "$(ids_of forked | head -2)"
}

@test "checkpoints: --head gives the branch heads" {
	list forked --head --ids
	works
	same heads "$stdout" $'1f1a779a-13ab-6293-8006-78eabc1997f4\n1f1a779a-11ee-65b8-8005-ad7d4036274d'
	list forked-three --head --json
	works
	data '[r["head"] for r in d["data"]]' '[true, true, true]'
	list forked --json
	data 'sum(r["head"] for r in d["data"])' 2
}

@test "checkpoints: --ns, '*' and the default root" {
	list nested-pending --json
	works
	data '{r["ns"] for r in d["data"]} == {""}, len(d["data"])' '[true, 3]'
	list nested-pending --ns '*' --json
	works
	data 'len(d["data"]), [r["ns"] for r in d["data"]] == sorted(r["ns"] for r in d["data"])' '[8, true]'
	list nested-pending --ns desk:b8f9aa60-0cf7-1a40-3941-e8c072bc121b --json
	works
	data 'len(d["data"]), d["data"][0]["ns"]' '[2, "desk:b8f9aa60-0cf7-1a40-3941-e8c072bc121b"]'
}

@test "checkpoints: a thread that is not there: exit 4" {
	list nosuch
	fails 4 nosuch
	list nosuch --json
	same exit "$status" 4
	error_is not_found 4
}

@test "checkpoints: a thread whose parent was pruned says so" {
	db=$(store broken/missing-parent)
	list edited-past --json
	works
	data '[r["id"][-12:] for r in d["data"] if r["parent"] and not r["parent_present"]]' \
		'["294df09d4042", "8f06b82f8e15"]'
}

@test "--all: threads and namespaces in byte order, one object a line" {
	list --all --ns '*' --ndjson
	works
	data 'd[-1]["type"], d[-1]["checkpoints"], d[-1]["threads"], len(d)' '["summary", 170, 34, 171]'
	data '{x["type"] for x in d[:-1]} == {"checkpoint"}' true
	data '[(x["thread"].encode(), x["ns"].encode()) for x in d[:-1]] == sorted((x["thread"].encode(), x["ns"].encode()) for x in d[:-1])' true
	list --all --limit 7 --ids
	works
	same seven "$(wc -l <<<"$stdout")" 7
}

@test "--graph draws branches with steps" {
	list forked --graph
	works
	same stars "$(grep -c '\*' <<<"$stdout")" 11
	grep -q '|/' <<<"$stdout"
	grep -q '^\* bc1997f4\|78eabc19' <<<"$stdout"
	grep -q '(latest)' <<<"$stdout"
	grep -q 'step 6' <<<"$stdout"
	list --graph
	fails 2 graph
}

# ---- filters --------------------------------------------------------------------------------------

@test "--since and --until: dates, RFC 3339, now-…" {
	db=$(store py-age)
	list aged-00 --since 2026-10-01 --json
	works
	data 'len(d["data"])' 5
	list aged-00 --until 2026-10-01T00:00:00Z --json
	works
	data 'len(d["data"])' 30
	list --all --since 2026-10-01 --until 2026-12-31 --ids
	works
	same new "$(wc -l <<<"$stdout")" 52
	list --since yesterday-ish
	fails 2 since
	list --since now-7m
	fails 2
}

@test "--since uses the payload's time where the id has none" {
	db=$(store py-age)
	list custom-ids --since 2026-10-01 --ids
	works
	same ids "$stdout" $'ckpt-0008\nckpt-0007'
}

@test "--idle: threads without a checkpoint for that long" {
	list --idle 90s --ids
	works
	same all "$(wc -l <<<"$stdout")" 34
	list --idle 2000w --ids
	works
	same none "$stdout" ""
	list --idle 5m
	fails 2 m
}

@test "--where: scalars, text that equals, several, missing keys" {
	db=$(store py-meta)
	list --all --where region=eu --ids
	works
	same eu "$(wc -l <<<"$stdout")" "$(sqlite3 "$db" "SELECT count(*) FROM checkpoints
		WHERE json_extract(CAST(metadata AS TEXT), '$.region') = 'eu'")"
	list --all --where vip=true --where region=us --ids
	works
	same both "$(wc -l <<<"$stdout")" "$(sqlite3 "$db" "SELECT count(*) FROM checkpoints
		WHERE json_extract(CAST(metadata AS TEXT), '$.vip') = 1
		AND json_extract(CAST(metadata AS TEXT), '$.region') = 'us'")"
	list --all --where vip=1 --ids
	works
	same "1 is not true" "$stdout" ""
	list --all --where weight=0.25 --json
	works
	data '{r["thread"] for r in d["data"]} != set()' true
	list --all --where nosuchkey=null --ids
	works
	same missing "$stdout" ""
	list --where user_id=u-003 --ids
	works
	[ -n "$stdout" ]
	list --where novalue
	fails 2 where
}

@test "--run-id: of the metadata; an unknown run: exit 4" {
	db=$(store py-basic)
	list --run-id 6f1c7f3e-0000-4000-8000-00000000b0b0 --ids
	works
	same thread "$stdout" chat-2
	list chat-2 --run-id 6f1c7f3e-0000-4000-8000-00000000b0b0 --ids
	works
	same three "$(wc -l <<<"$stdout")" 3
	list --run-id nosuchrun
	fails 4 nosuchrun
}

@test "--source, --step" {
	list --all --source fork --ids
	works
	same forks "$(sort <<<"$stdout")" "$(sqlite3 "$db" "SELECT checkpoint_id FROM checkpoints WHERE
		checkpoint_ns='' AND json_extract(CAST(metadata AS TEXT), '$.source')='fork'" | sort)"
	list forked --step 3 --ids
	works
	same steps "$(wc -l <<<"$stdout")" 2
	list forked --step -1 --ids
	works
	same input "$stdout" "$(ids_of forked | tail -1)"
	list --step three
	fails 2 step
}

@test "--status knows its words" {
	list --status asleep
	fails 2 asleep
}

@test "a thread matches a filter if one of its checkpoints does" {
	list --source fork --ids --sort thread
	works
	same threads "$stdout" "$(sqlite3 "$db" "SELECT DISTINCT thread_id FROM checkpoints WHERE
		json_extract(CAST(metadata AS TEXT), '$.source')='fork' ORDER BY 1")"
}

@test "--changed: only where that value differs from the parent's" {
	list edited-past --changed /values/text --json -l
	works
	same text "$(json '[r["step"] for r in d["data"]]')" "[3]"
	list forked --changed /values/n --json -l
	works
	data 'len(d["data"]) > 3' true
	list forked --changed /metadata/source --json -l
	works
	data '[r["source"] for r in d["data"]]' '["loop", "fork", "loop", "input"]'
	list forked --changed values/n
	fails 2 changed
}

# ---- forms ----------------------------------------------------------------------------------------

@test "a terminal gets a table with headings, and nothing raw" {
	apart env CKPT_FORCE_TTY=1 "$CKPT" list -s "$db" --no-pager --color never --time iso
	works
	[[ ${stdout%%$'\n'*} == *THREAD* ]]
	[[ $stdout == *"34 threads"* ]]
}

@test "--color always colours, never and NO_COLOR do not" {
	apart env CKPT_FORCE_TTY=1 NO_COLOR=1 "$CKPT" list -s "$db" forked --graph --no-pager
	works
	[[ $stdout != *$'\033'* ]]
	apart "$CKPT" list -s "$db" forked --graph --no-pager --color always
	works
	[[ $stdout == *$'\033['* ]]
}

@test "--porcelain=v1 is the pipe's form; other versions are refused" {
	list
	local pipe=$stdout
	list --porcelain=v1
	works
	same form "$stdout" "$pipe"
	list --porcelain=v2
	fails 2 v2
}

@test "options before the command, after it, and -- ends them" {
	apart ckpt -s "$db" list --ids -- forked
	works
	same ids "$stdout" "$(ids_of forked)"
	apart ckpt --store="$db" --json list
	works
	data 'd["format"]' ckpt.list/1
}

@test "unknown options name the nearest, abbreviations are refused" {
	list --limt 3
	fails 2 limit
	list --lim 3
	fails 2
	list a b
	fails 2
}

@test "a lost stdout is exit 9" {
	# shellcheck disable=SC2016  # for the inner shell
	apart bash -c '"$1" list -s "$2" >/dev/full' - "$CKPT" "$db"
	same exit "$status" 9
}

@test "--graph: what waits for a person, at the head of every branch" {
	list parallel-pending --graph
	works
	same marks "$(grep -c '⏸' <<<"$stdout")" 1
	has "$stdout" "⏸ 2 interrupts waiting"
	list ask-forked --graph
	works
	has "$(grep latest <<<"$stdout")" "⏸ 1 interrupt waiting"
	same other "$(grep '(head)' <<<"$stdout" | grep -c '⏸')" 0
	# an older branch, whose question nobody has answered
	sqlite3 "$db" "UPDATE checkpoints SET parent_checkpoint_id = NULL
		WHERE thread_id = 'ask-forked' AND checkpoint_id LIKE '%-e53bece1%';
		DELETE FROM checkpoints WHERE thread_id = 'ask-forked' AND
		checkpoint_id LIKE '%-4f04c7b4%';
		DELETE FROM writes WHERE thread_id = 'ask-forked' AND checkpoint_id =
		(SELECT checkpoint_id FROM checkpoints WHERE thread_id = 'ask-forked'
			AND checkpoint_id LIKE '%-e9437c29%') AND channel <> '__interrupt__';
		DELETE FROM checkpoints WHERE thread_id = 'ask-forked' AND checkpoint_id LIKE '%-5220ecf7%'"
	list ask-forked --graph
	works
	has "$(grep e9437c29 <<<"$stdout")" "⏸ 1 interrupt waiting"
	same latest "$(grep -c 'e53bece1.*(latest)' <<<"$stdout")" 1
}

@test "a question that is no Interrupt at all is shown as it is" {
	sqlite3 "$db" "UPDATE writes SET value = x'06' WHERE thread_id = 'ask-pending'
		AND channel = '__interrupt__'"
	apart "$CKPT" show -s "$db" ask-pending --json
	data 'd["data"]["tasks"][0]["interrupts"]' '[{"id": null, "value": 6, "staged": false}]'
	list ask-pending --graph
	has "$stdout" "⏸ 1 interrupt waiting"
}

@test "--status interrupted -l: who waits, for what answer, since when" {
	apart env CKPT_FORCE_TTY=1 NO_COLOR=1 COLUMNS=120 "$CKPT" list -s "$db" --no-pager \
		--status interrupted -l --time iso --sort thread
	works
	has "$stdout" '    2026-09-01T08:00:00.1267818Z  ask_human: "Approve the refund?"'
	has "$stdout" '    2026-09-01T08:17:00.4893062Z  ask_human2: "Really?"'
	has "$(grep -A 1 '^nested-pending' <<<"$stdout" | tail -1)" 'sign: {"sign":"deed!"}'
	has "$stdout" '2 questions; '
}

@test "--status: who waits for a person, and for what" {
	list -l --status interrupted --json
	works
	data 'sorted({r["status"] for r in d["data"]})' '["interrupted"]'
	data '[r["interrupts"] for r in d["data"] if r["thread"] == "parallel-pending"]' '[2]'
	list --status failed --ids --sort thread
	works
	same ids "$stdout" $'dangling-tool-calls\nfailed'
	list nested-pending --status finished --ids
	works
	same ids "$stdout" ""
}
