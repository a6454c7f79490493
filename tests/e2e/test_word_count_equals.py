"""word_count, map_reduce, mrjob and `tr | sort | uniq -c` count the same, on a slice of the text."""
from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ENV = {**os.environ, "PYTHONPATH": str(ROOT), "PYSPARK_PYTHON": sys.executable, "SPARK_LOCAL_IP": "127.0.0.1"}

pytestmark = pytest.mark.e2e


def run(*command: object) -> dict[str, object]:
    done = subprocess.run([sys.executable, *map(str, command)], cwd=ROOT, env=ENV, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.skipif(not all(map(shutil.which, ("tr", "sort", "uniq"))), reason="no tr, sort and uniq here")
@pytest.mark.skipif(importlib.util.find_spec("mrjob") is None, reason="mrjob is not installed")
@pytest.mark.long
def test_the_five_ways_of_counting_agree():
    figures = run("scripts/show_word_count.py", "--megabytes", 3, "--mrjob-megabytes", 1)
    assert figures["equal"] == dict.fromkeys(("native", "bare", "map_reduce", "mrjob"), True)
    assert figures["tokens"] > 400_000


def test_counters_are_exact_where_every_task_fails_once(tmp_path):
    result = run("tests/e2e/lost_counters.py", tmp_path)
    counters = [(row["counter"]["group"], row["counter"]["amount"]) for row in result["rows"] if row["counter"]]
    assert result["tries"] == 2 + 5, "each map task and each group failed once"
    assert sum(amount for group, amount in counters if group == "records") == 1000
    assert sum(amount for group, amount in counters if group == "groups") == 5
