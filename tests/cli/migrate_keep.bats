#!/usr/bin/env bats
# ckpt migrate with keep rules: which part comes along, what is counted and compared, runs after the
# first. The real savers as judges: tests/interop/test_migrate_keep_pg.py.

# shellcheck disable=SC2016,SC2030,SC2031,SC2034,SC2154  # subshells of bats
load helper
load stores

setup() {
	alone || return
	db=$(store py-basic)
}

keys() { "$CKPT" -s "$1" list --all --ns '*' | cut -f1-3 | sort; }
count() { sqlite3 "$1" "SELECT count(*) FROM checkpoints WHERE ${2:-1}"; }

# kept RULE…: what prune would leave
kept() {
	"$CKPT" prune -s "$db" "$@" --dry-run --list -q | awk -F'\t' '$1 == "keep"' | cut -f2-4 | sort
}

# takes RULE…: the same comes along, and nothing else
takes() {
	rm -f part.db
	apart ckpt migrate "$db" part.db "$@" --json
	works || return 1
	diff <(kept "$@") <(keys part.db) || return 1
	data 'd["summary"]["verified"]["different"]' 0 || return 1
	data 'd["summary"]["checkpoints"]' "$(count part.db)"
}

@test "every rule, alone and together: what prune would leave comes along, with its writes" {
	takes --keep-last 1
	[ "$(count part.db)" -lt "$(count "$db")" ]
	sqlite3 part.db "ATTACH '$db' AS all_of; SELECT count(*) FROM all_of.writes w
		JOIN checkpoints USING (thread_id, checkpoint_ns, checkpoint_id)
		EXCEPT SELECT count(*) FROM writes" >lacks
	[ ! -s lacks ]
	takes --keep-last 3 --keep-daily 1
	takes --keep-hourly 2
	takes --keep-weekly 1 --keep-monthly 1
	takes --keep-where source=input
	takes --keep-last 1 --keep-thread chat-1
	takes --keep-within 1d
	takes --older-than 1d
}

@test "delta chains, calls of subgraphs and what waits for an answer come along" {
	local name
	for name in py-delta py-subgraph py-hitl; do
		db=$(store "$name")
		takes --keep-last 1
		[ "$(count part.db)" -lt "$(count "$db")" ]
		apart ckpt check -s part.db
		[ "$status" -eq 0 ]
	done
}

@test "--thread and --where choose what rules look at, and nothing else comes along" {
	local loops='json_extract(CAST(metadata AS TEXT), '"'$.source'"')'
	ckpt migrate "$db" one.db --thread chat-1 --thread chat-2 --keep-last 2
	[ "$(sqlite3 one.db 'SELECT group_concat(DISTINCT thread_id) FROM checkpoints')" = chat-1,chat-2 ]
	[ "$(count one.db "thread_id = 'chat-1'")" -eq 2 ]
	ckpt migrate "$db" two.db --where source=input --keep-last 1
	[ "$(sqlite3 two.db "SELECT group_concat(DISTINCT $loops) FROM checkpoints")" = input ]
	[ "$(sqlite3 two.db 'SELECT max(n) FROM (SELECT count(*) n FROM checkpoints
		GROUP BY thread_id, checkpoint_ns)')" -eq 1 ]
	apart ckpt migrate "$db" none.db --thread nobody --keep-last 1
	[ "$status" -eq 4 ]
	[ ! -e none.db ]
}

@test "--where without a rule takes what it names and the chains that this needs" {
	db=$(store py-delta)
	ckpt migrate "$db" part.db --where step=5
	apart ckpt check -s part.db
	works
	[ "$(sqlite3 part.db "SELECT count(*) FROM checkpoints
		WHERE json_extract(CAST(metadata AS TEXT), '$.step') = 5")" -eq \
		"$(sqlite3 "$db" "SELECT count(*) FROM checkpoints
		WHERE json_extract(CAST(metadata AS TEXT), '$.step') = 5")" ]
	[ "$(count part.db "json_extract(CAST(metadata AS TEXT), '$.step') > 5")" -eq 0 ]
	[ "$(count part.db)" -gt "$(count part.db "json_extract(CAST(metadata AS TEXT), '$.step') = 5")" ]
}

@test "what is young stays where guards say so" {
	ckpt migrate "$db" guarded.db --keep-last 1 --min-age 3650d
	[ "$(count guarded.db)" -eq "$(count "$db")" ]
	ckpt migrate "$db" idle.db --keep-last 1 --active-within 3650d
	[ "$(count idle.db)" -eq "$(count "$db")" ]
}

@test "a dry run counts what the run copies, and makes nothing" {
	local told
	apart ckpt migrate "$db" part.db --keep-last 1 --dry-run --json
	works
	[ ! -e part.db ]
	told=$(jq -c '.summary | [.checkpoints, .writes]' <<<"$stdout")
	apart ckpt migrate "$db" part.db --keep-last 1 --json
	[ "$(jq -c '.summary | [.checkpoints, .writes]' <<<"$stdout")" = "$told" ]
	apart ckpt migrate "$db" part.db --keep-last 1 --dry-run --json
	data 'd["summary"]["checkpoints"], d["summary"]["skipped"]' "[0, $(count part.db)]"
}

@test "a second run copies what is new or newly wanted, and deletes nothing" {
	local n
	ckpt migrate "$db" part.db --keep-last 3
	n=$(count part.db)
	apart ckpt migrate "$db" part.db --keep-last 1 --json
	works
	data 'd["summary"]["checkpoints"]' 0
	[ "$(count part.db)" -eq "$n" ]
	ckpt migrate "$db" part.db --keep-last 5
	diff <(kept --keep-last 5) <(keys part.db)
	apart ckpt migrate "$db" part.db -q
	works
	diff <(keys "$db") <(keys part.db)
}

@test "the comparison knows the part: excluded rows are no fault, a missing one is" {
	ckpt migrate "$db" part.db --keep-last 2
	apart ckpt migrate "$db" part.db --keep-last 2 --verify-only --json
	works
	data 'd["summary"]["only_a"] + d["summary"]["differs"]' 0
	data 'd["summary"]["same"] > 0' true
	apart ckpt migrate "$db" part.db --verify-only
	[ "$status" -eq 8 ]
	sqlite3 part.db "DELETE FROM checkpoints WHERE thread_id = 'chat-1'
		AND checkpoint_id = (SELECT max(checkpoint_id) FROM checkpoints WHERE thread_id = 'chat-1')"
	apart ckpt migrate "$db" part.db --keep-last 2 --verify-only --json
	[ "$status" -eq 8 ]
	data '[x["thread"] for x in d["data"]]' '["chat-1"]'
	apart ckpt migrate "$db" other.db --keep-last 2 --verify count --json
	works
	data 'd["summary"]["verified"]["checkpoints"]' "$(count other.db)"
}

@test "what differs in the target counts only where it is wanted" {
	ckpt migrate "$db" part.db
	sqlite3 part.db "UPDATE checkpoints SET metadata = '{}' WHERE thread_id = 'chat-1'
		AND checkpoint_id = (SELECT min(checkpoint_id) FROM checkpoints WHERE thread_id = 'chat-1')"
	apart ckpt migrate "$db" part.db --keep-last 1 -q
	works
	apart ckpt migrate "$db" part.db -q
	[ "$status" -eq 8 ]
}

@test "payloads of what stays behind are not read" {
	sqlite3 "$db" "UPDATE checkpoints SET checkpoint = CAST(replace(hex(zeroblob(50000)), '0', 'Z') AS BLOB)
		WHERE thread_id = 'chat-1' AND checkpoint_id <
		(SELECT max(checkpoint_id) FROM checkpoints WHERE thread_id = 'chat-1')"
	sqlite3 "$db" 'PRAGMA journal_mode = delete' >/dev/null
	# whoever reads on behind the first page of such a row comes to a page that is not there
	python3 - "$db" <<-'EOF'
		import re, sys
		data = bytearray(open(sys.argv[1], "rb").read())
		size = int.from_bytes(data[16:18], "big")
		pages = [at for at in range(0, len(data), size) if data[at + 4:at + size - 4].strip(b"Z") == b""]
		assert len(pages) > 100
		for at in pages:
		    data[at:at + 4] = b"\x7f\xff\xff\xf0"
		open(sys.argv[1], "wb").write(data)
	EOF
	apart ckpt migrate "$db" whole.db
	[ "$status" -eq 8 ]
	apart ckpt migrate "$db" part.db --keep-last 1 -q
	works
	[ "$(count part.db "thread_id = 'chat-1'")" -eq 1 ]
}

@test "writes without a checkpoint stay behind" {
	sqlite3 "$db" "INSERT INTO writes (thread_id, checkpoint_ns, checkpoint_id, task_id, idx, channel,
		type, value) SELECT thread_id, checkpoint_ns, '0nobody', 'late', 0, 'c', 'null', x''
		FROM checkpoints WHERE thread_id = 'chat-1' LIMIT 1"
	ckpt migrate "$db" part.db --keep-last 1 -q
	[ "$(sqlite3 part.db "SELECT count(*) FROM writes WHERE task_id = 'late'")" -eq 0 ]
	ckpt migrate "$db" thread.db --thread chat-1
	[ "$(sqlite3 thread.db "SELECT count(*) FROM writes WHERE task_id = 'late'")" -eq 1 ]
}

@test "a policy that keeps nothing is refused, and a word that is none" {
	apart ckpt migrate "$db" part.db --keep-last 0
	[ "$status" -eq 7 ]
	apart ckpt migrate "$db" part.db --keep-last -1
	[ "$status" -eq 2 ]
	apart ckpt migrate "$db" part.db --keep-where source
	[ "$status" -eq 2 ]
	[ ! -e part.db ]
}
