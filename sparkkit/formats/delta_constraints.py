"""The constraints of a Delta table, asked of rows before the decision that they come in: Delta itself asks in the commit, which would
then be refused each time that it is tried again."""

from __future__ import annotations

from pyspark.sql import DataFrame

from sparkkit.errors import ContractError
from sparkkit.formats.delta_merge import DELETED
from sparkkit.formats.deltalog import Transaction
from sparkkit.schema.types import quote

CHECK = "delta.constraints."
"""Before the name of a CHECK constraint among a table's properties."""


MADE = "delta.generationExpression"
"""In the metadata of a column that is computed from others."""


def constraints(txn: Transaction) -> dict[str, str]:
    """SQL text of what must be true of each row, by what the constraint is called; null is not true (Delta's CHECK, unlike SQL's)."""
    fields = txn.schema.fields
    needed = {f"NOT NULL of {f.name}": f"{quote(f.name)} is not null" for f in fields if not f.nullable}
    needed |= {f"{f.name} is {f.metadata[MADE]}": f"{quote(f.name)} <=> ({f.metadata[MADE]})" for f in fields if MADE in f.metadata}
    return needed | {f"CHECK {k.removeprefix(CHECK)} ({sql})": sql for k, sql in txn.properties().items() if k.startswith(CHECK)}


def refuse(txn: Transaction, rows: DataFrame) -> None:
    """Refuses rows that break a constraint of the table; those that delete are not asked.

    Raises:
        ContractError: with the number of rows and the constraint (`constraint`).
    """
    wanted = constraints(txn)
    if not wanted:
        return
    asked = rows.where(f"not {DELETED}") if DELETED in rows.columns else rows
    found = asked.selectExpr(*[f"count_if(not coalesce(({sql}), false)) as c{i}" for i, sql in enumerate(wanted.values())]).first()
    for name, broken in zip(wanted, found or (), strict=True):
        if broken:
            what = "row breaks" if broken == 1 else "rows break"
            raise ContractError(f"{broken} {what} the constraint {name} of the table {txn.path}", reason="constraint",
                                hint="mend the rows, or take them out by a rule of the output's contract")
