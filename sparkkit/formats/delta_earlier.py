"""What an earlier generation of the same run has brought into a Delta table, and the next one takes out."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from pyspark.sql import DataFrame

from sparkkit.errors import ContractError
from sparkkit.formats import delta_table, deltalog
from sparkkit.formats.base import LAW
from sparkkit.formats.deltalog import Stored, Transaction

REPLACES = ("WRITE", "RESTORE", "TRUNCATE", "REPLACE TABLE", "CREATE OR REPLACE TABLE", "REPLACE TABLE AS SELECT",
            "CREATE OR REPLACE TABLE AS SELECT")
"""Operations of a table's history that take rows away, and write others; all other ones may write the same rows anew."""

MOVES = ("UPDATE", "MERGE")
"""Operations that may put a row into another partition."""


def earlier(txn: Transaction, app: str, rows: DataFrame, by: Sequence[str], *, partitions: bool) -> list[Stored]:
    """The files that an application's last generation brought in. `partitions` says that those of the new `rows` are replaced whole,
    whatever is in them.

    Raises:
        ContractError: its rows are no longer in files of their own (`rewritten`).
    """
    before = txn.number(app)
    if before < 0:
        return []
    found = txn.files(app)
    if found and all((f.tag or {}).get("generation") == before for f in found) and txn.count(found) == (found[0].tag or {}).get("rows"):
        return found
    noted = deltalog.noted(txn.spark, txn.path, app, before)
    merged = noted is not None and _merged(noted)
    if txn.count(found) == _inserted(noted) and not merged:
        return found
    heirs = _heirs(txn, noted[0]) if noted else {}
    rewritten = [f for f in txn.files() if f.tag is None and f.path in heirs]
    if not partitions and (rewritten or merged or not noted):
        raise ContractError(f"what generation {before} of {app} wrote to {txn.path} can't be told from other rows any more",
                            reason="rewritten", hint="its files were rewritten (merge, OPTIMIZE, UPDATE, DELETE): replace the rows by "
                            "overwrite_partitions or merge")
    doubtful = {txn.folder(f.partition, by) for f in rewritten} if partitions else set()
    left = sorted(doubtful - set(delta_table.folders(rows, [*by]))) if doubtful else []
    if left:
        what = f"generation {before} of {app} wrote partition {left[0]} of {txn.path}, of which there are no rows now; it was rewritten"
        raise ContractError(f"{what} since (OPTIMIZE, UPDATE, DELETE), so that its rows can't be told from others", reason="rewritten",
                            hint="DELETE the rows of that partition, and run again")
    return found


def _merged(noted: tuple[int, str]) -> bool:
    """Whether a commit left some of its rows in files that others have written."""
    figures = json.loads(noted[1]).get("figures", {})
    return any(figures.get(name) for name in LAW if name != "inserted")


def _inserted(noted: tuple[int, str] | None) -> int | None:
    """The rows that a commit says it brought in; None where the log no longer has it."""
    inserted: int | None = json.loads(noted[1]).get("figures", {}).get("inserted") if noted else None
    return inserted


def _heirs(txn: Transaction, version: int) -> dict[str, Any]:
    """The files, and their partitions, that may hold rows of a commit by now: its own, and those that they were rewritten to (by OPTIMIZE,
    UPDATE, DELETE, MERGE), in whatever partition where their values may change. What was overwritten is gone, unless a RESTORE brought it
    back."""
    heirs, ever = dict[str, Any](), dict[str, Any]()
    for n in range(version, txn.version + 1):
        done = deltalog.actions(txn.spark, txn.path, n) or []
        added = {c["path"]: c["partitionValues"] for kind, c, _ in done if kind == "add"}
        gone = [heirs.pop(c["path"]) for kind, c, _ in done if kind == "remove" and c["path"] in heirs]
        word = next((c.get("operation", "") for kind, c, _ in done if kind == "commitInfo"), "")
        rewrites = word not in REPLACES
        moves = bool(gone) and word in MOVES
        heirs |= {path: values for path, values in added.items()
                  if n == version or path in ever or moves or rewrites and values in gone}
        ever |= heirs
    return heirs
