#!/usr/bin/env bash
# TAP: patches between the checkpoints of the fixtures' PostgreSQL dumps. Runs inside with-server.sh.
set -euo pipefail
cd "$(dirname "$0")/../.."
python=/usr/bin/python3
[ -x "$python" ] || python=python3
exec "$python" tests/oracle/patches.py --pg
