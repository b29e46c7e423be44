#!/usr/bin/env bash
# TAP: the suite of checks and the faults of tests/store on a real server, and through PgBouncer.
# Runs inside with-server.sh; the programs are built like the library they are linked to.
set -euo pipefail
cd "$(dirname "$0")/../.."
build=${BUILD:-build}

mkdir -p "$build/pg"
read -ra compile <"$build/flags"
mapfile -t helpers < <(find tests/store tests/unit -name '*.c' ! -name 'test_*')
for program in test_conformance test_faults; do
	"${compile[@]}" -Ilib -Itests/unit -o "$build/pg/$program" "tests/store/$program.c" \
		"${helpers[@]}" "$build/libckpt.a" -lsqlite3 -lnettle
done

pooler=
stop() {
	if [ "$pooler" ] && kill "$pooler" 2>/dev/null; then wait "$pooler" || true; fi
}
trap stop EXIT
if bouncer=$(command -v pgbouncer || command -v /usr/sbin/pgbouncer); then
	cat >"$PGHOST/conformance.ini" <<INI
[databases]
* = host=$PGHOST port=$PGPORT
[pgbouncer]
unix_socket_dir = $PGHOST
listen_port = 6433
auth_type = trust
auth_file = $PGHOST/conformance.users
pool_mode = transaction
default_pool_size = 1
query_wait_timeout = 5
INI
	echo '"ckpt_reader" ""' >"$PGHOST/conformance.users"
	as_user=()
	if [ "$(id -u)" = 0 ]; then
		owner=$(stat -c %U "$PGHOST/data")
		as_user=(setpriv --reuid "$owner" --regid "$(id -g "$owner")" --clear-groups)
	fi
	"${as_user[@]}" "$bouncer" "$PGHOST/conformance.ini" >"$PGHOST/conformance.log" 2>&1 </dev/null &
	pooler=$!
	for ((i = 0; i < 100; i++)); do
		[ ! -S "$PGHOST/.s.PGSQL.6433" ] || break
		sleep 0.1
	done
	export PGBOUNCER_HOST=$PGHOST PGBOUNCER_PORT=6433
fi

# One plan for both programs.
status=0
total=0
for program in test_conformance test_faults; do
	"$build/pg/$program" >"$PGHOST/tap" || status=$?
	awk -v n="$total" '
		/^1\.\.[0-9]+$/ { next }
		/^(not )?ok [0-9]+/ { sub(/ok [0-9]+/, "ok " ++n) }
		{ print }' "$PGHOST/tap"
	plan=$(sed -n 's/^1\.\.//p' "$PGHOST/tap")
	total=$((total + ${plan:-1}))
done
if ! [ "$pooler" ]; then
	total=$((total + 1))
	echo "ok $total - through a pooler # SKIP pgbouncer is not installed"
fi
echo "1..$total"
(exit "$status")
