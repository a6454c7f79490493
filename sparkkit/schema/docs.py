"""A contract for readers: its columns as a Markdown table."""
from __future__ import annotations

from sparkkit.schema.contract import Column, Contract
from sparkkit.schema.limits import LIMITS


def row(contract: Contract) -> str:
    """A Markdown table with one row a column: type, key, whether it may be empty, limits, what it means.

    >>> from sparkkit.schema.contract import Column
    >>> column = Column("a", "int", required=True, key=1, limits={"minimum": 1}, description="The id")
    >>> print(row(Contract("t", (column,))))
    | column | type | key | required | limits | description |
    | --- | --- | --- | --- | --- | --- |
    | `a` | `int` | 1 | yes | minimum 1 | The id |
    """
    head = ("column", "type", "key", "required", "limits", "description")
    lines = (head, ("---",) * len(head), *(_cells(column) for column in contract.columns))
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def _cells(column: Column) -> tuple[str, ...]:
    limits = [f"{limit} {column.limits[limit]}" for limit in LIMITS if limit in column.limits]
    marks = ["unique"] * column.unique + ["personal data"] * column.pii
    return (_code(column.name), _code(column.type), str(column.key or ""), "yes" if column.required else "",
            _plain(", ".join(limits + marks)), _plain(column.description))


def _code(text: str) -> str:
    """Code in a table: a bar must be escaped there too, a backtick needs a longer fence."""
    fence = "``" if "`" in text else "`"
    pad = " " if "`" in text else ""
    return f"{fence}{pad}{_plain(text)}{pad}{fence}"


def _plain(text: str) -> str:
    return " ".join(text.replace("|", "\\|").split())
