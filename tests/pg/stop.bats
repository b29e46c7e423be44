#!/usr/bin/env bats
# A signal while the server works: the statement is cancelled there, ckpt says so and ends with
# 128+n, and the rows are those before a batch or after it. Statements are slow because another
# session holds a lock. Runs inside with-server.sh.

# shellcheck disable=SC2030,SC2031,SC2034,SC2154  # each test is a subshell of bats
load ../cli/helper
load ../cli/stores

sql() { psql -qXAt -v ON_ERROR_STOP=1 -d "$name" "$@"; }

setup() {
	alone || return
	name=stop_$RANDOM$RANDOM
	createdb -T template0 "$name"
	gzip -dc "$FIXTURES/py-basic/store.sql.gz" | sql >/dev/null
	export CKPT_STORE=dbname=$name
	mkfifo hold
	psql -qXAt -d "$name" <hold >/dev/null 2>&1 3>&- &
	holder=$!
	exec 7>hold
}

teardown() {
	exec 7>&-
	wait "$holder" || true
	dropdb --force "$name"
}

rows() {
	local table
	for table in checkpoints checkpoint_writes checkpoint_blobs; do
		sql -c "SELECT '$table', t FROM $table t ORDER BY t::text COLLATE \"C\""
	done
}

# Is there a statement of ckpt's at work, or one that waits for a lock?
active() { # [CONDITION]
	sql -c "SELECT count(*) > 0 FROM pg_stat_activity WHERE datname = '$name'
		AND application_name LIKE 'ckpt%' AND state = 'active' AND ${1:-true}"
}
waits() { active "wait_event_type = 'Lock'"; }

until_says() { # WORD COMMAND...
	local i word=$1
	shift
	for ((i = 0; i < 1200; i++)); do
		if [ "$("$@")" = "$word" ]; then return; fi
		sleep 0.05
	done
	echo "$*: not $word: $("$@")"
	return 1
}

holds() { # MODE: the other session has a lock of this mode on checkpoints
	sql -c "SELECT count(*) FROM pg_locks l JOIN pg_class c ON c.oid = l.relation
		WHERE relname = 'checkpoints' AND granted AND mode = '$1'"
}

# interrupted SIGNAL COMMAND...: starts it beside the lock, waits until it waits, sends the signal.
# Then the statement has to end on the server although the lock is still held.
interrupted() {
	local signal=$1 sent
	shift
	"$CKPT" "$@" --lock-wait 90s --json >out 2>err 3>&- 7>&- &
	local pid=$!
	until_says t waits
	sent=$EPOCHSECONDS
	kill -"$signal" "$pid"
	status=0
	wait "$pid" || status=$?
	[ $((EPOCHSECONDS - sent)) -le 30 ] # a third of what it would wait for the lock
	until_says f active
	stderr=$(cat err) stdout=$(cat out)
	has "$stderr" '"code":"interrupted"'
	has "$stderr" 'stopped by a signal'
}

@test "commands that write: cancelled, and nothing is written" {
	local fixture=$FIXTURES/py-hitl/store.db
	rows >before
	echo 'BEGIN; LOCK TABLE checkpoint_blobs, checkpoints, checkpoint_writes IN SHARE MODE;' >&7
	until_says 1 holds ShareLock
	interrupted TERM prune --keep-last 1 --yes
	is "prune $status" 'prune 143'
	interrupted INT prune --delete-threads --thread chat-1 --yes
	is "whole threads $status" 'whole threads 130'
	interrupted HUP delete --thread chat-1 --yes
	is "delete $status" 'delete 129'
	interrupted TERM enforce-size --max-size 1kB --min-age 0 --active-within 0 --yes
	is "enforce-size $status" 'enforce-size 143'
	interrupted TERM copy chat-1 chat-copy
	is "copy $status" 'copy 143'
	interrupted TERM migrate "$fixture" "$CKPT_STORE"
	is "migrate $status" 'migrate 143'
	interrupted TERM resume chat-1~1 --fork --yes
	is "resume $status" 'resume 143'
	rows | cmp - before
	echo 'ROLLBACK;' >&7
	ckpt prune --keep-last 1 --yes
}

@test "commands that read: cancelled, too" {
	local command
	echo 'BEGIN; LOCK TABLE checkpoints;' >&7
	until_says 1 holds AccessExclusiveLock
	for command in 'list' 'list --all' 'check' 'du' 'show chat-1' 'prune --keep-last 1 -n'; do
		# shellcheck disable=SC2086  # words
		interrupted TERM $command
		is "$command: $status" "$command: 143"
	done
	interrupted TERM migrate "$CKPT_STORE" target.db
	is "migrate $status" 'migrate 143'
}

@test "in the middle of a run: whole batches, and the same again finishes it" {
	sql -c "INSERT INTO checkpoints SELECT 'many', '', left(c.checkpoint_id, 24) ||
			to_char(n, 'FM000000000000'), NULL, c.type, c.checkpoint - 'channel_versions' ||
			'{\"channel_versions\": {}}', c.metadata
			FROM (SELECT * FROM checkpoints ORDER BY checkpoint_id LIMIT 1) c,
			generate_series(1, 20000) n" \
		-c "INSERT INTO checkpoint_writes (thread_id, checkpoint_ns, checkpoint_id, task_id,
			idx, channel, blob) SELECT thread_id, checkpoint_ns, checkpoint_id, 't', 0, 'c', ''
			FROM checkpoints WHERE thread_id = 'many'" -c 'ANALYZE'
	echo "BEGIN; SELECT FROM checkpoints WHERE thread_id = 'many' AND
		checkpoint_id LIKE '%000000015000' FOR UPDATE;" >&7
	until_says 1 holds RowShareLock
	"$CKPT" prune --thread many --keep-last 1 --no-keep-heads --lock-wait 90s --yes --json \
		>out 2>err 3>&- 7>&- &
	local pid=$!
	until_says t active "wait_event = 'transactionid'"
	kill -TERM "$pid"
	status=0
	wait "$pid" || status=$?
	is "$status" 143
	until_says f active
	has "$(cat err)" '"code":"interrupted"'
	local left
	left=$(sql -c "SELECT count(*) FROM checkpoints WHERE thread_id = 'many'")
	[ "$left" -gt 1 ]
	is "$(sql -c "SELECT count(*) FROM checkpoint_writes WHERE thread_id = 'many'")" "$left"
	is "$(jq '.summary.checkpoints + '"$left" out)" 20000
	echo 'ROLLBACK;' >&7
	ckpt prune --thread many --keep-last 1 --no-keep-heads --yes
	is "$(sql -c "SELECT count(*) FROM checkpoints WHERE thread_id = 'many'")" 1
}
