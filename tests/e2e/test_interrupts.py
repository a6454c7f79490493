"""A run that is told to stop leaves a record, no output and no half of one."""
from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(400)]


def wait_for(flag: Path, process: subprocess.Popen[str]) -> None:
    until = time.monotonic() + 90
    while not flag.exists() and process.poll() is None and time.monotonic() < until:
        time.sleep(0.1)
    assert flag.exists(), process.communicate(timeout=5)[1]


def jvm_of(process: subprocess.Popen[str]) -> int:
    """The driver's JVM: the child of the process that is a java."""
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((entry / "stat").read_text().rsplit(")", 1)[1].split()[1])
            if parent == process.pid and "java" in (entry / "comm").read_text():
                return int(entry.name)
        except (OSError, IndexError):
            continue
    raise AssertionError("no JVM among the children")


@pytest.mark.parametrize(
    ("how", "code", "status"), [(signal.SIGTERM, 143, "interrupted"), (signal.SIGINT, 130, "interrupted"), ("jvm", 6, "failed")],
)
def test_a_stopped_run_says_so_and_leaves_nothing_behind(how: signal.Signals | str, code: int, status: str, tmp_path: Path) -> None:
    source, flag, record = tmp_path / "in.txt", tmp_path / "running", tmp_path / "record.json"
    source.write_text("one\n")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "old.txt").write_text("old")
    command = [sys.executable, "-m", "sparkkit", "run", str(Path(__file__).with_name("slow_job.py")), "--input", str(source),
               "--output", str(tmp_path / "out"), "--record", str(record), "--flag", str(flag)]
    env = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), "PYSPARK_PYTHON": sys.executable}
    process = subprocess.Popen(command, cwd=tmp_path, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    wait_for(flag, process)
    os.kill(jvm_of(process) if how == "jvm" else process.pid, signal.SIGKILL if how == "jvm" else int(how))
    stderr = process.communicate(timeout=150)[1]
    found = json.loads(record.read_text())
    assert (process.returncode, found["exit_code"], found["status"]) == (code, code, status), stderr[-2000:]
    assert [p.name for p in (tmp_path / "out").iterdir()] == ["old.txt"]
    assert how == "jvm" or not list(tmp_path.glob(".out.sparkkit/work/*")), "staged files were left"
    assert "Traceback" not in stderr and "\tat " not in stderr, stderr
