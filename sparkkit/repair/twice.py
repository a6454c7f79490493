"""A job run twice on a copy: what differs then is what a retry, or a run of a date again, would change by itself."""

from __future__ import annotations

import functools
import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from sparkkit import formats, paths, redaction, run
from sparkkit.conf import Conf, OutputConf
from sparkkit.errors import UsageError
from sparkkit.job import Job
from sparkkit.ledger import Record, new_run_id
from sparkkit.quarantine import LAYOUT
from sparkkit.repair.asked import Asked
from sparkkit.repair.multiset import Unlike, compare
from sparkkit.staging import Files

CAUSES = {
    r"current_timestamp\(|localtimestamp\(|now\(|current_date\(|\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3,}":
        "it uses the time of the run: take --date",
    r"\brand\(|\brandn\(|\buuid\(|\bshuffle\(|\brandstr\(": "it uses random values: give a seed, or hash a key",
    r"row_number\(|\brank\(|\bntile\(|\blag\(|\blead\(": "a window ranks rows: order it by something that tells all of them apart",
    r"\bfirst\(|\blast\(|first_value\(|last_value\(|any_value\(|collect_list\(|\bmax_by\(|\bmin_by\(":
        "it takes the first of some rows, or lists them: order them by something that tells all of them apart",
    r"monotonically_increasing_id\(|spark_partition_id\(|input_file_name\(": "it numbers rows by where they happen to be",
    r"\bLimit\b|GlobalLimit": "it takes some rows of many (limit): order them by something that tells all of them apart",
    r"\bsum\(|\bavg\(": "sums of doubles depend on the order of rows in their last digits: use decimals, or round",
}
"""What in a plan makes two runs differ: a pattern, and what to say and to do."""


INPUT = "_sparkkit_input"
"""The alias of a job's inputs in its plan."""


@dataclass
class Verdict:
    """One output after both runs: the rows of each, and what is unlike; `causes` are what its plan has that may explain it."""

    output: str
    first: int
    second: int
    unlike: Unlike | None
    causes: list[str] = field(default_factory=list)

    @property
    def same(self) -> bool:
        """Whether both runs left the same rows."""
        return self.unlike is None

    def said(self) -> str:
        """For people."""
        if self.unlike is None:
            return f"{self.output}: the same {self.first:,} rows"
        found = self.unlike
        lines = [f"{self.output}: {found.gone:,} rows only after the first run, {found.more:,} only after the second"]
        if not found.gone and self.second > self.first:
            lines.append("  the second run added rows to those of the first, and replaced none")
        elif found.columns:
            lines.append(f"  columns that differ: {', '.join(found.columns)}")
        lines += [f"  {cause}" for cause in self.causes]
        lines += [f"  {'first ' if n > 0 else 'second'} {redaction.printable(str(row))}" for n, row in found.samples]
        return "\n".join(lines)

    def told(self) -> dict[str, Any]:
        """For machines."""
        return asdict(self) | {"same": self.same}


def verify(spark: SparkSession, want: Asked, *, scratch: str | None = None, shuffle: bool = True, show: int = 3) -> list[Verdict]:
    """Runs a job twice, to a folder of its own that is deleted at the end, and compares what stands after each.

    The second run gets the rows of its inputs in another order, and starts from what the first has left. An output that the job reads
    is copied first, as it is.

    Raises:
        UsageError: an output is a table of the catalog, or the session is one of Spark Connect.
        SparkkitError: the job fails.
    """
    _refuse(spark, want)
    plans: dict[str, str] = {}
    with _copy(spark, want, scratch) as (folder, conf):
        job = _watched(want.job, plans, shuffled=False)
        _once(spark, want, job, conf)
        first = {name: _kept(spark, conf, name, f"{folder}/first/{name}") for name in (*want.job.outputs, "")}
        _once(spark, want, _watched(want.job, plans, shuffled=True) if shuffle else job, conf)
        verdicts = []
        for name in want.job.outputs:
            keys = _keys(want, conf.outputs[name], name)
            verdicts.append(_verdict(name, first[name], _view(spark, conf, name), keys, show))
            if not verdicts[-1].same:
                verdicts[-1].causes = [cause for pattern, cause in CAUSES.items() if re.search(pattern, plans[name])]
        rejected = _verdict("quarantine", first[""], _view(spark, conf, ""), (), show)
        return [*verdicts, *([] if rejected.same and not rejected.first else [rejected])]


def _refuse(spark: SparkSession, want: Asked) -> None:
    if not isinstance(run.place_of(spark, "verify"), Files):
        raise UsageError("a job is not run on a copy over Spark Connect", reason="connect_no_copy", hint="run on a classic session")
    table = next((n for n, o in want.conf.outputs.items() if o.format in ("table", "jdbc")), None)
    if table:
        raise UsageError(f"output {table!r} is a table of the catalog or of a database, of which no copy is made", reason="no_copy",
                         hint=f"give --set outputs.{table}.format=delta (or parquet)")


@contextmanager
def _copy(spark: SparkSession, want: Asked, scratch: str | None) -> Iterator[tuple[str, Conf]]:
    """A folder, and the settings by which the job writes there, and reads from there what it writes."""
    place = Files.of(spark, "verify")
    local = str(spark.sparkContext.master).startswith("local")
    first = place.hadoop.qualified(str(want.conf.outputs[want.job.outputs[0]].path)).rstrip("/")
    beside = scratch or (tempfile.gettempdir() if local else first.rpartition("/")[0])
    folder = place.hadoop.qualified(f"{beside}/.sparkkit-verify-{new_run_id(want.job.name)}")
    place.hadoop.make_folder(folder)
    place.hadoop.owner_only(folder)
    try:
        yield folder, _redirected(place, want.conf, folder)
    finally:
        place.hadoop.delete(folder)


def _redirected(place: Files, conf: Conf, folder: str) -> Conf:
    """The settings with outputs in a folder; an input that is in an output is read there, from a copy."""
    real = {n: place.hadoop.qualified(str(o.path)).rstrip("/") for n, o in conf.outputs.items()}
    outputs = {n: replace(o, path=f"{folder}/out/{n}", quarantine=f"{folder}/quarantine" if n == next(iter(real)) else None,
                          mode="overwrite" if o.mode == "error" else o.mode)  # the second run finds what the first has left
               for n, o in conf.outputs.items()}
    inputs = {}
    for name, one in conf.inputs.items():
        inputs[name] = one = replace(one, incremental="none", watermark=None, lateness=None)  # all, both times
        for n, path in real.items():
            if one.format not in ("table", "jdbc") and any(paths.meet(place.hadoop.qualified(p), path) for p in one.path):
                if place.hadoop.exists(path) and not place.hadoop.exists(f"{folder}/out/{n}"):
                    place.hadoop.copy(path, f"{folder}/out/{n}")
                inputs[name] = replace(one, path=(f"{folder}/out/{n}",))
    return replace(conf, inputs=inputs, outputs=outputs, roots={})


def _once(spark: SparkSession, want: Asked, job: Job, conf: Conf) -> None:
    record = Record(new_run_id(job.name), job.name, date=want.date)
    run.run(spark, run.Request(job, conf, want.home, want.params, want.date, again=True), record)


def _watched(job: Job, plans: dict[str, str], *, shuffled: bool) -> Job:
    """The job, whose plans are kept for a look, with its inputs' rows in another order."""

    @functools.wraps(job.build)
    def build(*frames: DataFrame, **params: Any) -> Any:
        given = [(frame.repartition(3, F.rand(7)) if shuffled else frame).alias(INPUT) for frame in frames]
        made = job.build(*given, **params)
        named: Mapping[str, Any] = made if isinstance(made, Mapping) else {job.outputs[0]: made}
        plans.update({name: own_plan(frame._jdf.queryExecution().analyzed().toString()) for name, frame in named.items()})
        return made

    return replace(job, build=build)


def own_plan(plan: str) -> str:
    """The part of a plan's text that is the job's own: without what is below its inputs.

    >>> print(own_plan("Project [a]\\n+- Join\\n   :- SubqueryAlias _sparkkit_input\\n   :  +- Scan x\\n   +- Range"))
    Project [a]
    +- Join
       +- Range
    """
    kept, below = [], -1
    for line in plan.splitlines():
        depth = re.match(r"[ :+-]*", line).end()  # type: ignore[union-attr]
        if below >= 0 and depth > below:
            continue
        below = depth if f"SubqueryAlias {INPUT}" in line else -1
        kept += [] if below >= 0 else [line]
    return "\n".join(kept)


def _view(spark: SparkSession, conf: Conf, name: str) -> DataFrame:
    if name:
        one = conf.outputs[name]
        return formats.view(spark, one.format, str(one.path), one.options)
    path = str(next(iter(conf.outputs.values())).quarantine)
    rows = spark.read.schema(LAYOUT).parquet(path) if Files.of(spark, "").hadoop.exists(path) else spark.createDataFrame([], LAYOUT)
    return rows.select("input", "source_file", "raw", "reason", "rule")


def _kept(spark: SparkSession, conf: Conf, name: str, to: str) -> DataFrame:
    found = _view(spark, conf, name)
    found.write.parquet(f"{to}_")
    return spark.read.schema(found.schema).parquet(f"{to}_")


def _keys(want: Asked, conf: OutputConf, name: str) -> tuple[str, ...]:
    contract = conf.contract or want.job.contracts.get(name)
    return tuple(conf.keys) or (want.home.contract(contract).keys if contract else ())


def _verdict(name: str, first: DataFrame, second: DataFrame, keys: Sequence[str], show: int) -> Verdict:
    return Verdict(name, first.count(), second.count(), compare(first, second, keys=keys, show=show))
