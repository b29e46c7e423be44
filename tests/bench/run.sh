#!/usr/bin/env bash
# Speed and memory of ckpt's commands against sqlite3, psql, the real savers and hard limits: one
# table, on stdout and in build/bench/result.txt. Fails if a row misses what is wanted. PostgreSQL's
# rows come from a server of our own, whose stores are made each time (half a minute).
#
#   BENCH_SCALE=0.05     smaller stores for a quick try (default 1: 1.7 GB, made once)
#   RUNS=15              runs of each command
#   PYTHON=…             a Python with LangGraph; default build/venv, made when it is missing
#   CKPT=build/ckpt
set -euo pipefail
cd "$(dirname "$0")/../.."

scale=${BENCH_SCALE:-1}
runs=${RUNS:-15}
python=${PYTHON:-build/venv/bin/python}
stores=build/bench/stores-$scale

if [ ! -x "$python" ]; then
	tests/interop/setup.sh
fi
mkdir -p build/bench
"${CC:-cc}" -std=c11 -D_GNU_SOURCE -O2 -o build/bench/timed tests/bench/timed.c
"${CC:-cc}" -std=c11 -O2 -o build/bench/toplevel tests/bench/toplevel.c -lsqlite3
"${CC:-cc}" -std=c11 -O2 -o build/bench/walk tests/bench/walk.c -lsqlite3
"$python" tests/bench/stores.py "$stores" "$scale"
"$python" tests/bench/stores_diff.py "$stores" "$scale"

# Nothing of a server's own accord while it is measured; the cache of a machine that is in use.
export SERVER_SETTINGS='shared_buffers=512MB max_wal_size=8GB autovacuum=off'
export CKPT=${CKPT:-build/ckpt} TIMED=build/bench/timed RUNS=$runs
export TOPLEVEL=build/bench/toplevel
export WALK="$python tests/bench/walk.py" WALK_PG="$python tests/bench/walk_pg.py"
export DIFF_PEER="$python tests/bench/diff_peer.py"
export CHECK_WALK=build/bench/walk CHECK_PEER="$python tests/bench/check_peer.py"
export PUT_PEER="$python tests/bench/put_peer.py" INSERT_PEER="$python tests/bench/insert_peer.py"
export STORES_PG="$python tests/bench/stores_pg.py"
export PRUNE_PEER_PG="$python tests/bench/prune_peer_pg.py"
status=0
tests/pg/with-server.sh python3 tests/bench/measure.py "$stores" "$scale" \
	>build/bench/result.part || status=$?
mv build/bench/result.part build/bench/result.txt
cat build/bench/result.txt
exit "$status"
