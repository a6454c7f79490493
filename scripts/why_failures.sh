#!/usr/bin/env bash
# Provokes failures with a real Spark, each a run of its own, and asks `sparkkit why` for the cause of each (about 4 minutes).
#   scripts/why_failures.sh [KIND…]
# It ends with one JSON line: {"kinds", "right", "wrong", "skipped"}; exit code 1 where one is wrong.
set -euo pipefail
root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
cd "$root"
. scripts/lib.sh
use_python
exec "$python" tests/e2e/failing.py "$@"
