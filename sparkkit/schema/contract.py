"""What a dataset promises, as frozen data: columns, reader options, policy, rules.

A `Contract` is read from `schemas/*.yaml` by `sparkkit.schema.odcs`, or from the compiled JSON of a package
(`Contract.from_json`), which needs nothing but Python. Engines that use it (conform, checks, diff) live elsewhere.
"""
from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

POLICIES = ("missing_column", "extra_column", "bad_value", "null", "unreadable_row", "unreadable_file")
"""What can go wrong with input, each answered by `quarantine`, `stop` or `allow`."""

DEFAULT_POLICY: Mapping[str, str] = {
    "missing_column": "stop",
    "extra_column": "quarantine",
    "bad_value": "quarantine",
    "null": "quarantine",
    "unreadable_row": "quarantine",
    "unreadable_file": "stop",
}


@dataclass(frozen=True)
class Column:
    """One column: `type` is Spark's DDL (`decimal(10,2)`, `array<struct<a:int,b:string>>`).

    `required` means no null; `key` is its place in the primary key (1, 2, …) or 0; `tags` are free words.
    `reader` holds what of `Contract.reader` is different for this column. `limits` are the standard's own options
    (`minimum`, `maxLength`, `pattern`, `enum`, …) as JSON values; `sparkkit.schema.limits` makes rules of them, and
    `odcs` has put these rules into `Contract.rules`, so that engines need look at the rules only.
    """

    name: str
    type: str
    required: bool = False
    unique: bool = False
    key: int = 0
    pii: bool = False
    description: str = ""
    tags: tuple[str, ...] = ()
    classification: str = ""
    reader: Mapping[str, str] = field(default_factory=dict)
    limits: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Rule:
    """A row rule: a row where the SQL text `predicate` is not true gets the answer `on`, one of a policy's.

    `tolerance` is how many such rows there may be, as the text of a `Bounds` (`<= 5 percent`); without one any number may
    go to the quarantine, and none may pass a rule that stops.
    """

    name: str
    predicate: str
    on: str = "quarantine"
    description: str = ""
    tolerance: str = ""


@dataclass(frozen=True)
class Contract:
    """A data contract. `reader` holds the options of `sparkkit.reader.*` as text; `policy` what is not the default.

    `quality` keeps the standard's quality items that speak of a whole table, as they stand; `sparkkit.checks` runs them.
    """

    name: str
    columns: tuple[Column, ...]
    version: str = "1.0.0"
    reader: Mapping[str, str] = field(default_factory=dict)
    policy: Mapping[str, str] = field(default_factory=dict)
    rules: tuple[Rule, ...] = ()
    description: str = ""
    owner: str = ""
    quality: tuple[Mapping[str, Any], ...] = ()

    def on(self, what: str) -> str:
        """The answer to one of `POLICIES`: `quarantine`, `stop` or `allow`."""
        return self.policy.get(what, DEFAULT_POLICY[what])

    def column(self, name: str) -> Column:
        """The column of that name; KeyError where there is none."""
        return {column.name: column for column in self.columns}[name]

    @property
    def names(self) -> tuple[str, ...]:
        """The column names, in order."""
        return tuple(column.name for column in self.columns)

    @property
    def keys(self) -> tuple[str, ...]:
        """The primary key's columns, in the order of the key."""
        return tuple(c.name for c in sorted((c for c in self.columns if c.key), key=lambda c: c.key))

    @property
    def hash(self) -> str:
        """The first 16 hex digits of the SHA-256 of the compiled contract."""
        return hashlib.sha256(self.to_json().encode()).hexdigest()[:16]

    def to_json(self) -> str:
        """The compiled contract: JSON with sorted keys, the same text for the same contract."""
        return json.dumps(asdict(self), sort_keys=True, ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> Contract:
        """The contract of a compiled text.

        >>> c = Contract("t", (Column("a", "int", required=True),), rules=(Rule("pos", "a > 0"),))
        >>> Contract.from_json(c.to_json()) == c
        True
        """
        data: dict[str, Any] = json.loads(text)
        columns = tuple(Column(**{**c, "tags": tuple(c.get("tags", ()))}) for c in data.pop("columns"))
        rules = tuple(Rule(**rule) for rule in data.pop("rules", ()))
        quality = tuple(data.pop("quality", ()))
        return cls(columns=columns, rules=rules, quality=quality, **data)
