"""A job that fails in the way that `--kind` names: each is what really goes wrong on clusters, made small."""
from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

from sparkkit import DataFrame, F, Job, main


def rows(text: DataFrame, n: int, parts: int = 4) -> DataFrame:
    """`n` numbers in a column `id`."""
    return text.sparkSession.range(0, n, 1, parts)


def each(function: Callable[[int], int]) -> Callable[..., DataFrame]:
    """The input's numbers by way of a Python function on the workers."""
    return lambda text, flag: rows(text, 100).select(F.udf(function, "bigint")("id").alias("id"))


def raises(number: int) -> int:
    """Raises an error for one row."""
    if number == 42:
        raise ValueError("42 is no year")
    return number


def imports(number: int) -> int:
    """Imports what is nowhere."""
    import no_such_package_at_all

    return int(no_such_package_at_all.answer + number)


def takes_all(number: int) -> int:
    """Asks for more memory than it may have."""
    import resource

    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (2**32, before[1]))
    try:
        return len(bytearray(2**34)) + number
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)  # the worker may be used again


def dies(number: int) -> int:
    """Ends its worker as the system would."""
    os.kill(os.getpid(), signal.SIGKILL)
    return number


def kills(number: int) -> int:
    """Ends the executor of its worker."""
    daemon = os.getppid()
    executor = int(Path(f"/proc/{daemon}/stat").read_text().rsplit(")", 1)[1].split()[1])
    os.kill(executor, signal.SIGKILL)
    return number


def slow(number: int) -> int:
    """Takes longer than a broadcast may."""
    time.sleep(0.1)
    return number


def terminates(text: DataFrame, flag: str) -> DataFrame:
    """Is told to stop."""
    os.kill(os.getpid(), signal.SIGTERM)
    return text


def killed(text: DataFrame, flag: str) -> DataFrame:
    """Is killed where nothing can be said any more."""
    rows(text, 10).collect()
    os.kill(os.getpid(), signal.SIGKILL)
    return text


def deletes_shuffle(text: DataFrame, flag: str) -> DataFrame:
    """The first task of the second stage deletes what the first stage wrote; `flag` is Spark's local folder."""
    def deletes(number: int) -> int:
        for file in Path(flag).glob("**/shuffle_*") if number % 50 == 0 else ():
            file.unlink(missing_ok=True)
        return number

    return rows(text, 4_000).repartition(8, "id").select(F.udf(deletes, "bigint")("id").alias("id"))


def vanishes(text: DataFrame, flag: str) -> DataFrame:
    """A file goes away after it was listed; `flag` is a folder for it."""
    rows(text, 10, 1).write.parquet(flag)
    frame = text.sparkSession.read.parquet(flag)
    for file in Path(flag).glob("*"):
        file.unlink()
    return frame


def waits_for_broadcast(text: DataFrame, flag: str) -> DataFrame:
    """A broadcast that takes longer than it may."""
    small = rows(text, 40, 1).select(F.udf(slow, "bigint")("id").alias("id"))
    return rows(text, 100).join(F.broadcast(small), "id")


def skewed(text: DataFrame, flag: str) -> DataFrame:
    """Nearly every row has one key, and each takes time."""
    def work(number: int) -> int:
        return sum(range(16_000)) + number

    keyed = rows(text, 40_000).select(F.when(F.col("id") % 20 == 0, F.col("id")).otherwise(7).alias("customer"), "id")
    return keyed.repartition(8, "customer").select(F.udf(work, "bigint")("id").alias("id"))


def spills(text: DataFrame, flag: str) -> DataFrame:
    """Sorts more than it may hold (by a setting)."""
    return rows(text, 400_000).select("id", F.expr("uuid()").alias("u")).sortWithinPartitions("u")


def fills(text: DataFrame, flag: str) -> DataFrame:
    """Shuffles more than the disk holds."""
    return rows(text, 600_000).select(F.expr("uuid()").alias("u"), F.expr("uuid()").alias("v")).repartition(4, "u")


def collects(text: DataFrame, flag: str) -> DataFrame:
    """Brings everything to the driver."""
    rows(text, 400_000).select(F.expr("uuid()")).collect()
    return text


KINDS: dict[str, Callable[[DataFrame, str], DataFrame]] = {
    "python_error": each(raises),
    "driver_error": lambda text, flag: text.select(F.lit({}["nothing"])),
    "missing_module": each(imports),
    "python_out_of_memory": each(takes_all),
    "python_worker_died": each(dies),
    "executor_killed": each(kills),
    "bad_value": lambda text, flag: text.select(F.col("value").cast("int").alias("n")),
    "division": lambda text, flag: rows(text, 5).select(F.expr("10 div id").alias("n")),
    "unknown_column": lambda text, flag: text.select("nothing"),
    "not_serializable": lambda text, flag: rows(text, 5).select(F.udf(lambda n: text.count() + n, "bigint")("id").alias("n")),
    "missing_jar": lambda text, flag: text.sparkSession.read.format("no.such.source").load("x"),
    "file_vanishes": vanishes,
    "fetch_failure": deletes_shuffle,
    "broadcast": waits_for_broadcast,
    "heap": lambda text, flag: rows(text, 8).select(F.expr("length(repeat(string(id), 1900000000))").alias("n")),
    "driver_heap": lambda text, flag: rows(text, 8).select(F.expr("length(repeat('x', 1900000000))").alias("n")),
    "collect": collects,
    "skew": skewed,
    "spill": spills,
    "disk_full": fills,
    "terminated": terminates,
    "killed": killed,
    "same": lambda text, flag: text,
}


def build(text: DataFrame, *, kind: str, flag: str = "") -> DataFrame:
    """Fails as asked."""
    return KINDS[kind](text, flag)


JOB = Job(build, name="failing", settings={"inputs.text.format": "text", "outputs.output.mode": "overwrite"})
if __name__ == "__main__":
    main(JOB)
