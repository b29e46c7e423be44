#!/usr/bin/env bats
# Completion scripts load and complete; the live part is quick and silent.

load helper

setup() {
	unset CKPT_STORE
	cd "$BATS_TEST_TMPDIR" || return
	mkdir -p bin
	standstill
	printf '#!/bin/bash\nexec %s "$@"\n' "${still[*]@Q}" >bin/ckpt
	chmod +x bin/ckpt
	PATH=$PWD/bin:$PATH
	export CKPT_STORE=$FIXTURES/py-basic/store.db
}

teardown() {
	if [ "${pid:-}" ]; then kill "$pid" 2>/dev/null || true; fi
}

# What bash offers for a line, one word a line.
bash_offers() {
	LINE=$1 bash --norc --noprofile -c '
		eval "$(ckpt completion bash)"
		COMP_LINE=$LINE COMP_POINT=${#LINE}
		COMP_WORDBREAKS=$'"' \t\n\"\\'><=;|&(:@'"'
		_ckpt
		printf "%s\n" "${COMPREPLY[@]}"'
}

fish_offers() {
	HOME=$PWD XDG_CONFIG_HOME=$PWD LINE=$1 fish --no-config -c '
		ckpt completion fish | source
		complete -C "$LINE"' 2>&1
}

zsh_offers() { # LINE WHAT
	cp "$BATS_TEST_DIRNAME/complete.zsh" .
	has "$(LINE=$1 WANT=$2 zsh -f complete.zsh)" "$2"
}

@test "an unknown shell is a usage error" {
	apart ckpt completion csh
	is "$status" 2
	has "$stderr" "bash, zsh, fish"
}

@test "bash: commands, options, choices" {
	run bash_offers "ckpt li"
	is "$output" list
	run bash_offers "ckpt list --ndj"
	is "$output" --ndjson
	run bash_offers "ckpt list --color "
	is "$output" $'auto\nalways\nnever'
	run bash_offers "ckpt --json list --sort=f"
	is "$output" first
	touch some.db
	run bash_offers "ckpt migrate so"
	is "$output" some.db
	run bash_offers "ckpt help exit"
	is "$output" exit-codes
}

@test "bash: thread ids and short ids" {
	run bash_offers "ckpt list chat-"
	is "$output" $'chat-1\nchat-2\nchat-3'
	run bash_offers "ckpt list --thread chat-2"
	is "$output" chat-2
	run bash_offers "ckpt show wal-only@{1928"
	is "$output" '\{19280135\}'
	CKPT_STORE= run bash_offers "ckpt -s $FIXTURES/py-basic/store.db list wal"
	is "$output" wal-only
	CKPT_STORE= run bash_offers "ckpt list --store=$FIXTURES/py-basic/store.db wal"
	is "$output" wal-only
}

@test "bash: odd ids come back as one word" {
	python3 - odd.db <<'END'
import sqlite3, sys
db = sqlite3.connect(sys.argv[1])
db.execute("CREATE TABLE checkpoints (thread_id TEXT NOT NULL, checkpoint_ns TEXT NOT NULL "
    "DEFAULT '', checkpoint_id TEXT NOT NULL, parent_checkpoint_id TEXT, type TEXT, "
    "checkpoint BLOB, metadata BLOB, PRIMARY KEY (thread_id, checkpoint_ns, checkpoint_id))")
db.execute("CREATE TABLE writes (thread_id TEXT NOT NULL, checkpoint_ns TEXT NOT NULL DEFAULT "
    "'', checkpoint_id TEXT NOT NULL, task_id TEXT NOT NULL, idx INTEGER NOT NULL, channel TEXT "
    "NOT NULL, type TEXT, value BLOB, PRIMARY KEY (thread_id, checkpoint_ns, checkpoint_id, "
    "task_id, idx))")
for t in ["mail:ann@example.org", "two words", "it's $(x)", "esc\x1b[2J", "\u202eid"]:
    db.execute("INSERT INTO checkpoints VALUES (?, '', '1f1e5399-6be3-6ca5-8007-ad27ddf753c6', "
        "NULL, 'msgpack', x'80', x'7b7d')", (t,))
db.commit()
END
	export CKPT_STORE=$PWD/odd.db
	run bash_offers "ckpt list tw"
	is "$output" 'two\ words'
	run bash_offers "ckpt list 'tw"
	is "$output" 'two words'
	run bash_offers "ckpt list two\\ w"
	is "$output" 'two\ words'
	run bash_offers "ckpt list mail:an"
	is "$output" 'ann@example.org'
	run bash_offers "ckpt list mail:ann@e"
	is "$output" 'example.org'
	run bash_offers "ckpt list it"
	is "$output" "it\\'s\\ \\\$\\(x\\)"
	run bash_offers "ckpt list es"
	is "$output" ""
	run "${still[@]}" __complete thread
	is "$output" "it's \$(x)"$'\t'"1 checkpoint, ${output##*, }" || [ "${#lines[@]}" = 3 ]
	lacks "$output" $'\033'
}

@test "fish: commands, options, choices, thread ids" {
	command -v fish >/dev/null
	has "$(fish_offers "ckpt li")" $'list\t'
	has "$(fish_offers "ckpt list --ndj")" --ndjson
	has "$(fish_offers "ckpt list --sort f")" first
	has "$(fish_offers "ckpt list chat-")" $'chat-1\t15 checkpoints'
	has "$(fish_offers "ckpt list --thread=chat-2")" chat-2
	has "$(fish_offers "ckpt show wal-only@{1928")" 'wal-only@{19280135}'
	lacks "$(fish_offers "ckpt list ")" completion
}

@test "zsh: commands, options, choices, thread ids" {
	command -v zsh >/dev/null
	zsh_offers "ckpt li" "ckpt list"
	zsh_offers "ckpt list --ndj" "ckpt list --ndjson"
	zsh_offers "ckpt list --sort bytes --no-p" "--no-pager"
	zsh_offers "ckpt list wal" "ckpt list wal-only"
	zsh_offers "ckpt list chat-" "15 checkpoints"
}

@test "the live part is silent and successful whatever goes wrong" {
	for words in "thread" "checkpoint x" "ns" "nonsense" "" "thread a b c"; do
		CKPT_STORE=/nowhere apart ckpt __complete $words
		is "$status" 0
		is "$stdout$stderr" ""
	done
	apart ckpt __complete --bad-option thread
	is "$status" 0
	is "$stderr" ""
	CKPT_STORE= apart ckpt __complete thread
	is "$stdout$stderr" ""
	head -c 5000 /dev/urandom >noise.db
	CKPT_STORE=noise.db apart ckpt __complete thread
	is "$status" 0
	is "$stdout$stderr" ""
}

@test "the live part keeps its time while the store is locked" {
	python3 -c 'import sqlite3'
	cp "$CKPT_STORE" locked.db
	python3 -c '
import sqlite3, time, pathlib
db = sqlite3.connect("locked.db", isolation_level=None)
db.execute("PRAGMA journal_mode=DELETE")
db.execute("BEGIN EXCLUSIVE")
pathlib.Path("ready").touch()
time.sleep(600)' 3>&- &
	pid=$!
	while [ ! -e ready ]; do sleep 0.02; done
	# a machine that is busy takes longer now and then; who waits for the lock, always
	local i start took=9999999
	for ((i = 0; i < 50 && took >= 1000000; i++)); do
		start=${EPOCHREALTIME/./}
		CKPT_STORE=locked.db apart ckpt __complete thread
		took=$((${EPOCHREALTIME/./} - start))
		is "$status" 0
		is "$stderr" ""
	done
	[ "$took" -lt 1000000 ]
}
