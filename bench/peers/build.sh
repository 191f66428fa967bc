#!/bin/sh
# Builds all peers into ./bin, or into the directory $OUT. $CFLAGS and $GOFLAGS
# come on top, for a sanitizer or the race detector.
set -eu
cd "$(dirname "$0")"
OUT=${OUT:-bin}
mkdir -p "$OUT"
OUT=$(cd "$OUT" && pwd)
# CFLAGS is a list of flags, to be split.
# shellcheck disable=SC2086
"${CC:-gcc}" -O3 -Wall -Wextra -Werror ${CFLAGS:-} -o "$OUT/cfloor" cfloor/cfloor.c
GOTOOLCHAIN=local go build -o "$OUT/" ./cmd/...
