# stores.bash - for tests on real stores: copies of fixtures, answers as JSON, hostile bytes,
# listings of a folder. Not the frame itself (helper.bash).
# shellcheck shell=bash disable=SC2154  # status, stdout, stderr: set by helper's apart

# store NAME: a copy of a fixture's store (and its -wal); prints the copy's path.
store() {
	local to=$BATS_TEST_TMPDIR/${1//\//-}
	mkdir -p "$to"
	cp "$FIXTURES/$1/store.db" "$to/"
	if [ -s "$FIXTURES/$1/store.db-wal" ]; then cp "$FIXTURES/$1/store.db-wal" "$to/"; fi
	chmod u+w "$to"/*
	printf '%s' "$to/store.db"
}

# json EXPRESSION: evaluate Python with d = the document in $stdout (lines: a list).
json() {
	python3 -c '
import json, sys
text = sys.stdin.read()
try:
    d = json.loads(text)
except ValueError:
    d = [json.loads(x) for x in text.splitlines()]
r = eval(sys.argv[1])
print(r if isinstance(r, str) else json.dumps(r))' "$1" <<<"$stdout"
}

# data EXPRESSION WANTED: compare, and show both when they differ.
data() {
	local got
	got=$(json "$1")
	if [ "$got" != "$2" ]; then
		printf '%s\n got: %s\nwant: %s\n' "$1" "$got" "$2" >&2
		return 1
	fi
}

# same WHAT GOT WANTED
same() {
	if [ "$2" != "$3" ]; then
		printf '%s\n got: %q\nwant: %q\n' "$1" "$2" "$3" >&2
		return 1
	fi
}

# fails CODE [TEXT…]: the exit code of the last run, nothing on stdout, each TEXT on stderr.
fails() {
	local code=$1 text
	shift
	same "exit code ($stderr)" "$status" "$code" || return 1
	same stdout "$stdout" "" || return 1
	for text in "$@"; do
		if [[ $stderr != *"$text"* ]]; then
			printf 'stderr lacks %q: %q\n' "$text" "$stderr" >&2
			return 1
		fi
	done
}

# works: exit 0 and a silent stderr.
works() {
	same "exit code ($stderr)" "$status" 0 && same stderr "$stderr" ""
}

# error_is CODE EXIT: the last line of stderr is the JSON of the failure.
error_is() {
	local line=${stderr##*$'\n'}
	stdout=$line data 'd["code"], d["exit"]' "[\"$1\", $2]"
}

# harmless FILE…: no control byte but newline and tab, no escape, no bidi mark.
harmless() {
	python3 - "$@" <<'EOF'
import re, sys
bad = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
for name in sys.argv[1:]:
    text = open(name, "rb").read().decode("utf-8")
    m = bad.search(text)
    if m:
        sys.exit("%s: %r at %d: %r" % (name, m[0], m.start(), text[max(0, m.start() - 40):m.end() + 20]))
EOF
}

# listing FOLDER: names, inodes, owners, modes, sizes, times of what is in it.
listing() {
	find "$1" -mindepth 1 -printf '%f %i %U:%G %m %s %T@\n' | LC_ALL=C sort
	find "$1" -maxdepth 0 -printf '%i %U:%G %m %T@\n'
}

show() {
	apart ckpt show -s "$db" "$@"
}
