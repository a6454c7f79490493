"""What a reader of bare paths sees, by pyarrow, and by Delta's log as its protocol says."""

from __future__ import annotations

import json
import os
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from urllib.parse import unquote

import pyarrow as pa
import pyarrow.csv
import pyarrow.orc
import pyarrow.parquet as pq

Rows = Counter[str]
Found = list[dict[str, object]]


def counted(rows: Sequence[dict[str, object]], *columns: str) -> Rows:
    """Rows as a multiset of texts; formats without types give numbers as texts."""
    return Rows(str(tuple(_plain(row.get(c)) for c in columns)) for row in rows)


def _plain(value: object) -> object:
    if value is None or isinstance(value, bool):
        return value
    text = str(value)
    return int(text) if re.fullmatch(r"-?\d+", text) else text


def read(path: Path, kind: str) -> Found:
    """The rows at a path; none where nothing is there."""
    if not path.exists():
        return []
    if kind == "delta":
        return _delta(path)
    return [row | _partition(file, path) for file in [*_data_files(path)] for row in _rows_in(file, kind)]


def _rows_in(file: Path, kind: str) -> Found:
    if kind == "json":
        return [json.loads(line) for line in file.read_text().splitlines()]
    if kind == "csv":
        return list(pa.csv.read_csv(file).to_pylist()) if file.stat().st_size else []
    return list((pa.orc.read_table(file) if kind == "orc" else pq.ParquetFile(file).read()).to_pylist())


def _partition(file: Path, root: Path) -> dict[str, object]:
    """The columns that a file's folders tell."""
    pairs = [part.partition("=") for part in file.relative_to(root).parts[:-1]]
    return {name: value for name, sign, value in pairs if sign}


def _data_files(path: Path) -> Iterator[Path]:
    """By what the folders say: a file that goes while we read is an error then, and not left out."""
    with os.scandir(path) as entries:
        for entry in sorted((e for e in entries if e.name[0] not in "._"), key=lambda e: e.name):
            yield from _data_files(path / entry.name) if entry.is_dir(follow_symlinks=False) else [path / entry.name]


def _delta(path: Path) -> Found:
    """The live rows of a table. Source: PROTOCOL.md of Delta Lake, action reconciliation (no deletion vectors, the log from its start)."""
    live: dict[str, dict[str, object]] = {}
    for commit in sorted(file for file in (path / "_delta_log").glob("*.json") if file.stem.isdigit()):
        for line in commit.read_text().splitlines():
            action = json.loads(line)
            if "add" in action:
                assert not action["add"].get("deletionVector"), "this reader knows no deletion vectors"
                live[action["add"]["path"]] = action["add"]["partitionValues"]
            if "remove" in action:
                live.pop(action["remove"]["path"], None)
    return [row | values for name, values in live.items() for row in _rows_in(path / unquote(name), "parquet")]
