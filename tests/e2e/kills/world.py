"""What a kill must leave, by an oracle that is not Spark: pyarrow, and Delta's log as its protocol says."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

import pyarrow as pa
import pyarrow.csv
import pyarrow.orc
import pyarrow.parquet as pq

Rows = Counter[str]

CONTRACT = """apiVersion: v3.1.0
kind: DataContract
id: nightly
version: 1.0.0
status: active
schema:
  - name: rows
    properties:
      - {name: id, logicalType: integer, physicalType: bigint, required: true}
      - {name: kind, logicalType: string, physicalType: string}
      - {name: n, logicalType: integer, physicalType: bigint, required: true}
      - {name: day, logicalType: string, physicalType: string}
"""


@dataclass(frozen=True)
class Case:
    """One format and mode; `keyed` modes have settings of their own."""

    kind: str
    mode: str
    settings: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """Its name."""
        return f"{self.kind} {self.mode}"

    def expected(self, days: tuple[int, ...]) -> dict[str, Rows]:
        """What each output holds after these days, by its name."""
        shown = days[-1:] if self.mode == "overwrite" else days
        rows: Rows = Counter()
        totals: Rows = Counter()
        for day in shown:
            good = [row for row in rows_of(day) if row["n"] is not None]
            rows.update(str((row["id"], row["kind"], row["n"], row["day"])) for row in good)
            for kind in sorted({row["kind"] for row in good}):
                totals[str((f"2026-01-0{day}", kind, sum(row["n"] for row in good if row["kind"] == kind)))] += 1
        rejected: Rows = Counter({f"2026-01-0{day}": 1 for day in days})
        return {"rows": rows, "totals": totals, "rows.quarantine": rejected}


def rows_of(day: int) -> list[dict[str, object]]:
    """A day's input: 40 rows, one of which breaks the contract."""
    made: list[dict[str, object]] = [
        {"id": day * 1000 + i, "kind": "ab"[i % 2], "n": i, "day": f"2026-01-0{day}"} for i in range(40)]
    return [*made[:39], made[39] | {"n": None}]


def write_inputs(folder: Path) -> None:
    """The days' files, and the contract."""
    for day in range(1, 6):
        (folder / f"in/{day}").mkdir(parents=True, exist_ok=True)
        lines = "".join(json.dumps(row) + "\n" for row in rows_of(day))
        (folder / f"in/{day}/rows.json").write_text(lines)
    (folder / "nightly.yaml").write_text(CONTRACT)


def read(folder: Path, kind: str) -> dict[str, Rows]:
    """What the outputs hold now, by bare paths."""
    rows = table(folder / "out/rows", kind)
    totals = table(folder / "out/totals", kind)
    rejected = table(folder / "out/rows.quarantine", "parquet")
    return {
        "rows": counted(rows, "id", "kind", "n", "day"), "totals": counted(totals, "day", "kind", "total"),
        "rows.quarantine": Counter(str(row["date"]) for row in rejected),
    }


def counted(rows: list[dict[str, object]], *columns: str) -> Rows:
    """Rows as a multiset of texts."""
    return Counter(str(tuple(row[c] if c in ("kind", "day") else int(str(row[c])) for c in columns)) for row in rows)


def table(path: Path, kind: str) -> list[dict[str, object]]:
    """The rows at a path; none where nothing is there."""
    if not path.exists():
        return []
    if kind == "delta":
        return delta(path)
    return [row | partition(file, path) for file in data_files(path) for row in rows_in(file, kind)]


def rows_in(file: Path, kind: str) -> list[dict[str, object]]:
    """The rows of one file."""
    if kind == "json":
        return [json.loads(line) for line in file.read_text().splitlines()]
    if kind == "csv":
        return list(pa.csv.read_csv(file).to_pylist()) if file.stat().st_size else []
    return list((pa.orc.read_table(file) if kind == "orc" else pq.ParquetFile(file).read()).to_pylist())


def partition(file: Path, root: Path) -> dict[str, object]:
    """The columns that a file's folders tell."""
    return dict(part.split("=", 1) for part in file.relative_to(root).parts[:-1] if "=" in part)


def data_files(path: Path) -> list[Path]:
    """The files that readers of a bare path would read."""
    return sorted(f for f in path.rglob("*") if f.is_file() and not any(p[0] in "._" for p in f.relative_to(path).parts))


def delta(path: Path) -> list[dict[str, object]]:
    """The live rows of a Delta table. Source: PROTOCOL.md of Delta Lake, action reconciliation (no checkpoints, no deletion vectors)."""
    live: dict[str, dict[str, object]] = {}
    for commit in sorted((path / "_delta_log").glob("*.json")):
        for line in commit.read_text().splitlines():
            action = json.loads(line)
            if "add" in action:
                assert not action["add"].get("deletionVector"), "this reader knows no deletion vectors"
                live[action["add"]["path"]] = action["add"]["partitionValues"]
            if "remove" in action:
                live.pop(action["remove"]["path"], None)
    found = []
    for name, values in live.items():
        found += [row | values for row in rows_in(path / unquote(name), "parquet")]
    return found
