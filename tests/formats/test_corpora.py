"""Bad and odd CSV that others made: wrong rows are flagged, none vanish, and the clean control passes whole."""

from __future__ import annotations

import csv as python_csv
import gzip
import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from sparkkit.schema.landing import BAD

pytestmark = [pytest.mark.corpora, pytest.mark.once]
Note = Callable[[str, object], None]


def test_pollock(spark: SparkSession, scorer: ModuleType, corpora: Path, tmp_path: Path, record_testsuite_property: Note) -> None:
    result = scorer.score(spark, scorer.unpack(corpora, tmp_path))
    record_testsuite_property("pollock", json.dumps(result))

    figures = (result["files"], result["wrong_files"] <= 2, result["vanished"], result["false_alarms"])
    assert figures == (1130, True, 0, 0), result


def test_csv_spectrum(spark: SparkSession, scorer: ModuleType, corpora: Path) -> None:
    wrong = {}
    for path in sorted((corpora / "csv-spectrum" / "csvs").iterdir()):
        frame, _ = scorer.land(spark, [path], None, {"newlines_in_quotes": "true"})
        good = [row.asDict() for row in frame.where(F.col(BAD).isNull()).collect()]
        rows = [{k: v or "" for k, v in row.items() if not k.startswith("_sparkkit")} for row in good]
        due = json.loads((corpora / "csv-spectrum" / "json" / f"{path.stem}.json").read_text(encoding="utf-8"))
        if rows != due:
            wrong[path.stem] = [row[BAD].reason for row in frame.where(F.col(BAD).isNotNull()).collect()]

    assert wrong == {"location_coordinates": ["header", "replacement_character"]}  # its JSON is of another CSV


def test_naughty_strings_come_back_unaltered(
    spark: SparkSession, scorer: ModuleType, corpora: Path, tmp_path: Path
) -> None:
    strings = json.loads(gzip.decompress((corpora / "blns.json.gz").read_bytes()))
    path = tmp_path / "blns.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        python_csv.writer(file, quoting=python_csv.QUOTE_ALL).writerows([("n", "s"), *enumerate(strings)])

    frame, _ = scorer.land(spark, [path], None, {"newlines_in_quotes": "true"})
    rows = {row.n: row.s for row in frame.where(F.col(BAD).isNull()).collect()}

    altered = [text for n, text in enumerate(strings) if rows.get(str(n)) != text]
    assert (len(strings), altered) == (515, [])
