#!/usr/bin/env bash
# TAP: the PostgreSQL driver directly and through PgBouncer, which hands one session to all. Runs
# inside with-server.sh, and stops its server in the end. Built like the library it is linked to.
set -euo pipefail
cd "$(dirname "$0")/../.."
build=${BUILD:-build}

mkdir -p "$build/pg"
read -ra compile <"$build/flags"
"${compile[@]}" -Ilib -Itests/unit -o "$build/pg/test_driver" tests/pg/test_driver.c \
	"$build/libckpt.a" -lsqlite3 -lnettle

# Roles come and go without a password, but for the one whose password is tested.
hba=$PGHOST/data/pg_hba.conf
printf 'local all locked scram-sha-256\n%s\n' "$(cat "$hba")" >"$hba.new"
cat "$hba.new" >"$hba"
psql -qXAt -c 'SELECT pg_reload_conf()' >/dev/null

pooler=
stop() {
	if [ "$pooler" ] && kill "$pooler" 2>/dev/null; then wait "$pooler" || true; fi
}
trap stop EXIT
export POOL=
if bouncer=$(command -v pgbouncer || command -v /usr/sbin/pgbouncer); then
	cat >"$PGHOST/pool.ini" <<INI
[databases]
* = host=$PGHOST port=$PGPORT user=$PGUSER
[pgbouncer]
unix_socket_dir = $PGHOST
listen_port = 6432
auth_type = any
pool_mode = transaction
default_pool_size = 1
query_wait_timeout = 5
INI
	as_user=()
	if [ "$(id -u)" = 0 ]; then
		owner=$(stat -c %U "$PGHOST/data")
		as_user=(setpriv --reuid "$owner" --regid "$(id -g "$owner")" --clear-groups)
	fi
	"${as_user[@]}" "$bouncer" "$PGHOST/pool.ini" >"$PGHOST/pool.log" 2>&1 </dev/null &
	pooler=$!
	for ((i = 0; i < 100; i++)); do
		[ ! -S "$PGHOST/.s.PGSQL.6432" ] || break
		sleep 0.1
	done
	POOL="host=$PGHOST port=6432"
fi

status=0
"$build/pg/test_driver" || status=$?
(exit "$status")
