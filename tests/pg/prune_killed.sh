#!/usr/bin/env bash
# TAP: prunes of SQLite stores that are killed, and run again. Needs no server.
set -euo pipefail
cd "$(dirname "$0")/../.."
python=/usr/bin/python3
[ -x "$python" ] || python=python3
export CKPT=${FAILPOINTS:-$PWD/build/failpoints/ckpt}
exec "$python" tests/pg/prune_killed.py "$@"
