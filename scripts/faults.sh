#!/usr/bin/env bash
# Tries faults; the last line is one of JSON, and the exit code 1 where something was wrong.
#   scripts/faults.sh seam [--seed N] [--walks N] [--only NAME]       the publishing protocol, every order of calls, without a JVM: about 10 minutes
#   scripts/faults.sh kill [--seed N] [--kills N] [--only CASE]       a driver killed with SIGKILL at N events of each format and mode, then run again
#   scripts/faults.sh executor [--seed N] [--kills N] [--only CASE]   an executor killed while it writes an output
#   scripts/faults.sh zombie [--seed N] [--kills N] [--only CASE]     an owner stopped, overtaken by another, and let go on
#   scripts/faults.sh writers [--seed N] [--rounds N] [--only CASE]   two processes at the same outputs at once
# What goes wrong is told with the line that repeats it, and its folder is kept.
set -euo pipefail
root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
cd "$root"
. scripts/lib.sh
verb=${1:-}
case $verb in
    seam) module=tests.storage.exhaust ;;
    kill | executor) module="tests.e2e.kills.faults" ;;
    zombie | writers) module="tests.e2e.kills.$verb" ;;
    -h | --help) sed -n '2,8s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"; exit 0 ;;
    *) echo "usage: scripts/faults.sh seam|kill|executor|zombie|writers [--seed N]" >&2; exit 2 ;;
esac
[[ $module == tests.e2e.kills.faults ]] || shift
use_python
exec "$python" -m "$module" "$@"
