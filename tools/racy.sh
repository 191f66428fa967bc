#!/bin/bash
# Packages by whether the race detector can find something in their tests. A race needs a second goroutine: one that they,
# or what they import of ours, start, be it by net or os/exec. Who uses unsafe is with them, for checkptr comes with -race.
# Where that is only so on paper a test file says "// On one goroutine: REASON" on a line of its own, and the package is one of
# the others.
#
#   tools/racy.sh yes    import paths of those, one a line
#   tools/racy.sh no     the others: all that their tests run is on one goroutine
set -euo pipefail
GO=${GO:-go}
words='^[[:space:]]*go (func|[A-Za-z_.]+\()|\.Go\(|\.Parallel\(|RunParallel|AfterFunc|"(net|net/(http|rpc|smtp|textproto).*|unsafe|os/(exec|signal)|testing/synctest|golang.org/x/(sync|sys)/.*)"'

# has FOLDER FILE...: whether one of the files has the words.
has() { (cd "$1" && shift && [ $# -gt 0 ] && grep -qE "$words" "$@") && echo 1 || echo 0; }
alone() { (cd "$1" && shift && [ $# -gt 0 ] && grep -q '^// On one goroutine: ' "$@") && echo 1 || echo 0; }

# A line a package: path, code, tests, said to be alone, imports of the code, "|", imports of the tests.
"$GO" list -f '{{.ImportPath}}	{{.Dir}}	{{join .GoFiles " "}} {{join .CgoFiles " "}}	{{join .TestGoFiles " "}} {{join .XTestGoFiles " "}}	{{join .Imports " "}}	{{join .TestImports " "}} {{join .XTestImports " "}}' ./... |
	while IFS=$'\t' read -r pkg dir code tests imports test_imports; do
		# shellcheck disable=SC2086 # lists of names without blanks
		echo "$pkg $(has "$dir" $code) $(has "$dir" $tests) $(alone "$dir" $tests) $imports | $test_imports"
	done |
	awk -v want="$1" '
		{ pkg[NR] = $1; starts[$1] = $2; tests[$1] = $3; alone[$1] = $4; line[NR] = $0 }
		END {
			do { # what starts goroutines by what it imports
				changed = 0
				for (i = 1; i <= NR; i++) {
					n = split(line[i], f, " ")
					for (j = 5; f[j] != "|" && !starts[f[1]]; j++)
						if (starts[f[j]]) starts[f[1]] = changed = 1
				}
			} while (changed)
			for (i = 1; i <= NR; i++) {
				n = split(line[i], f, " ")
				racy = starts[f[1]] + tests[f[1]]
				for (j = 5; j <= n; j++) racy += starts[f[j]]
				if (alone[f[1]]) racy = 0
				if ((want == "yes") == (racy > 0)) print pkg[i]
			}
		}'
