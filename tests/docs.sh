#!/bin/sh
# Manual pages and completion scripts against the option tables.
#   tests/docs.sh write   put into man/ and completions/ what the tables say
#   tests/docs.sh check   TAP: are the committed files what the tables say, are pages clean?
set -u
cd "$(dirname "$0")/.." || exit 1
CKPT=${CKPT:-build/ckpt}
tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
count=0 failed=0

# The page with what is between its markers replaced.
page() {
	name=$(basename "$1" .1)
	"$CKPT" doc man "${name#ckpt-}" >"$tmp/options" && "$CKPT" doc commands >"$tmp/commands" || return 1
	awk -v tmp="$tmp" '
		/^\.\\" (options|commands): end/ { skip = 0 }
		!skip { print }
		/^\.\\" (options|commands): begin/ {
			skip = 1
			region = tmp "/" substr($2, 1, length($2) - 1)
			while ((getline line <region) > 0)
				print line
		}' "$1"
}

# One committed file and how to make it: write or compare.
file() {
	target=$1
	shift
	count=$((count + 1))
	if ! "$@" >"$tmp/new"; then
		echo "not ok $count - $target could not be generated"
		failed=1
	elif cmp -s "$tmp/new" "$target"; then
		echo "ok $count - $target is what the tables say"
	elif [ "$mode" = write ]; then
		cp "$tmp/new" "$target"
		echo "ok $count - $target written"
	else
		echo "not ok $count - $target differs from the tables (make docs)"
		diff -u "$target" "$tmp/new" | sed 's/^/# /'
		failed=1
	fi
}

lint() {
	count=$((count + 1))
	if mandoc -T lint -W warning "$1" >"$tmp/lint" 2>&1; then
		echo "ok $count - $1 is clean"
	else
		echo "not ok $count - $1"
		sed 's/^/# /' "$tmp/lint"
		failed=1
	fi
}

mode=${1:-check}
case $mode in
write | check) ;;
*)
	echo "usage: tests/docs.sh write|check" >&2
	exit 2
	;;
esac
mkdir -p completions
for page in man/*.1; do
	if grep -q '^\.\\" options: begin' "$page"; then
		file "$page" page "$page"
	fi
done
file completions/ckpt.bash "$CKPT" doc bash
file completions/_ckpt "$CKPT" doc zsh
file completions/ckpt.fish "$CKPT" doc fish
if [ "$mode" = check ] && command -v mandoc >/dev/null; then
	for page in man/*.[17]; do
		lint "$page"
	done
fi
echo "1..$count"
exit "$failed"
