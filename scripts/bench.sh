#!/usr/bin/env bash
# ./scripts/bench.sh NAME: runs benchmarks/NAME/run.py, which writes benchmarks/results/NAME.json.
set -euo pipefail
root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
. "$root/scripts/lib.sh"
name="${1:?usage: scripts/bench.sh NAME, one of: $(ls -m "$root/benchmarks" | tr -d ' ')}"
shift
[[ -f "$root/benchmarks/$name/run.py" ]] || { echo "bench.sh: no benchmark '$name' in benchmarks/" >&2; exit 2; }
use_python
exec "$python" "$root/benchmarks/$name/run.py" "$@"
