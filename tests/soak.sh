#!/usr/bin/env bash
# Rounds of what depends on chance, for SOAK_TIME seconds: stores freshly written by the real
# LangGraph and hostile ones from a new seed, then every fuzzer, then the tests beside other work.
#
#   tests/soak.sh FUZZER...
#
# Stops at the first round that fails and names its seed.
set -euo pipefail
cd "$(dirname "$0")/.."
end=$((SECONDS + ${SOAK_TIME:-3600}))
export CKPT=$PWD/build/ckpt FIXTURES=$PWD/build/fixtures PYTHONDONTWRITEBYTECODE=1
tests/interop/setup.sh
mkdir -p build/log
for ((round = 1; SECONDS < end; round++)); do
	seed=$(od -An -N4 -tu4 /dev/urandom | tr -d ' ')
	echo "round $round, seed $seed"
	if ! build/venv/bin/python tests/interop/test_fresh.py "$seed" >build/log/soak.log 2>&1; then
		cat build/log/soak.log
		echo "failed: build/venv/bin/python tests/interop/test_fresh.py $seed"
		exit 1
	fi
	if ! build/venv/bin/python tests/interop/test_prune_live.py 60 >build/log/soak.log 2>&1; then
		cat build/log/soak.log
		exit 1
	fi
	for more in "kill.py 4" "full.py 60" "power.py 1000" "memory.py $((round == 1 ? 1 : 53))"; do
		# shellcheck disable=SC2086  # words of a command
		if ! SEED=$seed python3 tests/faults/$more >build/log/soak.log 2>&1; then
			cat build/log/soak.log
			echo "failed: SEED=$seed python3 tests/faults/$more"
			exit 1
		fi
	done
	for more in "build/venv/bin/python tests/interop/test_migrate_pg.py $seed" \
		"env SEED=$seed tests/pg/migrate.sh 4" "env SEED=$seed tests/pg/prune.sh 60" \
		"build/venv/bin/python tests/interop/test_prune_js.py $seed 6"; do
		# shellcheck disable=SC2086  # words of a command
		if ! tests/pg/with-server.sh $more >build/log/soak.log 2>&1; then
			cat build/log/soak.log
			echo "failed: tests/pg/with-server.sh $more"
			exit 1
		fi
	done
	HOSTILE_SEED=$seed tests/run.sh hostile
	FUZZ_TIME=${FUZZ_TIME:-60} tests/fuzz.sh "$@"
	JOBS=8 tests/run.sh unit store cli
done
