#!/usr/bin/env bats
# Commands that alter, through PgBouncer in transaction mode: their transactions and the lock of a
# run are all that they keep on the server, no session. migrate: migrate.py. Runs inside
# with-server.sh.

# shellcheck disable=SC2030,SC2031,SC2034,SC2154  # each test is a subshell of bats
load ../cli/helper
load ../cli/stores

sql() { psql -qXAt -v ON_ERROR_STOP=1 -d "$name" "$@"; }

setup_file() {
	local bouncer as=() owner
	bouncer=$(PATH=$PATH:/usr/sbin command -v pgbouncer) || return 0
	cat >"$PGHOST/pooled.ini" <<-INI
		[databases]
		* = host=$PGHOST port=$PGPORT user=$PGUSER
		[pgbouncer]
		unix_socket_dir = $PGHOST
		listen_port = 6437
		auth_type = any
		pool_mode = transaction
		default_pool_size = 4
		query_wait_timeout = 20
	INI
	if [ "$(id -u)" = 0 ]; then
		owner=$(stat -c %U "$PGHOST/data")
		as=(setpriv --reuid "$owner" --regid "$(id -g "$owner")" --clear-groups)
	fi
	"${as[@]}" "$bouncer" "$PGHOST/pooled.ini" >"$PGHOST/pooled.log" 2>&1 3>&- </dev/null &
	echo $! >"$BATS_FILE_TMPDIR/pooler"
	until [ -S "$PGHOST/.s.PGSQL.6437" ]; do
		kill -0 $!
		sleep 0.05
	done
}

teardown_file() {
	if [ -e "$BATS_FILE_TMPDIR/pooler" ]; then kill "$(cat "$BATS_FILE_TMPDIR/pooler")"; fi
}

setup() {
	[ -e "$BATS_FILE_TMPDIR/pooler" ] || skip "pgbouncer is not installed"
	alone || return
	name=pooled_$RANDOM$RANDOM
	createdb -T template0 "$name"
	gzip -dc "$FIXTURES/py-hitl/store.sql.gz" | sql >/dev/null
	export CKPT_STORE="host=$PGHOST port=6437 user=$PGUSER dbname=$name"
}

teardown() {
	if [ "${name:-}" ]; then
		exec 7>&-
		wait
		dropdb --force "$name"
	fi
}

# Another session has the tables locked until it is told otherwise through descriptor 7.
lock_tables() {
	mkfifo hold
	psql -qXAt -d "$name" <hold >/dev/null 2>&1 3>&- &
	exec 7>hold
	echo 'BEGIN; LOCK TABLE checkpoint_blobs, checkpoints, checkpoint_writes IN SHARE MODE;' >&7
	until [ "$(sql -c "SELECT count(*) FROM pg_locks WHERE mode = 'ShareLock' AND granted
		AND locktype = 'relation'")" = 3 ]; do sleep 0.05; done
}

@test "prune, enforce-size, delete, copy: what they said is done, sessions are as they were" {
	local words
	for words in 'copy forked another' 'resume forked~1 --fork --yes' 'prune --keep-last 2 --yes' \
		'enforce-size --max-size 60kB --min-age 0 --active-within 0 --yes' \
		'prune --delete-threads --thread another --yes' 'delete --thread finished --yes' \
		'prune --orphans --keep-last 1 --vacuum --yes'; do
		# shellcheck disable=SC2086  # words
		apart ckpt $words --json
		is "$words: $status $stderr" "$words: 0 $stderr"
	done
	is "$(sql -c "SELECT count(*) FROM checkpoints WHERE thread_id IN ('another', 'finished')")" 0
	apart ckpt prune --orphans --keep-last 1 -n --json
	is "$(jq .summary.checkpoints <<<"$stdout")" 0
	apart ckpt check
	is "$status" 0
	# the server's sessions, which the pooler keeps, hold nothing of it
	is "$(sql -c "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'")" 0
	is "$(psql -qXAt "$CKPT_STORE" -c 'SHOW lock_timeout' -c 'SHOW enable_seqscan' -c 'SHOW row_security' |
		paste -sd ' ')" "0 on on"
	is "$(psql -qXAt "$CKPT_STORE" -c 'SELECT count(*) FROM pg_cursors' \
		-c 'SELECT count(*) FROM pg_prepared_statements' | paste -sd ' ')" "0 0"
}

@test "the lock of a run holds for others, through the pooler or not, and ends with it" {
	local first store
	lock_tables
	"$CKPT" prune --keep-last 1 --yes --lock-wait 90s >/dev/null 2>&1 3>&- 7>&- &
	first=$!
	until [ "$(sql -c "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND granted")" = 1 ]; do
		kill -0 $first
		sleep 0.05
	done
	for store in "$CKPT_STORE" "dbname=$name"; do
		apart ckpt -s "$store" delete --thread finished --yes --lock-wait 0
		is "$store: $status" "$store: 6"
		has "$stderr" "is being altered by another ckpt: ckpt prune, server process "
	done
	kill -9 $first
	wait $first || true
	echo 'ROLLBACK;' >&7
	until [ "$(sql -c "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'")" = 0 ]; do sleep 0.05; done
	ckpt prune --keep-last 1 --yes
}

@test "a signal: the statement is cancelled through the pooler" {
	local first
	lock_tables
	"$CKPT" prune --keep-last 1 --yes --lock-wait 90s --json >/dev/null 2>err 3>&- 7>&- &
	first=$!
	until [ "$(sql -c "SELECT count(*) FROM pg_locks WHERE NOT granted AND locktype = 'relation'")" = 1 ]; do
		kill -0 $first
		sleep 0.05
	done
	kill -TERM $first
	status=0
	wait $first || status=$?
	is "$status" 143
	has "$(cat err)" '"code":"interrupted"'
	is "$(sql -c "SELECT count(*) FROM pg_locks WHERE NOT granted")" 0
	echo 'ROLLBACK;' >&7
	ckpt prune --keep-last 1 --yes
}
