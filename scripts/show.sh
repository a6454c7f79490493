#!/usr/bin/env bash
# Shows item N of what issue 3 promises, on the real thing; ends with one JSON line of its figures.
set -uo pipefail
root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
cd "$root" || exit 2
. scripts/lib.sh
scripts/setup.sh || exit $?
use_python
export SPARK_LOCAL_IP="${SPARK_LOCAL_IP:-127.0.0.1}"
exec "$python" scripts/show.py "$@"
