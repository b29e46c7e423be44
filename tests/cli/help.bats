#!/usr/bin/env bats
# The manual inside the program.

load helper

@test "help prints the overview" {
	apart ckpt help
	is "$status" 0
	has "$stdout" "CKPT(1)"
	has "$stdout" "ckpt list"
	lacks "$stdout" $'\033'
}

@test "every command that is shown has a manual page" {
	for name in $("$CKPT" -h | sed -n '/^Commands/,/^$/s/^  \([a-z-]*\) .*/\1/p'); do
		apart ckpt help "$name"
		is "$status" 0
		has "$stdout" "NAME
       ckpt-$name - "
	done
}

@test "every topic has a page" {
	for topic in addresses dump environment exit-codes json layouts policies; do
		apart ckpt help "$topic"
		is "$status" 0
		has "$stdout" "ckpt-$topic - "
	done
}

@test "every option of the tables is in the manual page" {
	for name in list show diff check du migrate; do
		apart ckpt help "$name"
		page=$stdout
		for option in $("$CKPT" "$name" -h | sed -n '/^Store/,$d;s/^ .*\(--[a-z-]*\) .*  .*/\1/p'); do
			has "$page" "$option"
		done
	done
}

@test "no escape of the page's source is left" {
	for page in ckpt list show diff check du migrate help completion json addresses dump environment exit-codes layouts policies; do
		apart ckpt help "$page"
		lacks "$stdout" '\f'
		lacks "$stdout" '\-'
		lacks "$stdout" '\('
	done
}

@test "pages are no wider than they may be" {
	CKPT_FORCE_TTY=50 apart ckpt help help --no-pager --color never
	[ "$(wc -L <<<"$stdout")" -le 50 ]
	apart ckpt help json
	[ "$(wc -L <<<"$stdout")" -le 92 ]
}

@test "an unknown page names the nearest" {
	apart ckpt help lst
	is "$status" 2
	is "$stderr" "ckpt: no manual page 'lst'; did you mean 'list'?"
	apart ckpt help nothing-like-it
	is "$status" 2
	has "$stderr" "hint:"
}

@test "a terminal gets bold headings, and none with NO_COLOR or a dumb terminal" {
	CKPT_FORCE_TTY=1 apart ckpt help --no-pager
	has "$stdout" $'\033[1mNAME\033[0m'
	NO_COLOR=1 CKPT_FORCE_TTY=1 apart ckpt help --no-pager
	lacks "$stdout" $'\033'
	TERM=dumb CKPT_FORCE_TTY=1 apart ckpt help --no-pager
	lacks "$stdout" $'\033'
	apart ckpt help --color=always
	has "$stdout" $'\033[1m'
}

@test "the pager: CKPT_PAGER, then PAGER; empty, cat and missing ones mean none" {
	CKPT_FORCE_TTY=1 CKPT_PAGER='sed s/^/A:/' PAGER='sed s/^/B:/' apart ckpt help
	has "$stdout" "A:CKPT(1)"
	CKPT_FORCE_TTY=1 PAGER='sed s/^/B:/' apart ckpt help
	has "$stdout" "B:CKPT(1)"
	CKPT_FORCE_TTY=1 CKPT_PAGER= PAGER='sed s/^/B:/' apart ckpt help
	is "${stdout:0:7}" "CKPT(1)"
	CKPT_FORCE_TTY=1 CKPT_PAGER=no-such-pager apart ckpt help
	is "$status" 0
	is "${stdout:0:7}" "CKPT(1)"
	CKPT_FORCE_TTY=1 CKPT_PAGER='sed s/^/A:/' apart ckpt help --no-pager
	is "${stdout:0:7}" "CKPT(1)"
	CKPT_PAGER='sed s/^/A:/' apart ckpt help
	is "${stdout:0:7}" "CKPT(1)"
}

@test "leaving the pager early is no failure" {
	CKPT_FORCE_TTY=1 CKPT_PAGER=true apart ckpt help
	is "$status" 0
	is "$stderr" ""
}

# Each line of a command's examples, as somebody would type it, on a store that has chat-1 and has
# a copy. Where nothing is wrong or different, nothing is said.
@test "the examples of -h do what they say" {
	local name line words n=0
	standstill # threads may be idle for so long that they are the most: refused
	for name in $("$CKPT" -h | sed -n '/^Commands/,/^$/s/^  \([a-z-]*\) .*/\1/p'); do
		use py-basic
		export CKPT_STORE=$store
		cp "$store" agent.db
		cp "$store" backup.db
		while IFS= read -r line; do
			line=${line#  ckpt }
			line=${line%%   *}
			read -ra words <<<"$line"
			apart "${still[@]}" "${words[@]}"
			is "$line: $status" "$line: 0"
			[ -n "$stdout" ] || [[ $line =~ --since|--against|--status|^check|^migrate|^enforce-size ]]
			n=$((n + 1))
		done < <("$CKPT" "$name" -h | sed -n '/^Examples/,/^$/s/^  ckpt /&/p')
	done
	[ "$n" -ge 10 ]
}

@test "the page of JSON names every type of line and the summary of every command" {
	apart ckpt help json
	for word in $(grep -oE '"const": "[a-z-]+"' "$top/tests/schema/ndjson.json" | cut -d'"' -f4); do
		has "$stdout" "$word"
	done
	for word in same differs only_a only_b errors warnings infos checked live_bytes file_bytes wal_bytes \
		reclaimable_bytes skipped quarantined verified; do
		has "$stdout" "$word"
	done
}
