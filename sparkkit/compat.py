"""Everything that differs between Spark 3.5 and later, in one place: the rest of the code asks here."""
from __future__ import annotations

import datetime as dt
import warnings
from functools import cache
from typing import Any

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import TimestampType

from sparkkit.schema.bounds import IN_UTC


@cache
def version() -> tuple[int, int]:
    """The running PySpark's major and minor version, such as (3, 5)."""
    import pyspark

    major, minor = pyspark.__version__.split(".")[:2]
    return int(major), int(minor)


def is_connect(frame_or_session: DataFrame | SparkSession) -> bool:
    """Whether a frame or session speaks Spark Connect (no JVM of its own at hand)."""
    return ".connect." in type(frame_or_session).__module__


def application(spark: SparkSession) -> str | None:
    """Spark's id of the application, by which a cluster keeps its logs; None over Spark Connect, whose server it is."""
    return None if is_connect(spark) else spark.sparkContext.applicationId


def patience(spark: SparkSession, tries: int) -> None:
    """How often a call of Spark Connect is tried again where no server answers: 4 take 4 seconds, 6 a minute, and Spark's own
    15 ten minutes, in which a server that comes back has forgotten the session. Nothing on a classic session."""
    if not is_connect(spark):
        return
    warnings.filterwarnings("ignore", r"\[RETRIES_EXCEEDED\]")  # the error that follows says it
    client: Any = spark.client
    if version() >= (4, 0):
        from pyspark.sql.connect.client.retries import DefaultPolicy

        client.set_retry_policies([DefaultPolicy(max_retries=tries)])
    else:
        client._retry_policy["max_retries"] = tries


def plain(value: Any) -> Any:
    """A date or time that Spark 3.5 gives out of an observation as Java's object, as Python's; what else it gives so, as its text."""
    if not hasattr(value, "getClass"):
        return value
    text = str(value.toString())
    try:
        return dt.datetime.fromisoformat(text) if ":" in text else dt.date.fromisoformat(text)
    except ValueError:
        return text


def zoneless(frame: DataFrame, *, utc: bool = False) -> DataFrame:
    """The same rows with times as the session's zone has them, or as UTC does: PySpark gives them in the driver's own, and says no zone.
    Times within other values stay."""
    kinds = [field.dataType for field in frame.schema.fields]
    if not any(isinstance(kind, TimestampType) for kind in kinds):
        return frame
    places, told = [f"c{i}" for i, _ in enumerate(kinds)], IN_UTC if utc else "cast({} as timestamp_ntz)"
    texts = [f"{told.format(c)} as {c}" if isinstance(kind, TimestampType) else c for c, kind in zip(places, kinds, strict=True)]
    return frame.toDF(*places).selectExpr(*texts).toDF(*frame.columns)


def valid_utf8(text: Column) -> Column:
    """boolean: whether the bytes of a string are UTF-8 (Spark's text source keeps them as they are).

    Spark 4 has `is_valid_utf8`; before it, bytes that are not UTF-8 change when they are decoded and encoded again.
    """
    if version() >= (4, 0):
        return F.is_valid_utf8(text)
    return F.encode(F.decode(text.cast("binary"), "UTF-8"), "UTF-8") == text.cast("binary")


def sendable(model: Any) -> Any:
    """A fitted pipeline that tasks can be given: on Spark 4.0 without its training summaries, which hold the session; this can't be
    serialized there once a frame was observed ("Task not serializable")."""
    if version() != (4, 0):
        return model
    for one in (*getattr(model, "stages", ()), *getattr(model, "models", ())):
        sendable(one)
    if getattr(model, "hasSummary", False):
        model._java_obj.setSummary(model._java_obj.getClass().getClassLoader().loadClass("scala.None$").getField("MODULE$").get(None))
    return model


def has_approx_top_k() -> bool:
    """Whether SQL has the aggregate `approx_top_k`: since Spark 4.1."""
    return version() >= (4, 1)
