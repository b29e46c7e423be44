#!/usr/bin/env bash
# TAP: the same conditions find the same checkpoints on both engines. Runs inside with-server.sh.
set -euo pipefail
cd "$(dirname "$0")/../.."
python=/usr/bin/python3
[ -x "$python" ] || python=python3
exec "$python" tests/oracle/where.py
