#!/usr/bin/env bash
# Makes .venv from conf/python.lock and fetches the jars of conf/jars.lock; does nothing where that is done.
#   scripts/setup.sh                       what jobs and tests need
#   scripts/setup.sh --matrix [3.5] [4.0]  also .venv-spark35 and .venv-spark40, older Sparks for the tests; without a version the oldest
# Where SPARK_HOME is set nothing is installed: that Spark and its Python are used.
set -euo pipefail
root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
. "$root/scripts/lib.sh"
matrix=
case ${1:-} in
    '') ;;
    --matrix)
        shift
        (($#)) || set -- "${older[0]}"
        for version in "$@"; do line=$(line_of "$version"); matrix+=" $line"; done ;;
    -h | --help) sed -n '2,5s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"; exit 0 ;;
    *) die "unknown option $1: the only one is --matrix" ;;
esac

# True if packages could be installed by apt; otherwise stops with the one command to type.
apt_install() { # WHAT IS MISSING, PACKAGE…
    local what=$1 as=(); shift
    command -v apt-get >/dev/null || die "$what. Install it with this system's package manager, then start again"
    if [[ $EUID != 0 ]]; then
        sudo -n true 2>/dev/null || die "$what. Type: sudo apt-get update && sudo apt-get install -y $*"
        as=(sudo -n)
    fi
    say "$what: installing $* with apt-get"
    local log; log=$(mktemp)
    if ! { "${as[@]}" apt-get update && "${as[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "$@"; } >"$log" 2>&1; then
        tail -n 5 "$log" >&2; rm -f "$log"
        die "apt-get failed. Type: ${as[*]:+sudo }apt-get update && ${as[*]:+sudo }apt-get install -y $*"
    fi
    rm -f "$log"
}

java_version() { # the major version of the Java that Spark will take, nothing where there is none
    local java=java
    [[ -n ${JAVA_HOME:-} ]] && java="$JAVA_HOME/bin/java"
    "$java" -version 2>&1 | sed -n 's/.*version "\(1\.\)\{0,1\}\([0-9]*\).*/\2/p' | head -n 1
}

need_java() {
    local version package=openjdk-17-jre-headless
    version=$(java_version) || version=
    [[ -n $version && $version -ge 17 ]] && return
    [[ -z ${JAVA_HOME:-} ]] || die "Spark needs Java 17 or later; JAVA_HOME=$JAVA_HOME has ${version:-none}. Type: unset JAVA_HOME"
    apt_install "Spark needs Java 17 or later, found ${version:-none}" "$package"
    version=$(java_version) || version=
    [[ -n $version && $version -ge 17 ]] || die "Java on PATH is still ${version:-none}. Type: sudo update-alternatives --config java"
}

# Sets `base` to the first Python from 3.11 up to 3.LAST, trying the usual names.
find_python() { # LAST
    local name found tried=
    for name in ${SPARKKIT_PYTHON:-} python3 python3.11 python3.12 python3.13 python3.14; do
        found=$("$name" -c 'import sys; print(*sys.version_info[:2])' 2>/dev/null) || continue
        set -- "$1" $found
        if [[ $2 == 3 && $3 -ge 11 && $3 -le $1 ]]; then base=$name; return; fi
        tried+=" $name is $2.$3,"
    done
    base=
    wanted="a Python from 3.11 to 3.$1 is needed; found:${tried:- none,}"
    wanted=${wanted%,}
}

install_lock() { # VENV LOCK INSTALLER…: the build tools first, so that building needs nothing that is not locked
    local lock="$root/conf/$2" tools; tools=$(mktemp)
    awk '/^[^ ]/ { keep = /^(setuptools|wheel|packaging|pip)==/ } keep' "$lock" >"$tools"
    "${@:3}" --require-hashes -r "$tools" && "${@:3}" --require-hashes --no-build-isolation -r "$lock" || { rm -f "$tools"; return 1; }
    rm -f "$tools"
}

make_venv() { # VENV LOCK
    local venv="$root/$1"
    rm -f "$venv/.sparkkit"   # half-made until the stamp is written
    [[ ! -d $venv ]] || find "$venv" -mindepth 1 -maxdepth 1 ! -name jars -exec rm -rf {} +
    if command -v uv >/dev/null; then
        say "making $1 from conf/$2 with uv (a few minutes the first time)"
        uv venv --quiet --allow-existing --python "$(command -v "$base")" "$venv" &&
            install_lock "$1" "$2" uv pip install --quiet --python "$venv/bin/python"
    else
        "$base" -c 'import ensurepip, venv' 2>/dev/null || apt_install "the venv module of $base is missing" "$(venv_package)"
        say "making $1 from conf/$2 with pip (a few minutes the first time)"
        "$base" -m venv "$venv" &&
            install_lock "$1" "$2" "$venv/bin/python" -m pip --disable-pip-version-check install --quiet
    fi || die "the packages of conf/$2 could not be installed (see above). Start scripts/setup.sh again when the package index can be reached"
}

venv_package() { # Debian's own python3 has python3-venv, any other one its own package
    [[ $base == python3 ]] && echo python3-venv || echo "${base##*/}-venv"
}

environment() { # LINE
    set -- ".venv$(suffix "$1")" "python$(suffix "$1").lock" "$(last_python "$1")"
    local stamp="$root/$1/.sparkkit" python_hash
    if is_set_up "$1" "$2" && [[ ! -f $root/$1/jars/UNAVAILABLE ]]; then
        env -u SPARKKIT_JARS "$root/$1/bin/python" "$root/scripts/jars.py" || exit $?  # one may be gone, or damaged
        return
    fi
    python_hash=$(sha "conf/$2")
    if ! { [[ -f $stamp && -x $root/$1/bin/python ]] && grep -qxF "$python_hash" "$stamp"; }; then
        find_python "$3"
        [[ -n $base ]] || die "$wanted. Type: $(python_command)"
        make_venv "$1" "$2"
        echo "$python_hash" >"$stamp"
    fi
    env -u SPARKKIT_JARS "$root/$1/bin/python" "$root/scripts/jars.py" || exit $?
    sha "conf/$2" conf/jars.lock >"$stamp.new" && mv "$stamp.new" "$stamp"
    say "$1 is ready"
}

last_python() { # LINE: the last minor version of Python 3 that this Spark is for
    case $1 in 3.5) echo 12 ;; 4.0) echo 13 ;; *) echo 14 ;; esac
}

python_command() {
    if command -v uv >/dev/null; then echo "uv python install 3.11"
    elif command -v apt-get >/dev/null; then echo "sudo apt-get install -y python3.11 python3.11-venv"
    else echo "SPARKKIT_PYTHON=/path/to/python3.11 scripts/setup.sh"; fi
}

if [[ -n ${SPARK_HOME:-} ]]; then
    say "SPARK_HOME is set ($SPARK_HOME): that Spark and its Python are used, nothing is installed"
    exit 0
fi
if command -v flock >/dev/null; then
    exec 9<"$root"
    flock -n 9 || { say "waiting for another set-up to end"; flock 9; }
fi
need_java
environment "$newest"
for line in $matrix; do [[ $line == "$newest" ]] || environment "$line"; done
