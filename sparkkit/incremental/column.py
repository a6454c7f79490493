"""By a watermark: rows beyond the highest value that was read, and those that came late behind it."""
from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from sparkkit import formats
from sparkkit.errors import ContractError, UsageError
from sparkkit.formats.base import Finding
from sparkkit.formats.footers import highest
from sparkkit.incremental.line import Line
from sparkkit.incremental.spec import Part, Reader, Spec
from sparkkit.schema.contract import Contract
from sparkkit.schema.landing import FILE
from sparkkit.schema.types import quote
from sparkkit.sources import Source, narrowed, read
from sparkkit.storage.hadoop import File, Hadoop
from sparkkit.storage.increments import Cut, State, cut, is_date, joined, late, owned

AHEAD = dt.timedelta(days=2)
"""How far behind the clock, or the run's date, a watermark may be: clocks differ, and time zones."""

UTC = ("UTC", "Etc/UTC", "Z", "+00:00")
"""Names of the zone that footers are in."""

ZONES = dt.timedelta(days=1)
"""More than any zone is away from it."""

PRUNED = ("parquet", "orc", "delta", "table", "jdbc")
"""Formats of which one column can be read by itself; text would have to be parsed twice."""


@dataclass(frozen=True)
class Seen:
    """What a look at the watermark alone tells: rows by date, those that a state's counts are to be held against (`known`), those beyond
    its mark (`new`), those of the stretches that are the slice's (`mine`), those without a value, and the highest one."""

    days: Mapping[str, int]
    known: Mapping[str, int]
    new: int
    mine: int
    nulls: int
    top: str

    @property
    def rows(self) -> int:
        """All rows."""
        return sum(self.days.values()) + self.nulls


class Column(Reader):
    """Rows after the mark; by keys also those that may have come late, by partitions whole days of them."""

    def __init__(self, spec: Spec) -> None:
        super().__init__(spec)
        self.line = Line(str(spec.conf.watermark), spec.state.type if spec.state else "", spec.conf.lateness)
        self.whole = spec.style == "partitions"
        self.state_cuts: tuple[Cut, ...] = spec.state.cuts if spec.state else ()
        self.mark = self.state_cuts[-1].end if self.state_cuts else ""
        self.own = owned(self.state_cuts, spec.label if spec.takes_own else None)
        self.start = ""
        self.counts: Mapping[str, int] = {}
        self.low = ""
        self.top = self.mark

    def read(self, spark: SparkSession, contract: Contract | None) -> Part:
        """Looks at the watermark of what may be new, in a scan of that column alone, and lands the rows that are to be read.

        Raises:
            UsageError: the column or the format is not fit for it.
        """
        spec, line, state = self.spec, self.line, self.spec.state
        if state:
            spec.refuse_other(paths=spec.conf.path)
        reach = self._reach()
        filters = [f"({f})" for f in (spec.conf.filter, reach) if f]
        source = read(spark, spec.name, replace(spec.conf, filter=" AND ".join(filters) or None), contract,
                      partial(self._near, spark) if reach else None)
        line = self.line = self._line(source)
        seen = self._look(source.frame)
        self.top = max((text for text in (self.mark, seen.top) if text), key=line.value, default="")
        ahead = self._ahead(source.frame)
        came, gone = late(state.counts if state else {}, seen.known)
        files = self._files(source)
        held = spec.style != "append" or self._covers()
        fresh = seen.new > 0 or (bool(came) and held)
        if spec.style == "append" and self.mark:
            source = narrowed(source, self._mine())
        self._remember(source.frame, seen)
        stretches = self._stretches()
        said = ", ".join(f"{low or '(all)'} < {line.column} <= {high}" for low, high in stretches)
        behind = "" if spec.style == "append" else f" {sorted(came.items())}"  # which are among mine, or it is refused
        source = replace(source, slice=f"{spec.conf.path} {said} {seen.mine} rows{behind}{files}")
        refused = ahead or self._refused(seen, came, held)
        return Part(source, fresh, bool(self.own), said or "nothing", self._findings(gone), came if self.mark else None,
                    seen.mine if spec.style == "append" else seen.rows, refused=refused, start=self.start, line=line)

    def _files(self, source: Source) -> str:
        """What tells the files of a date's rows from others: rows that were mended keep their marks and their number."""
        if not self.spec.takes_own:
            return ""
        known = {f.path: f"{f.size} {f.modified}" for f in source.files}
        mine = source.frame.where(self._mine()).select(FILE).distinct()
        said = sorted(f"{row[0]} {known.get(row[0], '')}" for row in mine.toLocalIterator())
        return f" of {hashlib.sha256(chr(10).join(said).encode()).hexdigest()[:16]}"

    def _reach(self) -> str | None:
        """SQL: the rows to look at; None where these are all."""
        state, line = self.spec.state, self.line
        if state is None or not self.mark:
            return None
        line.check(self.spec.name)
        self.start = line.least(line.low(self.mark, whole=self.whole), state.low)
        parts = [line.since(self.start), f"{quote(line.column)} IS NULL"]
        if self.whole and self.own:
            firsts = [c.start for c in self.state_cuts if c.owner == self.spec.label]
            if "" in firsts:
                self.start = ""
                return None
            self.start = line.least(self.start, *firsts)
            parts[0] = line.since(self.start)
        elif self.own:
            if self.own[0][0] is None and self.own[0][1] == self.mark:
                return None
            parts += [line.between(one) for one in self.own]
        return " OR ".join(parts)

    def _near(self, spark: SparkSession, files: tuple[File, ...]) -> tuple[File, ...]:
        """The files that may have rows to look at, by the footers of Parquet; at least one, to tell the columns by."""
        lows = [self.start, *(low for low, _ in self.own if low is not None)]
        if None in [low for low, _ in self.own] or formats.of_path(files[-1].path) != "parquet":
            return files
        least = self.line.value(self.line.least(*lows))
        if self.line.dated and str(spark.conf.get("spark.sql.session.timeZone")) not in UTC:
            least -= ZONES  # the footers' times are in UTC, and the state's in the zone of its session
        tops = highest(Hadoop.of(spark), [f.path for f in files], self.line.column) if self.line.type != "string" else {}
        kept = tuple(f for f in files if not isinstance(top := tops.get(f.path), type(least)) or top >= least)
        return kept or files[-1:]

    def _mine(self) -> str:
        """SQL: the rows of the stretches that are the slice's once this run is committed."""
        if not self.mark:
            return "true"
        return " OR ".join([*(self.line.between(one) for one in self.own), self.line.after(self.mark)])

    def _stretches(self) -> list[tuple[str | None, str]]:
        more = [(self.mark or None, self.top)] if self.top != self.mark else []
        return joined([*self.own, *more])

    def _line(self, source: Source) -> Line:
        spec, column = self.spec, self.line.column
        if source.format not in PRUNED:
            raise UsageError(f"input {spec.name!r} is {source.format}, of which no column can be read by itself", reason="wrong_conf",
                             hint=f"set inputs.{spec.name}.incremental = \"files\"")
        kinds = {f.name: f.dataType.simpleString() for f in source.frame.schema.fields}
        if column not in kinds:
            raise UsageError(f"input {spec.name!r} has no column {column}, which is to be its watermark", reason="wrong_conf",
                             hint=f"it has {', '.join(c for c in kinds if not c.startswith('_sparkkit'))}")
        line = replace(self.line, type=kinds[column])
        line.check(spec.name)
        if self.whole and not line.dated:
            raise UsageError(f"input {spec.name!r}: the watermark {column} is {line.type}, and whole partitions need its dates",
                             reason="wrong_conf", hint="use a column of dates or times, or merge")
        if spec.state and self.mark:
            spec.refuse_other(type=line.type)
        return line

    def _look(self, frame: DataFrame) -> Seen:
        line, column = self.line, F.col(quote(self.line.column))
        known = f"{line.since(self.spec.state.low)} AND {column_at_most(line, self.mark)}" if self.spec.state and self.mark else "false"
        new = line.after(self.mark) if self.mark else f"{quote(line.column)} IS NOT NULL"
        by = frame.groupBy(F.expr(line.day).alias("day")).agg(
            F.count(column).alias("n"), F.count_if(F.expr(known)).alias("known"), F.count_if(F.expr(new)).alias("new"),
            F.count_if(F.expr(self._mine())).alias("mine"), F.count_if(column.isNull()).alias("nulls"),
            F.max(column).cast("string").alias("top"))
        rows = by.collect()
        tops = [row["top"] for row in rows if row["top"] is not None]
        return Seen({row["day"]: row["n"] for row in rows if row["n"]}, {row["day"]: row["known"] for row in rows if row["known"]},
                    sum(row["new"] for row in rows), sum(row["mine"] for row in rows), sum(row["nulls"] for row in rows),
                    max(tops, key=line.value, default=""))

    def _remember(self, frame: DataFrame, seen: Seen) -> None:
        """The counts that the next run holds its own against: of rows from `low` up to the mark."""
        line = self.line
        if not self.top:
            return
        self.low = line.low(self.top, whole=self.whole)
        if line.dated and (line.type == "date" or self.low.endswith(" 00:00:00")):
            self.counts = {day: n for day, n in seen.days.items() if day >= self.low[:10]}
            return
        near = frame.where(line.since(self.low)).groupBy(F.expr(line.day).alias("day")).agg(F.count(F.lit(1)).alias("n"))
        self.counts = {row["day"]: row["n"] for row in near.collect()}

    def _covers(self) -> bool:
        """Whether all that may have come late is in the slice's own stretches, which are read again whole."""
        low = self.spec.state.low if self.spec.state else ""
        last = self.own[-1] if self.own else None
        return last is not None and last[1] == self.mark and (last[0] is None or self.line.value(last[0]) < self.line.value(low))

    def _findings(self, gone: int) -> tuple[Finding, ...]:
        if not gone:
            return ()
        return (Finding(self.spec.conf.path[0], "rows_gone", f"{gone} rows that were read are gone; what was made of them stays"),)

    def _refused(self, seen: Seen, came: Mapping[str, int], held: bool) -> ContractError | None:
        name, column = self.spec.name, self.line.column
        if seen.nulls:
            return ContractError(f"input {name!r}: {seen.nulls} rows have no {column}, by which new rows are told from others",
                                 reason="null_watermark",
                                 hint="give them a value, or leave them out by the input's filter (and give --full once)")
        if came and not held:
            days = ", ".join(f"{n} of {day}" if day else f"{n} rows" for day, n in came.items())
            return ContractError(f"input {name!r}: rows came late, at or below the mark {self.mark} of {column} ({days}): append can't"
                                 " tell them from those that it has", reason="late_rows",
                                 hint="use merge, cdc or overwrite_partitions, or give --full --mode overwrite")
        return None

    def _ahead(self, frame: DataFrame) -> ContractError | None:
        """The error of a mark in the future, behind which nothing would be new for as long."""
        line, date = self.line, (self.spec.label or "")[:10]
        if not (line.dated and self.top):
            return None
        now = dt.datetime.now(dt.UTC).replace(tzinfo=None, microsecond=0)
        limit = (max(now, dt.datetime.fromisoformat(date)) if is_date(date) else now) + AHEAD
        if line.value(self.top) <= limit:
            return None
        text = limit.date().isoformat() if line.type == "date" else limit.isoformat(" ")
        rows = frame.where(line.after(text)).count()
        return ContractError(f"input {self.spec.name!r}: {line.column} would be read up to {self.top}, and nothing before that would be new"
                             f" any more: {rows} rows are beyond {text}", reason="future_watermark",
                             hint="mend them at their source, or leave them out by the input's filter (and give --full once)")

    def after(self, label: str, run_id: str) -> State:
        """The mark, and the counts behind it."""
        cuts = cut(self.state_cuts, label, self.top, self.start) if self.top else self.state_cuts
        return State("column", self.spec.conf.path, run_id, label, cuts=cuts, type=self.line.type, low=self.low, counts=self.counts)


def column_at_most(line: Line, text: str) -> str:
    """SQL: whether a row is at a value or before it."""
    return f"{quote(line.column)} <= {line.literal(text)}"
