#!/usr/bin/env bash
# Tries faults; the last line is one of JSON, and the exit code 1 where something was wrong.
#   scripts/faults.sh seam [--seed N] [--walks N] [--only NAME]   the publishing protocol, every order of calls, without a JVM: about 20 minutes
set -euo pipefail
root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
cd "$root"
. scripts/lib.sh
case ${1:-} in
    seam) shift ;;
    -h | --help) sed -n '2,3s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"; exit 0 ;;
    *) echo "usage: scripts/faults.sh seam [--seed N]" >&2; exit 2 ;;
esac
use_python
exec "$python" -m tests.storage.exhaust "$@"
