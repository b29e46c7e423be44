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
