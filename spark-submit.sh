#!/usr/bin/env bash
# ./spark-submit.sh [--target TARGET] [spark options] JOB [job options]: sets up what is missing, then runs the job.
set -euo pipefail
root="${BASH_SOURCE[0]}"
while [[ -L $root ]]; do link=$(readlink "$root"); [[ $link == /* ]] || link="${root%/*}/$link"; root=$link; done
[[ $root == */* ]] && root="${root%/*}" || root=.
root="$(cd "$root" && pwd)"
. "$root/scripts/lib.sh"
[[ -n ${SPARK_HOME:-} ]] || { is_set_up .venv python.lock && has_java; } || "$root/scripts/setup.sh"
use_python
exec "$python" -m sparkkit submit "$@"
