"""All of tests/test_again.py for Delta tables, and how their files come into them, in a session of its own."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from sparkkit import jars

pytestmark = pytest.mark.e2e
ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(("tests", "which"), [
    ("tests/e2e/delta_files.py", "not long"),
    pytest.param("tests/e2e/delta_files.py", "long", marks=pytest.mark.long),
    pytest.param("tests/test_again.py", "long or not long", marks=pytest.mark.long),
], ids=["files", "more_files", "again"])
def test_runs_again_do_to_delta_tables_what_they_do_to_files(tests: str, which: str) -> None:
    if not list(jars.folder().glob("*delta-spark*.jar")):
        pytest.skip(f"no Delta jars in {jars.folder()}: run scripts/setup.sh")
    env = os.environ | {"SPARK_LOCAL_IP": "127.0.0.1", "PYTHONPATH": str(ROOT), "SPARKKIT_TEST_KIND": "delta"}
    argv = [sys.executable, "-m", "pytest", "-q", "-o", "sparkkit_needs=delta", "-m", which, tests]
    done = subprocess.run(argv, cwd=ROOT, env=env, capture_output=True, text=True, timeout=1000, check=False)
    assert done.returncode == 0, done.stdout[-6000:]
    assert re.search(r"^\d+ passed", done.stdout.splitlines()[-1])
