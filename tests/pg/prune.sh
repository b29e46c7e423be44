#!/usr/bin/env bash
# TAP: deleting beside live writers, killed, cut off, without privileges. Runs inside with-server.sh.
#
#   tests/pg/prune.sh [SECONDS]     of writing beside it (8)
#   PRUNE=prune_again               another program of tests in this folder
set -euo pipefail
cd "$(dirname "$0")/../.."
build=${BUILD:-build}
program=${PRUNE:-prune}
python=/usr/bin/python3
[ -x "$python" ] || python=python3

mkdir -p "$build/pg"
for variant in "$build" build/failpoints; do
	read -ra compile <"$variant/flags"
	"${compile[@]}" -Ilib -o "$build/pg/$program.${variant##*/}" tests/pg/drop_keys.c \
		"$variant/libckpt.a" -lsqlite3 -lnettle
done
export DROP=$build/pg/$program.${build##*/} DROP_FAIL=$build/pg/$program.failpoints
exec "$python" "tests/pg/$program.py" "$@"
