"""`sparkkit drift-report`, from the command line to the exit code, on the tests' own session."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

from sparkkit import cli, session
from sparkkit.monitoring.drift import VERDICTS

pytest.importorskip("matplotlib")
ROW = ("amount", "feature", "numeric", "psi", 0.3, 0.1, 0.2, None, 1e-9, 1e-8, "alarm", 10, 12, "judged by chi_square",
       '[{"bin": "to 1", "reference": 10, "current": 12}]')


@pytest.fixture(autouse=True)
def _own_session(spark: SparkSession, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "start", lambda **_: spark)
    monkeypatch.setattr(session, "stop", lambda _: None)


def verdicts(spark: SparkSession, path: Path, *rows: Any) -> str:
    spark.createDataFrame(list(rows), VERDICTS).write.parquet(str(path))
    return str(path)


def test_it_prints_what_is_reported_and_writes_the_page(spark: SparkSession, tmp_path: Path, capsys: Any) -> None:
    page = tmp_path / "page.html"
    assert cli.main(["drift-report", verdicts(spark, tmp_path / "v", ROW), "--html", str(page)]) == 0
    assert "1 feature: 1 in alarm (amount)" in capsys.readouterr().out
    assert "amount: alarm" in page.read_text(encoding="utf-8")


@pytest.mark.parametrize(("rows", "options", "code", "said"), [
    ([(*ROW[:10], "dire", *ROW[11:])], [], 2, "severity 'dire'"), ([ROW], ["--html=/nowhere/at/all.html"], 6, "can't be written")])
def test_what_goes_wrong_is_said(
    spark: SparkSession, tmp_path: Path, capsys: Any, rows: Any, options: list[str], code: int, said: str,
) -> None:
    assert cli.main(["drift-report", verdicts(spark, tmp_path / "v", *rows), *options]) == code
    assert said in capsys.readouterr().err


def test_another_table_is_refused(spark: SparkSession, tmp_path: Path, capsys: Any) -> None:
    spark.range(3).write.parquet(str(tmp_path / "t"))
    assert cli.main(["drift-report", str(tmp_path / "t")]) == 2
    assert "it is no table of drift verdicts" in capsys.readouterr().err
