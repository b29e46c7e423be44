#!/usr/bin/env bats
# ckpt resume on PostgreSQL: what it says, changes and refuses. Runs inside with-server.sh. What the
# real savers make of it: tests/interop/test_resume_pg.py.

# shellcheck disable=SC2030,SC2031,SC2154  # each test is a subshell of bats
load ../cli/helper
load ../cli/stores

sql() { psql -qXAt -v ON_ERROR_STOP=1 "$@"; }

setup_file() {
	: "${FIXTURES:=$BATS_TEST_DIRNAME/../../build/fixtures}"
	export FIXTURES
	createdb -T template0 first
	gzip -dc "$FIXTURES/py-hitl/store.sql.gz" | sql -d first >/dev/null
	createdb -T template0 shallow
	gzip -dc "$FIXTURES/py-shallow/store.sql.gz" | sql -d shallow >/dev/null
	sql -c 'CREATE ROLE poor LOGIN'
}

setup() {
	alone || return
	dropdb --if-exists --force turn
	createdb -T first turn
	export CKPT_STORE="host=$PGHOST port=$PGPORT user=$PGUSER dbname=turn"
}

all() { # every row but for blobs, which are never written here
	sql -d turn -c "SELECT md5(t::text) FROM checkpoints t ORDER BY 1" \
		-c "SELECT md5(t::text) FROM checkpoint_writes t ORDER BY 1"
}

blobs() { sql -d turn -c "SELECT count(*), md5(string_agg(t::text, '' ORDER BY t::text)) FROM checkpoint_blobs t"; }

@test "where a thread stands, as on files" {
	apart ckpt resume ask-pending --json
	is "$status $stderr" "0 "
	data '[d["data"]["status"], d["data"]["next"], d["data"]["waits"][0]["value"]]' \
		'["interrupted", ["ask_human"], "Approve the refund?"]'
	apart ckpt resume finished~2 --json
	data 'd["data"]["warnings"]' '["time-travel"]'
	apart ckpt resume dangling-tool-calls --json
	data '"call_A" in d["data"]["safe"]["why"]' true
}

@test "a branch, one of a good checkpoint, an answer: rows are added, no row is altered, no blob is" {
	local before kept
	before=$(all) kept=$(blobs)
	apart ckpt resume finished~2 --fork --yes --json
	is "$status $stderr" "0 "
	apart ckpt resume dangling-tool-calls --rollback --yes
	is "$status" 0
	apart ckpt resume ask-pending --answer '{"ok":1e2}' --yes --json
	data 'd["data"]["status"]' answered
	is "$(comm -23 <(sort <<<"$before") <(all | sort))" ""
	is "$(all | wc -l)" $(($(wc -l <<<"$before") + 3))
	is "$(blobs)" "$kept"
	ckpt check
}

@test "a thread that goes on while the person thinks: refused, and nothing is changed" {
	local before change
	cat >later.py <<-'END'
		import os, pty, subprocess, sys
		pid, fd = pty.fork()
		if pid == 0:
		    os.execvp(sys.argv[1], sys.argv[1:])
		shown = b""
		while not shown.endswith(b"[y/N] "):
		    shown += os.read(fd, 4096)
		subprocess.run(["psql", "-qX", "-d", "turn", "-c", "INSERT INTO checkpoints (thread_id, checkpoint_ns,"
		    " checkpoint_id, parent_checkpoint_id, checkpoint, metadata) SELECT thread_id, '', 'ffff-later',"
		    " checkpoint_id, checkpoint, metadata FROM checkpoints WHERE thread_id = 'ask-pending'"
		    " ORDER BY checkpoint_id DESC LIMIT 1"], check=True)
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
		before=$(all)
		# shellcheck disable=SC2086  # words
		run python3 later.py "$CKPT" resume ask-pending $change
		is "$change $status" "$change 7"
		has "$output" "refused: thread 'ask-pending' went on meanwhile"
		sql -d turn -c "DELETE FROM checkpoints WHERE checkpoint_id = 'ffff-later'"
		is "$(all)" "$before"
	done
}

@test "what is refused: no history, no privilege, row security" {
	local before
	before=$(all)
	apart ckpt resume --thread "$("$CKPT" list --ids -s "${CKPT_STORE/dbname=turn/dbname=shallow}" | head -1)" \
		-s "${CKPT_STORE/dbname=turn/dbname=shallow}" --fork --yes
	is "$status" 7
	sql -d turn -c 'GRANT SELECT ON ALL TABLES IN SCHEMA public TO poor'
	apart ckpt resume ask-pending -s "${CKPT_STORE/user=$PGUSER/user=poor}" --answer 1 --yes
	is "$status" 7
	apart ckpt resume ask-pending -s "${CKPT_STORE/user=$PGUSER/user=poor}" --json
	is "$status" 0
	sql -d turn -c 'ALTER TABLE checkpoints ENABLE ROW LEVEL SECURITY'
	apart ckpt resume ask-pending --fork --yes
	is "$status" 7
	is "$(all)" "$before"
}

@test "the command knows nothing of the store" {
	apart "$CKPT" resume ask-pending -- env
	is "$status" 0
	has "$stdout" 'CKPT_THREAD_ID=ask-pending'
	lacks "$stdout" 'CKPT_STORE'
	lacks "$stdout" 'dbname=turn'
}
