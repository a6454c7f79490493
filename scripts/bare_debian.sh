#!/usr/bin/env bash
# Tries the two commands' set-up in a bare Debian 12 that holds git and python3 and nothing else: runs a command
# in it twice (default: word_count) and ends with one JSON line of the seconds. Needs root and mmdebstrap.
#   scripts/bare_debian.sh [COMMAND…]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
if [[ $EUID != 0 ]] || ! command -v mmdebstrap >/dev/null; then
    echo "bare_debian: needs root and mmdebstrap. Type: sudo apt-get install -y mmdebstrap && sudo scripts/bare_debian.sh" >&2
    exit 2
fi
(($#)) || set -- ./spark-submit.sh jobs/word_count.py --input data/books --output out/word_count

folder=$(mktemp -d "${TMPDIR:-/tmp}/bare_debian.XXXXXX")
cleanup() {
    local point
    for point in proc dev; do ! mountpoint -q "$folder/$point" || umount --lazy "$folder/$point"; done
    # never remove through a mount that is still there
    if mountpoint -q "$folder/proc" || mountpoint -q "$folder/dev"; then echo "bare_debian: $folder is still mounted" >&2
    else rm -rf --one-file-system "$folder"; fi
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

sources=()   # this machine's own, so that a mirror or a snapshot is used here too
for file in /etc/apt/sources.list.d/debian.sources /etc/apt/sources.list; do
    [[ -s $file ]] && { sources=("$file"); break; }
done
echo "bare_debian: making a Debian 12"
mmdebstrap --quiet --variant=minbase --include=ca-certificates,git,python3 bookworm "$folder" "${sources[@]}"
for file in /etc/resolv.conf /etc/pip.conf /etc/hosts; do [[ ! -f $file ]] || cp -L "$file" "$folder$file"; done
[[ ! -d /usr/local/share/ca-certificates ]] || cp -rL /usr/local/share/ca-certificates "$folder/usr/local/share/"
mkdir -p "$folder/root/project"
git ls-files -coz --exclude-standard | while IFS= read -rd '' file; do [[ ! -e $file ]] || printf '%s\0' "$file"; done |
    tar c --null -T - | tar x --no-same-owner -C "$folder/root/project"
mount --bind /dev "$folder/dev"
mount -t proc proc "$folder/proc"

inside() { # only what reaches the network is handed on: nothing else of this machine
    local kept=() name
    for name in http_proxy https_proxy no_proxy HTTP_PROXY HTTPS_PROXY NO_PROXY PIP_INDEX_URL PIP_EXTRA_INDEX_URL; do
        [[ -z ${!name:-} ]] || kept+=("$name=${!name}")
    done
    env -i "${kept[@]}" PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root \
        chroot "$folder" bash -c 'cd /root/project && exec "$@"' bash "$@"
}
timed() { # NAME COMMAND…: sets NAME to its seconds
    local from=$EPOCHREALTIME; from=${from/,/.}
    "${@:2}"
    printf -v "$1" '%s' "$(awk -v a="$from" -v b="${EPOCHREALTIME/,/.}" 'BEGIN { printf "%.1f", b - a }')"
}

inside update-ca-certificates >"$folder/tmp/log" 2>&1 || { cat "$folder/tmp/log" >&2; exit 1; }
[[ -z $(inside bash -c 'command -v java pip uv') ]] || { echo "bare_debian: it is not bare" >&2; exit 1; }
echo "bare_debian: $* (nothing is set up yet)"
timed first inside "$@"
echo "bare_debian: $* (again)"
timed second inside "$@" 2> >(tee "$folder/tmp/second" >&2)
! grep -q '^setup:' "$folder/tmp/second" || { echo "bare_debian: the second time something was set up" >&2; exit 1; }
timed check inside scripts/setup.sh
echo "{\"first_seconds\": $first, \"second_seconds\": $second, \"setup_again_seconds\": $check}"
