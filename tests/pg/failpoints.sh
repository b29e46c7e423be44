#!/usr/bin/env bash
# TAP: runs that end at named places. Runs inside with-server.sh.
set -euo pipefail
cd "$(dirname "$0")/../.."
python=/usr/bin/python3
[ -x "$python" ] || python=python3
export CKPT=${FAILPOINTS:-$PWD/build/failpoints/ckpt}
exec "$python" tests/pg/failpoints.py "$@"
