#!/usr/bin/env bash
# House rules that no compiler knows. Prints what breaks one, as FILE:LINE: what.
set -euo pipefail
cd "$(dirname "$0")/.."
export LC_ALL=C

mapfile -t code < <(find lib cli tests -name '*.[ch]' | sort)
mapfile -t files < <(find lib cli tests man .ci Makefile -name '*.[ch]' -o -name '*.sh' -o -name '*.py' \
	-o -name '*.mjs' -o -name '*.awk' -o -name '*.bats' -o -name run -o -name Makefile | sort)

look() {
	# The tree: a newcomer finds everything in six folders.
	git ls-files | sed 's|/.*||' | sort -u | grep -vE '^(\..*|cli|completions|lib|man|tests|Makefile|README\.md|LICENSE)$' |
		sed 's/$/: not one of the names at the top of the tree/' || true

	# 500 lines a file, 60 lines a function.
	wc -l "${files[@]}" | awk '$2 != "total" && $1 > 500 { print $2 ": " $1 " lines (500)" }'
	awk 'FNR == 1 { start = 0 }
		/^\{$/ { start = FNR }
		/^\}/ && start { if (FNR - start - 1 > 60) print FILENAME ":" start ": function of " FNR - start - 1 " lines (60)"; start = 0 }' \
		"${code[@]}"

	# Bytes have lengths.
	grep -nE '\b(strcpy|strcat|stpcpy|sprintf|vsprintf|strtok|atoi|atol|atof|gmtime|localtime|gets|alloca)[[:space:]]*\(' \
		"${code[@]}" | grep -vE '^lib/base\.h:[0-9]+:#(define|undef)' | sed 's/$/   (banned)/' || true

	# The library does not talk and does not stop the program; cli/ knows its public header alone.
	grep -nE '\b(printf|puts|putchar|perror|exit|_exit|abort|assert)[[:space:]]*\(|\b(stdout|stderr)\b' lib/*.c |
		grep -vE ':[[:space:]]*/?\*' | sed 's/$/   (the library never prints or exits)/' || true
	grep -nE '#[[:space:]]*include[[:space:]]+".*\blib/' cli/*.[ch] | grep -v '"\.\./lib/ckpt\.h"' |
		sed 's/$/   (cli includes only ckpt.h of the library)/' || true

	# Every source says at its top what belongs in it.
	for file in "${code[@]}"; do
		case $(head -c 2 "$file") in
		'/*') ;;
		*) echo "$file:1: no opening comment" ;;
		esac
	done
}

problems=$(look)
if [ "$problems" ]; then
	printf '%s\n' "$problems"
	exit 1
fi
