#!/usr/bin/env bats
# Reading leaves no trace: names, inodes, owners, sizes and times are the same before and after,
# whatever the journal mode, the owner and the neighbours; and a wrong path creates nothing.

# shellcheck disable=SC2030,SC2031,SC2034,SC2154  # each test is a subshell of bats
load helper
load stores

setup() {
	alone || return
	db=$(store py-hitl)
	dir=$(dirname "$db")
	writer=
	as=()
}

teardown() {
	if [ -n "$writer" ]; then
		kill "$writer" 2>/dev/null || true
		wait "$writer" 2>/dev/null || true
	fi
	chmod -R u+w "$BATS_TEST_TMPDIR" || true
}

# Every way of reading; each must work.
read_all() {
	local rc
	for words in "list" "list --json -l" "list forked" "list --all --ns * --ndjson" \
		"list forked --graph" "show forked --json" "show forked@{step:2}" "list --limit 2"; do
		rc=0
		set -f
		# shellcheck disable=SC2086  # a command line
		"${as[@]}" "$CKPT" -s "$db" $words >"$BATS_TEST_TMPDIR/read.out" 2>"$BATS_TEST_TMPDIR/read.err" || rc=$?
		set +f
		if [ "$rc" != 0 ]; then
			printf '%s: exit %s: %s\n' "$words" "$rc" "$(cat "$BATS_TEST_TMPDIR/read.err")" >&2
			return 1
		fi
	done
}

untouched() {
	local before after
	before=$(listing "$dir")
	read_all || return 1
	after=$(listing "$dir")
	same listing "$after" "$before"
}

# As untouched, where a side file's name must stay and the rest of it is SQLite's own: readers
# of a live WAL lock and mark their place in -shm, and a folder's time moves with side files.
same_store() {
	local before after
	before=$(listing "$dir" | grep -v -e '-shm ' | grep '^store') && before+=$(ls -A "$dir")
	read_all || return 1
	after=$(listing "$dir" | grep -v -e '-shm ' | grep '^store') && after+=$(ls -A "$dir")
	same listing "$after" "$before"
}

# A Python process that holds the store open in WAL mode, with committed rows in the -wal and a
# transaction under way.
live_writer() {
	python3 - "$db" <<'EOF' &
import sqlite3, sys, time
c = sqlite3.connect(sys.argv[1], isolation_level=None)
c.execute("PRAGMA journal_mode=WAL")
c.execute("INSERT INTO checkpoints (thread_id, checkpoint_id, type, checkpoint, metadata) "
          "VALUES ('live', '1', 'msgpack', x'80', '{}')")
c.execute("BEGIN IMMEDIATE")
c.execute("INSERT INTO checkpoints (thread_id, checkpoint_id, type, checkpoint, metadata) "
          "VALUES ('not yet', '1', 'msgpack', x'80', '{}')")
open(sys.argv[1] + ".ready", "w").close()
time.sleep(600)
EOF
	writer=$!
	for _ in $(seq 100); do
		if [ -e "$db.ready" ]; then
			rm "$db.ready"
			return
		fi
		sleep 0.1
	done
	return 1
}

other_user() {
	[ "$(id -u)" = 0 ]
	as=(setpriv --reuid=65534 --regid=65534 --clear-groups)
	"${as[@]}" test -x "$CKPT"
	chmod 755 "$BATS_RUN_TMPDIR" "$BATS_RUN_TMPDIR"/* "$BATS_TEST_TMPDIR" "$dir"
	chmod 644 "$dir"/*
	"${as[@]}" test -r "$db"
}

@test "rollback journal" {
	sqlite3 "$db" 'PRAGMA journal_mode=DELETE' >/dev/null
	untouched
}

@test "rollback journal, folder read-only, another user" {
	sqlite3 "$db" 'PRAGMA journal_mode=DELETE' >/dev/null
	other_user
	chmod 555 "$dir"
	untouched
}

@test "idle WAL store, ours" {
	same wal "$(od -An -tu1 -j18 -N1 "$db" | tr -d ' ')" 2
	same_store
	same "side files" "$(ls -A "$dir")" store.db
}

@test "idle WAL store, several readers at once" {
	local before
	before=$(listing "$dir" | grep '^store')
	for _ in 1 2 3 4 5; do
		for _ in 1 2 3 4 5 6; do
			"$CKPT" -s "$db" list --json -l >/dev/null 3>&- &
		done
		wait
	done
	same listing "$(listing "$dir" | grep '^store')" "$before"
}

@test "idle WAL store, another user's, folder read-only" {
	other_user
	chmod 555 "$dir"
	untouched
}

@test "idle WAL store, another user's, folder writable for all" {
	other_user
	chmod 777 "$dir"
	chmod 666 "$db"
	untouched
}

@test "idle WAL store, ours, folder read-only" {
	chmod 555 "$dir"
	same_store
	same "side files" "$(ls -A "$dir")" store.db
}

@test "live writer: committed rows are seen, others not, nothing is moved" {
	live_writer
	same_store
	apart ckpt list -s "$db" --ids
	same exit "$status" 0
	has "$stdout" live
	lacks "$stdout" "not yet"
}

@test "live writer, another user reads" {
	other_user
	live_writer
	chmod 644 "$dir"/*
	same_store
}

@test "-wal without -shm: its rows are read, nothing is made" {
	db=$(store py-hitl/wal)
	dir=$(dirname "$db")
	same files "$(cd "$dir" && echo *)" "store.db store.db-wal"
	untouched
	apart ckpt list -s "$db" --ids
	has "$stdout" wal-only
}

@test "-wal without -shm, another user, folder read-only" {
	db=$(store py-hitl/wal)
	dir=$(dirname "$db")
	other_user
	chmod 555 "$dir"
	untouched
}

@test "-wal and -shm of a writer that was killed" {
	live_writer
	kill -9 "$writer"
	wait "$writer" 2>/dev/null || true
	writer=
	same files "$(cd "$dir" && echo *)" "store.db store.db-shm store.db-wal"
	untouched
	apart ckpt list -s "$db" --ids
	has "$stdout" live
	lacks "$stdout" "not yet"
}

@test "hot journal: exit 7, said how to get out, nothing changed" {
	sqlite3 "$db" 'PRAGMA journal_mode=DELETE' >/dev/null
	python3 - "$db" <<'EOF'
import os, sqlite3, sys
c = sqlite3.connect(sys.argv[1], isolation_level=None)
c.execute("PRAGMA cache_size=1")
c.execute("PRAGMA cache_spill=1")
c.execute("BEGIN IMMEDIATE")
c.execute("UPDATE checkpoints SET metadata = zeroblob(20000)")
os._exit(0)
EOF
	[ -s "$db-journal" ]
	local before
	before=$(listing "$dir")
	apart ckpt list -s "$db"
	fails 7 journal hint
	apart ckpt show -s "$db" forked --json
	same exit "$status" 7
	error_is refused 7
	same listing "$(listing "$dir")" "$before"
	apart ckpt delete -s "$db" --thread forked --dry-run
	same exit "$status" 7
	same listing "$(listing "$dir")" "$before"
	# who alters it rolls back first, as the application would
	apart ckpt delete -s "$db" --thread forked --yes
	same exit "$status" 0
	case $stderr in *"rolled back"*) ;; *) false ;; esac
	[ ! -e "$db-journal" ]
	same metadata "$(sqlite3 "$db" 'SELECT max(length(metadata)) < 20000 FROM checkpoints')" 1
}

@test "a copy of the main file alone is read as it is" {
	live_writer
	mkdir "$BATS_TEST_TMPDIR/copy"
	cp "$db" "$BATS_TEST_TMPDIR/copy/store.db"
	db=$BATS_TEST_TMPDIR/copy/store.db
	dir=$BATS_TEST_TMPDIR/copy
	same_store
	same "side files" "$(ls -A "$dir")" store.db
}

@test "damaged stores are not touched" {
	local name
	for name in truncated header-only not-a-database empty-file flipped-page cut-wal deep-blob; do
		db=$(store "broken/$name")
		dir=$(dirname "$db")
		local before
		before=$(listing "$dir" | grep '^store')
		"$CKPT" -s "$db" list >/dev/null 2>&1 || true
		"$CKPT" -s "$db" show edited-past >/dev/null 2>&1 || true
		same "$name" "$(listing "$dir" | grep '^store')" "$before"
	done
}

@test "a wrong path creates nothing" {
	mkdir empty
	cd empty
	local words
	for words in "list" "list x" "show x" "list --all --json" "show x --raw --channel y"; do
		# shellcheck disable=SC2086  # a command line
		apart ckpt -s nosuch.db $words
		same "$words" "$status" 4
	done
	same files "$(ls -A)" ""
}

@test "symbolic links are followed, not replaced" {
	mkdir links
	ln -s "$db" links/here.db
	apart ckpt list -s links/here.db --ids
	same exit "$status" 0
	same files "$(ls -A links)" here.db
	same "side files" "$(ls -A "$dir")" store.db
}

@test "a store named by a link in another folder: side files are looked for beside the file" {
	mkdir here there
	cp "$FIXTURES"/py-hitl/wal/* here/
	ln -s ../here/store.db there/x.db
	md5sum here/* >before
	apart ckpt -s there/x.db list --ids
	is "$status" 0
	has "$stdout" "wal-only"
	md5sum here/* >after
	cmp before after
	is "$(ls there)" "x.db"
}
