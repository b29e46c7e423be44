#!/usr/bin/env bats
# ckpt prune: what stays and why, every option and refusal, plans, the question. Archives:
# prune_archive.bats; --vacuum: vacuum.bats.
# PostgreSQL: tests/pg/prune.bats. Whether what stays loads with the real library: tests/interop.

# shellcheck disable=SC2016,SC2030,SC2031,SC2154  # subshells of bats; status, stdout, stderr
load helper
load stores

setup() {
	alone || return
	use py-basic
	db=$store
	export CKPT_STORE=$db
}

all() { "$CKPT" -s "${1:-$db}" list --all --ns '*' | cut -f1-3; }
plan() { "$CKPT" prune "$@" -n --json | jq -r .data.plan; }
dropped() { "$CKPT" prune "$@" -n --list 2>/dev/null | awk -F'\t' '$1 == "drop"' | wc -l; }
answer() { python3 "$BATS_TEST_DIRNAME/answer.py" "$@"; }

# values of every checkpoint that is left, as ckpt and so LangGraph reads them
values() {
	"$CKPT" -s "$1" list --all --ns '*' --json |
		jq -r '.data[] | [.thread, .ns, .id] | join("\u001f")' |
		while IFS=$'\x1f' read -r t n i; do
		printf '%s %s %s ' "$t" "$n" "$i"
		"$CKPT" -s "$1" show --thread "$t" --ns "$n" --checkpoint "$i" --json | jq -cS .data.values
	done
}

# ---- forms ------------------------------------------------------------------------------------------

@test "pipes get a row for each thread and namespace, --list one for each checkpoint" {
	apart ckpt prune --keep-last 1 --dry-run --thread chat-1
	is "$status $stdout" "0 $(printf 'chat-1\t\t1\t14\t42680\tlast=1,head=1')"
	has "$stderr" "plan 2"
	has "$stderr" "would delete 14 checkpoints"
	apart ckpt prune --keep-last 1 --dry-run --thread chat-3 --list -q
	is "$stderr" ""
	is "$(cut -f1 <<<"$stdout" | sort | uniq -c | tr -d ' ' | tr '\n' ' ')" "4drop 1keep "
	is "$(awk -F'\t' '$1 == "keep" { print $2, $6 }' <<<"$stdout")" "chat-3 last,head"
}

@test "--json has plan, policy, threads, and with --list checkpoints; --ndjson their lines" {
	apart ckpt prune --keep-last 2 --keep-within 36h --min-age 90s --dry-run --json --list
	is "$status $stderr" "0 "
	data 'd["format"], d["data"]["dry_run"]' '["ckpt.prune/1", true]'
	data 'd["data"]["policy"]["keep_last"], d["data"]["policy"]["keep_within"]' '[2, 129600]'
	data 'd["data"]["policy"]["min_age"], d["data"]["policy"]["active_within"]' '[90, 900]'
	data 'sum(t["drop"] for t in d["data"]["threads"]) == d["summary"]["checkpoints"]' true
	data 'sum(t["bytes"] for t in d["data"]["threads"]) == d["summary"]["bytes"]' true
	data 'sum(c["action"] == "drop" for c in d["data"]["checkpoints"]) == d["summary"]["checkpoints"]' true
	data 'd["summary"]["file_bytes_before"] == d["summary"]["file_bytes_after"]' true
	apart ckpt prune --keep-last 2 --dry-run --ndjson --list
	data 'sorted(set(x["type"] for x in d))' '["plan-checkpoint", "plan-thread", "summary"]'
	data 'd[-1]["dry_run"], d[-1]["plan"][8] == "T"' '[true, true]'
	apart ckpt prune --keep-last 2 --dry-run --json
	data '"checkpoints" in d["data"]' false
}

@test "a terminal gets the policy, a table, and the command that does it" {
	export CKPT_FORCE_TTY=1
	apart ckpt prune -s "$db" --keep-last 20 --keep-within 7d --thread 'chat-1' --dry-run --color never
	is "$status" 0
	has "$stdout" "policy: keep last 20 per thread and namespace, or younger than 1w; guards: min-age 1h"
	has "$stdout" "WHY KEPT"
	has "$stdout" "last: 15, head: 1"
	lacks "$stdout" "run it"
	apart ckpt prune -s "$db" --keep-last 2 -n --list --where 'a b=c' --color never
	lacks "$stdout" "run it"
	apart ckpt prune -s "$db" --keep-last 2 -n --list --thread chat-1 --color never
	has "$stdout" "run it:  ckpt prune -s $db --keep-last 2 --thread chat-1 --expect-plan 2"
	local line
	line=$(grep -o 'prune -s .*' <<<"$stdout")
	unset CKPT_FORCE_TTY
	eval "apart ckpt $line --yes"
	is "$status" 0
	is "$(dropped --keep-last 2 --thread chat-1)" 0
}

# ---- what stays ---------------------------------------------------------------------------------------

@test "what goes is what the dry run said; the same again deletes nothing" {
	local want
	for fixture in py-basic py-delta py-subgraph py-hitl js-basic py-old-v3 py-old-v1 \
		py-old-json; do
		for policy in "--keep-last 1" "--keep-daily 1 --no-keep-heads"; do
			store=$(store "$fixture")
			# shellcheck disable=SC2086  # words
			apart ckpt prune -s "$store" $policy --dry-run --list
			is "$status" 0
			want=$(awk -F'\t' '$1 == "keep" { print $2 "\t" $3 "\t" $4 }' <<<"$stdout" | sort)
			# shellcheck disable=SC2086
			apart ckpt prune -s "$store" $policy --yes --json
			is "$status $stderr" "0 "
			is "$(all "$store" | sort)" "$want"
			is "$("$CKPT" diff -s "$FIXTURES/$fixture/store.db" --against "$store" |
				grep -vc '^only-a	checkpoints' || true)" 0
			"$CKPT" -s "$store" check >found || true
			is "$(grep -c '^error' found || true)" 0
			# shellcheck disable=SC2086
			apart ckpt prune -s "$store" $policy --yes --json
			data 'd["summary"]["checkpoints"]' 0
		done
	done
}

@test "delta channels: what stays has the values it had" {
	store=$(store py-delta)
	ckpt prune -s "$store" --keep-daily 1 --no-keep-heads --yes -q >/dev/null
	values "$store" >after
	[ "$(wc -l <after)" -gt 100 ]
	values "$FIXTURES/py-delta/store.db" >before
	is "$(sort before after | uniq -d | wc -l)" "$(wc -l <after)"
}

@test "rules: each keeps what it says, together they keep more" {
	sqlite3 "$db" "UPDATE checkpoints SET metadata = CAST(json_set(metadata, '\$.keep', json('true'))
		AS BLOB) WHERE thread_id = 'chat-1' AND json_extract(metadata, '\$.step') = 3"
	is "$(dropped --keep-last 5 --thread chat-1)" 10
	is "$(dropped --keep-last 5 --keep-where keep=true --thread chat-1)" 9
	is "$(dropped --keep-where keep=true --thread chat-1)" 13
	is "$(dropped --keep-last 1 --keep-thread chat-1)" 48
	is "$(dropped --keep-thread chat-1 --thread chat-1)" 0
	is "$(dropped --keep-within 3650d)" 0
	is "$(dropped --older-than 3650d)" 0
	is "$(dropped --strategy keep_latest)" "$(dropped --keep-last 1)"
	for rule in hourly daily weekly monthly; do
		is "$(dropped --keep-$rule 1 --thread chat-1)" 14
	done
	is "$(dropped --keep-last 0 --keep-within 3650d)" 0
}

@test "metadata that cannot be read keeps what --keep-where asks about" {
	sqlite3 "$db" "UPDATE checkpoints SET metadata = CAST('{\"keep\":' AS BLOB) WHERE thread_id = 'chat-3'"
	apart ckpt prune --keep-where keep=true --thread chat-3 -n --json
	is "$status" 0
	data 'd["data"]["threads"][0]["keep"], d["data"]["threads"][0]["why"]["undecodable"]' '[5, 5]'
}

@test "guards: age, activity, the future, interrupts, heads" {
	local now
	now=$(sqlite3 "$db" "SELECT max(checkpoint_id) FROM checkpoints WHERE thread_id = 'chat-1'")
	is "$("$CKPT" list chat-1 --limit 1 | cut -f3)" "$now"
	local t
	t=$("$CKPT" list chat-1 --limit 1 | cut -f5)
	# a minute later
	t=$(date -u -d "$t + 1 minute" +%Y-%m-%dT%H:%M:%SZ)
	apart ckpt prune --keep-last 1 --thread chat-1 -n --json --as-of "$t"
	data 'd["data"]["threads"][0]["drop"], d["summary"]["threads_skipped"]' '[0, 1]'
	data '"active" in d["data"]["threads"][0]["why"]' true
	apart ckpt prune --keep-last 1 --thread chat-1 -n --json --as-of "$t" --active-within 0
	data 'd["data"]["threads"][0]["drop"], d["data"]["threads"][0]["why"]["min-age"]' '[12, 3]'
	apart ckpt prune --keep-last 1 --thread chat-1 -n --json --as-of "$t" --active-within 0 --min-age 0
	data 'd["data"]["threads"][0]["drop"]' 14
	apart ckpt prune --keep-last 1 --thread chat-1 -n --json --as-of 2020-01-01
	data 'd["data"]["threads"][0]["why"]' '{"future": 15}'
	use py-hitl
	export CKPT_STORE=$store
	apart ckpt prune --keep-last 1 --thread forked -n --json
	data 'd["data"]["threads"][0]["why"]["head"]' 2
	apart ckpt prune --keep-last 1 --thread forked -n --json --no-keep-heads
	data 'd["data"]["threads"][0]["keep"]' 1
	apart ckpt prune --delete-threads --idle 1d -n --json --max-delete 100%
	data 'sum("interrupt" in t["why"] for t in d["data"]["threads"]) > 3' true
	apart ckpt prune --delete-threads --idle 1d -n --json --max-delete 100% --no-keep-interrupted
	data 'sum(t["keep"] for t in d["data"]["threads"])' 0
}

@test "what stays only as a head is named where it is the most of what stays" {
	# two checkpoints a day for thirty days, each the parent of the next
	python3 - "$db" <<-'END'
		import sqlite3, sys
		db = sqlite3.connect(sys.argv[1])
		row = db.execute("SELECT type, checkpoint, metadata FROM checkpoints LIMIT 1").fetchone()
		before = None
		for n in range(60):
		    t = (1767225600 + n * 43200) * 10**7 + 0x01b21dd213814000
		    h = f"{t:015x}"
		    at = f"{h[:8]}-{h[8:12]}-6{h[12:]}-8000-000000000000"
		    db.execute("INSERT INTO checkpoints VALUES ('days', '', ?, ?, ?, ?, ?)", (at, before, *row))
		    before = at
		db.commit()
	END
	local note="28 of 30 checkpoints stay only because they are heads of branches"
	apart ckpt prune --thread days --keep-daily 40 --yes
	is "$status $("$CKPT" list days --ids | wc -l)" "0 30"
	lacks "$stderr" "heads of branches"
	apart ckpt prune --thread days --keep-daily 2 -n
	is "$status" 0
	has "$stderr" "$note"
	has "$stderr" "--no-keep-heads"
	apart ckpt prune --thread days --keep-daily 2 -n --json
	has "$stderr" "$note"
	apart ckpt prune --thread days --keep-daily 2 --yes
	has "$stderr" "$note"
	apart ckpt prune --thread days --keep-daily 2 -n -q
	is "$stderr" ""
	apart ckpt prune --thread days --keep-daily 16 -n # 14 of 30 are not the most
	lacks "$stderr" "heads of branches"
	apart ckpt prune --thread days --keep-daily 2 -n --no-keep-heads
	lacks "$stderr" "heads of branches"
	is "$("$CKPT" prune --thread days --keep-daily 2 -n --no-keep-heads --json | jq .summary.checkpoints)" 28
}

@test "encrypted without the key: metadata tells whether delta channels may need their chain" {
	store=$(store py-aes)
	apart ckpt prune -s "$store" --keep-last 1 -n --json
	is "$status" 0
	data 'd["summary"]["checkpoints"] > 0' true
	sqlite3 "$store" "UPDATE checkpoints SET metadata = CAST(json_set(metadata,
		'\$.counters_since_delta_snapshot', json('{\"messages\":[1,1]}')) AS BLOB)"
	apart ckpt prune -s "$store" --keep-last 1 -n --json
	data 'sum(t["why"].get("undecodable", 0) for t in d["data"]["threads"]) > 0' true
	data 'sum(t["drop"] for t in d["data"]["threads"] if "undecodable" in t["why"])' 0
}

# ---- selection ---------------------------------------------------------------------------------------

@test "threads: literal, by pattern, from a file, by NUL, in shards" {
	is "$(dropped --keep-last 1 --thread chat-1 --thread chat-2 --thread chat-1)" 16
	is "$(dropped --keep-last 1 --thread-glob 'chat-[12]')" 16
	printf 'chat-1\nchat-2\n\nchat-1' >names
	is "$(dropped --keep-last 1 --threads-from names)" 16
	is "$(dropped --keep-last 1 --threads-from - <names)" 16
	printf 'chat-1\0chat-2\0' >names
	is "$(dropped --keep-last 1 --threads-from names -0)" 16
	apart ckpt prune --keep-last 1 --threads-from names --null -n
	is "$status" 2
	local n=0 i
	for i in 1 2 3; do n=$((n + $(dropped --keep-last 1 --shard $i/3))); done
	is "$n" "$(dropped --keep-last 1)"
	: >names
	is "$(dropped --keep-last 1 --threads-from names)" 0
}

@test "a literal name that is not there is exit 4, patterns and conditions delete nothing" {
	local before
	before=$(all | sha256sum)
	apart ckpt prune --keep-last 1 --thread chat-1 --thread chat-9 --yes
	is "$status" 4
	has "$stderr" "no thread 'chat-9'"
	apart ckpt prune --keep-last 1 --run-id nobody --yes
	is "$status" 4
	has "$stderr" "no run 'nobody'"
	apart ckpt prune --keep-last 1 --thread-glob 'chatt*' --yes
	is "$status $stdout" "0 "
	apart ckpt prune --keep-last 1 --where user=nobody --yes
	is "$status $stdout" "0 "
	apart ckpt prune --keep-last 1 --threads-from names --yes
	is "$status" 4
	is "$(all | sha256sum)" "$before"
}

@test "--ns, --where, --run-id: others stay, and do not count" {
	sqlite3 "$db" "UPDATE checkpoints SET metadata = CAST(json_set(metadata, '\$.run_id',
		CASE WHEN json_extract(metadata, '\$.step') % 2 THEN 'odd' ELSE 'even' END) AS BLOB)"
	apart ckpt prune --keep-last 1 --thread chat-1 --run-id odd -n --json
	data 'd["data"]["threads"][0]["keep"], d["data"]["threads"][0]["drop"]' '[1, 7]'
	apart ckpt prune --keep-last 1 --thread chat-1 --where step=3 -n --json
	data 'd["data"]["threads"][0]["keep"], d["data"]["threads"][0]["drop"]' '[1, 0]'
	use py-subgraph
	apart ckpt prune -s "$store" --keep-last 1 --ns '' -n --json
	data 'set(t["ns"] for t in d["data"]["threads"]) == {""}' true
	is "$(plan -s "$store" --keep-last 1 --ns '*' | cut -d- -f2)" \
		"$(plan -s "$store" --keep-last 1 | cut -d- -f2)"
}

# ---- whole threads, debris ------------------------------------------------------------------------------

@test "--delete-threads takes threads whole, with all rows" {
	sqlite3 "$db" "INSERT INTO writes (thread_id, checkpoint_id, task_id, idx, channel)
		VALUES ('chat-2', 'stray', 't', 0, 'c')"
	apart ckpt prune --delete-threads --thread chat-2 --yes --json
	is "$status $stderr" "0 "
	data 'd["summary"]["threads_emptied"], d["data"]["policy"]["delete_threads"]' '[1, true]'
	is "$(sqlite3 "$db" "SELECT count(*) FROM writes WHERE thread_id = 'chat-2'")" 0
	apart ckpt prune --strategy delete --thread chat-1 -n --json
	data 'd["summary"]["threads_emptied"]' 1
	apart ckpt prune --delete-threads --idle 3650d -n --json
	data 'd["summary"]["threads_emptied"]' 0
	sqlite3 "$db" "UPDATE checkpoints SET metadata = CAST(json_set(metadata, '\$.user', 7) AS BLOB)
		WHERE thread_id = 'chat-1' AND json_extract(metadata, '\$.step') = 3"
	apart ckpt prune --delete-threads --where user=7 -n --json
	data '[(t["thread"], t["keep"]) for t in d["data"]["threads"]]' '[["chat-1", 0]]'
}

@test "--orphans: writes without checkpoint, unless they may still get one" {
	local old new
	old=$(sqlite3 "$db" "SELECT min(checkpoint_id) FROM checkpoints WHERE thread_id = 'chat-1'")
	new=$(sqlite3 "$db" "SELECT max(checkpoint_id) FROM checkpoints")
	sqlite3 "$db" "INSERT INTO writes (thread_id, checkpoint_id, task_id, idx, channel, type, value) VALUES
		('chat-1', '${old:0:24}000000000000', 't', 0, 'c', 'null', x''),
		('chat-1', 'ffffffff-ffff-6fff-8000-000000000000', 't', 0, 'c', 'null', x''),
		('gone', '$new', 't', 0, 'c', 'null', x''),
		('gone', 'no-uuid', 't', 0, 'c', 'null', x'')"
	apart ckpt prune --orphans -n --json
	is "$status" 0
	data 'd["summary"]["checkpoints"], d["summary"]["writes"]' '[0, 2]'
	apart ckpt prune --orphans --archive debris.jsonl --yes
	is "$status" 0
	is "$(sqlite3 "$db" "SELECT group_concat(thread_id || substr(checkpoint_id, 1, 1)) FROM writes
		WHERE channel = 'c' AND task_id = 't'")" "chat-1f,gonen"
	is "$(grep -c '^{"write"' debris.jsonl)" 2
	apart ckpt prune --orphans -n --json
	data 'd["summary"]["writes"]' 0
}

@test "--orphans: of a thread that ends with it goes what was planned, and nothing more" {
	local gone planned
	use py-subgraph
	sqlite3 "$store" "DELETE FROM checkpoints WHERE thread_id = 'nested' AND checkpoint_ns = '';
		DELETE FROM writes WHERE thread_id = 'nested' AND checkpoint_ns = '';
		INSERT INTO writes (thread_id, checkpoint_ns, checkpoint_id, task_id, idx, channel) SELECT
			thread_id, checkpoint_ns, 'ffffffff-ffff-6fff-8000-000000000000', 'ahead', 0, 'c'
			FROM checkpoints WHERE thread_id = 'nested' LIMIT 1;
		INSERT INTO writes (thread_id, checkpoint_ns, checkpoint_id, task_id, idx, channel) SELECT
			thread_id, checkpoint_ns, substr(max(checkpoint_id), 1, 24) || 'ffffffffffff', 'late', 0, 'c'
			FROM checkpoints WHERE thread_id = 'nested' GROUP BY thread_id, checkpoint_ns"
	apart ckpt prune -s "$store" --orphans -n --json
	planned=$(jq -c .summary <<<"$stdout")
	is "$(jq .threads_emptied <<<"$planned")" 1
	gone=$(sqlite3 "$store" "SELECT count(*) FROM writes")
	apart ckpt prune -s "$store" --orphans --archive all.jsonl --yes --json
	is "$status $(jq -c .summary <<<"$stdout")" "0 $planned"
	is "$((gone - $(sqlite3 "$store" "SELECT count(*) FROM writes")))" "$(jq .writes <<<"$planned")"
	is "$(sqlite3 "$store" "SELECT group_concat(task_id) FROM writes WHERE thread_id = 'nested'")" ahead
	apart ckpt prune -s "$store" --orphans -n --json
	data 'd["summary"]["writes"]' 0
}

# ---- refusals ------------------------------------------------------------------------------------------

@test "--orphans: a namespace whose metadata names no caller is none" {
	local names n=0
	for names in 5 null '[]' '""' true '{"a":"b"}' '"gone"'; do
		n=$((n + 1))
		sqlite3 "$db" "INSERT INTO checkpoints SELECT thread_id, 'call:$n', checkpoint_id, NULL, type,
			checkpoint, '{\"parents\":{\"\":$names}}' FROM checkpoints WHERE thread_id = 'chat-1'
			AND checkpoint_ns = '' ORDER BY checkpoint_id LIMIT 2"
	done
	is "$("$CKPT" prune --orphans -n 2>/dev/null | cut -f1-4)" "$(printf 'chat-1\tcall:7\t0\t2')"
}

@test "a policy that is empty or keeps nothing is refused" {
	apart ckpt prune --yes
	fails 7 "no rule says what to keep" "hint: see which there are: ckpt help policies"
	for rule in "--keep-last 0" "--keep-within 0" "--older-than 0" "--keep-daily 0 --keep-weekly 0"; do
		# shellcheck disable=SC2086  # words
		apart ckpt prune $rule --yes
		fails 7 "refused: this policy keeps nothing" "ckpt prune --delete-threads --idle 30d"
	done
	apart ckpt prune --delete-threads --yes
	fails 7 "would delete all"
	apart ckpt prune --delete-threads --idle 0 --yes
	fails 7 "would delete all"
}

@test "words that make no policy: exit 2" {
	for words in "--keep-last -1" "--keep-within 5m" "--keep-last x" "--delete-threads --idle 1d --keep-last 1" \
		"--idle 1d" "--delete-threads --thread chat-1 --ns x" "--keep-last 1 --shard 3/2" \
		"--keep-last 1 --shard 0/2" "--keep-last 1 --shard 1/+2" "--keep-last 1 --max-delete x" \
		"--keep-last 1 --max-delete 101%" \
		"--keep-last 1 --expect-plan x" "--keep-last 1 -0" "--keep-last 1 --where x" \
		"--keep-last 1 --vacuum=x" "--strategy keep_latest --keep-last 2" "--strategy other" \
		"--keep-last 1 --archive postgresql://x/y --yes" \
		"--keep-last 1 --as-of 2026-11-01 --expect-plan 20261101T000000Z-0123456789abcdef"; do
		# shellcheck disable=SC2086  # words
		apart ckpt prune $words
		is "$words: $status" "$words: 2"
	done
	is "$(all | wc -l)" 75
	apart ckpt prune --keep-last 1 --vacuum= --yes
	is "$status $(all | wc -l)" "2 75"
	has "$stderr" "--vacuum= needs a value: full"
	apart ckpt prune --keep-where x
	has "$stderr" "--keep-where 'x'"
	apart ckpt prune --older-than 30d --as-of 2126-11-21 --yes
	is "$status $(all | wc -l)" "7 75"
	has "$stderr" "--as-of"
	apart ckpt prune --older-than 30d --as-of 2126-11-21 --dry-run
	is "$status" 0
	apart ckpt prune --keep-daily -1
	has "$stderr" "--keep-daily"
}

@test "--max-delete counts checkpoints, of whole threads threads; --yes does not lift it" {
	apart ckpt prune --keep-last 1 --max-delete 61 --yes
	is "$status" 7
	has "$stderr" "62 of 75 checkpoints would go, --max-delete allows 61"
	apart ckpt prune --keep-last 1 --max-delete 82% --yes
	is "$status" 7
	apart ckpt prune --delete-threads --idle 1d --yes
	is "$status" 7
	has "$stderr" "the default limit of 50%"
	apart ckpt prune --delete-threads --thread-glob '*' --yes
	is "$status" 7
	is "$(all | wc -l)" 75
	apart ckpt prune --delete-threads --idle 1d --max-delete 100% -n
	is "$status" 0
	"$CKPT" list --ids >names
	apart ckpt prune --delete-threads --threads-from names -n
	is "$status" 0
	apart ckpt prune --keep-last 1 --max-delete 83% --yes
	is "$status $(all | wc -l)" "0 13"
}

@test "without a terminal --yes is needed; a person is asked, and types the name where most goes" {
	apart ckpt prune --keep-last 1
	is "$status" 7
	has "$stderr" "refused: deleting 62 checkpoints needs confirmation, and there is no terminal"
	has "$stderr" "hint: add --yes (and, for unattended runs, --max-delete 20%)"
	is "$(all | wc -l)" 75
	status=0
	stdout=$(answer 'n\n' "$CKPT" prune --keep-last 1 --thread chat-3) || status=$?
	is "$status" 7
	has "$stdout" "Delete 4 checkpoints (5 %) from py-basic.db? [y/N]"
	status=0
	stdout=$(answer 'y\n' "$CKPT" prune --keep-last 1) || status=$?
	is "$status" 7
	has "$stdout" "Type the store name"
	is "$(all | wc -l)" 75
	answer 'y\n' "$CKPT" prune --keep-last 1 --thread chat-3
	is "$(all | wc -l)" 71
	answer 'py-basic.db\n' "$CKPT" prune --keep-last 1
	is "$(all | wc -l)" 13
}

# ---- plans ---------------------------------------------------------------------------------------------

@test "--expect-plan does what the dry run said; what came since stays, and does not count" {
	local id last
	id=$(plan --keep-last 3)
	last=${id%%Z-*}
	is "$(plan --keep-last 3 --as-of "${id:0:4}-${id:4:2}-${id:6:2}T${id:9:2}:${id:11:2}:${last:13}Z")" "$id"
	last=$(sqlite3 "$db" "SELECT max(checkpoint_id) FROM checkpoints WHERE thread_id = 'chat-1'")
	sqlite3 "$db" "INSERT INTO checkpoints SELECT thread_id, checkpoint_ns,
		'1fffffff' || substr(checkpoint_id, 9), checkpoint_id, type, checkpoint, metadata
		FROM checkpoints WHERE checkpoint_id = '$last'"
	apart ckpt prune --keep-last 3 --expect-plan "$id" --yes --json
	is "$status $stderr" "0 "
	data 'd["data"]["plan"]' "$id"
	data '[t["why"] for t in d["data"]["threads"] if t["thread"] == "chat-1"]' \
		'[{"last": 3, "head": 1, "newer": 1}]'
	is "$(dropped --keep-last 3)" 0
}

@test "--expect-plan: another set of keys is exit 7, and nothing goes" {
	local id
	id=$(plan --keep-last 3)
	sqlite3 "$db" "DELETE FROM checkpoints WHERE thread_id = 'chat-1' AND checkpoint_id =
		(SELECT min(checkpoint_id) FROM checkpoints WHERE thread_id = 'chat-1')"
	apart ckpt prune --keep-last 3 --expect-plan "$id" --yes --json
	is "$status" 7
	has "$stderr" "the plan is another one now"
	has "$stderr" "or the options are not those of then"
	data 'd["summary"]' '{"complete": false}'
	is "$(all | wc -l)" 74
}

# ---- who else is there -------------------------------------------------------------------------

@test "a dry run leaves the file and its folder as they are" {
	local before
	before=$(sha256sum <"$db"; stat -c %Y "$db"; ls)
	ckpt prune --keep-last 1 -n >/dev/null 2>&1
	rm -f stderr
	is "$(sha256sum <"$db"; stat -c %Y "$db"; ls)" "$before"
}

@test "--keep-thread with a name that is not there: exit 4, or a slip lets go what was to be kept" {
	apart ckpt prune --keep-last 1 --keep-thread chat-1 --keep-thread chta-2 --yes
	is "$status" 4
	has "$stderr" "no thread 'chta-2'"
	is "$(all | wc -l)" 75
	# it need not be among those that are looked at
	apart ckpt prune --keep-last 1 --keep-thread chat-1 --thread types --dry-run
	is "$status" 0
	for shard in 1/2 2/2; do
		apart ckpt prune --keep-last 1 --keep-thread chat-1 --shard $shard --dry-run
		is "$shard $status" "$shard 0"
	done
	apart ckpt migrate "$db" new.db --keep-last 1 --keep-thread chta-2
	is "$status" 4
}

@test "a store that is not to be altered is refused" {
	sqlite3 "$db" "CREATE TRIGGER t AFTER DELETE ON checkpoints BEGIN SELECT 1; END"
	apart ckpt prune --keep-last 1 --yes
	is "$status" 7
	is "$(all | wc -l)" 75
	ckpt migrate "$FIXTURES/py-basic/store.db" d.jsonl >/dev/null
	apart ckpt prune -s d.jsonl --keep-last 1 --yes
	is "$status" 7
	apart ckpt prune -s d.jsonl --keep-last 1 --dry-run
	is "$status" 0
}
