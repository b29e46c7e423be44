#!/usr/bin/env bash
# The names of all failpoints in the sources, one a line: those that begin with $1.
set -euo pipefail
cd "$(dirname "$0")/.."
grep -rhoE 'FAILPOINT\("[a-z_.]+"\)' lib cli --include='*.c' | cut -d '"' -f 2 |
	grep "^${1:-}" | sort
