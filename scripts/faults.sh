#!/usr/bin/env bash
# Tries faults; the last line is one of JSON, and the exit code 1 where something was wrong.
#   scripts/faults.sh seam [--seed N] [--walks N] [--only NAME]   the publishing protocol, every order of calls, without a JVM: about 10 minutes
#   scripts/faults.sh kill [--seed N] [--kills N] [--only CASE]   a driver killed with SIGKILL at N events of each format and mode, then run again
set -euo pipefail
root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
cd "$root"
. scripts/lib.sh
case ${1:-} in
    seam) module=tests.storage.exhaust ;;
    kill) module=tests.e2e.kills.faults ;;
    -h | --help) sed -n '2,4s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"; exit 0 ;;
    *) echo "usage: scripts/faults.sh seam|kill [--seed N]" >&2; exit 2 ;;
esac
shift
use_python
exec "$python" -m "$module" "$@"
