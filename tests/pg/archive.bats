#!/usr/bin/env bats
# ckpt prune --archive on PostgreSQL: what an archive brings back is every row as it was, as text of
# jsonb and bytes of bytea, or the archive was refused and nothing happened. Runs inside
# with-server.sh; each fixture has a database of its own.

# shellcheck disable=SC2030,SC2031,SC2154  # subshells of bats; status, stdout, stderr
load ../cli/helper
load ../cli/stores

sql() { psql -qXAt -v ON_ERROR_STOP=1 -d "$name" "$@"; }

database() { # FIXTURE: makes $name, and $db that ckpt calls it by
	name=archive_$RANDOM$RANDOM
	createdb -T template0 "$name"
	gzip -dc "$FIXTURES/$1/store.sql.gz" | sql >/dev/null
	db=dbname=$name
	unset PGOPTIONS
	[ "$1" != js-basic ] || export PGOPTIONS="-c search_path=agent-data"
}

setup() {
	unset CKPT_STORE CKPT_PAGER PAGER NO_COLOR CKPT_FORCE_TTY LANGGRAPH_AES_KEY COLUMNS PGOPTIONS
	: "${FIXTURES:=$BATS_TEST_DIRNAME/../../build/fixtures}"
	cd "$BATS_TEST_TMPDIR" || return
}

# Every row of the three tables; what is of a type that has no such column, NULL.
rows() {
	sql -c "SELECT 'c', to_jsonb(t)::text FROM checkpoints t UNION ALL
		SELECT 'w', to_jsonb(t)::text FROM checkpoint_writes t UNION ALL
		SELECT 'b', to_jsonb(t)::text FROM checkpoint_blobs t" | LC_ALL=C sort
}

prune() { apart ckpt prune -s "$db" --min-age 0 --active-within 0 --yes "$@"; }
thin() { prune --keep-last 1 "$@"; }
empty() { prune --delete-threads --thread-glob '*' --max-delete 100% --no-keep-interrupted "$@"; }

# there_and_back HOW FORM: 0 it went and came back, 1 it was refused; else a failure.
there_and_back() {
	rm -f gone.*
	"$1" --archive "gone.$2"
	rows >after
	if [ "$status" -eq 7 ]; then
		cmp before after && [ ! -e "gone.$2" ] && [ ! -e "gone.$2.part" ] || return 2
		return 1
	fi
	[ "$status" -eq 0 ] || { printf '%s\n' "$stderr"; return 3; }
	[ -e "gone.$2" ] || return 0 # there was nothing to do
	cmp -s before after && return 4
	apart ckpt migrate "gone.$2" "$db"
	[ "$status" -eq 0 ] || { printf '%s\n' "$stderr"; return 5; }
	diff before <(rows) >difference || { head -c 2000 difference; return 6; }
}

# Stores whose rows a SQLite file can hold as they are, thinned and emptied; of all others a dump can.
exactly='bos-hybrid py-age py-hitl py-ids py-meta py-old-v4 py-store py-subgraph'
exactly+=' broken/pg-flipped-bit broken/pg-missing-blob broken/pg-missing-parent'
exactly+=' broken/pg-no-migrations broken/pg-orphan-blobs broken/pg-orphan-writes'
exactly+=' broken/pg-self-parent broken/pg-two-schemas'
# What is no store of LangGraph's savers, or is not altered.
others='agentlab bos py-shallow broken/pg-extra-column broken/pg-foreign-key'
others+=' broken/pg-no-blobs-table broken/pg-view'

@test "every fixture: what was thinned or emptied comes back as it was, or was refused" {
	local dump fixture form how rc want
	for dump in "$FIXTURES"/*/store.sql.gz "$FIXTURES"/broken/*/store.sql.gz; do
		fixture=${dump%/store.sql.gz}
		fixture=${fixture#"$FIXTURES"/}
		[[ " $others " != *" $fixture "* ]] || continue
		database "$fixture"
		rows >before
		for form in jsonl db; do
			want=0
			[ "$form" = jsonl ] || [[ " $exactly " == *" $fixture "* ]] || want=1
			for how in thin empty; do
				rc=0
				there_and_back "$how" "$form" || rc=$?
				# one that is refused whole may still be thinned
				[ "$rc" -eq "$want" ] || [ "$how$rc$want" = thin01 ] || {
					echo "$fixture $form $how: $rc, not $want ($stderr)"
					return 1
				}
				[ "$rc" -ne 1 ] || has "$stderr" ".jsonl"
			done
		done
		dropdb "$name"
	done
}

@test "blobs that are NULL, empty, unnamed, or named as text, and writes of any kind" {
	local how rc
	database py-hitl
	sql >/dev/null <<'SQL'
ALTER TABLE checkpoint_writes ALTER blob DROP NOT NULL, ALTER type DROP NOT NULL;
CREATE TABLE odd AS SELECT 'odd'::text AS thread_id, checkpoint_ns, checkpoint_id, parent_checkpoint_id,
	type, checkpoint, metadata FROM checkpoints WHERE checkpoint_ns = '' ORDER BY checkpoint_id LIMIT 6;
UPDATE odd SET checkpoint = jsonb_set(checkpoint, '{channel_versions}', '{"a": 1, "b": "2", "c": 3.50,
	"d": "no such", "e": 12345678901234567890123}');
UPDATE odd SET checkpoint = jsonb_set(checkpoint, '{channel_values}', '{"n": 0.10, "big": 1e400, "e": -0.0,
	"text": "\u0001\"\\\u2028"}'), metadata = '{"step": 1.50, "z": {"a": [1e22, null, "\n"]}}';
INSERT INTO checkpoints (thread_id, checkpoint_ns, checkpoint_id, parent_checkpoint_id, type, checkpoint,
	metadata) SELECT * FROM odd;
INSERT INTO checkpoint_blobs VALUES ('odd', '', 'a', '1', 'empty', NULL), ('odd', '', 'b', '2', 'null', ''),
	('odd', '', 'c', '3.50', 'bytearray', '\x00ff'), ('odd', '', 'e', '12345678901234567890123', 'json', NULL),
	('odd', '', 'stray', 'x"\', 'pickle', 'abc'), ('odd', 'other', 'stray', '', 'empty', NULL);
INSERT INTO checkpoint_writes (thread_id, checkpoint_ns, checkpoint_id, task_id, task_path, idx, channel, type,
	blob) SELECT 'odd', '', checkpoint_id, 't', 'p', i, 'c', t, b FROM odd, (VALUES (0, NULL, 'a'::bytea),
	(-3, 'json', NULL), (2147483647, '', '')) AS v (i, t, b);
INSERT INTO checkpoint_writes (thread_id, checkpoint_ns, checkpoint_id, task_id, idx, channel, type, blob)
	VALUES ('odd', '', 'none', 't', 0, 'c', 'null', '');
DROP TABLE odd;
SQL
	rows >before
	for how in thin empty; do
		rc=0
		there_and_back "$how" jsonl || rc=$?
		[ "$rc" -eq 0 ] || is "$how $rc $stderr" ""
	done
	rc=0
	there_and_back empty db || rc=$?
	is "$rc" 1
	# into an empty one
	empty --archive whole.jsonl
	is "$status $(rows | wc -l)" "0 0"
	ckpt migrate whole.jsonl "$db" -q
	diff before <(rows)
}

@test "a version whose name may be read in two ways: what goes with it is not known for sure" {
	local form rc
	database py-hitl
	sql -c "UPDATE checkpoints SET checkpoint = jsonb_set(checkpoint, '{channel_versions,a}', '\"x\\\"\"')" \
		-c "INSERT INTO checkpoint_blobs SELECT DISTINCT thread_id, checkpoint_ns, 'a', 'x\"', 'bytes',
			'abc'::bytea FROM checkpoints"
	rows >before
	for form in jsonl db; do
		rc=0
		there_and_back empty "$form" || rc=$?
		is "$rc" 1
	done
}

@test "--orphans: with a dump what nothing names goes and comes back; with a SQLite file it is left" {
	database py-hitl
	sql -c "INSERT INTO checkpoint_blobs SELECT thread_id, checkpoint_ns, c, v, 'bytes', 'abc'::bytea FROM
			(SELECT DISTINCT thread_id, checkpoint_ns FROM checkpoints) AS t,
			(VALUES ('b', '0.1'), ('aa', '0.1'), ('aa', '0')) AS x (c, v)"
	rows >before
	prune --orphans --archive gone.db
	is "$status" 0
	has "$stderr" "they are left"
	ckpt migrate gone.db "$db" -q
	diff before <(rows)
	rm -f gone.*
	prune --orphans --archive gone.jsonl --json
	is "$status" 0
	is "$(jq .summary.blobs <<<"$stdout")" "$(grep -c '"channel": "\(b\|aa\)"' before)"
	is "$(rows | grep -c '"channel": "\(b\|aa\)"')" 0
	apart ckpt migrate gone.jsonl "$db"
	is "$status" 0
	diff before <(rows)
}
