"""By a Delta table's versions: the rows that were added since, or what its change data feed tells."""
from __future__ import annotations

from dataclasses import replace

from pyspark.sql import SparkSession

from sparkkit.errors import UsageError
from sparkkit.formats import delta_since, delta_table
from sparkkit.formats.base import Scan
from sparkkit.formats.columnar import stored_rows
from sparkkit.incremental.spec import Part, Reader, Spec
from sparkkit.schema.contract import Contract
from sparkkit.sources import Source
from sparkkit.storage.hadoop import Hadoop
from sparkkit.storage.increments import State, Stretch, cut, joined, owned


class Versions(Reader):
    """Commits after the version that was read last."""

    def __init__(self, spec: Spec) -> None:
        super().__init__(spec)
        self.cuts = spec.state.cuts if spec.state else ()
        self.table = self.top = ""

    def read(self, spark: SparkSession, contract: Contract | None) -> Part:
        """Lands the rows of the versions that are new.

        Raises:
            UsageError: the input is no Delta table, or not the one that was read before.
        """
        spec, conf = self.spec, self.spec.conf
        if len(conf.path) != 1 or conf.format not in (None, "delta"):
            raise UsageError(f"input {spec.name!r}: incremental = {conf.incremental!r} is for one Delta table", reason="wrong_conf",
                             hint=f"give one path, and set inputs.{spec.name}.format = \"delta\"")
        path = Hadoop.of(spark).qualified(conf.path[0])
        table = delta_since.opened(spark, path)
        self.table, self.top = table.named(), str(table.version)
        if spec.state:
            spec.refuse_other(table=self.table)
        last = int(self.cuts[-1].end) if self.cuts else None
        more: list[Stretch] = [(None if last is None else str(last), self.top)] if last is None or table.version > last else []
        own = owned(self.cuts, spec.label if spec.takes_own else None)
        wanted = [(None if low is None else int(low), int(high)) for low, high in joined([*own, *more])]
        added = delta_since.added(table, wanted) if conf.incremental == "version" else None
        data, grown = added or (delta_since.changes(table, wanted), table.version)
        land = delta_table.landed(Scan(spark, (), path, contract, conf.options, conf.filter, table=path), data)
        rows = data if conf.filter is None else data.where(conf.filter)
        land = replace(land, promised=None, rows=lambda: stored_rows(rows))
        said = ", ".join(f"versions {0 if low is None else low + 1} to {high}" for low, high in wanted) or "no new version"
        source = Source(spec.name, conf, contract, "delta", (), land, slice=f"{self.table} {conf.incremental} {said}")
        return Part(source, bool(more) and (last is None or grown > last), bool(own), said)

    def after(self, label: str, run_id: str) -> State:
        """The version that was reached."""
        return State(self.spec.conf.incremental, self.spec.conf.path, run_id, label, cuts=cut(self.cuts, label, self.top),
                     table=self.table)
