#!/usr/bin/env bash
# What a make target needs from the system: look for it, and install what is missing.
#
#   tests/setup.sh [-n] LEVEL...     build demo check pg interop lint fuzz coverage valgrind
#
# -n only tells what is missing. Silent and quick when nothing is. Installs Debian and Ubuntu
# packages (as root, or through sudo); elsewhere it prints the list and fails.
set -euo pipefail
export LC_ALL=C

missing=()      # packages, in the order in which they were missed
why=()          # what was looked for

lack() { # WHAT PACKAGE
	why+=("$1")
	missing+=("$2")
}

command_() { # COMMAND PACKAGE
	command -v "$1" >/dev/null 2>&1 || lack "command $1" "$2"
}

header() { # PATH PACKAGE: on the usual include paths, else where the compiler finds it
	local dir words
	for dir in /usr/include /usr/local/include /usr/include/*-linux-gnu; do
		[ ! -e "$dir/$1" ] || return 0
	done
	read -ra words <<<"${CC:-cc} ${CPPFLAGS:-}"
	if ! printf '#include <%s>\n' "$1" | "${words[@]}" -E - >/dev/null 2>&1; then
		lack "header $1" "$2"
	fi
}

one_of() { # WHAT PACKAGE FILE...: one of these files exists (globs that match nothing stay words)
	local what=$1 package=$2 file
	shift 2
	for file in "$@"; do
		[ ! -e "$file" ] || return 0
	done
	lack "$what" "$package"
}

postgresql() {
	if ! command -v initdb >/dev/null 2>&1; then
		one_of "PostgreSQL server (initdb)" postgresql /usr/lib/postgresql/*/bin/initdb
	fi
	command_ psql postgresql-client
	level run
	if ! command -v pgbouncer >/dev/null 2>&1; then
		one_of "command pgbouncer" pgbouncer /usr/sbin/pgbouncer
	fi
	command_ python3 python3
}

jsonschema() {
	command_ python3 python3
	if ! [ -e /usr/lib/python3/dist-packages/jsonschema ] &&
		! python3 -c 'import jsonschema' 2>/dev/null; then
		lack "Python module jsonschema" python3-jsonschema
	fi
}

interop() {
	local python=${PYTHON:-/usr/bin/python3}
	command_ python3 python3
	command_ make make
	command_ g++ g++
	if [ -x "$python" ]; then
		"$python" -c 'import ensurepip' 2>/dev/null || lack "Python module venv" python3-venv
	else
		lack "Python module venv" python3-venv
	fi
}

level() {
	case $1 in
	build | demo)
		local compiler=${CC:-gcc}
		command_ "${compiler%% *}" gcc
		header stdio.h libc6-dev
		command_ "${AR:-ar}" binutils
		header sqlite3.h libsqlite3-dev
		header nettle/eax.h nettle-dev
		header xxhash.h libxxhash-dev
		header postgresql/libpq-fe.h libpq-dev
		;;
	run) # what the program loads when it is asked for a PostgreSQL store
		one_of "library libpq.so.5" libpq5 /usr/lib/*/libpq.so.5 /usr/lib/libpq.so.5 \
			/usr/lib64/libpq.so.5 /usr/local/lib/libpq.so.5
		;;
	tests) # what the programs below tests/ are compiled with
		level build
		header cjson/cJSON.h libcjson-dev
		;;
	check)
		level tests
		command_ bats bats
		command_ sqlite3 sqlite3
		command_ mandoc mandoc
		command_ zsh zsh
		command_ jq jq
		command_ fish fish
		command_ strace strace
		jsonschema
		postgresql
		if [ "${INTEROP:-1}" != 0 ]; then interop; fi
		;;
	pg)
		level build
		postgresql
		;;
	interop)
		interop
		;;
	lint)
		level tests
		command_ clang clang
		command_ clang-format clang-format
		command_ shellcheck shellcheck
		;;
	fuzz)
		level build
		command_ clang clang
		one_of "libFuzzer of clang" libclang-rt-14-dev \
			/usr/lib/llvm-*/lib/clang/*/lib/linux/libclang_rt.fuzzer-*.a \
			/usr/lib/clang/*/lib/linux/libclang_rt.fuzzer-*.a \
			/usr/lib/clang/*/lib/*/libclang_rt.fuzzer*.a
		;;
	coverage)
		INTEROP=0 level check
		command_ gcovr gcovr
		;;
	valgrind)
		level tests
		command_ valgrind valgrind
		;;
	*)
		echo "setup: no level '$1'" >&2
		exit 2
		;;
	esac
}

as_root() {
	if [ "$(id -u)" = 0 ]; then
		"$@"
	elif [ -t 0 ]; then
		sudo "$@"
	else
		sudo -n "$@"
	fi
}

# Debian's server package makes and starts a cluster of its own. The tests start a private one;
# nobody asked for a second. Says so only before the package is there: settings of a machine
# that has PostgreSQL are its owner's.
no_default_cluster() {
	local conf=/etc/postgresql-common/createcluster.conf
	if [ -e "$conf" ] || [ -d /usr/share/postgresql-common ]; then return 0; fi
	as_root mkdir -p "${conf%/*}"
	echo 'create_main_cluster = false' | as_root tee "$conf" >/dev/null
}

# A name that this release of the distribution has, for the packages that carry a version.
available() {
	case $1 in
	postgresql)
		if apt-cache show postgresql-15 >/dev/null 2>&1; then echo postgresql-15; else echo "$1"; fi
		;;
	libclang-rt-14-dev)
		local version
		version=$(clang -dumpversion 2>/dev/null || apt-cache depends clang |
			sed -n 's/.*Depends: clang-\([0-9]*\)$/\1/p')
		echo "libclang-rt-${version%%.*}-dev"
		;;
	*)
		echo "$1"
		;;
	esac
}

install_all() {
	local package packages=()
	echo "setup: installing $*"
	as_root apt-get -qq -o DPkg::Lock::Timeout=300 update
	for package in "$@"; do packages+=("$(available "$package")"); done
	case " $* " in *" postgresql "*) no_default_cluster ;; esac
	as_root env DEBIAN_FRONTEND=noninteractive LC_ALL=C apt-get -qq -y --no-install-recommends \
		-o DPkg::Lock::Timeout=300 -o Dpkg::Options::=--force-confdef \
		-o Dpkg::Options::=--force-confold -o Dpkg::Use-Pty=0 install "${packages[@]}" \
		</dev/null >"$log" 2>&1 || {
		tail -n 30 "$log" >&2
		echo "setup: apt-get could not install ${packages[*]}" >&2
		exit 1
	}
}

tell() {
	local i
	echo "ckpt needs these, and they are not on this machine:" >&2
	for i in "${!why[@]}"; do
		printf '  %-28s (Debian package %s)\n' "${why[i]}" "${missing[i]}" >&2
	done
}

look() {
	missing=() why=()
	local one
	for one in "$@"; do level "$one"; done
}

only_tell=
if [ "${1:-}" = -n ]; then
	only_tell=1
	shift
fi
look "$@"
if [ ${#missing[@]} = 0 ]; then exit 0; fi
mapfile -t wanted < <(printf '%s\n' "${missing[@]}" | sort -u)
if [ "$only_tell" ]; then
	tell
	echo "On Debian or Ubuntu: apt-get install ${wanted[*]}" >&2
	exit 1
fi
if ! command -v apt-get >/dev/null 2>&1; then
	tell
	exit 1
fi
if [ "$(id -u)" != 0 ] && ! command -v sudo >/dev/null 2>&1; then
	tell
	echo "To install them: (as root) apt-get install ${wanted[*]}" >&2
	exit 1
fi
log=$(mktemp)
trap 'rm -f "$log"' EXIT
install_all "${wanted[@]}"
hash -r
look "$@"
if [ ${#missing[@]} != 0 ]; then
	tell
	exit 1
fi
