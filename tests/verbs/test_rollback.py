"""`rollback` as a person types it."""

from __future__ import annotations

from pathlib import Path

import pytest

from sparkkit import cli
from sparkkit.storage.journal import Staged, running
from sparkkit.storage.local import LocalStore


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """An output that two runs overwrote."""
    target = tmp_path / "out"
    target.mkdir()
    (target / "zero").write_text("zero")
    for name in ("one", "two"):
        with running(LocalStore(), name, {str(target): "*"}) as run:
            LocalStore().put_if_absent(f"{run.workspace(str(target))}/x/{name}", name.encode())
            run.publish(name, [Staged(str(target), f"{run.workspace(str(target))}/x", "overwrite")])
    return target


def held(out: Path) -> list[str]:
    return sorted(p.name for p in out.iterdir() if p.name[0] != ".")


def test_the_kept_versions_are_listed_the_current_one_first(out: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert (cli.main(["rollback", str(out)]), capsys.readouterr().out.splitlines()) == (0, ["two  (now)", "one", "before"])


@pytest.mark.parametrize(("to", "expected"), [("one", ["one"]), ("before", ["zero"])])
def test_a_version_is_put_back_and_can_be_undone(out: Path, to: str, expected: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert (cli.main(["rollback", str(out), "--to", to]), held(out)) == (0, expected)
    assert "what it replaced is kept in turn" in capsys.readouterr().out
    assert (cli.main(["rollback", str(out), "--to", "two"]), held(out)) == (0, ["two"])


def test_what_is_not_kept_is_refused_and_nothing_changes(out: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (out.parent / "delta" / "_delta_log").mkdir(parents=True)
    for argv, words in (
        ([str(out), "--to", "none"], "kept are: one, the files from before"), ([str(out.parent / "never")], "no run has published"),
        ([str(out.parent / "delta")], "is a Delta table"), (["hdfs://n/out"], "is not on this machine"),
    ):
        assert (cli.main(["rollback", *argv]), words in capsys.readouterr().err) == (2, True)
    assert held(out) == ["two"]
