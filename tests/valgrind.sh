#!/usr/bin/env bash
# TAP: list and show of some stores, and two unit test programs, without a complaint of valgrind.
set -euo pipefail
cd "$(dirname "$0")/.."
ckpt=${CKPT:-build/ckpt}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
number=0

check() { # NAME COMMAND...: exit code 8 is an honest answer about a damaged store
	local name=$1 status=0
	shift
	number=$((number + 1))
	valgrind --quiet --error-exitcode=99 --leak-check=full --errors-for-leak-kinds=definite \
		"$@" </dev/null >"$work/out" 2>"$work/err" || status=$?
	if [ "$status" = 0 ] || [ "$status" = 8 ]; then
		echo "ok $number - $name"
	else
		echo "not ok $number - $name (exit $status)"
		tail -n 20 "$work/err" | sed 's/^/# /'
	fi
}

for store in py-basic py-delta js-basic broken/cut-blob; do
	cp "build/fixtures/$store/store.db" "$work/store.db"
	thread=$("$ckpt" -s "$work/store.db" list --ids --limit 1)
	check "list -l of $store" "$ckpt" -s "$work/store.db" list -l --json
	check "list --all of $store" "$ckpt" -s "$work/store.db" list --all -l
	check "show of $store" "$ckpt" -s "$work/store.db" show --thread "$thread" --json
	rm -f "$work"/store.db*
done
for test in test_token test_utf8; do
	check "$test" "build/unit/$test"
done
echo "1..$number"
