#!/bin/bash
# All tests of the C ring: compilers, sanitizers, threads, forks, vectors, a benchmark, and each other language whose
# toolchain is there. Under 90 seconds on two cores.
#
#   ring/c/test.sh [c|bench|examples|wasm]...
#
# It says which toolchains ran and which are not there; one that is there and fails, fails the test. As root on Debian
# it installs libjna-java if Java is there and that is not, and says so; it installs nothing else.
set -euo pipefail
cd "$(dirname "$0")"

parts=("$@")
[ ${#parts[@]} -gt 0 ] || parts=(c bench examples wasm)
wants() { [[ " ${parts[*]} " == *" $1 "* ]]; }

CC=${CC:-gcc}
CXX=${CXX:-g++}
command -v "$CC" >/dev/null || { echo "a C compiler is needed: install gcc, or set CC" >&2; exit 1; }
data=$(realpath ../testdata)
build=$(mktemp -d)
trap 'rm -rf "$build"' EXIT

strict=(-std=c11 -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Werror)
fast=(-O2)
careful=(-O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all)
racing=(-O1 -g -fsanitize=thread)

# flavour NAME FLAG...: ring.o and support.o with these flags.
flavour() {
	mkdir -p "$build/$1"
	"$CC" "${strict[@]}" "${@:2}" -c ring.c -o "$build/$1/ring.o"
	"$CC" "${strict[@]}" "${@:2}" -c test/support.c -o "$build/$1/support.o"
}

# program FLAVOUR TEST FLAG...: the test, linked.
program() {
	"$CC" "${strict[@]}" "${@:3}" "test/$2.c" "$build/$1/support.o" "$build/$1/ring.o" -o "$build/$1/$2"
}

# together COMMAND...: each a word list, at the same time; fails if one does.
together() {
	local pids=() failed=0 pid command
	for command in "$@"; do
		$command &
		pids+=($!)
	done
	for pid in "${pids[@]}"; do wait "$pid" || failed=1; done
	[ $failed = 0 ]
}

compile_careful() {
	flavour careful "${careful[@]}"
	program careful hash_test "${careful[@]}"
	program careful table_test "${careful[@]}"
	program careful vectors_test "${careful[@]}"
	program careful parse_test "${careful[@]}" -Wl,--wrap=malloc
	program careful handle_test "${careful[@]}" -Wl,--wrap=malloc,--wrap=free
	program careful threads_test "${careful[@]}" -pthread
	program careful fork_test "${careful[@]}" -pthread
}

compile_racing_and_fast() {
	flavour racing "${racing[@]}"
	program racing threads_test "${racing[@]}" -pthread
	flavour fast "${fast[@]}"
	program fast threads_test "${fast[@]}" -pthread
	program fast fork_test "${fast[@]}" -pthread
	# The product for machines without a 128-bit type, among them WASM.
	mkdir -p "$build/narrow"
	"$CC" "${strict[@]}" "${careful[@]}" -U__SIZEOF_INT128__ test/hash_test.c test/support.c ring.c -o "$build/narrow/hash_test"
}

# The thread sanitizer of older compilers cannot do with the address layout of newer kernels.
run_racing() {
	if "$build/racing/threads_test" 100 >/dev/null 2>&1 || ! command -v setarch >/dev/null; then
		"$build/racing/threads_test" 5000
	else
		setarch -R "$build/racing/threads_test" 5000
	fi
}

run_careful() {
	"$build/careful/hash_test"
	"$build/narrow/hash_test"
	"$build/careful/table_test"
	"$build/careful/parse_test" 100000
	"$build/careful/vectors_test" "$data"
	"$build/careful/handle_test"
	"$build/careful/threads_test" 20000
	"$build/careful/fork_test" 20
}

run_fast() {
	run_racing
	"$build/fast/fork_test" 100
	"$build/fast/threads_test" 650000
}

if wants c; then
	together compile_careful compile_racing_and_fast
	echo "under ASan and UBSan, under TSan, and plainly:"
	together run_careful run_fast
	if command -v "$CXX" >/dev/null; then
		"$CXX" -std=c++11 -Wall -Wextra -Wpedantic -Werror test/header_test.cc "$build/fast/ring.o" -o "$build/header_test"
		"$build/header_test"
	else
		echo "$CXX: not there, skipped"
	fi
fi

if wants bench; then
	[ -e "$build/fast/ring.o" ] || flavour fast "${fast[@]}"
	program fast bench "${fast[@]}"
	"$build/fast/bench"
fi

# ---- Other languages: the library as they load it, and each of them if it is there. ----

# example NAME COMMAND...: runs it, and says so.
example() {
	local said
	if ! said=$("${@:2}" 2>&1); then
		echo "$1: FAILED: $said" >&2
		return 1
	fi
	echo "$1: ran: $said"
}

c_example() { # the owner of the first device of the vectors, as text
	local line name key owner
	line=$(grep -m 1 "^lookup	v1/cluster.ring	" "$data/vectors.tsv")
	IFS=$'\t' read -r _ name key _ owner <<<"$line"
	key=$(printf '%b' "$(sed 's/../\\x&/g' <<<"$key")")
	"$CC" "${strict[@]}" "${fast[@]}" examples/c/owner.c ring.c -o "$build/owner" &&
		[ "$("$build/owner" "$data/snapshots/$name" "$key" 2>"$build/trace")" = "$key ${owner%%,*}" ] &&
		grep -q "trace 4bf9000.*code 0" "$build/trace" && echo "the first vector agrees"
}

rust() { rustc --edition 2021 -O -L "$build" examples/rust/vectors.rs -o "$build/rust" && "$build/rust" "$data"; }

go_example() { (cd examples/go && GOFLAGS="-mod=mod -trimpath" GOWORK=off CGO_ENABLED=1 CC=$CC go run . "$data"); }

node_headers() { # where node_api.h is, if anywhere
	local d
	for d in "$(dirname "$(realpath "$(command -v node)")")/../include/node" /usr/include/node /usr/include/nodejs/src; do
		[ ! -e "$d/node_api.h" ] || { echo "$d"; return; }
	done
}

node_example() {
	"$CC" "${strict[@]}" "${fast[@]}" -fPIC -shared -isystem "$1" examples/node/ring.c ring.c -o "$build/ring.node" &&
		node examples/node/vectors.mjs "$build/ring.node" "$data"
}

jna() { # the path of jna.jar, installed if it has to be
	local jar=/usr/share/java/jna.jar
	if [ ! -e $jar ] && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
		echo "installing libjna-java (for the example in Java)" >&2
		# make test runs the JavaScript client's tests at the same time, which may install something too.
		DEBIAN_FRONTEND=noninteractive flock "${TMPDIR:-/tmp}/roost-apt.lock" sh -c 'apt-get update -qq >&2; apt-get install -y -qq --no-install-recommends libjna-java >/dev/null 2>&1' || true
	fi
	[ ! -e $jar ] || echo $jar
}

if wants examples; then
	"$CC" "${strict[@]}" "${fast[@]}" -fPIC -shared -fvisibility=hidden ring.c -o "$build/libroost_ring.so"
	"$CC" "${strict[@]}" "${fast[@]}" -c ring.c -o "$build/ring.o"
	ar rcs "$build/libroost_ring.a" "$build/ring.o"
	there() { command -v "$1" >/dev/null || { echo "$1: not there, skipped"; return 1; }; }

	example c c_example
	! there python3 || example python3 python3 examples/python/vectors.py "$build/libroost_ring.so" "$data"
	! there rustc || example rustc rust
	! there go || example go go_example
	if there node; then
		headers=$(node_headers)
		if [ -n "$headers" ]; then example node node_example "$headers"; else echo "node: no node_api.h, skipped"; fi
	fi
	if there javac; then
		jar=$(jna)
		if [ -n "$jar" ]; then
			example java java -cp "$jar" examples/java/Vectors.java "$build/libroost_ring.so" "$data"
		else
			echo "java: no JNA (libjna-java), skipped"
		fi
	fi
fi

if wants wasm; then
	if ! clang=$(wasm/build.sh --which); then
		echo "wasm: no clang with wasm-ld, skipped"
	elif ! command -v node >/dev/null; then
		echo "wasm: no node to run it, skipped"
	else
		wasm/build.sh "$build/roost_ring.wasm"
		example "wasm ($clang)" node wasm/vectors.mjs "$build/roost_ring.wasm" "$data"
	fi
fi
echo "the C ring passes"
