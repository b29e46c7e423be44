#!/usr/bin/env bats
# ckpt diff: what changed in a step, between branches, threads and stores; every option and form.

# shellcheck disable=SC2016,SC2030,SC2031,SC2034,SC2154  # subshells of bats; $ in Python and JSON
load helper
load stores

HEAD=1f1a779a-13ab-6293-8006-78eabc1997f4       # of py-hitl's thread "forked"
PARENT=1f1a779a-1370-66f9-8005-6570a5b46942

setup() {
	alone || return
	db=$(store py-hitl)
}

diff_() {
	apart ckpt diff -s "$db" "$@"
}

STEP="add	/values/log/4		4
replace	/values/n	4	5
remove	/values/branch:to:step	null	
replace	/metadata/step	5	6"

# ---- which ------------------------------------------------------------------------------------------

@test "one address: its parent and it" {
	diff_ forked
	works
	same rows "$stdout" "$STEP"
	diff_ forked --json
	works
	data 'd["data"]["a"]["id"], d["data"]["b"]["id"]' "[\"$PARENT\", \"$HEAD\"]"
}

@test "two addresses; the other way round; the same one" {
	diff_ forked~1 forked
	same rows "$stdout" "$STEP"
	diff_ forked forked~1
	same back "$(head -1 <<<"$stdout")" "remove	/values/log/4	4	"
	diff_ forked forked
	works
	same none "$stdout" ""
}

@test "without a parent: everything was added to nothing" {
	diff_ forked~7 --json
	works
	data 'd["data"]["a"]["id"]' null
	data 'set(c["op"] for c in d["data"]["changes"]) == {"add"}' true
	data 'd["data"]["unchanged"], d["summary"]["removed"]' '[0, 0]'
}

@test "a parent that is not there: exit 4" {
	db=$(store broken/missing-parent)
	diff_ edited-past
	fails 4 parent "not in the store"
}

@test "across threads, and literal names" {
	diff_ forked finished --json
	works
	data '[d["data"][k]["thread"] for k in "ab"]' '["forked", "finished"]'
	diff_ --thread forked
	same rows "$stdout" "$STEP"
	diff_ --thread forked --checkpoint "$PARENT" forked
	same rows "$stdout" "$STEP"
}

@test "namespaces" {
	ns=$(sqlite3 "$db" "SELECT checkpoint_ns FROM checkpoints WHERE thread_id='nested-pending'
		AND checkpoint_ns<>'' LIMIT 1")
	diff_ nested-pending --ns "$ns" --json
	works
	data 'd["data"]["b"]["ns"]' "$ns"
	diff_ forked --ns nowhere
	fails 4 nowhere
}

@test "--against: B from another store, the same address if it is not given" {
	other=$(store py-meta)
	cp "$db" copy.db
	diff_ forked --against copy.db --exit-code
	works
	same none "$stdout" ""
	diff_ forked~1 forked --against copy.db
	same rows "$stdout" "$STEP"
	diff_ forked --against "$other"
	fails 4 forked
	diff_ forked --against nosuch.db
	fails 4 nosuch.db
	[ ! -e nosuch.db ]
}

@test "words that do not go together: exit 2" {
	for words in "" "--against x.db --patch" "--against x.db --path /values/a" \
		"--against x.db --ns a" "--against x.db --stat --name-only" "a b c" "a b --thread c" "a --checkpoint x" "a --stat --patch" \
		"a --name-only --stat" "a --path /x" "a --mask (" "--checkpoint x"; do
		# shellcheck disable=SC2086
		diff_ $words
		fails 2 || return
	done
	diff_ --exit-code
	fails 2 "one address or two are wanted"
}

@test "what is not there: exit 4" {
	diff_ forked nosuch
	fails 4 nosuch
	diff_ nosuch forked
	fails 4 nosuch
	diff_ forked --channel nosuch
	fails 4 "no channel 'nosuch'"
	diff_ forked --path /values/nosuch/0
	fails 4 "nothing at '/values/nosuch/0'"
}

# ---- what counts ------------------------------------------------------------------------------------

@test "--channel: only these, without metadata" {
	diff_ forked --channel n
	same n "$stdout" "replace	/values/n	4	5"
	diff_ forked --channel n --channel log
	same both "$stdout" "add	/values/log/4		4
replace	/values/n	4	5"
	diff_ forked --channel n --json
	data 'd["data"]["unchanged"]' 0
}

@test "--path: what is below it" {
	diff_ forked --path /metadata
	same metadata "$stdout" "replace	/metadata/step	5	6"
	diff_ forked --path /values/n
	same n "$stdout" "replace	/values/n	4	5"
	diff_ forked --path /values/log/4
	same item "$stdout" "add	/values/log/4		4"
	diff_ forked --path /values/log/0 --exit-code
	works
	same none "$stdout" ""
}

@test "--mask: pointers that match do not count" {
	diff_ forked --mask '^/metadata/|/n$' --exit-code
	same code "$status" 1
	same rows "$stdout" "add	/values/log/4		4
remove	/values/branch:to:step	null	"
	diff_ forked --mask '^/(metadata|values)/' --exit-code
	works
	same none "$stdout" ""
}

# ---- forms ------------------------------------------------------------------------------------------

@test "--json: the keys of the contract" {
	diff_ forked --json
	works
	data 'd["format"]' ckpt.diff/1
	data 'list(d["data"])' '["a", "b", "changes", "unchanged"]'
	data 'd["data"]["changes"][0]' '{"path": "/values/log/4", "op": "add", "new": 4}'
	data 'd["data"]["changes"][2]' '{"path": "/values/branch:to:step", "op": "remove", "old": null}'
	data 'd["summary"]' '{"added": 1, "removed": 1, "replaced": 2, "unchanged": 0}'
}

@test "--ndjson: a line for each change, then the summary" {
	diff_ forked --ndjson
	works
	data '[x["type"] for x in d]' '["change", "change", "change", "change", "summary"]'
	data 'd[1]' '{"type": "change", "path": "/values/n", "op": "replace", "old": 4, "new": 5}'
}

@test "--name-only and --stat: in a pipe, as JSON, for people" {
	diff_ forked~3 forked --name-only
	works
	same names "$stdout" "/values/log
/values/n
/values/branch:to:step
/metadata/source
/metadata/step"
	diff_ forked~3 forked --stat
	same stat "$(head -1 <<<"$stdout")" "/values/log	3	0	0"
	for form in --stat --name-only; do
		diff_ forked "$form" --json
		works
		data '[c for c in d["data"]["changes"] if "old" in c or "new" in c]' '[]'
		diff_ forked "$form" --ndjson
		works
	done
	CKPT_FORCE_TTY=1 diff_ forked --stat --no-pager --color never
	has "$stdout" "1 added"
	has "$stdout" "1 added, 1 removed, 2 replaced; 0 channels unchanged"
}

@test "--patch: the array alone; it makes the child of the parent" {
	diff_ forked~3 forked --patch
	works
	patch=$stdout
	data 'd[0]' '{"op": "add", "path": "/values/log/2", "value": 2}'
	apart "$CKPT" diff -s "$db" forked~3 forked --patch --json
	same "in any form" "$stdout" "$patch"
	diff_ forked forked --patch
	same none "$stdout" "[]"
}

@test "--exit-code: 1 if there are differences" {
	diff_ forked --exit-code
	same code "$status" 1
	diff_ forked --exit-code --patch
	same code "$status" 1
	diff_ forked forked --exit-code
	works
}

@test "sets by membership, messages by id, floats and big integers as they are" {
	db=$(store py-basic)
	sqlite3 "$db" "SELECT thread_id FROM checkpoints GROUP BY 1" >threads
	while IFS= read -r thread; do
		diff_ "--thread=$thread" --json
		same "$thread $stderr" "$status" 0 || return
	done <threads
}

@test "for people: headings with short ids, lists, colours" {
	CKPT_FORCE_TTY=1 diff_ forked --no-pager --color never
	works
	has "$stdout" "--- …6570a5b4 step 5"
	has "$stdout" "+++ …78eabc19 step 6"
	has "$stdout" "4 -> 5 items"
	has "$stdout" "+   [4] 4"
	has "$stdout" "~ n"
	has "$stdout" "4 -> 5"
	has "$stdout" "- branch:to:step   (removed, "
	lacks "$stdout" $'\e'
	CKPT_FORCE_TTY=1 diff_ forked --no-pager
	has "$stdout" $'\e[32m+'
	CKPT_FORCE_TTY=1 diff_ forked forked --no-pager
	has "$stdout" "no differences"
	CKPT_FORCE_TTY=1 diff_ forked~7 --no-pager
	has "$stdout" "nothing"
}

@test "hostile content stays harmless" {
	db=$(store py-ids)
	while IFS= read -r -d '' thread; do
		"$CKPT" diff -s "$db" "--thread=$thread" >>plain || true
		CKPT_FORCE_TTY=1 "$CKPT" diff -s "$db" "--thread=$thread" --no-pager --color never >>people || true
	done < <("$CKPT" list -s "$db" --json | python3 -c '
import json, sys
for r in json.load(sys.stdin)["data"]:
    if "\0" not in r["thread"] and "thread_b64" not in r:
        sys.stdout.write(r["thread"] + "\0")')
	[ -s plain ] && [ -s people ]
	harmless plain people
}

@test "what cannot be decoded: the rest is compared, exit 8" {
	db=$(store broken/bad-blob)
	while IFS=$'\t' read -r thread _ id _; do
		diff_ "--thread=$thread" "--checkpoint=$id" --json
		if [ "$status" = 8 ]; then return; fi
	done < <("$CKPT" list -s "$db" --all 2>/dev/null)
	return 1
}

@test "reading leaves no trace, in neither store" {
	mkdir other
	cp "$db" other/
	before=$(listing other | head -1; listing py-hitl | head -1)
	diff_ forked~1 forked --against other/store.db
	works
	same folders "$(listing other | head -1; listing py-hitl | head -1)" "$before"
}

@test "raw rows of a delta channel are told of, of channels that count" {
	db=$FIXTURES/py-delta/store.db
	apart ckpt diff -s "$db" chat
	has "$stderr" "channel messages is a delta channel without a stored value at 1f1a5ebe-a7ef-6cef-8016-c717d62b3515: its raw rows are compared"
	apart ckpt diff -s "$db" chat --channel branch:to:bot
	is "$stderr" ""
	apart ckpt diff -s "$db" chat -q
	is "$stderr" ""
}
