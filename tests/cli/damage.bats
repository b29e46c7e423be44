#!/usr/bin/env bats
# `ckpt show` of what is damaged, in every form; and values that are only partly there.

# shellcheck disable=SC2154  # of the helpers
load helper
load stores

# damaged STORE: the address of its bad checkpoint, in $at.
damaged() {
	store=$(store "broken/$1")
	at=$(python3 -c 'import json, sys
print(json.load(open(sys.argv[1]))["id"])' "$FIXTURES/broken/$1/oracle.json")
}

@test "damage is exit 8 and said on stderr, whatever the form" {
	local name form
	for name in bad-metadata bad-write cut-blob bad-blob deep-blob; do
		damaged "$name"
		for form in --json --ndjson --porcelain --types "--path /values" "--channel n"; do
			[ "$name $form" = "bad-write --channel n" ] && continue
			# shellcheck disable=SC2086
			apart ckpt -s "$store" show --thread edited-past --checkpoint "$at" $form
			is "$name $form $status" "$name $form 8"
			has "$stderr" "is damaged"
			[ -n "$stdout" ] || [ "$form" = --types ]
		done
		CKPT_FORCE_TTY=90 CKPT_PAGER='' apart ckpt -s "$store" show --thread edited-past --checkpoint "$at"
		is "$name $status" "$name 8"
		lacks "$stderr" $'\\x'
	done
}

@test "what cannot be read is not said to be missing" {
	damaged bad-blob
	apart ckpt -s "$store" show --thread edited-past --checkpoint "$at" --path /values/n
	is "$status" 8
	has "$stderr" "in what can be read"
}

@test "--max-value is for the value that --path finds" {
	apart ckpt -s "$(store py-basic)" show big-message --path /values/messages/0/content --max-value 10B
	is "$status" 0
	is "$stdout" '"Write a lot"'
}

@test "--path /values has the delta channels too" {
	apart ckpt -s "$(store py-delta)" show long~1 --path /values
	is "$status" 0
	has "$stdout" '"events":'
}
