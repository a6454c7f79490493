"""Names, paths and parameters that somebody means ill with: a clear refusal, or exactly the value; never SQL."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from sparkkit.errors import UsageError
from sparkkit.job import Job
from sparkkit.schema import odcs
from sparkkit.testing import RunJob

NAMES = (
    "a`b", "``", "a'b", 'a"b', "a;drop table x", "a.b", "a -- b", "a/*b*/", "${env:HOME}", "${spark.app.name}", "$(id)", "{x}", "%s%n",
    "a\\b", "a\tb", "\u202egnp", "z\u200bw", "NULL", "1 or 1=1", "SELECT", "*", "Σ 路", "_", "a,b", "x" * 300,
)  # fmt: skip
"""Names of columns that would do something else than be read, if they were put into SQL as they are."""

VALUES = (*NAMES, "a\nb", "a\rb", "\0", "../../etc/passwd", "file:///etc/passwd", "s3a://x/y", "' or '1'='1", "x" * 1_000_000)


def given(rows: DataFrame, *, word: str) -> DataFrame:
    """A job that puts its parameter beside each row, and looks for it."""
    return rows.withColumn("word", F.lit(word)).where(F.col("word") == word)


@pytest.mark.parametrize("kind", ["parquet", "json", "csv"])
def test_hostile_names_of_columns_arrive_as_they_are(kind: str, tmp_path: Path, run_job: RunJob) -> None:
    names = [n for n in NAMES if not (kind == "csv" and "\t" in n) and not (kind == "parquet" and "${" in n)]
    (tmp_path / "a.json").write_text(json.dumps({n: str(i) for i, n in enumerate(names)}) + "\n")
    done = run_job(Job(lambda rows: rows, name="j"), {"rows": tmp_path / "a.json"}, [f"--output-format={kind}"])
    assert done.exit_code == 0, done.message
    back = done.spark.read.options(header="true", escape='"').format(kind).load(done.record["outputs"]["output"]["path"])
    assert {n: back.select(F.col(f"`{n.replace('`', '``')}`")).first()[0] for n in names} == {n: str(i) for i, n in enumerate(names)}


def test_a_name_that_parquet_s_reader_would_take_for_a_variable_is_refused(spark: SparkSession, run_job: RunJob, tmp_path: Path) -> None:
    """Stock Spark writes such a column under the variable's value, and then reads it as null, without a word."""
    (tmp_path / "a.json").write_text(json.dumps({"${spark.app.name}": "x"}) + "\n")
    unknown = spark.createDataFrame([("x",)], "`${env:HOME}` string")
    done = [run_job(Job(lambda rows: rows, name="j"), {"rows": given}) for given in (unknown, tmp_path / "a.json")]
    assert [(d.exit_code, d.record["reason"]) for d in done] == [(2, "wrong_column_name")] * 2
    assert not (tmp_path / "run-1" / "output").exists()


def test_hostile_names_arrive_through_a_contract_too(spark: SparkSession, run_job: RunJob, tmp_path: Path) -> None:
    properties = [{"name": n, "logicalType": "string", "required": True, "logicalTypeOptions": {"minLength": 1}} for n in NAMES]
    document = {"apiVersion": "v3.1.0", "kind": "DataContract", "id": "h", "version": "1.0.0", "status": "active"}
    (tmp_path / "h.yaml").write_text(json.dumps({**document, "schema": [{"name": "h", "properties": properties}]}))
    source = tmp_path / "in" / "a.json"
    source.parent.mkdir()
    good = {n: str(i) for i, n in enumerate(NAMES)}
    source.write_text("".join(json.dumps(row) + "\n" for row in (good, {**good, NAMES[0]: None})))
    job = Job(lambda rows: rows, name="j", contracts={"rows": str(tmp_path / "h.yaml")})
    done = run_job(job, {"rows": source}, ["--set=outputs.output.partition_by=a;drop table x", "--output-format=json"])
    assert (done.exit_code, done.record["inputs"]["rows"]["quarantined_by"]) == (0, {"null": 1}), done.message
    row = done.output.first()
    assert row is not None
    assert {n: str(row[n]) for n in NAMES} == good


def test_hostile_parameters_arrive_as_they_are(spark: SparkSession, run_job: RunJob, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("x\n")
    for word in ("".join(v for v in VALUES if len(v) < 1000), VALUES[-1]):
        done = run_job(Job(given, name="given"), {"rows": tmp_path / "a.txt"}, [f"--word={word}"])
        assert (done.exit_code, done.output.first()) == (0, ("x", word)), done.message[:500]


def test_a_parameter_is_no_reference_to_a_secret(run_job: RunJob, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TREASURE", "hunter2")
    (tmp_path / "a.txt").write_text("x\n")
    done = run_job(Job(given, name="given"), {"rows": tmp_path / "a.txt"}, ["--word=${env:TREASURE}"])
    assert done.output.first().word == "${env:TREASURE}"  # type: ignore[union-attr]


def _refusals(tmp_path: Path) -> dict[str, list[str]]:
    source, to = f"--input={tmp_path / 'a.txt'}", f"--output={tmp_path / 'out'}"
    return {
        "an input with a null byte": ["--input=a\0b", to],
        "an input with a newline": ["--input=a\nb", to],
        "an output with a null byte": [source, "--output=a\0b"],
        "an input of a megabyte": [f"--input={'x' * 1_000_000}", to],
        "a quarantine with an escape": [source, to, "--set=outputs.output.quarantine=a\x1b[2J"],
        "an unknown scheme": ["--input=gopher://x/y", to],
        "an unknown scheme to write to": [source, "--output=gopher://x/y"],
        "a colon in a relative path": ["--input=a:b", to],
        "an empty path": ["--input=", to],
        "a table that is SQL": ["--input=x; drop table y", to, "--set=inputs.rows.format=table"],
        "a table that is a file": ["--input=text.`/etc/passwd`", to, "--set=inputs.rows.format=table"],
        "a format that is a class": [source, to, "--output-format=org.apache.spark.sql.jdbc"],
        "a key of a megabyte": [source, to, f"--set={'x' * 1_000_000}=1"],
        "a job that climbs out of conf": [source, to, "--env=../../etc/passwd"],
        "a contract out of nowhere": [source, to, "--set=inputs.rows.contract=../../../etc/shadow\x1b[2J"],
        "an unknown option with a null byte": [source, to, "--x\0y"],
    }


@pytest.mark.parametrize("case", _refusals(Path()))
def test_what_can_not_be_meant_is_refused_in_one_short_sentence(
    case: str, run_job: RunJob, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.txt").write_text("x\n")
    done = run_job(Job(lambda rows: rows, name="j"), {}, _refusals(tmp_path)[case])
    said = capsys.readouterr().err
    assert (done.exit_code, "\n" in done.message, len(done.message) < 4200) == (2, False, True), done.message[:500]
    assert not set(said) & {"\0", "\x1b"} and "Traceback" not in said and not (tmp_path / "out").exists()


def test_an_odd_path_is_read_and_written_as_it_is(run_job: RunJob, tmp_path: Path) -> None:
    folder = tmp_path / "it's `odd`; \u202e\u200b 路 100%41"
    folder.mkdir()
    (folder / "a.txt").write_text("x\n")
    done = run_job(Job(lambda rows: rows, name="j"), {"rows": folder}, [f"--output={tmp_path / 'o;u`t%'}"])
    assert (done.exit_code, (tmp_path / "o;u`t%" / "_SUCCESS").exists()) == (0, True), done.message


@pytest.mark.parametrize(
    "text",
    [
        "!!python/object/apply:os.system ['touch {}']",
        "schema: !!python/object/new:subprocess.Popen [['touch', '{}']]",
        "a: &a [x, x]\nb: &b [" + ", ".join(["*a"] * 50) + "]\nc: &c [" + ", ".join(["*b"] * 50) + "]\nd: &d [" + ", ".join(["*c"] * 50)
        + "]\ne: [" + ", ".join(["*d"] * 50) + "]",
        "a: &a [*a]",
    ],
    ids=["a call", "a process", "a bomb of aliases", "an alias of itself"],
)  # fmt: skip
def test_yaml_makes_values_only(text: str, tmp_path: Path) -> None:
    pytest.importorskip("yaml")
    made = tmp_path / "made"
    with pytest.raises(UsageError) as found:
        odcs.parse(text.replace("{}", str(made)), "t.yaml")
    assert (found.value.reason, made.exists()) == ("bad_contract", False)


def test_nothing_of_a_job_is_pickled_to_disk_or_read_from_it() -> None:
    """Where pickle is used at all: `mapreduce` ships a function of the job to its own workers; see docs/security.md."""
    root = Path(__file__).resolve().parents[1] / "sparkkit"
    loads: Callable[[str], Any] = lambda text: "pickle.load" in text or "joblib" in text or "marshal" in text  # noqa: E731
    assert [p.name for p in sorted(root.rglob("*.py")) if loads(p.read_text(encoding="utf-8"))] == ["shipping.py"]
