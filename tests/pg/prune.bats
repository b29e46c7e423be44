#!/usr/bin/env bats
# ckpt prune on PostgreSQL: the options of the command against the rows as psql shows them. Which
# checkpoints stay is tests/interop/test_prune_pg.py's, running beside others prune.sh's. Runs inside
# with-server.sh; each test has a database of its own.

# shellcheck disable=SC2016,SC2030,SC2031,SC2034,SC2154  # each test is a subshell of bats
load ../cli/helper
load ../cli/stores

sql() { psql -qXAt -v ON_ERROR_STOP=1 -d "$name" "$@"; }

# database FIXTURE: makes $name, and $db that ckpt calls it by
database() {
	name=prune_$RANDOM$RANDOM
	createdb -T template0 "$name"
	gzip -dc "$FIXTURES/$1/store.sql.gz" | sql >/dev/null
	db=dbname=$name
}

setup() {
	alone || return
	database py-basic
}

prune() { apart ckpt prune -s "$db" "$@"; }

# Every row of the three tables.
rows() {
	local table
	for table in checkpoints checkpoint_writes checkpoint_blobs; do
		sql -c "SELECT '$table', t FROM $table t ORDER BY t::text COLLATE \"C\""
	done
}

keys() { sql -F $'\t' -c "SELECT thread_id, checkpoint_ns, checkpoint_id FROM checkpoints" | sort; }
count() { sql -c "SELECT count(*) FROM ${1:-checkpoints}"; }
sums() { jq -c '.summary | [.checkpoints, .writes, .blobs]' <<<"$stdout"; }

# Blobs that no checkpoint names, and writes without one.
strays() {
	sql -c "SELECT count(*) FROM checkpoint_blobs b WHERE NOT EXISTS (SELECT FROM checkpoints c
		WHERE c.thread_id = b.thread_id AND c.checkpoint_ns = b.checkpoint_ns
		AND c.checkpoint -> 'channel_versions' ->> b.channel = b.version)" \
		-c "SELECT count(*) FROM checkpoint_writes w WHERE NOT EXISTS (SELECT FROM checkpoints c
		WHERE (c.thread_id, c.checkpoint_ns, c.checkpoint_id) =
		(w.thread_id, w.checkpoint_ns, w.checkpoint_id))"
}

@test "keep-last: the newest of each namespace stay, and what goes is what the dry run said" {
	local before want dry dry_sums
	before=$(count) dry=$(rows | sha256sum)
	prune --keep-last 1 --dry-run --list
	same code "$status" 0
	want=$(awk -F'\t' '$1 == "keep" { print $2 "\t" $3 "\t" $4 }' <<<"$stdout" | sort)
	prune --keep-last 1 --dry-run --json
	dry_sums=$(sums)
	same "rows after a dry run" "$(rows | sha256sum)" "$dry"
	local had=("$(count checkpoint_writes)" "$(count checkpoint_blobs)")
	prune --keep-last 1 --yes --json
	works
	same "what goes" "$(sums)" "$dry_sums"
	same "what stays" "$(keys)" "$want"
	same rows "$(jq '.summary | .checkpoints, .writes, .blobs' <<<"$stdout" | paste -sd' ')" \
		"$((before - $(count))) $((had[0] - $(count checkpoint_writes))) $((had[1] - $(count checkpoint_blobs)))"
	# but for a thread with a channel that may be a delta channel
	same "one of each" "$(count "checkpoints WHERE thread_id <> 'types'")" 11
	same strays "$(strays | paste -sd' ')" "0 0"
	apart ckpt check -s "$db"
	same "check ($stdout)" "$status" 0
	prune --keep-last 1 --yes --json
	data 'd["summary"]["checkpoints"], d["summary"]["blobs"]' '[0, 0]'
}

@test "other rules, and the selection" {
	prune --keep-last 5 --thread chat-1 --yes --json
	works
	same chat-1 "$(count "checkpoints WHERE thread_id = 'chat-1'")" 5
	prune --keep-where source=input --where source=loop --thread chat-2 --no-keep-heads --yes
	same code "$status" 0
	prune --older-than 3650d --yes --json
	data 'd["summary"]["checkpoints"]' 0
	prune --keep-daily 1 --thread-glob 'chat-[12]' --no-keep-heads --yes -q
	same chats "$(count "checkpoints WHERE thread_id IN ('chat-1', 'chat-2')")" 2
	prune --keep-last 1 --thread nobody --yes
	same code "$status" 4
}

@test "expect-plan: the plan that was shown, or nothing" {
	local id before
	prune --keep-last 2 --dry-run --json
	id=$(jq -r .data.plan <<<"$stdout")
	sql -c "INSERT INTO checkpoints SELECT thread_id, checkpoint_ns, '1fffffff' ||
		substr(checkpoint_id, 9), checkpoint_id, type, checkpoint, metadata FROM checkpoints
		WHERE checkpoint_id = (SELECT max(checkpoint_id) FROM checkpoints WHERE thread_id = 'chat-1')"
	before=$(count)
	prune --keep-last 2 --expect-plan "$id" --yes --json
	works
	data 'd["data"]["plan"]' "$id"
	same "what goes" "$(jq .summary.checkpoints <<<"$stdout")" $((before - $(count)))
	prune --keep-last 1 --dry-run --json
	id=$(jq -r .data.plan <<<"$stdout")
	sql -c "DELETE FROM checkpoints WHERE checkpoint_id = (SELECT min(checkpoint_id) FROM checkpoints
		WHERE thread_id = 'chat-1')"
	before=$(rows | sha256sum)
	prune --keep-last 1 --expect-plan "$id" --yes
	same code "$status" 7
	same rows "$(rows | sha256sum)" "$before"
}

@test "an archive brings back every row, as text" {
	local fixture
	for fixture in py-basic py-hitl py-subgraph py-delta; do
		database "$fixture"
		rows >before
		rm -f gone.jsonl
		prune --keep-last 1 --archive gone.jsonl --yes
		same "$fixture ($stderr)" "$status" 0
		has "$stderr" "rows, compared, synced"
		[ "$(rows | wc -l)" -lt "$(wc -l <before)" ]
		apart ckpt migrate gone.jsonl "$db"
		same "$fixture ($stderr)" "$status" 0
		diff before <(rows)
	done
}

@test "orphans: blobs that nothing names and writes without a checkpoint, old ones" {
	local old
	same strays "$(strays | paste -sd' ')" "0 0"
	old=$(sql -c "SELECT min(checkpoint_id) FROM checkpoints WHERE thread_id = 'chat-1'")
	sql -c "INSERT INTO checkpoint_blobs VALUES ('chat-1', '', 'messages', '0.gone', 'bytes', 'abc'),
			('nobody', '', 'c', '1', 'bytes', 'abc')" \
		-c "INSERT INTO checkpoint_writes (thread_id, checkpoint_ns, checkpoint_id, task_id, idx,
			channel, type, blob) VALUES ('chat-1', '', '${old:0:24}000000000000', 't', 0, 'c', 'bytes', 'a'),
			('chat-1', '', 'ffffffff-ffff-6fff-8000-000000000000', 't', 0, 'c', 'bytes', 'a')"
	prune --orphans --dry-run --json
	works
	data 'd["summary"]["checkpoints"], d["summary"]["writes"]' '[0, 1]'
	data 'd["summary"]["blobs"]' 1
	prune --orphans --yes --json
	works
	data 'd["summary"]["writes"], d["summary"]["blobs"]' '[1, 1]'
	# what may still get a checkpoint stays: the newest write, and what has no thread to judge by
	same "young writes" "$(count "checkpoint_writes WHERE checkpoint_id LIKE 'ffffffff%'")" 1
	same strays "$(strays | paste -sd' ')" "1 1"
	prune --orphans --dry-run --json
	data 'd["summary"]["writes"], d["summary"]["blobs"]' '[0, 0]'
}

@test "orphans beside a rule: a blob that nothing names is counted once, also where checkpoints go" {
	local planned words
	sql -c "INSERT INTO checkpoint_blobs SELECT thread_id, checkpoint_ns, 'messages', '0.gone', 'bytes',
		'abc' FROM checkpoints GROUP BY thread_id, checkpoint_ns"
	for words in --orphans '--keep-last 2 --orphans'; do
		# shellcheck disable=SC2086  # words
		prune $words --dry-run --json
		planned=$(jq -c '.summary | [.checkpoints, .writes, .blobs, .bytes]' <<<"$stdout")
		same some "$(jq '.[2] > 0' <<<"$planned")" true
		count checkpoint_blobs >before
		# shellcheck disable=SC2086  # words
		prune $words --yes --json
		is "$words $(jq -c '.summary | [.checkpoints, .writes, .blobs, .bytes]' <<<"$stdout")" \
			"$words $planned"
		same gone "$(($(cat before) - $(count checkpoint_blobs)))" "$(jq '.[2]' <<<"$planned")"
		database py-basic
		sql -c "INSERT INTO checkpoint_blobs SELECT thread_id, checkpoint_ns, 'messages', '0.gone',
			'bytes', 'abc' FROM checkpoints GROUP BY thread_id, checkpoint_ns"
	done
}

@test "orphans: of a thread that ends with its last namespace goes what was planned, and nothing more" {
	local planned
	database py-subgraph
	sql -c "DELETE FROM checkpoints WHERE thread_id = 'nested' AND checkpoint_ns = ''" \
		-c "DELETE FROM checkpoint_writes WHERE thread_id = 'nested' AND checkpoint_ns = ''" \
		-c "DELETE FROM checkpoint_blobs WHERE thread_id = 'nested' AND checkpoint_ns = ''" \
		-c "INSERT INTO checkpoint_blobs VALUES ('nested', 'ahead:1', 'c', '1', 'bytes', 'abc')" \
		-c "INSERT INTO checkpoint_writes (thread_id, checkpoint_ns, checkpoint_id, task_id, idx,
			channel, type, blob) SELECT thread_id, checkpoint_ns,
			'ffffffff-ffff-6fff-8000-000000000000', 'ahead', 0, 'c', 'bytes', 'a'
			FROM checkpoints WHERE thread_id = 'nested' LIMIT 1"
	prune --orphans --dry-run --json
	planned=$(jq -c '.summary | [.checkpoints, .writes, .blobs, .bytes, .threads_emptied]' <<<"$stdout")
	has "$planned" ",1]"
	prune --orphans --archive all.jsonl --yes --json
	same code "$status" 0
	same sums "$(jq -c '.summary | [.checkpoints, .writes, .blobs, .bytes, .threads_emptied]' \
		<<<"$stdout")" "$planned"
	same "of it" "$(count "checkpoints WHERE thread_id = 'nested'")" 0
	same "what may still get a checkpoint" "$(count "checkpoint_writes WHERE task_id = 'ahead'") $(
		count "checkpoint_blobs WHERE checkpoint_ns = 'ahead:1'")" "1 1"
}

@test "whole threads go with every row they have" {
	prune --delete-threads --thread chat-1 --thread chat-2 --yes --json
	works
	data 'd["summary"]["threads_emptied"]' 2
	same rows "$(rows | grep -c '(chat-[12],')" 0
	prune --delete-threads --idle 1d --yes
	same code "$status" 7
}

@test "bytes are those of rows as they lie: a plan unpacks no payload" {
	local want
	sql -c "UPDATE checkpoints SET checkpoint = jsonb_set(checkpoint, '{channel_values,long}',
		to_jsonb(repeat('compressed ', 20000))) WHERE thread_id = 'chat-1'"
	want=$(sql -c "SELECT sum(n) FROM (SELECT pg_column_size(checkpoint) + pg_column_size(metadata)
			FROM checkpoints WHERE thread_id = 'chat-1'
		UNION ALL SELECT octet_length(blob) FROM checkpoint_writes WHERE thread_id = 'chat-1'
		UNION ALL SELECT octet_length(blob) FROM checkpoint_blobs WHERE thread_id = 'chat-1') r(n)")
	prune --delete-threads --thread chat-1 --dry-run --json -vv
	data 'd["summary"]["bytes"]' "$want"
	has "$stderr" pg_column_size
	[[ $stderr != *'checkpoint::text'* ]]
	prune --delete-threads --thread chat-1 --yes --json
	data 'd["summary"]["bytes"]' "$want"
}

@test "whole threads: what no checkpoint names is counted, once, by the dry run as by the run" {
	local options said
	for options in '' --orphans --list; do
		database py-hitl
		sql -c "INSERT INTO checkpoint_blobs SELECT thread_id, 'gone:ns', channel, version, type, blob
				FROM checkpoint_blobs WHERE thread_id = 'finished' LIMIT 5" \
			-c "INSERT INTO checkpoint_blobs SELECT thread_id, checkpoint_ns, channel, version || 'x',
				type, blob FROM checkpoint_blobs WHERE thread_id = 'finished'
				AND checkpoint_ns = '' LIMIT 3" \
			-c "INSERT INTO checkpoint_writes (thread_id, checkpoint_ns, checkpoint_id, task_id, idx,
				channel, type, blob) SELECT thread_id, n, 'x' || checkpoint_id, task_id, idx, channel,
				type, blob FROM checkpoint_writes, (VALUES (''), ('gone:ns')) v(n)
				WHERE thread_id = 'finished'"
		sql -c 'SELECT count(*) FROM checkpoints' -c 'SELECT count(*) FROM checkpoint_writes' \
			-c 'SELECT count(*) FROM checkpoint_blobs' >before
		# shellcheck disable=SC2086  # words
		prune --delete-threads --thread finished $options --dry-run --json
		said=$(jq -c '.summary | [.checkpoints, .writes, .blobs, .bytes, .threads_emptied]' <<<"$stdout")
		# shellcheck disable=SC2086  # words
		prune --delete-threads --thread finished $options --yes --json
		is "$options $status" "$options 0"
		is "$options $(jq -c '.summary | [.checkpoints, .writes, .blobs, .bytes, .threads_emptied]' \
			<<<"$stdout")" "$options $said"
		sql -c 'SELECT count(*) FROM checkpoints' -c 'SELECT count(*) FROM checkpoint_writes' \
			-c 'SELECT count(*) FROM checkpoint_blobs' >after
		is "$options $(paste before after | awk '{ printf "%d,", $1 - $2 }')" \
			"$options $(jq -r '.[:3] | map(tostring + ",") | add' <<<"$said")"
	done
}

@test "vacuum: room is for others in the end, with full the files are smaller" {
	local size
	sql -c "UPDATE checkpoint_blobs SET blob = convert_to(repeat(md5(version || channel), 20000), 'UTF8')
		WHERE thread_id = 'chat-1'" -c "ALTER TABLE checkpoint_blobs ALTER blob SET STORAGE EXTERNAL" \
		-c "UPDATE checkpoint_blobs SET blob = blob || 'x' WHERE thread_id = 'chat-1'" \
		-c "VACUUM FULL checkpoint_blobs"
	size=$(sql -c "SELECT pg_total_relation_size('checkpoint_blobs')")
	prune --keep-last 1 --vacuum --yes --json
	same "code ($stderr)" "$status" 0
	same "tables vacuumed" "$(sql -c "SELECT count(*) FROM pg_stat_user_tables WHERE vacuum_count > 0
		AND relname IN ('checkpoints', 'checkpoint_blobs', 'checkpoint_writes')")" 3
	prune --keep-last 1 --vacuum=full --yes --json
	same "code ($stderr)" "$status" 0
	[ "$(sql -c "SELECT pg_total_relation_size('checkpoint_blobs')")" -lt $((size / 2)) ]
	apart ckpt check -s "$db"
	same "check ($stdout)" "$status" 0
}

@test "shards: each takes its threads, all of them what one run takes" {
	local one want shard
	prune --keep-last 1 --dry-run --list
	want=$(awk -F'\t' '$1 == "drop"' <<<"$stdout" | sort)
	for shard in 1 2; do prune --keep-last 1 --shard $shard/2 --dry-run --list && echo "$stdout"; done |
		awk -F'\t' '$1 == "drop"' | sort >parts
	same parts "$(cat parts)" "$want"
	"$CKPT" prune -s "$db" --keep-last 1 --shard 1/2 --yes -q >one.out &
	one=$!
	prune --keep-last 1 --shard 2/2 --yes -q
	same code "$status" 0
	wait "$one"
	prune --keep-last 1 --dry-run --json
	data 'd["summary"]["checkpoints"]' 0
	same strays "$(strays | paste -sd' ')" "0 0"
}

@test "a schema of its own: its rows go, those of another stay" {
	local before
	gzip -dc "$FIXTURES/py-basic/store.sql.gz" | sed 's/public\./agents./g' |
		{ echo 'CREATE SCHEMA agents;'; cat; } | sql >/dev/null
	before=$(rows | sha256sum)
	[ "$(count agents.checkpoints)" -eq "$(count)" ]
	prune --schema agents --keep-last 1 --yes --json
	works
	same "other rows" "$(rows | sha256sum)" "$before"
	same "what goes" "$(jq .summary.checkpoints <<<"$stdout")" $(($(count) - $(count agents.checkpoints)))
	[ "$(count agents.checkpoints)" -lt "$(count)" ]
}

@test "a second ckpt is told who holds the store, and takes nothing; --lock-wait waits" {
	local first
	mkfifo hold
	psql -qXAt -d "$name" <hold >holding &
	exec 7>hold
	echo "BEGIN; SELECT FROM checkpoints FOR UPDATE; SELECT 'here';" >&7
	until grep -q here holding; do sleep 0.1; done
	"$CKPT" prune -s "$db" --keep-last 1 --lock-wait 60s --yes -q >first.out 2>&1 7>&- &
	first=$!
	until [ "$(sql -c "SELECT count(*) FROM pg_locks l JOIN pg_database d ON d.oid = l.database
		WHERE locktype = 'advisory' AND mode = 'ExclusiveLock' AND granted
		AND datname = '$name'")" = 1 ]; do
		kill -0 "$first"
		sleep 0.1
	done
	prune --keep-last 2 --lock-wait 1s --yes
	same "code ($stderr)" "$status" 6
	has "$stderr" "ckpt"
	has "$stderr" "server process"
	echo 'COMMIT;' >&7
	exec 7>&-
	wait "$first"
	prune --keep-last 1 --dry-run --json
	data 'd["summary"]["checkpoints"]' 0
}
