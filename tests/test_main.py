"""`python -m sparkkit` and `python jobs/x.py`: the process ends with the verb's or the run's exit code."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


def process(*argv: str, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        [sys.executable, *argv], cwd=cwd, env=env, capture_output=True, text=True, check=False, timeout=300
    )


@pytest.mark.parametrize(("argv", "code"), [(("-m", "sparkkit", "list"), 0), (("-m", "sparkkit", "lst"), 2)])
def test_the_process_ends_with_the_verb_s_exit_code(argv: tuple[str, ...], code: int) -> None:
    assert process(*argv).returncode == code


def test_a_job_file_is_a_program_that_leaves_a_record_in_the_working_folder(tmp_path: Path) -> None:
    done = process(str(ROOT / "jobs" / "word_count.py"), "--env", "nowhere", cwd=tmp_path)
    (record,) = (tmp_path / "runs").glob("word_count-*.json")
    assert (done.returncode, json.loads(record.read_text())["reason"]) == (2, "unknown_env")
    assert done.stderr.strip().splitlines()[-1].startswith("sparkkit: word_count: no conf/env/nowhere.toml")


def test_importing_sparkkit_loads_no_pyspark_and_its_names_are_there() -> None:
    code = (
        "import sys, sparkkit; loaded = 'pyspark' in sys.modules;"
        " [getattr(sparkkit, n) for n in sparkkit.__all__]; sys.exit(loaded)"
    )
    assert process("-c", code).returncode == 0
