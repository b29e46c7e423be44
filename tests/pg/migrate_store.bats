#!/usr/bin/env bats
# ckpt migrate --with-store where PostgreSQL is at one end: what jsonb and timestamptz refuse or
# change, JavaScript's tables, embeddings without pgvector. Inside with-server.sh.

# shellcheck disable=SC2016,SC2154  # status, stdout, stderr: set by helper's apart
load ../cli/helper
load ../cli/stores

setup() {
	alone || return
	db=$(store py-store)
	one=$(fresh)
}

fresh() { # a new database; prints its name
	local name="store_$RANDOM$RANDOM"
	createdb "$name"
	printf '%s' "$name"
}

add() { # VALUE [PREFIX KEY CREATED TTL], as SQL
	sqlite3 "$db" "INSERT INTO store (value, prefix, key, created_at, ttl_minutes) VALUES
		($1, ${2:-'p'}, ${3:-'k'}, ${4:-NULL}, ${5:-NULL})"
}

refused() { # CODE: it is, with this code, and nothing was written
	apart ckpt migrate "$db" "postgresql:///$one" --with-store --json
	[ "$status" -eq 7 ]
	[ "$(jq -r '.data[].code' <<<"$stdout")" = "$1" ]
	[ "$(psql "$one" -Atc "SELECT count(*) FROM pg_class WHERE relname IN
		('store', 'checkpoints')")" = 0 ]
}

# JavaScript's tables, with a function and trigger as its store makes them.
js_store() { # DATABASE
	ckpt migrate "$db" "postgresql:///$1"
	psql -q "$1" <<-'E'
		CREATE TABLE store_migrations (v INTEGER PRIMARY KEY);
		CREATE TABLE store (namespace_path TEXT NOT NULL, key TEXT NOT NULL,
			value JSONB NOT NULL, created_at TIMESTAMPTZ DEFAULT CURRENT_TIMESTAMP,
			updated_at TIMESTAMPTZ DEFAULT CURRENT_TIMESTAMP, expires_at TIMESTAMPTZ,
			PRIMARY KEY (namespace_path, key));
		CREATE FUNCTION update_updated_at_column() RETURNS TRIGGER AS $$
			BEGIN NEW.updated_at = CURRENT_TIMESTAMP; RETURN NEW; END; $$ language 'plpgsql';
		CREATE TRIGGER update_store_updated_at BEFORE UPDATE ON store
			FOR EACH ROW EXECUTE FUNCTION update_updated_at_column();
	E
}

@test "there and back again: the same items, each said thing said" {
	apart ckpt migrate "$db" "postgresql:///$one" --with-store --json
	[ "$status" -eq 0 ]
	[ "$(jq .summary.store_items <<<"$stdout")" = 9 ]
	[[ $stderr == *"ttl_minutes of 1 items is rounded: PostgreSQL keeps whole minutes"* ]]
	if ! psql "$one" -Atc "SELECT name FROM pg_available_extensions" | grep -qx vector; then
		[[ $stderr == *"embeddings of long-term memory are left out: the target has no pgvector"* ]]
		[ "$(psql "$one" -Atc "SELECT to_regclass('store_vectors') IS NULL")" = t ]
	fi
	[ "$(psql "$one" -Atc 'SELECT string_agg(v::text, $$ $$ ORDER BY v) FROM store_migrations')" = \
		"0 1 2 3" ]
	apart ckpt migrate "postgresql:///$one" back.db --with-store
	[ "$status" -eq 0 ]
	times() {
		sqlite3 "$1" "SELECT prefix, key, created_at, updated_at, expires_at FROM store
			ORDER BY 1, 2"
	}
	diff <(times "$db") <(times back.db)
}

@test "what PostgreSQL cannot hold is refused before anything is written" {
	local rows row
	rows=("store_value|x'7b2261223a225c7530303030227d'" "store_value|'no json'"
		"store_value|'{\"a\": NaN}'" "store_value|'[\"\ud800\"]'"
		"store_key|'1'|char(0)" "store_key|'1'|'p'|x'ff'"
		"store_time|'1'|'p'|'k'|'yesterday'" "store_ttl|'1'|'p'|'k'|NULL|1e300")
	for row in "${rows[@]}"; do
		IFS='|' read -ra words <<<"$row"
		sqlite3 "$db" "DELETE FROM store WHERE prefix NOT IN ('docs', 'tmp')"
		add "${words[@]:1}"
		refused "${words[0]}"
	done
}

@test "values that jsonb writes in another way are the same values" {
	add "'{\"b\": 1e2, \"a\": 1.50, \"s\": \"\\u00fc\", \"x\": [1e16, -0.0, 1.5e-7, 2.50e1, 0e5, 12e-1, 1e300], \"big\": 123456789012345678901234567890}'"
	apart ckpt migrate "$db" "postgresql:///$one" --with-store --json
	[ "$status" -eq 0 ]
	apart ckpt migrate "$db" "postgresql:///$one" --with-store --json
	[ "$(jq -c '[.summary.store_items, .summary.verified.different]' <<<"$stdout")" = '[0,0]' ]
}

@test "more items than a batch holds; what differs is overwritten" {
	sqlite3 "$db" "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1700)
		INSERT INTO store (prefix, key, value) SELECT 'many', i, json_array(i) FROM n"
	apart ckpt migrate "$db" "postgresql:///$one" --with-store --json
	[ "$(jq .summary.store_items <<<"$stdout")" = 1709 ]
	psql -q "$one" -c "UPDATE store SET value = '0' WHERE key IN ('1', '600', '1700')"
	apart ckpt migrate "$db" "postgresql:///$one" --with-store
	[ "$status" -eq 8 ]
	apart ckpt migrate "$db" "postgresql:///$one" --with-store --on-conflict overwrite --json
	[ "$status" -eq 0 ]
	[ "$(jq .summary.store_items <<<"$stdout")" = 3 ]
	[ "$(psql "$one" -Atc "SELECT value FROM store WHERE key = '1700'")" = "[1700]" ]
}

@test "JavaScript's store: to another, to Python's file, and back; a part with the other separator" {
	local two
	js_store "$one"
	psql -q "$one" -c "INSERT INTO store VALUES ('users:u-1', 'k', '{\"v\": 1}',
		'2026-01-02T03:04:05.678901Z', '2026-01-02T03:04:05Z', '2030-01-01T00:00:00Z')"
	two=$(fresh)
	apart ckpt migrate "postgresql:///$one" "postgresql:///$two" --with-store
	[ "$status" -eq 0 ]
	diff <(psql "$one" -Atc 'SELECT * FROM store') <(psql "$two" -Atc 'SELECT * FROM store')
	[ "$(psql "$two" -Atc 'SELECT count(*) FROM store_migrations')" = 4 ]
	psql -q "$two" -c "UPDATE store SET value = '2'" # its trigger is there
	[ "$(psql "$two" -Atc 'SELECT updated_at > now() - interval $$1 min$$ FROM store')" = t ]
	apart ckpt migrate "postgresql:///$one" "postgresql:///$two" --with-store --on-conflict overwrite
	[ "$status" -eq 0 ]
	[ "$(psql "$two" -Atc 'SELECT value FROM store')" = '{"v": 1}' ]

	apart ckpt migrate "postgresql:///$one" py.db --with-store
	[ "$status" -eq 0 ]
	[ "$(sqlite3 py.db "SELECT prefix, key, created_at, updated_at, expires_at FROM store")" = \
		'users.u-1|k|2026-01-02 03:04:05.678901+00:00|2026-01-02 03:04:05|2030-01-01 00:00:00' ]
	apart ckpt migrate py.db "postgresql:///$one" --with-store
	[ "$status" -eq 0 ]
	sqlite3 py.db "INSERT INTO store (prefix, key, value) VALUES ('a:b', 'k', '1')"
	apart ckpt migrate py.db "postgresql:///$one" --with-store --json
	[ "$status" -eq 7 ]
	[[ $stdout == *"a part of its namespace holds ':'"* ]]
}

@test "a schema that has to be quoted" {
	psql -q "$one" -c 'CREATE SCHEMA "My ""own"'
	apart ckpt migrate "$db" "postgresql:///$one" --schema 'My "own' --with-store
	[ "$status" -eq 0 ]
	[ "$(psql "$one" -Atc 'SELECT count(*) FROM "My ""own".store')" = 9 ]
	apart ckpt migrate "$db" "postgresql:///$one" --schema 'My "own' --with-store
	[ "$status" -eq 0 ]
}

@test "what PostgreSQL cannot hold goes into quarantine, the rest is copied" {
	add "'no json'" "'p'" "'bad'"
	add "'{\"a\": 1}'" "'1'" "'p' || char(0)"
	add "'{\"fine\": 1}'" "'p'" "'good'"
	apart ckpt migrate "$db" "postgresql:///$one" --with-store --quarantine kept.jsonl --json
	[ "$status" -eq 3 ]
	[ "$(jq -c '[.data[] | [.action, .code]] | sort' <<<"$stdout")" = \
		'[["quarantine","store_key"],["quarantine","store_value"]]' ]
	[ "$(jq '.summary.quarantined' <<<"$stdout")" = 2 ]
	[ "$(jq '.summary.store_items' <<<"$stdout")" = 10 ]
	[ "$(psql "$one" -Atc "SELECT count(*), count(*) FILTER (WHERE key = 'good') FROM store")" = '10|1' ]
	[ "$(jq -c 'select(.item) | .item | [.prefix, .key, .value, .code]' kept.jsonl | sort | head -n 1)" = \
		'["1","p\u0000","{\"a\": 1}","store_key"]' ]
	[ "$(jq -c 'select(.item) | .item | [.prefix, .key, .value, .code]' kept.jsonl | sort | tail -n 1)" = \
		'["p","bad","no json","store_value"]' ]
	# again: the same is said, nothing is copied twice
	apart ckpt migrate "$db" "postgresql:///$one" --with-store --quarantine again.jsonl --json
	[ "$status" -eq 3 ]
	[ "$(jq '.summary.store_items' <<<"$stdout")" = 0 ]
	diff kept.jsonl again.jsonl
	apart ckpt list -s kept.jsonl
	[ "$status" -eq 0 ]
}
