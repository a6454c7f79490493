"""A frame beside the Delta table that it goes to: what differs is refused, unless the output's conf allows it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import DataType, StructField, StructType

from sparkkit.conf import EVOLUTIONS, OutputConf
from sparkkit.errors import ContractError, UsageError
from sparkkit.schema.diff import widened
from sparkkit.schema.types import quote


@dataclass(frozen=True)
class Fit:
    """How a frame goes into a table: the columns it brings that the table lacks, and those whose type is to be wider."""

    table: StructType
    added: tuple[StructField, ...] = ()
    wider: tuple[tuple[str, DataType], ...] = ()

    @property
    def schema(self) -> StructType:
        """The table's columns after the commit."""
        types = dict(self.wider)
        kept = [StructField(f.name, types.get(f.name, f.dataType), f.nullable, f.metadata) for f in self.table.fields]
        return StructType([*kept, *self.added])

    def frame(self, frame: DataFrame) -> DataFrame:
        """The frame with the table's columns, in the table's order and types; columns of our own (`_sparkkit_…`) stay."""
        own = [c for c in frame.columns if c.startswith("_sparkkit_")]
        return frame.select(*[self._cast(frame, f) for f in self.schema.fields], *own)

    def _cast(self, frame: DataFrame, field: StructField) -> Column:
        column = F.col(quote(field.name))
        return column if bare(frame.schema[field.name].dataType) == bare(field.dataType) else column.cast(field.dataType).alias(field.name)


def fit(conf: OutputConf, frame: StructType, table: StructType, by: Sequence[str], path: str) -> Fit:
    """How a frame of a schema goes into a table of a schema and partitions.

    Raises:
        ContractError: they differ in what `conf.schema_evolution` does not allow (`schema_changed`), or in the partitions
            (`partition_changed`); the message lists every difference.
    """
    if conf.partition_by and tuple(conf.partition_by) != tuple(by):
        raise ContractError(f"{path} is partitioned by {', '.join(by) or 'nothing'}, not by {', '.join(conf.partition_by)}",
                            reason="partition_changed", hint="leave partition_by as it is, or write to another path")
    allowed = EVOLUTIONS.index(conf.schema_evolution)
    found = list(_differences(frame, table))
    wrong = [text for level, text in found if level > allowed]
    if wrong:
        level = max(level for level, _ in found)
        hint = "change the job, or write to another path"
        hint = f"allow it by schema_evolution = {EVOLUTIONS[level]!r}" if level < len(EVOLUTIONS) else hint
        raise ContractError(f"the frame does not fit the table {path}: {'; '.join(wrong)}", reason="schema_changed", hint=hint)
    known = {f.name: f.dataType for f in table.fields}
    added = tuple(f for f in frame.fields if f.name not in known)
    wider = tuple((f.name, f.dataType) for f in frame.fields if f.name in known and _wider(known[f.name], f.dataType))
    return Fit(table, added, wider)


def _differences(frame: StructType, table: StructType) -> Iterator[tuple[int, str]]:
    """Each difference, with the place in `EVOLUTIONS` of the word that allows it; beyond the last for none."""
    known = {f.name: f.dataType for f in table.fields}
    close = {name.lower(): name for name in known}
    for f in frame.fields:
        said = f.dataType.simpleString()
        if f.name not in known:
            near = close.get(f.name.lower())
            yield (3, f"column {f.name!r} is called {near!r} in the table") if near else (1, f"column {f.name!r} ({said}) is new")
        elif bare(f.dataType) != bare(known[f.name]):
            was = known[f.name].simpleString()
            either = _wider(known[f.name], f.dataType) or _wider(f.dataType, known[f.name])
            yield 2 if either else 3, f"column {f.name!r} is {said} and was {was}"
    given = {f.name.lower() for f in frame.fields}
    yield from ((3, f"column {name!r} is missing") for name in known if name.lower() not in given)


def _wider(old: DataType, new: DataType) -> bool:
    return bare(old) != bare(new) and widened(old, new)


def bare(kind: DataType) -> str:
    """A type by its own name, whatever may be null in it.

    >>> from pyspark.sql.types import ArrayType, IntegerType
    >>> bare(ArrayType(IntegerType(), False)) == bare(ArrayType(IntegerType(), True))
    True
    """
    return kind.simpleString()


def need_columns(conf: OutputConf, schema: StructType) -> None:
    """Refuses where a setting names a column that the frame does not have, or that the table is to have of its own.

    Raises:
        UsageError: naming the setting, the column and those that are there (`wrong_conf`).
    """
    named = {"keys": conf.keys, "track": conf.track, "leave_out": conf.leave_out}
    if conf.mode == "cdc":
        named["sequence_by"] = (str(conf.sequence_by),)
    if conf.mode == "scd2":
        named["valid_from"] = (str(conf.valid_from),)
        taken = [c for c in (conf.valid_to or "valid_to", conf.is_current or "is_current") if c in schema.names]
        if taken:
            raise UsageError(f"the frame has a column {taken[0]!r}, which scd2 makes itself", reason="wrong_conf",
                             hint="leave it out of the frame, or name the table's by valid_to and is_current")
    for setting, columns in named.items():
        for column in columns:
            if column not in schema.names:
                raise UsageError(f"{setting} names {column!r}, which the frame does not have", reason="wrong_conf",
                                 hint=f"its columns are {', '.join(schema.names)}")
    needed = {*conf.keys, conf.sequence_by if conf.mode == "cdc" else conf.valid_from if conf.mode == "scd2" else None, *conf.partition_by}
    both = sorted(str(c) for c in needed & set(conf.leave_out))
    if both:
        raise UsageError(f"leave_out names {both[0]!r}, without which the table can't be kept", reason="wrong_conf", hint="keep it")
