"""The quarantine of a job as a list: how many rows of each reason, rule, input, date and run, and a few of them."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pyspark.sql import Column, DataFrame, SparkSession, Window
from pyspark.sql import functions as F

from sparkkit import compat, redaction, sinks
from sparkkit.conf import Conf
from sparkkit.errors import UsageError
from sparkkit.job import Job
from sparkkit.quarantine import LAYOUT, known
from sparkkit.report.text import table
from sparkkit.run import place_of
from sparkkit.schema.types import quote
from sparkkit.staging import Files

BY = ("reason", "rule", "input", "date", "run_id")
SHOWN = ("id", "source_file", "raw", "rule")

HEAD = "substring_index(rule, ':', 1)"
"""SQL: the column or the rule that a finding is about; behind it stands what was found in one row."""


def path_of(spark: SparkSession, job: Job, conf: Conf) -> str:
    """Where a job's quarantine is: a path, or on Spark Connect perhaps the name of a table."""
    first = job.outputs[0]
    return sinks.target(place_of(spark, "quarantine"), first, conf.outputs[first]).quarantine


def rows(spark: SparkSession, job: Job, conf: Conf) -> DataFrame:
    """The rows of a job's quarantine, with the columns of `LAYOUT`; none where there is no quarantine yet.

    Raises:
        UsageError: a later version of sparkkit wrote some (`newer_format`).
    """
    path = path_of(spark, job, conf)
    if compat.is_connect(spark):
        kind = conf.outputs[job.outputs[0]].format
        there = spark.catalog.tableExists(path) if kind == "table" else _is_delta(spark, path)
        if not there:
            return _none(spark)
        found = spark.table(path) if kind == "table" else spark.read.format("delta").load(path)
        return known(found if "layout" in found.columns else found.withColumn("layout", F.lit(None).cast("int")))
    place = Files.of(spark, "quarantine")
    return known(spark.read.schema(LAYOUT).parquet(path)) if place.hadoop.exists(path) else _none(spark)


def _is_delta(spark: SparkSession, path: str) -> bool:
    from sparkkit.formats import delta_table

    return delta_table.is_delta(spark, path)


def _none(spark: SparkSession) -> DataFrame:
    return spark.createDataFrame([], LAYOUT)


def chosen(found: DataFrame, *, date: str | None = None, run: str | None = None, rule: str | None = None) -> DataFrame:
    """Those of a date, of a run (its id or the beginning of it), of a rule (a rule's name, a column, or a reason)."""
    if date:
        found = found.where(F.col("date") == F.lit(date).cast("date"))
    if run:
        found = found.where(F.startswith(F.col("run_id"), F.lit(run)))
    return found.where(of_rule(rule)) if rule else found


def of_rule(rule: str) -> Column:
    """Whether a finding is of a rule: its name, its column, or its reason."""
    return (F.expr(HEAD) == rule) | (F.col("reason") == rule)


def groups(found: DataFrame, show: int = 0) -> list[dict[str, Any]]:
    """The rows counted by reason, rule, input, date and run, the most first, with up to `show` samples of each."""
    headed = found.withColumn("_sentence", F.col("rule")).withColumn("rule", F.expr(HEAD))
    counted = headed.groupBy(*BY).agg(F.count(F.lit(1)).alias("rows"), F.count_if("masked").alias("masked"))
    told = [{**row.asDict(), "date": str(row["date"]) if row["date"] else None} for row in counted.toLocalIterator()]
    told.sort(key=lambda g: (-g["rows"], [str(g[k]) for k in BY]))
    samples: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
    if show:
        order = Window.partitionBy(*[quote(c) for c in BY]).orderBy("source_file", "id")
        few = headed.withColumn("_place", F.row_number().over(order)).where(F.col("_place") <= show)
        for row in few.select(*BY, "id", "source_file", "raw", "_sentence").orderBy("source_file", "id").toLocalIterator():
            key = tuple(str(row[k]) for k in BY)
            samples.setdefault(key, []).append(dict(zip(SHOWN, (row["id"], row["source_file"], row["raw"], row["_sentence"]), strict=True)))
    return [{**g, "samples": samples.get(tuple(str(g[k]) for k in BY), [])} for g in told]


def page(path: str, found: Sequence[Mapping[str, Any]]) -> str:
    """The groups as a table, and below it the samples."""
    if not found:
        return f"{path}: no rows"
    body = [[str(g["reason"]), *(str(g[k] if g[k] is not None else "-") for k in BY[1:]), f"{g['rows']:,}"] for g in found]
    lines = [f"{path}: {sum(g['rows'] for g in found):,} rows", table((*BY[:-1], "run", "rows"), body)]
    masked = sum(g["masked"] for g in found)
    lines += [f"{masked:,} of them are masked, for their contract marks personal data"] if masked else []
    for group in found:
        for one in group["samples"]:
            lines.append(redaction.printable(f"{one['rule'] or group['reason']}  {one['raw']}  ({group['run_id']} {one['id']})"))
    return "\n".join(lines)


def as_json(path: str, found: Sequence[Mapping[str, Any]]) -> str:
    """The same on one line."""
    return json.dumps({"path": path, "rows": sum(g["rows"] for g in found), "groups": list(found)}, ensure_ascii=False)


def export(found: DataFrame, to: Path) -> int:
    """Writes rows as lines of JSON that people can edit, for their owner only; how many.

    Raises:
        UsageError: the file is there already, or can't be made.
    """
    try:
        with os.fdopen(os.open(to, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
            return sum(1 for _ in map(file.write, _lines(found)))
    except OSError as error:
        raise UsageError(f"{to} can't be made: {error.strerror}", reason="wrong_option", hint="name a new file") from error


def _lines(found: DataFrame) -> Iterator[str]:
    for row in found.drop("layout").orderBy("run_id", "input", "source_file", "id").toLocalIterator():
        yield json.dumps(row.asDict(), ensure_ascii=False, default=str) + "\n"
