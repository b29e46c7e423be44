#!/usr/bin/env bash
# TAP: what runs say that did not do all of their plan. Needs no server.
set -euo pipefail
cd "$(dirname "$0")/../.."
python=/usr/bin/python3
[ -x "$python" ] || python=python3
export CKPT=${FAILPOINTS:-$PWD/build/failpoints/ckpt}
exec "$python" tests/pg/prune_told.py "$@"
