#!/usr/bin/env bats
# ckpt delete and copy on PostgreSQL: what goes, refusals, the lock. Runs inside with-server.sh.
# What the real saver makes of copies: tests/interop/test_copy_pg.py.

# shellcheck disable=SC2016,SC2030,SC2031,SC2034,SC2154  # each test is a subshell of bats
load ../cli/helper
load ../cli/stores

sql() { psql -qXAt -v ON_ERROR_STOP=1 "$@"; }

setup_file() {
	: "${FIXTURES:=$BATS_TEST_DIRNAME/../../build/fixtures}"
	export FIXTURES
	createdb -T template0 first
	gzip -dc "$FIXTURES/py-hitl/store.sql.gz" | sql -d first >/dev/null
	createdb -T template0 shallow
	gzip -dc "$FIXTURES/py-shallow/store.sql.gz" | sql -d shallow >/dev/null
	sql -c 'CREATE ROLE poor LOGIN'
}

setup() {
	alone || return
	dropdb --if-exists --force alter
	createdb -T first alter
	export CKPT_STORE="host=$PGHOST port=$PGPORT user=$PGUSER dbname=alter"
}

teardown() {
	if [ -n "${holder:-}" ]; then kill "$holder" 2>/dev/null || true; fi
	wait
}

counts() { # THREAD
	sql -d alter -c "SELECT 'checkpoints', count(*) FROM checkpoints WHERE thread_id = '$1'
		UNION ALL SELECT 'writes', count(*) FROM checkpoint_writes WHERE thread_id = '$1'
		UNION ALL SELECT 'blobs', count(*) FROM checkpoint_blobs WHERE thread_id = '$1'" |
		tr '|' '\t'
}

rows() { # WHERE: a digest of all tables
	local table
	for table in checkpoints checkpoint_writes checkpoint_blobs; do
		sql -d alter -c "SELECT * FROM $table $1 ORDER BY 1, 2, 3, 4"
	done | sha256sum
}

@test "a thread goes from three tables, the others stay as they are" {
	local want others
	want=$(counts finished)
	others=$(rows "WHERE thread_id <> 'finished'")
	apart ckpt delete --thread finished -n
	is "$status $stdout" "0 $want"
	is "$(counts finished)" "$want"
	apart ckpt delete --thread finished --yes
	is "$status $stderr" "0 "
	is "$stdout" "$want"
	is "$(counts finished)" "$(printf 'checkpoints\t0\nwrites\t0\nblobs\t0')"
	is "$(rows "WHERE thread_id <> 'finished'")" "$others"
	ckpt check
	apart ckpt delete --thread finished --yes
	is "$status" 4
}

@test "a run's checkpoints go with the blobs that nothing else names" {
	sql -d alter -c "UPDATE checkpoints SET metadata = metadata || '{\"run_id\":\"r\"}'
		WHERE thread_id = 'finished' AND checkpoint_id < (SELECT max(checkpoint_id)
		FROM checkpoints WHERE thread_id = 'finished')"
	"$CKPT" show finished --json | jq -cS .data.values >before
	apart ckpt delete --run-id r --yes --json
	is "$status" 0
	data 'd["summary"]["checkpoints"], d["summary"]["kept"]' '[7, 0]'
	data 'd["summary"]["blobs"] > 0' true
	"$CKPT" show finished --json | jq -cS .data.values >after
	cmp before after
	ckpt check
}

@test "copy counts what it copies; every row is the same" {
	apart ckpt copy nested-answered new -n
	local want=$stdout
	apart ckpt copy nested-answered new
	is "$status $stdout" "0 $want"
	is "$want" "$(counts nested-answered)"
	sql -d alter -c "CREATE TABLE c AS SELECT * FROM checkpoints WHERE thread_id = 'new'" \
		-c "UPDATE c SET thread_id = 'nested-answered'" \
		-c "SELECT count(*) FROM (TABLE c EXCEPT SELECT * FROM checkpoints) x" >left
	is "$(cat left)" 0
	apart ckpt copy nested-answered new
	is "$status" 7
	apart ckpt copy nested-answered part --at 'nested-answered~1'
	is "$status" 0
	is "$stdout" "$(counts part)"
	ckpt check
}

@test "--secure vacuums, and says what it cannot do" {
	apart ckpt delete --thread finished --secure --yes
	is "$status" 0
	has "$stderr" "PostgreSQL cannot be told to overwrite"
	is "$(sql -d alter -c "SELECT count(*) FROM pg_stat_user_tables WHERE vacuum_count > 0
		AND relname IN ('checkpoints', 'checkpoint_writes', 'checkpoint_blobs')")" 3
}

@test "tables that are not LangGraph's are refused, and nothing is written" {
	local make undo before
	before=$(counts finished)
	sql -d alter -c 'CREATE FUNCTION nothing() RETURNS trigger LANGUAGE plpgsql AS
		$$BEGIN RETURN NULL; END$$'
	while IFS='|' read -r make undo; do
		sql -d alter -c "$make"
		apart ckpt delete --thread finished --yes
		is "$make: $status $stdout" "$make: 7 "
		[[ $make == *VIEW* ]] || has "$stderr" "hint: "
		apart ckpt copy finished other
		is "$make: $status" "$make: 7"
		is "$(counts finished)" "$before"
		sql -d alter -c "$undo"
	done <<-'END'
		CREATE TRIGGER t BEFORE DELETE ON checkpoint_writes EXECUTE FUNCTION nothing()|DROP TRIGGER t ON checkpoint_writes
		ALTER TABLE checkpoint_blobs ENABLE ROW LEVEL SECURITY|ALTER TABLE checkpoint_blobs DISABLE ROW LEVEL SECURITY
		CREATE RULE r AS ON DELETE TO checkpoints DO INSTEAD NOTHING|DROP RULE r ON checkpoints
		CREATE TABLE kid (t text, n text, c text, FOREIGN KEY (t, n, c) REFERENCES checkpoints ON DELETE CASCADE)|DROP TABLE kid
		CREATE TABLE part () INHERITS (checkpoint_writes)|DROP TABLE part
		ALTER TABLE checkpoints ADD COLUMN tenant text|ALTER TABLE checkpoints DROP COLUMN tenant
		ALTER TABLE checkpoints ADD COLUMN g text GENERATED ALWAYS AS (thread_id) STORED|ALTER TABLE checkpoints DROP COLUMN g
		INSERT INTO checkpoint_migrations VALUES (99)|DELETE FROM checkpoint_migrations WHERE v = 99
		ALTER TABLE checkpoints RENAME TO c; CREATE VIEW checkpoints AS SELECT * FROM c|DROP VIEW checkpoints; ALTER TABLE c RENAME TO checkpoints
	END
	apart ckpt delete --thread finished --yes
	is "$status" 0
	apart ckpt -s "host=$PGHOST port=$PGPORT user=$PGUSER dbname=shallow" delete --thread x --yes
	is "$status" 7
	has "$stderr" "keeps no history"
}

@test "each verb needs its own privileges; one that is missing is named, and nothing is written" {
	local store="host=$PGHOST port=$PGPORT user=poor dbname=alter" table what verb before
	local all=(checkpoints checkpoint_writes checkpoint_blobs)
	local -A needs=([prune]=DELETE [enforce-size]=DELETE [delete]=DELETE [copy]=INSERT
		[fork]=INSERT [answer]='INSERT DELETE')
	local -A words=([prune]='prune --keep-last 1 --yes' [delete]='delete --thread finished --yes'
		[enforce-size]='enforce-size --max-size 120kB --min-age 0 --active-within 0 --yes'
		[copy]='copy forked another' [fork]='resume forked~1 --fork --yes'
		[answer]='resume ask-pending --answer 1 --yes')
	sql -d alter -c 'GRANT SELECT ON ALL TABLES IN SCHEMA public TO poor'
	before=$(rows '')
	for verb in answer fork copy enforce-size prune delete; do
		for what in ${needs[$verb]}; do
			sql -d alter -c "GRANT $what ON checkpoints, checkpoint_writes, checkpoint_blobs TO poor"
		done
		for table in "${all[@]}"; do
			for what in SELECT ${needs[$verb]}; do
				sql -d alter -c "REVOKE $what ON $table FROM poor"
				# shellcheck disable=SC2086  # words
				apart ckpt -s "$store" ${words[$verb]}
				is "$verb, no $what on $table: $status" "$verb, no $what on $table: 7"
				if [ "$what" != SELECT ]; then has "$stderr" "$what ON TABLE $table"; fi
				sql -d alter -c "GRANT $what ON $table TO poor"
			done
		done
		is "$(rows '')" "$before"
		# shellcheck disable=SC2086  # words
		apart ckpt -s "$store" ${words[$verb]}
		is "$verb: $status ${stderr##*ckpt:}" "$verb: 0 ${stderr##*ckpt:}"
		before=$(rows '')
		sql -d alter -c 'REVOKE INSERT, DELETE ON ALL TABLES IN SCHEMA public FROM poor'
	done
}

hold() { # a ckpt that has its lock and waits for a table
	psql -qXAt -d alter >holding 2>&1 3>&- <<-'END' &
		BEGIN;
		LOCK TABLE checkpoint_blobs IN ROW EXCLUSIVE MODE;
		SELECT 'here';
		SELECT pg_sleep(600);
	END
	holder=$!
	until grep -q here holding; do sleep 0.05; done
	"$CKPT" delete --thread finished --yes --lock-wait 90s >first 2>&1 3>&- &
	first=$!
	until [ "$(sql -d alter -c "SELECT count(*) FROM pg_locks WHERE NOT granted
		AND locktype = 'relation'")" = 1 ]; do sleep 0.05; done
}

release() {
	sql -d alter -c "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
		WHERE query LIKE '%pg_sleep(600)%' AND pid <> pg_backend_pid()" >/dev/null
	wait "$holder" || true
	holder=
}

@test "one ckpt at a time: of others not one, and they say who it is" {
	hold
	local i codes=()
	for i in $(seq 20); do
		"$CKPT" delete --thread forked --yes 2>"err.$i" 3>&- &
		codes[i]=$!
	done
	for i in $(seq 20); do
		status=0
		wait "${codes[i]}" || status=$?
		is "$status" 6
	done
	has "$(cat err.1)" "is being altered by another ckpt: ckpt delete, server process "
	# the same tables under another name of the store; other tables are another store
	apart ckpt -s "postgresql:///alter?host=$PGHOST&port=$PGPORT&user=$PGUSER" --schema public \
		delete --thread forked --yes
	is "$status" 6
	release
	wait "$first"
	ckpt delete --thread forked --yes
}

@test "the lock of a killed ckpt is free as soon as the server sees it" {
	hold
	kill -9 "$first"
	wait "$first" || true
	release
	for _ in $(seq 100); do
		apart ckpt delete --thread finished --yes
		if [ "$status" != 6 ]; then break; fi
		sleep 0.1
	done
	is "$status" 0
}

@test "a lock that was lost ends the run before the next transaction" {
	hold
	local before
	before=$(counts forked)
	sql -d alter -c "SELECT pg_terminate_backend(pid) FROM pg_locks
		WHERE locktype = 'advisory' AND objsubid = 2" >/dev/null
	release
	wait "$first"
	# this one was inside its transaction; of two threads the second is not begun
	is "$(counts finished)" "$(printf 'checkpoints\t0\nwrites\t0\nblobs\t0')"
	is "$(counts forked)" "$before"
}

@test "a database, role or connection set to read only is read, never altered" {
	local name=readonly_$RANDOM before
	createdb -T template0 "$name"
	gzip -dc "$FIXTURES/py-basic/store.sql.gz" | psql -qX -v ON_ERROR_STOP=1 -d "$name" >/dev/null
	psql -qX -d "$name" -c "ALTER DATABASE $name SET default_transaction_read_only = on"
	before=$(pg_dump -a "$name" | grep -v '^.\(un\)\?restrict' | sha256sum)
	for words in "prune --keep-last 1 --yes" "delete --thread types --yes" "copy types new" \
		"resume chat-1 --fork --yes" "enforce-size --max-size 1B --yes"; do
		# shellcheck disable=SC2086  # words
		apart ckpt $words -s "dbname=$name"
		same "$words" "$status" 7
		has "$stderr" "default_transaction_read_only"
	done
	for words in "-n" ""; do
		# shellcheck disable=SC2086  # words
		apart ckpt migrate $words "$FIXTURES/py-basic/store.db" "dbname=$name"
		same "migrate $words" "$status" 7
		has "$stderr" "default_transaction_read_only"
	done
	same rows "$(pg_dump -a "$name" | grep -v '^.\(un\)\?restrict' | sha256sum)" "$before"
	PGOPTIONS='-c default_transaction_read_only=off' apart ckpt delete --thread types --yes -s "dbname=$name"
	same "its hint" "$status" 0
}

@test "a standby is read, never altered" {
	local bin dir=$PGHOST/standby owner
	bin=$(dirname "$(readlink -f "$(command -v pg_ctl || echo /usr/lib/postgresql/*/bin/pg_ctl)")")
	owner=$(stat -c %U "$PGHOST/data")
	local as=()
	if [ "$(id -u)" = 0 ]; then
		as=(setpriv --reuid "$owner" --regid "$(id -g "$owner")" --clear-groups)
	fi
	cd /
	"${as[@]}" "$bin/pg_basebackup" -D "$dir" -R -X stream -c fast
	"${as[@]}" "$bin/pg_ctl" -D "$dir" -w -s -o "-p 5433 -k $PGHOST -c listen_addresses=" \
		-l "$PGHOST/standby.log" start 3>&-
	apart ckpt -s "host=$PGHOST port=5433 user=$PGUSER dbname=first" list --limit 1
	local listed=$status
	apart ckpt -s "host=$PGHOST port=5433 user=$PGUSER dbname=first" delete --thread finished --yes
	"${as[@]}" "$bin/pg_ctl" -D "$dir" -m immediate -s stop
	rm -rf "$dir"
	is "$listed $status" "0 7"
	has "$stderr" "is a standby"
}
