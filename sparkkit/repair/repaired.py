"""A file of rejected rows that somebody has mended: lines of JSON, CSV or Parquet, each row with the `run_id` and `id` that it has in
the quarantine, and its `raw`."""

from __future__ import annotations

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from sparkkit import formats
from sparkkit.errors import NotReadyError, UsageError
from sparkkit.storage.hadoop import Hadoop

COLUMNS = "run_id string, id string, raw string"


def read(spark: SparkSession, path: str) -> DataFrame:
    """`run_id`, `id` and `raw` of the mended rows.

    Raises:
        NotReadyError: there is no file.
        UsageError: another format, a row without `run_id`, `id` or `raw`, or one that stands twice.
    """
    if not Hadoop.of(spark).glob(path):
        raise NotReadyError(f"nothing is at {path}", reason="input_missing", hint="`sparkkit quarantine JOB --export FILE` writes one")
    kind = formats.of_path(path)
    if kind not in ("json", "csv", "parquet"):
        raise UsageError(f"{path} is neither JSON lines nor CSV nor Parquet", reason="unknown_format", hint="name it FILE.jsonl")
    found = _load(spark, path, kind)
    missing = [name for name in ("run_id", "id", "raw") if name not in found.columns]
    if missing:
        raise _wrong(path, f"it has no {', '.join(missing)}")
    rows = found.select("run_id", "id", "raw")
    odd = rows.where("run_id is null or id is null or raw is null").count()
    if odd:
        raise _wrong(path, f"{odd} of its rows have no run_id, id or raw")
    twice = rows.groupBy("run_id", "id").count().where("count > 1").first()
    if twice:
        raise _wrong(path, f"the row {twice['id']} of {twice['run_id']} stands more than once")
    return rows


def _load(spark: SparkSession, path: str, kind: str) -> DataFrame:
    if kind == "json":
        return spark.read.schema(COLUMNS).json(path)
    if kind == "csv":
        return spark.read.options(header="true", multiLine="true", escape='"', inferSchema="false").csv(path)
    return spark.read.parquet(path)


def _wrong(path: str, what: str) -> UsageError:
    return UsageError(f"{path}: {what}", reason="wrong_rows",
                      hint="change `raw` only, in what `sparkkit quarantine JOB --export FILE` wrote")


def over(rows: DataFrame, mended: DataFrame) -> DataFrame:
    """Those rows of a quarantine that were mended, with their new `raw`."""
    new = mended.select("run_id", "id", F.col("raw").alias("_new"))
    return rows.join(new, ["run_id", "id"]).withColumn("raw", F.col("_new")).drop("_new")
