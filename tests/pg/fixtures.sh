#!/usr/bin/env bash
# TAP: every dump among the fixtures loads without an error and has the rows its oracle counts.
# Runs inside with-server.sh.
set -euo pipefail
cd "$(dirname "$0")/../.."
fixtures=${FIXTURES:-build/fixtures}
python=/usr/bin/python3
[ -x "$python" ] || python=python3

wanted() { # ORACLE: "table rows" lines as its library counted them
	"$python" -c 'import json, sys
for table, rows in sorted(json.load(open(sys.argv[1]))["counts"].items()):
    print(table, rows)' "$1"
}

counted() { # DATABASE
	psql -qAtX -F ' ' -v ON_ERROR_STOP=1 -d "$1" <<'SQL' | LC_ALL=C sort
SELECT format('SELECT %L, count(*) FROM %I.%I',
	CASE table_schema WHEN 'public' THEN '' ELSE table_schema || '.' END || table_name,
	table_schema, table_name)
FROM information_schema.tables
WHERE table_type = 'BASE TABLE' AND table_schema NOT IN ('pg_catalog', 'information_schema')
\gexec
SQL
}

mapfile -t dumps < <(find "$fixtures" -name store.sql.gz | LC_ALL=C sort)
echo "1..$((2 * ${#dumps[@]}))"
number=0
for dump in "${dumps[@]}"; do
	folder=$(dirname "$dump")
	name=${folder#"$fixtures/"}
	oracle=$folder/oracle.pg.json
	[ -e "$oracle" ] || oracle=$folder/oracle.json
	database=fixture_$number
	createdb -T template0 "$database"
	loaded=ok
	said=$(gzip -dc "$dump" | psql -qX -v ON_ERROR_STOP=1 -d "$database" 2>&1 >/dev/null) ||
		loaded="not ok"
	echo "$loaded $((number + 1)) - $name loads"
	if [ "$loaded" != ok ]; then printf '%s\n' "$said" | head -n 10 | sed 's/^/# /'; fi
	if difference=$(diff <(wanted "$oracle") <(counted "$database")); then
		echo "ok $((number + 2)) - $name has the rows of its oracle"
	else
		echo "not ok $((number + 2)) - $name has the rows of its oracle"
		printf '%s\n' "$difference" | sed 's/^/# /'
	fi
	number=$((number + 2))
	dropdb "$database"
done
