"""`runs`, `runs show`, `runs compact` and `status` as a person types them; none starts a JVM."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from sparkkit import cli
from sparkkit.history.book import Ledger
from sparkkit.history.places import OwnStore
from sparkkit.ledger import Record
from sparkkit.storage import alive

ROOT = Path(__file__).resolve().parents[2]
OLD, NEW, OTHER = "a-20261120T101500-000001", "a-20261122T101500-000002", "b-20261121T101500-000003"


@pytest.fixture
def book(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Ledger:
    monkeypatch.setenv("SPARKKIT_LEDGER", str(tmp_path / "ledger"))
    monkeypatch.chdir(tmp_path)
    return Ledger(OwnStore(), str(tmp_path / "ledger"))


def put(book: Ledger, run_id: str, code: int = 0, status: str = "done", **fields: Any) -> None:
    book.end({**Record(run_id, run_id[:-23]).body(), "status": status, "exit_code": code, **fields})


def said(capsys: pytest.CaptureFixture[str], *argv: str) -> tuple[int, str]:
    code = cli.main(argv)
    out, err = capsys.readouterr()
    return code, out + err


def test_runs_are_listed_with_status_and_reason_and_chosen_by_options(book: Ledger, capsys: pytest.CaptureFixture[str]) -> None:
    put(book, OLD, 4, "refused", reason="null", date="2026-11-19")
    put(book, NEW)
    put(book, OTHER)
    code, out = said(capsys, "runs")
    lines = [line.split() for line in out.splitlines()]
    assert (code, lines[0], lines[3][:3]) == (0, ["run", "status", "exit", "seconds", "date", "reason"], [OLD, "refused", "4"])
    for options, expected in (
        (["--job", "a"], [NEW, OLD]), (["--status", "refused"], [OLD]), (["--since", "2026-11-21"], [NEW, OTHER]),
        (["--limit", "1"], [NEW]), (["--limit", "0"], [NEW, OTHER, OLD]),
    ):
        assert [json.loads(line)["run_id"] for line in said(capsys, "runs", *options, "--json")[1].splitlines()] == expected
    assert said(capsys, "runs", "--job", "c") == (0, f"no such run in {book.path}\n")


def test_one_run_is_shown_as_a_page_or_as_its_record(book: Ledger, capsys: pytest.CaptureFixture[str]) -> None:
    put(book, OLD, 6, "failed", reason="disk_full", message="no space")
    code, page = said(capsys, "runs", "show", "000001")
    assert (code, page.splitlines()[:2]) == (0, [f"{OLD}: failed (exit 6, disk_full)", "message:      no space"])
    assert json.loads(said(capsys, "runs", "show", "a-", "--json")[1]) == book.record(OLD)
    assert said(capsys, "runs", "show", "nothing")[0] == 3


@pytest.mark.parametrize("words", [("runs", "--ledger", "elsewhere", "show", "last"), ("runs", "show", "last", "--ledger", "elsewhere")])
def test_the_ledger_may_be_named_before_the_noun_and_after(
    words: tuple[str, ...], book: Ledger, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    put(Ledger(OwnStore(), str(tmp_path / "elsewhere")), OLD)
    assert said(capsys, *words)[0] == 0


def test_status_ends_with_the_last_run_s_own_exit_code(book: Ledger, capsys: pytest.CaptureFixture[str]) -> None:
    put(book, OLD, 4, "refused", date="2026-11-19", message="two rows")
    put(book, NEW, date="2026-11-20")
    assert said(capsys, "status", "a", "--exit-code") == (0, f"{NEW}: done (exit 0)\n")
    assert said(capsys, "status", "a", "--date", "2026-11-19", "--exit-code") == (4, f"{OLD}: refused (exit 4): two rows\n")
    assert said(capsys, "status", "a", "--date", "2026-11-19")[0] == 0
    assert said(capsys, "status", "a", "--date", "2026-11-18", "--exit-code")[0] == 3
    assert said(capsys, "status", "c")[0] == 3


@pytest.mark.parametrize(("change", "status", "code"), [({}, "running", 3), ({"born": -1}, "killed", 6), ({"host": "x"}, "unknown", 3)])
def test_status_of_a_run_without_an_end(
    change: dict[str, Any], status: str, code: int, book: Ledger, capsys: pytest.CaptureFixture[str]
) -> None:
    put(book, OLD)
    book.begin(NEW, {"process": {**alive.here(), **change}})
    found = said(capsys, "status", "a", "--exit-code")
    assert (found[0], f"{NEW}: {status}" in found[1]) == (code, True)


def test_past_days_are_compacted_and_read_as_before(book: Ledger, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("pyarrow")
    for run_id in (OLD, OTHER):
        put(book, run_id.replace("2026", "2024"))
    before = said(capsys, "runs")
    assert said(capsys, "runs", "compact") == (0, f"2 records went into {book.path}/table\n")
    assert (said(capsys, "runs"), len(list(Path(book.path).rglob("*.parquet")))) == (before, 2)


@pytest.mark.parametrize("words", ["runs --since yesterday", "runs --status odd", "runs show", "status", "runs frobnicate"])
def test_wrong_use_ends_with_2(words: str, book: Ledger, capsys: pytest.CaptureFixture[str]) -> None:
    assert said(capsys, *words.split())[0] == 2


@pytest.mark.parametrize("words", ["runs", "runs show last", "status a --exit-code", "why last"])
def test_the_verbs_import_no_pyspark(words: str, book: Ledger) -> None:
    put(book, OLD)
    code = f"import sys; from sparkkit.cli import main; code = main({words.split()!r}); sys.exit(code or 'pyspark' in sys.modules)"
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    assert subprocess.run([sys.executable, "-c", code], cwd=book.path, env=env, capture_output=True, check=False).returncode == 0
