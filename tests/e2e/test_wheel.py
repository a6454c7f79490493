"""In an empty folder with only the wheel: `sparkkit init`, its jobs run, its tests pass."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from tests.e2e import environments

pytestmark = pytest.mark.e2e


def test_the_wheel_alone_makes_a_project_whose_jobs_run_and_whose_tests_pass(tmp_path: Path) -> None:
    wheel = environments.wheel(tmp_path / "dist")
    python = environments.make(tmp_path / "venv", lambda name: not name.lower().startswith(("sparkkit", "__editable__")))
    env = environments.environment(python)
    install = [
        sys.executable,
        "-m",
        "pip",
        "-q",
        "--python",
        str(python),
        "install",
        "--no-deps",
        "--no-index",
        str(wheel),
    ]
    assert environments.run(install, tmp_path, env).returncode == 0
    home = tmp_path / "empty"
    home.mkdir()
    steps = (
        ["sparkkit", "init"],
        ["sparkkit", "init", "daily_sales"],
        ["./spark-submit.sh", "jobs/word_count.py", "--env", "test", "--record", "one.json"],
        ["sparkkit", "run", "daily_sales", "--env", "test", "--record", "two.json"],
        ["python", "-m", "pytest", "-q", "-p", "no:cacheprovider"],
    )
    for step in steps:
        done = environments.run(step, home, env)
        assert done.returncode == 0, f"{step}: {done.stdout[-3000:]}{done.stderr[-3000:]}"
    assert "4 passed" in done.stdout
    figures = [json.loads((home / name).read_text())["outputs"]["output"]["written"] for name in ("one.json", "two.json")]
    words = set((home / "data" / "books" / "fog.txt").read_bytes().split())
    assert figures == [len(words), 2]


def test_the_wheel_holds_the_templates_and_nothing_that_was_compiled(tmp_path: Path) -> None:
    import zipfile

    with zipfile.ZipFile(environments.wheel(tmp_path / "dist")) as archive:
        names = archive.namelist()
    templates = {
        f"sparkkit/templates/{p.relative_to(environments.ROOT / 'sparkkit/templates').as_posix()}"
        for p in (environments.ROOT / "sparkkit/templates").rglob("*")
        if p.is_file() and "__pycache__" not in p.parts
    }
    assert templates - set(names) == set()
    assert [n for n in names if n.endswith(".pyc") or n.startswith(("tests", "jobs"))] == []
