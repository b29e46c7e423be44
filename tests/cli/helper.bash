# What every cli test uses: `load helper`. The runner exports CKPT, FIXTURES and CKPT_JSON_DIR.
top=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
: "${CKPT:=$top/build/ckpt}" "${FIXTURES:=$top/build/fixtures}"
[ -n "${CKPT_JSON_DIR:-}" ] || CKPT_JSON_DIR=
export LC_ALL=C.UTF-8 TZ=UTC TERM=xterm

# A test's own folder, and nothing of the caller's environment that ckpt looks at.
alone() {
	unset CKPT_STORE CKPT_PAGER PAGER NO_COLOR CKPT_FORCE_TTY LANGGRAPH_AES_KEY COLUMNS
	mkdir -p "$BATS_TEST_TMPDIR"
	cd "$BATS_TEST_TMPDIR" || return
}

setup() { alone; }

# The program under test. Answers in JSON are also kept, for the check against the schemas.
ckpt() {
	local word keep= out
	for word in "$@"; do
		case $word in
		--) break ;;
		--json) keep=json ;;
		--ndjson) keep=ndjson ;;
		esac
	done
	if [ -z "$keep" ] || [ -z "$CKPT_JSON_DIR" ]; then
		"$CKPT" "$@"
		return
	fi
	mkdir -p "$CKPT_JSON_DIR"
	out=$(mktemp "$CKPT_JSON_DIR/XXXXXXXX.$keep") || return
	local rc=0
	"$CKPT" "$@" >"$out" || rc=$?
	cat "$out"
	[ -s "$out" ] || rm -f "$out"
	return "$rc"
}

# Sets the words $still: the program, to which it is always the first of November 2026. So neither
# today's date counts nor, where little time is given, how busy the machine is.
standstill() {
	local so=$BATS_FILE_TMPDIR/clock.so
	[ -e "$so" ] || cc -D_GNU_SOURCE -O1 -shared -fPIC -o "$so" "$top/tests/pg/clock.c" -ldl
	still=(env "LD_PRELOAD=$so" CLOCK_AT=1793491200
		"ASAN_OPTIONS=${ASAN_OPTIONS:-}:verify_asan_link_order=0" "$CKPT")
}

# A copy of a fixture's store, so that tests cannot disturb each other: sets $store.
use() {
	cp "$FIXTURES/$1/store.db" "$BATS_TEST_TMPDIR/$1.db"
	store=$BATS_TEST_TMPDIR/$1.db
}

# Run with stdout and stderr kept apart: sets $status, $stdout, $stderr.
apart() {
	status=0
	stdout=$("$@" 2>"$BATS_TEST_TMPDIR/stderr") || status=$?
	stderr=$(cat "$BATS_TEST_TMPDIR/stderr")
}

# A short statement that prints what it saw when it is wrong.
is() { # GOT WANT
	[ "$1" = "$2" ] || {
		printf 'got:  %s\nwant: %s\n' "$1" "$2"
		return 1
	}
}

has() { # TEXT PART
	[[ $1 == *"$2"* ]] || {
		printf 'text: %s\nhas not: %s\n' "$1" "$2"
		return 1
	}
}

lacks() { # TEXT PART
	[[ $1 != *"$2"* ]] || {
		printf 'text: %s\nhas: %s\n' "$1" "$2"
		return 1
	}
}
