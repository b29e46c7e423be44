#!/usr/bin/env bats
# ckpt copy on files. The real savers as judges: tests/interop/test_copy.py; PostgreSQL:
# tests/interop/test_copy_pg.py, tests/pg/alter.bats. Refused tables and locks: delete.bats.

# shellcheck disable=SC2016,SC2030,SC2031,SC2154  # subshells of bats; status, stdout, stderr
load helper
load stores

setup() {
	alone || return
	use py-subgraph
	export CKPT_STORE=$store
}

rows() { # THREAD: all but its id, as they lie
	sqlite3 "$store" "SELECT checkpoint_ns, checkpoint_id, parent_checkpoint_id, type,
		hex(checkpoint), hex(metadata) FROM checkpoints WHERE thread_id = '$1' ORDER BY rowid;
		SELECT checkpoint_ns, checkpoint_id, task_id, idx, channel, type, hex(value),
		task_path FROM writes WHERE thread_id = '$1' ORDER BY rowid"
}

@test "all rows of a thread, byte for byte and in their order, under another id" {
	local thread
	for thread in nested-asks nested stateful two-in-a-node fan; do
		apart ckpt copy "$thread" "copy of $thread" --json
		is "$status $stderr" "0 "
		data 'd["format"], d["data"], d["summary"]["dry_run"]' '["ckpt.copy/1", null, false]'
		data 'd["summary"]["checkpoints"] + d["summary"]["writes"]' "$(rows "$thread" | wc -l)"
		is "$(rows "copy of $thread")" "$(rows "$thread")"
	done
	is "$(ls "$BATS_TEST_TMPDIR")" "$(printf 'py-subgraph.db\nstderr')"
	ckpt check
}

@test "--dry-run counts the same, and leaves the file as it is" {
	local before at
	before=$(sha256sum <"$store")
	at=$("$CKPT" list nested --ids | tail -2 | head -1)
	apart ckpt copy nested new -n
	is "$status" 0
	local whole=$stdout
	apart ckpt copy nested part --at "nested@{$at}" -n
	local part=$stdout
	is "$(sha256sum <"$store")" "$before"
	apart ckpt copy nested new
	is "$stdout" "$whole"
	apart ckpt copy nested part --at "nested@{$at}"
	is "$stdout" "$part"
	[ "$whole" != "$part" ]
}

@test "a thread that is not there: 4; a new one that is: 7, in whatever table" {
	apart ckpt copy nobody new
	is "$status $stdout" "4 "
	has "$stderr" "no thread 'nobody'"
	apart ckpt copy nested fan
	is "$status $stdout" "7 "
	has "$stderr" "there is a thread 'fan' already"
	apart ckpt copy nested nested
	is "$status" 7
	sqlite3 "$store" "INSERT INTO writes (thread_id, checkpoint_id, task_id, idx, channel)
		VALUES ('only writes', 'x', 't', 0, 'c'), (CAST('bytes' AS BLOB), 'x', 't', 0, 'c')"
	apart ckpt copy nested 'only writes'
	is "$status" 7
	apart ckpt copy nested bytes
	is "$status" 7
	apart ckpt copy nested ''
	is "$status" 2
	apart ckpt copy nested $'\xff'
	is "$status" 2
	apart ckpt copy 'only writes' 'other writes'
	is "$status $stdout" "0 $(printf 'checkpoints\t0\nwrites\t1\nblobs\t0')"
}

@test "--at: the line of ancestors, what subgraphs did for it, and no other branch" {
	local ids at
	ids=$("$CKPT" list nested-forked --ids)
	at=$("$CKPT" show 'nested-forked~2' --json | jq -r .data.id)
	apart ckpt copy nested-forked part --at 'nested-forked~2'
	is "$status" 0
	is "$("$CKPT" show part --json | jq -r .data.id)" "$at"
	for id in $("$CKPT" list part --ids); do has "$ids" "$id"; done
	apart ckpt list part --ns '*' --json
	data 'all(r["parent"] is None or r["parent_present"] for r in d["data"])' true
	# each subgraph's root checkpoint came along
	is "$(sqlite3 "$store" "SELECT count(*) FROM checkpoints s WHERE thread_id = 'part' AND
		checkpoint_ns <> '' AND NOT EXISTS (SELECT 1 FROM checkpoints r, json_each(s.metadata,
		'\$.parents') p WHERE r.thread_id = 'part' AND r.checkpoint_ns = '' AND p.key = ''
		AND r.checkpoint_id = p.value)")" 0
	ckpt check
	apart ckpt copy nested-forked other --at 'nested~1'
	is "$status" 2
	apart ckpt copy nested-forked other --at 'nested-forked~99'
	is "$status" 4
}

@test "ids of any kind, one kept as BLOB, columns in an older order" {
	local thread=$'od\u0064 \'";--\n@{x}~1'
	sqlite3 "$store" "UPDATE checkpoints SET thread_id = '${thread//\'/\'\'}' WHERE thread_id = 'fan';
		UPDATE writes SET thread_id = '${thread//\'/\'\'}' WHERE thread_id = 'fan';
		UPDATE checkpoints SET thread_id = CAST('stateful' AS BLOB) WHERE thread_id = 'stateful';
		UPDATE writes SET thread_id = CAST('stateful' AS BLOB) WHERE thread_id = 'stateful';
		ALTER TABLE writes DROP COLUMN task_path;
		ALTER TABLE writes ADD COLUMN task_path TEXT NOT NULL DEFAULT ''"
	apart ckpt copy -- "$thread" "--$thread"
	is "$status" 0
	is "$(rows "--${thread//\'/\'\'}")" "$(rows "${thread//\'/\'\'}")"
	apart ckpt copy stateful text
	is "$status" 0
	is "$(sqlite3 "$store" "SELECT DISTINCT typeof(thread_id) FROM checkpoints WHERE
		CAST(thread_id AS TEXT) = 'text'")" text
	is "$(rows text | wc -l)" "$(sqlite3 "$store" "SELECT (SELECT count(*) FROM checkpoints WHERE
		CAST(thread_id AS TEXT) = 'stateful') + (SELECT count(*) FROM writes WHERE
		CAST(thread_id AS TEXT) = 'stateful')")"
}
