"""The Markdown table of a contract."""
from __future__ import annotations

from sparkkit.schema import docs
from sparkkit.schema.contract import Column, Contract


def test_what_would_break_a_table_is_escaped() -> None:
    columns = (
        Column("a|`b", "string", pii=True, limits={"enum": ["x|y"], "maxLength": 3}, description="two\nlines | bar"),
        Column("c", "map<string,int>", required=True, unique=True, key=1),
    )

    result = docs.row(Contract("t", columns)).splitlines()[2:]

    assert result == [
        "| `` a\\|`b `` | `string` |  |  | maxLength 3, enum ['x\\|y'], personal data | two lines \\| bar |",
        "| `c` | `map<string,int>` | 1 | yes | unique |  |",
    ]
