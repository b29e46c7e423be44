#!/usr/bin/env bats
# Dumps as stores: forms of the name, standard input, archives that are cut, refused, or not quite
# right, and their exit codes. That a dump answers like its store is tests/oracle/compare_dump.py's.

# shellcheck disable=SC2016,SC2030,SC2031,SC2034,SC2154  # each test is a subshell of bats
load helper

head='{"ckpt":"dump","version":1,"engine":"sqlite","layout":"langgraph"}'

dump() { # FIXTURE [FILE]: sets $store and $dump
	use "$1"
	dump=$BATS_TEST_TMPDIR/${2:-$1.jsonl}
	python3 "$top/tests/oracle/dump.py" "$store" >"$dump"
}

ids() { # ARG…
	apart ckpt list chat-1 --ids "$@"
}

@test "forms: FILE.jsonl, dump:FILE, dump:-, a pipe, CKPT_STORE" {
	dump py-basic
	ids -s "$store"
	want=$stdout
	[ -n "$want" ]
	cp "$dump" archive
	for name in "$dump" ./py-basic.jsonl "dump:$dump" dump:archive; do
		ids -s "$name"
		is "$status $stderr" "0 "
		is "$stdout" "$want"
	done
	CKPT_STORE=$dump ids
	is "$stdout" "$want"
	ids -s dump:- <"$dump"
	is "$status $stderr" "0 "
	is "$stdout" "$want"
	ids -s dump:- < <(cat "$dump")
	is "$status $stderr" "0 "
	is "$stdout" "$want"
	ids -s "dump:"<(cat "$dump")
	is "$stdout" "$want"
}

@test "what is read only once is copied, and leaves nothing" {
	dump py-basic
	mkdir tmp
	TMPDIR=$PWD/tmp ids -s dump:- < <(cat "$dump")
	is "$status" 0
	is "$(ls -A tmp)" ""
	TMPDIR=$PWD/none ids -s dump:- < <(cat "$dump")
	is "$status" 9
	has "$stderr" "no temporary file in '$PWD/none'"
	# a file is read where it lies
	TMPDIR=$PWD/none ids -s dump:- <"$dump"
	is "$status" 0
}

@test "the answer names it: engine and layout are dump" {
	dump py-basic
	apart ckpt list -s "$dump" --json
	is "$(jq -c .store <<<"$stdout")" \
		"{\"uri\":\"$dump\",\"engine\":\"dump\",\"layout\":\"dump\",\"writers\":[\"python\"]}"
	apart ckpt show -s "$dump" chat-1 --json
	is "$(jq -r .store.engine <<<"$stdout")" dump
	apart ckpt diff -s "$dump" chat-1 --json
	is "$(jq -r .store.engine <<<"$stdout")" dump
}

@test "not there, a folder, no dump, another version: exit codes 4 and 7" {
	dump py-basic
	mkdir folder.jsonl
	for name in none.jsonl dump:none dump: folder.jsonl dump:folder.jsonl; do
		apart ckpt list -s "$name"
		is "$name $status" "$name 4"
	done
	: >empty.jsonl
	echo '{"a":1}' >other.jsonl
	sed 1d "$dump" >headless.jsonl
	sed 's/"version": 1/"version": 2/' "$dump" >newer.jsonl
	gzip -c "$dump" >packed.jsonl
	(cat "$dump"; echo '{"channel":{}}') >kind.jsonl
	for name in empty other headless newer packed kind; do
		apart ckpt list -s "$name.jsonl"
		is "$name $status $stdout" "$name 7 "
		has "$stderr" "$name.jsonl"
	done
	apart ckpt list -s "dump:$store"
	is "$status" 7
	has "$stderr" "ckpt help dump"
	apart ckpt list -s newer.jsonl
	has "$stderr" "version 2"
	apart ckpt list -s packed.jsonl
	has "$stderr" "zcat"
	apart ckpt list -s kind.jsonl
	has "$stderr" "unknown kind 'channel'"
}

@test "a terminal is no archive" {
	apart script -qec "$CKPT list -s dump:-" /dev/null
	has "$stdout" "is a terminal"
	has "$stdout" "<FILE.jsonl"
}

@test "a torn archive: what is whole is read, the rest is told" {
	dump py-basic
	local size
	size=$(($(wc -c <"$dump") - 300))
	head -c "$size" "$dump" >torn.jsonl
	apart ckpt list -s torn.jsonl
	is "$status" 0
	has "$stderr" "1 line of the archive holds no row"
	has "$stderr" "the line is cut off"
	has "$stderr" "incomplete"
	is "$(wc -l <<<"$stdout")" "$(ckpt list -s "$store" | wc -l)"
	# without a newline at the end it is whole all the same
	head -c -1 "$dump" >unended.jsonl
	apart ckpt list -s unended.jsonl
	is "$status $stderr" "0 "
}

@test "a bad line hides no other" {
	dump py-basic
	awk 'NR == 3 { print "<<<<<<<" } { print }' "$dump" >marked.jsonl
	ids -s marked.jsonl
	is "$status" 0
	is "$stdout" "$(ckpt list chat-1 --ids -s "$store")"
	has "$stderr" "line 3: this is not a JSON object"
}

@test "lines that grep took, lines in another order, archives joined" {
	dump py-basic
	ids -s "$store"
	want=$stdout
	ids -s dump:- < <(grep -e '"ckpt"' -e '"thread":"chat-1"' "$dump")
	is "$stdout" "$want"
	has "$stderr" "incomplete"
	ids -s dump:- < <(head -n 1 "$dump"; sed 1d "$dump" | sort -r)
	is "$stdout" "$want"
	use py-hitl
	python3 "$top/tests/oracle/dump.py" "$store" >hitl.jsonl
	cat hitl.jsonl "$dump" >both.jsonl
	ids -s both.jsonl
	is "$status $stderr" "0 "
	is "$stdout" "$want"
	is "$(ckpt list -s both.jsonl | cut -f 1 | sort)" \
		"$( (ckpt list -s hitl.jsonl; ckpt list -s "$dump") | cut -f 1 | sort -u)"
}

@test "keys kept as BLOB, names that are not UTF-8, NUL" {
	{
		echo "$head"
		echo '{"checkpoint":{"thread":{"$bytes":"YQ=="},"ns":"","id":"1"}}'
		echo '{"checkpoint":{"thread":"a\u0000b","ns":"","id":"1"}}'
		echo '{"checkpoint":{"thread":{"$str":"/w=="},"ns":"","id":"1"}}'
		echo '{"end":{"checkpoints":3,"writes":0,"blobs":0}}'
	} >names.jsonl
	apart ckpt list -s names.jsonl --json
	is "$status $stderr" "0 "
	is "$(jq '.data | length' <<<"$stdout")" 3
}

@test "reading leaves the archive as it is" {
	dump py-basic
	touch -d @1000000000 "$dump"
	ckpt show -s "$dump" chat-1 >/dev/null
	is "$(stat -c '%Y %s' "$dump")" "1000000000 $(wc -c <"$dump")"
	chmod a-w "$dump" .
	ckpt list -s "$dump" >/dev/null
	chmod u+w .
}
