#!/bin/bash
# The ring as WebAssembly, without a runtime: ring.c and the little of libc that it needs.
#
#   ring/c/wasm/build.sh OUT.wasm      (Debian: clang and lld; or set CLANG)
#   ring/c/wasm/build.sh --which       prints the clang it would take, fails if there is none
set -euo pipefail
cd "$(dirname "$0")"

which_clang() {
	local clang
	for clang in ${CLANG:-clang clang-20 clang-19 clang-18 clang-17 clang-16 clang-15 clang-14}; do
		command -v "$clang" >/dev/null || continue
		# clang looks for wasm-ld beside itself, in its own directory of the system, and on the path.
		[ -n "$("$clang" --print-prog-name=wasm-ld | grep / || command -v wasm-ld)" ] || continue
		echo "$clang"
		return
	done
	return 1
}

if [ "${1:-}" = --which ]; then
	which_clang
	exit
fi
out=${1:?usage: build.sh OUT.wasm}
clang=$(which_clang) || { echo "no clang with wasm-ld: install clang and lld" >&2; exit 1; }
"$clang" --target=wasm32 -std=c11 -O2 -Wall -Wextra -Werror -ffreestanding -fvisibility=hidden -nostdlib -Iinclude \
	../ring.c libc.c -o "$out" -Wl,--no-entry,--export-dynamic,--strip-all
