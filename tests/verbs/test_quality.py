"""`sparkkit check` and `sparkkit profile`, from the command line to the exit code, on the tests' own session."""
from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

from sparkkit import cli
from sparkkit.verbs import quality

CONTRACT = """
{kind: DataContract, apiVersion: v3.1.0, id: t, version: 1.0.0, status: active, schema: [{name: t, properties: [
  {name: id, logicalType: integer, unique: true},
  {name: age, logicalType: integer, logicalTypeOptions: {minimum: 0}},
  {name: region, logicalType: string, quality: [
    {type: custom, engine: sparkkit, name: region, severity: warning, implementation: {references: regions.code}}]}],
  quality: [{metric: rowCount, mustBeGreaterThan: 1, name: rows}]}]}
"""


@pytest.fixture(autouse=True)
def _own_session(spark: SparkSession, monkeypatch: pytest.MonkeyPatch) -> None:
    @contextmanager
    def session(*_: Any) -> Iterator[SparkSession]:
        yield spark

    monkeypatch.setattr(quality, "_session", session)


@pytest.fixture
def people(tmp_path: Path) -> Path:
    (tmp_path / "t.yaml").write_text(CONTRACT)
    (tmp_path / "regions.csv").write_text("code\nn\ns\n")
    (tmp_path / "good.csv").write_text("id,age,region\n1,30,n\n2,,s\n3,5,\n")
    (tmp_path / "bad.csv").write_text("id,age,region\n1,30,n\n1,-4,e\nx,5,\n")
    return tmp_path


def run(capsys: pytest.CaptureFixture[str], *argv: str) -> tuple[int, str]:
    capsys.readouterr()
    code = cli.main(argv)
    out, err = capsys.readouterr()
    return code, out + err


def test_data_that_keeps_its_contract_ends_with_0(people: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out = run(capsys, "check", str(people / "good.csv"), "--contract", str(people / "t.yaml"),
                    "--reference", f"regions={people / 'regions.csv'}")
    assert code == 0 and "meets t (5 checks)" in out and "NOT MET" not in out


def test_a_slip_in_a_rule_ends_with_2(people: Path, capsys: pytest.CaptureFixture[str]) -> None:
    slip = "quality: [{type: sql, query: 'agee > 0', name: slip}, {metric: rowCount"
    (people / "t.yaml").write_text(CONTRACT.replace("quality: [{metric: rowCount", slip))
    code, out = run(capsys, "check", str(people / "good.csv"), "--contract", str(people / "t.yaml"))
    assert code == 2 and "contract 't', check 'slip': [" in out and "`agee`" in out


@pytest.mark.parametrize("engine", [pytest.param("native"), pytest.param("gx", marks=pytest.mark.e2e)])
def test_data_that_breaks_it_ends_with_4_and_the_results_say_how(people: Path, capsys: pytest.CaptureFixture[str], engine: str) -> None:
    if engine == "gx":
        pytest.importorskip("great_expectations", reason="Great Expectations is not in the environment of Spark 3.5")
    code, out = run(capsys, "check", str(people / "bad.csv"), "--contract", str(people / "t.yaml"), "--json", "--engine", engine,
                    "--reference", f"regions={people / 'regions.csv'}")
    told = json.loads(out)
    by = {one["expectation_config"]["meta"]["name"]: one for one in told["results"]}
    assert (code, told["success"], {name: one["success"] for name, one in by.items()}) == (
        4, False, {"conforms": False, "age.minimum": False, "region": False, "rows": True, "id.unique": False})
    assert by["conforms"]["result"]["details"] == {"bad_value": 1}
    assert {name: one["meta"]["engine"] for name, one in by.items()} == {
        "conforms": "native", "region": "native", **dict.fromkeys(("age.minimum", "rows", "id.unique"), engine)}


def test_a_table_that_is_not_given_leaves_its_check_not_run(people: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out = run(capsys, "check", str(people / "good.csv"), "--contract", str(people / "t.yaml"))
    assert code == 0 and "not run" in out


def test_a_check_that_ends_runs_is_not_met_without_its_table_but_asks_for_it(people: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (people / "t.yaml").write_text(CONTRACT.replace("severity: warning", "severity: error"))
    code, out = run(capsys, "check", str(people / "good.csv"), "--contract", str(people / "t.yaml"), "--reference=region=x.csv")
    assert code == 2 and "add --reference regions=PATH (not 'region')" in out


def test_a_profile_tells_rows_and_those_that_cannot_be_read(people: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out = run(capsys, "profile", str(people / "bad.csv"), "--contract", str(people / "t.yaml"), "--json", "--columns", "age")
    told = json.loads(out)
    assert (code, told["rows"], told["unreadable"], [c["column"] for c in told["columns"]]) == (0, 3, 2, ["age"])
    code, out = run(capsys, "profile", str(people / "good.csv"))
    assert code == 0 and "3 rows" in out and "region" in out


def test_a_path_that_is_not_there_ends_with_3(people: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out = run(capsys, "check", str(people / "none.csv"), "--contract", str(people / "t.yaml"))
    assert code == 3 and "nothing is at" in out
