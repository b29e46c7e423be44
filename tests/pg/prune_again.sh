#!/usr/bin/env bash
# TAP: deleting in several batches, and again after a kill. Runs inside with-server.sh.
set -euo pipefail
PRUNE=prune_again exec "${BASH_SOURCE[0]%/*}/prune.sh"
