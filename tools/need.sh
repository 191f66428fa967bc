#!/bin/bash
# What tests and clusters need beside Go: on Debian, as root, all that is missing is installed in one go, and said;
# elsewhere it says what is missing.
#
#   tools/need.sh gcc etcd:etcd-server /usr/share/java/jna.jar:libjna-java
#
# Each word is a command or a file, and the package that has it (its own name if none is given).
set -euo pipefail
PATH=$PATH:/usr/sbin

missing() {
	local word
	for word in "$@"; do
		command -v "${word%%:*}" >/dev/null || [ -e "${word%%:*}" ] || echo "${word##*:}"
	done | sort -u
}

mapfile -t packages < <(missing "$@")
[ ${#packages[@]} -gt 0 ] || exit 0
if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
	echo "missing: install ${packages[*]} (names of Debian's packages)" >&2
	exit 1
fi
echo "installing ${packages[*]}"
# Runlevel 1: installed servers are not started.
export DEBIAN_FRONTEND=noninteractive RUNLEVEL=1
flock "${TMPDIR:-/tmp}/roost-apt.lock" sh -c 'apt-get update -qq && apt-get install -y -qq --no-install-recommends "$@" >/dev/null' sh "${packages[@]}"
mapfile -t packages < <(missing "$@")
[ ${#packages[@]} = 0 ] || { echo "still missing after the installation: ${packages[*]}" >&2; exit 1; }
