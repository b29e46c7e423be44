#!/usr/bin/env bats
# ckpt show: addresses, selections, forms, damage, secrets, hostile content.

# shellcheck disable=SC2016,SC2030,SC2031,SC2034,SC2154  # subshells of bats; $ in Python and JSON
load helper
load stores

HEAD=1f1a779a-13ab-6293-8006-78eabc1997f4       # of py-hitl's thread "forked"
OTHER=1f1a779a-11ee-65b8-8005-ad7d4036274d      # its other branch head

setup() {
	alone || return
	db=$(store py-hitl)
}

# finds ADDRESS ID [OPTION…]
finds() {
	local address=$1 id=$2
	shift 2
	show --json "$@" -- "$address"
	same "$address ($stderr)" "$status" 0 && same "$address" "$(json 'd["data"]["id"]')" "$id"
}

# ---- addresses ------------------------------------------------------------------------------------

@test "THREAD is the greatest id of the root namespace" {
	finds forked "$HEAD"
	finds nested-pending "$(sqlite3 "$db" "SELECT max(checkpoint_id) FROM checkpoints
		WHERE thread_id='nested-pending' AND checkpoint_ns=''")"
}

@test "THREAD~N: parents, not rows; past the root: exit 4" {
	finds forked~1 1f1a779a-1370-66f9-8005-6570a5b46942
	finds forked~0 "$HEAD"
	finds forked~4 1f1a779a-10a4-64c4-8002-2246aabb8f9a
	finds forked~7 1f1a779a-0f37-60e7-bfff-4f582ce60c11
	show forked~8
	fails 4 root
	db=$(store broken/missing-parent)
	show edited-past~2
	fails 4
}

@test "THREAD@{ID}: prefix of the id or of its last group, any case" {
	finds 'forked@{1f1a779a-13ab}' "$HEAD"
	finds 'forked@{78eabc19}' "$HEAD"
	finds 'forked@{78EABC}' "$HEAD"
	finds "forked@{$HEAD}" "$HEAD"
	finds 'forked@{id:ad7d4036}' "$OTHER"
	finds 'forked@{ad7d4036}~1' 1f1a779a-119d-64e6-8004-f85ffb54ea2b
	show 'forked@{ffff0000}'
	fails 4 ffff0000
}

@test "an ambiguous prefix: exit 4, the matches are named" {
	show 'forked@{1f1a779a-13}'
	fails 4 78eabc19 6570a5b4
	show 'forked@{1f1a779a}' --json
	same exit "$status" 4
	error_is ambiguous 4
}

@test "@{step:N} on the head's line of ancestors" {
	finds 'forked@{step:3}' 1f1a779a-129c-6cd0-8003-2cc290fbe768
	finds 'forked@{step:-1}' 1f1a779a-0f37-60e7-bfff-4f582ce60c11
	finds 'forked@{step:2}~1' 1f1a779a-1052-65c1-8001-fad24a1e6c1a
	show 'forked@{step:77}'
	fails 4 77
}

@test "@{time:…} and @{date}: newest at or before" {
	db=$(store py-age)
	show 'aged-00@{time:2026-10-01T00:00:00Z}' --json
	works
	local id
	id=$(json 'd["data"]["id"]')
	show 'aged-00@{2026-10-01}' --json
	works
	data 'd["data"]["id"]' "$id"
	data 'd["data"]["time"] < "2026-10-01T00:00:00Z"' true
	apart ckpt list -s "$db" aged-00 --until 2026-10-01T00:00:00Z --limit 1 --ids
	same newest "$stdout" "$id"
	show 'aged-00@{time:2001-01-01}'
	fails 4
	show 'aged-00@{time:soon}'
	[ "$status" = 2 ] || [ "$status" = 4 ]
}

@test "@{head:N}: branch heads, newest first" {
	finds 'forked@{head:1}' "$HEAD"
	finds 'forked@{head:2}' "$OTHER"
	show 'forked@{head:3}'
	fails 4
}

@test "--thread and --checkpoint are literal; '' is the newest" {
	show --thread forked --checkpoint "$OTHER" --json
	works
	data 'd["data"]["id"]' "$OTHER"
	show --thread forked --checkpoint '' --json
	works
	data 'd["data"]["id"]' "$HEAD"
	show --thread 'forked~1'
	fails 4 'forked~1'
	show --thread forked --checkpoint 78eabc19
	fails 4 78eabc19
}

@test "--ns: another namespace" {
	local ns=desk:b8f9aa60-0cf7-1a40-3941-e8c072bc121b
	show nested-pending --ns "$ns" --json
	works
	data 'd["data"]["ns"]' "$ns"
	show nested-pending --ns nosuch
	fails 4
}

@test "a thread named like an address is ambiguous: both are named" {
	db=$(store py-ids)
	show 'a~1'
	fails 4 'a~1'
	show 'a@{step:1}'
	fails 4
	show --thread 'a~1' --json
	works
	data 'd["data"]["thread"]' 'a~1'
	show 'a@{1f1}~0'
	fails 4 "matches 3 checkpoints of 'a'"
	finds 'tenant:7:alice' 1f1b4863-9e88-6baa-8001-66a792402957
	finds 'user@example.com~1' 1f1b4863-9517-6d2e-8000-0ff380c3a8b1
}

@test "ids that are no UUIDs: order by text" {
	db=$(store py-ids)
	finds ids-0 9
	finds ids-1 Ä
	show --thread ids-3 --checkpoint 'id@{x}' --json
	works
	data 'd["data"]["id"]' 'id@{x}'
}

@test "usage: no address, two, --checkpoint without --thread" {
	show
	fails 2
	show a b
	fails 2
	show forked --checkpoint x
	fails 2 thread
	show forked --thread forked
	fails 2
}

@test "what is not there: exit 4, for people and for programs" {
	show nosuch
	fails 4 nosuch
	show nosuch --json
	same exit "$status" 4
	error_is not_found 4
}

# ---- the document ---------------------------------------------------------------------------------

@test "JSON: keys in their order" {
	show forked --json
	works
	data 'list(d)' '["format", "store", "data", "summary"]'
	data 'd["format"]' ckpt.show/1
	data 'list(d["data"])' '["thread", "ns", "id", "parent", "time", "ts", "v", "writer", "step", "source", "metadata", "values", "channels", "versions_seen", "updated_channels", "writes", "status", "next", "tasks", "children", "subgraphs", "warnings"]'
	data 'list(d["data"]["channels"][0])' '["name", "version", "type", "bytes", "stored"]'
}

@test "JSON: writes, channels, children" {
	show 'forked@{step:2}' --json
	works
	data 'sorted(d["data"]["children"])' '["1f1a779a-114f-6f70-8003-ea9058f1aff7", "1f1a779a-129c-6cd0-8003-2cc290fbe768"]'
	data 'len(d["data"]["writes"]), d["data"]["writes"][0]["node"]' '[3, "step"]'
	data 'list(d["data"]["writes"][0])' '["task", "path", "idx", "channel", "type", "node", "value"]'
	data '{c["name"]: c["stored"] for c in d["data"]["channels"]}' '{"log": "inline", "n": "inline", "branch:to:step": "inline", "__start__": "empty"}'
}

@test "NDJSON: the checkpoint, then the summary" {
	show forked --ndjson
	works
	data '[x["type"] for x in d]' '["checkpoint", "summary"]'
	data 'd[0]["id"]' "$HEAD"
}

@test "porcelain: channel, type, bytes, value" {
	show forked
	works
	same columns "$(awk -F'\t' '{ print NF }' <<<"$stdout" | sort -u)" 4
	same n "$(awk -F'\t' '$1 == "n"' <<<"$stdout")" $'n\tmsgpack\t1\t5'
}

@test "for people: values, pending writes, no raw control bytes" {
	apart env CKPT_FORCE_TTY=1 "$CKPT" show -s "$db" ask-pending --no-pager --color never
	works
	has "$stdout" "thread ask-pending"
	has "$stdout" "ask_human"
	has "$stdout" "__interrupt__"
}

@test "a checkpoint without its parent warns" {
	db=$(store broken/missing-parent)
	show 'edited-past@{step:3}' --json
	[ "$status" = 0 ] || [ "$status" = 8 ]
	data 'len(d["data"]["warnings"]) > 0' true
}

# ---- selections ---------------------------------------------------------------------------------------

@test "--channel filters values, channels and writes; repeatable" {
	show 'forked@{step:2}' --channel n --json
	works
	data 'list(d["data"]["values"]), [c["name"] for c in d["data"]["channels"]]' '[["n"], ["n"]]'
	data '{w["channel"] for w in d["data"]["writes"]} == {"n"}' true
	show forked --channel n --channel log --json
	works
	data 'sorted(d["data"]["values"])' '["log", "n"]'
	show forked --channel nosuch
	fails 4 nosuch
}

@test "--path: one value as JSON" {
	show forked --path /values/log/1
	works
	same piped "$stdout" 1
	show forked --path /metadata/source
	works
	same text "$stdout" '"loop"'
	show forked --path /values/log --json
	works
	data 'list(d["data"])' '["thread", "ns", "id", "path", "value"]'
	data 'd["data"]["path"], d["data"]["value"]' '["/values/log", [0, 1, 2, 3, 4]]'
	show forked --path /values/log/99
	fails 4 /values/log/99
	show forked --path log
	fails 2 /values/
}

@test "--path: ~0 and ~1, deep, into messages" {
	db=$(store py-basic)
	show chat-1 --path /values/messages/0/content
	works
	same content "$stdout" '"You are brief."'
	show types --path /values/wide/k012
	works
	same wide "$stdout" 144
	show types --path /values/no~1such
	fails 4
}

@test "--raw: the stored span of every channel, byte by byte" {
	db=$(store py-basic)
	sqlite3 "$db" "SELECT writefile('row', checkpoint) FROM checkpoints WHERE thread_id='types'
		ORDER BY checkpoint_id DESC LIMIT 1" >/dev/null
	show types --json
	json '"\n".join(d["data"]["values"])' >names
	local name
	# The row is: … "channel_values" {map head} key span key span … : put it together again.
	while IFS= read -r name; do
		printf '%s\0' "$name" >>keys
		"$CKPT" show -s "$db" types --channel "$name" --raw >>"spans"
		"$CKPT" show -s "$db" types --channel "$name" --raw | wc -c >>sizes
	done <names
	python3 - <<'EOF'
row, spans = open("row", "rb").read(), open("spans", "rb").read()
names = open("keys", "rb").read().split(b"\0")[:-1]
sizes = [int(x) for x in open("sizes")]
body = b"".join(bytes([0xa0 | len(n)]) + n + spans[sum(sizes[:i]):sum(sizes[:i + 1])]
                for i, n in enumerate(names))
at = row.index(b"channel_values") + len(b"channel_values")
assert row[at] == 0xde and int.from_bytes(row[at + 1:at + 3], "big") == len(names)
assert row[at + 3:].startswith(body), "the spans are not the row's bytes"
EOF
}

@test "--raw: the channel's bytes are what JSON says they are" {
	show forked --channel log --raw
	works
	"$CKPT" show -s "$db" forked --channel log --raw >raw
	show forked --json
	data '[c["bytes"] for c in d["data"]["channels"] if c["name"] == "log"][0]' "$(wc -c <raw)"
}

@test "--raw: one channel, no other form, no missing value" {
	show forked --raw
	fails 2 channel
	show forked --raw --channel n --channel log
	fails 2
	show forked --raw --channel n --json
	same exit "$status" 2
	show forked --raw --channel __start__
	fails 4 __start__
	db=$(store py-delta)
	show never-snapshot --raw --channel events
	fails 4 events
}

@test "--raw is refused on a terminal" {
	command -v script >/dev/null
	apart script -qec "'$CKPT' show -s '$db' forked --channel n --raw" /dev/null
	same exit "$status" 7
}

@test "--types: classes, and whether the safe list has them" {
	db=$(store py-basic)
	show types --types --json
	works
	data '{t["type"]: t["safe"] for t in d["data"]["types"] if t["type"] in ("appstate.Colour", "datetime.datetime", "uuid.UUID", "pydantic.types.SecretStr")}' \
		'{"appstate.Colour": false, "datetime.datetime": true, "pydantic.types.SecretStr": false, "uuid.UUID": true}'
	show types --types
	works
	has "$stdout" "appstate.Invoice"
}

@test "--typed keeps classes, and doubles the dollar of stored keys" {
	db=$(store py-basic)
	show types --typed --channel uuid --channel set --channel dict_dollar --json
	works
	data 'd["data"]["values"]["uuid"]["$type"]' uuid.UUID
	data 'd["data"]["values"]["uuid"]["value"].replace("-", "")' 12345678123456789234567812345678
	data 'd["data"]["values"]["set"]["$type"]' builtins.set
	data 'sorted(d["data"]["values"]["dict_dollar"])' '["$$bytes", "$$float", "$$map"]'
	show types --channel dict_dollar --json
	data 'sorted(d["data"]["values"]["dict_dollar"])' '["$bytes", "$float", "$map"]'
}

@test "secrets stay hidden in every form until --reveal-secrets" {
	db=$(store py-basic)
	show types --channel secret --reveal-secrets --path /values/secret
	works
	local secret=$stdout
	[ "$secret" != '"**********"' ]
	secret=${secret#\"} secret=${secret%\"}
	local form
	for form in "" --json --ndjson --typed "--path /values/secret" --types; do
		# shellcheck disable=SC2086  # the form is several words
		show types --channel secret $form
		same "$form" "$status" 0
		lacks "$stdout$stderr" "$secret"
	done
	show types --channel secret --json
	data 'd["data"]["values"]["secret"]' '**********'
}

@test "--max-value: larger values are named, not shown" {
	db=$(store py-basic)
	show big-message --json --max-value 1kB
	works
	data 'list(d["data"]["values"]["messages"])' '["$opaque", "size", "sha256"]'
	data 'd["data"]["values"]["calls"]' 1
	show big-message --json --max-value 10MB
	works
	data 'type(d["data"]["values"]["messages"]).__name__' list
	show big-message --max-value 1000
	fails 2 max-value
	show big-message --max-value 1XB
	fails 2
}

# ---- values -------------------------------------------------------------------------------------------

@test "numbers keep their digits and their kind" {
	db=$(store py-basic)
	show types --path /values/uint64_max
	same uint64 "$stdout" 18446744073709551615
	show types --path /values/float_whole
	same whole "$stdout" 3.0
	show types --path /values/float_small
	same small "$(tr E e <<<"$stdout")" 5e-324
	show types --path /values/nan_in_list
	same nan "$stdout" '[{"$float":"NaN"},{"$float":"Infinity"},{"$float":"-Infinity"},-0.0,1e+22,1e+16,5e-324]' ||
		same nan "$stdout" '[{"$float":"NaN"},{"$float":"Infinity"},{"$float":"-Infinity"},-0.0,1e22,1e16,5e-324]'
}

@test "classes that are gone: their stored fields" {
	db=$(store py-basic)
	show gone-classes --path /values/order
	works
	same fields "$stdout" '{"id":5,"items":["a",1]}'
}

@test "encrypted rows without the key: opaque, not an error" {
	db=$(store py-aes)
	show safe-1 --json
	same exit "$status" 0
	data 'd["data"]["values"]["$opaque"], d["data"]["metadata"]["source"]' '["msgpack+aes", "loop"]'
	data 'sorted(d["data"]["values"])' '["$opaque", "sha256", "size"]'
	show open-1 --json
	works
	data '"$opaque" in d["data"]["values"]' false
}

@test "delta channels: snapshot and writes, and a warning" {
	db=$(store py-delta)
	show never-snapshot --json
	same exit "$status" 0
	data 'list(d["data"]["values"]["events"]["$delta"])' '["snapshot", "snapshot_id", "writes"]'
	data 'd["data"]["values"]["events"]["$delta"]["writes"][:2]' '[["start"], ["event 1"]]'
	data 'len(d["data"]["warnings"]) > 0' true
	data '[c["stored"] for c in d["data"]["channels"] if c["name"] == "events"]' '["delta"]'
}

@test "--fold: a guess, and it says so in every form" {
	db=$(store py-delta)
	show never-snapshot --fold --json
	same exit "$status" 0
	data 'd["data"]["values"]["events"][:2]' '["start", "event 1"]'
	data 'any("events is a guess" in w for w in d["data"]["warnings"])' true
	show never-snapshot --fold
	has "$stderr" "events is a guess"
	show never-snapshot --fold --path /values/events/1
	same path "$stdout" '"event 1"'
	has "$stderr" "events is a guess"
	local word
	for word in "--typed" "--types" "--raw --channel events"; do
		# shellcheck disable=SC2086  # the form is several words
		show never-snapshot --fold $word
		fails 2
	done
}

@test "JavaScript: versions are numbers, the writer is js" {
	db=$(store js-basic)
	show js-types --json
	works
	data 'd["data"]["writer"], [c["version"] for c in d["data"]["channels"] if c["name"] == "go"]' '["js", [4]]'
	data 'd["store"]["writers"]' '["js"]'
	data 'd["data"]["values"]["map"]' '{"$map": [["k", 1], [2, {"v": [1]}]]}'
}

# ---- hostile content -------------------------------------------------------------------------------------

@test "hostile content: no raw control byte in any form but --raw" {
	db=$(store py-basic)
	local form
	for form in "" --json --ndjson --typed "--path /values/control" --types; do
		# shellcheck disable=SC2086  # the form is several words
		"$CKPT" show -s "$db" types --channel control --channel unicode $form >out 2>err
		# shellcheck disable=SC2086
		CKPT_FORCE_TTY=1 "$CKPT" show -s "$db" types --no-pager --color never $form >out.tty 2>err.tty
		harmless out err out.tty err.tty
	done
	db=$(store py-ids)
	local thread
	for thread in $'\033[31mred\033[0m' $'new\nline' $'\302\23331m' odd-nodes $'rtl \342\200\256abc\342\200\254'; do
		"$CKPT" show -s "$db" --thread "$thread" --json >out 2>err
		CKPT_FORCE_TTY=1 "$CKPT" show -s "$db" --thread "$thread" --no-pager --color never >out.tty 2>err.tty
		harmless out err out.tty err.tty
	done
	"$CKPT" show -s "$db" $'no\033such~1' >out 2>err || true
	"$CKPT" show -s "$db" $'a@{\033[2J\342\200\256}' >>out 2>>err || true
	harmless out err
}

@test "hostile content: JSON gives it back exactly" {
	db=$(store py-basic)
	show types --json
	works
	data 'd["data"]["values"]["control"] == ["\x1b[31mred\x1b[0m", "\x07\b\x7f\x9b", "line\r\n"]' true
	data 'd["data"]["values"]["nul_in_list"] == ["a\0b", "\0"]' true
}

@test "a lost stdout is exit 9" {
	apart bash -c '"$1" show -s "$2" forked --json >/dev/full' - "$CKPT" "$db"
	same exit "$status" 9
}
