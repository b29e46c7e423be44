#!/usr/bin/env bats
# `ckpt check` on SQLite: every code has a store that gives it and nothing else; healthy stores
# give nothing; one bad row hides no other.

# shellcheck disable=SC2030,SC2031,SC2154  # each test is a subshell; of the helpers
load helper
load stores

# edit SQL…: change the copy.
edit() { sqlite3 "$db" "$@"; }

# made PYTHON: run with `db`, and row(thread, n) and put(row) for checkpoint rows.
made() {
	python3 - "$db" "$1" <<'EOF'
import sqlite3, sys
db = sqlite3.connect(sys.argv[1], isolation_level=None)
def row(thread, n):
    return list(db.execute("SELECT thread_id, checkpoint_ns, checkpoint_id, parent_checkpoint_id, type, "
        "checkpoint, metadata FROM checkpoints WHERE thread_id=? AND checkpoint_ns='' "
        "ORDER BY checkpoint_id", [thread]).fetchall()[n])
def put(r):
    db.execute("INSERT INTO checkpoints VALUES (?,?,?,?,?,?,?)", r)
def renamed(r, thread, id, parent):
    return [thread, r[1], id, parent, r[4], r[5].replace(r[2].encode(), id.encode()), r[6]]
exec(sys.argv[2])
EOF
}

# finds EXIT [CODE=N…]: the check of $db ends so, with these codes and no others but infos.
finds() {
	local code=$1
	shift
	apart ckpt check -s "$db" --json
	same "exit ($stderr $stdout)" "$status" "$code" || return 1
	data '" ".join("%s=%d" % (c, sum(x["code"] == c for x in d["data"])) for c in
		sorted({x["code"] for x in d["data"] if x["severity"] != "info"}))' "$*"
}

@test "healthy stores have neither errors nor warnings" {
	for name in js-basic py-age py-delta py-hitl py-meta py-old-json py-old-v1 py-old-v2 py-old-v3 \
		py-old-v4 py-store py-subgraph py-upgraded; do
		db=$FIXTURES/$name/store.db
		finds 0 || { echo "$name"; return 1; }
		data 'd["summary"]["checked"] > 5' true
	done
}

@test "three more are as their makers meant them: a value changed in place, ids out of order, a plain row" {
	db=$FIXTURES/py-basic/store.db
	finds 0 version-collision=1
	data 'd["data"][0]["thread"], d["data"][0]["channel"]' '["in-place", "box"]'
	db=$FIXTURES/py-ids/store.db
	finds 0 id-order=5
	db=$FIXTURES/py-aes/store.db
	finds 0 plaintext-in-encrypted=1
	data 'sorted({x["code"] for x in d["data"]})' '["opaque", "plaintext-in-encrypted"]'
	LANGGRAPH_AES_KEY=$(python3 -c 'import json, sys
print(json.load(open(sys.argv[1]))["aes_key"])' "$FIXTURES/py-aes/oracle.json")
	export LANGGRAPH_AES_KEY
	finds 0 plaintext-in-encrypted=1
	data 'd["summary"]["infos"]' 0
}

@test "undecodable: every bad part of every row is told, with its place" {
	db=$(store py-hitl)
	edit "UPDATE checkpoints SET checkpoint = x'c1' WHERE thread_id = 'ask-both' AND
			parent_checkpoint_id IS NULL" \
		"UPDATE checkpoints SET metadata = '{\"step\":' WHERE thread_id = 'ask-both'" \
		"UPDATE writes SET value = x'92c3' WHERE rowid IN
			(SELECT rowid FROM writes WHERE thread_id = 'forked' AND type = 'msgpack' LIMIT 3)"
	finds 8 undecodable=9
	data '[x["detail"] for x in d["data"] if "at byte 0 of 1" in x["detail"]]' \
		'["checkpoint: bad byte, at byte 0 of 1"]'
	data 'len([x for x in d["data"] if x["detail"].startswith("metadata: ends early")])' 5
	data 'len([x for x in d["data"] if x["channel"] and x["detail"].startswith("write ")])' 3
}

@test "undecodable: what only LangGraph's reader refuses" {
	local value
	for value in a2fffe 818001 81d4070101 d407c1; do
		db=$(store py-hitl)
		edit "UPDATE writes SET type = 'msgpack', value = x'$value' WHERE rowid = 1"
		finds 8 undecodable=1 || { echo "$value"; return 1; }
	done
	for value in 7b7d2078 22 2261016222 22ff22; do
		db=$(store py-hitl)
		edit "UPDATE writes SET type = 'json', value = x'$value' WHERE rowid = 1"
		finds 8 undecodable=1 || { echo "$value"; return 1; }
	done
}

@test "undecodable: a wrong key, row by row" {
	db=$FIXTURES/py-aes/store.db
	export LANGGRAPH_AES_KEY=0123456789abcdef
	apart ckpt check -s "$db" --json
	same exit "$status" 8
	data 'all("cannot be decrypted" in x["detail"] for x in d["data"] if x["code"] == "undecodable")' true
	data 'd["summary"]["errors"] > 40' true
}

@test "broken stores: exit 8 where something does not load, and the bad row is named" {
	local name id
	for name in bad-blob bad-metadata bad-write cut-blob deep-blob empty-blob huge-length; do
		db=$(store "broken/$name")
		id=$(python3 -c 'import json, sys
print(json.load(open(sys.argv[1]))["id"])' "$FIXTURES/broken/$name/oracle.json")
		finds 8 undecodable=1 || { echo "$name"; return 1; }
		data '[x["id"] for x in d["data"]]' "[\"$id\"]"
	done
	db=$(store broken/nulls)
	finds 8 undecodable=2 unknown-type=2
	db=$(store broken/delta-dangling)
	finds 8 broken-delta=6
	data 'sorted({x["channel"] for x in d["data"] if x["code"] == "broken-delta"})' '["events", "files"]'
}

@test "id-mismatch" {
	db=$(store py-hitl)
	made 'r = row("finished", 3); db.execute("UPDATE checkpoints SET checkpoint=? WHERE checkpoint_id=? "
		"AND thread_id=?", [r[5].replace(r[2].encode(), r[2][::-1].encode()), r[2], r[0]])'
	finds 8 id-mismatch=1
}

@test "self-parent, cycle: one finding for each" {
	db=$(store py-hitl)
	edit "UPDATE checkpoints SET parent_checkpoint_id = checkpoint_id WHERE thread_id = 'finished' AND
		parent_checkpoint_id IS NULL"
	finds 8 self-parent=1
	db=$(store py-hitl)
	made 'a, b = row("finished", 0), row("finished", 2)
db.execute("UPDATE checkpoints SET parent_checkpoint_id=? WHERE thread_id=? AND checkpoint_id=?",
	[b[2], a[0], a[2]])'
	finds 8 cycle=1
	data '[x["detail"] for x in d["data"]]' "[\"3 checkpoints are each other's ancestors\"]"
}

@test "duplicate-key: a key as bytes beside the same as text; twins in a table without its key" {
	db=$(store py-hitl)
	made 'r = row("finished", 7); r[2] = r[2].encode(); put(r)'
	finds 8 duplicate-key=1
	db=$(store py-hitl)
	edit "CREATE TABLE c2 AS SELECT * FROM checkpoints" "DROP TABLE checkpoints" \
		"ALTER TABLE c2 RENAME TO checkpoints"
	made 'put(row("finished", 7))'
	finds 8 duplicate-key=1 schema-drift=1
}

@test "orphan-write: one finding for a checkpoint; not what may only be ahead" {
	db=$(store py-hitl)
	made 'r = row("finished", 3); db.execute("DELETE FROM checkpoints WHERE thread_id=? AND checkpoint_id=?",
		[r[0], r[2]])'
	finds 0 orphan-write=1
	db=$(store py-hitl)
	made 'import time, uuid
t = time.time_ns() // 100 + 0x01b21dd213814000
young = str(uuid.UUID(int=(t >> 12) << 80 | 6 << 76 | (t & 0xfff) << 64 | 0x8005 << 48 | 1))
r = row("finished", 7)
db.execute("UPDATE writes SET checkpoint_id=? WHERE rowid=1", [young])'
	finds 0
}

@test "orphan-namespace" {
	db=$(store py-subgraph)
	edit "DELETE FROM writes WHERE thread_id = 'fan' AND checkpoint_ns = ''" \
		"DELETE FROM checkpoints WHERE thread_id = 'fan' AND checkpoint_ns = ''"
	finds 0 orphan-namespace=3
}

@test "orphan-namespace: not of a call whose root is there, but not the stateful subgraph between them" {
	db=$(store py-subgraph)
	made 'import json
for row in db.execute("SELECT rowid, metadata FROM checkpoints WHERE checkpoint_ns LIKE \"%:%\"").fetchall():
	meta = json.loads(row[1]); meta.setdefault("parents", {})["gone"] = "1f000000-0000-6000-8000-000000000000"
	db.execute("UPDATE checkpoints SET metadata=? WHERE rowid=?", [json.dumps(meta).encode(), row[0]])
	assert "" in meta["parents"]'
	finds 0
}

@test "version-regression, version-collision" {
	db=$(store py-hitl)
	made 'import re
r = row("finished", 6); top = max(re.findall(rb"\d{32}\.", r[5]))
db.execute("UPDATE checkpoints SET checkpoint=? WHERE thread_id=? AND checkpoint_id=?",
	[r[5].replace(top, b"0" * 31 + b"1."), r[0], r[2]])'
	finds 0 version-regression=3
	db=$(store broken/flipped-byte)
	finds 0 version-collision=1
}

@test "id-order, future-id" {
	db=$(store py-hitl)
	made 'r = row("finished", 3); a, b = r[2][:-4] + "0001", r[2][:-4] + "0002"
put(renamed(r, "made", a, b)); put(renamed(r, "made", b, None))'
	finds 0 id-order=1
	db=$(store py-hitl)
	made 'r = row("finished", 3); put(renamed(r, "made", "2" + r[2][1:], None))'
	finds 0 future-id=1
}

@test "unknown-type: a tag, an ext code, none at all" {
	db=$(store py-hitl)
	edit "UPDATE writes SET type = 'cbor' WHERE rowid = 1" \
		"UPDATE writes SET type = NULL WHERE rowid = 2" \
		"UPDATE writes SET type = 'msgpack', value = x'91d45001' WHERE rowid = 3"
	finds 0 unknown-type=3
}

@test "schema-drift: columns, triggers, foreign keys, missing tables; of no thread" {
	db=$(store py-hitl)
	edit "ALTER TABLE writes ADD COLUMN tenant TEXT" \
		"CREATE TRIGGER t AFTER DELETE ON checkpoints BEGIN SELECT 1; END" \
		"CREATE TABLE mine (id TEXT REFERENCES checkpoints (thread_id))"
	finds 0 schema-drift=3
	data '[x["thread"] for x in d["data"]]' '[null, null, null]'
	db=$(store broken/no-writes-table)
	finds 0 schema-drift=1
}

@test "missing-parent and opaque are no warnings" {
	db=$(store broken/missing-parent)
	finds 0
	data '{x["code"] for x in d["data"]} == {"missing-parent"}' true
	db=$(store py-hitl)
	edit "UPDATE writes SET type = 'pickle' WHERE rowid IN (1, 2)"
	finds 0
	data 'sum(int(x["detail"].split()[0]) for x in d["data"] if x["code"] == "opaque")' 2
}

@test "--thread: only these, repeatable; one that is not there is exit 4" {
	db=$(store py-hitl)
	edit "UPDATE checkpoints SET metadata = 'x' WHERE thread_id IN ('finished', 'forked', 'ask-both')"
	apart ckpt check -s "$db" --thread finished --thread forked --json
	same exit "$status" 8
	data 'sorted({x["thread"] for x in d["data"]})' '["finished", "forked"]'
	data 'd["summary"]["checked"]' 19
	apart ckpt check -s "$db" --thread finished --thread nobody
	fails 4 nobody
}

@test "every form says the same" {
	db=$(store broken/bad-write)
	apart ckpt check -s "$db"
	same exit "$status" 8
	same columns "$(awk -F'\t' '{ print NF, $1, $2, $3 }' <<<"$stdout")" "7 error undecodable edited-past"
	apart ckpt check -s "$db" --ndjson
	data '[x["type"] for x in d]' '["finding", "summary"]'
	data 'd[0]["channel"], d[1]["errors"], d[1]["checked"]' '["log", 1, 25]'
	CKPT_FORCE_TTY=120 apart ckpt check -s "$db"
	has "$stdout" "1 error, 0 warnings, 0 notes; 25 checkpoints checked"
}

@test "what a store holds cannot harm a terminal" {
	db=$(store py-hitl)
	edit "UPDATE writes SET type = 'x' || char(27) || '[31m', channel = char(27) || ']0;' WHERE rowid = 1"
	apart ckpt check -s "$db"
	printf '%s' "$stdout" >out
	harmless out
	CKPT_FORCE_TTY=200 apart ckpt check -s "$db" --color never
	printf '%s' "$stdout" >out
	harmless out
}

@test "for people: a detail is never cut, ids show their ends, in every width" {
	db=$(store broken/bad-write)
	for width in 60 80 120; do
		CKPT_FORCE_TTY=$width apart ckpt check -s "$db" --color never
		[ "$(wc -L <<<"${stdout%$'\n'*}")" -le "$width" ] || { echo "$stdout"; return 1; }
		has "$stdout" "508af2a129 "
		has "$(tr -d '\n ' <<<"$stdout")" "write1oftask02cfd3c5-bde8-3b69-9c20-2c565185e184:badbyte,atbyte0of9"
	done
	CKPT_FORCE_TTY=100 apart ckpt check -s "$db" --color never
	same detail "$(sed -n 3p <<<"$stdout")" \
		"    write 1 of task 02cfd3c5-bde8-3b69-9c20-2c565185e184: bad byte, at byte 0 of 9"
	CKPT_FORCE_TTY=200 apart ckpt check -s "$db" --color never
	same lines "$(wc -l <<<"$stdout")" 3
}

@test "a damaged page hides only the rows that lie in it" {
	db=$(store broken/flipped-page)
	apart ckpt check -s "$db" --json
	same exit "$status" 8
	data 'd["summary"]["errors"], d["summary"]["checked"], [f["code"] for f in d["data"]]' \
		'[2, 25, ["undecodable", "undecodable"]]'
}

@test "a check that ends early says how far it came" {
	cp "$FIXTURES/py-hitl/store.db" cut.db
	python3 - cut.db <<'END'
import sqlite3, sys
db = sqlite3.connect(sys.argv[1])
(size,), = db.execute("PRAGMA page_size")
(root,), = db.execute("SELECT rootpage FROM sqlite_master WHERE name LIKE '%autoindex_checkpoints%'")
db.close()
with open(sys.argv[1], "r+b") as f:    # where every key is looked up
    f.seek((root - 1) * size)
    f.write(bytes(200))
END
	apart ckpt check -s cut.db --json
	same exit "$status" 8
	data 'd["summary"]["complete"], d["summary"]["checked"] < 25' '[false, true]'
}

@test "an archive without its end: told of the archive, not of a line" {
	python3 "$top/tests/oracle/dump.py" "$FIXTURES/py-hitl/store.db" | head -n -1 >cut.jsonl
	apart ckpt check -s cut.jsonl
	same exit "$status" 8
	same detail "$(cut -f2,7 <<<"$stdout")" "undecodable	it has no end line, rows may be missing"
}
