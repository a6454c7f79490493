"""Spark's event log: which files it is, and what its events say. Lines that tell nothing here are not even parsed."""
from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

from sparkkit.why.facts import Facts, Said, Stage
from sparkkit.why.streams import CutOffError, lines

Event = Mapping[str, Any]
Window = tuple[float, float] | None
"""From and to, in ms since 1970: where many runs share a session, its log is theirs all."""

SQL = "org.apache.spark.sql.execution.ui."
HEAD = re.compile(r'\{"Event":"([\w.]+)"')
LATE_PLAN = 200_000
"""Characters of a plan that are kept."""


def files(path: Path, name: str | None = None) -> list[Path]:
    """The files of a log in order: one file, the parts of a rolled one, or those of the log that a folder holds.

    A folder of many logs is searched for the one of an application's name; where none has it, the newest is taken.
    """
    if not path.is_dir():
        return [path]
    parts = [p for p in path.iterdir() if re.match(r"events_\d+_", p.name)]
    if parts:
        return _rolled(parts)
    logs = sorted((p for p in path.iterdir() if not p.name.startswith(".")), key=lambda p: p.stat().st_mtime, reverse=True)
    named = (log for log in logs if name and app_name(log) == name)
    chosen = logs[0] if len(logs) == 1 else next(named, logs[0] if logs else None)
    return files(chosen) if chosen else []


def is_log(path: Path) -> bool:
    """Whether a file is an event log."""
    try:
        return any(HEAD.match(line) for line in islice(lines(path), 1))
    except CutOffError:
        return False


def read(paths: Iterable[Path], facts: Facts, window: Window = None) -> int:
    """Gathers what the events of a log's files say; how many events there were."""
    count = 0
    for path in paths:
        try:
            for line in lines(path):
                count += 1
                _line(line, facts, window)
        except CutOffError as cut:
            facts.notes.append(f"{path.name} is incomplete ({cut}): read as far as it goes")
        if path.name.endswith(".inprogress"):
            facts.notes.append(f"{path.name} was never closed: its application was killed, or still runs")
    facts.events += count
    return count


def _line(line: str, facts: Facts, window: Window) -> None:
    head = HEAD.match(line)
    known = EVENTS.get(head[1]) if head else None
    if known is None:
        return
    try:
        event = json.loads(line)
    except ValueError:
        return  # the last line of a log whose writer was killed
    moment = known.time(event)
    if window is None or moment is None or window[0] <= moment <= window[1]:
        known.note(event, facts)


def _rolled(parts: list[Path]) -> list[Path]:
    numbered = sorted((int(p.name.split("_")[1]), not p.name.endswith(".compact"), p) for p in parts)
    first = max((number for number, plain, _ in numbered if not plain), default=0)
    return [p for number, plain, p in numbered if number > first or (number == first and not (plain and first))]


def app_name(log: Path) -> str | None:
    """The name of the application whose log this is, a file or the folder of a rolled one; None where it does not say."""
    first = [path for path in files(log) if path.is_file() and path.stat().st_size][:1]
    try:
        for line in islice(lines(first[0]), 50) if first else ():
            if line.startswith('{"Event":"SparkListenerApplicationStart"'):
                return str(json.loads(line).get("App Name"))
    except (CutOffError, ValueError):
        pass
    return None


def _environment(event: Event, facts: Facts) -> None:
    facts.settings.update(event.get("Spark Properties") or {})


def _removed(event: Event, facts: Facts) -> None:
    reason, executor = str(event.get("Removed Reason", "")), str(event.get("Executor ID", ""))
    facts.lost[executor] = reason
    facts.say(Said(f"executor {executor} was removed", reason, executor=executor))


def _job_start(event: Event, facts: Facts) -> None:
    query = (event.get("Properties") or {}).get("spark.sql.execution.id")
    for info in event.get("Stage Infos") or ():
        stage = _stage(facts, info.get("Stage ID", -1), info.get("Stage Attempt ID", 0))
        stage.name = _name(info)
        stage.query = int(query) if query else None


def _job_end(event: Event, facts: Facts) -> None:
    result = event.get("Job Result") or {}
    if result.get("Result") == "JobFailed":
        message = str((result.get("Exception") or {}).get("Message", ""))
        facts.say(Said(f"job {event.get('Job ID')} failed", message, fatal=True))


def _stage_end(event: Event, facts: Facts) -> None:
    info = event.get("Stage Info") or {}
    stage = _stage(facts, info.get("Stage ID", -1), info.get("Stage Attempt ID", 0))
    stage.name = _name(info)
    stage.failed = info.get("Failure Reason")
    if stage.failed:
        facts.say(Said(f"{stage} failed", stage.failed, stage=str(stage)))


def _task_end(event: Event, facts: Facts) -> None:
    stage = _stage(facts, event.get("Stage ID", -1), event.get("Stage Attempt ID", 0))
    info, reason, metrics = event.get("Task Info") or {}, event.get("Task End Reason") or {}, event.get("Task Metrics") or {}
    took = max(0, info.get("Finish Time", 0) - info.get("Launch Time", 0))
    executor = str(info.get("Executor ID", ""))
    stage.spilled += metrics.get("Memory Bytes Spilled", 0)
    stage.to_disk += metrics.get("Disk Bytes Spilled", 0)
    stage.running += metrics.get("Executor Run Time", 0)
    stage.collecting += metrics.get("JVM GC Time", 0)
    if reason.get("Reason") == "Success":
        if took >= stage.longest:
            stage.longest, stage.slowest = took, f"task {info.get('Index')} on executor {executor}"
        stage.milliseconds.append(took)
        size, rows = _taken_in(metrics)
        stage.bytes.append(size)
        stage.rows.append(rows)
        return
    if reason.get("Reason") != "TaskKilled" or "preempted" in str(reason.get("Kill Reason", "")):
        stage.failures += 1
        place = f"task {info.get('Index')} (attempt {info.get('Attempt')}) of {stage} on executor {executor}"
        facts.say(Said(place, _reason(reason), executor=executor, stage=str(stage)))


def _taken_in(metrics: Event) -> tuple[int, int]:
    """The bytes and rows that a task read, from files or from a shuffle."""
    read, shuffle = metrics.get("Input Metrics") or {}, metrics.get("Shuffle Read Metrics") or {}
    size = read.get("Bytes Read", 0) + shuffle.get("Remote Bytes Read", 0) + shuffle.get("Local Bytes Read", 0)
    return size, read.get("Records Read", 0) + shuffle.get("Total Records Read", 0)


def _reason(reason: Event) -> str:
    kind = reason.get("Reason", "")
    if kind == "ExceptionFailure":
        return str(reason.get("Full Stack Trace") or f"{reason.get('Class Name')}: {reason.get('Description')}")
    words = (reason.get("Loss Reason"), reason.get("Message"), reason.get("Kill Reason"))
    return f"{kind}: " + " ".join(str(word) for word in words if word)


def _query(event: Event, facts: Facts) -> None:
    facts.plans[event.get("executionId", -1)] = str(event.get("physicalPlanDescription", ""))[:LATE_PLAN]


def _query_end(event: Event, facts: Facts) -> None:
    message = event.get("errorMessage")
    if message:
        facts.say(Said(f"query {event.get('executionId')} failed", str(message), fatal=True))


def _end(event: Event, facts: Facts) -> None:
    facts.ended = True


def _name(info: Event) -> str:
    return str(info.get("Stage Name", "")).removesuffix(" at NativeMethodAccessorImpl.java:0")[:80]  # which tells nothing of Python's code


def _stage(facts: Facts, number: int, attempt: int) -> Stage:
    return facts.stages.setdefault((number, attempt), Stage(number, attempt))


class _Known:
    """What to do with one kind of event, and the path to its time."""

    def __init__(self, note: Callable[[Event, Facts], None], *path: str) -> None:
        self.note, self.path = note, path

    def time(self, event: Event) -> float | None:
        """When it was, in ms; None where it does not say."""
        found: Any = event
        for key in self.path:
            found = (found or {}).get(key)
        return found if self.path and isinstance(found, (int, float)) else None


EVENTS: Mapping[str, _Known] = {
    "SparkListenerApplicationEnd": _Known(_end),
    "SparkListenerEnvironmentUpdate": _Known(_environment),
    "SparkListenerExecutorRemoved": _Known(_removed, "Timestamp"),
    "SparkListenerJobStart": _Known(_job_start, "Submission Time"),
    "SparkListenerJobEnd": _Known(_job_end, "Completion Time"),
    "SparkListenerStageCompleted": _Known(_stage_end, "Stage Info", "Completion Time"),
    "SparkListenerTaskEnd": _Known(_task_end, "Task Info", "Finish Time"),
    f"{SQL}SparkListenerSQLExecutionStart": _Known(_query, "time"),
    f"{SQL}SparkListenerSQLExecutionEnd": _Known(_query_end, "time"),
}
"""The events that are parsed."""
