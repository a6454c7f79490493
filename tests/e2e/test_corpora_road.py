"""The corpora down the whole road, by the job `convert`: what was published and what went to the quarantine is held
against the truth, and rows in are counted by something other than Spark."""

from __future__ import annotations

import csv as python_csv
import gzip
import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sparkkit.testing import Outcome, RunJob

pytestmark = [pytest.mark.e2e, pytest.mark.corpora, pytest.mark.long]
Convert = Callable[..., tuple[Outcome, list[dict[str, Any]], list[dict[str, Any]]]]
Note = Callable[[str, object], None]
QUOTED = "--set=inputs.data.options.newlines_in_quotes=true"


@pytest.fixture
def convert(run_job: RunJob) -> Convert:
    """`convert(path, *options)`: how the run ended, the rows that it published, and those in its quarantine."""

    def call(path: Path, *options: str) -> tuple[Outcome, list[dict[str, Any]], list[dict[str, Any]]]:
        done = run_job("convert", {"data": path}, ["--to=parquet", *options])
        return done, stored(done.record["outputs"]["output"]["path"] if not done.exit_code else None), stored(done.record["quarantine"])

    return call


def stored(path: str | None) -> list[dict[str, Any]]:
    """The rows of a Parquet folder, read by Arrow."""
    return pq.read_table(path.removeprefix("file:")).to_pylist() if path else []


def account(done: Outcome) -> tuple[int, int, int]:
    """Rows read, rows written and rows quarantined, as the record has them."""
    data, output = done.record["inputs"]["data"], done.record["outputs"]["output"]
    return data["read"], output["written"], data["quarantined"] + output["quarantined"]


def test_pollock(convert: Convert, scorer: ModuleType, corpora: Path, tmp_path: Path, record_testsuite_property: Note) -> None:
    folder = scorer.unpack(corpora, tmp_path / "pollock")
    (tmp_path / "contract.json").write_text(scorer.CONTRACT.to_json())
    done, rows, rejected = convert(folder / "csv", "--from=csv", f"--contract={tmp_path}/contract.json", "--keep-source")
    good: dict[str, list[tuple[str, ...]]] = {}
    for row in rows:
        good.setdefault(scorer.name(row["_source_file"]), []).append(tuple(row[name] or "" for name in scorer.NAMES))
    bad: dict[str, list[str]] = {}
    for row in rejected:
        bad.setdefault(scorer.name(row["source_file"]), []).append(row["reason"])

    result = scorer.judged(folder, good, bad)
    record_testsuite_property("pollock_road", json.dumps(result))
    figures = (result["files"], result["wrong_files"] <= 2, result["vanished"], result["false_alarms"])
    assert figures == (1130, True, 0, 0), result
    assert account(done) == (result["rows_read"], result["passed"], result["quarantined"])


def test_csv_spectrum(convert: Convert, corpora: Path, record_testsuite_property: Note) -> None:
    wrong, totals = {}, Counter[str]()
    for path in sorted((corpora / "csv-spectrum" / "csvs").iterdir()):
        done, rows, rejected = convert(path, "--from=csv", QUOTED)
        due = json.loads((corpora / "csv-spectrum" / "json" / f"{path.stem}.json").read_text(encoding="utf-8"))
        with path.open(encoding="utf-8", newline="") as text:
            held = sum(1 for _ in python_csv.reader(text)) - 1
        assert account(done) == (held, len(rows), len(rejected)) and held == len(rows) + len(rejected), path.stem
        totals.update(files=1, rows_in=held, rows_out=len(rows), quarantined=len(rejected))
        if [{k: v or "" for k, v in row.items()} for row in rows] != due:
            wrong[path.stem] = [row["reason"] for row in rejected]

    record_testsuite_property("csv_spectrum_road", json.dumps({**totals, "wrong": wrong}))
    assert wrong == {"location_coordinates": ["replacement_character"]}  # its JSON is of another CSV


def test_naughty_strings(convert: Convert, corpora: Path, tmp_path: Path, record_testsuite_property: Note) -> None:
    strings = json.loads(gzip.decompress((corpora / "blns.json.gz").read_bytes()))
    with (tmp_path / "blns.csv").open("w", encoding="utf-8", newline="") as file:
        python_csv.writer(file, quoting=python_csv.QUOTE_ALL).writerows([("n", "s"), *enumerate(strings)])

    done, rows, rejected = convert(tmp_path / "blns.csv", "--from=csv", QUOTED)
    altered = sorted(set(enumerate(strings)) - {(int(row["n"]), row["s"]) for row in rows})
    figures = {"rows_in": len(strings), "rows_out": len(rows), "quarantined": len(rejected), "altered": len(altered)}
    record_testsuite_property("naughty_strings_road", json.dumps(figures))
    assert (altered, account(done), len(rejected)) == ([], (515, 515, 0), 0)


def test_damaged_parquet(convert: Convert, corpora: Path, record_testsuite_property: Note) -> None:
    told, totals = {}, Counter[str]()
    for file in sorted((corpora / "parquet-bad").glob("*.parquet")):
        done, rows, _ = convert(file)
        if done.exit_code == 4:
            told[file.name] = "refused" if file.name in done.message and not rows else f"refused without its name: {done.message}"
            continue
        held = pq.ParquetFile(file).metadata.num_rows
        totals.update(rows_in=held, rows_out=len(rows))
        right = account(done) == (held, held, 0) and same(rows, file)
        told[file.name] = "right" if right else f"{done.exit_code}: {account(done)} of {held}"

    figures = Counter(told.values())
    record_testsuite_property("damaged_parquet_road", json.dumps({"files": len(told), **figures, **totals}))
    corrupt = ("datapage_v1-corrupt-checksum.parquet", "rle-dict-uncompressed-corrupt-checksum.parquet")
    assert ({*figures}, len(told), {told[name] for name in corrupt}) == ({"right", "refused"}, 14, {"refused"}), told


def same(rows: list[dict[str, Any]], file: Path) -> bool:
    """Whether the rows are those that Arrow reads in the file; true where Arrow can't read it."""
    try:
        return Counter(map(repr, rows)) == Counter(map(repr, pq.read_table(file).to_pylist()))
    except (OSError, pa.ArrowException):
        return True
