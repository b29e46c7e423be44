#!/usr/bin/env bats
# ckpt du and the sizes of `list -l` on PostgreSQL: sums against what psql says, strays, room.
# Runs inside with-server.sh; databases are made once and stay.

# shellcheck disable=SC2030,SC2031,SC2034,SC2154  # each test is a subshell of bats
load ../cli/helper
load ../cli/stores

sql() { psql -qXAt -v ON_ERROR_STOP=1 "$@"; }

setup_file() {
	: "${FIXTURES:=$BATS_TEST_DIRNAME/../../build/fixtures}"
	export FIXTURES
	local name
	for name in py-basic js-basic py-shallow py-aes; do
		createdb -T template0 "du-$name"
		gzip -dc "$FIXTURES/$name/store.sql.gz" | sql -d "du-$name" >/dev/null
	done
	sql -d du-js-basic -c 'ALTER DATABASE "du-js-basic" SET search_path = "agent-data"'
	createdb -T du-py-basic du-many
	# 80 threads, a value of 600 kB in TOAST, strays of both kinds, dead rows
	sql -d du-many <<-'SQL' >/dev/null
		INSERT INTO checkpoints SELECT 'many-' || n, checkpoint_ns, checkpoint_id,
			parent_checkpoint_id, type, checkpoint, metadata
			FROM checkpoints, generate_series(1, 80) n WHERE thread_id =
			(SELECT min(thread_id) FROM checkpoints);
		INSERT INTO checkpoint_blobs SELECT 'many-' || n, checkpoint_ns, channel, version,
			type, blob FROM checkpoint_blobs, generate_series(1, 80) n WHERE thread_id =
			(SELECT min(thread_id) FROM checkpoints WHERE thread_id NOT LIKE 'many%');
		INSERT INTO checkpoint_blobs VALUES ('many-1', '', 'big', 'x', 'bytes',
			(SELECT convert_to(string_agg(md5(i::text), ''), 'UTF8')
			FROM generate_series(1, 18750) i)), ('gone', '', 'c', 'x', 'bytes', 'abc');
		INSERT INTO checkpoint_writes (thread_id, checkpoint_ns, checkpoint_id, task_id, idx,
			channel, type, blob) VALUES ('many-2', '', 'none', 't', 0, 'c', 'bytes', 'abcd');
		CREATE TABLE bystander AS SELECT repeat('x', 100000);
		DELETE FROM checkpoints WHERE thread_id = 'many-80';
		ANALYZE;
	SQL
}

rows="(SELECT thread_id t, octet_length(checkpoint::text) + octet_length(metadata::text) b, 1 c
	FROM checkpoints UNION ALL SELECT thread_id, octet_length(blob), 0 FROM checkpoint_writes
	UNION ALL SELECT thread_id, coalesce(octet_length(blob), 0), 0 FROM checkpoint_blobs) r"

du() {
	apart ckpt du -s "dbname='$db'" "$@"
}

@test "by each key the rows add up to the live bytes, which are what psql says" {
	local by
	for db in du-py-basic du-js-basic du-py-shallow du-many; do
		for by in thread ns channel type checkpoint; do
			du --by "$by" --json
			works
			data 'd["summary"]["live_bytes"]' "$(sql -d "$db" -c "SELECT sum(b) FROM $rows")"
			data 'sum(r["bytes"] for r in d["data"]) == d["summary"]["live_bytes"]' true
		done
	done
}

@test "by thread: bytes and checkpoints of each as psql sums them" {
	for db in du-py-basic du-js-basic du-py-shallow du-many; do
		du
		works
		same "$db" "$(cut -f 1,2,5 <<<"$stdout")" "$(sql -F $'\t' -d "$db" -c "SELECT sum(b),
			sum(c), t FROM $rows GROUP BY t ORDER BY sum(b) DESC, t COLLATE \"C\"")"
	done
}

@test "by channel: a blob counts once, strays too; by checkpoint these have no id" {
	db=du-many
	du --by channel --json
	works
	data '[r["bytes"] for r in d["data"] if r["key"]["channel"] == "big"]' '[600000]'
	data '[[r["bytes"], r["checkpoints"]] for r in d["data"] if r["key"]["channel"] == "c"]' \
		'[[7, 0]]'
	du --by checkpoint --json
	works
	data '[r["bytes"] for r in d["data"] if r["key"]["thread"] == "gone"]' '[3]'
	data '[r["key"]["id"] for r in d["data"] if r["key"]["thread"] == "gone"]' '[null]'
	data '[r["bytes"] for r in d["data"] if r["key"]["id"] == "none"]' '[4]'
	du --by type --json
	works
	data '"jsonb" in [r["key"]["type"] for r in d["data"]]' true
}

@test "encrypted rows: the same sum without the key" {
	db=du-py-aes
	du --by channel --json
	works
	data 'd["summary"]["live_bytes"]' "$(sql -d "$db" -c "SELECT sum(b) FROM $rows")"
}

@test "the room: tables with TOAST and indexes, nothing of others; dead rows; no log" {
	db=du-many
	sql -d "$db" -c 'SELECT pg_stat_force_next_flush()' >/dev/null
	du --json
	works
	data 'd["summary"]["file_bytes"]' "$(sql -d "$db" -c "SELECT sum(pg_total_relation_size(oid))
		FROM pg_class WHERE relname IN ('checkpoints', 'checkpoint_blobs',
		'checkpoint_writes', 'checkpoint_migrations')")"
	data 'd["summary"]["file_bytes"] > 600000' true
	data 'd["summary"]["wal_bytes"]' null
	data '0 < d["summary"]["reclaimable_bytes"] < d["summary"]["file_bytes"]' true
}

@test "list -l: the bytes of many threads are those of each alone, without strays" {
	local id
	db=du-many
	apart ckpt list -l -s "dbname='$db'" --json
	works
	all=$stdout
	for id in many-1 many-2 many-40; do
		apart ckpt list -l -s "dbname='$db'" --json --thread-glob "$id"
		works
		same "$id" "$(json 'str(d["data"][0])')" \
			"$(stdout=$all json "str([r for r in d['data'] if r['thread'] == '$id'][0])")"
	done
}
