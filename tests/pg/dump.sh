#!/usr/bin/env bash
# TAP: a dump of each PostgreSQL fixture answers like the database. Runs inside with-server.sh.
set -euo pipefail
cd "$(dirname "$0")/../.."
python=/usr/bin/python3
[ -x "$python" ] || python=python3
exec "$python" tests/oracle/compare_dump.py --pg "$@"
