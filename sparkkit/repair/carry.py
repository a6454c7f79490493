"""What a slice of an output holds already, carried into its next generation, so that rows can be added to it: a re-run of its date then
replaces them with the rest, and can't double them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass

from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import StructType

from sparkkit import formats
from sparkkit.errors import ContractError, UsageError
from sparkkit.formats import beside
from sparkkit.schema.landing import BAD
from sparkkit.schema.types import quote
from sparkkit.staging import Files, Target
from sparkkit.storage.log import Log
from sparkkit.storage.records import WHOLE, Record, every_last, last_of
from sparkkit.storage.seam import walk

REPLACED = ("append", "overwrite", "overwrite_partitions", "error")
"""Modes in which the next generation of a slice takes the place of the last; by keys it is applied over it."""


@dataclass(frozen=True)
class Slice:
    """A slice of an output: its name, the record of its last generation, and the run that has written another after it, if any."""

    name: str
    record: Record
    overtaken: str = ""


def slice_at(place: Files, target: Target, name: str, shelf: Record) -> Slice:
    """The slice of an output that the run has written that left this record of the quarantine; or a replay, of other rows, which goes
    on under that run's logical id and writes only the outputs that it feeds.

    Raises:
        UsageError: no run has written it, another than the one that rejected the rows, or its files are no longer all there; or it is
            all of the output, and something was added to it since (`older_slice`).
    """
    if target.journal in place.journals.bare:
        raise UsageError(f"{target.path} has no journal, so nobody knows what its date holds", reason="no_journal",
                         hint="run the date again")
    run, key = place.journals.runs[target.journal]
    log = Log(run.store, key)
    record = last_of(log, "slices", name)
    if record is None or record.fields["logical_id"] != shelf.fields["logical_id"]:
        raise changed(target.path, shelf.run_id)
    if not target.table and not set(record.fields["files"]) <= set(walk(run.store, key)):
        raise changed(target.path, shelf.run_id)
    newer = overtaken(record, every_last(log, "slices")) if target.conf.mode == "merge" or name == WHOLE else ""
    if newer and name == WHOLE:
        raise UsageError(f"{target.path}: run {newer} has added to what run {record.run_id} wrote", reason="older_slice",
                         hint="mend the source, and run the newest date again, or all")
    return Slice(name, record, newer)


def overtaken(record: Record, others: Iterable[Record]) -> str:
    """The run that has written another slice after this one; "" where none has."""
    slot = record.fields.get("slot", 0)
    newer = (r for r in others if r.name != record.name and r.fields["logical_id"] and r.fields.get("slot", 0) > slot)
    return next((r.run_id for r in newer), "")


def refuse_older(place: Files, target: Target, found: Slice, fed: DataFrame) -> None:
    """Refuses rows of an overtaken slice that would win over those of their keys in the table: these may be newer.

    Raises:
        UsageError: `older_slice`.
    """
    if not found.overtaken or target.conf.mode != "merge":
        return
    keys = [quote(k) for k in target.conf.keys]
    held = formats.view(place.spark, target.conf.format, target.path, target.conf.options).select(*keys)
    both = fed.where(F.col(BAD).isNull()).select(*keys) if BAD in fed.columns else fed.select(*keys)
    there = both.intersect(held).count()
    if there:
        raise UsageError(f"{target.path}: {there} of the keys of run {found.record.run_id} are there, and run {found.overtaken} has"
                         " written after it: older rows would win over newer ones", reason="older_slice",
                         hint="mend the source, and run the newest date again, or all")


def changed(path: str, run_id: str) -> UsageError:
    """The error of rows that would be added to what is no longer there."""
    return UsageError(f"{path} no longer holds what run {run_id} wrote, to which its rejected rows belong", reason="slice_changed",
                      hint="run their date again")


def refuse_other_columns(place: Files, target: Target, found: Slice, schema: StructType) -> None:
    """Refuses to put rows beside files of other columns, which nobody could read together.

    Raises:
        ContractError: `schema_changed`.
    """
    first, conf = next(iter(found.record.fields["files"]), None), target.conf
    if target.table or first is None:
        return
    at, other = f"{target.path}/{first}", list[str]()
    if conf.format in ("parquet", "orc"):
        there = place.spark.read.format(conf.format).load(at).schema
        here = StructType([f for f in schema.fields if f.name not in conf.partition_by])
        other = list(beside.typed(here, there))
    elif conf.format == "csv" and conf.options.get("header", "true").lower() == "true":
        uri = place.hadoop.path(at).toUri().toString()
        other = list(beside.headed(place.spark, uri, schema, conf))
    if other:
        raise ContractError(f"{target.path}: {'; '.join(other)} in what run {found.record.run_id} wrote",
                            reason="schema_changed", hint="run the date again as a whole")


def files(place: Files, target: Target, found: Slice, folder: str) -> int:
    """Puts the files of a slice beside staged ones, under names of their own; how many bytes."""
    run, key = place.journals.runs[target.journal]
    for file in found.record.fields["files"]:
        above, _, name = file.rpartition("/")
        name = re.sub(r"^g\d+-", "", name)
        new = f"{above}/g{found.record.generation + 1}-{name}".lstrip("/")
        if run.store.links:
            run.store.link(f"{key}/{file}", f"{re.sub('^file:/+', '/', folder)}/{new}")
        else:
            place.hadoop.copy(f"{target.path}/{file}", f"{folder}/{new}")
    return place.size(folder)[1] or 0


def rows(place: Files, target: Target, found: Slice) -> tuple[DataFrame | None, int]:
    """The rows of a slice of a Delta table that its next generation takes away, and how many; none by keys.

    Raises:
        UsageError: another kind of table, whose rows nobody can tell apart.
        ContractError: files were rewritten since.
    """
    if target.conf.mode not in REPLACED:
        return None, 0
    if target.conf.format != "delta":
        raise UsageError(f"{target.path} can't tell the rows of a run from others", reason="can_not_replace",
                         hint="mend the source, and run the date again")
    from sparkkit.formats import deltalog

    txn = deltalog.Transaction(place.spark, target.path)
    mine = txn.files(found.name)
    note = deltalog.noted(place.spark, target.path, found.name, found.record.generation)
    told = int(mine[0].tag["rows"]) if mine and mine[0].tag else json.loads(note[1]).get("figures", {}).get("inserted") if note else None
    if txn.count(mine) != told:
        raise ContractError(f"what run {found.record.run_id} wrote to {target.path} can't be told from other rows any more",
                            reason="rewritten", hint="its files were rewritten (OPTIMIZE, UPDATE, DELETE): run the date again")
    return (txn.rows_of(mine), told) if mine else (None, 0)
