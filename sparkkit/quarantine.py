"""The rejected rows of a run: staged and counted there, and published before the outputs."""

from __future__ import annotations

from dataclasses import dataclass, field

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from sparkkit.publishing import Piece
from sparkkit.sinks import Place
from sparkkit.staging import Files, Target


@dataclass
class Quarantine:
    """The quarantine of the first output takes the rejected rows of all inputs and outputs: Parquet partitioned by
    `run_id`, owner-only; over Spark Connect a table of the output's kind."""

    place: Place
    target: Target
    date: str | None
    staged: list[str] = field(default_factory=list)

    @property
    def path(self) -> str:
        """Its path, or its name."""
        return self.target.quarantine

    @property
    def used(self) -> bool:
        """Whether any row was rejected."""
        return bool(self.staged)

    def add(self, edge: str, rows: DataFrame) -> dict[str, int]:
        """Stages the rejected rows of one input or output; the number of rows by reason, as counted from what was
        staged."""
        source = F.col("source_file") if "source_file" in rows.columns else F.lit(None).cast("string")
        given = rows.select(
            F.lit(edge).alias("input"),
            source.alias("source_file"),
            "raw",
            "reason",
            "rule",
            F.lit(self.date).cast("date").alias("date"),
        )
        at, back = self.place.shelve(given, self.target, len(self.staged))
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
