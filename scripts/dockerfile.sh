#!/usr/bin/env bash
# Builds scripts/serving.Dockerfile and tries its image where there is no Docker: buildah does the steps in chroots, on a Debian 12 of
# mmdebstrap in place of the base image from Docker Hub, with this machine's own mirrors and CAs. scripts/container.py then starts the
# server in namespaces of its own. Ends with one JSON line. Needs root, git, mmdebstrap, buildah, ip and unshare.
#   scripts/dockerfile.sh MODEL RECORD      MODEL is a bundle's folder, RECORD the JSON of a record
#   scripts/dockerfile.sh --needs           only says what is missing here
set -euo pipefail
model=$(realpath -m -- "${1:-.}")
cd "$(dirname "${BASH_SOURCE[0]}")/.."
missing=()
[[ $EUID == 0 ]] || missing+=(root)
for name in git mmdebstrap buildah ip unshare; do command -v "$name" >/dev/null || missing+=("$name"); done
((${#missing[@]} == 0)) || { echo "dockerfile: needs ${missing[*]}. Type: sudo apt-get install -y mmdebstrap buildah iproute2" >&2; exit 2; }
[[ $* != --needs ]] || exit 0
(($# == 2)) || { sed -n '5,6s/^# */usage: /p' "${BASH_SOURCE[0]}" >&2; exit 64; }
[[ -f $model/card.json ]] || { echo "dockerfile: $model holds no card.json, so it is no model's bundle" >&2; exit 64; }

folder=$(mktemp -d "${TMPDIR:-/tmp}/dockerfile.XXXXXX")
cleanup() { # never remove through a mount that is still there
    if grep -q " $folder" /proc/self/mounts; then echo "dockerfile: $folder is still mounted" >&2
    else rm -rf --one-file-system "$folder"; fi
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
quietly() { "$@" >"$folder/log" 2>&1 || { tail -n 30 "$folder/log" >&2; echo "dockerfile: $1 failed, see above" >&2; exit 1; }; }
store=(--root "$folder/store" --runroot "$folder/run" --storage-driver vfs)

sources=() hooks=()   # this machine's own, so that a mirror, a snapshot or a CA is used here too
for file in /etc/apt/sources.list.d/debian.sources /etc/apt/sources.list; do
    [[ -s $file ]] && { sources=("$file"); break; }
done
for file in /etc/pip.conf /usr/local/share/ca-certificates; do
    [[ ! -e $file ]] || hooks+=(--customize-hook="copy-in $file ${file%/*}")
done
echo "dockerfile: making a Debian 12" >&2
quietly mmdebstrap --variant=minbase "${hooks[@]}" bookworm "$folder/base.tar" "${sources[@]}"
base=$(buildah "${store[@]}" from scratch)
quietly buildah "${store[@]}" add --quiet "$base" "$folder/base.tar" /
quietly buildah "${store[@]}" commit --quiet --rm "$base" localhost/base
rm "$folder/base.tar"

echo "dockerfile: building scripts/serving.Dockerfile" >&2
mkdir "$folder/context"
git ls-files -coz --exclude-standard | while IFS= read -rd '' file; do [[ ! -e $file ]] || printf '%s\0' "$file"; done |
    tar c --null -T - | tar x --no-same-owner -C "$folder/context"
cp -rL "$model" "$folder/context/model"
quietly buildah "${store[@]}" build --isolation chroot --format docker --pull-never --from localhost/base --build-arg MODEL=model \
    --file scripts/serving.Dockerfile --tag localhost/serving "$folder/context"

echo "dockerfile: serving" >&2
python=.venv/bin/python
[[ -x $python ]] || python=python3
unshare --mount --net --pid --fork --kill-child --mount-proc \
    "$python" scripts/container.py localhost/serving "$model" "$2" "${store[@]}"
