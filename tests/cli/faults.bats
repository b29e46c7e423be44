#!/usr/bin/env bats
# A store that breaks while it is listed: what was read is given, the document is closed and says
# that it is not complete, the exit code says why. The same on PostgreSQL: tests/pg/cli.bats.

# shellcheck disable=SC2154  # status, stdout, stderr: set by apart
load helper
load stores

# torn PATH: 3,000 checkpoints; one page well within the table is no page any more.
torn() {
	python3 - "$1" <<'EOF'
import sqlite3, sys
path = sys.argv[1]
db = sqlite3.connect(path)
db.executescript("""
PRAGMA page_size=4096;
CREATE TABLE checkpoints (thread_id TEXT NOT NULL, checkpoint_ns TEXT NOT NULL DEFAULT '',
 checkpoint_id TEXT NOT NULL, parent_checkpoint_id TEXT, type TEXT, checkpoint BLOB,
 metadata BLOB, PRIMARY KEY (thread_id, checkpoint_ns, checkpoint_id));
CREATE TABLE writes (thread_id TEXT NOT NULL, checkpoint_ns TEXT NOT NULL DEFAULT '',
 checkpoint_id TEXT NOT NULL, task_id TEXT NOT NULL, idx INTEGER NOT NULL,
 channel TEXT NOT NULL, type TEXT, value BLOB,
 PRIMARY KEY (thread_id, checkpoint_ns, checkpoint_id, task_id, idx));
""")
body = b'{"v":4,"ts":"2026-01-01T00:00:00+00:00","channel_values":{},"channel_versions":{}}'
db.executemany("INSERT INTO checkpoints VALUES (?, '', ?, NULL, 'json', ?, '{\"step\":1}')",
               (("t%04d" % (i // 3), "%06d" % i, body) for i in range(3000)))
db.commit()
db.close()
data = bytearray(open(path, "rb").read())
leaves = [at for at in range(4096, len(data), 4096) if data[at] == 13]
at = leaves[len(leaves) * 7 // 12]   # not where rows are sampled for their writers
data[at:at + 16] = b"\xff" * 16
open(path, "wb").write(data)
EOF
}

@test "a page that is none any more: the document is closed, exit 8" {
	torn torn.db
	apart "$CKPT" -s torn.db list --all --json
	is "$status" 8
	data 'd["summary"]["complete"], 0 < len(d["data"]) < 3000' '[false, true]'
	error_is integrity 8
}

@test "the same in lines: the summary says it" {
	torn torn.db
	apart "$CKPT" -s torn.db list --all --ndjson
	is "$status" 8
	data '0 < len(d) < 3000 and d[-1]["type"], d[-1]["complete"]' '["summary", false]'
	error_is integrity 8
}

@test "porcelain gives whole lines up to there" {
	torn torn.db
	apart "$CKPT" -s torn.db list --all --porcelain
	is "$status" 8
	is "$(awk -F '\t' 'NF != 5' <<<"$stdout")" ""
	is "$(($(wc -l <<<"$stdout") > 100))" 1
	has "$stderr" "malformed"
}

@test "what is asked for before anything is told leaves stdout empty" {
	local db
	db=$(store broken/flipped-page)
	apart "$CKPT" -s "$db" list -l --json
	fails 8 "malformed"
	error_is integrity 8
}
