#!/usr/bin/env bats
# ckpt enforce-size on PostgreSQL: limits against the sums of SQL, before and after; blobs that
# several checkpoints name. The command's words and forms are tests/cli/enforce_size.bats'. Runs
# inside with-server.sh; each test has a database of its own.

# shellcheck disable=SC2030,SC2031,SC2034,SC2154  # each test is a subshell of bats
load ../cli/helper
load ../cli/stores

sql() { psql -qXAt -v ON_ERROR_STOP=1 -d "$name" "$@"; }

database() { # FIXTURE
	name=size_$RANDOM$RANDOM
	createdb -T template0 "$name"
	gzip -dc "$FIXTURES/$1/store.sql.gz" | sql >/dev/null
}

setup() {
	alone || return
	database py-basic
}

enforce() { apart ckpt enforce-size -s "dbname=$name" "$@"; }

# live [WHERE]: bytes of all rows but writes without a checkpoint, as SQL sums them
live() {
	sql -c "SELECT sum(b) FROM (
		SELECT thread_id, octet_length(checkpoint::text) + octet_length(metadata::text) b FROM checkpoints
		UNION ALL SELECT thread_id, octet_length(blob) FROM checkpoint_writes
		JOIN checkpoints USING (thread_id, checkpoint_ns, checkpoint_id)
		UNION ALL SELECT thread_id, octet_length(blob) FROM checkpoint_blobs) r WHERE ${1:-true}"
}

rows() {
	local table
	for table in checkpoints checkpoint_writes checkpoint_blobs; do
		sql -c "SELECT '$table', t FROM $table t ORDER BY t::text COLLATE \"C\""
	done
}

count() { sql -c "SELECT count(*) FROM ${1:-checkpoints}"; }

sound() {
	apart ckpt check -s "dbname=$name"
	same "check ($stdout)" "$status" 0
}

@test "measured is what psql says; nothing is too large: nothing goes" {
	local before fixture
	for fixture in py-basic py-hitl py-subgraph py-delta; do
		database "$fixture"
		before=$(rows | sha256sum)
		enforce --max-size 1GB --max-thread 1GB --max-checkpoint 1GB --yes --json
		works
		data 'd["data"]["measured"]' "$(live)"
		data 'd["data"]["over"], d["data"]["actions"], d["summary"]["live_bytes"]' "[0, [], $(live)]"
		same rows "$(rows | sha256sum)" "$before"
	done
}

@test "max-size: a dry run says it, the run does it, the sums are SQL's; a second run deletes nothing" {
	local order limit before live_before told
	for order in idle oldest largest; do
		database py-basic
		live_before=$(live)
		limit=$((live_before * 8 / 10))
		before=$(rows | sha256sum)
		enforce --max-size ${limit}B --order "$order" --dry-run --json
		works
		data 'd["data"]["measured"], d["data"]["over"]' "[$live_before, $((live_before - limit))]"
		data 'd["summary"]["bytes"] == sum(a["bytes"] for a in d["data"]["actions"])' true
		told=$(jq -c '.summary | [.checkpoints, .writes, .blobs, .bytes, .live_bytes]' <<<"$stdout")
		same "rows after a dry run" "$(rows | sha256sum)" "$before"
		before=$(count)
		enforce --max-size ${limit}B --order "$order" --yes --json
		works
		same "$order" "$(jq -c '.summary | [.checkpoints, .writes, .blobs, .bytes, .live_bytes]' \
			<<<"$stdout")" "$told"
		data 'd["summary"]["live_bytes"]' "$(live)"
		data 'd["summary"]["bytes"]' $((live_before - $(live)))
		data 'd["summary"]["checkpoints"]' $((before - $(count)))
		[ "$(live)" -le "$limit" ]
		sound
		before=$(rows | sha256sum)
		enforce --max-size ${limit}B --order "$order" --yes --json
		works
		data 'd["summary"]["checkpoints"], d["data"]["over"]' '[0, 0]'
		same rows "$(rows | sha256sum)" "$before"
	done
}

@test "delta chains, subgraphs, interrupts: what is planned fits, and what stays loads" {
	local fixture limit
	for fixture in py-delta py-subgraph py-hitl; do
		for limit in 90 50; do
			database "$fixture"
			limit=$(($(live) * limit / 100))
			enforce --max-size ${limit}B --order oldest --yes --json
			data 'd["summary"]["live_bytes"]' "$(live)"
			same "$fixture, code" "$status" $(($(live) > limit ? 3 : 0))
			sound
		done
	done
}

@test "a limit within the floors only: as far as it goes, and exit 3" {
	enforce --max-size 1B --floor keep-last=3 --no-keep-heads --no-keep-interrupted --yes
	same code "$status" 3
	has "$stderr" "cannot be reached"
	# but for a thread with a channel that may be a delta channel
	same "more than three" "$(count "(SELECT 1 FROM checkpoints GROUP BY thread_id, checkpoint_ns
		HAVING count(*) > 3 AND max(thread_id) <> 'types') x")" 0
	same "threads are all there" "$(sql -c 'SELECT count(DISTINCT thread_id) FROM checkpoints')" 12
	sound
	enforce --max-size 1B --floor keep-last=3 --no-keep-heads --no-keep-interrupted --yes --json
	same code "$status" 3
	data 'd["summary"]["checkpoints"]' 0
}

@test "max-thread: each above it is told with --check, and comes below it" {
	local large t
	large=$(sql -c 'SELECT DISTINCT thread_id FROM checkpoints' | while read -r t; do
		if [ "$(live "thread_id = '$t'")" -gt 30000 ]; then echo "$t"; fi
	done | LC_ALL=C sort | paste -sd,)
	[ -n "$large" ]
	enforce --max-thread 30kB --check --json
	same code "$status" 1
	data '",".join(sorted(a["thread"] for a in d["data"]["actions"]))' "$large"
	data 'd["summary"]["checkpoints"]' 0
	enforce --max-thread 30kB --dry-run --json
	data 'set(a["thread"] for a in d["data"]["actions"]) <= set("'"$large"'".split(","))' true
	enforce --max-thread 30kB --yes --json
	data 'd["summary"]["live_bytes"]' "$(live)"
	same "chat-1 fits" $(($(live "thread_id = 'chat-1'") <= 30000)) 1
	sound
}

@test "max-checkpoint: listed with the channels that are to blame, exit 1; nothing goes" {
	local before
	before=$(rows | sha256sum)
	enforce --max-checkpoint 50kB --yes --json
	same code "$status" 1
	has "$stderr" "out of the state"
	data '[a["channels"][0]["channel"] for a in d["data"]["actions"]
		if a["thread"] == "big-message"][:1]' '["messages"]'
	data 'd["summary"]["checkpoints"]' 0
	data 'd["summary"]["large_checkpoints"] == len(d["data"]["actions"]) > 0' true
	same rows "$(rows | sha256sum)" "$before"
	enforce --max-checkpoint 1GB --check
	same code "$status" 0
}

@test "check looks only: 1 when over, 0 when not" {
	local before
	before=$(rows | sha256sum)
	enforce --max-size $(($(live) - 1))B --check --json
	same code "$status" 1
	data 'd["data"]["over"], d["data"]["actions"] == []' '[1, true]'
	enforce --max-size "$(live)B" --check
	same code "$status" 0
	same rows "$(rows | sha256sum)" "$before"
}

@test "an archive brings back what went" {
	rows >before
	enforce --max-size $(($(live) * 8 / 10))B --archive gone.jsonl --yes
	same "code ($stderr)" "$status" 0
	[ "$(rows | wc -l)" -lt "$(wc -l <before)" ]
	apart ckpt migrate gone.jsonl "dbname=$name"
	same "code ($stderr)" "$status" 0
	diff before <(rows)
}
