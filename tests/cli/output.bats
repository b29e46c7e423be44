#!/usr/bin/env bats
# Four forms of one answer, and what happens when stdout is lost.

load helper

setup() {
	alone || return
	use py-basic
	export CKPT_STORE=$store
}

@test "a pipe gets porcelain: tabs, ISO times, no heading" {
	apart ckpt list --sort thread
	is "$status" 0
	is "$stderr" ""
	is "$(head -n 1 <<<"$stdout" | awk -F '\t' '{ print NF, $1, $2 }')" "4 big-message 3"
	has "$stdout" "2026-09-02T11:00:02.7877018Z"
	lacks "$stdout" THREAD
	is "$(ckpt list --sort thread --porcelain=v1)" "$stdout"
}

@test "a terminal gets an aligned table, relative times and a summary" {
	CKPT_FORCE_TTY=100 apart ckpt list --no-pager --color never
	is "$status" 0
	has "$stdout" "THREAD "
	has "$stdout" " ago"
	has "$(tail -n 1 <<<"$stdout")" "13 threads, 75 checkpoints"
	lacks "$stdout" $'\033'
	lacks "$stdout" $'\t'
	CKPT_FORCE_TTY=100 apart ckpt list --no-pager --time iso
	has "$stdout" "2026-09-02T11:00:02.7877018Z"
	has "$stdout" $'\033[1m'
}

@test "a table fits the terminal" {
	for width in 60 70 120; do
		CKPT_FORCE_TTY=$width apart ckpt list -l --no-pager --color never
		[ "$(head -n -1 <<<"$stdout" | wc -L)" -le "$width" ]
	done
}

@test "--json is one document" {
	apart ckpt list --json
	is "$status" 0
	is "$stderr" ""
	is "${stdout:0:53}" '{"format":"ckpt.list/1","store":{"uri":"'"${CKPT_STORE:0:13}"
	python3 -c '
import json, sys
d = json.load(sys.stdin)
assert list(d) == ["format", "store", "data", "summary"], list(d)
assert d["store"]["engine"] == "sqlite" and d["store"]["writers"] == ["python"], d["store"]
assert len(d["data"]) == 13 and d["summary"]["threads"] == 13, d["summary"]
' <<<"$stdout"
}

@test "--ndjson is one object a line, the last one the summary" {
	apart ckpt list --ndjson
	is "$status" 0
	is "$(wc -l <<<"$stdout")" 14
	is "$(grep -c '^{"type":"thread","thread":"' <<<"$stdout")" 13
	is "$(tail -n 1 <<<"$stdout")" '{"type":"summary","threads":13,"checkpoints":75}'
}

@test "an answer without rows is still a document" {
	apart ckpt list --json --thread-glob 'no-such-*'
	is "$status" 0
	has "$stdout" '"data":[],"summary":{'
	apart ckpt list --ndjson --thread-glob 'no-such-*'
	is "$(wc -l <<<"$stdout")" 1
}

@test "a full disk is exit 9 with a message" {
	[ -e /dev/full ]
	for form in "" --json --ndjson; do
		status=0
		"$CKPT" list $form >/dev/full 2>err || status=$?
		is "$status" 9
		has "$(cat err)" "cannot write to standard output: No space left on device"
	done
}

@test "a reader that goes away is exit 9 without a message" {
	mkfifo pipe
	exec 7<>pipe 8>pipe 7>&- # nobody reads any more
	for form in "" --json --ndjson; do
		status=0
		"$CKPT" list $form >&8 2>err || status=$?
		is "$status" 9
		is "$(cat err)" ""
	done
}

@test "a closed stdout is exit 9" {
	status=0
	"$CKPT" list >&- 2>err || status=$?
	is "$status" 9
	has "$(cat err)" "cannot write to standard output"
}

@test "hostile names reach neither terminal nor pipe as they are" {
	python3 - hostile.db <<'END'
import sqlite3, sys
db = sqlite3.connect(sys.argv[1])
db.execute("CREATE TABLE checkpoints (thread_id TEXT NOT NULL, checkpoint_ns TEXT NOT NULL "
    "DEFAULT '', checkpoint_id TEXT NOT NULL, parent_checkpoint_id TEXT, type TEXT, "
    "checkpoint BLOB, metadata BLOB, PRIMARY KEY (thread_id, checkpoint_ns, checkpoint_id))")
db.execute("CREATE TABLE writes (thread_id TEXT NOT NULL, checkpoint_ns TEXT NOT NULL DEFAULT "
    "'', checkpoint_id TEXT NOT NULL, task_id TEXT NOT NULL, idx INTEGER NOT NULL, channel TEXT "
    "NOT NULL, type TEXT, value BLOB, PRIMARY KEY (thread_id, checkpoint_ns, checkpoint_id, "
    "task_id, idx))")
for c in list(range(1, 32)) + list(range(127, 160)) + [0x202e, 0x2066, 0x200f]:
    db.execute("INSERT INTO checkpoints VALUES (?, '', '1f1e5399-6be3-6ca5-8007-ad27ddf753c6', "
        "NULL, 'msgpack', x'80', x'7b7d')", ("id-%d%s" % (c, chr(c)),))
db.commit()
END
	for form in "" --json --ndjson --porcelain; do
		ckpt list -s hostile.db $form >out
		python3 -c '
import sys
t = open("out", "rb").read().decode()
bad = [hex(ord(c)) for c in t if (ord(c) < 32 and c not in "\n\t") or 127 <= ord(c) < 160
    or ord(c) in (0x202e, 0x2066, 0x200f)]
assert not bad, bad'
	done
	CKPT_FORCE_TTY=1 ckpt list -s hostile.db --no-pager --color never >out
	run cat -v out
	lacks "$output" '^['
}

@test "-q silences notes, -v says which store, -vv prints SQL" {
	apart ckpt list -v
	has "$stderr" "sqlite, layout langgraph"
	apart ckpt list -vv
	has "$stderr" "sql: SELECT"
	apart ckpt list -v -q
	is "$stderr" ""
}
