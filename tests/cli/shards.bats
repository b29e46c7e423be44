#!/usr/bin/env bats
# The lock of a SQLite store, shared by shards: one ckpt a shard, different ones side by side, and
# none beside a job on the whole store. PostgreSQL: tests/pg/shards.bats. The lock of whole jobs:
# delete.bats.

# shellcheck disable=SC2030,SC2031,SC2034,SC2154  # each test is a subshell of bats
load helper
load stores

setup() {
	alone || return
	use py-hitl
	db=$store
	export CKPT_STORE=$db
	python3 -c '
import sqlite3, sys, time
db = sqlite3.connect(sys.argv[1], isolation_level=None)
db.execute("BEGIN IMMEDIATE")
print("here", flush=True)
time.sleep(600)' "$db" >ready 3>&- &
	holder=$!
	until [ -s ready ]; do sleep 0.05; done
}

teardown() {
	release
	wait
}

release() {
	if [ "$holder" ]; then kill "$holder" && { wait "$holder" || true; }; fi
	holder=
}

# Starts a ckpt that gets its lock, then waits for SQLite's; its process is $!.
begin() { # OPTION...
	"$CKPT" prune --keep-last 1 --yes --lock-wait 90s "$@" >/dev/null 2>&1 3>&- &
	until grep -qs "process $! on" "$db-ckpt"; do
		kill -0 $!
		sleep 0.05
	done
}

refused_for() { # PROCESS COMMAND...
	local by=$1
	shift
	apart ckpt "$@" --yes --lock-wait 0
	is "$*: $status" "$*: 6"
	has "$stderr" "is being altered by another ckpt: ckpt prune, process $by on $(hostname), since 2"
}

@test "a shard twice: the second is told who has it; another shard works beside it" {
	local one two
	begin --shard 1/2
	one=$!
	refused_for $one prune --keep-last 1 --shard 1/2
	begin --shard 2/2
	two=$!
	refused_for $one prune --keep-last 1 --shard 1/2
	refused_for $two prune --keep-last 1 --shard 2/2
	release
	wait $one
	wait $two
	[ ! -e "$db-ckpt" ]
	is "$("$CKPT" prune --keep-last 1 -n --list | grep -c '^drop' || true)" 0
}

@test "a job on the whole store beside a shard, and a shard beside it: exit 6" {
	local one
	begin --shard 2/3
	one=$!
	refused_for $one prune --keep-last 1
	refused_for $one delete --thread finished
	refused_for $one enforce-size --max-size 1kB --min-age 0
	release
	wait $one
}

@test "a shard beside a job on the whole store: exit 6" {
	local whole
	begin
	whole=$!
	refused_for $whole prune --keep-last 1 --shard 1/3
	refused_for $whole prune --keep-last 1 --shard 3/3
	release
	wait $whole
	ckpt prune --keep-last 1 --shard 1/3 --yes
}

@test "killed, a shard lets go of its part at once, and of no other" {
	local one two
	begin --shard 1/2
	one=$!
	begin --shard 2/2
	two=$!
	kill -9 $one
	wait $one || true
	refused_for $two prune --keep-last 1
	begin --shard 1/2
	one=$!
	kill -9 $two
	wait $two || true
	release
	wait $one
	ckpt prune --keep-last 1 --yes
	[ ! -e "$db-ckpt" ]
}

@test "fifty of one shard at once: one has it" {
	local i pids=() held=0
	for i in $(seq 50); do
		"$CKPT" prune --keep-last 1 --shard 1/2 --yes --lock-wait 90s >/dev/null 2>"err.$i" 3>&- &
		pids[i]=$!
	done
	# those that are refused end, though SQLite's lock is still held
	until [ "$(jobs -rp | wc -l)" = 2 ]; do sleep 0.1; done
	release
	for i in $(seq 50); do
		status=0
		wait "${pids[i]}" || status=$?
		if [ "$status" = 0 ]; then held=$((held + 1)); else is "$status" 6; fi
	done
	is "$held" 1
}
