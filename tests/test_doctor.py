"""The doctor: what is needed and missing ends with 2 and says what to do; what is optional does not."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

from sparkkit import doctor
from sparkkit.doctor import Finding


def said(text: str) -> Any:
    return lambda *args, **more: subprocess.CompletedProcess(args, 0, "", text)


def test_this_machine_has_all_that_is_needed(capsys: pytest.CaptureFixture[str]) -> None:
    assert doctor.main() == 0
    out = capsys.readouterr().out
    assert [
        w for w in ("python", "java", "pyspark", "jars: delta", "extra: cli", "cores", "memory") if f" {w} " not in out
    ] == []
    assert out.splitlines()[-1] == "all that is needed is here"


def test_without_java_it_ends_with_2_and_says_what_to_type(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("JAVA_HOME", "/nowhere")
    assert doctor.main() == 2
    out = capsys.readouterr().out
    assert "MISSING java" in out
    assert "apt-get install openjdk-17-jre-headless" in out
    assert out.splitlines()[-1] == "missing: java"


@pytest.mark.parametrize(
    ("text", "ok"),
    [
        ('openjdk version "17.0.9"', True),
        ('openjdk version "21"', True),
        ('java version "1.8.0_392"', False),
        ("what?", False),
    ],
)
def test_java_17_is_the_floor(text: str, ok: bool) -> None:
    (finding,) = doctor.java(said(text))
    assert (finding.ok, finding.needed) == (ok, True)


def test_an_optional_package_that_is_absent_is_no_failure(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(doctor, "EXTRAS", (("cloud", ("no_such_module", "no.such"), "clouds"),))
    monkeypatch.setattr(doctor, "jars", lambda: iter([Finding("jars: delta", "none", False)]))
    assert doctor.main() == 0
    assert "clouds; lacks no_such_module, no.such: install sparkkit with its extra [cloud]" in capsys.readouterr().out


def test_a_container_s_memory_limit_counts(tmp_path: Path) -> None:
    whole = doctor.memory_bytes(tmp_path / "none")
    (tmp_path / "limit").write_text("1073741824\n")
    (tmp_path / "max").write_text("max\n")
    assert (doctor.memory_bytes(tmp_path / "limit"), doctor.memory_bytes(tmp_path / "max")) == (1 << 30, whole)


def test_a_folder_that_can_not_be_written_to_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor.os, "access", lambda place, mode: False)
    assert [f.ok for f in doctor.writing()] == [False, False]
