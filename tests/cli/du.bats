#!/usr/bin/env bats
# ckpt du: sums against what SQLite says, by each key; duplicates, strays, room, forms.

# shellcheck disable=SC2030,SC2031,SC2034,SC2154  # each test is a subshell of bats
load helper
load stores

setup() {
	alone || return
	db=$(store py-hitl)
}

du() {
	apart ckpt du -s "$db" "$@"
}

# rows [WHERE]: everything as (t, n, i, bytes, checkpoints)
rows="(SELECT thread_id t, checkpoint_ns n, checkpoint_id i,
	length(checkpoint) + length(metadata) b, 1 c FROM checkpoints UNION ALL
	SELECT thread_id, checkpoint_ns, checkpoint_id, length(value), 0 FROM writes)"

# by KEYS: porcelain rows, as SQL sums them
by() {
	sqlite3 -separator $'\t' "$db" "SELECT sum(b), sum(c),
		printf('%.4f', sum(b) * 1.0 / (SELECT sum(b) FROM $rows)), '', $1
		FROM $rows GROUP BY $1 ORDER BY sum(b) DESC, $1"
}

live() {
	sqlite3 "$db" "SELECT sum(b) FROM $rows"
}

# The octets of everything, also of what is no BLOB.
octets() {
	sqlite3 "$db" "WITH v(x) AS (SELECT checkpoint FROM checkpoints UNION ALL
		SELECT metadata FROM checkpoints UNION ALL SELECT value FROM writes)
		SELECT sum(CASE typeof(x) WHEN 'text' THEN length(CAST(x AS BLOB))
		ELSE length(x) END) FROM v"
}

@test "by thread, namespace and checkpoint: the sums of SQL, strays included, largest first" {
	sqlite3 "$db" "INSERT INTO writes SELECT 'gone', '', 'x', task_id, idx, channel, type,
		value, task_path FROM writes LIMIT 1"
	du
	works
	same threads "$stdout" "$(by t)"
	du --by ns
	works
	same namespaces "$stdout" "$(by 't, n')"
	du --by checkpoint
	works
	same checkpoints "$stdout" "$(by 't, n, i')"
	[[ $stdout == *$'\t0\t'*$'\tgone\t\tx'* ]]
}

@test "every kind of row adds up to the live bytes" {
	local by
	for by in thread ns channel type checkpoint; do
		du --by "$by" --json
		works
		data 'sum(r["bytes"] for r in d["data"]) == d["summary"]["live_bytes"]' true
		data 'd["summary"]["live_bytes"]' "$(live)"
		data 'abs(sum(r["share"] for r in d["data"]) - 1) < 0.02' true
	done
}

# A file whose texts are UTF-16 is read the long way, as what is read then has another size.
@test "values kept as text, as numbers, or not at all: the sum is the same, in UTF-16 too" {
	local by change="INSERT INTO checkpoints SELECT 'odd', '', 't', NULL, type,
			CAST(checkpoint AS TEXT), '{\"é\":1}' FROM checkpoints LIMIT 1;
		INSERT INTO checkpoints VALUES ('odd', '', 'i', NULL, 'msgpack', -12345, 1.5),
			('odd', '', 'n', NULL, NULL, NULL, NULL);
		INSERT INTO writes (thread_id, checkpoint_ns, checkpoint_id, task_id, idx, channel,
			type, value) VALUES ('odd', '', 't', 'a', 0, 'é', 'json', '\"é\"'),
			('odd', '', 't', 'a', 1, 'é', 'json', 12), ('odd', '', 't', 'a', 2, 7, 8, 2.5),
			('odd', '', 't', 'a', 3, 'é', 'null', NULL)"
	sqlite3 "$db" "$change"
	{
		echo "PRAGMA encoding = 'UTF-16le';"
		sqlite3 "$db" .dump
	} | sqlite3 wide.db
	for db in "$db" wide.db; do
		is "$(sqlite3 "$db" "SELECT count(*) FROM writes WHERE channel = 'é'")" 3
		for by in thread channel type; do
			du --by "$by" --json
			is "$status" 0
			data 'd["summary"]["live_bytes"]' "$(octets)"
			data 'sum(r["bytes"] for r in d["data"]) == d["summary"]["live_bytes"]' true
		done
		du --by channel --json
		data '[r["bytes"] for r in d["data"] if r["key"]["channel"] == "7"]' '[3]'
	done
}

@test "a dump: the same rows by each key as its store" {
	local by want
	for fixture in py-hitl js-basic; do
		db=$(store "$fixture")
		"${PYTHON:-python3}" "$top/tests/oracle/dump.py" "$db" >"$fixture.jsonl"
		for by in thread ns channel type checkpoint; do
			db=$(store "$fixture")
			du --by "$by" --json
			works
			want=$(jq -c .data <<<"$stdout")
			[[ $want == '[{'* ]]
			db=$fixture.jsonl
			du --by "$by" --json
			works
			is "$(jq -c .data <<<"$stdout")" "$want"
		done
	done
}

@test "one thread: its rows alone; one that is not there: exit 4" {
	du forked --json
	works
	data 'd["summary"]["live_bytes"]' "$(sqlite3 "$db" "SELECT sum(b) FROM $rows
		WHERE t = 'forked'")"
	data 'len(d["data"]), d["data"][0]["key"]' '[1, {"thread": "forked"}]'
	du forked --by checkpoint
	works
	same rows "$(wc -l <<<"$stdout")" 11
	du nobody
	fails 4 nobody
}

@test "by channel: values and writes of each; the rest belongs to none; equal ones again" {
	db=made.db
	sqlite3 "$db" "$(sqlite3 "$FIXTURES/py-hitl/store.db" .schema)"
	local i
	for i in 1 2 3; do
		sqlite3 "$db" "INSERT INTO checkpoints VALUES ('t', '', '$i', NULL, 'json',
			'{\"v\":4,\"channel_values\":{\"a\":\"0123456789\",\"b\":$i},\"channel_versions\":{\"c\":\"1\"}}',
			'{}')"
	done
	sqlite3 "$db" "INSERT INTO writes (thread_id, checkpoint_ns, checkpoint_id, task_id, idx,
		channel, type, value) VALUES ('t', '', '1', 'x', 0, 'a', 'json', '\"0123456789\"'),
		('t', '', '1', 'x', 1, 'b', 'json', '7')"
	du --by channel
	works
	same a "$(grep -P '\ta$' <<<"$stdout" | cut -f 1,2,4)" $'48\t3\t36'
	same b "$(grep -P '\tb$' <<<"$stdout" | cut -f 1,2,4)" $'4\t3\t0'
	same c "$(grep -P '\tc$' <<<"$stdout" | cut -f 1,2,4)" $'0\t3\t0'
	same none "$(grep -P '\t$' <<<"$stdout" | cut -f 1,2,4)" \
		"$(($(live) - 52))"$'\t3\t0'
	du --by type
	works
	same json "$(grep -P '\tjson$' <<<"$stdout" | cut -f 1,2,4)" \
		"$(($(live) - 6))"$'\t3\t36'
	same metadata "$(grep -P '\tmetadata$' <<<"$stdout" | cut -f 1,2,4)" $'6\t0\t0'
}

@test "what cannot be looked into counts to no channel, with one note" {
	sqlite3 "$db" "UPDATE checkpoints SET checkpoint = CAST(x'c1' || checkpoint AS BLOB)
		WHERE thread_id = 'forked'"
	du forked --by channel --json
	same code "$status" 0
	same notes "$(wc -l <<<"$stderr")" 1
	[[ $stderr == *"11 checkpoints cannot be looked into"* ]]
	data '[r["bytes"] for r in d["data"] if r["key"]["channel"] is None][0]' \
		"$(sqlite3 "$db" "SELECT sum(length(checkpoint) + length(metadata)) FROM checkpoints
			WHERE thread_id = 'forked'")"
}

@test "encrypted: to no channel without the key, to its channels with it; the same sum" {
	db=$(store py-aes)
	du --by channel --json
	same code "$status" 0
	[[ $stderr == *"cannot be looked into"* ]]
	data 'd["summary"]["live_bytes"]' "$(live)"
	du --by type
	[[ $stdout == *msgpack+aes* ]]
}

@test "the room of the file: pages, free pages, log" {
	sqlite3 "$db" "PRAGMA journal_mode = delete; DELETE FROM checkpoints WHERE rowid % 2" >/dev/null
	du --json
	works
	data 'd["summary"]["file_bytes"]' "$(stat -c %s "$db")"
	data 'd["summary"]["wal_bytes"]' 0
	data 'd["summary"]["reclaimable_bytes"]' "$(sqlite3 "$db" 'SELECT freelist_count * page_size
		FROM pragma_freelist_count, pragma_page_size')"
	data 'd["summary"]["reclaimable_bytes"] > 0' true
}

@test "an empty store: no rows, zeros" {
	sqlite3 "$db" "DELETE FROM checkpoints; DELETE FROM writes"
	local by
	for by in thread ns channel type checkpoint; do
		du --by "$by" --json
		works
		data '[d["data"], d["summary"]["live_bytes"]]' '[[], 0]'
	done
}

@test "--ndjson: usage lines, then the summary; keys that are not UTF-8 have a twin" {
	sqlite3 "$db" "INSERT INTO writes SELECT CAST(x'ff' AS TEXT), '', 'x', task_id, idx, channel,
		type, value, task_path FROM writes LIMIT 1"
	du --ndjson
	works
	data 'sorted(set(r["type"] for r in d))' '["summary", "usage"]'
	data '[r["key"]["thread_b64"] for r in d if "thread_b64" in r.get("key", {})]' '["/w=="]'
}

@test "on a terminal: a table with bars and one line about the file" {
	NO_COLOR=1 CKPT_FORCE_TTY=100 du --by channel
	works
	[[ $stdout == CHANNEL*SIZE*CKPTS*SHARE*AGAIN* ]]
	[[ $stdout == *$'\n(none) '*' %'*'###'* ]]
	[[ $(tail -1 <<<"$stdout") =~ ^[0-9]+\ channels,\ [0-9]+\ checkpoints,\ .*\ live\ \(file\ .*reclaimable\)$ ]]
}

@test "no other words: --by is one of five, --limit is none" {
	du --by size
	fails 2 size
	du --limit 3
	fails 2 limit
}
