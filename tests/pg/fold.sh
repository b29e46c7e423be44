#!/usr/bin/env bash
# TAP: delta channels of the fixtures' PostgreSQL dumps as their graphs load them. Runs inside
# with-server.sh.
set -euo pipefail
cd "$(dirname "$0")/../.."
python=/usr/bin/python3
[ -x "$python" ] || python=python3
exec "$python" tests/oracle/fold.py --pg
