"""Rejected rows fed back: down the same road, once. The rows that pass go into the slice that their run wrote, and leave the quarantine,
by one decision; so whoever does it again finds nothing to do, and whoever is killed has done it or not."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import reduce

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import StructType

from sparkkit import formats, guards, intake, run, sinks, sources, verdicts
from sparkkit.checks.results import refuse
from sparkkit.errors import AccountingError, UsageError
from sparkkit.ledger import UNKNOWN_INPUT, UNKNOWN_OUTPUT, Record
from sparkkit.publishing import Piece, mode_of, slice_of
from sparkkit.quarantine import LAYOUT, Quarantine, known
from sparkkit.repair import carry, landing, linear, repaired, shelf
from sparkkit.repair.landing import KEY
from sparkkit.run import Request
from sparkkit.schema.contract import Contract
from sparkkit.schema.landing import BAD, BAD_TYPE, FILE, LANDING
from sparkkit.schema.types import quote
from sparkkit.sinks import Staged
from sparkkit.staging import Files, Target
from sparkkit.storage.log import Log
from sparkkit.storage.records import Record as Kept
from sparkkit.storage.records import every_last


@dataclass(frozen=True)
class Wish:
    """Which rows are to be fed back: of a date, a run, a rule; those of a file of `mended` ones only, where there is one."""

    date: str | None = None
    run: str | None = None
    rule: str | None = None
    mended: str | None = None


@dataclass
class Sums:
    """What became of the rows, over all slices: `before = readmitted + still`; `masked` of the latter were not shown."""

    before: int = 0
    readmitted: int = 0
    still: int = 0
    masked: int = 0
    notes: list[str] = field(default_factory=list)
    changed: list[UsageError] = field(default_factory=list)

    def __str__(self) -> str:
        found = f"{self.before:,} rejected rows: {self.readmitted:,} readmitted, {self.still:,} still rejected"
        told = [found + (f" ({self.masked:,} of them masked)" if self.masked else ""), *self.notes]
        return "; ".join([*told, *(error.message for error in self.changed)])


def replay(spark: SparkSession, request: Request, record: Record, wish: Wish) -> Sums | None:
    """Feeds rows back, a slice of the quarantine (a date) after the other; None where none is to be fed back.

    Raises:
        UsageError: rows that can't be fed back by themselves; nothing was published then.
        SparkkitError: as `run.run`.
    """
    contracts = run.contracts_of(request, record)
    if not isinstance(run.place_of(spark, record.run_id), Files):
        raise UsageError("rows are not fed back over Spark Connect, where no journal says what a run wrote", reason="connect_no_replay",
                         hint="run on a classic session, or run the date again")
    if request.job.alarm:
        raise UsageError(f"job {request.job.name!r} has an alarm, which looks at all that is published and not at rows that are fed back",
                         reason="alarm_not_asked", hint="run the date again")
    mended = repaired.read(spark, wish.mended) if wish.mended else None
    sums, seen = Sums(), set[str]()
    while _Replay(spark, request, record, contracts, wish, mended, sums, f"{record.run_id}.{len(seen)}".removesuffix(".0")).go(seen):
        pass
    if mended is not None:
        rest = mended.count() - sums.before
        sums.notes += [f"{rest:,} rows of {wish.mended} are not in the quarantine, or not any more"] if rest else []
    if not sums.before:
        record.message = "; ".join(["no such row is in the quarantine: nothing to feed back", *sums.notes])
        record.status = "already_done"
        return None
    if sums.changed and not sums.readmitted:
        raise sums.changed[0]
    if sums.masked and not sums.readmitted:
        raise UsageError(f"{sums}: what is not shown can't be fed back", reason="masked_rows",
                         hint="fill it in in a copy (`sparkkit quarantine JOB --export FILE`, `sparkkit replay JOB --repaired FILE`), or "
                         "run the date again, which reads the source")
    record.message = str(sums)
    return sums


@dataclass
class _Replay:
    """One slice on its way."""

    spark: SparkSession
    request: Request
    record: Record
    contracts: Mapping[str, Contract]
    wish: Wish
    mended: DataFrame | None
    sums: Sums
    run_id: str

    def go(self, seen: set[str]) -> bool:
        """Feeds the rows of one slice back, the first that has some and is not among those that were `seen`; False where none is left."""
        place, conf = Files.of(self.spark, self.run_id), self.request.conf
        targets = {n: sinks.target(place, n, conf.outputs[n]) for n in self.request.job.outputs}
        guards.before(place, conf, targets)
        with place.lock(targets) as held:
            at = next(iter(held.values())).quarantine
            for kept in sorted(_slices(place, at, self.request.job.name), key=lambda record: record.name):
                if kept.name in seen:
                    continue
                seen.add(kept.name)
                with self.record.step("read"):
                    every = keyed(self.spark, at, kept)
                    asked = shelf.chosen(every, date=self.wish.date, run=self.wish.run, rule=self.wish.rule).where(f"{KEY} is not null")
                    asked = repaired.over(asked, self.mended) if self.mended is not None else asked
                    edges = {row["input"]: row["n"] for row in asked.groupBy("input").agg(F.count("*").alias("n")).toLocalIterator()}
                if edges:
                    self._feed(place, held, kept, every, asked, edges)
                    return True
        return False

    def _feed(
        self, place: Files, held: Mapping[str, Target], kept: Kept, every: DataFrame, asked: DataFrame, edges: Mapping[str, int],
    ) -> None:
        job, again, first = self.request.job, _again(self.request, kept), next(iter(held.values()))
        self._refuse_between({*edges, *job.outputs}, again)
        name = next((n for n in edges if n in job.inputs), None)
        if name:
            self._refuse_others(name, every, again)
        try:
            slices = {n: carry.slice_at(place, t, slice_of(t.conf, f"{job.name}/{n}@{_key(kept)}"), kept) for n, t in held.items()}
        except UsageError as error:
            self.sums.changed.append(error)
            self.sums.before += sum(edges.values())
            self.sums.still += sum(edges.values())
            return
        with self.record.step("conform"):
            good, counts = self._judged(place, first, asked, edges)
        if not any(counts.values()):
            return
        with self.record.step("build"):
            fed = self._built(good, name, again) if name and counts[name] else {}
            for n in (n for n in job.outputs if counts.get(n)):
                back = good[n].drop(KEY).withColumn(BAD, F.lit(None).cast(BAD_TYPE))
                fed[n] = fed[n].unionByName(back, allowMissingColumns=True) if n in fed else back
            try:
                for n, frame in fed.items():
                    carry.refuse_older(place, held[n], slices[n], frame)
            except UsageError as error:
                self.sums.changed.append(error)
                for n, passed in counts.items():
                    self._tell(first.quarantine, n, 0, -passed, {"older_slice": passed})
                return
        with self.record.step("write"):
            staged, carried = {}, {}
            for n, frame in fed.items():
                old, carried[n] = carry.rows(place, held[n], slices[n]) if held[n].table else (None, 0)
                both = frame if old is None else frame.unionByName(_like(old, frame), allowMissingColumns=True)
                carry.refuse_other_columns(place, held[n], slices[n], StructType([f for f in both.schema if f.name not in LANDING]))
                staged[n] = sinks.stage(place, held[n], both, checked=n in self.contracts)
        with self.record.step("checks"):
            quarantine = self._shelved(place, first, kept, every, good, counts)
            self._settle(quarantine, staged, carried)
            pieces = _pieces(place, staged, slices)
            self._judge(place, staged)
        with self.record.step("publish"):
            self._publish(place, staged, pieces, kept, quarantine)

    def _checks(self) -> verdicts.Checks:
        return verdicts.checks(self.contracts, self.request.conf.outputs, self.request.job.inputs)

    def _refuse_between(self, edges: Collection[str], again: str) -> None:
        """A duplicate, or a reference to nothing, can be told only beside the rows that were not rejected; of an output that is asked
        of what its slice will hold, unless a row would be taken out for it."""
        checks, inputs = self._checks(), self.request.job.inputs
        between = sorted({c.name for n in edges for c in checks.get(n, ()) if c.severity != "warn" and (
            c.parent or (c.ask and c.ask.keys and (c.inline or n in inputs)))})
        if between:
            raise UsageError(f"the contract asks for {', '.join(between)}, which no row answers by itself", reason="not_row_by_row",
                             hint=again)

    def _refuse_others(self, name: str, every: DataFrame, again: str) -> None:
        """Rows of two inputs that were rejected would have met each other, and those of the other input that were not."""
        others = every.where(F.col("input").isin(*self.request.job.inputs) & (F.col("input") != name)).select("input").first()
        if others:
            raise UsageError(f"rows of {name!r} and of {others['input']!r} were rejected, and neither can be fed back without the other",
                             reason="not_row_by_row", hint=again)

    def _judged(
        self, place: Files, first: Target, asked: DataFrame, edges: Mapping[str, int],
    ) -> tuple[dict[str, DataFrame], dict[str, int]]:
        """The rows that pass now, by input or output, out of storage, and how many they are."""
        good, counts = {}, {}
        for name, before in edges.items():
            mine, conf = asked.where(F.col("input") == name), self.request.conf.inputs.get(name)
            at = f"{place.private(first)}/fed/{name}"
            landing.landed(self.spark, mine, conf, self.contracts.get(name)).write.parquet(at)
            landed = self.spark.read.parquet(at)
            good[name] = landed.where(F.col(BAD).isNull()).drop(BAD)
            counts[name] = good[name].count()
            by = {r["reason"]: r["n"] for r in landed.where(F.col(BAD).isNotNull()).groupBy(f"{BAD}.reason").agg(
                F.count("*").alias("n")).toLocalIterator()}
            masked = by.pop("masked", 0) + mine.where("raw = '***'").count()
            self._tell(first.quarantine, name, before, counts[name], by)
            self.sums.masked += masked
        return good, counts

    def _tell(self, path: str, name: str, before: int, passed: int, by: Mapping[str, int]) -> None:
        self.sums.before += before
        self.sums.readmitted += passed
        self.sums.still += before - passed
        if name in self.request.job.inputs:
            said = self.record.inputs.setdefault(name, {**UNKNOWN_INPUT, "paths": [path], "format": "quarantine", "complete": True,
                                                        "read": 0, "passed": 0, "quarantined": 0, "quarantined_by": {}})
            said |= {"read": said["read"] + before, "passed": said["passed"] + passed, "quarantined": said["quarantined"] + before - passed}
            said["quarantined_by"] = {r: said["quarantined_by"].get(r, 0) + by.get(r, 0) for r in {**said["quarantined_by"], **by}}

    def _built(self, good: Mapping[str, DataFrame], name: str, again: str) -> dict[str, DataFrame]:
        """What the job makes of the rows, beside its other inputs as they are now; only of the outputs that they reach."""
        request, frames = self.request, dict[str, DataFrame]()
        for n in request.job.inputs:
            if n == name:
                keep = [F.col(FILE).alias(intake.SOURCE_FILE)] if request.conf.inputs[n].keep_source else []
                frames[n] = good[n].select(*[quote(c) for c in good[n].columns if c not in (KEY, FILE)], *keep).alias(linear.MARK)
            else:
                other = intake.take(guards.named(sources.read(self.spark, n, request.conf.inputs[n], self.contracts.get(n)))).passed
                frames[n] = other.alias(linear.OTHER)
        before = linear.jobs(self.spark)
        built = run.build(request.job, frames, request.params)
        linear.refuse_computed(before, self.spark, again)
        reached = {n: linear.refuse(n, f, again) for n, f in built.items()}
        linear.refuse_lost(reached.values(), again)
        return {n: intake.judge(f, self.contracts.get(n)) for n, f in built.items() if reached[n]}

    def _shelved(
        self, place: Files, first: Target, kept: Kept, every: DataFrame, good: Mapping[str, DataFrame], counts: Mapping[str, int],
    ) -> Quarantine:
        """The quarantine without the rows that pass; what outputs reject of them comes to it."""
        quarantine = Quarantine(place, first, _key(kept) if _is_date(_key(kept)) else None, self.contracts)
        passed = reduce(DataFrame.unionAll, [frame.select(KEY) for frame in good.values()])
        stay = every.join(passed, KEY, "left_anti").drop(KEY)
        at = f"{place.private(first)}/shelf/0"
        stay.write.partitionBy("run_id").parquet(at)
        left, before = self.spark.read.schema(LAYOUT).parquet(at).count(), every.count()
        if left + sum(counts.values()) != before:
            raise AccountingError(f"{before} rows were in the quarantine, {sum(counts.values())} pass, but {left} are to stay there",
                                  hint="nothing was published")
        if left:
            quarantine.staged.append(f"{at}/run_id=")
        return quarantine

    def _settle(self, quarantine: Quarantine, staged: Mapping[str, Staged], carried: Mapping[str, int]) -> None:
        for n, one in staged.items():
            if one.rejects is not None:
                one.count = one.count.quarantined_as(quarantine.add(n, one.rejects))
            one.count.check(f"output {n!r}", ("built", "written"))
            edge = self.record.outputs.setdefault(n, {**UNKNOWN_OUTPUT, "path": one.target.path, "format": one.target.conf.format,
                                                      "mode": one.target.conf.mode, "built": 0, "written": 0, "quarantined": 0,
                                                      "quarantined_by": {}})
            fed = one.count.total - carried[n], one.count.good - carried[n]
            edge |= {"built": edge["built"] + fed[0], "written": edge["written"] + fed[1]}
            edge["quarantined"] += one.count.quarantined
            edge["quarantined_by"] = {**edge["quarantined_by"], **one.count.quarantined_by}

    def _judge(self, place: Files, staged: Mapping[str, Staged]) -> None:
        """The verdict on what each slice will hold, as on that of a run; by keys on the rows that are fed alone.

        Raises:
            ContractError: `quality`.
        """
        checks = self._checks()
        found = [one for n, some in staged.items() if checks.get(n) for one in verdicts.of_slice(n, _rows(place, some), checks[n])]
        self.record.checks = [*(self.record.checks or []), *found]
        refuse(self.request.job.name, found)

    def _publish(
        self, place: Files, staged: Mapping[str, Staged], pieces: Sequence[Piece], kept: Kept, quarantine: Quarantine,
    ) -> None:
        """By one decision, under the logical id of the run whose rows they are: a retry of that run stays one."""
        if not place.journals.one_decision([quarantine.path, *(piece.path for piece in pieces)]):
            raise UsageError("the quarantine and what its rows go to are not on one filesystem with a journal, so that no one decision can "
                             "move rows from here to there", reason="two_decisions", hint="run the date again as a whole")
        shelved = place.shelved(quarantine.target, quarantine.staged, kept.name)
        parts = place.journals.publish(kept.fields["logical_id"], [*shelved, *pieces])
        for n in staged:
            target = staged[n].target
            self.record.outputs[n] |= {"files": staged[n].files, "bytes": staged[n].bytes, "generation": parts[target.journal].generation}
        self.record.logical_id = kept.fields["logical_id"]
        self.record.quarantine = quarantine.path if quarantine.used else self.record.quarantine


def _pieces(place: Files, staged: Mapping[str, Staged], slices: Mapping[str, carry.Slice]) -> list[Piece]:
    """Staged rows beside what their slices hold, ready to be published."""
    pieces = []
    for n, one in staged.items():
        sinks.finish(place, one)
        target, found = one.target, slices[n]
        added = target.conf.mode in carry.REPLACED
        if target.table:
            conf = replace(target.conf, mode="append") if added else target.conf
            piece = sinks.piece(replace(one, target=replace(target, conf=conf)), place.run_id, found.name)
        else:
            carry.files(place, target, found, one.data)
            piece = Piece(target.journal, one.data, "append" if added else mode_of(target.conf), found.name)
        pieces.append(piece)
    return pieces


def _rows(place: Files, one: Staged) -> DataFrame:
    """What is to be published of an output, with its types."""
    conf = one.target.conf
    if one.target.table or conf.format == "parquet":
        return place.read(one.data, one.schema)
    if conf.format == "orc":
        return place.spark.read.schema(one.schema).orc(one.data)
    held = formats.view(place.spark, conf.format, one.data, conf.options)
    return held.select(*[F.col(quote(f.name)).cast(f.dataType).alias(f.name) for f in one.schema.fields])


def _slices(place: Files, path: str, job: str) -> list[Kept]:
    """The slices of a job that have rows in the quarantine at a path."""
    if path in place.journals.bare:
        return []
    running, key = place.journals.runs[path]
    return [r for r in every_last(Log(running.store, key), "slices") if r.name.startswith(f"{job}@") and r.fields["files"]]


def _key(kept: Kept) -> str:
    return kept.name.partition("@")[2]


def _is_date(key: str) -> bool:
    return re.fullmatch(r"\d{4}-\d\d-\d\d", key) is not None


def keyed(spark: SparkSession, path: str, kept: Kept) -> DataFrame:
    """The rows of one slice of a quarantine, each with a KEY; refused as by `quarantine.known`."""
    files = [f"{path}/{file}" for file in kept.fields["files"]]
    rows = known(spark.read.schema(LAYOUT).option("basePath", path).parquet(*files))
    return rows.withColumn(KEY, F.concat("run_id", F.lit("|"), "id"))


def _like(old: DataFrame, new: DataFrame) -> DataFrame:
    """Rows of a table with the columns of a frame; what the table leaves out is null."""
    have = set(old.columns)
    names = [f for f in new.schema.fields if f.name not in LANDING and f.name in have]
    return old.select(*[F.col(quote(f.name)).cast(f.dataType).alias(f.name) for f in names])


def _again(request: Request, kept: Kept) -> str:
    """What to do where rows can't be fed back."""
    given = f" --date {_key(kept)}" if _is_date(_key(kept)) else ""
    return f"mend the source or the contract, then `sparkkit run {request.job.name}{given}` makes it again as a whole"
