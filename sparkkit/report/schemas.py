"""Contracts for people: one as a page, the changes between two, and a first one out of data."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from sparkkit.errors import UsageError
from sparkkit.schema import docs
from sparkkit.schema.contract import POLICIES, Contract
from sparkkit.schema.diff import Change, compare

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


def page(contract: Contract) -> str:
    """A contract as Markdown: its columns, its rules, and what happens to what breaks it.

    >>> from sparkkit.schema.contract import Column
    >>> print(page(Contract("t", (Column("a", "int"),))).splitlines()[0])
    # t 1.0.0
    """
    head = f"# {contract.name} {contract.version}"
    said = [
        contract.description.strip(),
        f"Owner: {contract.owner}" if contract.owner else "",
        f"Hash: {contract.hash}",
    ]
    rules = "\n".join(f"- {r.name}: `{r.predicate}` ({r.on})" for r in contract.rules)
    reader = ", ".join(f"{k} = {v!r}" for k, v in contract.reader.items())
    policy = ", ".join(f"{what}: {contract.on(what)}" for what in POLICIES)
    parts = [
        head,
        "\n".join(s for s in said if s),
        docs.row(contract),
        f"Rules:\n{rules}" if rules else "",
        f"Reader: {reader}" if reader else "",
        f"What breaks it: {policy}",
    ]
    return "\n\n".join(part for part in parts if part)


def changes(old: Contract, new: Contract) -> tuple[str, bool]:
    """The changes as sentences, a line each, and whether one of them is breaking.

    >>> from sparkkit.schema.contract import Column
    >>> changes(Contract("t", (Column("a", "int"),)), Contract("t", (Column("a", "bigint"),)))
    ("fine      column 'a': the type was widened from int to bigint", False)
    """
    found = compare(old, new)
    return "\n".join(map(_sentence, found)) or "no changes", any(c.breaking for c in found)


def _sentence(change: Change) -> str:
    return f"{'BREAKING' if change.breaking else 'fine':10}{change.sentence}"


def name_of(path: str) -> str:
    """A contract's name out of a path: the last part without its suffixes, in snake_case.

    >>> name_of("data/Sales 2024.csv.gz"), name_of("s3a://bucket/orders/")
    ('sales_2024', 'orders')
    """
    last = path.rstrip("/").rsplit("/", 1)[-1].split(".")[0]
    found = re.sub(r"\W+", "_", last.lower()).strip("_")
    if not found:
        raise UsageError(f"{path!r} gives no name for a contract", reason="wrong_option", hint="give one by --name")
    return found


def infer(
    spark: SparkSession, name: str, path: str, kind: str | None = None, options: Mapping[str, str] | None = None
) -> Contract:
    """A contract to start from: the types that the files have; for CSV the narrowest that every value fits (one pass).

    Args:
        spark: a classic session.
        name: the contract's name.
        path: a file, a folder or a glob.
        kind: the format, default what the files' names tell.
        options: reader options, such as `{"delimiter": ";"}`; those of CSV are kept in the contract.

    Raises:
        NotReadyError: if nothing is at the path.
        UsageError: an option that the format does not know.
        ContractError: if a file can't be read.
    """
    from sparkkit import sources
    from sparkkit.conf import InputConf
    from sparkkit.schema import infer as guesses
    from sparkkit.schema.landing import BAD
    from sparkkit.schema.reader import option

    conf = InputConf(path=(path,), format=kind, options=dict(options or {}))
    source = sources.read(spark, name, conf, None)
    if source.format != "csv":
        return guesses.infer(name, source.frame.schema)
    found = guesses.guess(source.frame.where(f"{BAD} is null")).first()
    assert found is not None  # an aggregation gives one row
    return guesses.from_guess(name, found.asDict(recursive=True), {k: option(k, v, name) for k, v in conf.options.items()})
