#!/usr/bin/env bash
# Real daemons on loopback, from registry packages alone, in .sparkkit/cluster of the project.
#   scripts/cluster.sh up [hdfs] [yarn] [standalone] [s3] [minio] [postgres]   starts them (default: hdfs yarn), waits until each answers
#   scripts/cluster.sh status                               which are up, and where their logs are; exit code 3 where one is not
#   scripts/cluster.sh down                                 ends them, and removes their data
#   eval "$(scripts/cluster.sh env)"                        the variables by which spark-submit and the tests find them
set -euo pipefail
root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
. "$root/scripts/lib.sh"
case ${1:-} in
    up | down | status | env) ;;
    -h | --help) sed -n '2,6s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"; exit 0 ;;
    *) echo "usage: scripts/cluster.sh up|down|status|env [hdfs] [yarn] [standalone] [s3] [minio] [postgres]" >&2; exit 2 ;;
esac
"$root/scripts/setup.sh"
use_python
kinds=" ${*:2} "
[[ $1 != up || ($# != 1 && $kinds != *" hdfs "* && $kinds != *" yarn "*) ]] || "$python" "$root/scripts/jars.py" daemons
exec "$python" "$root/scripts/cluster.py" "$@"
