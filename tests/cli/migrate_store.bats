#!/usr/bin/env bats
# ckpt migrate --with-store between SQLite files: LangGraph's long-term memory. PostgreSQL:
# tests/pg/migrate_store.bats; the real stores as judges: tests/interop/test_migrate_store_pg.py.

# shellcheck disable=SC2154  # status, stdout, stderr: set by helper's apart
load helper
load stores

setup() {
	alone || return
	db=$(store py-store)
}

# The fixture has an embedding whose item was deleted.
memory() { # FILE: what the tables of long-term memory hold, and how their columns are
	sqlite3 "$1" "SELECT prefix, key, typeof(value), hex(value), created_at, updated_at,
		expires_at, typeof(ttl_minutes), ttl_minutes FROM store;
		SELECT v.prefix, v.key, field_name, hex(embedding), v.created_at, v.updated_at
		FROM store_vectors v JOIN store USING (prefix, key) ORDER BY 1, 2, 3;
		SELECT 'migration', v FROM store_migrations;
		SELECT 'vectors', v FROM vector_migrations;
		PRAGMA table_info(store); PRAGMA table_info(store_vectors);
		PRAGMA foreign_key_list(store_vectors); PRAGMA index_list(store)"
}

items() { # the summary's count
	jq .summary.store_items <<<"$stdout"
}

@test "items and their embeddings arrive as they are, in tables as the store makes them" {
	apart ckpt migrate "$db" new.db --with-store --json
	[ "$status" -eq 0 ]
	[ "$stderr" = "" ]
	[ "$(items)" = "$(sqlite3 "$db" 'SELECT count(*) FROM store')" ]
	[ "$(items)" = 9 ]
	diff <(memory "$db") <(memory new.db)
	[ "$(sqlite3 new.db "SELECT count(*) FROM sqlite_master WHERE name = 'ckpt_migration'")" = 0 ]
}

@test "the second run copies nothing, the third what was added" {
	ckpt migrate "$db" new.db --with-store
	apart ckpt migrate "$db" new.db --with-store --json
	[ "$status" -eq 0 ]
	[ "$(items)" = 0 ]
	sqlite3 "$db" "INSERT INTO store (prefix, key, value) VALUES ('a.b', 'k', '{\"v\": 1}')"
	apart ckpt migrate "$db" new.db --with-store --json
	[ "$status" -eq 0 ]
	[ "$(items)" = 1 ]
	diff <(memory "$db") <(memory new.db)
}

@test "without --with-store it says what stays behind" {
	apart ckpt migrate "$db" new.db
	[ "$status" -eq 0 ]
	[[ $stderr == *"ckpt: 9 items of long-term memory stay behind; --with-store copies them"* ]]
	[ "$(sqlite3 new.db "SELECT count(*) FROM sqlite_master WHERE name LIKE 'store%'")" = 0 ]
}

@test "a dry run writes nothing" {
	apart ckpt migrate "$db" new.db --with-store --dry-run
	[ "$status" -eq 0 ]
	[ ! -e new.db ]
}

@test "an item with other contents: 8 and nothing written, or the one that is asked for" {
	ckpt migrate "$db" new.db --with-store
	sqlite3 new.db "UPDATE store SET value = '{\"mine\": 1}' WHERE prefix = 'docs' AND key = 'name';
		DELETE FROM store WHERE prefix = 'docs' AND key = 'theme';
		DELETE FROM store_vectors WHERE prefix = 'docs'"
	memory new.db >before
	apart ckpt migrate "$db" new.db --with-store --json
	[ "$status" -eq 8 ]
	[ "$(jq -r '.data[] | .code + " " + .detail' <<<"$stdout")" = \
		"different item docs name: the target's differs" ]
	diff before <(memory new.db)

	cp new.db other.db
	apart ckpt migrate "$db" other.db --with-store --on-conflict skip --json
	[ "$status" -eq 0 ]
	[ "$(items)" = 1 ]
	[ "$(sqlite3 other.db "SELECT value FROM store WHERE prefix = 'docs' AND key = 'name'")" = \
		'{"mine": 1}' ]
	[ "$(sqlite3 other.db "SELECT key FROM store_vectors WHERE prefix = 'docs'")" = theme ]

	apart ckpt migrate "$db" new.db --with-store --on-conflict overwrite --json
	[ "$status" -eq 0 ]
	[ "$(items)" = 2 ]
	diff <(memory "$db" | sort) <(memory new.db | sort)
}

@test "each column counts when it compares; how JSON is written does not" {
	local change
	for change in "created_at = '2020-01-01 00:00:00'" "updated_at = NULL" \
		"expires_at = '2030-01-01 00:00:00'" "ttl_minutes = 7" "value = '[1]'"; do
		rm -f new.db*
		ckpt migrate "$db" new.db --with-store
		sqlite3 new.db "UPDATE store SET $change WHERE prefix = 'tmp'"
		apart ckpt migrate "$db" new.db --with-store
		[ "$status" -eq 8 ]
	done
	rm -f new.db*
	ckpt migrate "$db" new.db --with-store
	sqlite3 new.db "UPDATE store SET value = '{ \"gone\" : true }',
		expires_at = replace(expires_at, '+00:00', 'Z') WHERE prefix = 'tmp'"
	apart ckpt migrate "$db" new.db --with-store
	[ "$status" -eq 0 ]
}

@test "an embedding that differs is found in the end, and --on-conflict overwrite mends it" {
	ckpt migrate "$db" new.db --with-store
	sqlite3 new.db "UPDATE store_vectors SET embedding = x'00000000' WHERE prefix = 'tmp'"
	apart ckpt migrate "$db" new.db --with-store --json
	[ "$status" -eq 8 ]
	[[ $stdout == *'embedding of $'* ]]
	apart ckpt migrate "$db" new.db --with-store --on-conflict overwrite
	[ "$status" -eq 0 ]
	diff <(memory "$db") <(memory new.db)
}

@test "embeddings without an item stay behind" {
	sqlite3 "$db" "DELETE FROM store WHERE prefix = 'tmp'"
	apart ckpt migrate "$db" new.db --with-store
	[ "$status" -eq 0 ]
	[ "$(sqlite3 new.db 'SELECT count(*) FROM store_vectors')" = 8 ]
}

@test "odd names and values go from file to file as they are" {
	sqlite3 "$db" "INSERT INTO store (prefix, key, value, ttl_minutes, created_at) VALUES
		('', '', '', 1.25, 5), ('a' || char(0) || 'b', x'ff00', 'no json', 1e300, 2.5),
		('x:y', char(27) || '[2J', '{\"a\": \"\\u0000\"}', NULL, 'yesterday')"
	apart ckpt migrate "$db" new.db --with-store
	[ "$status" -eq 0 ]
	diff <(memory "$db") <(memory new.db)
}

@test "more items than a batch holds" {
	sqlite3 "$db" "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1700)
		INSERT INTO store (prefix, key, value) SELECT 'many', i, json_array(i) FROM n"
	apart ckpt migrate "$db" new.db --with-store --json
	[ "$status" -eq 0 ]
	[ "$(items)" = 1709 ]
	diff <(memory "$db") <(memory new.db)
}

@test "tables of an older store, without TTL" {
	sqlite3 "$db" "DROP INDEX idx_store_expires_at; ALTER TABLE store DROP COLUMN expires_at;
		ALTER TABLE store DROP COLUMN ttl_minutes"
	apart ckpt migrate "$db" new.db --with-store --json
	[ "$status" -eq 0 ]
	[ "$(items)" = 9 ]
}

@test "a target whose store has no TTL refuses items that have one" {
	sqlite3 "$db" "PRAGMA wal_checkpoint(TRUNCATE)" >/dev/null
	cp "$db" old.db
	sqlite3 old.db "DROP INDEX idx_store_expires_at; ALTER TABLE store DROP COLUMN expires_at;
		ALTER TABLE store DROP COLUMN ttl_minutes"
	apart ckpt migrate "$db" old.db --with-store --json
	[ "$status" -eq 7 ]
	[ "$(jq -r '.data[] | .code + " " + .detail' <<<"$stdout")" = \
		"store_ttl item tmp soon: the target's table has no column ttl_minutes" ]
}

@test "a table of another kind is refused, a view is none" {
	sqlite3 "$db" "ALTER TABLE store RENAME TO mine; CREATE VIEW store AS SELECT * FROM mine"
	apart ckpt migrate "$db" new.db --with-store --json
	[ "$status" -eq 0 ]
	[ "$(items)" = 0 ]
	sqlite3 "$db" "DROP VIEW store; CREATE TABLE store (a)"
	apart ckpt migrate "$db" other.db --with-store
	[ "$status" -eq 7 ]
	[ ! -e other.db ]
}

@test "an archive has no place for it, on either side" {
	apart ckpt migrate "$db" all.jsonl --with-store
	[ "$status" -eq 7 ]
	[[ $stderr == *"an archive has no place for long-term memory"* ]]
	[ ! -e all.jsonl ]
	ckpt migrate "$db" all.jsonl
	apart ckpt migrate all.jsonl new.db --with-store
	[ "$status" -eq 7 ]
	[ ! -e new.db ]
}

@test "--verify-only --with-store compares the items, too" {
	ckpt migrate "$db" new.db --with-store
	apart ckpt migrate "$db" new.db --verify-only --with-store --json
	[ "$status" -eq 0 ]
	sqlite3 new.db "UPDATE store SET value = '{}' WHERE key = (SELECT min(key) FROM store
			WHERE prefix LIKE 'docs%') AND prefix LIKE 'docs%'; DELETE FROM store WHERE prefix = 'tmp'"
	apart ckpt migrate "$db" new.db --verify-only --json
	[ "$status" -eq 0 ]
	apart ckpt migrate "$db" new.db --verify-only --with-store --json
	[ "$status" -eq 8 ]
	[ "$(jq -c '[.data[] | [.table, .op]] | sort | unique' <<<"$stdout")" = \
		'[["store","differs"],["store","only-a"]]' ]
	[ "$(jq -r '.data[] | select(.op == "only-a").thread' <<<"$stdout")" = tmp ]
	[ "$(jq '.summary.only_a + .summary.differs' <<<"$stdout")" = "$(jq '.data | length' <<<"$stdout")" ]
	apart ckpt migrate "$db" new.db --verify-only --with-store
	[ "$status" -eq 8 ]
	[[ $stdout$stderr == *"store"* ]]
	ckpt migrate "$db" all.jsonl
	apart ckpt migrate "$db" all.jsonl --verify-only --with-store
	[ "$status" -eq 7 ]
}
