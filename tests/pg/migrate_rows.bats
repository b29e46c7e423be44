#!/usr/bin/env bats
# ckpt migrate and PostgreSQL: rows counted and summed by SQL alone, contents that differ under a
# blob's key. What is carried and how: tests/interop; what happens around a run: migrate.py. Inside
# with-server.sh.

# shellcheck disable=SC2016,SC2154  # status, stdout, stderr: set by helper's apart
load ../cli/helper
load ../cli/stores

setup() {
	alone || return
	one=rows_$RANDOM$RANDOM two=rows_$RANDOM$RANDOM
	createdb "$one"
	createdb "$two"
}

# Rows of a file and of a database in the same words, by nothing of ours.
in_file() { # FILE
	sqlite3 "$1" "SELECT 'checkpoints', count(*), count(parent_checkpoint_id),
			count(DISTINCT thread_id || '/' || checkpoint_ns), min(checkpoint_id),
			max(checkpoint_id), sum(json_extract(CAST(metadata AS TEXT), '\$.step')) FROM checkpoints;
		SELECT 'writes', count(*), sum(length(CAST(value AS BLOB))), sum(idx), count(DISTINCT task_id)
			FROM writes;
		SELECT thread_id, checkpoint_ns, count(*) FROM checkpoints GROUP BY 1, 2 ORDER BY 1, 2;
		SELECT thread_id, checkpoint_id, task_id, idx, channel, type, upper(hex(value)) FROM writes
			ORDER BY 1, checkpoint_ns, 2, 3, 4"
}

in_database() { # NAME
	psql "$1" -qXAt -c "SELECT 'checkpoints', count(*), count(parent_checkpoint_id),
			count(DISTINCT thread_id || '/' || checkpoint_ns), min(checkpoint_id COLLATE \"C\"),
			max(checkpoint_id COLLATE \"C\"), sum((metadata ->> 'step')::int) FROM checkpoints" \
		-c "SELECT 'writes', count(*), sum(octet_length(blob)), sum(idx), count(DISTINCT task_id)
			FROM checkpoint_writes" \
		-c "SELECT thread_id, checkpoint_ns, count(*) FROM checkpoints GROUP BY 1, 2
			ORDER BY thread_id COLLATE \"C\", checkpoint_ns COLLATE \"C\"" \
		-c "SELECT thread_id, checkpoint_id, task_id, idx, channel, type, upper(encode(blob, 'hex'))
			FROM checkpoint_writes ORDER BY thread_id COLLATE \"C\", checkpoint_ns COLLATE \"C\",
			checkpoint_id COLLATE \"C\", task_id COLLATE \"C\", idx"
}

blobs() { # NAME: what lies apart
	psql "$1" -qXAt -c "SELECT count(*), sum(octet_length(blob)), md5(string_agg(b::text, ',' ORDER BY
		b::text)) FROM checkpoint_blobs b"
}

@test "counts, sums and every write are the same by SQL, into the server, on and back" {
	local name
	for name in py-basic py-hitl py-subgraph py-delta py-meta; do
		echo "$name"
		psql "$one" -qc 'DROP TABLE IF EXISTS checkpoints, checkpoint_blobs, checkpoint_writes,
			checkpoint_migrations'
		psql "$two" -qc 'DROP TABLE IF EXISTS checkpoints, checkpoint_blobs, checkpoint_writes,
			checkpoint_migrations'
		ckpt migrate "$(store "$name")" "postgresql:///$one" --jobs 3
		diff <(in_file "$(store "$name")") <(in_database "$one")
		ckpt migrate "postgresql:///$one" "postgresql:///$two" --jobs 3
		diff <(in_database "$one") <(in_database "$two")
		[ "$(blobs "$one")" = "$(blobs "$two")" ]
		rm -f back.db
		ckpt migrate "postgresql:///$two" back.db
		diff <(in_file "$(store "$name")") <(in_file back.db)
		[ "$(sqlite3 back.db 'PRAGMA integrity_check')" = ok ]
	done
}

# How many blobs have other contents from now on.
spoil() { # NAME
	psql "$1" -qXAt -c "UPDATE checkpoint_blobs SET type = 'msgpack', blob = '\\x01' WHERE type <> 'empty'
			AND (thread_id, channel, version) IN (SELECT thread_id, channel, version
			FROM checkpoint_blobs ORDER BY 1, 2, 3 LIMIT 40) RETURNING 1" | wc -l
}

@test "a blob with other contents under its version: an error that writes nothing, or overwritten" {
	local before threads
	ckpt migrate "$(store py-basic)" "postgresql:///$one"
	ckpt migrate "postgresql:///$one" "postgresql:///$two"
	[ "$(spoil "$two")" -gt 10 ]
	before=$(blobs "$two")
	apart ckpt migrate "postgresql:///$one" "postgresql:///$two" --json
	[ "$status" -eq 8 ]
	[ "$(blobs "$two")" = "$before" ]
	apart ckpt migrate "postgresql:///$one" "postgresql:///$two" --on-conflict overwrite --json
	[ "$status" -eq 0 ]
	[ "$(blobs "$one")" = "$(blobs "$two")" ]
	# by thread values are read with what names them
	[ "$(spoil "$two")" -gt 10 ]
	mapfile -t threads < <(psql "$one" -qXAt -c "SELECT DISTINCT '--thread=' || thread_id FROM checkpoints")
	apart ckpt migrate "postgresql:///$one" "postgresql:///$two" --on-conflict overwrite --json "${threads[@]}"
	[ "$status" -eq 0 ]
	[ "$(blobs "$one")" = "$(blobs "$two")" ]
	# from a file, whose values become blobs on the way
	[ "$(spoil "$two")" -gt 10 ]
	apart ckpt migrate "$(store py-basic)" "postgresql:///$two" --on-conflict overwrite --json --jobs 3
	[ "$status" -eq 0 ]
	[ "$(blobs "$one")" = "$(blobs "$two")" ]
}

@test "a blob that only a later checkpoint lacks: who names it first has the value in itself" {
	ckpt migrate "$(store py-basic)" "postgresql:///$one"
	# a value that JSON can hold, named by several checkpoints
	psql "$one" -qXAt -c "INSERT INTO checkpoint_blobs SELECT DISTINCT thread_id, checkpoint_ns, 'plain', '7',
			'json', convert_to('\"v\"', 'UTF8') FROM checkpoints" \
		-c "UPDATE checkpoints SET checkpoint = jsonb_set(checkpoint, '{channel_versions,plain}', '\"7\"')"
	ckpt migrate "postgresql:///$one" "postgresql:///$two"
	psql "$two" -qXAt -c "DELETE FROM checkpoint_blobs WHERE channel = 'plain'" \
		-c "UPDATE checkpoints c SET checkpoint = jsonb_set(checkpoint, '{channel_values,plain}', '\"v\"')
			WHERE checkpoint_id = (SELECT min(checkpoint_id COLLATE \"C\") FROM checkpoints d
			WHERE d.thread_id = c.thread_id AND d.checkpoint_ns = c.checkpoint_ns)"
	mapfile -t threads < <(psql "$one" -qXAt -c "SELECT DISTINCT '--thread=' || thread_id FROM checkpoints")
	apart ckpt migrate "postgresql:///$one" "postgresql:///$two" --on-conflict overwrite "${threads[@]}"
	[ "$status" -eq 0 ]
	ckpt diff -s "postgresql:///$one" --against "postgresql:///$two" --exit-code
}
