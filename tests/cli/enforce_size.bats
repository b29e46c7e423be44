#!/usr/bin/env bats
# ckpt enforce-size: limits against the sums of SQL, one plan, floors and guards, forms, codes.

# shellcheck disable=SC2030,SC2031,SC2034,SC2154  # each test is a subshell of bats
load helper
load stores

setup() {
	alone || return
	db=$(store py-basic)
}

enforce() {
	apart ckpt enforce-size -s "$db" "$@"
}

# live [WHERE]: bytes of all checkpoints with their writes, as SQL sums them
live() {
	sqlite3 "$db" "SELECT sum(b) FROM (
		SELECT thread_id, length(checkpoint) + length(metadata) b FROM checkpoints
		UNION ALL SELECT w.thread_id, length(value) FROM writes w
		JOIN checkpoints USING (thread_id, checkpoint_ns, checkpoint_id))
		WHERE ${1:-1}"
}

count() {
	sqlite3 "$db" "SELECT count(*) FROM checkpoints WHERE ${1:-1}"
}

# Everything that is left loads.
sound() {
	apart ckpt check -s "$db"
	same "check ($stdout)" "$status" 0
}

@test "nothing is too large: nothing goes, and nothing is asked" {
	local before
	before=$(sha256sum <"$db")
	enforce --max-size 1GB --max-thread 1GB --max-checkpoint 1GB --json
	works
	data 'd["data"]["actions"]' '[]'
	data 'd["data"]["over"]' 0
	data 'd["data"]["measured"]' "$(live)"
	data 'd["summary"]["live_bytes"]' "$(live)"
	same store "$(sha256sum <"$db")" "$before"
}

@test "the store comes below its limit, by the sums that were told; a second run deletes nothing" {
	local n
	enforce --max-size 600kB --dry-run --json
	works
	data 'd["data"]["over"]' $(($(live) - 600000))
	n=$(json 'd["summary"]["checkpoints"]')
	data 'sum(a["drop"] for a in d["data"]["actions"])' "$n"
	data 'd["summary"]["bytes"] == sum(a["bytes"] for a in d["data"]["actions"])' true
	[ "$n" -gt 0 ]
	n=$(($(count) - n))
	enforce --max-size 600kB --yes --json
	works
	same "what stays" "$(count)" "$n"
	data 'd["summary"]["live_bytes"]' "$(live)"
	[ "$(live)" -le 600000 ]
	sound
	enforce --max-size 600kB --yes --json
	works
	data 'd["summary"]["checkpoints"]' 0
	same "what stays" "$(count)" "$n"
}

@test "no more goes than has to: without the youngest that goes it would not fit" {
	local order
	for order in idle oldest largest; do
		enforce --max-size 770kB --order "$order" --dry-run --json
		works
		data 'd["summary"]["live_bytes"] <= 770000' true
	done
	enforce --max-size $(($(live) - 1))B --order idle --dry-run --json
	data 'd["summary"]["checkpoints"]' 1
	enforce --max-size $(($(live) - 1))B --order largest --dry-run --json
	data 'd["summary"]["checkpoints"], d["data"]["actions"][0]["thread"]' '[1, "types"]'
}

@test "idle: whole threads in the order of their last checkpoint; the floor and its newest stay" {
	local idle
	idle=$(sqlite3 "$db" "SELECT thread_id FROM checkpoints GROUP BY 1
		HAVING count(*) > 1 ORDER BY max(checkpoint_id) LIMIT 1")
	enforce --max-size $(($(live) - 1))B --dry-run --json
	data 'd["data"]["actions"][0]["thread"]' "$idle"
	enforce --max-size 1B --floor keep-last=3 --no-keep-heads --no-keep-interrupted --yes
	same code "$status" 3
	has "$stderr" "cannot be reached"
	same "more than three" "$(sqlite3 "$db" "SELECT count(*) FROM (SELECT 1 FROM checkpoints
		GROUP BY thread_id, checkpoint_ns HAVING count(*) > 3)")" 0
	same threads "$(sqlite3 "$db" "SELECT count(DISTINCT thread_id) FROM checkpoints")" \
		"$(sqlite3 "$(store py-basic)" "SELECT count(DISTINCT thread_id) FROM checkpoints")"
}

@test "low water: once over the limit, further down; never below it otherwise" {
	enforce --max-size 700kB --low-water 50% --dry-run --json
	works
	data 'd["summary"]["live_bytes"] <= 350000' true
	enforce --max-size 800kB --low-water 50% --dry-run --json
	works
	data 'd["summary"]["checkpoints"]' 0
}

@test "threads: each above the limit is told, and comes below it; others are not touched" {
	local large
	large=$(sqlite3 "$db" "SELECT thread_id FROM checkpoints GROUP BY 1" | while read -r t; do
		if [ "$(live "thread_id = '$t'")" -gt 40000 ]; then echo "$t"; fi
	done | paste -sd,)
	enforce --max-thread 40kB --check --json
	same code "$status" 1
	data '",".join(a["thread"] for a in d["data"]["actions"])' "$large"
	data '[a["action"] + a["why"] for a in d["data"]["actions"]][0]' reportmax-thread
	enforce --max-thread 40kB --dry-run --json
	data '",".join(sorted({a["thread"] for a in d["data"]["actions"]}))' "$large"
	data 'sorted({a["why"] for a in d["data"]["actions"]})' '["max-thread"]'
	enforce --max-thread 40kB --yes
	same "rest of chat-1" "$(($(live "thread_id = 'chat-1'") <= 40000))" 1
	sound
}

@test "checkpoints: listed with the channels that are to blame; nothing is deleted for it" {
	local n
	n=$(count 'length(checkpoint) > 50000')
	enforce --max-checkpoint 50kB --yes --json
	same code "$status" 1
	has "$stderr" "out of the state"
	data 'len(d["data"]["actions"]), d["summary"]["large_checkpoints"]' "[$n, $n]"
	data '[a["channels"][0]["channel"] for a in d["data"]["actions"]
		if a["thread"] == "big-message"]' '["messages"]'
	data 'd["data"]["measured"]' "$(sqlite3 "$db" 'SELECT max(length(checkpoint))
		FROM checkpoints')"
	data 'd["summary"]["checkpoints"]' 0
	enforce --max-checkpoint 50kB --check
	same code "$status" 1
	[[ $stdout == *$'report\tbig-message\t\t'*$'\tmax-checkpoint,messages='* ]]
}

@test "delta chains and subgraphs: what is planned fits, and what stays loads" {
	local name limit left
	for name in py-delta py-subgraph; do
		for limit in 95 70 40; do
			db=$(store "$name")
			limit=$(($(live) * limit / 100))
			enforce --max-size ${limit}B --order oldest --yes --json
			left=$(json 'd["summary"]["live_bytes"]')
			same "$name live" "$(live)" "$left"
			same "$name $limit: $left, code" "$status" $((left > limit ? 3 : 0))
			sound
		done
	done
}

@test "guards: young checkpoints and threads in use stay" {
	enforce --max-size 1B --min-age 100000d --dry-run --json
	same code "$status" 3
	data 'd["summary"]["checkpoints"]' 0
	enforce --max-size 1B --active-within 100000d --dry-run --json
	data 'd["summary"]["checkpoints"]' 0
	data 'd["summary"]["threads_skipped"]' \
		"$(sqlite3 "$db" 'SELECT count(DISTINCT thread_id) FROM checkpoints')"
}

@test "the file: free pages are no reason to delete" {
	local size
	enforce --max-size 700kB --yes
	size=$(stat -c %s "$db")
	enforce --max-size $((size - 1000))B --measure file --dry-run --json
	data 'd["data"]["measured"], d["summary"]["checkpoints"]' "[$size, 0]"
	has "$stderr" "does not shrink"
	enforce --max-size $((size / 2))B --measure file --dry-run --json
	data 'd["summary"]["checkpoints"] > 0' true
	enforce --max-size $((size - 1000))B --measure file --check
	same code "$status" 1
}

@test "--measure file: one that is above the limit after its vacuum is not said to fit" {
	local limit
	db=$(store py-meta)
	limit=$(($(stat -c %s "$db") / 2))
	enforce --max-size ${limit}B --measure file --vacuum=full --min-age 0 --yes --json
	[ "$(stat -c %s "$db")" -gt "$limit" ]
	same code "$status" 3
	has "$stderr" "the file is above the limit still"
}

@test "archive and vacuum: what went can be brought back, and the file is smaller" {
	local size
	cp "$db" before.db
	size=$(stat -c %s "$db")
	enforce --max-size 300kB --archive gone.jsonl --vacuum=full --yes --json
	same code "$status" 0
	data 'd["summary"]["file_bytes_after"]' "$(stat -c %s "$db")"
	[ "$(stat -c %s "$db")" -lt $((size - 300000)) ]
	apart ckpt migrate gone.jsonl "$db"
	same code "$status" 0
	apart ckpt diff -s "$db" --against before.db --exit-code
	same "differences ($stdout)" "$status" 0
	enforce --max-size 1GB --vacuum --yes
	same code "$status" 0
}

@test "without a terminal --yes has to say it; nothing is deleted before" {
	local n
	n=$(count)
	enforce --max-size 600kB
	same code "$status" 7
	has "$stderr" "--yes"
	enforce --max-size 600kB --json
	same code "$status" 7
	same summary "$(jq -c .summary <<<"$stdout")" '{"complete":false}'
	same "what stays" "$(count)" "$n"
}

@test "a line each with --ndjson, the limit in the last one" {
	enforce --max-size 600kB --max-checkpoint 50kB --dry-run --ndjson
	same code "$status" 1
	data '{x["type"] for x in d[:-1]} == {"action"}' true
	data 'd[-1]["type"], d[-1]["limit"], d[-1]["measured"]' "[\"summary\", 600000, $(live)]"
}

@test "words: a limit has to be given, with a unit; floors and percentages are what they are" {
	enforce
	fails 2 "no limit"
	enforce --max-size 100
	fails 2 "--max-size"
	enforce --max-size 1MB --floor 3
	fails 2 "keep-last=N"
	enforce --max-size 1MB --floor keep-last=0
	fails 2 "from 1 on"
	enforce --max-size 1MB --low-water 120%
	fails 2 "percentage"
	enforce --max-size 1MB --low-water 80
	fails 2 "percentage"
	enforce --max-size 1MB --check --vacuum
	fails 2 "only looks"
	enforce --max-thread 1MB --measure file
	fails 2 "--measure"
}
