#!/usr/bin/env bash
# A look around two stores that LangGraph wrote. Called by `make demo`; asks nothing, and fails
# with the first command that fails.
set -euo pipefail
cd "$(dirname "$0")/.."
top=$PWD
rm -rf build/demo
mkdir -p build/demo
cp build/fixtures/py-basic/store.db build/demo/chats.db
cp build/fixtures/py-hitl/store.db build/demo/approvals.db
cd build/demo
for name in ${!CKPT_@}; do unset "$name"; done
export PATH=$top/build:$PATH
export CKPT_PAGER=cat CKPT_FORCE_TTY=1        # what a person sees at a terminal
if ! [ -t 1 ]; then export CKPT_FORCE_TTY=100 NO_COLOR=1; fi

say() {
	printf '\n# %s\n' "$*"
}

run() {
	local word
	printf '$'
	for word in "$@"; do
		case $word in
		*[!A-Za-z0-9_./=-]*) printf " '%s'" "$word" ;;
		*) printf ' %s' "$word" ;;
		esac
	done
	echo
	"$@" </dev/null
}

say "Two stores that LangGraph wrote lie in build/demo. Which threads are in this one?"
run ckpt -s chats.db list
say "More about each; this reads the rows, not only the index."
run ckpt -s approvals.db list -l --thread-glob 'ask-*'
say "A thread that was taken up again from its middle: its branches."
run ckpt -s approvals.db list forked-three --graph
say "One checkpoint: what was in the state, what ran, what comes next."
run ckpt -s approvals.db show ask-second-pending
say "The same for a program."
run ckpt -s chats.db list chat-1 --limit 1 --ndjson
say "Who waits for a person, and for what?"
run ckpt -s approvals.db list --status interrupted -l --limit 3
say "One of them answered: the application's next invoke takes it."
run ckpt -s approvals.db resume ask-pending --answer '"yes"' --yes
say "What would a policy delete, and why would the rest stay? Nothing is changed yet."
run ckpt -s approvals.db prune --keep-last 2 --thread-glob 'f*' --dry-run
say "The same for good, with an archive of what goes, and the room given back."
run ckpt -s approvals.db prune --keep-last 2 --thread-glob 'f*' --archive before.jsonl --vacuum=full --yes
say "Was it too much? Back it comes, compared value by value."
run ckpt migrate before.jsonl approvals.db
