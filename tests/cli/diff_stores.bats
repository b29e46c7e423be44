#!/usr/bin/env bats
# ckpt diff --against STORE without addresses: two stores whole; each kind of difference, every
# option and form. Across engines: tests/interop/test_match_pg.py.

# shellcheck disable=SC2016,SC2030,SC2031,SC2034,SC2154  # subshells of bats; $ in Python and JSON
load helper
load stores

HEAD=1f1a779a-13ab-6293-8006-78eabc1997f4       # of py-hitl's thread "forked"
PARENT=1f1a779a-1370-66f9-8005-6570a5b46942

setup() {
	alone || return
	db=$(store py-hitl)
	cp "$db" b.db
}

stores() {
	apart ckpt diff -s "$db" --against b.db "$@"
}

change() { # SQL, in b.db
	sqlite3 b.db "$1"
}

AT="thread_id='forked' AND checkpoint_ns='' AND checkpoint_id='$HEAD'"

# byte TABLE COLUMN OLD NEW: replace the bytes (hex) in the one row at $AT.
byte() {
	python3 - "$@" "$AT" <<'END'
import sqlite3, sys
table, column, old, new, at = sys.argv[1:]
db = sqlite3.connect("b.db")
(was,), = db.execute("SELECT %s FROM %s WHERE %s" % (column, table, at)).fetchall()
now = bytes(was).replace(bytes.fromhex(old), bytes.fromhex(new))
assert now != was
db.execute("UPDATE %s SET %s = ? WHERE %s" % (table, column, at), (now,))
db.commit()
END
}

# ---- what is the same -------------------------------------------------------------------------------

@test "every store is the same as itself, and as its copy" {
	local n=0 path
	for path in "$FIXTURES"/py-*/store.db "$FIXTURES"/js-*/store.db; do
		db=$(store "$(basename "$(dirname "$path")")")
		cp "$db" b.db
		rm -f b.db-wal
		if [ -e "$db-wal" ]; then cp "$db-wal" b.db-wal; fi
		stores --exit-code --json
		works || { echo "$path"; return 1; }
		data 'd["data"], d["summary"]["same"] > 0' '[[], true]'
		data 'sum(d["summary"].values()) == d["summary"]["same"]' true
		n=$((n + 1))
	done
	[ "$n" -ge 15 ]
}

@test "a dump is the same as the store it came from, until a line of it changes" {
	local name
	for name in py-basic py-hitl py-delta js-basic py-old-json; do
		db=$(store "$name")
		python3 "$top/tests/oracle/dump.py" "$db" >b.jsonl
		apart ckpt diff -s "$db" --against b.jsonl --exit-code
		works || { echo "$name"; return 1; }
		sed -i '0,/"idx":0/s//"idx":77/' b.jsonl
		apart ckpt diff -s "$db" --against b.jsonl
		same "$name" "$(cut -f1,2 <<<"$stdout")" "only-a	writes
only-b	writes" || return 1
	done
}

@test "what is undecodable, opaque or encrypted is the same if its bytes are" {
	local name
	for name in broken/bad-blob broken/bad-write broken/cut-blob broken/deep-blob \
		broken/unknown-type broken/bad-metadata broken/nulls py-aes; do
		db=$(store "$name")
		cp "$db" b.db
		stores --exit-code
		works || { echo "$name"; return 1; }
		same none "$stdout" "" || return 1
	done
}

@test "the summary counts rows: checkpoints, writes and values" {
	stores --json
	works
	same rows "$(json 'd["summary"]["same"]')" "$(($(sqlite3 "$db" 'SELECT count(*) FROM checkpoints') +
		$(sqlite3 "$db" 'SELECT count(*) FROM writes') + $(ckpt list -s "$db" --all --ns '*' --ndjson |
		python3 -c 'import json, subprocess, sys
rows = [json.loads(x) for x in sys.stdin]
n = 0
for r in rows:
    if r["type"] == "checkpoint":
        out = subprocess.run([sys.argv[1], "show", "-s", sys.argv[2], "--thread=" + r["thread"],
            "--ns=" + r["ns"], "--checkpoint=" + r["id"], "--json"], capture_output=True).stdout
        n += len(json.loads(out)["data"]["values"])
print(n)' "$CKPT" "$db")))"
}

# ---- each kind of difference ------------------------------------------------------------------------

@test "a value, old and new" {
	byte checkpoints checkpoint a16e05 a16e06       # "n": 5 → 6
	stores
	works
	same row "$stdout" "differs	values	forked		$HEAD	channel n: 5 → 6"
	stores --exit-code
	same exit "$status" 1
}

@test "the same value written wider is no difference" {
	byte checkpoints checkpoint a16e05 a16ecc05
	stores --exit-code
	works
	byte checkpoints checkpoint a16ecc05 a16ecb4014000000000000     # but 5.0 is
	stores
	same row "$stdout" "differs	values	forked		$HEAD	channel n: 5 → 5.0"
}

@test "a checkpoint: parent, members of container and metadata in one row" {
	change "UPDATE checkpoints SET parent_checkpoint_id = NULL,
		metadata = CAST(replace(metadata, '\"step\": 6', '\"step\": 7') AS BLOB) WHERE $AT"
	stores
	works
	same row "$stdout" "differs	checkpoints	forked		$HEAD	parent: $PARENT → none; metadata/step: 6 → 7"
}

@test "metadata in another order is no difference" {
	change "UPDATE checkpoints SET metadata = CAST('{\"step\":6,\"source\":\"loop\",\"parents\":{ }}' AS BLOB) WHERE $AT"
	stores
	works
	same none "$stdout" ""
}

@test "rows of one side: checkpoints with all they have, writes, values" {
	change "DELETE FROM checkpoints WHERE $AT; DELETE FROM writes WHERE $AT"
	stores
	works
	same row "$stdout" "only-a	checkpoints	forked		$HEAD	2 values, 0 writes"
	apart ckpt diff -s b.db --against "$db"
	same row "$stdout" "only-b	checkpoints	forked		$HEAD	2 values, 0 writes"
}

@test "a write: its value, its channel, its path, itself" {
	AT="rowid = (SELECT rowid FROM writes WHERE thread_id='forked' AND channel='n' LIMIT 1)"
	local task was
	task=$(sqlite3 b.db "SELECT task_id FROM writes WHERE $AT")
	was=$(sqlite3 b.db "SELECT lower(hex(value)) FROM writes WHERE $AT")
	byte writes value "$was" a178
	stores
	works
	has "$stdout" "differs	writes	forked		"
	has "$stdout" "task $task idx 0 channel n: $((16#$was)) → \"x\""
	change "UPDATE writes SET channel = 'm' WHERE $AT"
	stores
	has "$stdout" "channel n → m: $((16#$was)) → \"x\""
	cp "$db" b.db
	change "UPDATE writes SET task_path = '~x' WHERE $AT"
	stores
	has "$stdout" "channel n, task_path '~__pregel_pull, __start__' → '~x'"
	change "DELETE FROM writes WHERE $AT"
	stores
	has "$stdout" "only-a	writes	forked		"
	same rows "$(wc -l <<<"$stdout")" 1
}

@test "writes whose checkpoint is gone count, on either side or both" {
	change "INSERT INTO writes (thread_id, checkpoint_ns, checkpoint_id, task_id, idx, channel, type, value)
		VALUES ('lost', '', 'x', 't', 0, 'c', 'msgpack', x'01'), ('lost', '', 'x', 't', 1, 'c', 'msgpack', x'02')"
	stores --json
	works
	data '[(r["op"], r["table"], r["id"], r["detail"]) for r in d["data"]]' \
		'[["only-b", "writes", "x", "task t idx 0 channel c: 1"], ["only-b", "writes", "x", "task t idx 1 channel c: 2"]]'
	cp b.db a.db
	change "UPDATE writes SET value = x'03' WHERE thread_id = 'lost' AND idx = 1"
	apart ckpt diff -s a.db --against b.db
	same row "$stdout" "differs	writes	lost		x	task t idx 1 channel c: 2 → 3"
	cp "$db" b.db
	change "DELETE FROM checkpoints WHERE thread_id = 'forked'"     # the writes stay: only the rows went
	stores --stat
	works
	same writes "$(sed -n 2p <<<"$stdout" | cut -f1,3-)" "writes	0	0	0"
}

@test "undecodable and different: told, exit 8" {
	byte checkpoints checkpoint a16e05 a16ec1
	stores
	same exit "$status" 8
	has "$stdout" "$HEAD"
	same rows "$(wc -l <<<"$stdout")" 1
}

@test "encrypted: bytes without the key, values with it" {
	db=$(store py-aes)
	cp "$db" b.db
	local key at="type LIKE '%+aes'"
	key=$(python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))["aes_key"])' "$FIXTURES/py-aes/oracle.json")
	change "UPDATE writes SET value = CAST(substr(value, 1, 31) || x'00' || substr(value, 33) AS BLOB)
		WHERE rowid = (SELECT min(rowid) FROM writes WHERE $at)"
	stores
	works
	has "$stdout" "(encrypted)"
	same rows "$(wc -l <<<"$stdout")" 1
	LANGGRAPH_AES_KEY=$key stores
	same exit "$status" 8
	has "$stdout" "(cannot be decrypted)"
}

# ---- options and forms ------------------------------------------------------------------------------

several() {
	byte checkpoints checkpoint a16e05 a16e06
	change "UPDATE checkpoints SET parent_checkpoint_id = 'x' WHERE $AT;
		DELETE FROM checkpoints WHERE checkpoint_id = '$PARENT'"
}

@test "JSON, NDJSON, porcelain" {
	several
	stores --json
	works
	data '[(r["op"], r["table"]) for r in d["data"]], d["summary"]["differs"], d["summary"]["only_a"]' \
		'[[["only-a", "checkpoints"], ["differs", "checkpoints"], ["differs", "values"]], 2, 1]'
	stores --ndjson
	works
	data '[r["type"] for r in d]' '["difference", "difference", "difference", "summary"]'
	data 'd[2]["thread"], d[2]["id"], d[2]["detail"]' "[\"forked\", \"$HEAD\", \"channel n: 5 \u2192 6\"]"
	stores
	same cells "$(tail -1 <<<"$stdout")" "differs	values	forked		$HEAD	channel n: 5 → 6"
}

@test "--name-only: each checkpoint once; --stat: counts of each table" {
	several
	stores --name-only
	works
	same names "$stdout" "forked		$PARENT
forked		$HEAD"
	stores --name-only --json
	data '[sorted(r) for r in d["data"]]' '[["id", "ns", "thread"], ["id", "ns", "thread"]]'
	stores --stat
	same counts "$(cut -f1,3- <<<"$stdout")" "checkpoints	1	1	0
writes	0	0	0
values	1	0	0"
	stores --stat --json
	data 'sum(r["same"] for r in d["data"]) == d["summary"]["same"]' true
	stores --stat --ndjson
	data 'len(d)' 4
}

@test "--mask and --channel: what does not count" {
	several
	stores --mask '^/values/n$'
	same rows "$(cut -f1,2 <<<"$stdout")" "only-a	checkpoints
differs	checkpoints"
	stores --mask '^/checkpoint/parent$'
	same rows "$(cut -f1,2 <<<"$stdout")" "only-a	checkpoints
differs	values"
	stores --channel n --exit-code
	same exit "$status" 1
	same rows "$(cut -f1,2 <<<"$stdout")" "only-a	checkpoints
differs	values"
	stores --channel log
	same rows "$(cut -f1,2 <<<"$stdout")" "only-a	checkpoints"
}

@test "for people: by thread, with marks and a count" {
	several
	export CKPT_FORCE_TTY=1 NO_COLOR=1 CKPT_PAGER=cat COLUMNS=120
	stores
	works
	same text "$(head -4 <<<"$stdout")" "thread forked
- $PARENT  checkpoint  3 values, 2 writes
~ $HEAD  checkpoint  parent: $PARENT → x
~ $HEAD  value  channel n: 5 → 6"
	has "$(tail -1 <<<"$stdout")" "1 checkpoint only in A, 1 checkpoint and 1 value differ, "
	cp "$db" b.db
	stores
	same text "${stdout%%,*}" "no differences"
}

@test "hostile names and ids come out harmless" {
	change "UPDATE checkpoints SET thread_id = 'a' || char(27) || '[31m' WHERE $AT"
	export CKPT_FORCE_TTY=1 NO_COLOR=1 CKPT_PAGER=cat
	stores
	lacks "$stdout" $'\033'
	has "$stdout" '\u{1b}[31m'
}

@test "the other store: not there, none, not readable; both stay as they were" {
	apart ckpt diff -s "$db" --against nosuch.db
	fails 4 nosuch.db
	[ ! -e nosuch.db ]
	echo text >b.db
	stores
	fails 8 b.db
	cp "$db" b.db
	touch -d 2020-01-01 "$db" b.db
	stores --exit-code
	works
	same files "$(stat -c %Y "$db" b.db)" "$(date -d 2020-01-01 +%s)
$(date -d 2020-01-01 +%s)"
	same left "$(find . -name 'b.db*')" ./b.db
}

@test "a compare that ends early says how far it came" {
	apart ckpt diff -s "$(store broken/flipped-page)" --against "$FIXTURES/py-basic/store.db" --ndjson
	same exit "$status" 8
	data 'd[-1]["complete"], d[-1]["same"], d[-1]["only_a"] > 0' '[false, 0, true]'
	data 'd[-1]["only_a"] == sum(x.get("op") == "only-a" for x in d)' true
}

@test "for people: a name longer than the line is cut" {
	apart sqlite3 "$FIXTURES/py-ids/store.db" 'SELECT max(length(thread_id)) > 1000 FROM checkpoints'
	same "a long name" "$stdout" 1
	CKPT_FORCE_TTY=100 apart ckpt diff -s "$FIXTURES/py-ids/store.db" --against "$FIXTURES/py-basic/store.db" \
		--no-pager --color never
	[ "$(wc -L <<<"$stdout")" -le 100 ]
}

@test "an archive that lost something: never just the same" {
	db=$(store py-hitl)
	python3 "$top/tests/oracle/dump.py" "$db" >whole.jsonl
	apart ckpt diff -s "$db" --against whole.jsonl
	works
	head -n -1 whole.jsonl >cut.jsonl
	for pair in "$db cut.jsonl" "cut.jsonl $db"; do
		apart ckpt diff -s "${pair% *}" --against "${pair#* }" --exit-code
		same "exit $pair" "$status" 8
		same stdout "$stdout" ""
		has "$stderr" "no end line"
	done
	sed '2s/.*/no row/' whole.jsonl >bad.jsonl
	apart ckpt diff -s "$db" --against bad.jsonl
	same exit "$status" 8
	same "what is left" "$(cut -f1 <<<"$stdout" | sort -u)" only-a
}

@test "a file that keeps its texts as UTF-16: read; not compared, not copied, either way" {
	local thread wide words
	for wide in UTF-16le UTF-16be; do
		rm -f wide.db plain.db made.*
		{
			echo "PRAGMA encoding = '$wide';"
			sqlite3 "$FIXTURES/py-hitl/store.db" .dump
			for thread in é 中 😀; do
				echo "INSERT INTO checkpoints SELECT '$thread', checkpoint_ns, checkpoint_id,
					parent_checkpoint_id, type, checkpoint, metadata FROM checkpoints
					WHERE thread_id = 'finished';
				INSERT INTO writes SELECT '$thread', checkpoint_ns, checkpoint_id, task_id,
					task_path, idx, channel, type, value FROM writes WHERE thread_id = 'finished';"
			done
		} | sqlite3 wide.db
		sqlite3 wide.db .dump | sqlite3 plain.db # as the hint says
		is "$(sqlite3 wide.db 'PRAGMA encoding')" "$wide"
		for words in 'list' 'list -l' 'list 中 -l' 'show 😀 --json' 'resume 中' 'check' 'diff é' \
			'list --thread-glob [é中]' 'list --where source=loop --ids'; do
			# shellcheck disable=SC2086  # words
			is "$words: $("$CKPT" -s wide.db $words | sed s/wide/plain/ | sort | sha256sum)" \
				"$words: $("$CKPT" -s plain.db $words | sort | sha256sum)"
		done
		apart ckpt -s wide.db diff --against plain.db
		is "$wide $status" "$wide 7"
		has "$stderr" "'wide.db' keeps its texts as UTF-16"
		has "$stderr" "hint: write it anew as UTF-8: sqlite3 OLD.db .dump | sqlite3 NEW.db"
		apart ckpt -s plain.db diff --against wide.db
		is "$wide $status" "$wide 7"
		apart ckpt migrate wide.db made.db
		is "$wide $status $(ls made.* 2>&1 | grep -c '^made')" "$wide 7 0"
		has "$stderr" "'wide.db' keeps its texts as UTF-16"
		apart ckpt migrate wide.db made.jsonl
		is "$wide $status" "$wide 7"
		apart ckpt migrate wide.db plain.db --verify-only
		is "$wide $status" "$wide 7"
		apart ckpt migrate plain.db wide.db
		is "$wide $status" "$wide 7"
		ckpt migrate plain.db made.db
	done
}
