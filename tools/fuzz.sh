#!/bin/bash
# Every fuzz target of the folders given for a while, one a processor at a time.
#
#   FUZZTIME=2s tools/fuzz.sh server ring
#
# Go reports an input that is under way when the time is over as a failure, "context deadline exceeded",
# without an input: then so many inputs are tried instead.
set -euo pipefail
GO=${GO:-go}
export GO FUZZTIME=${FUZZTIME:-2s}

one() {
	local pkg=$1 target=$2
	said=$(mktemp)
	trap 'rm -f "$said"' EXIT
	fuzz() { "$GO" test "./$pkg" -run '^$' -fuzz "^$target\$" -fuzztime "$1" -fuzzminimizetime 10x -parallel 1 >"$said" 2>&1; }
	if fuzz "$FUZZTIME" || { grep -q 'context deadline exceeded' "$said" && ! grep -q 'Failing input' "$said" && fuzz 100x; }; then
		return 0
	fi
	echo "fuzz ./$pkg $target:"
	cat "$said"
	return 1
}
if [ "${1:-}" = --one ]; then
	one "$2" "$3"
	exit
fi

began=$SECONDS
targets=$(grep -ro --include='*_test.go' '^func Fuzz[A-Za-z0-9_]*' "$@" | sed 's|/[^/]*\.go:func | |' | sort -u)
xargs -P "$(nproc)" -L 1 "$0" --one <<<"$targets"
echo "$(wc -l <<<"$targets") fuzz targets, $FUZZTIME each, $((SECONDS - began)) s"
