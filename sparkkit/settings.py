"""The settings of Spark that sparkkit starts a session with: those that keep data right, and which of a caller's are refused."""
from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING

from sparkkit import needs as groups
from sparkkit import redaction
from sparkkit.errors import UsageError
from sparkkit.jvm import PROFILES

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

CORRECT: Mapping[str, str] = {
    # an overflow, a bad cast or a missing key is an error, not a null; the default from Spark 4 on, but not on 3.5
    "spark.sql.ansi.enabled": "true",
    # the same text gives the same instant on each machine
    "spark.sql.session.timeZone": "UTC",
    # a text that the old parser of Spark 2 would read otherwise is a failed cast, not an exception; the default from Spark 4 on
    "spark.sql.legacy.timeParserPolicy": "CORRECTED",
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
    # a name or a value with `${env:X}` in it, as it may stand in a file's header, would be replaced by that variable
    "spark.sql.variable.substitute": "false",
    # the word timestamp in a contract, or in a rule, is an instant
    "spark.sql.timestampType": "TIMESTAMP_LTZ",
    # a value that does not fit the column of a table is an error, not another value
    "spark.sql.storeAssignmentPolicy": "ANSI",
    # a null stays a null in CSV
    "spark.sql.legacy.nullValueWrittenAsQuotedEmptyStringCsv": "false",
    # our literals escape quotes by a backslash, which has to mean that
    "spark.sql.parser.escapedStringLiterals": "false",
}
"""Settings that hold in every session, whichever way it came."""

QUIET: Mapping[str, str] = {
    # a bar drawn with carriage returns is of no use in a log; the road prints its own line of progress
    "spark.ui.showConsoleProgress": "false",
    # nobody looks at it, and it binds every address without a login
    "spark.ui.enabled": "false",
    # HotSpot never compiles a method of more bytes; such a stage runs faster in smaller pieces (strict CSV: a quarter less)
    "spark.sql.codegen.hugeMethodLimit": "8000",
    # Spark 4.2.0 waits forever for a Python function of columns that are read as columns, such as Parquet's (SPARK-58241)
    "spark.sql.execution.arrow.pythonUDF.columnarInput.enabled": "false",
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
    # the default lists each of many paths in a task of its own: 1,000 files are 1,000 tasks
    "spark.sql.sources.parallelPartitionDiscovery.parallelism": "32",
}

LOG: Mapping[str, str] = {
    # lines of plain JSON: readable by any tool, whole up to the last line when a run is killed, and washed at its end
    "spark.eventLog.compress": "false",
    "spark.eventLog.rolling.enabled": "false",
}


MEANING = ("spark.sql.session.timeZone", "spark.sql.caseSensitive", "spark.sql.timestampType", "spark.sql.storeAssignmentPolicy",
           "spark.sql.ansi.enabled", "spark.sql.legacy.timeParserPolicy")
"""Settings of a session, however it came by them, under which the same code makes other rows."""


def meaning(spark: SparkSession) -> dict[str, str]:
    """The settings in force that say what a job's expressions mean."""
    return {key: str(spark.conf.get(key)) for key in MEANING}


def refuse(settings: Mapping[str, str]) -> None:
    """Refuse settings under which data is lost or changed in silence.

    Raises:
        UsageError: naming the setting (`unsafe_setting`): ANSI mode off, corrupt or missing files passed over, page
            checksums not verified, a LEGACY rebase of dates, variables put into SQL.

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
        if name and (word == "legacy" if "ebaseMode" in name else word != needed.lower()):
            message = f"the setting {name}={said} is refused"
            raise UsageError(message, reason="unsafe_setting", hint=f"leave it out, or {needed}")
        if key.strip().lower() == "spark.sql.parquet.outputtimestamptype" and word == "timestamp_millis":
            raise UsageError(f"the setting {key}={said} is refused: rows are staged as Parquet, and would lose their microseconds",
                             reason="unsafe_setting", hint="leave it out, or TIMESTAMP_MICROS")


SMALL: Mapping[str, str] = {
    "spark.sql.codegen.wholeStage": "false",  # to compile a query costs more than to run it over a few rows
}
"""Settings of the profile `test`."""


def partitions(profile: str = "default", cores: int | None = None) -> int:
    """How many partitions a shuffle starts with: a few for each core; adaptive execution joins those that are small.

    >>> partitions("default", 4), partitions("test", 4)
    (16, 2)
    """
    return 2 if profile == "test" else 4 * max(2, cores or len(os.sched_getaffinity(0)))


def settings_for(
    settings: Mapping[str, str] | None = None, *, app_name: str, profile: str = "default", needs: Collection[str] = ()
) -> dict[str, str]:
    """Spark's settings for a session of its own: ours and the caller's, which win (but see `refuse`).

    Raises:
        UsageError: the caller's settings are refused (`unsafe_setting`), or the profile is not known.
    """
    said = dict(settings or {})
    refuse(said)
    if profile not in PROFILES:
        known = ", ".join(PROFILES)
        raise UsageError(f"there is no profile {profile!r}", reason="unknown_profile", hint=f"use one of {known}")
    shuffle = {"spark.sql.shuffle.partitions": str(partitions(profile)), "spark.app.name": app_name}
    small = SMALL if profile == "test" else {}
    return {**CORRECT, **QUIET, **redaction.for_spark(), **shuffle, **small, **groups.settings(needs), **said}
