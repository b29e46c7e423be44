#!/usr/bin/env bash
# Run the fuzzers that were built into build/fuzz/fuzzer, two at a time, FUZZ_TIME seconds each.
#
#   tests/fuzz.sh NAME...
#
# They start from the committed corpus and keep what they find in build/fuzz/corpus/NAME. An input
# that breaks something is left as build/fuzz/found/NAME-…; once mended it belongs into
# tests/fuzz/corpus/NAME, which `make check` replays.
set -euo pipefail
cd "$(dirname "$0")/.."
time=${FUZZ_TIME:-60}
found=build/fuzz/found
rm -rf "$found"
mkdir -p "$found" build/fuzz/log
export ASAN_OPTIONS=detect_leaks=1 UBSAN_OPTIONS=print_stacktrace=1

fuzz() { # NAME
	local options=(-max_total_time="$time" -rss_limit_mb=2048 -timeout=10 -print_final_stats=1)
	local start=(build/fuzz/corpus/"$1")
	mkdir -p "${start[0]}"
	if [ -d "tests/fuzz/corpus/$1" ]; then start+=("tests/fuzz/corpus/$1"); fi
	if [ -e "tests/fuzz/$1.dict" ]; then options+=(-dict="tests/fuzz/$1.dict"); fi
	if build/fuzz/fuzzer/"$1" "${options[@]}" -artifact_prefix="$found/$1-" "${start[@]}" \
		</dev/null >"build/fuzz/log/$1.log" 2>&1; then
		awk -v name="$1" '/number_of_executed_units/ { runs = $2 } / cov: / { cov = $4 }
			END { printf "%-12s %10d inputs, %s edges reached\n", name, runs, cov }' \
			"build/fuzz/log/$1.log"
	else
		tail -n 40 "build/fuzz/log/$1.log"
		echo "$1: broken by $(ls "$found/$1"-* 2>/dev/null || echo 'its start')"
		touch "$found/failed"
	fi
}

for name in "$@"; do
	while [ "$(jobs -rp | wc -l)" -ge 2 ]; do wait -n; done
	fuzz "$name" &
done
wait
[ ! -e "$found/failed" ]
