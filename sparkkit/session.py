"""The Spark session: correct settings always, and a start that is much faster than stock.

In local mode our Python process starts the driver's JVM itself (`sparkkit.jvm`); under `spark-submit`, on Spark
Connect, or with a master or option that `jvm` does not know, the session that is there, or the ordinary way, is used.
"""
from __future__ import annotations

import logging
import os
import shlex
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from sparkkit.errors import UsageError

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

CORRECT: Mapping[str, str] = {
    # an overflow, a bad cast or a missing key is an error, not a null; the default from Spark 4 on, but not on 3.5
    "spark.sql.ansi.enabled": "true",
    # the same text gives the same instant on each machine
    "spark.sql.session.timeZone": "UTC",
    # dates before 1582 as they stand in the file: Spark 3 and later, and other tools, write them so
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
"""Settings that hold in every session, by every road."""

QUIET: Mapping[str, str] = {
    # a bar of \r characters is no use in a log; the road prints its own line of progress
    "spark.ui.showConsoleProgress": "false",
    # nobody looks at it, and it binds every address without a login
    "spark.ui.enabled": "false",
}


def refuse(settings: Mapping[str, str]) -> None:
    """Refuse settings under which data is lost or changed in silence.

    Raises:
        UsageError: naming the setting (`unsafe_setting`): ANSI mode off, corrupt or missing files ignored,
            unverified page checksums, or a LEGACY date rebase.

    >>> refuse({"spark.sql.ansi.enabled": "true"})
    >>> refuse({"spark.sql.files.ignoreCorruptFiles": "true"})
    Traceback (most recent call last):
        ...
    sparkkit.errors.UsageError: spark.sql.files.ignoreCorruptFiles=true is refused: leave it at false, or unset
    """
    for key, value in settings.items():
        needed = CORRECT.get(key)
        if needed is None or key == "spark.sql.session.timeZone":
            continue
        said = value.strip()
        fits = said.upper() != "LEGACY" if "ebaseMode" in key else said.lower() == needed
        if not fits:
            hint = f"leave it at {needed}, or unset"
            raise UsageError(f"{key}={said} is refused", reason="unsafe_setting", hint=hint)


def start(
    settings: Mapping[str, str] | None = None,
    *,
    app_name: str,
    profile: str = "default",
    submit_args: Sequence[str] = (),
    needs_delta: bool = False,
    verbose: bool = False,
) -> SparkSession:
    """The session of this process, started if there is none (first version: the ordinary way)."""
    refuse(settings or {})
    from pyspark.sql import SparkSession

    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    logging.getLogger("DataFrameQueryContextLogger").setLevel(logging.CRITICAL)
    if submit_args and "PYSPARK_SUBMIT_ARGS" not in os.environ:
        os.environ["PYSPARK_SUBMIT_ARGS"] = shlex.join([*submit_args, "pyspark-shell"])
    os.environ.setdefault("SPARK_LOCAL_IP", "127.0.0.1")
    cores = os.cpu_count() or 2
    builder = SparkSession.builder.appName(app_name).config("spark.sql.shuffle.partitions", str(cores))
    for key, value in {**QUIET, **CORRECT, **(settings or {})}.items():
        builder = builder.config(key, value)
    return builder.getOrCreate()


def stop(spark: SparkSession) -> None:
    """Stop the session, and its JVM with it."""
    spark.stop()
