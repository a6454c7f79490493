"""Counting rows so that the figures are true: an observation that knows when it lies, and the law that figures obey.

Spark's `Observation` is a fast estimate. It counts a row once for each time the row is computed: twice under a sort's
sampling, again for a retried task, less under a limit, never where the plan drops its side. So each observation also
counts the partitions that started (`starts`) and how many different ones they were (`partitions`): equal means that every
partition was computed once. Whether each was read to its end is read from the plan. Where either is in doubt, the caller
recounts from storage.
"""
from __future__ import annotations

import contextlib
import io
import re
import threading
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from pyspark.sql import Column, DataFrame, Observation
from pyspark.sql import functions as F

from sparkkit import compat
from sparkkit.errors import AccountingError
from sparkkit.schema.landing import BAD

STARTED = "_sparkkit_started"
ROWS_BITS = 33
"""`monotonically_increasing_id` keeps the partition above bit 33 and the row below it."""

WHOLE = frozenset(
    "AdaptiveSparkPlan AQEShuffleRead ArrowAggregatePython ArrowEvalPython ArrowWindowPython AggregateInPandas BatchEvalPython"
    " BroadcastExchange BroadcastHashJoin BroadcastNestedLoopJoin CollectMetrics ColumnarToRow Coalesce Exchange Expand"
    " Execute FileScan Filter FlatMapGroupsInPandas FlatMapGroupsInArrow Generate HashAggregate InputAdapter LocalTableScan"
    " ObjectHashAggregate Project Range ReusedExchange Sample Scan ShuffledHashJoin Sort SortAggregate SortMergeJoin"
    " Subquery SubqueryBroadcast Union WholeStageCodegen Window WindowInPandas WriteFiles BatchScan"
    " RowToColumnar CartesianProduct DeserializeToObject MapElements SerializeFromObject".split()
)
"""Physical operators that read their input to its end, or not at all; under any other an observation may stop short."""

WAIT_SECONDS = 2.0
"""How long an observation is waited for after its action is done; where it comes later, the input is recounted."""


@dataclass
class Watch:
    """An observation on a frame, to be read after the frame's first action."""

    observation: Observation
    name: str
    result: Mapping[str, Any] | None = field(default=None)

    def figures(self) -> Mapping[str, Any] | None:
        """The observed figures, None where the plan never reported them."""
        if self.result is None:
            box: list[Mapping[str, Any]] = []
            thread = threading.Thread(target=self._get, args=(box,), daemon=True)
            thread.start()
            thread.join(WAIT_SECONDS)
            self.result = box[0] if box else {}
        return self.result or None

    def _get(self, box: list[Mapping[str, Any]]) -> None:
        with contextlib.suppress(Exception):
            box.append({name: compat.plain(value) for name, value in self.observation.get.items()})

    def once(self) -> bool:
        """Whether every partition was computed exactly once, as far as the figures tell."""
        figures = self.figures()
        return figures is not None and (figures["starts"] or 0) == (figures["partitions"] or 0)


def watch(frame: DataFrame, **more: Column) -> tuple[DataFrame, Watch]:
    """The same frame, observed: `rows`, `starts` and `partitions` (see the module), and `more` aggregates by name."""
    name = f"sparkkit-{uuid.uuid4()}"
    observation = Observation(name)
    first = F.monotonically_increasing_id().bitwiseAND(F.lit((1 << ROWS_BITS) - 1)) == 0
    started = F.when(first, F.spark_partition_id())  # a column, since Spark interprets what stands in a collect_set, for each row
    watched = frame.withColumn(STARTED, started).observe(
        observation, F.count(F.lit(1)).alias("rows"), F.count(STARTED).alias("starts"),
        F.size(F.collect_set(STARTED)).alias("partitions"), *[column.alias(figure) for figure, column in more.items()],
    )
    return watched.drop(STARTED), Watch(observation, name)


def tally(frame: DataFrame) -> tuple[DataFrame, Watch]:
    """The same frame, observed: its `rows` alone."""
    name = f"sparkkit-{uuid.uuid4()}"
    observation = Observation(name)
    return frame.observe(observation, F.count(F.lit(1)).alias("rows")), Watch(observation, name)


def watch_verdict(conformed: DataFrame, more: Mapping[str, Column] | None = None) -> tuple[DataFrame, Watch]:
    """A conformed frame, observed: as `watch`, with the `passed` rows and the `bad` ones, `headers` of text files apart."""
    reason = F.col(f"{BAD}.reason")
    headers = F.count_if(reason == "header")
    bad = F.count_if(reason != "header")
    return watch(conformed, passed=F.count_if(reason.isNull()), headers=headers, bad=bad, **(more or {}))


def plan_of(frame: DataFrame) -> str:
    """The frame's physical plan as text, on classic and on Connect."""
    text = io.StringIO()
    with contextlib.redirect_stdout(text):
        frame.explain()
    return text.getvalue()


def stops_short(plan: str) -> str | None:
    """The first operator of a plan that may not read its input to the end; None where all do.

    >>> stops_short("== Physical Plan ==\\nCollectLimit 5\\n+- *(1) Project [a]\\n")
    'CollectLimit'
    """
    for line in plan.splitlines():
        node = re.match(r"(?:[\s:|+\-]|\*\s*\(\d+\)|\*)*([A-Z]\w+)", line)
        if node and not line.startswith("=") and node[1] not in WHOLE:
            return node[1]
    return None


def observed_once(plan: str, watch: Watch) -> bool:
    """Whether an observation stands once in a plan: a frame that is read twice (a self-union) reports either, or both."""
    return plan.count(f"CollectMetrics {watch.name}") == 1


@dataclass(frozen=True)
class Count:
    """The account of one input (`read = passed + quarantined`) or output (`built = written + quarantined`)."""

    total: int
    good: int
    quarantined_by: Mapping[str, int] = field(default_factory=dict)
    complete: bool = True
    why: str | None = None
    counted_by: str = "observed"

    @property
    def quarantined(self) -> int:
        """The quarantined rows of all reasons."""
        return sum(self.quarantined_by.values())

    def quarantined_as(self, by: Mapping[str, int]) -> Count:
        """The same account with the quarantine's own figures, by reason."""
        return replace(self, quarantined_by=dict(by))

    def check(self, what: str, words: tuple[str, str]) -> None:
        """Refuses figures that do not add up.

        >>> Count(3, 2, {"null": 1}).check("input a", ("read", "passed"))
        >>> Count(3, 2).check("input a", ("read", "passed"))
        Traceback (most recent call last):
        ...
        sparkkit.errors.AccountingError: input a: read 3 rows, but passed 2 + quarantined 0 = 2: nothing was published; ...
        """
        if self.total != self.good + self.quarantined:
            total, good = words
            raise AccountingError(
                f"{what}: {total} {self.total} rows, but {good} {self.good} + quarantined {self.quarantined}"
                f" = {self.good + self.quarantined}", hint="nothing was published; run again with --verbose and report it",
            )
