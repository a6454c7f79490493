"""Scores the CSV reader on the Pollock corpus: rows are matched, not counted, and rows in are counted without Spark.

python scripts/pollock.py CORPORA_FOLDER      prints one JSON line
"""

from __future__ import annotations

import csv
import io
import json
import re
import sys
import tarfile
import tempfile
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from sparkkit.formats import csv as reader
from sparkkit.schema.conform import conform
from sparkkit.schema.contract import Column, Contract
from sparkkit.schema.landing import BAD, FILE, RAW

NAMES = ("DATE", "TIME", "Qty", "PRODUCTID", "Price", "ProductType", "ProductDescription", "URL", "Comments")
CONTRACT = Contract("pollock", tuple(Column(name, "string") for name in NAMES))


def unpack(corpora: Path, folder: Path) -> Path:
    """The folder with `csv/` and `clean/`."""
    with tarfile.open(corpora / "pollock.tar.gz") as archive:
        archive.extraction_filter = getattr(tarfile, "data_filter", None)  # since Python 3.11.4
        archive.extractall(folder)
    return folder


def lines(data: bytes) -> int:
    """The physical lines of a file: LF, CRLF and CR end one; what follows the last of them is one more."""
    return len(re.findall(rb"[^\r\n]*(?:\r\n|\n|\r)|[^\r\n]+\Z", data))


def land(
    spark: SparkSession,
    paths: list[Path],
    contract: Contract | None = None,
    options: Mapping[str, str] | None = None,
) -> tuple[DataFrame, reader.Settled]:
    """The conformed frame of some files, read from this machine's disk."""
    heads = {str(path): path.read_bytes()[:65536] for path in paths}
    settled = reader.settle(heads, {str(path): path.stat().st_size for path in paths}, contract, options or {})
    frame = reader.land(spark, settled, contract, options or {})
    return (conform(frame, contract) if contract else frame), settled


def read(
    spark: SparkSession, folder: Path
) -> tuple[dict[str, list[tuple[str, ...]]], dict[str, list[Any]], reader.Settled]:
    """The good rows and the rejects of each file by name."""
    frame, settled = land(spark, sorted((folder / "csv").iterdir()), CONTRACT)
    frame = frame.cache()
    good: dict[str, list[tuple[str, ...]]] = {}
    for row in frame.where(F.col(BAD).isNull()).collect():
        good.setdefault(name(row[FILE]), []).append(tuple(row[name] or "" for name in NAMES))
    bad: dict[str, list[Any]] = {}
    for row in reader.rejects(frame.where(F.col(BAD).isNotNull()).select(FILE, RAW, BAD)).collect():
        bad.setdefault(name(row[FILE]), []).append(row)
    frame.unpersist()
    return good, bad, settled


def name(uri: str) -> str:
    """The name of a file, out of its URI."""
    return unquote(uri).rsplit("/", 1)[-1]


def expected(path: Path) -> Counter[tuple[str, ...]]:
    """What a file should read as, by Python's own reader of the clean file."""
    rows = list(csv.reader(io.StringIO(path.read_text(encoding="utf-8"), newline=""), strict=True))
    return Counter(tuple(row) for row in rows if tuple(row) != NAMES)


def judged(folder: Path, good: Mapping[str, list[tuple[str, ...]]], bad: Mapping[str, list[str]]) -> dict[str, Any]:
    """Files with an unflagged wrong row, rows that vanished, alarms on the clean control, clean rows not passed: out of
    the good rows of each file by name, and the reasons of its bad ones."""
    wrong, vanished, read_rows, kept_out = {}, 0, 0, 0
    for path in sorted((folder / "csv").iterdir()):
        clean, passed = expected(folder / "clean" / path.name), Counter(good.get(path.name, []))
        if passed - clean:
            wrong[path.name] = [list(row) for row in passed - clean]
        rows = max(0, lines(path.read_bytes()) - 1)
        read_rows += rows
        vanished += abs(rows - passed.total() - len(bad.get(path.name, [])))
        kept_out += (clean - passed).total()
    reasons = Counter(reason for rows in bad.values() for reason in rows)
    return {
        "files": len(list((folder / "csv").iterdir())),
        "wrong_files": len(wrong),
        "wrong": sorted(wrong),
        "vanished": vanished,
        "rows_read": read_rows,
        "passed": sum(map(len, good.values())),
        "quarantined": sum(reasons.values()),
        "by_reason": dict(reasons),
        "false_alarms": len(bad.get("source.csv", [])),
        "clean_rows_not_passed": kept_out,
    }


def score(spark: SparkSession, folder: Path) -> dict[str, Any]:
    """The figures of `judged` for the reader alone."""
    good, bad, settled = read(spark, folder)
    reasons = {file: [row[BAD].reason for row in rows] for file, rows in bad.items()}
    return {
        **judged(folder, good, reasons),
        "mismatched_files": sum(len(g.paths) for g in settled.groups if g.kind == "mismatch"),
    }


def main() -> None:
    """Scores and prints."""
    spark = SparkSession.builder.master("local[2]").config("spark.sql.ansi.enabled", "true").getOrCreate()
    with tempfile.TemporaryDirectory() as folder:
        print(json.dumps(score(spark, unpack(Path(sys.argv[1]), Path(folder)))))


if __name__ == "__main__":
    main()
