#!/usr/bin/env bash
# TAP: migrations that are interrupted. Runs inside with-server.sh.
set -euo pipefail
cd "$(dirname "$0")/../.."
python=/usr/bin/python3
[ -x "$python" ] || python=python3
exec "$python" tests/pg/migrate.py "$@"
