"""By file: those that are new, by path, size and time of change."""
from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from urllib.parse import unquote

from pyspark.sql import SparkSession
from pyspark.sql import functions as F
from pyspark.sql import types as t

from sparkkit.errors import ContractError, NotReadyError, UsageError
from sparkkit.formats.base import Finding
from sparkkit.incremental.spec import Part, Reader, Spec
from sparkkit.incremental.states import FULL
from sparkkit.intake import Intake
from sparkkit.schema.contract import Contract
from sparkkit.schema.landing import BAD, FILE
from sparkkit.schema.types import quote
from sparkkit.sources import nothing as emptied
from sparkkit.sources import read
from sparkkit.storage.hadoop import File
from sparkkit.storage.increments import Listed, Pick, State, is_date, pick, unit
from sparkkit.storage.increments import late as later
from sparkkit.storage.increments import read as known


class Files(Reader):
    """New files; where partitions are replaced, all files of the partitions that have new ones."""

    def __init__(self, spec: Spec) -> None:
        super().__init__(spec)
        self.listed: Listed = {}
        self.reads: tuple[str, ...] = ()
        self.by: tuple[str, ...] = ()
        self.units: frozenset[tuple[str, ...]] = frozenset()
        self.found = Pick((), (), (), (), (), ())
        self.fresh = False
        self.mark = spec.state.mark if spec.state else ""
        self.part: Part | None = None

    def read(self, spark: SparkSession, contract: Contract | None) -> Part:
        """Lands the files that are new.

        Raises:
            UsageError: the input has no files, or its partitions are not those of the output.
            ContractError: a file was changed that was read (`changed_file`), or the slice's own are gone (`files_gone`).
        """
        spec = self.spec
        missing, source = None, None
        try:
            source = read(spark, spec.name, spec.conf, contract, self._choose)
        except NotReadyError as error:
            if spec.state is None or error.reason != "no_files":
                raise
            missing = error
            self._pick()
        if source is not None and source.format in ("delta", "table"):
            raise UsageError(f"input {spec.name!r} is a {source.format}, which is not read by its files", reason="wrong_conf",
                             hint=f"set inputs.{spec.name}.incremental to version, changes or column")
        if source is not None and not self.reads:
            source = emptied(source)
        self.part = Part(source, self.fresh, bool(self.found.own) and self.spec.takes_own and not self.found.lost, self._said(),
                         self._findings(), missing=missing, units=self.units, by=self.by)
        return self.part

    def _choose(self, visible: tuple[File, ...]) -> tuple[File, ...]:
        self.listed = {f.path: (f.size, f.modified) for f in visible}
        self._pick()
        reads = set(self.reads)
        return tuple(f for f in visible if f.path in reads) or visible[-1:]

    def _pick(self) -> None:
        spec, state = self.spec, self.spec.state
        if state and state.paths != spec.conf.path and self.listed and not set(self.listed) & set(state.files):
            spec.refuse_other(paths=spec.conf.path)
        found = pick(state, self.listed, spec.label if spec.takes_own else None)
        if spec.style == "partitions":  # the partitions of a file that had gone were replaced without it
            found = replace(found, changed=tuple(p for p in found.changed if p not in found.back))
        self.found = found
        if found.changed and spec.conf.changed != "again":
            raise self._changed(found)
        fresh = (*found.new, *found.changed, *found.mended)
        if spec.style == "partitions":
            self._by_units((*fresh, *found.back), found)
        else:
            own = found.own if not found.lost else found.mended
            self.reads, self.fresh = (*found.new, *found.changed, *own), bool(fresh)
        if found.lost and (self.fresh or spec.replay):
            raise ContractError(f"input {spec.name!r}: {len(found.lost)} files that {spec.label} read are gone, such as {found.lost[0]}:"
                                " a re-run would take their rows away", reason="files_gone", hint="put them back, or give another --date")

    def _by_units(self, fresh: tuple[str, ...], found: Pick) -> None:
        spec = self.spec
        outputs = [set(o.partition_by) for o in spec.outputs.values() if o.mode == "overwrite_partitions"]
        here = {name for path in self.listed for name in _names(path)}
        self.by = tuple(sorted(here.intersection(*outputs)))
        if not self.by and self.listed:
            raise UsageError(f"input {spec.name!r}: no column of partition_by is in the names of its folders, and overwrite_partitions"
                             " would replace partitions by their new rows alone", reason="wrong_conf",
                             hint="partition both by the same column, or use append, merge or cdc")
        left = {unit(path, self.by) for path in self.listed}
        touched = {unit(path, self.by) for path in (*fresh, *found.gone)}
        self.fresh = bool(fresh) or bool(touched & left)
        self.units = frozenset(touched | {unit(path, self.by) for path in found.own})
        self.reads = tuple(path for path in self.listed if unit(path, self.by) in self.units)

    def _changed(self, found: Pick) -> ContractError:
        assert self.spec.state is not None
        files, first = self.spec.state.files, found.changed[0]
        owner = files[first].owner
        hint = f"run --date {owner} again, whose files they are" if is_date(owner) and self.spec.style != "keys" else FULL
        again = "" if self.spec.style == "append" else f"set inputs.{self.spec.name}.changed=again, or "
        return ContractError(f"input {self.spec.name!r}: {len(found.changed)} files were changed after they had been read, such as {first}:"
                             " their rows of then are in the output", reason="changed_file", hint=again + hint)

    def _said(self) -> str:
        again = len(set(self.reads) - set(self.found.new))
        return f"{len(self.found.new)} new files" + (f", {again} again" if again else "")

    def _findings(self) -> tuple[Finding, ...]:
        found, state = self.found, self.spec.state
        told = [Finding(path, "changed_file", "it is read again") for path in (*found.changed, *found.mended)]
        if found.gone and state:
            more = f" and {len(found.gone) - 1} more are" if len(found.gone) > 1 else " is"
            told.insert(0, Finding(found.gone[0], "deleted_file", f"it{more} gone; {self._left()}"))
        return tuple(told)

    def _left(self) -> str:
        """What becomes of the rows of files that are gone."""
        if self.spec.style == "partitions":
            return "partitions that still have files are replaced without their rows, others stay as they are"
        return "what was read of them stays in the output"

    def look(self, taken: Intake) -> None:
        """Counts rows of new files for dates that were read before, where a watermark is named.

        Raises:
            UsageError: it is no column of dates or times.
        """
        name, column = self.spec.name, self.spec.conf.watermark
        if column is None:
            return
        fields = {f.name: f.dataType for f in taken.conformed.schema.fields}
        if not isinstance(fields.get(column), (t.DateType, t.TimestampType, t.TimestampNTZType)):
            kind = fields[column].simpleString() if column in fields else "not there"
            raise UsageError(f"input {name!r}: the watermark {column} is {kind}, expected a date or a time", reason="wrong_conf",
                             hint="name a column of dates, or leave it out")
        days = self._days(taken, column)
        assert self.part is not None
        self.part.late = later({}, {d: n for d, n in days.items() if d < self.mark})[0]
        self.mark = max([self.mark, *days])

    def _days(self, taken: Intake, column: str) -> Mapping[str, int]:
        rows = taken.conformed.where(F.col(BAD).isNull())
        if len(self.reads) > len(self.found.new):
            new = taken.conformed.sparkSession.createDataFrame([(path,) for path in self.found.new], f"`{FILE}` string")
            rows = rows.join(F.broadcast(new), FILE, "left_semi")
        by = rows.groupBy(F.to_date(F.col(quote(column))).cast("string").alias("day")).agg(F.count(F.lit(1)).alias("n"))
        return {row["day"]: row["n"] for row in by.toLocalIterator() if row["day"] is not None}

    def after(self, label: str, run_id: str) -> State:
        """The files that are known now."""
        files = known(self.spec.state, self.listed, self.reads, label)
        return State("files", self.spec.conf.path, run_id, label, files=files, mark=self.mark)


def _names(path: str) -> set[str]:
    return {unquote(unquote(part.split("=", 1)[0])) for part in path.split("/")[:-1] if "=" in part}
