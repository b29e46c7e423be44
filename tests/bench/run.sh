#!/usr/bin/env bash
# Speed and memory of list and show against sqlite3, the real saver and hard limits: one table,
# on stdout and in build/bench/result.txt. Fails if a row misses what is wanted.
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
"$python" tests/bench/stores.py "$stores" "$scale"

status=0
CKPT=${CKPT:-build/ckpt} TIMED=build/bench/timed WALK="$python tests/bench/walk.py" RUNS=$runs \
	python3 tests/bench/measure.py "$stores" "$scale" >build/bench/result.part || status=$?
mv build/bench/result.part build/bench/result.txt
cat build/bench/result.txt
exit "$status"
