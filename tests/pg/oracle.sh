#!/usr/bin/env bash
# TAP: the fixtures' PostgreSQL dumps as their libraries read them. Runs inside with-server.sh.
set -euo pipefail
cd "$(dirname "$0")/../.."
python=/usr/bin/python3
[ -x "$python" ] || python=python3
exec "$python" tests/oracle/compare_pg.py "$@"
