#!/usr/bin/env bash
# ./spark-submit.sh [spark options] JOB [job options]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
python=python3
[[ -x .venv/bin/python ]] && python=.venv/bin/python
exec "$python" -m sparkkit submit "$@"
