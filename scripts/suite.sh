# Shared by test.sh and matrix.sh: a suite of pytest, and what it counted. Needs `options`, and `stage` for the name of its log.
# shellcheck shell=bash
export SPARK_LOCAL_IP="${SPARK_LOCAL_IP:-127.0.0.1}"
logs=$(mktemp -d)
trap 'rm -rf "$logs"' EXIT

suite() { # PYTHON MARKERS [COMMAND…]: the whole output is seen and kept, for the sum at the end
    local python=$1 markers=$2
    shift 2
    local colour=() status
    [[ -t 1 ]] && colour=(--color=yes)
    env -u PYSPARK_DRIVER_PYTHON PYSPARK_PYTHON="$python" "$python" "$@" -m pytest "${colour[@]}" -m "$markers" "${options[@]}" 2>&1 | tee "$logs/$stage"
    status=${PIPESTATUS[0]}
    return "$status"
}

counted() { # WORD [STAGE]: its sum over the closing lines of all suites, or that of one
    local log total=0 n
    for log in "$logs"/${2:-*}; do
        [[ -f $log ]] || continue
        n=$(sed 's/\x1b\[[0-9;]*m//g' "$log" | grep -E '^(=+ )?[0-9]+ [a-z]+.* in [0-9.]+s' | tail -n 1 | grep -oE "[0-9]+ $1" | cut -d' ' -f1)
        total=$((total + ${n:-0}))
    done
    echo "$total"
}
