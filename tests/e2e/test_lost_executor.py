"""The account holds when an executor is lost after its map stage: rows are computed again, and counted once."""
from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pyspark
import pytest

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(700)]
ROWS = 20_000


def test_an_executor_lost_after_its_map_stage_changes_no_figure(tmp_path: Path) -> None:
    source = tmp_path / "in"
    source.mkdir()
    for part in range(4):
        (source / f"{part}.txt").write_text("".join(f"{part} {i}\n" for i in range(ROWS // 4)))
    flag, record = tmp_path / "killed", tmp_path / "record.json"
    job = Path(__file__).with_name("lost_executor.py")
    options = ["--master", "local-cluster[2,1,768]", "--conf", "spark.executor.memory=512m", "--conf", "spark.default.parallelism=4"]
    command = [sys.executable, "-m", "sparkkit", "submit", "--target", "local", *options, str(job), "--input", str(source),
               "--output", str(tmp_path / "out"), "--record", str(record), "--flag", str(flag)]
    env = {**os.environ, "SPARK_HOME": str(Path(pyspark.__file__).parent), "PYSPARK_PYTHON": sys.executable,
           "PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run(command, env=env, cwd=tmp_path, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    found = json.loads(record.read_text())
    figures = (found["inputs"]["text"]["read"], found["inputs"]["text"]["passed"], found["outputs"]["output"]["written"])
    assert (flag.exists(), figures) == (True, (ROWS, ROWS, ROWS))
