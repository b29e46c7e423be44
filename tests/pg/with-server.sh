#!/usr/bin/env bash
# Run a command with a private PostgreSQL, which lives and dies with it.
#
#   tests/pg/with-server.sh COMMAND [ARG...]
#
# The server listens on a Unix socket in a temporary folder only, runs as an unprivileged user,
# and sorts text by the rules of a language, so that whoever needs byte order has to ask for it.
# PGHOST, PGPORT, PGUSER and PGDATABASE lead to it; the user may do everything. No other server
# is looked at. SERVER_SETTINGS are more settings of it: name=value words. Exit 77 if this is root
# and there is no other user to run it.
set -euo pipefail

bin=
for candidate in /usr/lib/postgresql/15/bin /usr/lib/postgresql/*/bin; do
	if [ -x "$candidate/initdb" ]; then
		bin=$candidate
		break
	fi
done
if [ -z "$bin" ]; then
	if ! command -v initdb >/dev/null 2>&1; then
		echo "with-server: PostgreSQL's initdb is not installed" >&2
		exit 1
	fi
	bin=$(dirname "$(readlink -f "$(command -v initdb)")")
fi

# The server refuses to run as root. setpriv replaces itself by the program, so that the process
# started here is the server, and asks the kernel to stop the server should this script die.
as_user=()
owner=$(id -un)
if [ "$(id -u)" = 0 ]; then
	owner=
	for candidate in postgres nobody; do
		if id "$candidate" >/dev/null 2>&1 && setpriv --reuid "$candidate" \
			--regid "$(id -g "$candidate")" --clear-groups true 2>/dev/null; then
			owner=$candidate
			break
		fi
	done
	if [ -z "$owner" ]; then
		echo "skip: no unprivileged user to run PostgreSQL" >&2
		exit 77
	fi
	as_user=(setpriv --reuid "$owner" --regid "$(id -g "$owner")" --clear-groups)
fi
if setpriv --pdeathsig INT true 2>/dev/null; then
	if [ ${#as_user[@]} = 0 ]; then as_user=(setpriv); fi
	server_user=("${as_user[@]}" --pdeathsig INT)
else
	server_user=("${as_user[@]}")
fi

for name in ${!PG@}; do unset "$name"; done
dir=$(mktemp -d /tmp/ckpt-pg.XXXXXX)    # short: a socket's path has about 100 bytes
server='' command=''
finish() {
	kill "$command" || true
	kill -INT "$server" || true
	wait || true
	rm -rf "$dir"
}
trap 'finish 2>/dev/null' EXIT
trap 'exit 143' INT TERM HUP
if [ "$(id -u)" = 0 ]; then chown "$owner" "$dir"; fi

fail() {
	tail -n 20 "$dir/$1" >&2
	echo "with-server: $2" >&2
	exit 1
}

make_cluster() {
	"${as_user[@]}" "$bin/initdb" -D "$dir/data" -U ckpt -A trust -E UTF8 --no-sync "$@" \
		>"$dir/initdb.log" 2>&1 || {
		"${as_user[@]}" rm -rf "$dir/data"
		return 1
	}
}
cd "$dir"
make_cluster --locale=C.UTF-8 --locale-provider=icu --icu-locale=en-US ||
	make_cluster --locale=C.UTF-8 || make_cluster --locale=C ||
	fail initdb.log "initdb failed"

# What is vacuumed, and when, is a test's own: on a slow machine it would also be in the middle.
settings=(-c autovacuum=off)
for word in ${SERVER_SETTINGS:-}; do settings+=(-c "$word"); done
"${server_user[@]}" "$bin/postgres" -D "$dir/data" -c listen_addresses='' \
	-c unix_socket_directories="$dir" -c port=5432 -c fsync=off -c synchronous_commit=off \
	-c full_page_writes=off -c jit=off "${settings[@]}" >"$dir/server.log" 2>&1 </dev/null &
server=$!
export PGHOST=$dir PGPORT=5432 PGUSER=ckpt PGDATABASE=postgres
for ((i = 0; ; i++)); do
	if "$bin/pg_isready" -q; then break; fi
	kill -0 "$server" 2>/dev/null || fail server.log "the server did not start"
	if [ "$i" -ge 600 ]; then fail server.log "the server is not ready after a minute"; fi
	sleep 0.1
done
cd "$OLDPWD"

export PATH=$bin:$PATH
status=0
"$@" &
command=$!
wait "$command" || status=$?
(exit "$status")
