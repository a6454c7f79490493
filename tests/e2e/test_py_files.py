"""A packaged job runs by plain `spark-submit --py-files` on a Python that holds only PySpark."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from sparkkit.project import Project
from sparkkit.submission import package
from tests.e2e import environments

pytestmark = [pytest.mark.e2e, pytest.mark.long]
ROOT = environments.ROOT


def test_names_runs_with_its_contract_where_there_is_pyspark_and_nothing_else(tmp_path: Path) -> None:
    python = environments.make(tmp_path / "venv", lambda name: name in ("pyspark", "py4j"))
    pyspark = next(tmp_path.glob("venv/lib/python*/site-packages/pyspark"))
    env = environments.environment(python, SPARK_HOME=str(pyspark))
    archive = package.build(Project(ROOT), tmp_path / "package.zip")
    shutil.copy(ROOT / "jobs" / "names.py", tmp_path)
    shutil.copytree(ROOT / "data" / "names" / "csv", tmp_path / "data")
    for missing in ("pandas", "pyarrow", "yaml", "sparkkit"):
        assert environments.run([str(python), "-c", f"import {missing}"], tmp_path, env).returncode == 1, missing
    submit = [str(pyspark / "bin" / "spark-submit"), "--master", "local[1]", "--py-files", str(archive), "names.py"]
    done = environments.run([*submit, "--input", "data", "--output", "out", "--record", "r.json", "--over", "300000"], tmp_path, env)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    record = json.loads((tmp_path / "r.json").read_text())
    figures = (record["inputs"]["people"]["read"], record["outputs"]["output"]["written"])
    assert (figures, record["contracts"]["names"]["hash"]) == ((5, 2), Project(ROOT).contract("names").hash)


def test_a_packaged_job_that_fails_ends_spark_submit_with_its_exit_code(tmp_path: Path) -> None:
    python = environments.make(tmp_path / "venv", lambda name: name in ("pyspark", "py4j"))
    pyspark = next(tmp_path.glob("venv/lib/python*/site-packages/pyspark"))
    archive = package.build(Project(ROOT), tmp_path / "package.zip")
    env = environments.environment(python, SPARK_HOME=str(pyspark))
    submit = [str(pyspark / "bin" / "spark-submit"), "--master", "local[1]", "--py-files", str(archive)]
    done = environments.run([*submit, str(ROOT / "jobs" / "names.py"), "--input", "nowhere", "--output", "out"], tmp_path, env)
    assert done.returncode == 3, done.stderr[-3000:]
    assert "nothing is at nowhere" in done.stdout  # where spark-submit sends both streams of a Python program
