"""The README is true: its links lead somewhere, its code is the code, its commands run and print what it shows."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from sparkkit import cli, errors
from sparkkit.command import parser
from sparkkit.job import Job

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", README, re.DOTALL)
COMMANDS = [line for kind, text in BLOCKS if kind == "sh" for line in text.strip().splitlines()]
NOT_HERE = ("./scripts/test.sh",)
"""Commands that would start this test again."""

LIGHT = ("list", "describe", "schema show", "schema diff", "runs --since")
"""Verbs that start no session: they are run in the unit suite, all others end to end."""


def verb(command: str) -> str:
    return command.partition("-m sparkkit ")[2]


def without_size(line: str) -> str:
    """A line of a table without its bytes: an encoder's next version may make a few more or less of them."""
    return re.sub(r"\s+[\d.]+ (B|KiB)$", "", line)


def test_every_link_leads_to_a_file() -> None:
    links = [link for link in re.findall(r"\]\(([^)#]+)\)", README) if "://" not in link]
    assert [link for link in links if not (ROOT / link).exists()] == []


def test_the_two_commands_come_first() -> None:
    assert COMMANDS[:2] == [
        "./spark-submit.sh jobs/word_count.py --input data/books --output out/word_count",
        "./scripts/test.sh",
    ]


def test_the_table_of_exit_codes_is_that_of_the_code() -> None:
    def rows(text: str) -> list[str]:
        return re.findall(r"^\| (?:code|\d) \|.*", text, re.MULTILINE)

    assert rows(README) == rows(errors.__doc__ or "")
    assert f"first of {', '.join(map(str, errors.PRECEDENCE))} wins" in README


def test_every_verb_is_in_the_table() -> None:
    table = re.findall(r"^\| `([\w-]+)", README, re.MULTILINE)
    assert [v for v in cli.VERBS if v not in table] == []


def test_every_option_of_every_job_is_named() -> None:
    def build(x: object) -> None: ...

    flags = re.findall(r"^  (--[\w-]+)", parser(Job(build, name="j")).format_help(), re.MULTILINE)
    assert len(flags) > 9
    assert [f for f in flags if f"`{f}" not in README] == []


def test_the_tutorial_s_code_is_the_job_s() -> None:
    (code,) = (text for kind, text in BLOCKS if kind == "python" and "JOB = " in text)
    assert code in (ROOT / "jobs" / "names.py").read_text(encoding="utf-8")


@pytest.mark.parametrize("command", [c for c in COMMANDS if verb(c).startswith(LIGHT)])
def test_a_light_command_runs(
    command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("open_data_contract_standard")
    monkeypatch.chdir(ROOT)
    assert cli.main(shlex.split(verb(command))) == 0


@pytest.mark.e2e
def test_all_other_commands_run_in_order_and_print_what_is_shown(tmp_path: Path) -> None:
    home = tmp_path / "copy"
    ignored = shutil.ignore_patterns(".venv*", ".git", "out", "runs", "__pycache__", ".*_cache", "build", "*.egg-info")
    shutil.copytree(ROOT, home, ignore=ignored)
    (home / ".venv").symlink_to(Path(sys.prefix))
    printed = []
    for command in COMMANDS:
        if command in NOT_HERE or verb(command).startswith(LIGHT):
            continue
        done = subprocess.run(
            ["bash", "-c", command],
            cwd=home,
            env={**os.environ, "PYTHONPATH": str(home)},
            capture_output=True,
            text=True,
            check=False,
            timeout=700,
        )
        assert done.returncode == 0, f"{command}: {done.stdout[-2000:]}{done.stderr[-2000:]}"
        printed += done.stdout.splitlines()
    shown = [line for kind, text in BLOCKS if kind == "text" for line in text.splitlines() if line.strip()]
    seen = {without_size(line) for line in printed}
    assert [line for line in shown if without_size(line) not in seen] == []


def test_the_table_of_speed_is_that_of_the_measurement() -> None:
    found = json.loads((ROOT / "benchmarks" / "results" / "start.json").read_text())
    rows = [f"| {found['theirs']:.1f} | 1 |", f"| {found['ours']:.1f} | {found['ratio']:.2f} | {found['goal']:.2f} |"]
    fast = found["all"]["ours_test_profile"]
    rows.append(f"| {fast['seconds']:.1f} | {fast['ratio']:.2f} | {fast['goal']:.2f} |")
    assert [row for row in rows if row not in README] == []
