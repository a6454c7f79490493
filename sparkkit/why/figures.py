"""Causes that figures show, and those that only the record knows."""
from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from statistics import median

from sparkkit.report.text import size
from sparkkit.why.causes import Finding
from sparkkit.why.facts import Facts, Stage

LONGER, AT_LEAST_MS, MORE = 4.0, 2_000, 4.0
"""Skew is a task that takes this many times the median, and this much more than it, on this many times the bytes or rows."""

SPILL = 1 << 20
"""Bytes on disk from which a spill is told."""


def skew(facts: Facts) -> Iterator[Finding]:
    """One task that takes far longer than the others, on far more data."""
    for stage in facts.stages.values():
        times = stage.milliseconds
        if len(times) < 3 or max(times) < LONGER * median(times) or max(times) - median(times) < AT_LEAST_MS:
            continue
        at = times.index(max(times))
        rows, data = _times(stage.rows[at], stage.rows), _times(stage.bytes[at], stage.bytes)
        if max(rows, data) < MORE:
            continue
        keys = _keys(facts, stage)
        evidence = [
            f"{stage}: {stage.slowest} took {max(times) / 1000:.1f} s, the median of {len(times)} tasks {median(times) / 1000:.1f} s",
            f"it read {stage.rows[at]:,} rows and {size(stage.bytes[at])}, the median"
            f" {median(stage.rows):,.0f} and {size(int(median(stage.bytes)))}",
        ]
        if keys:
            evidence.append(f"the rows were distributed by {keys}")
        key = ", ".join(repr(name) for name in re.split(", | and ", keys)) if keys else "the key"
        yield Finding("skew", _pressure(facts, 80), "one task had most of the rows", tuple(evidence),
                      f"see which value it is (`df.groupBy({key}).count().orderBy('count', ascending=False)`), then filter it (null,"
                      " an empty text), treat it apart, broadcast the smaller side, or add a salt to the key")


def spill(facts: Facts) -> Iterator[Finding]:
    """Stages that sorted or aggregated more than their memory holds."""
    spilling = sorted((s for s in facts.stages.values() if s.to_disk >= SPILL), key=lambda s: -s.to_disk)
    if spilling:
        evidence = [f"{s}: {size(s.spilled)} of memory became {size(s.to_disk)} on disk, in {len(s.milliseconds)} tasks"
                    for s in spilling[:3]]
        yield Finding("spill", _pressure(facts, 70), "tasks had more data than memory, and went by way of the disk", tuple(evidence),
                      "use more shuffle partitions (spark.sql.shuffle.partitions), or raise the memory of the driver (local) or executors")


def collecting(facts: Facts) -> Iterator[Finding]:
    """Stages that spent much of their time in the garbage collector."""
    for stage in facts.stages.values():
        if stage.running > 5_000 and stage.collecting > 0.25 * stage.running:
            share = stage.collecting / stage.running
            yield Finding("short_of_memory", _pressure(facts, 60), "the JVM collected garbage most of the time",
                          (f"{stage}: {share:.0%} of {stage.running / 1000:.0f} s went into garbage collection",),
                          "raise the memory of the driver (local) or the executors, or use more, smaller partitions")


def tried_again(facts: Facts) -> Iterator[Finding]:
    """Tasks that failed in a run that ended well: they cost time."""
    failing = [s for s in facts.stages.values() if s.failures]
    if facts.done and failing:
        yield Finding("tried_again", 50, "tasks failed and were run again", tuple(f"{s}: {s.failures} tasks failed" for s in failing[:3]),
                      "see the other causes; a retry that succeeds costs its time only")


def refused(facts: Facts) -> Iterator[Finding]:
    """A run that the record itself says was refused (by a contract, a rule, the accounting, wrong use or a lock), or ended in alarm."""
    record = facts.record
    if record.get("reason") == "alarm":
        yield Finding("alarm", 95, "the job's alarm is met by what it published", (f"record: {record.get('message')}",),
                      "look at the rows that it names; a retry says the same, and the next run that publishes judges anew")
        return
    told = REFUSALS.get(record.get("exit_code") or 0)
    if told and record.get("reason") and record["reason"] not in ELSEWHERE:
        cause, what, remedy = told
        evidence = [f"record: {record.get('reason')}: {record.get('message')}"]
        for name, edge in {**(record.get("inputs") or {}), **(record.get("outputs") or {})}.items():
            evidence += [f"{name}: {n:,} rows {reason}" for reason, n in (edge.get("quarantined_by") or {}).items()]
            evidence += [f"{name}: {f['reason']}: {f['file']} {f['detail']}" for f in (edge.get("findings") or ())[:3]]
        yield Finding(cause, 95, what, tuple(evidence), remedy)


def stopped(facts: Facts) -> Iterator[Finding]:
    """A run that was told to stop, or whose process is gone."""
    record = facts.record
    if record.get("status") == "interrupted":
        number = (record.get("exit_code") or 143) - 128
        name = {2: "SIGINT", 15: "SIGTERM"}.get(number, f"signal {number}")
        yield Finding("interrupted", 95, f"the run was told to stop by {name}", (f"record: {record.get('message')}",),
                      "a person, a scheduler's time-out or the cluster's manager did that: its log says who; nothing was published")
    if record.get("status") == "killed":
        yield Finding("driver_killed", 90, "the driver's process was killed: it left no word", _killed(facts),
                      "SIGKILL is most often the system's out-of-memory killer (`dmesg | grep -i kill`), the scheduler, or a restart")


def _killed(facts: Facts) -> tuple[str, ...]:
    process = facts.record.get("process") or {}
    said = [f"ledger: it began {facts.record.get('started')} as process {process.get('pid')} of {process.get('host')}, which is gone"]
    last = [stage for stage in facts.stages.values() if not stage.failed]
    return (*said, f"event log: the last that it worked on is {last[-1]}") if last else tuple(said)


def job_failed(facts: Facts) -> Iterator[Finding]:
    """Where nothing else is known: what the record says."""
    record = facts.record
    if record.get("exit_code") == 1:
        yield Finding("job_failed", 40, "the job's own code failed", (f"record: {record.get('message')}",),
                      "mend the job, or look at its stack: " + str(record.get("driver_log") or "run it with --verbose"))


SHOWN: tuple[Callable[[Facts], Iterator[Finding]], ...] = (refused, stopped, skew, spill, collecting, tried_again, job_failed)
"""The causes that figures or the record show."""

REFUSALS = {
    4: ("refused_by_contract", "the data broke its contract, a rule, or the accounting", "mend the data at its source, or change the"
        " contract (`quarantine` or `allow` instead of `stop`), and run again: nothing was published"),
    2: ("wrong_use", "an option, the conf, a contract or the job itself is wrong", "do what the message says; a retry does not help"),
    5: ("locked", "another run holds the lock", "wait until it has ended, and run again"),
}
"""What an exit code of a refusal means."""

ELSEWHERE = ("unreadable_file", "missing_package", "missing_jar", "access_denied")
"""Reasons of such exit codes that words tell better."""


def _times(value: int, all_of_them: Iterable[int]) -> float:
    return value / max(1.0, median(all_of_them))


def _pressure(facts: Facts, strength: int) -> int:
    """What makes a run slow is seldom what makes it fail."""
    return strength if facts.done or not facts.record else strength - 45


def _keys(facts: Facts, stage: Stage) -> str:
    """The columns by which the rows of a stage were distributed, out of its query's plan."""
    found = re.findall(r"hashpartitioning\(((?:[^(),]+#\d+L?,? ?)+)", facts.plans.get(stage.query if stage.query is not None else -1, ""))
    names = [re.sub(r"#\d+L?", "", one).strip(", ") for one in found]
    return " and ".join(dict.fromkeys(names))
