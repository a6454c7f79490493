"""The Spark session: correct settings always, and a start that is much faster than stock.

In local mode our Python process starts the driver's JVM itself (`sparkkit.jvm`); under `spark-submit`, on Spark
Connect, or with a master or an option that `jvm` does not know, it uses the session that is there, or the ordinary way.
Importing this module imports no PySpark and starts nothing.
"""
from __future__ import annotations

import contextlib
import logging
import os
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from sparkkit import jvm
from sparkkit.errors import UsageError

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

CORRECT: Mapping[str, str] = {
    # an overflow, a bad cast or a missing key is an error, not a null; the default from Spark 4 on, but not on 3.5
    "spark.sql.ansi.enabled": "true",
    # the same text gives the same instant on each machine
    "spark.sql.session.timeZone": "UTC",
    # dates before 1582 as they stand in the file: so write Spark 3 and later, and all other tools
    "spark.sql.parquet.datetimeRebaseModeInRead": "CORRECTED",
    "spark.sql.parquet.datetimeRebaseModeInWrite": "CORRECTED",
    "spark.sql.parquet.int96RebaseModeInRead": "CORRECTED",
    "spark.sql.parquet.int96RebaseModeInWrite": "CORRECTED",
    "spark.sql.avro.datetimeRebaseModeInRead": "CORRECTED",
    "spark.sql.avro.datetimeRebaseModeInWrite": "CORRECTED",
    # a flipped bit in a page is found
    "spark.hadoop.parquet.page.verify-checksum.enabled": "true",
    # a broken or vanished file is an error, not fewer rows
    "spark.sql.files.ignoreCorruptFiles": "false",
    "spark.sql.files.ignoreMissingFiles": "false",
}
"""Settings that hold in every session, whichever way it came."""

QUIET: Mapping[str, str] = {
    # a bar drawn with carriage returns is of no use in a log; the road prints its own line of progress
    "spark.ui.showConsoleProgress": "false",
    # nobody looks at it, it costs half a second, and it binds every address without a login
    "spark.ui.enabled": "false",
    # the embedded Hive metastore costs seconds; a job that reads Hive tables asks for it
    "spark.sql.catalogImplementation": "in-memory",
}

LOCAL: Mapping[str, str] = {
    # no look-up of the machine's own name, which may hang or be wrong; nobody outside is to connect
    "spark.driver.host": "127.0.0.1",
    "spark.driver.bindAddress": "127.0.0.1",
    # figures for a metrics sink, which a local run does not have
    "spark.metrics.staticSources.enabled": "false",
    "spark.metrics.executorMetricsSource.enabled": "false",
}

DELTA: Mapping[str, str] = {
    "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
    "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
    # the default reads each table's state in a stage of 50 tasks
    "spark.databricks.delta.snapshotPartitions": "2",
}

_booted: list[jvm.Boot] = []


def refuse(settings: Mapping[str, str]) -> None:
    """Refuse settings under which data is lost or changed in silence.

    Raises:
        UsageError: naming the setting (`unsafe_setting`): ANSI mode off, corrupt or missing files passed over, page
            checksums not verified, a LEGACY rebase of dates.

    >>> refuse({"spark.sql.ansi.enabled": "true"})
    >>> refuse({"spark.sql.files.ignoreCorruptFiles": "true"})
    Traceback (most recent call last):
        ...
    sparkkit.errors.UsageError: the setting spark.sql.files.ignoreCorruptFiles=true is refused: leave it out, or false
    """
    known = {key.lower(): (key, value) for key, value in CORRECT.items() if not key.endswith("timeZone")}
    for key, said in settings.items():
        name, needed = known.get(key.strip().lower(), ("", ""))
        word = said.strip().lower()
        if name and (word == "legacy" if "ebaseMode" in name else word != needed):
            message = f"the setting {name}={said} is refused"
            raise UsageError(message, reason="unsafe_setting", hint=f"leave it out, or {needed}")


def partitions(profile: str = "default", cores: int | None = None) -> int:
    """How many partitions a shuffle starts with: a few for each core, which adaptive execution joins where they are small.

    >>> partitions("default", 4), partitions("test", 4)
    (16, 2)
    """
    return 2 if profile == "test" else 4 * max(2, cores or len(os.sched_getaffinity(0)))


def settings_for(
    settings: Mapping[str, str] | None = None, *, app_name: str, profile: str = "default", needs_delta: bool = False
) -> dict[str, str]:
    """Spark's settings for a session of its own: ours for speed, then the caller's, then those that always hold.

    Raises:
        UsageError: the caller's settings are refused (`unsafe_setting`), or the profile is not known.
    """
    said = dict(settings or {})
    refuse(said)
    if profile not in jvm.PROFILES:
        raise UsageError(f"no profile {profile!r}", reason="unknown_profile", hint=f"use one of {', '.join(jvm.PROFILES)}")
    shuffle = {"spark.sql.shuffle.partitions": str(partitions(profile)), "spark.app.name": app_name}
    zone = {key: said[key] for key in ("spark.sql.session.timeZone",) if key in said}
    return {**QUIET, **shuffle, **(DELTA if needs_delta else {}), **said, **CORRECT, **zone}


def launch(
    settings: Mapping[str, str] | None = None,
    *,
    app_name: str,
    profile: str = "default",
    submit_args: Sequence[str] = (),
    needs_delta: bool = False,
    verbose: bool = False,
) -> bool:
    """Start the driver's JVM in the background and return at once; `start`, with the same arguments, then connects.

    False, and nothing is started, where there is a session or a JVM already or where `start` will take the ordinary way.

    Raises:
        UsageError: as `settings_for`.
    """
    asked = settings_for(settings, app_name=app_name, profile=profile, needs_delta=needs_delta)
    refuse(jvm.given(submit_args) or {})
    if _booted or _there(asked, submit_args):
        return False
    plan = jvm.plan(_local(asked), submit_args, profile=profile, jars=_delta_jars(), verbose=verbose)
    if plan is not None:
        _booted.append(jvm.launch(plan))
    return plan is not None


def start(
    settings: Mapping[str, str] | None = None,
    *,
    app_name: str,
    profile: str = "default",
    submit_args: Sequence[str] = (),
    needs_delta: bool = False,
    verbose: bool = False,
) -> SparkSession:
    """The session of this process: the one that is there, or a new one, started fast where the master is local.

    Args:
        settings: Spark settings, which win over ours for speed.
        profile: `default`, or `test` (the C1 compiler alone, two shuffle partitions, 2 GB at most).
        submit_args: options of spark-submit, such as `["--conf", "k=v", "--jars", "x.jar"]`, handed on as they are.
        needs_delta: put Delta's jars and settings into the session.
        verbose: Spark's log at INFO on stderr.

    Raises:
        UsageError: a setting that loses data in silence (`unsafe_setting`).
        InfrastructureError: the JVM did not start (`jvm_failed`).
    """
    launch(
        settings,
        app_name=app_name,
        profile=profile,
        submit_args=submit_args,
        needs_delta=needs_delta,
        verbose=verbose,
    )
    asked = settings_for(settings, app_name=app_name, profile=profile, needs_delta=needs_delta)
    os.environ.setdefault("PYSPARK_PYTHON", asked.get("spark.pyspark.python", sys.executable))
    from pyspark.sql import SparkSession

    # PySpark 4 logs a JSON stack for each failed analysis; the exception says it all
    logging.getLogger("DataFrameQueryContextLogger").setLevel(logging.CRITICAL)
    if _booted:
        _booted[0] = jvm.connect(_booted[0])
    elif not _there(asked, submit_args):
        asked = _ordinary(asked, submit_args, needs_delta, verbose)
    command_line = jvm.given(submit_args) or {}
    builder = SparkSession.builder
    for key, value in {**asked, **command_line}.items():
        builder = builder.config(key, value)
    spark = builder.getOrCreate()
    return spark


def stop(spark: SparkSession) -> None:
    """Stop the session and, where we started it, its JVM; then make the archive of classes if there is none yet."""
    spark.stop()
    while _booted:
        boot = _booted.pop()
        _let_go()
        jvm.end(boot)


def _there(asked: Mapping[str, str], submit_args: Sequence[str]) -> bool:
    """Whether a session or its gateway is there already: spark-submit's, Connect's, or one made before."""
    remote = "SPARK_REMOTE" in os.environ or "spark.remote" in asked or "--remote" in submit_args
    context = sys.modules.get("pyspark.core.context") or sys.modules.get("pyspark.context")
    running = context is not None and context.SparkContext._gateway is not None
    return remote or "PYSPARK_GATEWAY_PORT" in os.environ or running


def _local(asked: Mapping[str, str]) -> dict[str, str]:
    return {**LOCAL, **asked}


def _ordinary(asked: dict[str, str], submit_args: Sequence[str], needs_delta: bool, verbose: bool) -> dict[str, str]:
    os.environ["PYSPARK_SUBMIT_ARGS"] = shlex.join([*submit_args, "pyspark-shell"])
    return asked


def _delta_jars() -> Sequence[Path]:
    return ()


def _let_go() -> None:
    """Make PySpark forget the gateway, so that a later start in this process begins anew."""
    from pyspark import SparkContext

    if SparkContext._gateway is not None:
        SparkContext._gateway.shutdown()
    SparkContext._gateway = SparkContext._jvm = None  # type: ignore[assignment]
