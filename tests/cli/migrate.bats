#!/usr/bin/env bats
# ckpt migrate between files: SQLite and archives. PostgreSQL: tests/pg/migrate.bats; the real
# savers as judges: tests/interop/test_migrate*.py.

# shellcheck disable=SC2016,SC2030,SC2031,SC2034,SC2154  # subshells of bats
load helper
load stores

setup() {
	alone || return
	db=$(store py-hitl)
}

rows() { # FILE: what all tables hold, but for the order of rows
	sqlite3 "$1" "SELECT * FROM (SELECT thread_id, checkpoint_ns, checkpoint_id,
		parent_checkpoint_id, type, hex(checkpoint), hex(metadata) FROM checkpoints)
		ORDER BY 1, 2, 3;
		SELECT thread_id, checkpoint_ns, checkpoint_id, task_id, idx, channel, type,
		hex(value), task_path FROM writes ORDER BY 1, 2, 3, 4, 5"
}

@test "a new SQLite file holds the same rows, byte for byte, in tables as the saver makes them" {
	apart ckpt migrate "$db" new.db --json
	[ "$status" -eq 0 ]
	[ "$(jq -r .format <<<"$stdout")" = ckpt.migrate/1 ]
	[ "$(jq -c '[.data, .summary.verified.different]' <<<"$stdout")" = '[[],0]' ]
	[ "$(jq .summary.checkpoints <<<"$stdout")" = \
		"$(sqlite3 "$db" 'SELECT count(*) FROM checkpoints')" ]
	[ "$(jq .summary.writes <<<"$stdout")" = "$(sqlite3 "$db" 'SELECT count(*) FROM writes')" ]
	diff <(rows "$db") <(rows new.db)
	columns() { sqlite3 "$1" 'PRAGMA table_info(checkpoints); PRAGMA table_info(writes)'; }
	diff <(columns "$db") <(columns new.db)
	[ "$(sqlite3 new.db 'PRAGMA journal_mode')" = wal ]
	[ "$(sqlite3 new.db "SELECT count(*) FROM sqlite_master WHERE name = 'ckpt_migration'")" = 0 ]
}

@test "writes keep the order in which they were written" {
	ckpt migrate "$db" new.db
	order() {
		sqlite3 "$1" "SELECT task_id, idx, channel FROM writes
			ORDER BY thread_id, checkpoint_ns, checkpoint_id, rowid"
	}
	diff <(order "$db") <(order new.db)
}

@test "through an archive and back nothing differs" {
	ckpt migrate "$db" all.jsonl
	[ "$(stat -c %a all.jsonl)" = 600 ]
	[ ! -e all.jsonl.part ]
	apart ckpt diff -s "$db" --against all.jsonl --exit-code
	[ "$status" -eq 0 ]
	ckpt migrate all.jsonl back.db
	diff <(rows "$db") <(rows back.db)
}

@test "the second run copies nothing, the third only what the source added" {
	cp "$db" source.db
	ckpt migrate source.db new.db
	apart ckpt migrate source.db new.db --json
	[ "$status" -eq 0 ]
	[ "$(jq -c '[.summary.checkpoints, .summary.writes]' <<<"$stdout")" = '[0,0]' ]
	[ "$(jq .summary.skipped <<<"$stdout")" = \
		"$(sqlite3 source.db 'SELECT count(*) FROM checkpoints')" ]
	sqlite3 source.db "INSERT INTO checkpoints SELECT 'a new thread', checkpoint_ns,
		checkpoint_id, parent_checkpoint_id, type, checkpoint, metadata
		FROM checkpoints WHERE thread_id = 'forked';
		INSERT INTO writes (thread_id, checkpoint_ns, checkpoint_id, task_id, idx, channel,
		type, value) SELECT thread_id, checkpoint_ns, checkpoint_id, 'late', 0, 'c', 'null', x''
		FROM checkpoints WHERE thread_id = 'forked' LIMIT 1"
	apart ckpt migrate source.db new.db --json
	[ "$status" -eq 0 ]
	[ "$(jq .summary.checkpoints <<<"$stdout")" = \
		"$(sqlite3 source.db "SELECT count(*) FROM checkpoints WHERE thread_id = 'forked'")" ]
	[ "$(jq .summary.writes <<<"$stdout")" = 1 ]
	diff <(rows source.db) <(rows new.db)
}

@test "rows of the target that the source does not know stay" {
	other=$(store py-basic)
	ckpt migrate "$other" new.db
	ckpt migrate "$db" new.db
	apart ckpt migrate "$other" new.db --verify-only
	[ "$status" -eq 0 ]
	apart ckpt migrate "$db" new.db --verify-only
	[ "$status" -eq 0 ]
}

@test "other contents in the target: an error that writes nothing, left alone, or overwritten" {
	cp "$db" source.db
	ckpt migrate source.db new.db
	change="UPDATE writes SET value = x'c0' WHERE rowid = (SELECT min(rowid) FROM writes)"
	sqlite3 new.db "$change; DELETE FROM checkpoints WHERE thread_id <> 'forked'"
	before=$(rows new.db | sha256sum)
	apart ckpt migrate source.db new.db --json
	[ "$status" -eq 8 ]
	[[ $stderr == *"--on-conflict"* ]]
	[ "$(rows new.db | sha256sum)" = "$before" ]
	apart ckpt migrate source.db new.db --on-conflict overwrite
	[ "$status" -eq 0 ]
	diff <(rows source.db) <(rows new.db)
	sqlite3 new.db "$change"
	apart ckpt migrate source.db new.db --on-conflict skip
	[ "$status" -eq 8 ] # it is skipped, and does not pass for the same
	[ "$(sqlite3 new.db "SELECT count(*) FROM writes WHERE value = x'c0'")" -ge 1 ]
}

@test "--verify-only finds and names one byte" {
	ckpt migrate "$db" new.db
	apart ckpt migrate "$db" new.db --verify-only
	[ "$status" -eq 0 ]
	sqlite3 new.db "UPDATE writes SET value = x'c0' WHERE rowid = 3"
	thread=$(sqlite3 new.db 'SELECT thread_id FROM writes WHERE rowid = 3')
	apart ckpt migrate "$db" new.db --verify-only --json
	[ "$status" -eq 8 ]
	[ "$(jq -r '.data[0] | [.op, .table, .thread] | @tsv' <<<"$stdout")" = \
		"$(printf 'differs\twrites\t%s' "$thread")" ]
}

@test "--verify count counts, none does not look" {
	apart ckpt migrate "$db" new.db --verify count --json
	[ "$status" -eq 0 ]
	[ "$(jq -c .summary.verified <<<"$stdout")" = "$(printf \
		'{"checkpoints":%d,"writes":%d,"different":0}' \
		"$(sqlite3 "$db" 'SELECT count(*) FROM checkpoints')" \
		"$(sqlite3 "$db" 'SELECT count(*) FROM writes')")" ]
	apart ckpt migrate "$db" none.db --verify none --json
	[ "$status" -eq 0 ]
	[ "$(jq -c .summary.verified <<<"$stdout")" = \
		'{"checkpoints":0,"writes":0,"different":0}' ]
}

@test "--dry-run makes nothing" {
	apart ckpt migrate "$db" new.db --dry-run --json
	[ "$status" -eq 0 ]
	[ ! -e new.db ]
	apart ckpt migrate "$db" new.jsonl -n
	[ "$status" -eq 0 ]
	[ ! -e new.jsonl ]
}

@test "--thread and --where choose what is copied" {
	ckpt migrate "$db" one.db --thread forked
	[ "$(sqlite3 one.db 'SELECT DISTINCT thread_id FROM checkpoints')" = forked ]
	[ "$(sqlite3 one.db 'SELECT count(*) FROM checkpoints')" = \
		"$(sqlite3 "$db" "SELECT count(*) FROM checkpoints WHERE thread_id = 'forked'")" ]
	ckpt migrate "$db" some.db --where source=input
	[ "$(sqlite3 some.db "SELECT DISTINCT json_extract(CAST(metadata AS TEXT), '$.source')
		FROM checkpoints")" = input ]
	apart ckpt migrate "$db" none.db --thread nobody
	[ "$status" -eq 4 ]
	[ ! -e none.db ]
}

@test "encrypted rows are moved as they are, with and without the key" {
	aes=$(store py-aes)
	ckpt migrate "$aes" plain.db
	diff <(rows "$aes") <(rows plain.db)
	LANGGRAPH_AES_KEY=$(jq -r .aes_key "$FIXTURES/py-aes/oracle.json") ckpt migrate "$aes" keyed.db
	diff <(rows "$aes") <(rows keyed.db)
}

@test "targets that are not ones to write to are refused" {
	ckpt migrate "$db" new.db
	sqlite3 new.db 'CREATE TRIGGER t AFTER INSERT ON writes BEGIN SELECT 1; END'
	apart ckpt migrate "$db" new.db
	[ "$status" -eq 7 ]
	[[ $stderr == *trigger* ]]
	sqlite3 odd.db 'CREATE TABLE checkpoints (a, b)'
	apart ckpt migrate "$db" odd.db
	[ "$status" -eq 7 ]
	ckpt migrate "$db" more.db
	sqlite3 more.db 'ALTER TABLE writes ADD COLUMN extra'
	apart ckpt migrate "$db" more.db
	[ "$status" -eq 7 ]
	[[ $stderr == *extra* ]]
	ckpt migrate "$db" linked.db
	ln linked.db second.db
	apart ckpt migrate "$db" linked.db
	[ "$status" -eq 7 ]
	echo 'not a database, only text that is long enough to be looked at' >text.db
	apart ckpt migrate "$db" text.db
	[ "$status" -eq 8 ]
	mkdir folder
	apart ckpt migrate "$db" folder
	[ "$status" -eq 4 ]
}

@test "a store is not copied onto itself" {
	cp "$db" self.db
	apart ckpt migrate self.db ./self.db
	[ "$status" -eq 2 ]
	ln -s self.db alias.db
	apart ckpt migrate self.db alias.db
	[ "$status" -eq 2 ]
}

@test "the source is not there, or not named" {
	apart ckpt migrate nowhere.db new.db
	[ "$status" -eq 4 ]
	[ ! -e new.db ]
	apart ckpt migrate "$db"
	[ "$status" -eq 2 ]
	apart ckpt migrate -s "$db" new.db
	[ "$status" -eq 2 ]
}

@test "killed in the middle, the same command ends it" {
	python3 - big.db <<'END'
import sqlite3, sys
sys.path.insert(0, "")
db = sqlite3.connect(sys.argv[1])
db.executescript("""PRAGMA journal_mode=WAL;
CREATE TABLE checkpoints (thread_id TEXT NOT NULL, checkpoint_ns TEXT NOT NULL DEFAULT '',
 checkpoint_id TEXT NOT NULL, parent_checkpoint_id TEXT, type TEXT, checkpoint BLOB, metadata BLOB,
 PRIMARY KEY (thread_id, checkpoint_ns, checkpoint_id));
CREATE TABLE writes (thread_id TEXT NOT NULL, checkpoint_ns TEXT NOT NULL DEFAULT '',
 checkpoint_id TEXT NOT NULL, task_id TEXT NOT NULL, task_path TEXT NOT NULL DEFAULT '',
 idx INTEGER NOT NULL, channel TEXT NOT NULL, type TEXT, value BLOB,
 PRIMARY KEY (thread_id, checkpoint_ns, checkpoint_id, task_id, idx));""")
for i in range(20000):
    k = ("t%d" % (i // 50), "", "%08d-0000-6000-8000-000000000000" % (i % 50))
    body = (b"\x87\xa1v\x04\xa2ts\xa0\xa2id\xd9\x24" + k[2].encode() +
            b"\xaechannel_values\x80\xb0channel_versions\x80\xadversions_seen\x80"
            b"\xb0updated_channels\xc0")
    db.execute("INSERT INTO checkpoints VALUES (?,?,?,NULL,'msgpack',?,?)", k + (body, b"{}"))
    db.execute("INSERT INTO writes VALUES (?,?,?,'t','',0,'c','msgpack',?)", k + (b"\xc4\x02ab",))
db.commit()
END
	for pause in 0.02 0.05 0.1 0.2; do
		"$CKPT" migrate big.db new.db >/dev/null 2>&1 &
		pid=$!
		sleep "$pause"
		kill -KILL "$pid" 2>/dev/null || true
		wait "$pid" 2>/dev/null || true
	done
	apart ckpt migrate big.db new.db --json
	[ "$status" -eq 0 ]
	diff <(rows big.db) <(rows new.db)
	[ "$(sqlite3 new.db "SELECT count(*) FROM sqlite_master WHERE name = 'ckpt_migration'")" = 0 ]
}

@test "an archive that lost rows does not pass for all there was" {
	ckpt migrate "$db" all.jsonl
	head -n -1 all.jsonl >cut.jsonl
	apart ckpt migrate cut.jsonl new.db
	[ "$status" -eq 7 ]
	[ ! -e new.db ]
	apart ckpt migrate cut.jsonl new.db --quarantine rest.jsonl
	[ "$status" -eq 3 ]
	diff <(rows "$db") <(rows new.db)
}

@test "a thread whose id is kept as BLOB: what the target lost is copied again" {
	sqlite3 "$db" "UPDATE checkpoints SET thread_id = CAST(thread_id AS BLOB) WHERE thread_id = 'finished';
		UPDATE writes SET thread_id = CAST(thread_id AS BLOB) WHERE thread_id = 'finished'"
	ckpt migrate "$db" new.db
	sqlite3 new.db "DELETE FROM checkpoints WHERE rowid IN (SELECT rowid FROM checkpoints
		WHERE typeof(thread_id) = 'blob' LIMIT 2)"
	apart ckpt migrate "$db" new.db --json
	[ "$status" -eq 0 ]
	[ "$(jq .summary.checkpoints <<<"$stdout")" = 2 ]
	diff <(rows "$db") <(rows new.db)
}
