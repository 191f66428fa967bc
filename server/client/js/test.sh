#!/bin/bash
# All tests of the JavaScript client: unit and vectors, a real roostd, a real Chromium. About a minute.
#
#   ROOSTD=/path/of/roostd server/client/js/test.sh [unit|node|browser]...
#
# On Debian as root it installs what is missing, and says so; otherwise it says what is missing.
set -euo pipefail
cd "$(dirname "$0")"

parts=("$@")
[ ${#parts[@]} -gt 0 ] || parts=(unit node browser)
wants() { [[ " ${parts[*]} " == *" $1 "* ]]; }

if wants node || wants browser; then
	[ -x "${ROOSTD:-}" ] || { echo "ROOSTD must be the path of the roostd binary: ROOSTD=\$PWD/bin/roostd $0" >&2; exit 1; }
	ROOSTD=$(realpath "$ROOSTD")
	export ROOSTD
fi

# need COMMAND PACKAGE...: the command, by apt if it has to be.
need() {
	command -v "$1" >/dev/null && return
	local packages=("${@:2}")
	if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
		echo "$1 is missing: install ${packages[*]}" >&2
		exit 1
	fi
	echo "installing ${packages[*]} (for the tests of the JavaScript client)"
	# make test runs the ring's tests at the same time, which may install something too.
	DEBIAN_FRONTEND=noninteractive flock "${TMPDIR:-/tmp}/roost-apt.lock" sh -c 'apt-get update -qq && apt-get install -y -qq --no-install-recommends "$@" >/dev/null' sh "${packages[@]}"
	command -v "$1" >/dev/null || { echo "$1 is missing still" >&2; exit 1; }
}

need node nodejs
need npm npm
major() { node -p 'process.versions.node.split(".")[0]'; }
if [ "$(major)" -lt "${NODE_AT_LEAST:-20}" ]; then
	# Debian 12's is 18.
	if [ ! -x .node/node_modules/.bin/node ]; then
		echo "installing Node 22 for the tests alone (this is $(node --version))"
		npm install --prefix .node --no-save --no-audit --no-fund --loglevel=error node@22
	fi
	PATH=$PWD/.node/node_modules/.bin:$PATH
fi
major=$(major)
! wants browser || [ -n "${CHROMIUM:-}" ] || need chromium chromium

# What is installed already, and as locked, is not asked for again: the tests run without a network then.
if ! cmp -s package-lock.json node_modules/.roost-lock; then
	echo "installing the development dependencies (npm ci)"
	npm ci --prefer-offline --no-audit --no-fund --loglevel=error
	cp package-lock.json node_modules/.roost-lock
fi

flags=(--test --test-timeout=60000 --test-reporter=dot)
if wants unit; then
	echo "unit and vectors"
	timeout 120 node "${flags[@]}" test/unit/*.test.js
fi
if wants node; then
	echo "against roostd"
	native=()
	[ "$major" -ge 22 ] || native=(--experimental-websocket)
	timeout 180 node "${native[@]}" "${flags[@]}" test/roostd/*.test.js
fi
if wants browser; then
	echo "in Chromium"
	timeout 180 node "${flags[@]}" test/browser/*.test.js
fi
echo "the JavaScript client passes"
