#!/usr/bin/env bats
# ckpt resume on files: what it says, what it refuses, what the command it becomes gets. The real
# library goes on with what it made: tests/interop/test_resume.py, on PostgreSQL test_resume_pg.py,
# JavaScript test_resume_js.py. Refused tables and locks: delete.bats.

# shellcheck disable=SC2016,SC2030,SC2031,SC2154  # subshells of bats; status, stdout, stderr
load helper
load stores

setup() {
	alone || return
	use py-hitl
	export CKPT_STORE=$store
	here=$BATS_TEST_DIRNAME
}

answer() { python3 "$here/answer.py" "$@"; }

all() { # every row of the store, but for those of this thread
	sqlite3 "$store" "SELECT rowid, thread_id, checkpoint_ns, checkpoint_id, parent_checkpoint_id,
		type, hex(checkpoint), hex(metadata) FROM checkpoints WHERE thread_id <> '$1' ORDER BY 1;
		SELECT rowid, thread_id, checkpoint_ns, checkpoint_id, task_id, idx, channel, type,
		hex(value) FROM writes WHERE thread_id <> '$1' ORDER BY 1"
}

count() { sqlite3 "$store" "SELECT count(*) FROM $1"; }

ids() { "$CKPT" list "$1" --ids; }

# ---- where it stands ------------------------------------------------------------------------------

@test "each status, what is next, the config without an id; the file stays as it is" {
	local before
	before=$(sha256sum <"$store")
	while IFS='|' read -r thread want; do
		apart ckpt resume "$thread" --json
		is "$status $stderr" "0 "
		data '[d["data"]["status"], d["data"]["next"]]' "$want"
		data 'd["data"]["config"]' '{"configurable": {"thread_id": "'"$thread"'", "checkpoint_ns": ""}}'
	done <<-'END'
		finished|["finished", []]
		ask-pending|["interrupted", ["ask_human"]]
		failed|["failed", ["fetch_b"]]
		crashed|["runnable", ["fetch_b"]]
		static-before|["runnable", ["publish"]]
	END
	apart ckpt resume ask-pending --ndjson
	is "$status" 0
	data '[x["type"] for x in d]' '["resume", "summary"]'
	is "$(sha256sum <"$store")" "$before"
	is "$(ls)" "$(printf 'py-hitl.db\nstderr')"
}

@test "what waits: the question, its id, where its answer goes" {
	apart ckpt resume nested-pending --json
	data '[w["value"] for w in d["data"]["waits"]]' '[{"sign": "deed!"}]'
	data 'd["data"]["tasks"][0]["node"]' 'desk'
	data 'd["data"]["waits"][0]["ns"].startswith("desk:")' true
	data 'd["data"]["waits"][0]["id"] == d["data"]["tasks"][0]["interrupts"][0]["id"]' true
}

@test "an older checkpoint is named in the config: going there is going back in time" {
	local at
	at=$(ids finished | sed -n 3p)
	for address in 'finished~2' "finished@{$at}"; do
		apart ckpt resume "$address" --json
		is "$status" 0
		data 'd["data"]["config"]["configurable"]["checkpoint_id"]' "$at"
		data '[d["data"]["warnings"], d["data"]["status"]]' '[["time-travel"], "runnable"]'
	done
	apart ckpt resume --thread finished --checkpoint "$at"
	is "$stdout" '{"configurable":{"thread_id":"finished","checkpoint_ns":"","checkpoint_id":"'"$at"'"}}'
	has "$stderr" 'goes back in time'
}

@test "branches: the newest one is meant, and that there are others is said" {
	apart ckpt resume forked --json
	data 'd["data"]["warnings"]' '["several-heads"]'
	apart env CKPT_FORCE_TTY=1 "$CKPT" resume forked --no-pager --color never
	has "$stdout" 'branches end in this thread'
	apart ckpt resume 'forked@{head:2}' --json
	data '[d["data"]["warnings"], "checkpoint_id" in d["data"]["config"]["configurable"]]' '[["time-travel"], true]'
}

@test "a call without result: the newest good checkpoint, and why not this one" {
	apart ckpt resume dangling-tool-calls --json
	data '["call_A" in d["data"]["safe"]["why"], d["data"]["safe"]["id"]]' \
		'[true, "'"$(ids dangling-tool-calls | sed -n 2p)"'"]'
	apart env CKPT_FORCE_TTY=1 "$CKPT" resume dangling-tool-calls --no-pager --color never
	has "$stdout" 'wedged tool call'
	has "$stdout" 'safe   1f1a76fd-871f-662b-8000-e41b0de2655c'
}

@test "what cannot be decoded: told, stepped over by --rollback, no branch begins there" {
	local head what
	for what in 'checkpoint = substr(checkpoint, 1, 200)' "metadata = 'garbage'"; do
		use py-hitl
		head=$(ids finished | head -1)
		sqlite3 "$store" "UPDATE checkpoints SET $what WHERE checkpoint_id = '$head'"
		apart ckpt resume finished --json
		is "$status" 0
		data '[d["data"]["status"], "cannot be decoded" in d["data"]["safe"]["why"]]' '["unknown", true]'
		data 'd["data"]["safe"]["id"]' "$(ids finished | sed -n 2p)"
		apart ckpt resume finished --fork --yes
		fails 8 'cannot be decoded'
		apart "$CKPT" resume finished -- true
		has "$stderr" 'wedged: the'
		apart ckpt resume finished --rollback --yes --json
		is "$status" 0
		data '[d["data"]["status"], d["data"]["safe"]["why"]]' '["finished", null]'
		is "$(sqlite3 "$store" "SELECT count(*) FROM checkpoints WHERE checkpoint_id = '$head'")" 1
	done
}

@test "a subgraph's namespace" {
	local ns
	ns=$(sqlite3 "$store" "SELECT checkpoint_ns FROM checkpoints WHERE thread_id = 'nested-pending'
		AND checkpoint_ns <> '' LIMIT 1")
	apart ckpt resume nested-pending --ns "$ns" --json
	is "$status" 0
	data 'd["data"]["config"]["configurable"]' \
		"$(printf '{"thread_id": "nested-pending", "checkpoint_ns": "%s"}' "$ns")"
	apart ckpt resume nested-pending --ns "$ns" --fork --yes
	fails 7 "refused: a subgraph's branch"
	apart ckpt resume nested-pending --ns "$ns" --answer 1 --yes
	fails 7 'refused: answers are given to the thread'
}

@test "odd ids stay what they are, in the config and for a person" {
	use py-ids
	export CKPT_STORE=$store
	for thread in '$(id)' "'; DROP TABLE checkpoints; --" $'new\nline' '%s%n%x' 'a@{step:1}' '日本語/スレッド' ''; do
		apart ckpt resume --thread "$thread"
		is "$status" 0
		is "$(json 'd["configurable"]["thread_id"]')" "$thread"
	done
	apart env CKPT_FORCE_TTY=1 "$CKPT" resume --thread $'\e[31mred\e[0m' --no-pager --color never
	lacks "$stdout" $'\e'
	sqlite3 "$store" "UPDATE checkpoints SET thread_id = CAST(x'ff41' AS TEXT) WHERE thread_id = 'ß'"
	apart ckpt resume --thread $'\xff'A --json
	data 'd["data"]["config"]["configurable"]' \
		'{"thread_id": "\ufffdA", "thread_id_b64": "/0E=", "checkpoint_ns": ""}'
}

@test "what is not there" {
	apart ckpt resume nobody
	fails 4 "nobody"
	apart ckpt resume finished~99
	fails 4
	apart ckpt resume --thread finished --checkpoint nosuch
	fails 4
}

@test "words that do not go together: exit 2" {
	for words in '' 'finished --thread finished' 'finished --checkpoint x' 'finished --fork --rollback' \
		'finished --fork --answer 1' 'finished --thread-id new' 'finished --rollback --thread-id new' \
		'finished --answer nonsense'; do
		# shellcheck disable=SC2086  # words
		apart ckpt resume $words
		is "$words $status" "$words $([ "$words" = 'finished --answer nonsense' ] && echo 4 || echo 2)"
	done
	apart ckpt resume ask-pending --answer nonsense --yes
	fails 2 'is not JSON' 'quotes'
	apart ckpt resume ask-pending --answer '[1,' --yes
	fails 2 'is not JSON'
}

# ---- going on -------------------------------------------------------------------------------------

@test "the command gets its arguments, its environment, three descriptors and nothing else" {
	local at
	at=$(ids ask-pending | head -1)
	cat >show.py <<-'END'
		import json, os, resource, sys
		print(json.dumps({
			"args": sys.argv[1:], "fds": sorted(int(f) for f in os.listdir("/proc/self/fd"))[:-1],
			"env": {k: v for k, v in os.environ.items() if k.startswith("CKPT_") and k != "CKPT_JSON_DIR"},
			"core": resource.getrlimit(resource.RLIMIT_CORE)[0]}))
		sys.exit(17)
	END
	export ASAN_OPTIONS=${ASAN_OPTIONS-}:disable_coredump=0 # its own limit
	apart env "CKPT_STORE=$store" bash -c 'ulimit -Sc 123; exec 7<"$0"; exec "$@"' "$store" \
		"$CKPT" resume ask-pending -- /usr/bin/python3 -S -E show.py '{thread}' 'x={checkpoint};{ns}.' '{threads}' '' '$HOME *'
	is "$status" 17
	data 'd["args"]' '["ask-pending", "x='"$at"';.", "{threads}", "", "$HOME *"]'
	data 'd["fds"]' '[0, 1, 2]'
	data 'd["core"]' 125952
	data 'd["env"]' '{"CKPT_THREAD_ID": "ask-pending", "CKPT_CHECKPOINT_ID": "'"$at"'", "CKPT_CHECKPOINT_NS": "", "CKPT_CONFIG_JSON": "{\"configurable\":{\"thread_id\":\"ask-pending\",\"checkpoint_ns\":\"\"}}"}'
	has "$stderr" 'interrupted: ask_human: "Approve the refund?"'
	apart "$CKPT" resume ask-pending -- awk '/^SigIgn/ { print $2 }' /proc/self/status
	is "$((0x$stdout & (1 << 12 | 1 << 24)))" 0 # SIGPIPE, SIGXFSZ
}

@test "what a store holds is an argument, never a command, and is not expanded again" {
	use py-ids
	export CKPT_STORE=$store
	for thread in '$(touch owned)' '`touch owned`' 'a; touch owned' $'a\ntouch owned' '{checkpoint}{ns}' '-rf' '%s%n'; do
		sqlite3 "$store" "UPDATE checkpoints SET thread_id = '$thread' WHERE thread_id = 'ß';
			UPDATE writes SET thread_id = '$thread' WHERE thread_id = 'ß'"
		apart "$CKPT" resume --thread "$thread" -- printf '<%s>' '{thread}' '{thread}'
		is "$status $stdout" "0 <$thread><$thread>"
		sqlite3 "$store" "UPDATE checkpoints SET thread_id = 'ß' WHERE thread_id = '$thread';
			UPDATE writes SET thread_id = 'ß' WHERE thread_id = '$thread'"
	done
	[ ! -e owned ]
	apart "$CKPT" resume ids-0 --thread x -- true
	is "$status" 125
}

@test "exit codes: the command's own, 125, 126, 127, and a signal's" {
	apart "$CKPT" resume finished -- true
	is "$status" 0
	has "$stderr" 'finished'
	apart "$CKPT" resume finished -q -- sh -c 'exit 3'
	is "$status $stderr" "3 "
	apart "$CKPT" resume finished -- sh -c 'kill -TERM $$'
	is "$status" 143
	apart "$CKPT" resume nobody -- true
	fails 125 nobody
	apart "$CKPT" resume finished -s nosuch.db -- true
	fails 125 nosuch.db
	apart "$CKPT" resume finished -- ./nosuch
	fails 127 "cannot run './nosuch'"
	apart "$CKPT" resume finished -- "$store"
	fails 126 'cannot run'
	apart "$CKPT" resume finished --
	fails 125 'is followed by the command'
	apart "$CKPT" resume finished --fork --dry-run -- true
	fails 125 'runs no command'
}

@test "a change, then the command" {
	apart "$CKPT" resume ask-pending --answer '"yes"' --yes -- printenv CKPT_CONFIG_JSON
	is "$status" 0
	is "$stdout" '{"configurable":{"thread_id":"ask-pending","checkpoint_ns":""}}'
	apart ckpt resume ask-pending --json
	data 'd["data"]["status"]' answered
	apart "$CKPT" resume ask-pending --answer '[' --yes -- touch ran
	is "$status" 125
	[ ! -e ran ]
}

# ---- changing course ------------------------------------------------------------------------------

@test "--fork: a sibling that is the newest; no row that was there is altered" {
	local at before parent n
	at=$(ids finished | sed -n 3p)
	before=$(all '') n=$(count checkpoints)
	apart ckpt resume --thread finished --checkpoint "$at" --fork --dry-run --json
	is "$status" 0
	has "$stderr" "would begin a branch at $at"
	data '[d["summary"]["dry_run"], "created" in d["data"], d["data"]["id"]]' '[true, false, "'"$at"'"]'
	is "$(all '')" "$before"
	apart ckpt resume --thread finished --checkpoint "$at" --fork --yes --json
	is "$status $stderr" "0 "
	data 'd["data"]["created"]["id"] == d["data"]["id"]' true
	data '[d["data"]["created"]["thread"], d["data"]["warnings"], d["data"]["status"]]' '["finished", [], "runnable"]'
	data 'd["data"]["config"]["configurable"]' '{"thread_id": "finished", "checkpoint_ns": ""}'
	parent=$(sqlite3 "$store" "SELECT parent_checkpoint_id FROM checkpoints WHERE checkpoint_id = '$at'
		AND thread_id = 'finished'")
	is "$(sqlite3 "$store" "SELECT parent_checkpoint_id FROM checkpoints WHERE thread_id = 'finished'
		ORDER BY checkpoint_id DESC LIMIT 1")" "$parent"
	is "$(count checkpoints)" $((n + 1))
	is "$(all '' | grep -vF "$(ids finished | head -1)")" "$before"
	ckpt diff --thread finished --checkpoint "$at" finished --path /values --exit-code
	ckpt check
}

@test "--fork --thread-id: another thread, its name must be free; of the head all that waits comes along" {
	apart ckpt resume ask-pending --fork --thread-id new --yes --json
	is "$status $stderr" "0 "
	data '[d["data"]["created"]["thread"], d["data"]["status"], d["data"]["waits"][0]["value"]]' \
		'["new", "interrupted", "Approve the refund?"]'
	apart ckpt resume ask-answered~1 --fork --thread-id again --yes --json
	is "$status" 0
	data '[d["data"]["status"], d["data"]["next"], d["data"]["created"]["thread"]]' '["runnable", ["act"], "again"]'
	apart ckpt resume ask-pending --fork --thread-id finished --yes
	fails 7 "there is a thread 'finished' already"
	ckpt check
}

@test "--rollback: to the good one; of a good one nothing" {
	local safe
	safe=$(ids dangling-tool-calls | sed -n 2p)
	apart ckpt resume dangling-tool-calls --rollback --dry-run
	is "$status" 0
	has "$stderr" "would begin a branch at $safe"
	apart ckpt resume dangling-tool-calls --rollback --yes --json
	is "$status" 0
	data '[d["data"]["safe"]["why"], d["data"]["safe"]["id"] == d["data"]["created"]["id"]]' '[null, true]'
	ckpt diff --thread dangling-tool-calls --checkpoint "$safe" dangling-tool-calls --path /values --exit-code
	apart ckpt resume dangling-tool-calls --rollback --yes --json
	is "$status" 0
	has "$stderr" 'nothing to roll back'
	data '"created" in d["data"]' false
}

@test "--answer: by itself, by id, again; what is not asked, and several that are" {
	local a b n
	n=$(count checkpoints)
	apart ckpt resume parallel-pending --answer '"yes"' --yes
	fails 4 '2 questions wait' '--answer 1bf77320644509585d7d3cf5405dc8d0=' '--answer de73c269cc46a2974f67e157274b6f03='
	apart ckpt resume parallel-pending --answer 'feed=1' --yes
	fails 4 "no question 'feed' waits"
	a=1bf77320644509585d7d3cf5405dc8d0 b=de73c269cc46a2974f67e157274b6f03
	apart ckpt resume parallel-pending --answer "$a=1" --answer "$a=2" --yes
	fails 2 'answered twice'
	apart ckpt resume parallel-pending --answer "$a=1" --dry-run
	is "$status" 0
	has "$stderr" 'would stage 1 answer'
	apart ckpt resume parallel-pending --answer "$a={\"ok\":true}" --yes --json
	data '[d["data"]["status"], [w["staged"] for w in d["data"]["waits"]]]' '["interrupted", [true, false]]'
	apart ckpt resume parallel-pending --answer "$a=false" --answer "$b=null" --yes --json
	data '[d["data"]["status"], d["data"]["warnings"]]' '["answered", []]'
	is "$(sqlite3 "$store" "SELECT count(*), group_concat(hex(value)) FROM (SELECT value FROM writes
		WHERE thread_id = 'parallel-pending' AND channel = '__resume__' ORDER BY hex(value))")" '2|91C0,91C2'
	is "$(count checkpoints)" "$n"
	apart ckpt resume finished --answer 1 --yes
	fails 4 'no question waits there'
	apart ckpt resume ask-pending~1 --answer 1 --yes
	fails 7 'newest checkpoint only'
}

@test "without a terminal --yes is wanted, on one the question answered" {
	local before change
	before=$(all '')
	for change in --fork --rollback '--answer 1' '--fork --thread-id new'; do
		thread=ask-pending
		[ "$change" = --rollback ] && thread=dangling-tool-calls
		# shellcheck disable=SC2086  # words
		apart ckpt resume $thread $change </dev/null
		fails 7 'needs confirmation' 'add --yes'
		# shellcheck disable=SC2086  # words
		run answer 'n\n' "$CKPT" resume $thread $change
		is "$status" 7
		has "$output" "$thread in py-hitl.db? [y/N]"
	done
	is "$(all '')" "$before"
	run answer 'y\n' "$CKPT" resume ask-pending --answer 1 --json
	is "$status" 0
	has "$output" '"status":"answered"'
}

@test "a thread that goes on while the person thinks: refused, and nothing is changed" {
	local before change
	cat >later.py <<-'END'
		import os, pty, sqlite3, sys
		store, thread, *command = sys.argv[1:]
		pid, fd = pty.fork()
		if pid == 0:
		    os.execvp(command[0], command)
		shown = b""
		while not shown.endswith(b"[y/N] "):
		    shown += os.read(fd, 4096)
		db = sqlite3.connect(store)
		db.execute("INSERT INTO checkpoints SELECT thread_id, checkpoint_ns, 'ffff' || checkpoint_id, checkpoint_id,"
		           " type, checkpoint, metadata FROM checkpoints WHERE thread_id = ? AND checkpoint_ns = ''"
		           " ORDER BY checkpoint_id DESC LIMIT 1", (thread,))
		db.commit()
		os.write(fd, b"y\n")
		while True:
		    try:
		        got = os.read(fd, 4096)
		    except OSError:
		        break
		    if not got:
		        break
		    shown += got
		print(shown.decode().replace("\r", ""))
		sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
	END
	for change in --fork '--answer 1' '--fork --thread-id new'; do
		use py-hitl
		before=$(all '')
		# shellcheck disable=SC2086  # words
		run python3 later.py "$store" ask-pending "$CKPT" resume ask-pending $change
		is "$change $status" "$change 7"
		has "$output" "refused: thread 'ask-pending' went on meanwhile"
		is "$(all '' | grep -v '|ffff')" "$before"
	done
}

@test "no new id sorts behind one of a distant future; a thread of its own can be made" {
	sqlite3 "$store" "UPDATE checkpoints SET checkpoint_id = 'ffffffff-ffff-6fff-bfff-ffffffffffff'
		WHERE thread_id = 'finished' AND checkpoint_id = '$(ids finished | head -1)'"
	apart ckpt resume finished~1 --fork --yes
	fails 7 'no new id sorts behind' '--thread-id NEW'
	apart ckpt resume finished~1 --fork --thread-id new --yes
	is "$status" 0
}

@test "archives are looked at, not altered" {
	ckpt migrate "$store" a.jsonl --thread ask-pending >/dev/null
	apart ckpt resume ask-pending -s a.jsonl --json
	is "$status" 0
	data 'd["data"]["status"]' interrupted
	apart ckpt resume ask-pending -s a.jsonl --fork --yes
	is "$status" 7
	apart ckpt resume ask-pending -s a.jsonl --answer 1 --yes
	is "$status" 7
}

@test "a state that is encrypted: without its key only a new thread can be made" {
	use py-aes
	export CKPT_STORE=$store
	thread=$("$CKPT" list --ids | head -1)
	apart ckpt resume --thread "$thread" --fork --yes
	fails 7 'cannot be given a new id' '--thread-id NEW'
	apart ckpt resume --thread "$thread" --fork --thread-id new --yes
	is "$status" 0
}

@test "JavaScript: answers are JSON, given again they are replaced" {
	use js-basic
	export CKPT_STORE=$store
	# so that the question's row is the last one of the table
	sqlite3 "$store" "DELETE FROM writes WHERE rowid > (SELECT max(rowid) FROM writes
		WHERE thread_id = 'js-ask-pending' AND channel = '__interrupt__')"
	for said in '{"a":1.50}' '"second"'; do
		apart ckpt resume js-ask-pending --answer "$said" --yes --json
		is "$status $stderr" "0 "
		data 'd["data"]["status"]' answered
		is "$(sqlite3 "$store" "SELECT type, CAST(value AS TEXT) FROM writes WHERE channel = '__resume__'
			AND thread_id = 'js-ask-pending'")" "json|[$said]"
	done
	apart ckpt resume js-chat-1~2 --fork --yes --json
	is "$status" 0
	data 'd["data"]["status"]' runnable
	is "$(sqlite3 "$store" "SELECT json_extract(metadata, '$.source') FROM checkpoints
		WHERE thread_id = 'js-chat-1' ORDER BY checkpoint_id DESC LIMIT 1")" fork
}

@test "a full answer on a narrow terminal" {
	apart env CKPT_FORCE_TTY=1 COLUMNS=40 "$CKPT" resume ask-pending --no-pager --color never
	is "$status" 0
	is "$(head -4 <<<"$stdout")" "thread ask-pending
at     1f1a5db2-15b9-686a-8000-6f76feefa67f  (newest)
status interrupted
    ask_human  interrupted"
	has "$stdout" 'waits for ask_human: "Approve'
}
