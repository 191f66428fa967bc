#!/bin/bash
# Every fuzz target of the packages given, or of those below the folders given, for a while, one a processor at a time.
#
#   FUZZTIME=2s tools/fuzz.sh server ring
#
# Each package is built once, whatever the number of its targets, and only code of ours is instrumented for coverage (go
# test -fuzz compiles the standard library and all modules anew for it: 86 s of CPU for two small packages, without 3 s).
# Go reports an input that is under way when the time is over as a failure, "context deadline exceeded",
# without an input: then so many inputs are tried instead.
set -euo pipefail
GO=${GO:-go}
export GO FUZZTIME=${FUZZTIME:-2s}

# one BINARY PACKAGE TARGET. What fails is written to the package's testdata/fuzz, as go test does.
one() {
	local binary=$1 pkg=$2 target=$3
	said=$(mktemp)
	trap 'rm -f "$said"' EXIT
	fuzz() {
		(cd "$pkg" && "$binary" -test.run '^$' -test.fuzz "^$target\$" -test.fuzztime "$1" -test.fuzzminimizetime 10x \
			-test.fuzzcachedir "$corpora/$pkg" -test.parallel 1 -test.timeout 10m) >"$said" 2>&1
	}
	if fuzz "$FUZZTIME" || { grep -q 'context deadline exceeded' "$said" && ! grep -q 'Failing input' "$said" && fuzz 100x; }; then
		return 0
	fi
	echo "fuzz ./$pkg $target:"
	cat "$said"
	return 1
}

# built PACKAGE: all targets of a package, one after the other.
built() {
	local pkg=$1 binary failed=0 target
	binary=$bins/${pkg//\//-}
	"$GO" test -vet=off -c -gcflags="$module/...=-d=libfuzzer" -ldflags=-w -o "$binary" "./$pkg"
	for target in $(grep -hoE --include='*_test.go' '^func Fuzz[A-Za-z0-9_]*' "$pkg"/*_test.go | cut -c6- | sort); do
		"$0" --one "$binary" "$pkg" "$target" || failed=1
	done
	rm -f "$binary"
	return $failed
}

case ${1:-} in
--one) one "$2" "$3" "$4"; exit ;;
--built) built "$2"; exit ;;
esac

began=$SECONDS
bins=$(mktemp -d)
trap 'rm -rf "$bins"' EXIT
# Inputs that found something new are kept where go test -fuzz keeps them.
module=$("$GO" list -m)
corpora=$("$GO" env GOCACHE)/fuzz/$module
export bins corpora module
list=$(grep -rlE --include='*_test.go' '^func Fuzz' "$@" | xargs -n1 dirname | sort -u)
xargs -P "$(nproc)" -L 1 "$0" --built <<<"$list"
targets=$(sed 's|$|/*_test.go|' <<<"$list" | xargs -I{} bash -c 'cat {}' | grep -cE '^func Fuzz')
echo "$targets fuzz targets in $(wc -l <<<"$list") packages, $FUZZTIME each, $((SECONDS - began)) s"
