#!/usr/bin/env bash
# Remakes the locks from conf/python.in, those of older Sparks (conf/python-spark35.in, …) and the packages named in conf/jars.lock.
# Needs uv and the registries; look at the difference before you commit it.
set -euo pipefail
root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
cd "$root"
. scripts/lib.sh
command -v uv >/dev/null || { echo "lock: uv is needed. Type: python3 -m pip install uv" >&2; exit 2; }
for line in "${sparks[@]}"; do
    name="python$(suffix "$line")"
    uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate "$@" \
        "conf/$name.in" --output-file "conf/$name.lock"
done
scripts/setup.sh --matrix "${older[@]}"
for line in "${sparks[@]}"; do ".venv$(suffix "$line")/bin/python" scripts/jars.py --relock; done
scripts/setup.sh --matrix "${older[@]}"
