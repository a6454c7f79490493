#!/usr/bin/env bash
# Remakes the locks from conf/python.in, conf/python-spark35.in and the packages named in conf/jars.lock.
# Needs uv and the registries; look at the difference before you commit it.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
command -v uv >/dev/null || { echo "lock: uv is needed. Type: python3 -m pip install uv" >&2; exit 2; }
for name in python python-spark35; do
    uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate "$@" \
        "conf/$name.in" --output-file "conf/$name.lock"
done
scripts/setup.sh --matrix
for venv in .venv .venv-spark35; do "$venv/bin/python" scripts/jars.py --relock; done
scripts/setup.sh --matrix
