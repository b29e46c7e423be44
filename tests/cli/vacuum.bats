#!/usr/bin/env bats
# ckpt prune --vacuum: what is given back, in which way, and what the run says of it.

# shellcheck disable=SC2030,SC2031,SC2154  # each test is a subshell of bats
load helper
load stores

setup() {
	alone || return
	use py-basic
	db=$store
	export CKPT_STORE=$db
}

teardown() {
	if [ -n "${holder:-}" ]; then kill "$holder" 2>/dev/null || true; fi
	wait
}

@test "--vacuum gives room back, also alone" {
	local before
	before=$(stat -c %s "$db")
	apart ckpt prune --keep-last 1 --vacuum=full --yes --json
	is "$status $stderr" "0 "
	data 'd["summary"]["file_bytes_before"] > 2 * d["summary"]["file_bytes_after"]' true
	[ "$(stat -c %s "$db")" -lt "$before" ]
	ckpt check >/dev/null
	use py-basic
	ckpt prune --keep-last 1 --yes -q >/dev/null
	apart ckpt prune --vacuum=full -q
	is "$status" 0
	[ "$(stat -c %s "$db")" -lt "$before" ]
}

@test "--vacuum=full: as many threads are gone as the dry run said, whichever way they go" {
	local all way words want
	all=$(sqlite3 "$db" 'SELECT count(DISTINCT thread_id) FROM checkpoints')
	for way in "--thread chat-1" "--thread-glob *"; do
		use py-basic
		set -f
		words="--delete-threads $way --max-delete 100% --vacuum=full"
		want=$(ckpt prune $words -n --json | jq .summary.threads_emptied)
		apart ckpt prune $words --yes --json -v
		set +f
		is "$status $(jq .summary.threads_emptied <<<"$stdout")" "0 $want"
		is "$(sqlite3 "$db" 'SELECT count(DISTINCT thread_id) FROM checkpoints')" $((all - want))
	done
	has "$stderr" "what stays was written anew"
}

@test "the room that can be had is told with the option that gives it back" {
	apart ckpt prune --keep-last 1 --yes
	has "$stderr" ": --vacuum=full gives back about"
	apart ckpt prune --vacuum
	has "$stderr" "only a full vacuum gives them back"
	has "$stderr" ": --vacuum=full gives back about"
	apart ckpt prune --vacuum=full
	lacks "$stderr" "gives back about"
}

@test "--vacuum=full beside a reader: the file is said to be as long as it is, and why" {
	local way
	for way in "--thread chat-1" ""; do # a part of it, and most
		use py-basic
		sqlite3 "$db" "PRAGMA journal_mode = WAL" >/dev/null
		rm -f ready
		python3 -c '
import sqlite3, sys, time
db = sqlite3.connect(sys.argv[1], isolation_level=None)
db.execute("BEGIN")
db.execute("SELECT count(*) FROM checkpoints").fetchone()
print("here", flush=True)
time.sleep(60)' "$db" >ready 3>&- &
		holder=$!
		until [ -s ready ]; do sleep 0.05; done
		# shellcheck disable=SC2086  # words
		apart ckpt prune --keep-last 1 $way --vacuum=full --lock-wait 1s --yes --json
		is "$status $(jq .summary.file_bytes_after <<<"$stdout")" "0 $(stat -c %s "$db")"
		data 'd["summary"]["file_bytes_before"] == d["summary"]["file_bytes_after"]' true
		has "$stderr" "the file gets shorter when nobody reads what was there before"
		kill "$holder"
		wait "$holder" || true
	done
	apart ckpt prune --vacuum=full --json
	is "$status $stderr" "0 "
	is "$(jq .summary.file_bytes_after <<<"$stdout")" "$(stat -c %s "$db")"
}
