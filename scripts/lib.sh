# Shared by spark-submit.sh and the scripts here: where things are and whether set-up is done. Needs `root`.
# shellcheck shell=bash

say() { printf 'setup: %s\n' "$*" >&2; }
die() { printf 'setup: %s\n' "$*" >&2; exit 2; }

if command -v sha256sum >/dev/null; then sha() { (cd "$root" && sha256sum "$@"); }
else sha() { (cd "$root" && shasum -a 256 "$@"); }; fi

# The supported lines of Spark, oldest first: .venv has the newest, .venv-spark35 and the like have the others.
older=(3.5 4.0) newest=4.2
sparks=("${older[@]}" "$newest")
suffix() { [[ $1 == "$newest" ]] || echo "-spark${1//./}"; }   # LINE: of its .venv and its conf/python.lock
locked() { sed -n 's/^pyspark==\([0-9.]*\).*/\1/p' "$root/conf/python$(suffix "$1").lock"; }   # LINE: its version of PySpark

line_of() { # VERSION: the line of a locked one, 4.0 of 4.0 and of 4.0.2, say; else stops
    local line version known=''
    for line in "${sparks[@]}"; do
        version=$(locked "$line")
        if [[ $1 == "$line" || $1 == "$version" ]]; then echo "$line"; return; fi
        known+=" $version"
    done
    die "there is no environment for Spark $1: there are those for$known"
}

# The stamp of an environment holds the hashes of the locks that it was made from.
is_set_up() { # VENV PYTHON_LOCK
    local stamp="$root/$1/.sparkkit" want
    [[ -f $stamp && -x $root/$1/bin/python ]] && want=$(sha "conf/$2" conf/jars.lock) && [[ $want == "$(<"$stamp")" ]]
}

has_java() { if [[ -n ${JAVA_HOME:-} ]]; then [[ -x $JAVA_HOME/bin/java ]]; else command -v java >/dev/null; fi; }

# Names of files and text are UTF-8, also where the machine has no locale set.
[[ -n ${LC_ALL:-}${LC_CTYPE:-}${LANG:-} ]] || export LC_ALL=C.UTF-8

# Sets `python` and PYTHONPATH: a cluster's own Spark and Python where SPARK_HOME is set, else the environment.
use_python() {
    python="$root/.venv/bin/python"
    local path="$root" zip
    if [[ -n ${SPARK_HOME:-} ]]; then
        python="${PYSPARK_DRIVER_PYTHON:-${PYSPARK_PYTHON:-python3}}"
        # a pip-installed Spark has its Python part as a zip only
        [[ -f $SPARK_HOME/python/pyspark/__init__.py ]] && path+=":$SPARK_HOME/python" || path+=":$SPARK_HOME/python/lib/pyspark.zip"
        for zip in "$SPARK_HOME"/python/lib/py4j-*-src.zip; do path+=":$zip"; done
    fi
    export PYTHONPATH="$path${PYTHONPATH:+:$PYTHONPATH}"
}
