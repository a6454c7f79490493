"""Ctrl-C while a job runs on YARN, on a terminal that is one; spark-submit is a stand-in that says what the real one says, and waits."""
from __future__ import annotations

import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from sparkkit.submission import asking, send, yarn

STAND_IN = """#!/bin/sh
echo "INFO Client: Application report for application_1_0001 (state: RUNNING)"
exec sleep 60
"""
JOB = "from sparkkit import Job\n\nJOB = Job(lambda data: data)\n"
ASKED = "kill application_1_0001, too? It goes on otherwise. [y/N]"


class Screen:
    """A command on a terminal of its own."""

    def __init__(self, folder: Path, *words: str) -> None:
        self.seen = ""
        self.pid, self.terminal = pty.fork()
        if self.pid == 0:
            os.chdir(folder)
            own = {"SPARK_HOME": str(folder / "spark"), "HADOOP_CONF_DIR": str(folder), "PYTHONPATH": str(Path(__file__).parents[2])}
            os.execve(sys.executable, [sys.executable, "-m", "sparkkit", *words], {**os.environ, **own})

    def read(self, until: str) -> bool:
        """Whether a text came within half a minute."""
        end = time.monotonic() + 30
        while until not in self.seen and time.monotonic() < end:
            if select.select([self.terminal], [], [], 0.1)[0]:
                try:
                    self.seen += os.read(self.terminal, 65536).decode()
                except OSError:  # it has ended
                    break
        return until in self.seen

    def end(self) -> int:
        """Its exit code."""
        self.read("\0")
        os.close(self.terminal)
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


@pytest.fixture
def screen(tmp_path: Path) -> Screen:
    for name, text in (("spark/bin/spark-submit", STAND_IN), ("jobs/copy.py", JOB), ("conf/env/yarn.toml", '[submit]\ntarget = "yarn"\n')):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    (tmp_path / "spark/bin/spark-submit").chmod(0o755)
    paths = ("--input", "hdfs:///in", "--output", "hdfs:///out", "--ledger", "hdfs:///ledger")
    made = Screen(tmp_path, "submit", "--target", "yarn", "--deploy-mode", "cluster", "--wait", "jobs/copy.py", *paths)
    assert made.read("application_1_0001 is running"), made.seen
    os.write(made.terminal, b"\x03")
    assert made.read(ASKED), made.seen
    return made


@pytest.mark.parametrize("answer", [b"n\n", b"\n", b"\x03", b"\x04"], ids=["no", "nothing", "Ctrl-C", "Ctrl-D"])
def test_whoever_does_not_say_yes_leaves_the_job_running(screen: Screen, answer: bytes) -> None:
    os.write(screen.terminal, answer)
    assert screen.end() == 128 + signal.SIGINT
    assert re.search(r"application_1_0001 goes on; to kill it: yarn application -kill application_1_0001", screen.seen), screen.seen
    assert "Traceback" not in screen.seen


def test_who_says_yes_has_it_killed(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    killed: list[str] = []
    monkeypatch.setattr(asking, "yes", lambda question: True)
    monkeypatch.setattr(yarn, "kill", killed.append)
    with subprocess.Popen(["sleep", "60"], text=True) as process:
        assert send._left(process, yarn.Application("application_1_0001")) == 128 + signal.SIGINT
    assert (killed, capsys.readouterr().err) == (["application_1_0001"], "sparkkit: application_1_0001 was killed\n")
