#!/usr/bin/env bash
# Sets up each supported Spark and runs the unit suite on it, one after another; ends with a table. A version that fails does not stop those after it.
#   scripts/matrix.sh [VERSION…] [pytest options]   without a version all of them
#   scripts/matrix.sh 3.5 4.0 -k names
set -uo pipefail
root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
cd "$root" || exit 2
. scripts/lib.sh
. scripts/suite.sh
lines=() options=()
while (($#)); do
    case $1 in
        -h | --help) sed -n '2,4s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"; exit 0 ;;
        [0-9]*.*) stage=$(line_of "$1") || exit $?; lines+=("$stage") ;;
        *) options=("$@"); break ;;
    esac
    shift
done
((${#lines[@]})) || lines=("${sparks[@]}")
[[ -z ${SPARK_HOME:-} ]] || die "SPARK_HOME is set, so that Spark alone would be run. Type: unset SPARK_HOME"
scripts/setup.sh --matrix "${lines[@]}" || exit $?
use_python

table=$(printf '%-7s %8s %8s %8s %8s' Spark passed failed skipped seconds) worst=0
for stage in "${lines[@]}"; do
    echo "--- Spark $(locked "$stage")"
    from=$SECONDS
    suite "$root/.venv$(suffix "$stage")/bin/python" "not e2e" && verdict=0 || verdict=1
    failed=$(($(counted failed "$stage") + $(counted error "$stage")))
    ((verdict && failed == 0)) && failed=1   # it ended before it could count
    ((verdict)) && worst=1
    table+=$(printf '\n%-7s %8s %8s %8s %8s' "$(locked "$stage")" "$(counted passed "$stage")" "$failed" "$(counted skipped "$stage")" $((SECONDS - from)))
done
echo "$table"
exit "$worst"
