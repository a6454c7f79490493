"""What a fault must leave, by oracles that are not Spark: DuckDB for modes by keys, and Python for the others."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tests.e2e import delta_oracle as oracle
from tests.e2e.kills.look import Rows, counted, read

BATCHES = ("1", "2", "3", "4", "2b")
"""The inputs for modes by the order of changes, by name; `2b` is another input of the second day. Others have as many as wanted."""

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
      - {name: n, logicalType: integer, physicalType: bigint}
      - {name: seq, logicalType: integer, physicalType: bigint, required: true}
      - {name: gone, logicalType: boolean, physicalType: boolean, required: true}
      - {name: day, logicalType: string, physicalType: string}
"""
ONLY_ROWS = ('--set=outputs.rows.keys=["id"]', '--set=outputs.rows.leave_out=["gone"]', "--set=outputs.totals.mode=append")
DELETES = "--set=outputs.rows.apply_as_deletes=gone"
SETTINGS = {
    "overwrite_partitions": ('--set=outputs.rows.partition_by=["day"]', '--set=outputs.totals.partition_by=["day"]'),
    "merge": ONLY_ROWS,
    "cdc": (*ONLY_ROWS, DELETES, "--set=outputs.rows.sequence_by=seq"),
    "scd2": (*ONLY_ROWS, DELETES, "--set=outputs.rows.valid_from=seq", '--set=outputs.rows.track=["n","kind"]'),
}
ORACLES = {"merge": oracle.merged, "cdc": oracle.latest, "scd2": oracle.history}
BY_KEYS = ("id", "seq", "n", "kind")
SHOWN = {"merge": BY_KEYS, "cdc": BY_KEYS, "scd2": ("id", "n", "kind", "seq", "valid_to", "is_current")}


@dataclass(frozen=True)
class Case:
    """One format and mode. An input has the name of its day, and a letter where the day has more than one."""

    kind: str
    mode: str

    @property
    def name(self) -> str:
        """Its name."""
        return f"{self.kind} {self.mode}"

    @property
    def keyed(self) -> bool:
        """Whether rows are brought in by their keys."""
        return self.mode in ORACLES

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of `rows` that are compared."""
        return SHOWN.get(self.mode, ("id", "kind", "n", "day"))

    def arguments(self, folder: Path, name: str) -> list[str]:
        """The command line of the run of one input."""
        return [f"--input={folder}/in/{name}", f"--output={folder}/out", f"--output-format={self.kind}", f"--mode={self.mode}",
                f"--date={day_of(name)}", "--set=inputs.source.format=json", f"--set=inputs.source.contract={folder}/nightly.yaml",
                f"--record={folder}/record.{name}.json", f"--ledger={folder}/ledger", "--set=run.event_log=false",
                "--set=run.profile=test", *SETTINGS.get(self.mode, ())]

    def expected(self, *names: str) -> dict[str, Rows]:
        """What each output holds, by its name, after these inputs in this order; of a day with more than one the last counts."""
        last = {day_of(name): name for name in names}
        shown = [names[-1]] if self.mode == "overwrite" else [*last.values()]
        rows, totals = Rows(), Rows()
        for name in shown:
            rows += counted(good(self.mode, name), *self.columns) if not self.keyed else Rows()
            sums: dict[tuple[object, object], int | None] = {}
            for row in good(self.mode, name):
                at, n = (row["day"], row["kind"]), row["n"]
                sums[at] = n if sums.get(at) is None else sums[at] + (n or 0)  # type: ignore[operator, assignment]
            totals += counted([{"day": d, "kind": k, "total": n} for (d, k), n in sums.items()], "day", "kind", "total")
        if self.keyed:
            said = [[(r["id"], r["seq"], r["gone"], r["n"], r["kind"]) for r in good(self.mode, name)] for name in names]
            found = ORACLES[self.mode](said)  # type: ignore[arg-type]
            rows = counted([dict(zip(self.columns, row, strict=True)) for row in found], *self.columns)
        return {"rows": rows, "totals": totals, "rows.quarantine": Rows([*last])}

    def read(self, folder: Path, name: str) -> Rows:
        """What an output holds now, by its bare path."""
        found = read(folder / "out" / name, "parquet" if name == "rows.quarantine" else self.kind)
        if name == "rows.quarantine":
            return Rows(str(row["date"]) for row in found)
        return counted(found, *(self.columns if name == "rows" else ("day", "kind", "total")))


OUTPUTS = ("rows", "totals", "rows.quarantine")
CASES = (
    *(Case("parquet", mode) for mode in ("append", "overwrite", "overwrite_partitions")),
    *(Case("delta", mode) for mode in ("append", "overwrite", "overwrite_partitions", "merge", "cdc", "scd2")),
    Case("json", "append"), Case("csv", "append"), Case("orc", "append"),
)


def day_of(name: str) -> str:
    """The date of an input."""
    return f"2026-01-{int(name.rstrip('abcd')):02}"


@cache
def rows_of(mode: str, name: str) -> tuple[dict[str, object], ...]:
    """An input, whose last row breaks the contract."""
    made: list[dict[str, object]]
    if mode in ("cdc", "scd2"):
        batch = oracle.changes(7, 24, 8, len(BATCHES))[BATCHES.index(name)]
        made = [{"id": k, "seq": at, "gone": gone, "n": v, "kind": w} for k, at, gone, v, w in batch]
        made = [row | {"day": f"2026-01-{1 + int(str(row['seq'])) % 3:02}"} for row in made]
    elif mode == "merge":
        made = [_merged(name, k) for k in random.Random(f"merge {name}").sample(range(40), 20)]
    else:
        first = 1000 * int(name.rstrip("abcd")) + (500 if name.endswith("b") else 0)
        made = [{"id": first + i, "kind": "ab"[i % 2], "n": i, "seq": 0, "gone": False, "day": day_of(name)} for i in range(39)]
    return (*made, {"id": -1, "kind": "a", "n": 1, "seq": None, "gone": False, "day": day_of(name)})


def _merged(name: str, k: int) -> dict[str, object]:
    """What a batch says of a key: of each fourth one always the same."""
    dice = random.Random(f"{k}" if k % 4 == 0 else f"{k} {name}")
    n, kind = dice.choice([None, *range(9)]), dice.choice([None, "a", "b"])
    return {"id": k, "seq": dice.randrange(1000), "gone": False, "n": n, "kind": kind, "day": "2026-01-01"}


def good(mode: str, name: str) -> Sequence[dict[str, object]]:
    """The rows of an input that keep the contract."""
    return rows_of(mode, name)[:-1]


def write_inputs(folder: Path, case: Case, names: Sequence[str] = BATCHES) -> None:
    """The inputs, and the contract."""
    for name in names:
        (folder / f"in/{name}").mkdir(parents=True, exist_ok=True)
        (folder / f"in/{name}/rows.json").write_text("".join(json.dumps(row) + "\n" for row in rows_of(case.mode, name)))
    (folder / "nightly.yaml").write_text(CONTRACT)


def wrong(expected: dict[str, Rows], found: dict[str, Rows]) -> tuple[int, int]:
    """How many rows are lost, and how many there more often than they are to be."""
    lost = sum((Counter(expected[name]) - found[name]).total() for name in expected)
    return lost, sum((Counter(found[name]) - expected[name]).total() for name in expected)
