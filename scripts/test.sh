#!/usr/bin/env bash
# Sets up what is missing and runs every test; a stage that fails does not stop those after it.
#   scripts/test.sh [-x] [STAGE…] [pytest options]
#   stages: lint types layers unit unit35 connect cluster e2e, and long, which is not run by itself; -x stops after the first stage that fails
#   scripts/test.sh unit -k word_count
set -uo pipefail
root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
cd "$root" || exit 2
. scripts/lib.sh
. scripts/suite.sh
all=(lint types layers unit unit35 connect cluster e2e) stages=() stop='' options=()
while (($#)); do
    case $1 in
        -x) stop=1 ;;
        -h | --help) sed -n '2,5s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"; exit 0 ;;
        *) if [[ " ${all[*]} long " == *" $1 "* ]]; then stages+=("$1"); else options=("$@"); break; fi ;;
    esac
    shift
done
((${#stages[@]})) || stages=("${all[@]}")
[[ " ${stages[*]} " == *" unit35 "* ]] && matrix=--matrix || matrix=
scripts/setup.sh $matrix || exit $?
use_python

run() {
    case $1 in
        lint) "$python" -m ruff check . ;;
        types) "$python" -m mypy ;;
        layers) "$python" -c 'import sys; from importlinter.cli import lint_imports_command as run; sys.exit(run())' ;;
        unit) suite "$python" "not e2e" ;;
        unit35)
            if [[ -n ${SPARK_HOME:-} ]]; then echo "unit35: skipped, SPARK_HOME is set"; return; fi
            suite "$root/.venv-spark35/bin/python" "not e2e and not once" ;;
        # the pure ring, unchanged, against a real server
        connect) (options+=(tests/transforms tests/schema tests/monitoring); suite "$python" "not e2e" scripts/connect.py "$python") ;;
        # one set of daemons for all tests of the stage; where they can't be had the tests say so and are skipped
        cluster) with_daemons suite "$python" "cluster and not long" ;;
        e2e) suite "$python" "e2e and not cluster and not long" ;;
        long) with_daemons suite "$python" "e2e and long" ;;
    esac
}

with_daemons() {
    "$python" scripts/jars.py postgresql sqlite
    scripts/cluster.sh up hdfs yarn
    scripts/cluster.sh up s3
    local status
    "$@"
    status=$?
    scripts/cluster.sh down
    return "$status"
}

began=$SECONDS failed=()
for stage in "${stages[@]}"; do
    echo "--- $stage"
    from=$SECONDS
    if run "$stage"; then verdict=passed; else verdict=FAILED; failed+=("$stage"); fi
    echo "--- $stage $verdict in $((SECONDS - from)) s"
    [[ -n $stop && $verdict == FAILED ]] && break
done
((${#failed[@]} == 0)) || echo "stages that failed: ${failed[*]}"
bad=$(($(counted failed) + $(counted error)))
for stage in "${failed[@]}"; do [[ -f $logs/$stage ]] || bad=$((bad + 1)); done   # a failed check counts as one
((${#failed[@]} && bad == 0)) && bad=${#failed[@]}
echo "$(counted passed) passed, $bad failed, $(counted skipped) skipped in $((SECONDS - began))s"
((${#failed[@]} == 0))
