"""The rejected rows of a run: staged and counted there, without what is personal, and published with the outputs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from sparkkit.errors import UsageError
from sparkkit.formats import writing
from sparkkit.publishing import Piece
from sparkkit.schema.contract import Contract
from sparkkit.schema.types import quote
from sparkkit.sinks import Place
from sparkkit.staging import Files, Target

FORMAT = 1
"""The number of the layout; any change of columns, or of what they mean, raises it."""

LAYOUT = (
    "input string, source_file string, raw string, reason string, rule string, date date, id string, form string, masked boolean,"
    " layout int, run_id string"
)
"""The columns of a quarantine. `raw` is a row as it came (`form` is `line`) or its columns as a JSON object (`columns`), and null for
a file that can't be read; `id` tells the rows of a `run_id` apart; `masked` says that some of `raw` is not shown; `layout` is `FORMAT` as
of then, and null in rows from before there was one."""

HIDDEN = "***"


def known(rows: DataFrame) -> DataFrame:
    """The rows of a quarantine, if none is of a later layout.

    Raises:
        UsageError: a later version of sparkkit wrote one (`newer_format`).
    """
    later = rows.where(F.col("layout") > FORMAT).select("layout").first()
    if later:
        raise UsageError(f"the quarantine has rows of format {later['layout']}, and this sparkkit knows formats up to {FORMAT}",
                         reason="newer_format", hint="run with the newer sparkkit that wrote them")
    return rows


def shown(contract: Contract | None) -> frozenset[str] | None:
    """The columns of a rejected row that may be seen; None is all of it. What a contract with personal data does not name may be
    personal, too, such as a column whose name is misspelt.

    >>> from sparkkit.schema.contract import Column
    >>> shown(Contract("t", (Column("a", "int"), Column("b", "int", pii=True)))), shown(Contract("t", (Column("a", "int"),)))
    (frozenset({'a'}), None)
    """
    if contract is None or not any(column.pii for column in contract.columns):
        return None
    return frozenset(column.name for column in contract.columns if not column.pii)


def as_json(values: Mapping[str, Column], seen: frozenset[str] | None) -> Column:
    """string: values by name as one JSON object, without those that may not be seen; null stays null."""
    parts = [v if seen is None or n in seen else F.when(v.isNotNull(), F.lit(HIDDEN)) for n, v in values.items()]
    return F.to_json(F.struct(*[part.alias(name) for part, name in zip(parts, values, strict=True)]), dict(writing.JSON_OPTIONS))


@dataclass
class Quarantine:
    """The quarantine of the first output takes the rejected rows of all inputs and outputs: Parquet partitioned by
    `run_id`, owner-only; over Spark Connect a table of the output's kind."""

    place: Place
    target: Target
    date: str | None
    contracts: Mapping[str, Contract] = field(default_factory=dict)
    staged: list[str] = field(default_factory=list)

    @property
    def path(self) -> str:
        """Its path, or its name."""
        return self.target.quarantine

    @property
    def used(self) -> bool:
        """Whether any row was rejected."""
        return bool(self.staged)

    def shown(self, edge: str) -> frozenset[str] | None:
        """The columns of an input or output that its rejected rows may show; None is all."""
        return None if self.target.conf.unmasked_quarantine else shown(self.contracts.get(edge))

    def add(self, edge: str, rows: DataFrame) -> dict[str, int]:
        """Stages the rejected rows of one input (as `intake.rejects` gives them) or output (`Staged.rejects`); the number of rows by
        reason, as counted from what was staged."""
        seen, number = self.shown(edge), len(self.staged)
        if "row" in rows.columns:
            values = {c: F.col(f"row.{quote(c)}") for c in rows.select("row.*").columns}
            raw, form, source = as_json(values, seen), F.lit("columns"), F.lit(None).cast("string")
        else:
            raw, form, source = F.col("raw"), F.col("form"), F.col("source_file")
        given = rows.select(
            F.lit(edge).alias("input"),
            source.alias("source_file"),
            raw.alias("raw"),
            "reason",
            _rule(self.contracts.get(edge), seen).alias("rule"),
            F.lit(self.date).cast("date").alias("date"),
            F.concat(F.lit(f"{number}-"), F.monotonically_increasing_id()).alias("id"),
            form.alias("form"),
            (F.lit(seen is not None) & raw.isNotNull()).alias("masked"),
            F.lit(FORMAT).cast("int").alias("layout"),
        )
        at, back = self.place.shelve(given, self.target, number)
        self.staged.append(at)
        found = back.groupBy("reason").agg(F.count(F.lit(1)).alias("n"))
        return {row["reason"]: row["n"] for row in found.orderBy("reason").toLocalIterator()}

    def ready(self, name: str) -> list[Piece]:
        """The staged rows as what is to be published with the outputs, for a slice of this name; over Spark Connect, where each
        table is committed by itself, they are brought into place here and now."""
        if isinstance(self.place, Files):
            return self.place.shelved(self.target, self.staged, name)
        if self.staged:
            self.place.keep(self.staged, self.target)
        return []


def _rule(contract: Contract | None, seen: frozenset[str] | None) -> Column:
    """The sentence of a finding, without what it shows of a column that may not be seen, or of a line that should be a header."""
    from sparkkit.schema.cast import BAD_VALUES  # here, so that a run without a contract does not pay for it

    rule = F.col("rule")
    if contract is None or seen is None:
        return rule
    for name in set(contract.names) - seen:
        shows = F.col("reason").isin(*BAD_VALUES) & F.startswith(F.col("rule"), F.lit(f"{name}: "))
        rule = F.when(shows, F.lit(f"{name}: {HIDDEN}")).otherwise(rule)
    return F.when(F.col("reason") == "header_mismatch", F.lit("the header does not match")).otherwise(rule)

