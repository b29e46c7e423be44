#!/usr/bin/env bats
# Names: of stores (forms, wrong ones, unreadable ones) and hostile ones inside a store.

# shellcheck disable=SC2030,SC2031,SC2034,SC2154  # each test is a subshell of bats
load helper
load stores

setup() {
	alone || return
	db=$(store py-hitl)
}

list() {
	apart ckpt list -s "$db" "$@"
}

ids_of() { # THREAD [SQL]: as the saver lists them
	sqlite3 "$db" "SELECT checkpoint_id FROM checkpoints WHERE thread_id='$1'
		AND checkpoint_ns='' ${2:-} ORDER BY checkpoint_id DESC"
}

# ---- stores ---------------------------------------------------------------------------------------

@test "store names: path, sqlite:///, sqlite:////, sqlite+aiosqlite:, file:, CKPT_STORE" {
	cd "$(dirname "$db")"
	local name
	for name in store.db ./store.db "$db" sqlite:///store.db "sqlite:///$db" "sqlite:////${db#/}" \
		sqlite+aiosqlite:///store.db "file:store.db?mode=ro" "file:$db?mode=ro"; do
		apart ckpt list -s "$name" forked --ids
		same "$name ($stderr)" "$stdout" "$(ids_of forked)"
	done
	CKPT_STORE=$db apart ckpt list forked --ids
	same CKPT_STORE "$stdout" "$(ids_of forked)"
}

@test "a wrong store: exit 4, nothing is created" {
	mkdir "$BATS_TEST_TMPDIR/empty"
	cd "$BATS_TEST_TMPDIR/empty"
	local name
	for name in nosuch.db sqlite:///nosuch.db file:nosuch.db . :memory: nosuch/folder/x.db; do
		apart ckpt list -s "$name" --json
		same "$name ($stderr)" "$status" 4
		error_is store_missing 4
	done
	same created "$(ls -A)" ""
	apart ckpt list
	same "no store" "$stdout" ""
	[ "$status" != 0 ]
}

@test "a wrong store in a folder with one: a hint names it" {
	cd "$(dirname "$db")"
	apart ckpt list -s stroe.db
	fails 4 stroe.db "nothing was created" store.db
}

@test "unknown layouts: 7; damage: 8; --layout can be forced" {
	db=$(store broken/other-database)
	list
	fails 7 people
	db=$(store broken/not-a-database)
	list
	fails 8
	db=$(store broken/header-only)
	list --json
	error_is integrity 8
	db=$(store broken/view)
	list
	fails 7 view
	db=$(store py-hitl)
	list --layout langgraph --limit 1
	works
	list --layout nosuch
	[ "$status" != 0 ]
}

@test "rows that cannot be read: nulls, one warning, exit 0" {
	db=$(store broken/bad-metadata)
	list edited-past -l --json
	same exit "$status" 0
	same warnings "$(wc -l <<<"$stderr")" 1
	data '[r["metadata"] for r in d["data"]].count(None)' 1
	data 'len(d["data"])' 8
	list edited-past -l -q
	same quiet "$stderr" ""
}

@test "a thread id that is no text is listed beside its twin" {
	db=$(store broken/text-columns)
	list --json
	works
	data 'sorted(r["checkpoints"] for r in d["data"] if r["thread"] == "edited-past")' '[1, 7]'
}

@test "empty store: no rows, exit 0" {
	sqlite3 "$db" "DELETE FROM checkpoints; DELETE FROM writes"
	list
	works
	same rows "$stdout" ""
	list --json
	works
	data 'd["data"], d["summary"]' '[[], {"threads": 0, "checkpoints": 0}]'
}

# ---- hostile names ----------------------------------------------------------------------------------

@test "hostile names: no raw control byte in any form" {
	db=$(store py-ids)
	local form out=$BATS_TEST_TMPDIR/out err=$BATS_TEST_TMPDIR/err
	for form in "" --json --ndjson -l "-l --json" "--ids" "--all --ns * -l" "--all --ns * -l --json"; do
		set -f
		# shellcheck disable=SC2086  # the form is several words
		"$CKPT" list -s "$db" $form >"$out" 2>"$err"
		# shellcheck disable=SC2086
		CKPT_FORCE_TTY=1 "$CKPT" list -s "$db" --no-pager --color never $form >"$out.tty" 2>"$err.tty"
		set +f
		harmless "$out" "$err" "$out.tty" "$err.tty"
	done
	"$CKPT" list -s "$db" $'no\033[2Jsuch\u202e' >"$out" 2>"$err" || true
	harmless "$out" "$err"
	grep -q such "$err"
}

@test "hostile names: one row a line, tab and newline escaped" {
	db=$(store py-ids)
	list
	works
	same columns "$(awk -F'\t' '{ print NF }' <<<"$stdout" | sort -u)" 4
	same rows "$(wc -l <<<"$stdout")" 60
	grep -qF 'new\nline' <<<"$stdout"
	grep -qF 'tab\there' <<<"$stdout"
	grep -qF 'C:\\dir\\x' <<<"$stdout"
	grep -qF 'bell\x07' <<<"$stdout"
}

@test "hostile names: JSON gives them back exactly" {
	db=$(store py-ids)
	list --json
	works
	python3 - "$FIXTURES/py-ids/oracle.json" 3<<<"$stdout" <<'EOF'
import json, os, sys
want = set(json.load(open(sys.argv[1]))["threads"])
got = {r["thread"] for r in json.load(os.fdopen(3))["data"]}
assert got == want, got ^ want
EOF
}

@test "hostile names: threads named like options and addresses are literal" {
	db=$(store py-ids)
	local name
	for name in --help -rf 'a~1' 'a@{step:1}' "'; DROP TABLE checkpoints; --" '' 'thread*' '%s%n%x'; do
		list --ids -- "$name"
		same "$name ($stderr)" "$status" 0
		same "$name" "$(wc -l <<<"$stdout")" 3
	done
}
