#!/usr/bin/env bats
# `ckpt check` on PostgreSQL: what only there can be wrong, and what healthy stores of every release
# must not be blamed for. Runs inside with-server.sh; each test has its own database.

# shellcheck disable=SC2030,SC2031,SC2154  # each test is a subshell of bats; of the helpers
load ../cli/helper
load ../cli/stores

sql() { psql -qXAt -v ON_ERROR_STOP=1 "$@"; }

# use NAME: a database of this test with the fixture in it.
use() {
	database=t$BATS_TEST_NUMBER
	dropdb --if-exists "$database" 2>/dev/null
	createdb -T template0 "$database"
	gzip -dc "$FIXTURES/$1/store.sql.gz" | sql -d "$database" >/dev/null
}

edit() { sql -d "$database" "${@/#/-c}"; }

# finds EXIT [CODE=N…]: the check ends so, with these codes and no others but infos.
finds() {
	local code=$1
	shift
	apart ckpt check -s "dbname=$database" --json
	same "exit ($stderr $stdout)" "$status" "$code" || return 1
	data '" ".join("%s=%d" % (c, sum(x["code"] == c for x in d["data"])) for c in
		sorted({x["code"] for x in d["data"] if x["severity"] != "info"}))' "$*"
}

@test "healthy stores of every release have neither errors nor warnings" {
	for name in py-age py-basic py-delta py-hitl py-meta py-old-json py-old-pg2011 py-old-pg2012 \
		py-old-v1 py-old-v2 py-old-v3 py-old-v4 py-shallow py-store py-subgraph py-upgraded; do
		use "$name"
		finds 0 || { echo "$name"; return 1; }
	done
}

@test "JavaScript: healthy, in its own schema" {
	use js-basic
	apart ckpt check -s "dbname=$database" --schema agent-data --json
	same "exit ($stderr)" "$status" 0
	data 'd["data"]' '[]'
}

@test "three are as their makers meant them: a plain row, ids out of order, a release that lost rows" {
	use py-aes
	finds 0 plaintext-in-encrypted=1
	data '{x["code"] for x in d["data"]} == {"opaque", "plaintext-in-encrypted"}' true
	LANGGRAPH_AES_KEY=$(python3 -c 'import json, sys
print(json.load(open(sys.argv[1]))["aes_key"])' "$FIXTURES/py-aes/oracle.pg.json")
	export LANGGRAPH_AES_KEY
	finds 0 plaintext-in-encrypted=1
	use py-ids
	finds 0 id-order=5
	use py-old-pg100
	finds 8 orphan-blob=13 orphan-write=4 self-parent=1
}

@test "undecodable: blobs and writes, each told" {
	use py-hitl
	edit "UPDATE checkpoint_blobs SET blob = '\\xc1' WHERE thread_id = 'finished' AND channel = 'log'" \
		"UPDATE checkpoint_writes SET blob = '\\x92' WHERE thread_id = 'forked' AND channel = 'log'"
	local n
	n=$(edit "SELECT (SELECT count(*) FROM checkpoint_blobs WHERE thread_id = 'finished' AND
		channel = 'log' AND type = 'msgpack') + (SELECT count(*) FROM checkpoint_writes
		WHERE thread_id = 'forked' AND channel = 'log' AND type = 'msgpack')")
	finds 8 "undecodable=$n"
	use broken/pg-odd-jsonb
	finds 8 orphan-blob=1 undecodable=2
}

@test "missing-blob: at every checkpoint that names it" {
	use broken/pg-missing-blob
	finds 8 missing-blob=2
	data '{x["channel"] for x in d["data"]} == {"log"}' true
}

@test "missing-blob: any value of a user's channel, whichever release wrote it" {
	local name rows lost version at
	for name in py-hitl py-old-v1 py-old-v3 py-old-v4; do
		use "$name"
		rows=$(edit "SELECT concat_ws(chr(9), b.thread_id, b.channel, b.version) FROM checkpoint_blobs b
			WHERE b.checkpoint_ns = '' AND b.type <> 'empty' AND b.channel !~ '^(branch:|join:|start:|__)' AND EXISTS
			(SELECT FROM checkpoints c WHERE c.thread_id = b.thread_id AND
			c.checkpoint_ns = b.checkpoint_ns AND
			c.checkpoint->'channel_versions'->>b.channel = b.version) ORDER BY md5(b.version) LIMIT 12")
		while IFS=$'\t' read -r thread channel version; do
			at="thread_id = '$thread' AND checkpoint_ns = '' AND channel = '$channel' AND version = '$version'"
			lost=$(edit "DELETE FROM checkpoint_blobs WHERE $at RETURNING type, encode(blob, 'hex')")
			apart ckpt check -s "dbname=$database" --thread "$thread" --json
			data 'len([x for x in d["data"] if x["code"] == "missing-blob"]) > 0' true ||
				{ echo "$name $at"; return 1; }
			edit "INSERT INTO checkpoint_blobs VALUES ('$thread', '', '$channel', '$version',
				'${lost%%|*}', decode('${lost#*|}', 'hex'))"
		done <<<"$rows"
		finds 0
	done
}

@test "lost-snapshot, broken-delta" {
	use broken/pg-lost-snapshot
	finds 8 lost-snapshot=1
	use broken/pg-delta-dangling
	finds 8 broken-delta=6 orphan-blob=1
}

@test "orphan-blob, orphan-write" {
	use broken/pg-orphan-blobs
	finds 0 orphan-blob=7
	use broken/pg-orphan-writes
	finds 0 orphan-write=1
}

@test "version-collision: JavaScript counted twice to the same number" {
	use js-basic
	edit "UPDATE \"agent-data\".checkpoint_writes SET blob = convert_to('[\"x\"]', 'UTF8')
		WHERE thread_id = 'js-edited-past' AND channel = 'trail' AND checkpoint_id = (SELECT
		max(checkpoint_id) FROM \"agent-data\".checkpoint_writes WHERE
		thread_id = 'js-edited-past' AND channel = 'trail')"
	apart ckpt check -s "dbname=$database" --schema agent-data --json
	same "exit ($stderr)" "$status" 0
	data 'sorted({(x["code"], x["channel"]) for x in d["data"]})' '[["version-collision", "trail"]]'
}

@test "schema-drift: columns, foreign keys, triggers, indexes, missing tables" {
	local name
	for name in pg-extra-column pg-foreign-key pg-no-migrations; do
		use "broken/$name"
		finds 0 schema-drift=1 || { echo "$name"; return 1; }
	done
	use py-meta
	edit "DROP INDEX checkpoint_writes_thread_id_idx" \
		"ALTER TABLE checkpoint_writes DROP COLUMN task_path" \
		"ALTER TABLE checkpoint_blobs DROP CONSTRAINT checkpoint_blobs_pkey" \
		"UPDATE pg_index SET indisvalid = false
			WHERE indexrelid = 'checkpoints_thread_id_idx'::regclass" \
		"CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'" \
		"CREATE TRIGGER t AFTER DELETE ON checkpoints EXECUTE FUNCTION f()"
	finds 0 schema-drift=5
	use broken/pg-no-blobs-table
	apart ckpt check -s "dbname=$database" --json
	same exit "$status" 8
	data 'sorted({x["code"] for x in d["data"]})' '["lost-snapshot", "missing-blob", "schema-drift"]'
}

@test "unknown-type, self-parent, id-mismatch, future-id" {
	use broken/pg-unknown-type
	finds 0 unknown-type=1
	use broken/pg-self-parent
	finds 8 self-parent=1
	use py-hitl
	edit "UPDATE checkpoints SET checkpoint = jsonb_set(checkpoint, '{id}', '\"x\"')
		WHERE thread_id = 'finished' AND parent_checkpoint_id IS NULL" \
		"INSERT INTO checkpoints SELECT 'made', '', '2' || substr(checkpoint_id, 2), NULL, type,
		jsonb_set(jsonb_set(checkpoint, '{id}', to_jsonb('2' || substr(checkpoint_id, 2))),
		'{channel_versions}', '{}'), metadata FROM checkpoints
		WHERE thread_id = 'finished' AND parent_checkpoint_id IS NULL"
	finds 8 future-id=1 id-mismatch=1
}
