#!/usr/bin/env bats
# The lock of a PostgreSQL store, shared by shards: one ckpt a shard, different ones side by side,
# and none beside a job on the whole store. Files: tests/cli/shards.bats. Runs inside
# with-server.sh.

# shellcheck disable=SC2030,SC2031,SC2034,SC2154  # each test is a subshell of bats
load ../cli/helper
load ../cli/stores

sql() { psql -qXAt -v ON_ERROR_STOP=1 -d "$name" "$@"; }

setup() {
	alone || return
	name=shards_$RANDOM$RANDOM
	createdb -T template0 "$name"
	gzip -dc "$FIXTURES/py-hitl/store.sql.gz" | sql >/dev/null
	export CKPT_STORE=dbname=$name
	mkfifo hold
	psql -qXAt -d "$name" <hold >/dev/null 2>&1 3>&- &
	exec 7>hold
	echo 'BEGIN; LOCK TABLE checkpoint_blobs, checkpoints, checkpoint_writes IN SHARE MODE;' >&7
	until_says 3 sql -c "SELECT count(*) FROM pg_locks WHERE mode = 'ShareLock' AND granted
		AND locktype = 'relation'"
}

teardown() {
	exec 7>&-
	wait
	dropdb --force "$name"
}

release() { exec 7>&-; }

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

# How many ckpt have the store or a shard of it for themselves?
holding() {
	sql -c "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND granted
		AND mode = 'ExclusiveLock'"
}

begin() { # COUNT OPTION...: with it COUNT hold one, and wait for the tables; its process is $!
	local count=$1
	shift
	"$CKPT" prune --keep-last 1 --yes --lock-wait 90s "$@" >/dev/null 2>&1 3>&- 7>&- &
	until_says "$count" holding
}

refused() { # COMMAND...
	apart ckpt "$@" --yes --lock-wait 0
	is "$*: $status" "$*: 6"
	[[ $stderr == *"is being altered by another ckpt: ckpt prune, server process "[0-9]*", since 2"* ]]
}

@test "a shard twice: the second is told who has it; another shard works beside it" {
	local one two
	begin 1 --shard 1/2
	one=$!
	refused prune --keep-last 1 --shard 1/2
	begin 2 --shard 2/2
	two=$!
	refused prune --keep-last 1 --shard 1/2
	refused prune --keep-last 1 --shard 2/2
	# the process that is named is the one that holds it
	[[ $stderr =~ process\ ([0-9]+) ]]
	is "$(sql -c "SELECT count(*) FROM pg_locks WHERE pid = ${BASH_REMATCH[1]}
		AND locktype = 'advisory' AND mode = 'ExclusiveLock' AND granted")" 1
	release
	wait $one
	wait $two
	is "$("$CKPT" prune --keep-last 1 -n --list | grep -c '^drop' || true)" 0
}

@test "a job on the whole store beside a shard, and a shard beside it: exit 6" {
	local one
	begin 1 --shard 2/3
	one=$!
	refused prune --keep-last 1
	refused delete --thread finished
	refused enforce-size --max-size 1kB --min-age 0
	release
	wait $one
}

@test "a shard beside a job on the whole store: exit 6" {
	local whole
	begin 1
	whole=$!
	refused prune --keep-last 1 --shard 1/3
	refused prune --keep-last 1 --shard 3/3
	release
	wait $whole
	ckpt prune --keep-last 1 --shard 1/3 --yes
}

@test "killed, a shard lets go of its part as soon as the server sees it, and of no other" {
	local one two
	begin 1 --shard 1/2
	one=$!
	begin 2 --shard 2/2
	two=$!
	kill -9 $one
	wait $one || true
	until_says 1 holding
	refused prune --keep-last 1
	refused prune --keep-last 1 --shard 2/2
	begin 2 --shard 1/2
	one=$!
	release
	wait $one
	wait $two
	ckpt prune --keep-last 1 --yes
}

@test "twenty of one shard at once: one has it" {
	local i pids=() held=0
	for i in $(seq 20); do
		"$CKPT" prune --keep-last 1 --shard 1/2 --yes --lock-wait 90s >/dev/null 2>"err.$i" \
			3>&- 7>&- &
		pids[i]=$!
	done
	# those that are refused end, though the tables are still locked
	until [ "$(jobs -rp | wc -l)" = 2 ]; do sleep 0.1; done
	release
	for i in $(seq 20); do
		status=0
		wait "${pids[i]}" || status=$?
		if [ "$status" = 0 ]; then held=$((held + 1)); else is "$status" 6; fi
	done
	is "$held" 1
}
