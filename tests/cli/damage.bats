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

@test "bytes behind a whole checkpoint are told, and no error" {
	damaged trailing-bytes
	apart ckpt -s "$store" show --thread edited-past --checkpoint "$at" --json
	is "$status" 0
	has "$stdout" "bytes follow"
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

@test "damage: what is bad is marked, the rest is shown, exit 8" {
	local name
	for name in bad-blob cut-blob deep-blob huge-length empty-blob; do
		db=$(store broken/$name)
		show 'edited-past@{cc508af2a129}' --json
		same "$name" "$status" 8
		data '"$corrupt" in str(d["data"]) or len(d["data"]["warnings"]) > 0' true
		data 'd["data"]["id"], d["data"]["metadata"]["source"]' \
			'["1f1a779a-0cc0-6456-8002-cc508af2a129", "loop"]'
	done
	db=$(store broken/bad-write)
	show 'edited-past@{cc508af2a129}' --json
	same bad-write "$status" 8
	data 'd["data"]["values"]["log"]' '[0, 1, 2]' || data 'type(d["data"]["values"]["log"]).__name__' list
}

@test "unknown types are opaque, which is no error" {
	db=$(store broken/unknown-type)
	show 'edited-past@{cc508af2a129}' --json
	same exit "$status" 0
	data 'd["data"]["values"]["$opaque"]' cbor
}

@test "cycles end" {
	db=$(store broken/cycle)
	apart timeout 100 "$CKPT" show -s "$db" edited-past --json
	[ "$status" = 0 ] || [ "$status" = 8 ]
	apart timeout 100 "$CKPT" show -s "$db" edited-past~50
	same exit "$status" 4
	db=$(store broken/self-parent)
	apart timeout 100 "$CKPT" show -s "$db" 'edited-past@{step:0}' --json
	[ "$status" != 124 ]
	db=$(store broken/delta-dangling)
	apart timeout 100 "$CKPT" show -s "$db" interrupted --json
	[ "$status" = 0 ] || [ "$status" = 8 ]
}
