#!/usr/bin/env bats
# The program on PostgreSQL: names of stores, schemas, passwords, refusals, twins of SQLite stores,
# a listing cut off half-way. Runs inside with-server.sh; databases are made once and stay.

# shellcheck disable=SC2030,SC2031,SC2034,SC2154  # each test is a subshell of bats
load ../cli/helper
load ../cli/stores

sql() { psql -qXAt -v ON_ERROR_STOP=1 "$@"; }

# fixture NAME DATABASE
fixture() {
	createdb -T template0 "$2"
	gzip -dc "$FIXTURES/$1/store.sql.gz" | sql -d "$2" >/dev/null
}

setup_file() {
	: "${FIXTURES:=$BATS_TEST_DIRNAME/../../build/fixtures}"
	export FIXTURES
	fixture py-basic basic
	fixture js-basic js
	fixture py-shallow shallow
	createdb -T template0 empty
	sql -d empty -c 'CREATE TABLE checkpoints (thread_id text, note text)'
	sql -c 'CREATE ROLE poor LOGIN' -c "CREATE ROLE locked LOGIN PASSWORD 's3cret'"
	sql -d basic -c 'GRANT SELECT ON ALL TABLES IN SCHEMA public TO locked'
	local hba=$PGHOST/data/pg_hba.conf
	printf 'local all locked scram-sha-256\n%s\n' "$(cat "$hba")" >"$BATS_FILE_TMPDIR/hba"
	cat "$BATS_FILE_TMPDIR/hba" >"$hba"
	sql -c 'SELECT pg_reload_conf()' >/dev/null
}

# opens STORE…: each leads to the same twelve threads.
opens() {
	local store
	for store in "$@"; do
		apart ckpt -s "$store" list --ids
		works || { echo "$store"; return 1; }
		same "$store" "$(wc -l <<<"$stdout")" 12 || return 1
	done
}

# ---- names -------------------------------------------------------------------------------------

@test "every form of a name leads to the server" {
	local at="basic?host=$PGHOST"
	opens "postgresql:///$at" "postgres:///$at" "postgresql+psycopg:///$at" \
		"postgresql+psycopg2:///$at" "postgresql+asyncpg:///$at" \
		"postgresql://ckpt@/$at&port=5432" "postgresql://ckpt@${PGHOST//\//%2F}/basic" \
		"host=$PGHOST dbname=basic" "dbname=basic" "user=ckpt dbname='basic'" \
		"port=5432 dbname=basic" "application_name=mine dbname=basic" \
		"sslmode=disable dbname=basic" "connect_timeout=5 dbname=basic"
}

@test "PG variables fill what a name leaves open, and name no store" {
	export PGDATABASE=basic
	opens "postgresql://" "host=$PGHOST" "user=ckpt"
	apart ckpt list
	fails 2 "no store given"
	CKPT_STORE=dbname=basic opens_by_itself
}

opens_by_itself() {
	apart ckpt list --ids
	works && same threads "$(wc -l <<<"$stdout")" 12
}

@test "a service file" {
	printf '[agents]\nhost=%s\ndbname=basic\nuser=ckpt\n' "$PGHOST" >services
	export PGSERVICEFILE=$PWD/services
	unset PGDATABASE
	opens "service=agents" "postgresql:///?service=agents"
	apart ckpt -s service=others list
	[ "$status" = 2 ] || [ "$status" = 5 ]
	has "$stderr" others
}

@test "a password from a passfile, from the environment, from the name" {
	printf '*:*:basic:locked:s3cret\n' >pass
	chmod 600 pass
	opens "postgresql://locked@/basic?passfile=$PWD/pass" "passfile=$PWD/pass user=locked dbname=basic"
	PGPASSFILE=$PWD/pass opens "user=locked dbname=basic"
	PGPASSWORD=s3cret opens "user=locked dbname=basic"
	local store
	for store in "postgresql://locked:s3cret@/basic" "password=s3cret user=locked dbname=basic"; do
		apart ckpt -s "$store" list --ids
		is "$status" 0
		has "$stderr" "can be seen by others"
		export CKPT_STORE=$store
		apart ckpt list --ids
		unset CKPT_STORE
		is "$status$stderr" 0
	done
}

# ---- passwords ---------------------------------------------------------------------------------

@test "no answer, note, statement or failure has the password" {
	local store words
	for store in "postgresql://locked:s3cret@/basic" "user=locked password='s3cret' dbname=basic" \
		"password=s3cret user=locked dbname=basic" "postgresql:///basic?user=locked&password=s3cret" \
		"postgresql://locked:s3cret@/nowhere" "password=s3cret user=nobody dbname=basic" \
		"postgresql+psycopg://locked:s3cret@127.0.0.1:1/basic" "postgresql://locked:xs3cretx@/basic" \
		"postgresql://locked:s3cret%zz@/basic" "postgresql://locked:s3cret@/basic?nonsense=1"; do
		for words in "list" "list --json" "list -v" "list -vv" "show nobody --json" \
			"list --schema nope" "list --ndjson" "show chat-1 -vv --json"; do
			# shellcheck disable=SC2086  # a command line
			apart "$CKPT" -s "$store" $words
			lacks "$stdout$stderr" s3cret
		done
	done
}

@test "the name is shown with its password masked" {
	apart ckpt -s "postgresql://locked:s3cret@/basic" list --json -v
	data 'd["store"]["uri"]' "postgresql://locked:***@/basic"
	has "$stderr" "postgresql://locked:***@/basic"
	apart ckpt -s "postgresql://locked:wrong@/basic" list
	fails 5 "postgresql://locked:***@/basic" "password authentication failed"
}

# ---- refusals ----------------------------------------------------------------------------------

@test "no server, no password, no database: 5" {
	apart ckpt -s "host=/nonexistent dbname=basic" list
	fails 5 "cannot connect" "is the server running"
	apart ckpt -s "postgresql://ckpt@127.0.0.1:1/basic" list --json
	[ "$status" = 5 ]
	error_is connect_failed 5
	apart ckpt -s "user=locked dbname=basic" list
	fails 5 "no password supplied" ".pgpass"
	apart ckpt -s "dbname=nowhere" list
	fails 5 '"nowhere" does not exist' "psql -l"
}

@test "a privilege that is missing: 7, and which" {
	apart ckpt -s "user=poor dbname=basic" list
	fails 7 "permission denied" "GRANT SELECT ON TABLE"
	apart ckpt -s "user=poor dbname=basic" show chat-1 --json
	[ "$status" = 7 ]
	error_is refused 7
}

@test "a database of no known layout: 7, and what was seen" {
	apart ckpt -s dbname=empty list
	fails 7 "no known layout" "public.checkpoints"
	apart ckpt -s dbname=template1 list
	fails 7 "no tables at all"
	apart ckpt -s dbname=shallow --layout langgraph list
	fails 7
	apart ckpt -s dbname=basic --layout langgraph-shallow list
	fails 7
	apart ckpt -s dbname=shallow --layout langgraph-shallow list --json
	works
	data 'd["store"]["layout"]' langgraph-shallow
	apart ckpt -s dbname=basic --layout no-such list
	fails 2 "no layout 'no-such'"
}

# ---- schemas -----------------------------------------------------------------------------------

@test "a schema by its name, with dash and all" {
	apart ckpt -s dbname=js list
	fails 7 "agent-data" "--schema NAME"
	apart ckpt -s dbname=js --schema agent-data list --json
	works
	data 'd["store"]["schema"], d["store"]["writers"], len(d["data"]) > 5' '["agent-data", ["js"], true]'
	PGOPTIONS='-c search_path=agent-data' apart ckpt -s dbname=js list --ids
	works
	has "$stdout" js-finished
}

@test "a schema that is not there: 4; one without the tables: 7" {
	apart ckpt -s dbname=js --schema AGENT-DATA list
	fails 4 "no schema 'AGENT-DATA'" "agent-data (--schema NAME)"
	apart ckpt -s dbname=basic --schema 'x"; DROP TABLE checkpoints; --' list --json
	[ "$status" = 4 ]
	error_is not_found 4
	apart ckpt -s dbname=js --schema public list
	fails 7 "in schema public" "agent-data"
	opens dbname=basic
}

# ---- twins -------------------------------------------------------------------------------------

# The twin's answers, but for what differs by nature: the store's name, places and sizes of rows.
@test "list and show of a thread are those of its SQLite twin" {
	local db
	db=$(store py-basic)
	for words in "list chat-1" "list chat-1 -l" "show chat-1" "show chat-1~2" "show types" \
		"show fan-12@{step:0}" "show json-traps"; do
		# shellcheck disable=SC2086  # a command line
		ckpt -s dbname=basic $words --json >pg.json
		# shellcheck disable=SC2086
		ckpt -s "$db" $words --json >sqlite.json
		python3 - <<'EOF'
import json
def plain(d, at=None):
    if isinstance(d, list):
        return [plain(x) for x in d]
    if not isinstance(d, dict):
        return d
    d = {k: plain(v, k) for k, v in d.items() if k not in ("store", "bytes", "state_bytes")}
    if isinstance(d.get("channels"), list):
        d["channels"] = sorted((c["name"], c["version"]) for c in d["channels"])
    return d
a, b = (plain(json.load(open(n))) for n in ("sqlite.json", "pg.json"))
if a != b:
    x, y = (json.dumps(d, sort_keys=True, indent=1).splitlines() for d in (a, b))
    raise SystemExit("\n".join("%s | %s" % p for p in zip(x, y) if p[0] != p[1])[:2000])
EOF
	done
}

@test "-vv prints each statement, on both engines" {
	apart ckpt -s dbname=basic -vv list --ids
	has "$stderr" 'sql: SELECT thread_id, checkpoint_ns, max(checkpoint_id)'
	has "$stderr" '"public".checkpoints'
	apart ckpt -s "$(store py-basic)" -vv list --ids
	has "$stderr" 'sql: SELECT thread_id, checkpoint_ns, max(checkpoint_id)'
}

# ---- large ---------------------------------------------------------------------------------------

# large DATABASE: 1,000 threads of 50 checkpoints, never vacuumed nor analysed.
large() {
	createdb -T basic "$1"
	sql -d "$1" <<'SQL'
DELETE FROM checkpoints;
INSERT INTO checkpoints SELECT 'thread-' || i / 50, '', '1f1a6bd7-2f90-6377-8002-' ||
	lpad(i::text, 12, '0'), NULL, NULL, jsonb_build_object('v', 4,
	'ts', '2026-01-01T00:00:00+00:00', 'channel_values', jsonb_build_object('x',
	(SELECT string_agg(md5(i::text || k), '') FROM generate_series(1, 30) k)),
	'channel_versions', '{}'::jsonb), '{"step": 1, "source": "loop"}'
FROM generate_series(0, 49999) i;
SQL
}

# To list the one takes at most thrice as long as to list the other. In turns, and the fastest of
# each counts: a busy machine makes some slow, and none fast.
about_as_fast() { # DATABASE OTHER
	python3 - "$CKPT" "$@" <<'EOF'
import subprocess, sys, time
ckpt, one, other = sys.argv[1:]
def took(name):
    start = time.monotonic()
    subprocess.run([ckpt, "-s", "dbname=" + name, "list", "--ids"], stdout=subprocess.DEVNULL, check=True)
    return time.monotonic() - start
a = b = 1e9
for n in range(50):
    a, b = min(a, took(one)), min(b, took(other))
    if n >= 4 and a <= 3 * b:
        sys.exit()
sys.exit("%s: %.3f s, %s: %.3f s" % (one, a, other, b))
EOF
}

@test "threads of a table that was never vacuumed are listed about as fast as after it" {
	large never_vacuumed
	local statement plan
	is "$("$CKPT" -s dbname=never_vacuumed list --ids | wc -l)" 1000
	createdb -T never_vacuumed vacuumed
	# what is not yet on disk counts as not yet visible to all
	sql -d vacuumed -c CHECKPOINT -c 'VACUUM ANALYZE checkpoints'
	about_as_fast never_vacuumed vacuumed
	apart "$CKPT" -s dbname=vacuumed -vv list --ids
	statement=$(sed -n 's/^sql: \(.*GROUP BY.*\)/\1/p' <<<"$stderr")
	plan=$(sql -d vacuumed -c "EXPLAIN $statement")
	has "$plan" "Index Only Scan"
	lacks "$plan" "Seq Scan"
}

@test "a connection lost in the middle of a listing: the document is closed, exit 6" {
	large cut_off
	mkfifo pipe
	"$CKPT" -s "dbname=cut_off application_name=victim" list --all --json >pipe 2>err &
	local pid=$! rc=0
	exec 7<pipe
	head -c 1000 <&7 >out     # then nobody reads: the pipe is full, the listing waits
	for _ in $(seq 100); do
		sql -c "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
			WHERE application_name = 'victim'" | grep -q t && break
		sleep 0.05
	done
	cat <&7 >>out
	exec 7<&-
	wait "$pid" || rc=$?
	is "$rc" 6
	stdout=$(cat out) stderr=$(cat err)
	data 'd["summary"]["complete"], 0 < len(d["data"]) < 50000' '[false, true]'
	error_is store_locked 6
}

@test "a connection lost in the middle of lines: the summary says so" {
	mkfifo pipe
	"$CKPT" -s "dbname=cut_off application_name=victim" list --all --ndjson >pipe 2>err &
	local pid=$! rc=0
	exec 7<pipe
	head -c 1000 <&7 >out
	sql -c "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
		WHERE application_name = 'victim'" >/dev/null
	cat <&7 >>out
	exec 7<&-
	wait "$pid" || rc=$?
	is "$rc" 6
	stdout=$(tail -n 1 out)
	data 'd["type"], d["complete"]' '["summary", false]'
}
