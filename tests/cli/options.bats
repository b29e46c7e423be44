#!/usr/bin/env bats
# The command line: what is accepted, what is refused, how it says so.

load helper

@test "ckpt alone prints its short help on stderr and exits 2" {
	apart ckpt
	is "$status" 2
	is "$stdout" ""
	has "$stderr" "Usage  ckpt COMMAND"
}

@test "-h and --help print on stdout and exit 0" {
	for word in -h --help; do
		apart ckpt "$word"
		is "$status" 0
		is "$stderr" ""
		has "$stdout" "Commands"
		apart ckpt list "$word"
		is "$status" 0
		has "$stdout" "Full manual: ckpt help list"
		apart ckpt "$word" list
		has "$stdout" "Full manual: ckpt help list"
	done
}

@test "-V and --version print the version" {
	for word in -V --version; do
		apart ckpt "$word"
		is "$status" 0
		is "$stdout" "ckpt 0.1.0"
	done
	apart ckpt list --version
	is "$stdout" "ckpt 0.1.0"
}

@test "words that are wrong: exit 2, and no store is looked for" {
	local words
	for words in "list a --all" "list --graph" "show" "show a --path /x" "diff --patch --stat a" "diff a --mask (" \
		"resume" "resume a --thread-id b" "prune --keep-last 1 --shard 3/2" "prune --keep-last -1" \
		"prune --idle 1d" "prune --keep-where x" "prune --keep-last 1 --max-delete x" \
		"prune --keep-last 1 --expect-plan x" "enforce-size" "enforce-size --max-size 1MB --floor 3" \
		"enforce-size --max-size 1MB --low-water 0%" "delete" "delete --thread a --run-id b" \
		"copy a b --at c~1" "copy a b --at="; do
		# shellcheck disable=SC2086  # words
		apart ckpt $words -s nosuch.db
		is "$words: $status" "$words: 2"
	done
	apart ckpt migrate nosuch.db new.db --jobs 99
	is "$status" 2
	apart ckpt copy a '' -s nosuch.db
	is "$status" 2
	apart ckpt prune --keep-last 1 -s nosuch.db
	is "$status" 4
}

@test "a store named with mode=ro is read, never altered" {
	local before words
	use py-basic
	local db=$store
	before=$(sha256sum "$db")
	for words in "prune --keep-last 1 --yes" "prune --vacuum --yes" "delete --thread types --yes" \
		"copy types new" "resume chat-1 --fork --yes" "enforce-size --max-size 1B --yes"; do
		# shellcheck disable=SC2086  # words
		apart ckpt $words -s "file:$db?mode=ro"
		is "$words: $status" "$words: 7"
		has "$stderr" "mode=ro"
	done
	apart ckpt migrate "$FIXTURES/py-hitl/store.db" "file:$db?mode=ro"
	is "$status" 7
	is "$(sha256sum "$db")" "$before"
	apart ckpt delete --thread types --yes -s "sqlite:////${db#/}?timeout=5&mode=ro"
	is "$status $(sha256sum "$db")" "7 $before"
	apart ckpt migrate "$db" "file:new.db?mode=ro"
	is "$status $(ls new.db* 2>/dev/null)" "7 "
	apart ckpt prune --keep-last 1 --dry-run -s "file:$db?mode=ro"
	is "$status" 0
	apart ckpt delete --thread types --yes -s "file:$db?mode=rw"
	is "$status" 0
}

@test "an unknown command names the nearest" {
	apart ckpt lst
	is "$status" 2
	is "$stderr" "ckpt: no command 'lst'; did you mean 'list'?"
}

@test "an unknown option names the nearest; abbreviations are not taken" {
	apart ckpt list --jsno
	is "$status" 2
	is "$stderr" "ckpt: no option '--jsno'; did you mean '--json'?"
	apart ckpt list --porcel
	is "$status" 2
	has "$stderr" "did you mean '--porcelain'?"
}

@test "common options stand before or after the command, in every spelling" {
	use py-basic
	apart ckpt list -s "$store" --porcelain
	is "$status" 0
	want=$stdout
	[ -n "$want" ]
	for line in "-s $store list --porcelain" "--porcelain list --store=$store" \
		"list --store $store --porcelain=v1" "list -s$store" "--porcelain -s $store list"; do
		apart ckpt $line
		is "$status" 0
		is "$stdout" "$want"
	done
}

@test "CKPT_STORE names the store; -s wins over it" {
	use py-basic
	CKPT_STORE=$store apart ckpt list
	is "$status" 0
	want=$stdout
	CKPT_STORE=/nowhere apart ckpt list -s "$store"
	is "$stdout" "$want"
}

@test "no store is a usage error with a hint" {
	apart ckpt list
	is "$status" 2
	is "$stderr" "ckpt: no store given
hint: -s STORE or CKPT_STORE"
	CKPT_STORE= apart ckpt list
	is "$status" 2
}

@test "DATABASE_URL and PG variables never select a store" {
	DATABASE_URL=postgresql://h/d PGDATABASE=d PGHOST=h apart ckpt list
	is "$status" 2
}

@test "a store that is not there is exit 4 and is not created" {
	apart ckpt list -s none.db
	is "$status" 4
	has "$stderr" "ckpt: no store 'none.db'"
	[ ! -e none.db ]
}

@test "bad durations, sizes and times name option and value" {
	apart ckpt list -s x --idle 15m
	is "$status" 2
	is "$stderr" "ckpt: --idle: '15m' is not a duration
hint: m is ambiguous: write min"
	apart ckpt list -s x --lock-wait soon
	is "$status" 2
	has "$stderr" "--lock-wait: 'soon' is not a duration"
	apart ckpt list -s x --since yesterday
	is "$status" 2
	has "$stderr" "--since: 'yesterday' is not a time"
	apart ckpt list -s x --limit many
	is "$status" 2
	has "$stderr" "--limit: 'many' is not a number"
	apart ckpt list -s x --color=pink
	is "$status" 2
	has "$stderr" "hint: values: auto|always|never"
}

@test "missing values and arguments too many are usage errors" {
	apart ckpt list -s
	is "$status" 2
	has "$stderr" "-s needs a value"
	apart ckpt list a b
	is "$status" 2
	has "$stderr" "'b' is one argument too many"
	apart ckpt completion
	is "$status" 2
	has "$stderr" "completion needs an argument"
}

@test "forms of output exclude each other" {
	for pair in "--json --ndjson" "--json --porcelain" "--ndjson --porcelain=v1"; do
		apart ckpt list -s x $pair
		is "$status" 2
		has "$stderr" "exclude each other"
	done
	apart ckpt list -s x --porcelain=v9
	is "$status" 2
}

@test "a double dash ends the options" {
	use py-basic
	apart ckpt list -s "$store" -- --json
	is "$status" 4
	has "$stderr" "--json"
}

@test "what is typed is shown without its control characters" {
	apart ckpt $'\033[31mlist'
	is "$status" 2
	has "$stderr" '\u{1b}[31mlist'
	lacks "$stderr" $'\033'
}

@test "with --json the last line on stderr is the error as an object" {
	apart ckpt list --json --idle 15m
	is "$status" 2
	is "$stdout" ""
	is "$(tail -n 1 <<<"$stderr")" '{"type":"error","code":"usage","exit":2,"message":"--idle: '"'15m'"' is not a duration","hint":"m is ambiguous: write min","retryable":false}'
	apart ckpt list -s none.db --ndjson
	is "$status" 4
	has "$(tail -n 1 <<<"$stderr")" '"code":"store_missing","exit":4'
}

@test "--schema with a store that has none is said" {
	apart ckpt list -s "$FIXTURES/py-basic/store.db" --schema other
	is "$status" 0
	has "$stderr" "--schema is about PostgreSQL"
	apart ckpt list -s "$FIXTURES/py-basic/store.db"
	is "$stderr" ""
}
