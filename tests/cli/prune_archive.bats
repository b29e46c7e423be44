#!/usr/bin/env bats
# ckpt prune --archive: what goes is in the file first, all of it; and files that are no archive, or
# no store that may be altered. Plans, rules and refusals: prune.bats.

# shellcheck disable=SC2030,SC2031,SC2154  # subshells of bats; status, stdout, stderr
load helper
load stores

setup() {
	alone || return
	use py-basic
	db=$store
	export CKPT_STORE=$db
}

all() { "$CKPT" -s "${1:-$db}" list --all --ns '*' | cut -f1-3; }

@test "--archive holds what goes and nothing else, and brings it back" {
	for fixture in py-basic py-delta py-hitl js-basic; do
		for archive in a.jsonl a.db; do
			store=$(store "$fixture")
			cp -r "$(dirname "$store")" whole
			rm -f a.*
			(umask 0; apart ckpt prune -s "$store" --keep-last 1 --archive "$archive" --yes; is "$status" 0
			has "$stderr" "rows, compared, synced"
			has "$stderr" "to bring it back:  ckpt migrate $archive $store")
			is "$(stat -c %a "$archive")" 600
			is "$(all "$archive" "$store" | sort)" "$("$CKPT" -s whole/store.db diff --against "$store" |
				cut -f3-5 | sort)"
			ckpt migrate "$archive" "$store" >/dev/null
			is "$(ckpt diff -s whole/store.db --against "$store")" ""
			rm -rf whole "$(dirname "$store")"
		done
	done
}

@test "--archive: a file that is there is refused, unless it holds all that goes" {
	echo mine >a.jsonl
	apart ckpt prune --keep-last 1 --archive a.jsonl --yes
	is "$status" 7
	is "$(cat a.jsonl)" mine
	ln -s nowhere b.jsonl
	apart ckpt prune --keep-last 1 --archive b.jsonl --yes
	is "$status" 7
	apart ckpt prune --keep-last 1 --archive "$db" --yes
	is "$status" 7
	is "$(all | wc -l)" 75
	cp "$db" again.db
	apart ckpt prune --keep-last 1 --archive c.jsonl --yes -q
	is "$status $(all | wc -l)" "0 13"
	# as if it had been interrupted: more is still there than should be
	apart ckpt prune -s again.db --keep-last 3 --archive c.jsonl --yes
	is "$status" 0
	has "$stderr" "of a run before"
	apart ckpt prune -s again.db --keep-last 1 --archive c.jsonl --yes
	is "$status" 0
	# the same keys with other contents
	use py-basic
	sqlite3 "$store" "UPDATE writes SET value = x'c0' WHERE thread_id = 'chat-1'"
	apart ckpt prune --keep-last 1 --archive c.jsonl --yes
	is "$status" 7
	has "$stderr" "does not hold what goes"
	is "$(all | wc -l)" 75
}

@test "--archive of whole threads has their writes without a checkpoint, too; all are counted" {
	sqlite3 "$db" "INSERT INTO writes (thread_id, checkpoint_ns, checkpoint_id, task_id, idx,
		channel, type, value) SELECT thread_id, ns, id, 'task', 0, 'c', 'msgpack', x'c0' FROM
		(SELECT DISTINCT thread_id FROM checkpoints), (SELECT '' AS ns UNION SELECT 'a:1'),
		(SELECT '1' AS id UNION SELECT 'x')"
	local whole writes
	whole=$(sqlite3 "$db" .dump | sort | sha256sum)
	writes=$(sqlite3 "$db" "SELECT count(*) FROM writes WHERE thread_id IN ('chat-1', 'chat-3')")
	apart ckpt prune --delete-threads --thread chat-1 --thread chat-3 -n --json
	data 'd["summary"]["writes"]' "$writes"
	for archive in a.jsonl a.db; do
		apart ckpt prune --delete-threads --thread chat-1 --thread chat-3 --archive $archive \
			--yes --json
		data 'd["summary"]["writes"]' "$writes"
		is "$(sqlite3 "$db" "SELECT count(*) FROM writes WHERE thread_id = 'chat-1'")" 0
		ckpt migrate $archive "$db" -q
		is "$(sqlite3 "$db" .dump | sort | sha256sum)" "$whole"
	done
	# a thread that stays keeps them
	apart ckpt prune --delete-threads --idle 36500d --yes --json
	data 'd["summary"]["writes"]' 0
	is "$(sqlite3 "$db" .dump | sort | sha256sum)" "$whole"
}

@test "--archive with the name of a side file is refused: SQLite would take it for its own" {
	for end in wal shm journal ckpt; do
		apart ckpt prune --keep-last 1 --archive "$db-$end" --yes
		is "$status" 7
	done
	ln -s "$db" other
	apart ckpt prune --keep-last 1 --archive other-journal --yes
	is "$status" 7
	has "$stderr" "a file of the store's own"
	is "$(all | wc -l)" 75
}

@test "a file that keeps its texts as UTF-16 has another order of keys: nothing goes" {
	{
		echo "PRAGMA encoding = 'UTF-16le';"
		sqlite3 "$db" .dump
		for thread in é 中 😀; do
			echo "INSERT INTO checkpoints SELECT '$thread', checkpoint_ns, checkpoint_id,
				parent_checkpoint_id, type, checkpoint, metadata FROM checkpoints
				WHERE thread_id = 'chat-1';"
		done
	} | sqlite3 wide.db
	local was
	was=$(sqlite3 wide.db .dump | sha256sum)
	for archive in "" --archive=a.jsonl; do
		apart ckpt prune -s wide.db --keep-last 1 --yes ${archive:+"$archive"}
		[ "$status" -eq 7 ] || [ "$status" -eq 6 ]
	done
	apart ckpt delete -s wide.db --thread é --yes
	is "$status" 7
	has "$stderr" "keeps its texts as UTF-16le"
	is "$(sqlite3 wide.db .dump | sha256sum)" "$was"
}

@test "keys that may be numbers or NULL are not LangGraph's: nothing goes" {
	{
		echo "CREATE TABLE checkpoints (thread_id, checkpoint_ns, checkpoint_id, parent_checkpoint_id,
			type, checkpoint, metadata, PRIMARY KEY (thread_id, checkpoint_ns, checkpoint_id));"
		sqlite3 "$db" .dump | sed 's/^CREATE TABLE/CREATE TABLE IF NOT EXISTS/'
		echo "UPDATE checkpoints SET thread_id = 5 WHERE thread_id = 'chat-1';"
	} | sqlite3 loose.db
	for words in "prune --keep-last 1" "prune --delete-threads --thread chat-3" "delete --thread chat-3"; do
		# shellcheck disable=SC2086  # words
		apart ckpt $words -s loose.db --yes
		is "$status" 7
		has "$stderr" "may hold what is no text"
	done
	is "$(sqlite3 loose.db "SELECT count(*) FROM checkpoints")" 75
}

@test "--archive where nothing can be written: nothing is deleted" {
	apart ckpt prune --keep-last 1 --archive no/such/folder/a.jsonl --yes
	is "$status" 9
	apart ckpt prune --keep-last 1 --archive /dev/full --yes
	is "$status" 7
	is "$(all | wc -l)" 75
}

rows() { python3 "$top/tests/cli/odd_rows.py" print "$1"; }

@test "what an archive brings back is every row as it was: keys as BLOB, payloads as TEXT, NULL, NUL" {
	local fixture seed form how
	for fixture in py-basic py-delta py-old-v3 js-basic; do
		for seed in 0 1 2; do
			use "$fixture"
			[ "$seed" = 0 ] || python3 "$top/tests/cli/odd_rows.py" fill "$store" "$seed"
			rows "$store" >before
			for form in jsonl db; do
				for how in "--keep-last 1" "--delete-threads --thread-glob * --max-delete 100%"; do
					rm -f a.* new.db*
					set -f
					# shellcheck disable=SC2086  # words
					apart ckpt prune -s "$store" $how --min-age 0 --active-within 0 \
						--no-keep-interrupted --archive a.$form --yes
					set +f
					is "$fixture $seed $form $status $stderr" "$fixture $seed $form 0 $stderr"
					rows "$store" >left
					ckpt migrate a.$form new.db -q
					# into an empty one, too, which has all columns
					if sqlite3 "$store" .schema | grep -q task_path; then
						comm -23 <(sort before) <(sort left) | diff - <(rows new.db | sort)
					fi
					ckpt migrate a.$form "$store" -q
					diff before <(rows "$store")
				done
			done
		done
	done
}

@test "a number where text or bytes belong has no form in an archive: nothing goes" {
	local column form was
	for column in "checkpoints SET checkpoint = 5" "checkpoints SET metadata = 0.5" \
		"writes SET value = -1" "writes SET idx = 1.5"; do
		use py-basic
		sqlite3 "$store" "UPDATE $column WHERE rowid = (SELECT min(rowid) FROM ${column%% *})"
		was=$(rows "$store")
		for form in jsonl db; do
			apart ckpt prune -s "$store" --delete-threads --thread-glob '*' --max-delete 100% \
				--archive a.$form --yes
			is "$column $form $status" "$column $form 7"
			has "$stderr" "a number where text or bytes belong"
			is "$(ls a.* 2>/dev/null)" ""
			is "$(rows "$store")" "$was"
		done
	done
}

@test "an archive that was cut off is none: not for a run that goes on, nor for bringing back" {
	ckpt prune --keep-last 1 --archive whole.jsonl --yes -q
	ckpt migrate whole.jsonl "$db" -q
	local was lines cut
	was=$(rows "$db")
	lines=$(wc -l <whole.jsonl)
	for cut in 1 2 $((lines / 2)) $((lines - 1)); do
		head -n "$cut" whole.jsonl >a.jsonl
		apart ckpt prune --keep-last 1 --archive a.jsonl --yes
		is "$cut $status" "$cut 7"
		has "$stderr" "is there already, and is not whole"
		rm -f new.db
		apart ckpt migrate a.jsonl new.db
		is "$cut $status" "$cut 7"
	done
	head -c -100 whole.jsonl >a.jsonl
	apart ckpt prune --keep-last 1 --archive a.jsonl --yes
	is "$status" 7
	is "$(rows "$db")" "$was"
	# the whole one will do, and so it does when half of what it holds is gone already
	sqlite3 "$db" "DELETE FROM checkpoints WHERE thread_id = 'chat-1' AND checkpoint_id IN (SELECT
		checkpoint_id FROM checkpoints WHERE thread_id = 'chat-1' ORDER BY checkpoint_id LIMIT 5)"
	apart ckpt prune --keep-last 1 --archive whole.jsonl --yes
	is "$status" 0
	has "$stderr" "of a run before"
	# the same values in other bytes are not what went
	ckpt migrate whole.jsonl "$db" -q
	sqlite3 "$db" "UPDATE checkpoints SET metadata = CAST(metadata AS TEXT) WHERE rowid IN (SELECT rowid
		FROM checkpoints WHERE thread_id = 'chat-1' ORDER BY checkpoint_id LIMIT 1)"
	apart ckpt prune --keep-last 1 --archive whole.jsonl --yes
	is "$status" 7
	has "$stderr" "does not hold what goes"
}

@test "the archive and its folder are on disk before the first row is deleted" {
	strace -o "$BATS_TEST_TMPDIR/try" true || skip "nothing may be traced here"
	local form
	export ASAN_OPTIONS=${ASAN_OPTIONS:+$ASAN_OPTIONS:}detect_leaks=0 # that traces, too
	mkdir there
	for form in jsonl db; do
		use py-basic
		strace -f -y -o trace -e trace=fsync,fdatasync,pwrite64,write,rename,renameat2 \
			"$CKPT" prune -s "$store" --keep-last 1 --archive there/a.$form --yes -q >/dev/null
		# the last call for the folder and for the file come before the first write to the store
		awk -v file="there/a.$form>" -v folder="there>" -v store="$store" '
			index($0, "sync(") && index($0, file) { synced = NR }
			index($0, "sync(") && index($0, folder) { named = NR }
			index($0, "write") && (index($0, store ">") || index($0, store "-wal>")) &&
				!written { written = NR }
			END { print synced && named && written && synced < written && named < written }' trace >order
		is "$form $(cat order)" "$form 1"
	done
}

@test "no archive is written for a run that will be refused" {
	sqlite3 "$db" "CREATE TABLE mine (t TEXT, n TEXT, c TEXT, FOREIGN KEY (t, n, c) REFERENCES
		checkpoints (thread_id, checkpoint_ns, checkpoint_id))"
	apart ckpt prune --keep-last 1 --archive a.jsonl --yes
	is "$status" 7
	has "$stderr" "table 'mine' refers to rows of LangGraph's tables"
	[ ! -e a.jsonl ]
}
