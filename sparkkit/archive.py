"""The archive of Spark's classes, parsed and checked beforehand: the JVM maps one file instead of reading 280 jars.

A static archive (`-Xshare:dump` over a list of classes) and not one written as the first run ends: it also holds the
JDK's classes, is read faster, and nobody waits for it. See docs/decisions/002-fast-start.md.
"""
from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from sparkkit import jvm
from sparkkit.jvm import Plan

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

    Begin = Callable[[Mapping[str, str]], SparkSession]


def is_wanted(plan: Plan) -> bool:
    """Whether an archive can be made for this plan, is not there, is not being made, and did not fail before."""
    goal = plan.archive
    if goal is None or plan.path[: len(plan.jars)] != plan.jars:
        return False
    return not (goal.is_file() or _failed(goal).exists() or _is_held(_lock(goal)))


def in_background() -> None:
    """Make the archive apart from us: its own process session, lowest priority, silent, waited for by nobody."""
    path = os.pathsep.join(filter(None, (str(Path(__file__).parents[1]), os.environ.get("PYTHONPATH"))))
    # the alarm ends it whatever hangs, and its JVM with it
    code = "import os, signal; os.nice(19); signal.alarm(600); from sparkkit import session; session.make_archive()"
    none = subprocess.DEVNULL
    environment = {**os.environ, "PYTHONPATH": path}
    with suppress(OSError):
        subprocess.Popen(
            [sys.executable, "-c", code],
            stdin=none, stdout=none, stderr=none, env=environment, start_new_session=True,
        )


def make(plan: Plan, begin: Begin) -> Path | None:
    """Make the plan's archive if there is none: typical work lists its classes, a second JVM lays them out.

    A rename publishes it. `begin` gives a session, with more settings, on the JVM that PySpark is connected to. None
    where there is no place for an archive, another process is making it, or the JVM would not; that is then remembered.
    """
    goal = plan.archive
    if goal is not None and goal.is_file():
        return goal
    if goal is None or not _claim(_lock(goal)):
        return None
    made = goal.with_suffix(f".{os.getpid()}")
    _failed(goal).touch()
    try:
        with tempfile.TemporaryDirectory(prefix="sparkkit-archive-") as folder:
            _list_classes(plan, Path(folder), begin)
            done = subprocess.run(_dump(plan, Path(folder) / "classes", made), capture_output=True, check=False)
        if done.returncode or not made.is_file():
            return None
        made.replace(goal)
        _failed(goal).unlink(missing_ok=True)
        _prune(goal.parent)
        return goal
    finally:
        for left in (made, _lock(goal)):
            left.unlink(missing_ok=True)


def _lock(goal: Path) -> Path:
    return goal.with_suffix(".lock")


def _failed(goal: Path) -> Path:
    return goal.with_suffix(".failed")


def _is_held(lock: Path) -> bool:
    """Whether a process is at it; a lock file left behind ten minutes ago or more is nobody's."""
    try:
        return time.time() - lock.stat().st_mtime < 600
    except OSError:
        return False


def _list_classes(plan: Plan, folder: Path, begin: Begin) -> None:
    boot = jvm.connect(jvm.launch(plan, f"-XX:DumpLoadedClassList={folder / 'classes'}", archived=False))
    try:
        _train(begin, folder)
    finally:
        jvm.let_go()
        jvm.end(boot)


def _train(begin: Begin, folder: Path) -> None:
    """What typical jobs do, so that the classes they need are known; a step that fails is left out."""
    log = folder / "events"
    log.mkdir()
    spark = begin({"spark.eventLog.enabled": "true", "spark.eventLog.dir": log.as_uri()})
    schema = "id int, text string, value double, json string"
    frame = spark.createDataFrame([(i, f"word {i % 7}", i / 3, '{"a": 1}') for i in range(100)], schema)
    for kind in ("parquet", "csv", "json", "orc"):
        with suppress(Exception):
            frame.write.option("header", True).format(kind).save(str(folder / kind))
            spark.read.schema(schema).option("header", True).format(kind).load(str(folder / kind)).count()
    read = spark.read.schema(schema).parquet(str(folder / "parquet"))
    for step in _steps(spark, read, folder):
        with suppress(Exception):
            done = step()
            done.write.mode("overwrite").parquet(str(folder / "out"))
            done.collect()
    spark.stop()


def _steps(spark: SparkSession, read: DataFrame, folder: Path) -> tuple[Callable[[], DataFrame], ...]:
    from pyspark.sql import Observation
    from pyspark.sql import functions as F

    place = F.monotonically_increasing_id()
    lines = spark.read.text(str(folder / "csv"))
    other = read.select("id", F.col("value").alias("other"))
    return (
        lambda: lines.select(F.explode(F.split("value", r"\s+")).alias("w")).groupBy("w").count().orderBy("count"),
        lambda: lines.select("*", "_metadata.file_path", F.expr("value rlike '^w.*+$'").alias("r")),
        lambda: lines.withColumn("p", place).observe(Observation("o"), F.count_if(F.col("p").bitwiseAND(F.lit(7)) == 0).alias("n"),
                                                     F.size(F.collect_set(F.shiftright("p", 33))).alias("s")).drop("p"),
        lambda: lines.selectExpr("nullif(btrim(value), '') v", "value", "input_file_name() f", "case when value in ('a', 'b') then"
                                 " named_struct('reason', 'x', 'rule', concat(value, substr(value, -1))) end b", "split(value, ',', -1) s")
                     .where("b is null and not contains(value, 'x') and size(s) > 0").drop("b"),
        lambda: read.join(F.broadcast(other), "id").join(other.hint("merge"), "id", "left_anti"),
        lambda: read.selectExpr("row_number() over (partition by text order by id) n", "lag(id) over (order by id) l"),
        lambda: read.select("*", F.from_json("json", "a int").alias("j"), F.struct("id", "text").alias("s")),
        lambda: read.selectExpr("try_cast(text as int) i", "try_cast(text as date) d", "cast(id as decimal(9,2)) m"),
        lambda: read.groupBy("text").agg(F.sum("value"), F.countDistinct("id"), F.collect_list("id")).orderBy("text"),
        lambda: read.unionByName(read).dropDuplicates(["id"]).where("id > 3 and text like 'w%'").limit(5),
    )


def _dump(plan: Plan, classes: Path, made: Path) -> list[str]:
    """The JVM that lays out the archive. By G1, since only it stores objects too; each collector can read them."""
    options = ("-Xlog:disable", "-XX:+UseG1GC", *jvm.MODULES, "-Xshare:dump", f"-XX:SharedClassListFile={classes}")
    return [str(plan.java), *options, f"-XX:SharedArchiveFile={made}", "-cp", os.pathsep.join(plan.jars)]


def _claim(lock: Path) -> bool:
    try:
        lock.parent.mkdir(parents=True, exist_ok=True)
        if not _is_held(lock):
            lock.unlink(missing_ok=True)
        os.close(os.open(lock, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    except OSError:
        return False
    return True


def _prune(folder: Path, keep: int = 3) -> None:
    """Leave the newest archives: each is some 200 MB, and an old Spark's or Java's is of no more use."""
    for old in sorted(folder.glob("classes-*.jsa"), key=lambda path: path.stat().st_mtime, reverse=True)[keep:]:
        old.unlink(missing_ok=True)
