"""The incremental inputs of one run: what is new in them, whose slice it becomes, and the states that are committed with it."""
from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, TypeVar

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from sparkkit import formats, sources
from sparkkit.conf import Conf, InputConf
from sparkkit.errors import ContractError, SparkkitError, UsageError, strongest
from sparkkit.formats.base import Finding
from sparkkit.incremental import rules
from sparkkit.incremental.column import UTC, Column
from sparkkit.incremental.files import Files
from sparkkit.incremental.line import Line
from sparkkit.incremental.spec import Part, Reader, Spec
from sparkkit.incremental.states import Ledger, lost_slice, refuse_place
from sparkkit.incremental.versions import Versions
from sparkkit.intake import Intake
from sparkkit.ledger import Record
from sparkkit.schema.cast import literal
from sparkkit.schema.contract import Contract
from sparkkit.schema.types import quote
from sparkkit.sinks import Place, Staged
from sparkkit.sources import Source
from sparkkit.staging import Files as Staging
from sparkkit.staging import Target
from sparkkit.storage.increments import State, is_date, unit
from sparkkit.storage.seam import above

T = TypeVar("T")
READERS: Mapping[str, type[Reader]] = {"files": Files, "column": Column, "version": Versions, "changes": Versions}


@dataclass
class News:
    """What is new for a run, by input; nothing is, and nothing is kept, where no input is incremental.

    `label` is the slice that the run writes: its date, the last one where that is to be made again, or a name of its own. `nothing`
    says in a sentence that there is nothing new; the run has nothing to do then.
    """

    run_id: str
    conf: Conf
    inputs: Sequence[str]
    params: str = ""
    zone: str = "UTC"
    full: bool = False
    ledger: Ledger | None = None
    label: str | None = None
    nothing: str | None = None
    readers: dict[str, Reader] = field(default_factory=dict)
    parts: dict[str, Part] = field(default_factory=dict)
    old: dict[str, State] = field(default_factory=dict)

    def read(self, spark: SparkSession, contracts: Mapping[str, Contract]) -> dict[str, Source]:
        """Lands the inputs: of the incremental ones what is to be read; none, where there is nothing new.

        Raises:
            SparkkitError: as `sources.read` and the readers do.
        """
        self.parts |= _each(self.readers, lambda n: self.readers[n].read(spark, contracts.get(n)))
        if self.parts and not self._due():
            return {}
        missing = next((part.missing for part in self.parts.values() if part.missing), None)
        if missing:
            raise missing
        found = {n: p.source for n, p in self.parts.items() if p.source}
        if self.parts:
            self._name(found)
        return _each(self.inputs, lambda n: found[n] if n in found else sources.read(spark, n, self.conf.inputs[n], contracts.get(n)))

    def _due(self) -> bool:
        parts = self.parts.values()
        if any(p.fresh or p.own or p.refused for p in parts) or not self.old:
            return True
        last = next(iter(self.old.values()))
        self.nothing = f"nothing new since run {last.run_id}"
        return False

    def _name(self, found: Mapping[str, Source]) -> None:
        """Where the run has no slice yet: one that no other run has, and this one, tried again, will have again."""
        assert self.ledger is not None
        if self.label is None:
            said = [(n, self.old[n].label if n in self.old else "", s.fingerprint) for n, s in sorted(found.items())]
            hashed = hashlib.sha256(json.dumps([said, self.params]).encode()).hexdigest()[:16]
            self.label = f"{'full' if self.full else 'increment'} {hashed}"
        elif self.old and not any(p.own for p in self.parts.values()) and self._replaces():
            before = self.ledger.wrote(self.label)
            if before:
                raise lost_slice(self.label, before)

    def _replaces(self) -> bool:
        return any(reader.spec.style in ("append", "partitions") for reader in self.readers.values())

    def note(self, record: Record, taken: Mapping[str, Intake]) -> None:
        """Puts into the record what was found, and then refuses what has to be.

        Raises:
            ContractError: rows that can't be told from others (`late_rows`, `null_watermark`).
            UsageError: a watermark that is none.
        """
        for name, part in self.parts.items():
            if name in taken:
                self.readers[name].look(taken[name])
            other = self._other_params(name)
            record.inputs[name] |= {"incremental": part.said, "late": part.late}
            record.inputs[name]["findings"] = [*record.inputs[name]["findings"], *(asdict(f) for f in (*part.findings, *other))]
            if self.nothing:
                record.inputs[name] |= {"read": 0, "passed": 0, "quarantined": 0}
        for part in self.parts.values():
            if part.refused:
                raise part.refused

    def _other_params(self, name: str) -> tuple[Finding, ...]:
        if name not in self.old or self.old[name].params == self.params:
            return ()
        return (Finding(self.conf.inputs[name].path[0], "other_parameters",
                        f"run {self.old[name].run_id} read with others; what it read is not read again"),)

    def verdict(self, place: Place, staged: Mapping[str, Staged], record: Record) -> None:
        """Refuses what would leave an output with less than was read for it.

        Raises:
            ContractError: partitions would be replaced of which not all rows were read (`partitions_differ`), or a table changed
                while it was read (`input_changed`).
        """
        for name, part in self.parts.items():
            seen = record.inputs[name]
            if part.rows is not None and seen["complete"] and seen["read"] != part.rows:
                raise ContractError(f"input {name!r} changed while it was read: {part.rows} rows at first, and then {seen['read']}",
                                    reason="input_changed", hint="run again")
            if self.readers[name].spec.style == "partitions":
                for one in staged.values():
                    if one.target.conf.mode == "overwrite_partitions":
                        _refuse_parts(place, name, part, one)

    def states(self, logical_id: str) -> dict[str, bytes]:
        """The states that are to be committed with the outputs of a run of this `logical_id`, by name."""
        assert self.label is not None or not self.readers
        found = {}
        for name, reader in self.readers.items():
            state = reader.after(str(self.label), self.run_id)
            epoch = str(self.label) if self.full else self.old[name].epoch if name in self.old else ""
            assert self.ledger is not None
            state = replace(state, epoch=epoch, params=self.params, logical_id=logical_id, **_told(reader.spec.conf, self.zone))
            found[f"{self.ledger.job}/{name}"] = state.encode()
        return found


def begin(
    place: Place, targets: Mapping[str, Target], job: str, inputs: Sequence[str], conf: Conf, record: Record, *, again: bool, full: bool,
) -> News:
    """The incremental inputs of a run that holds the lock, with their states.

    Raises:
        UsageError: their settings don't fit the outputs, the place can't keep a state, or the states don't fit what is there.
    """
    names = [n for n in inputs if conf.inputs[n].incremental != "none"]
    news = News(record.run_id, conf, inputs, full=full)
    if not names:
        if full:
            raise UsageError("--full is for incremental inputs, and this job has none", reason="wrong_option", hint="leave it out")
        return news
    news.zone = str(place.spark.conf.get("spark.sql.session.timeZone"))
    outputs = {n: t.conf for n, t in targets.items()}
    style = rules.style(outputs.values(), full)
    for name in names:
        rules.check(name, conf.inputs[name], style, outputs)
    ledger = news.ledger = Ledger.of(refuse_place(place, targets), job, targets)
    news.params = hashlib.sha256(json.dumps(record.params, sort_keys=True, default=str).encode()).hexdigest()[:16]
    old = {} if full else ledger.states(names, style)
    news.old = old
    news.label = None if full else _label(record.date, old, again)
    for name in names:
        spec = Spec(name, conf.inputs[name], outputs, style, old.get(name), news.label, again)
        if spec.state:
            spec.refuse_other(kind=spec.conf.incremental, **_told(spec.conf, news.zone))
        _refuse_old(spec, outputs)
        news.readers[name] = READERS[spec.conf.incremental](spec)
    return news


def _told(conf: InputConf, zone: str) -> dict[str, Any]:
    """What a state is about: rows that another filter leaves out were not read, other columns have other marks, and a mark is a time of
    the session's zone. By files the watermark only says what is late."""
    within = "" if zone in UTC else f" in {zone}"
    column = {"watermark": f"{conf.watermark}{within}"} if conf.incremental == "column" else {}
    return {"filter": conf.filter or "", **column}


def _label(date: str | None, old: Mapping[str, State], again: bool) -> str | None:
    last = next(iter(old.values()), None)
    if date:
        return f"{date} since {last.epoch}" if last and last.epoch else date
    if not again or last is None:
        return None
    if not last.label.startswith(("increment ", "full ")):
        raise UsageError(f"--again without a date, and the last run, {last.run_id}, was that of {last.label}", reason="wrong_option",
                         hint=f"give --date {last.label[:10]}, too")
    return last.label


def _refuse_old(spec: Spec, outputs: Mapping[str, Any]) -> None:
    """By keys, in the order of their coming, an older slice that is brought in again would win over newer ones."""
    merged = any(o.mode == "merge" for o in outputs.values())
    if spec.replay and merged and spec.state and spec.label != spec.state.label:
        raise UsageError(f"--again for {spec.label}, after which run {spec.state.run_id} has merged newer rows: the older ones would win",
                         reason="older_slice", hint="use mode cdc, which knows their order, or give --full")


def _refuse_parts(place: Place, name: str, part: Part, staged: Staged) -> None:
    columns, found = staged.target.conf.partition_by, _partitions(place, staged)
    for values in sorted(found):
        here = dict(zip(columns, values, strict=True))
        by_day = any(is_date(v) and v >= part.start[:10] for v in values)
        if not (tuple(here[c] for c in part.by) in part.units if part.by else by_day):
            said = "/".join(f"{c}={v}" for c, v in here.items())
            days = f"the days from {part.start[:10] or 'the first'} on"
            what = f"the folders of {', '.join(part.by)} that were read" if part.by else days
            raise ContractError(f"output {staged.target.name!r}: the partition {said} would be replaced, and only {what} of input"
                                f" {name!r} can be in it", reason="partitions_differ",
                                hint="partition the output by the same days or folders as the input, or use append, merge or cdc")
    if part.line:
        _refuse_unread(place, name, part, staged, found)


def _refuse_unread(place: Place, name: str, part: Part, staged: Staged, found: set[tuple[str, ...]]) -> None:
    """A date in a partition's name may be another than the watermark's, or that of another time zone; so each row that would go has to
    say by its own watermark that it was read again."""
    target, line = staged.target, part.line
    assert line is not None
    if line.column not in staged.schema.names or line.column in target.conf.leave_out:
        raise ContractError(f"output {target.name!r} has no {line.column}, so nobody knows whether all rows of the partitions that are"
                            f" replaced were read of input {name!r}", reason="partitions_differ",
                            hint=f"keep {line.column} in the output (of an aggregate its min), or use append, merge or cdc")
    for held in _held(place, target, found, line) if part.start else ():
        kept = line.column in held.columns
        row = held.where(f"NOT coalesce({line.since(part.start)}, false)").select(quote(line.column)).first() if kept else None
        if row or not kept:
            said = f"rows such as one of {row[0]}" if row else f"rows without {line.column}"
            raise ContractError(f"output {target.name!r}: partitions that would be replaced hold {said}, and of input {name!r} only those"
                                f" from {part.start} on were read", reason="partitions_differ",
                                hint=f"partition by the day of {line.column}, or use append, merge or cdc")


def _held(place: Place, target: Target, found: set[tuple[str, ...]], line: Line) -> list[DataFrame]:
    """The rows that an output has in these partitions."""
    columns, conf = target.conf.partition_by, target.conf
    assert isinstance(place, Staging)
    if not found or not place.there(target):
        return []
    if not target.table:
        folders = sorted({above(leaf) for leaf in place.leaves(target.path) if unit(leaf, columns) in found})
        rows = {folder: formats.view(place.spark, conf.format, f"{target.path}/{folder}", conf.options) for folder in folders}
        if line.column not in columns:
            return [*rows.values()]
        texts = {folder: literal(unit(f"{folder}/", [line.column])[0]) for folder in folders}
        return [frame.withColumn(line.column, F.expr(f"try_cast({texts[folder]} AS {line.type})")) for folder, frame in rows.items()]
    touched = place.spark.createDataFrame(sorted(found), ", ".join(f"c{i} string" for i in range(len(columns))))
    held = formats.view(place.spark, conf.format, target.path, conf.options)
    same = [F.coalesce(held[quote(c)].cast("string"), F.lit("")) == touched[f"c{i}"] for i, c in enumerate(columns)]
    return [held.join(F.broadcast(touched), same, "left_semi")]


def _partitions(place: Place, staged: Staged) -> set[tuple[str, ...]]:
    columns = staged.target.conf.partition_by
    assert isinstance(place, Staging)
    if not place.any(staged.data):
        return set()
    if not staged.target.table:
        return {unit(leaf, columns) for leaf in place.leaves(staged.data)}
    frame = place.read(staged.data, staged.schema).select(*[F.col(quote(c)).cast("string") for c in columns]).distinct()
    return {tuple("" if v is None else v for v in row) for row in frame.toLocalIterator()}


def _each(names: Iterable[str], call: Callable[[str], T]) -> dict[str, T]:
    """What a call gives for each name. Where several fail the error is the strongest, whatever their order: a scheduler that waits for a
    late input is not to give up because another one is damaged."""
    found, wrong = {}, []
    for name in names:
        try:
            found[name] = call(name)
        except SparkkitError as error:
            wrong.append(error)
    if wrong:
        raise strongest(wrong)
    return found
