#!/usr/bin/env bats
# ckpt prune --vacuum: what is given back, in which way, and what the run says of it.

# shellcheck disable=SC2030,SC2031,SC2154  # each test is a subshell of bats
load helper
load stores

setup() {
	unset CKPT_STORE CKPT_PAGER PAGER NO_COLOR CKPT_FORCE_TTY LANGGRAPH_AES_KEY COLUMNS
	cd "$BATS_TEST_TMPDIR" || return
	use py-basic
	db=$store
	export CKPT_STORE=$db
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
