#!/usr/bin/env bats
# ckpt delete on files: what goes, what stays, the question, refusals, one ckpt at a time.
# PostgreSQL: tests/pg/alter.bats.

# shellcheck disable=SC2016,SC2030,SC2031,SC2154  # subshells of bats; status, stdout, stderr
load helper
load stores

setup() {
	alone || return
	use py-hitl
	db=$store
	export CKPT_STORE=$db
}

teardown() {
	if [ -n "${holder:-}" ]; then kill "$holder" 2>/dev/null || true; fi
	wait
}

rows() { # FILE [WHERE]: what both tables hold
	sqlite3 "$1" "SELECT * FROM checkpoints ${2:-} ORDER BY 1, 2, 3;
		SELECT * FROM writes ${2:-} ORDER BY 1, 2, 3, 4, 5" | sha256sum
}

count() { # THREAD
	sqlite3 "$db" "SELECT (SELECT count(*) FROM checkpoints WHERE thread_id = '$1') || ' ' ||
		(SELECT count(*) FROM writes WHERE thread_id = '$1')"
}

answer() { python3 "$BATS_TEST_DIRNAME/answer.py" "$@"; }

@test "a thread goes with all it has, the others stay as they are" {
	sqlite3 "$db" "INSERT INTO writes (thread_id, checkpoint_id, task_id, idx, channel)
		VALUES ('nested-answered', 'stray', 't', 0, 'c')"
	local others have
	others=$(rows "$db" "WHERE thread_id <> 'nested-answered'")
	have=$(count nested-answered)
	apart ckpt delete --thread nested-answered --yes --json
	is "$status $stderr" "0 "
	data 'd["format"], d["data"]' '["ckpt.delete/1", null]'
	data '"%(checkpoints)d %(writes)d" % d["summary"]' "$have"
	data 'd["summary"]["threads"], d["summary"]["dry_run"]' '[1, false]'
	is "$(count nested-answered)" "0 0"
	is "$(rows "$db" "WHERE thread_id <> 'nested-answered'")" "$others"
	is "$(ls "$BATS_TEST_TMPDIR")" "$(printf 'py-hitl.db\nstderr')"
	ckpt check
}

@test "pipes get rows per table, --ndjson the summary alone" {
	apart ckpt delete --thread finished --yes
	is "$stdout" "$(printf 'checkpoints\t8\nwrites\t18\nblobs\t0')"
	apart ckpt delete --thread finished-twice --thread forked --yes --ndjson
	is "$status" 0
	data '[x["type"] for x in ([d] if isinstance(d, dict) else d)]' '["summary"]'
	data 'd["threads"]' 2
}

@test "--dry-run tells the same, and leaves the file as it is" {
	local before
	before=$(sha256sum <"$db")
	apart ckpt delete --thread finished -n
	is "$status $stdout" "0 $(printf 'checkpoints\t8\nwrites\t18\nblobs\t0')"
	is "$(sha256sum <"$db")" "$before"
}

@test "a name that is not there: exit 4, and nothing is deleted" {
	apart ckpt delete --thread finished --thread finnished --yes
	is "$status" 4
	has "$stderr" "no thread 'finnished'"
	is "$(count finished)" "8 18"
	apart ckpt delete --run-id nobody --yes
	is "$status" 4
	apart ckpt delete --yes
	is "$status" 2
	apart ckpt delete --thread finished --run-id x --yes
	is "$status" 2
}

@test "threads named twice, like an address, like an option, and of rows without checkpoints" {
	sqlite3 "$db" "UPDATE checkpoints SET thread_id = 'forked~1' WHERE thread_id = 'finished';
		DELETE FROM checkpoints WHERE thread_id = 'failed';
		UPDATE checkpoints SET thread_id = CAST('copied' AS BLOB) WHERE thread_id = 'copied'
			AND checkpoint_id = (SELECT max(checkpoint_id) FROM checkpoints
			WHERE thread_id = 'copied')"
	apart ckpt delete --thread forked~1 --thread forked~1 --thread failed --thread=-x --yes
	is "$status" 4
	apart ckpt delete --thread forked~1 --thread forked~1 --thread failed --yes
	is "$status" 0
	is "$(count forked)" "11 $(sqlite3 "$db" "SELECT count(*) FROM writes WHERE thread_id = 'forked'")"
	is "$(count failed)" "0 0"
	# an id kept as BLOB is a thread of its own; the same name again reaches it
	apart ckpt delete --thread copied --yes
	is "$(sqlite3 "$db" "SELECT typeof(thread_id) FROM checkpoints WHERE
		CAST(thread_id AS TEXT) = 'copied'")" blob
	apart ckpt delete --thread copied --yes
	is "$status $(sqlite3 "$db" "SELECT count(*) FROM checkpoints WHERE
		CAST(thread_id AS TEXT) = 'copied'")" "0 0"
}

@test "runs: of a thread that ends with them goes what the dry run told" {
	local want
	sqlite3 "$db" "UPDATE checkpoints SET metadata = CAST(json_set(metadata, '\$.run_id', 'last') AS BLOB)
			WHERE thread_id = 'finished';
		INSERT INTO writes (thread_id, checkpoint_id, task_id, idx, channel)
			VALUES ('finished', 'stray', 't', 0, 'c')"
	want=$(count finished)
	for more in --dry-run --yes; do
		apart ckpt delete --run-id last $more --json
		data '"%(checkpoints)d %(writes)d" % d["summary"]' "$want"
		data 'd["summary"]["threads"]' 1
	done
	is "$(count finished)" "0 0"
}

@test "runs: their checkpoints go in all namespaces, what others need stays and is told" {
	use py-delta
	# of each thread and namespace the newest is of a run of its own
	sqlite3 "$store" "UPDATE checkpoints SET metadata = CAST(json_set(metadata, '\$.run_id',
		CASE WHEN checkpoint_id < (SELECT max(checkpoint_id) FROM checkpoints c WHERE
		c.thread_id = checkpoints.thread_id AND c.checkpoint_ns = checkpoints.checkpoint_ns)
		THEN 'old' ELSE 'new' END) AS BLOB)"
	local thread threads
	threads=$("$CKPT" -s "$store" list --ids)
	for thread in $threads; do
		"$CKPT" -s "$store" show "$thread" --json | jq -cS .data.values
	done >before
	apart ckpt -s "$store" delete --run-id old --yes --json
	is "$status" 0
	data 'd["summary"]["checkpoints"] > 0 and d["summary"]["kept"] > 0' true
	data 'd["summary"]["threads"]' 0
	for thread in $threads; do
		"$CKPT" -s "$store" show "$thread" --json | jq -cS .data.values
	done >after
	cmp before after
	ckpt -s "$store" check
	local left
	left=$(sqlite3 "$store" "SELECT count(*) FROM checkpoints WHERE
		json_extract(metadata, '\$.run_id') = 'old'")
	apart ckpt -s "$store" delete --run-id old --dry-run --json
	data 'd["summary"]["checkpoints"], d["summary"]["kept"]' "[0, $left]"
	apart ckpt -s "$store" delete --run-id new --run-id old --yes --json
	is "$status" 0
	data 'd["summary"]["threads"], d["summary"]["kept"]' "[$(wc -w <<<"$threads"), 0]"
	is "$(sqlite3 "$store" "SELECT (SELECT count(*) FROM checkpoints) +
		(SELECT count(*) FROM writes)")" 0
}

@test "without a terminal --yes has to say it" {
	apart ckpt delete --thread finished --json
	is "$status $stdout" "7 "
	has "$stderr" "refused: deleting 8 checkpoints needs confirmation, and there is no terminal"
	has "$stderr" "hint: add --yes"
	is "$(count finished)" "8 18"
}

@test "on a terminal it asks; more than half of the store wants its name" {
	run answer '\n' "$CKPT" delete --thread finished
	is "$status" 7
	has "$output" "Delete 1 thread with 8 checkpoints (4 %) from py-hitl.db? [y/N]"
	run answer '\x04' "$CKPT" delete --thread finished
	is "$status" 7
	run answer '\x03' "$CKPT" delete --thread finished
	is "$status" 130
	is "$(count finished)" "8 18"
	run answer 'y\n' "$CKPT" delete --thread finished
	is "$status $(count finished)" "0 0 0"
	mapfile -t all < <("$CKPT" list --ids | sed 's/^/--thread=/')
	run answer 'y\n' "$CKPT" delete "${all[@]}"
	is "$status" 7
	has "$output" "This is more than half. Type the store name to go on (py-hitl.db): "
	[ "$("$CKPT" list | wc -l)" = "${#all[@]}" ]
	run answer 'py-hitl.db\n' "$CKPT" delete "${all[@]}"
	is "$status $("$CKPT" list)" "0 "
}

@test "--secure leaves no byte of it, not in free pages, not in the log or journal" {
	local mode
	for mode in wal delete persist; do
		rm -f s.db*
		cp "$FIXTURES/py-hitl/store.db" s.db
		chmod u+w s.db
		sqlite3 s.db "PRAGMA journal_mode = $mode; PRAGMA secure_delete = 0;
			UPDATE writes SET value = CAST(hex(zeroblob(3000)) || 'CANARY' AS BLOB)
				WHERE thread_id = 'finished';
			UPDATE writes SET value = CAST('CANARY' AS BLOB)
				WHERE thread_id = 'finished'" >/dev/null
		grep -q CANARY s.db
		apart ckpt -s s.db delete --thread finished --secure --yes
		is "$mode $status $stderr" "$mode 0 "
		if cat s.db* | grep -q CANARY; then false; fi
		is "$(sqlite3 s.db 'PRAGMA integrity_check; PRAGMA journal_mode')" \
			"$(printf 'ok\n%s' "${mode/persist/delete}")"
	done
}

@test "--secure that is killed, or stopped: no byte of the rows is left once prune --vacuum=full ran" {
	local failing=${FAILPOINTS:-$BATS_TEST_DIRNAME/../../build/failpoints/ckpt} mode how
	[ -x "$failing" ]
	for mode in wal delete persist; do
		for how in kill term; do
			rm -f s.db*
			cp "$FIXTURES/py-hitl/store.db" s.db
			chmod u+w s.db
			sqlite3 s.db "PRAGMA journal_mode = $mode; PRAGMA secure_delete = 0;
				UPDATE writes SET value = CAST('CANARY' AS BLOB)
					WHERE thread_id IN ('finished', 'forked')" >/dev/null
			# an older copy of a live row, in a gap of its page
			sqlite3 s.db "PRAGMA secure_delete = 0;
				UPDATE writes SET value = CAST('OLD-CANARY' AS BLOB)
					WHERE thread_id = 'finished' AND idx = 0;
				UPDATE writes SET value = x'00' WHERE thread_id = 'finished' AND idx = 0"
			status=0
			CKPT_FAILPOINT=delete.commit.after:1:$how "$failing" -s s.db delete \
				--thread finished --thread forked --secure --yes >out 2>err || status=$?
			if [ "$how" = kill ]; then
				is "$mode $status" "$mode 137"
			else
				is "$mode $status" "$mode 143"
				has "$(cat err)" "ckpt prune --vacuum=full"
			fi
			is "$(sqlite3 s.db "SELECT count(*) FROM checkpoints WHERE thread_id = 'finished'")" 0
			apart ckpt -s s.db delete --thread finished --secure --yes
			is "$status" 4
			ckpt -s s.db prune --thread forked --delete-threads --max-delete 90% --yes
			apart ckpt -s s.db prune --vacuum=full --yes
			is "$mode $how $status" "$mode $how 0"
			if cat s.db* | grep -q CANARY; then echo "$mode $how"; false; fi
		done
	done
}

@test "--secure: the rows are overwritten as they go, be it killed right after" {
	local failing=${FAILPOINTS:-$BATS_TEST_DIRNAME/../../build/failpoints/ckpt} mode
	for mode in wal delete persist; do
		rm -f s.db*
		cp "$FIXTURES/py-hitl/store.db" s.db
		chmod u+w s.db
		sqlite3 s.db "PRAGMA journal_mode = $mode; UPDATE writes SET value =
			CAST(hex(zeroblob(30000)) || 'CANARY' AS BLOB) WHERE thread_id = 'finished';
			VACUUM" >/dev/null
		grep -q CANARY s.db
		status=0
		CKPT_FAILPOINT=delete.commit.after "$failing" -s s.db delete --thread finished \
			--secure --yes >/dev/null 2>&1 || status=$?
		is "$mode $status" "$mode 137"
		sqlite3 s.db 'PRAGMA wal_checkpoint(TRUNCATE)' >/dev/null
		if cat s.db s.db-* 2>/dev/null | grep -q CANARY; then echo "$mode"; false; fi
	done
}

@test "--secure beside a reader says that the log could not be emptied" {
	python3 -c '
import sqlite3, sys, time
db = sqlite3.connect(sys.argv[1], isolation_level=None)
db.execute("BEGIN")
db.execute("SELECT count(*) FROM checkpoints").fetchone()
print("here", flush=True)
time.sleep(600)' "$db" >ready 3>&- &
	holder=$!
	until [ -s ready ]; do sleep 0.05; done
	apart ckpt delete --thread finished --secure --yes --lock-wait 0
	is "$status" 3
	has "$stderr" "another process reads the store"
	has "$stderr" "hint: older copies of what is gone may be left in free room: ckpt prune --vacuum=full"
	is "$(count finished)" "0 0"
}

@test "tables that are not LangGraph's are refused, and nothing is written" {
	local n=0 sql
	while IFS= read -r sql; do
		rm -f x.db*
		cp "$FIXTURES/py-hitl/store.db" x.db
		chmod u+w x.db
		sqlite3 x.db "$sql"
		local before
		before=$(sha256sum <x.db)
		apart ckpt -s x.db delete --thread finished --yes
		is "$sql: $status $stdout" "$sql: 7 "
		apart ckpt -s x.db copy finished other
		is "$sql: $status" "$sql: 7"
		is "$sql: $(sha256sum <x.db)" "$sql: $before"
		[ ! -e x.db-ckpt ]
		n=$((n + 1))
	done <<-'END'
		CREATE TRIGGER t AFTER DELETE ON writes BEGIN DELETE FROM checkpoints; END
		CREATE TRIGGER T2 BEFORE INSERT ON "CHECKPOINTS" BEGIN SELECT 1; END
		ALTER TABLE checkpoints RENAME TO c; CREATE VIEW checkpoints AS SELECT * FROM c; CREATE TRIGGER t INSTEAD OF DELETE ON checkpoints BEGIN DELETE FROM c; END
		ALTER TABLE writes RENAME TO w; CREATE VIEW writes AS SELECT * FROM w
		ALTER TABLE checkpoints ADD COLUMN tenant TEXT
		ALTER TABLE writes ADD COLUMN twice AS (idx * 2)
		CREATE TABLE child (t TEXT, n TEXT, c TEXT, FOREIGN KEY (t, n, c) REFERENCES "Checkpoints" ON DELETE CASCADE)
	END
	is "$n" 7
	printf '{"ckpt":"dump","version":1,"engine":"sqlite","layout":"langgraph"}\n{"end":{"checkpoints":0,"writes":0,"blobs":0}}\n' >a.jsonl
	apart ckpt -s a.jsonl delete --thread finished --yes
	is "$status" 7
	has "$stderr" "never altered"
	ln "$db" second.db
	apart ckpt delete --thread finished --yes
	is "$status" 7
	has "$stderr" "hard links"
}

# Somebody who may read everything here and write what all may write.
as_nobody() {
	if [ "$(id -u)" = 0 ]; then
		setpriv --reuid 65534 --regid 65534 --clear-groups "$@"
	else
		"$@"
	fi
}

@test "a file that may not be written to: exit 9, nothing left behind" {
	mkdir shut
	cp "$db" shut/s.db
	chmod 444 shut/s.db
	chmod 555 shut
	chmod 755 "$BATS_TEST_TMPDIR" "$BATS_RUN_TMPDIR" "$BATS_FILE_TMPDIR" || true
	status=0
	as_nobody "$CKPT" -s shut/s.db delete --thread finished --yes 2>err || status=$?
	is "$status" 9
	is "$(ls shut)" s.db
	chmod 755 shut
}

hold() { # a ckpt that has its lock and waits for SQLite's
	python3 -c '
import sqlite3, sys, time
db = sqlite3.connect(sys.argv[1], isolation_level=None)
db.execute("BEGIN IMMEDIATE")
print("here", flush=True)
time.sleep(600)' "$db" >ready 3>&- &
	holder=$!
	until [ -s ready ]; do sleep 0.05; done
	"$CKPT" delete --thread finished --yes --lock-wait 90s >first 2>&1 3>&- &
	first=$!
	until [ -s "$db-ckpt" ]; do sleep 0.05; done
}

@test "one ckpt at a time: of fifty more not one, and they say who it is" {
	hold
	local i codes=()
	for i in $(seq 50); do
		"$CKPT" delete --thread forked --yes --lock-wait 0 2>"err.$i" &
		codes[i]=$!
	done
	for i in $(seq 50); do
		status=0
		wait "${codes[i]}" || status=$?
		is "$status" 6
	done
	has "$(cat err.1)" "is being altered by another ckpt: ckpt delete, process $first on $(hostname), since 2"
	kill "$holder"
	wait "$first"
	holder=
	is "$(count finished)" "0 0"
	[ ! -e "$db-ckpt" ]
	ckpt delete --thread forked --yes
}

@test "the lock of a killed ckpt is free at once" {
	hold
	kill -9 "$first"
	wait "$first" || true
	kill "$holder"
	wait "$holder" || true
	holder=
	[ -e "$db-ckpt" ]
	is "$(count finished)" "8 18"
	apart ckpt delete --thread finished --yes
	is "$status" 0
	[ ! -e "$db-ckpt" ]
}

@test "users who share a store share its lock" {
	[ "$(id -u)" = 0 ] || skip "only root can be somebody else"
	mkdir shared
	chmod 777 shared
	chmod 755 "$BATS_TEST_TMPDIR"
	mv "$db" shared/s.db
	db=$PWD/shared/s.db
	chmod 666 "$db"
	export CKPT_STORE=$db
	hold
	status=0
	as_nobody "$CKPT" delete --thread forked --yes 2>err || status=$?
	is "$status" 6
	has "$(cat err)" "process $first on"
	kill "$holder"
	wait "$first"
	# and the other way round, with a lock that a killed one of the other user left
	printf 'ckpt prune, process 1 on there, since then' >"$db-ckpt"
	chown 65534 "$db-ckpt"
	ckpt delete --thread forked --yes
	[ ! -e "$db-ckpt" ]
}

@test "something else in the lock's place is not written to" {
	echo mine >mine
	ln -s mine "$db-ckpt"
	apart ckpt delete --thread finished --yes
	is "$status" 7
	rm "$db-ckpt"
	ln mine "$db-ckpt"
	apart ckpt delete --thread finished --yes
	is "$status" 7
	rm "$db-ckpt"
	cp "$db" "$db-ckpt"
	apart ckpt delete --thread finished --yes
	is "$status" 7
	cmp "$db" "$db-ckpt"
	rm "$db-ckpt"
	mkfifo "$db-ckpt"
	apart ckpt delete --thread finished --yes
	is "$status" 7
	rm "$db-ckpt"
	is "$(cat mine)" mine
	is "$(count finished)" "8 18"
	mkdir sub
	ln -s "../$(basename "$db")" sub/link.db
	hold
	apart ckpt -s sub/link.db delete --thread forked --yes
	is "$status" 6
	has "$stderr" "another ckpt"
}

@test "who waits for SQLite's lock says so after a second, and can be stopped" {
	hold
	until [ -s first ]; do sleep 0.1; done
	has "$(cat first)" "waiting for the lock of '$db'"
	kill -TERM "$first"
	status=0
	wait "$first" || status=$?
	is "$status" 143
	is "$(count finished)" "8 18"
	[ ! -e "$db-ckpt" ]
	apart ckpt copy finished new --lock-wait 0
	is "$status $stdout" "6 "
	has "$stderr" "database is locked"
}

@test "rows of any number go: done is said of nothing that is left" {
	sqlite3 "$db" "UPDATE checkpoints SET rowid = -1 - rowid WHERE thread_id = 'failed'"
	apart ckpt delete --thread failed --yes
	is "$status" 0
	is "$(sqlite3 "$db" "SELECT count(*) FROM checkpoints WHERE thread_id = 'failed'")" 0
}
