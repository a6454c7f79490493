"""The event log of a run, washed when the run is over: Spark redacts names and patterns, but a literal stands bare in its plans.

Of a plan there stay the operators, the attributes (`name#12`), the types and the words of the tables below; all other words
become `?`. The log stays one that the History Server reads.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable
from contextlib import suppress
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from sparkkit import redaction
from sparkkit.accounting import WHOLE

PLANS = ("physicalPlanDescription", "simpleString", "nodeName")
"""The fields of an event whose texts are of a plan; those of `metadata`, and the names in `RDD Info`, are too."""

PASSED = ('{"Event":"SparkListenerTaskStart"', '{"Event":"SparkListenerTaskGettingResult"', '{"Event":"SparkListenerStageExecutorMetrics"')
SUCCESS = '"Task End Reason":{"Reason":"Success"}'
"""Events without any text of people."""

WORDS = frozenset(
    "AND OR NOT AS ASC DESC NULLS FIRST LAST IN LIKE RLIKE CASE WHEN THEN ELSE END BY true false null codegen id as string int bigint"
    " smallint tinyint float double boolean date timestamp timestamp_ntz binary decimal array map struct Inner LeftOuter RightOuter"
    " FullOuter LeftSemi LeftAnti Cross BuildLeft BuildRight cast isnull isnotnull count sum min max avg first last coalesce concat"
    " hashpartitioning rangepartitioning SinglePartition RoundRobinPartitioning ENSURE_REQUIREMENTS REPARTITION_BY_COL"
    " REPARTITION_BY_NUM REBALANCE_PARTITIONS_BY_NONE REBALANCE_PARTITIONS_BY_COL plan_id isFinalPlan Physical Plan Initial Final"
    " Current Output Input Arguments Condition Keys Functions Aggregate Attributes Results Left Right Join condition type keys Batched"
    " Location Format PushedFilters PartitionFilters DataFilters ReadSchema SelectedBucketsCount PartitionCount InMemoryFileIndex"
    " IsNull IsNotNull EqualTo EqualNullSafe GreaterThan GreaterThanOrEqual LessThan LessThanOrEqual And Or Not In StringStartsWith"
    " StringContains StringEndsWith partial_count partial_sum partial_min partial_max partial_avg merge_count merge_sum Subqueries"
    " Subquery scan Scan CSV JSON Parquet ORC text parquet csv json orc delta Execute InsertIntoHadoopFsRelationCommand Overwrite"
    " Append ErrorIfExists Ignore HashedRelationBroadcastMode LocalTableScan InMemoryTableScan InMemoryRelation BatchScan ExistingRDD"
    " MapPartitions PythonUDF OverwriteByExpression AppendData WholeStageCodegen MapInPandas MapInArrow CollectLimit"
    " TakeOrderedAndProject GlobalLimit LocalLimit Coalesce Generate explode name parent scope MapPartitionsRDD ShuffledRowRDD"
    " FileScanRDD ParallelCollectionRDD PythonRDD UnionRDD CoalescedRDD mapPartitionsInternal mapPartitionsWithIndexInternal filter"
    " parallelize union toPandas start end".split()
) | WHOLE
"""What stays of a plan beside attributes, numbers and places."""

_TOKEN = re.compile(r"[^\s,()\[\]{}<>=\"':*|;]+")
_KEPT = re.compile(r"\w+#\d+L?|#?\d{1,6}L?|[+!%/&.^~-]+|sparkkit-[0-9a-f-]+")
_PLACE = re.compile(r"(\b[a-z][a-z0-9+.-]*:/[^\s,\]\"]*)")
_CALL_SITE = re.compile(r"[\w$.<>]+ at [^\s:]+:\d+")


NEWEST = 200
"""Logs of a shared folder that are looked at, newest first, for the one of a run that has just ended."""


def wash(log: str | None, run_id: str) -> str | None:
    """Washes the event log of a run, each of its files whole or not at all, and no other: all of the run's own folder
    (`<run_id>.events`), and of a folder that is shared the log whose application has the run's id as its name.

    Returns a sentence about what could not be washed; None where all was, or there is no log.
    """
    if log is None:
        return None
    folder = on_disk(log)
    if folder is None:
        return f"the event log at {log} is not on this machine's disks, and was not washed: it shows the literals of plans"
    try:
        found = sorted(folder.iterdir()) if folder.is_dir() else []
        mine = found if folder.name == f"{run_id}.events" else _named(found, run_id)
        left = [str(path) for one in mine for path in _files(one) if not _washed(path)]
    except OSError as error:
        return f"the event log in {folder} was not washed ({error.strerror})"
    if not mine and found and folder.name != f"{run_id}.events":
        return f"no readable event log of this run was found in {folder}, and none was washed"
    said = f"the event log {', '.join(left)} is compressed or can't be read, and was not washed: it shows the literals of plans"
    return said if left else None


def on_disk(place: str) -> Path | None:
    """The path of a place on this machine, however its scheme is written; None for a place elsewhere.

    >>> on_disk("file:/a%20b"), on_disk("file:///a"), on_disk("logs"), on_disk("hdfs://nn/a")
    (PosixPath('/a b'), PosixPath('/a'), PosixPath('logs'), None)
    """
    found = re.match(r"([a-zA-Z][\w+.-]*):(?://[^/]*)?(/.*)", place)
    if not found:
        return Path(place)
    return Path(unquote(found[2])) if found[1] == "file" else None


def _named(found: list[Path], run_id: str) -> list[Path]:
    """The log of a run among those of others."""
    logs = sorted((p for p in found if p.name[0] != "."), key=lambda p: p.stat().st_mtime, reverse=True)
    return next(([log] for log in logs[:NEWEST] if _application(log) == run_id), [])


def _application(log: Path) -> str | None:
    """The name of the application whose log this is; None where its first lines do not say, or it is compressed."""
    with suppress(OSError, ValueError):
        for file in _files(log)[:1]:
            with open(file, encoding="utf-8") as text:
                for line in islice(text, 50):
                    if line.startswith('{"Event":"SparkListenerApplicationStart"'):
                        return str(json.loads(line).get("App Name"))
    return None


def _files(log: Path) -> list[Path]:
    """The files of a log: itself, or the parts of a rolled one."""
    parts = sorted(log.iterdir()) if log.is_dir() and log.name.startswith("eventlog_v2_") else [log]
    return [p for p in parts if p.is_file() and not p.is_symlink() and p.name[0] != "." and p.suffix != ".crc" and p.stat().st_size]


def _washed(path: Path) -> bool:
    try:
        _wash(path)
    except (OSError, UnicodeDecodeError):
        return False
    return True


def _wash(path: Path) -> None:
    partial = path.with_name(f".{path.name}.washed")
    try:
        fresh = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with open(fresh, "w", encoding="utf-8") as out, open(path, encoding="utf-8") as log, redaction.held():
            out.writelines(lines(log))
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def lines(log: Iterable[str]) -> Iterable[str]:
    """The lines of an event log, washed; one that is no JSON (the last of a killed run) is left out."""
    for line in log:
        if line.startswith(PASSED) or (line.startswith('{"Event":"SparkListenerTaskEnd"') and SUCCESS in line):
            yield line
            continue
        with suppress(ValueError):
            yield json.dumps(event(json.loads(line)), ensure_ascii=False, separators=(",", ":")) + "\n"


def event(given: Any, key: str = "", of_plan: bool = False) -> Any:
    """One event, or a part of one that stands under `key`, without secrets and literals.

    >>> event({"nodeName": "Filter", "simpleString": "Filter (isnotnull(n#1) AND (n#1 = hunter2))"})
    {'nodeName': 'Filter', 'simpleString': 'Filter (isnotnull(n#1) AND (n#1 = ?))'}
    """
    if isinstance(given, dict):
        inside = of_plan or key in ("metadata", "RDD Info")
        return {redaction.redact(k): event(v, k, inside) for k, v in given.items()}
    if isinstance(given, list):
        return [event(value, key, of_plan) for value in given]
    if not isinstance(given, str):
        return given
    if key == "spark.job.description" or (key == "description" and not _CALL_SITE.fullmatch(given)):
        return redaction.HIDDEN
    if redaction.is_secret_name(key) and given not in ("true", "false"):
        return redaction.HIDDEN
    if key in PLANS or (of_plan and key not in ("Callsite", "Storage Level")):
        return plan(given)
    return redaction.printable_stack(given)


def plan(text: str) -> str:
    """A plan's text without its literals.

    >>> plan("Project [hunter2 AS pw#3, aes_encrypt(cast(n#1 as binary), 0x30313233) AS e#4]")
    'Project [? AS pw#3, ?(cast(n#1 as binary), ?) AS e#4]'
    """
    return _plan(redaction.redact(text))


@lru_cache(8192)
def _plan(text: str) -> str:
    """Adaptive execution tells the same operators again and again."""
    parts = _PLACE.split(text)
    return "".join(part if i % 2 else _TOKEN.sub(_word, part) for i, part in enumerate(parts))


def _word(found: re.Match[str]) -> str:
    return found[0] if found[0] in WORDS or _KEPT.fullmatch(found[0]) else "?"
