#!/usr/bin/env bash
# Run the test suites and say how they went. Everything they need has been built before.
#
#   tests/run.sh [SUITE...]
#
# Suites: unit store fuzz hostile docs cli oracle schema faults interop pg, which is all; and
# valgrind.
#
#   BUILD=DIR      whose programs are tested (build); logs go to DIR/log, saved JSON to DIR/json
#   INTEROP=0      leave out the tests with the real LangGraph; they count as skipped
#   JOBS=N         programs at a time (2)
#
# Every test program prints TAP. One that crashes, prints no plan or runs fewer tests than it
# planned counts as a failure more. The last line is always `N passed, N failed[, N skipped]`.
set -euo pipefail
cd "$(dirname "$0")/.."
export LC_ALL=C.UTF-8 TZ=UTC
BUILD=${BUILD:-build}
top=$PWD
limit=${TEST_LIMIT:-1200}
jobs_at_once=${JOBS:-2}

# What a person has set for daily use must not change what is tested.
for name in ${!CKPT_@} ${!PG@} LANGGRAPH_AES_KEY DATABASE_URL PAGER NO_COLOR; do unset "$name"; done
export CKPT=$top/$BUILD/ckpt FIXTURES=$top/build/fixtures CKPT_JSON_DIR=$top/$BUILD/json
# A set is gone through in the same order each time.
export PYTHONDONTWRITEBYTECODE=1 PYTHONHASHSEED=0
export ASAN_OPTIONS=exitcode=99:detect_leaks=1 UBSAN_OPTIONS=print_stacktrace=1:exitcode=99

python=/usr/bin/python3         # the one the distribution's modules belong to
[ -x "$python" ] || python=python3

names=() commands=()
total_passed=0 total_failed=0 total_skipped=0

job() { # NAME COMMAND...: its log is called so, and nobody else's
	if [[ " ${names[*]} " == *" $1 "* ]]; then
		echo "two programs of a suite are called '$1'" >&2
		exit 2
	fi
	names+=("$1")
	shift
	commands+=("$(printf '%q ' "$@")")
}

# ---- the suites: each names its programs ------------------------------------------------------
programs() { # FOLDER
	local file
	for file in tests/"$1"/test_*.c; do
		[ ! -e "$file" ] || job "$(basename "$file" .c)" "$BUILD/$1/$(basename "$file" .c)"
	done
}
suite_unit() { programs unit; }
suite_store() { programs store; }
suite_fuzz() { # the committed corpus, once through each target
	local file name
	for file in tests/fuzz/fuzz_*.c; do
		name=$(basename "$file" .c)
		name=${name#fuzz_}
		[ ! -e "$file" ] || job "$name" "$BUILD/replay/$name" "tests/fuzz/corpus/$name"
	done
}
suite_hostile() { # thousands of broken payloads and files: faults under ASan, memory without it
	local seed=${HOSTILE_SEED:-20261121}
	job payloads build/asan/hostile payloads "$seed"
	job files build/asan/hostile files "$seed"
	job memory "$BUILD/hostile" payloads "$seed"
	job file-memory "$BUILD/hostile" files "$seed"
	job commands "$python" tests/hostile/commands.py "$seed"
}
suite_docs() {
	[ ! -e tests/docs.sh ] || job docs tests/docs.sh check
}
suite_cli() {
	local file
	rm -rf "$CKPT_JSON_DIR"
	mkdir -p "$CKPT_JSON_DIR"
	for file in tests/cli/*.bats; do
		[ ! -e "$file" ] || job "$(basename "$file" .bats)" bats --tap "$file"
	done
}
suite_oracle() { # what the owning libraries read from the same stores
	[ ! -e tests/oracle/compare.py ] || job oracle "$python" tests/oracle/compare.py
	[ ! -e tests/oracle/fold.py ] || job fold "$python" tests/oracle/fold.py
	[ ! -e tests/oracle/compare_dump.py ] ||
		job dump "$python" tests/oracle/compare_dump.py
	[ ! -e tests/oracle/patches.py ] || job patches "$python" tests/oracle/patches.py
}
suite_schema() { # every answer that the cli tests saved
	[ ! -e tests/schema/validate.py ] ||
		job schema "$python" tests/schema/validate.py "$CKPT_JSON_DIR"
}
suite_faults() { # what ends or fails while a store is altered
	local file
	for file in kill full memory power; do
		job "$file" "$python" "tests/faults/$file.py"
	done
}
suite_interop() { # those that write to PostgreSQL too, each with a server of its own
	local file server
	for file in tests/interop/test_*.py; do
		server=()
		case $file in
		*_pg.py | *_js.py) server=(tests/pg/with-server.sh) ;;
		esac
		[ ! -e "$file" ] ||
			job "$(basename "$file" .py)" "${server[@]}" "$top/build/venv/bin/python" "$file"
	done
}
suite_pg() { # each with a server of its own
	local file
	for file in tests/pg/*.sh tests/pg/*.bats; do
		case $file in
		*/with-server.sh | *'*'*) ;;
		*.sh) job "${file##*/}" tests/pg/with-server.sh "$file" ;;
		*.bats) job "${file##*/}" tests/pg/with-server.sh bats --tap "$file" ;;
		esac
	done
}
suite_valgrind() { job valgrind tests/valgrind.sh; }

# ---- running -----------------------------------------------------------------------------------
run_one() { # LOG COMMAND
	local rc=0
	timeout -k 10 "$limit" bash -c "exec $2" >"$1.log" 2>"$1.err" </dev/null &
	trap 'kill $! 2>/dev/null' TERM
	wait $! || rc=$?
	echo "$rc" >"$1.rc"
}

stop() {
	trap - INT TERM
	local pid
	for pid in $(jobs -p); do kill "$pid" 2>/dev/null || true; done
	wait
	exit 130
}
trap stop INT TERM

# Failing lines with what the program said about them; for other problems its last words.
show_failures() { # NAME LOG PROBLEM
	awk -v name="$1" '
		/^not ok/ { print "  " name ": " $0; left = 15; next }
		/^(ok|1\.\.)/ { left = 0 }
		left-- > 0 { print "    " $0 }' "$2.log" | cut -c 1-400 | awk -v file="$2.log" '
		NR <= 60 { print }
		END { if (NR > 60) print "  … " NR - 60 " more lines in " file }'
	if [ "$3" ]; then
		echo "  $1: $3"
		tail -n 5 "$2.log" | sed 's/^/    /'
	fi
	if [ -s "$2.err" ]; then tail -n 25 "$2.err" | sed 's/^/    /'; fi
}

line() { # SUITE PASSED FAILED SKIPPED SECONDS
	printf '%-9s %5d passed %4d failed %4d skipped %7.1f s\n' "$@"
}

skip_whole() { # SUITE COUNT WHY
	line "$1" 0 0 "$2" 0
	echo "  $3"
	total_skipped=$((total_skipped + $2))
}

run_suite() { # SUITE
	local i log rc result p f s problem passed=0 failed=0 skipped=0 start=$EPOCHREALTIME bad=
	mkdir -p "$BUILD/log/$1"
	for i in "${!names[@]}"; do
		while [ "$(jobs -rp | wc -l)" -ge "$jobs_at_once" ]; do wait -n || true; done
		run_one "$BUILD/log/$1/${names[i]}" "${commands[i]}" &
	done
	wait
	for i in "${!names[@]}"; do
		log=$BUILD/log/$1/${names[i]}
		rc=$(cat "$log.rc" 2>/dev/null || echo 1)
		if [ "$rc" = 77 ] && ! grep -q '^\(not \)\?ok' "$log.log"; then
			result="0 0 1 "
		else
			result=$(awk -v rc="$rc" -f tests/tap.awk "$log.log")
		fi
		read -r p f s problem <<<"$result"
		passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
		if [ "$f" != 0 ]; then bad+=" $i"; fi
	done
	cat "$BUILD/log/$1"/*.log >"$BUILD/log/$1.log"
	line "$1" "$passed" "$failed" "$skipped" \
		"$(awk -v a="$start" -v b="$EPOCHREALTIME" 'BEGIN { print b - a }')"
	for i in $bad; do
		log=$BUILD/log/$1/${names[i]}
		read -r p f s problem <<<"$(awk -v rc="$(cat "$log.rc")" -f tests/tap.awk "$log.log")"
		show_failures "${names[i]}" "$log" "$problem"
	done
	if [ "$skipped" != 0 ]; then
		sed -n 's/^ok .*# *[Ss][Kk][Ii][Pp][a-z]* */  skipped: /p;
			s/^1\.\.0.*# *[Ss][Kk][Ii][Pp][a-z]* */  skipped: /p;
			s/^skip: /  skipped: /p' "$BUILD/log/$1"/*.log "$BUILD/log/$1"/*.err | sort | uniq -c |
			sed 's/^ *1  /  /'
	fi
	total_passed=$((total_passed + passed))
	total_failed=$((total_failed + failed))
	total_skipped=$((total_skipped + skipped))
}

all=(unit store fuzz hostile docs cli oracle schema faults interop pg)
suites=("$@")
if [ ${#suites[@]} = 0 ]; then suites=("${all[@]}"); fi
for suite in "${suites[@]}"; do
	if ! declare -F "suite_$suite" >/dev/null; then
		echo "no suite '$suite'; there are: ${all[*]} valgrind" >&2
		exit 2
	fi
done
rm -f "$BUILD/log/summary"
for suite in "${suites[@]}"; do
	names=() commands=()
	rm -rf "$BUILD/log/$suite" "$BUILD/log/$suite.log"
	"suite_$suite"
	if [ ${#names[@]} = 0 ]; then continue; fi
	if [ "$suite" = interop ]; then
		if [ "${INTEROP:-1}" = 0 ]; then
			skip_whole interop ${#names[@]} "not run: INTEROP=0 leaves the tests with LangGraph out"
			continue
		fi
		export JS_MODULES=$top/build/js/node_modules NODE=$top/build/js/node
		if ! tests/interop/setup.sh; then
			line interop 0 ${#names[@]} 0 0
			total_failed=$((total_failed + ${#names[@]}))
			continue
		fi
	fi
	run_suite "$suite"
done
summary="$total_passed passed, $total_failed failed"
if [ "$total_skipped" != 0 ]; then summary+=", $total_skipped skipped"; fi
if [ $((total_passed + total_failed + total_skipped)) = 0 ]; then
	echo "no test was found" >&2
	total_failed=1
fi
mkdir -p "$BUILD/log"
echo "$summary" | tee "$BUILD/log/summary"
[ "$total_failed" = 0 ]
