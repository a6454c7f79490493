"""`scripts/faults.sh seam`: all that is searched, and seeded walks beyond it; the last line is JSON: calls, states, violations, seed."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import replace
from functools import partial
from random import Random
from typing import Any

from sparkkit.storage import journal, lock
from sparkkit.storage import resolve as reading
from tests.storage.checker import RUNNING, Point, Report
from tests.storage.faults import Faulty
from tests.storage.memory import MemoryStore, world
from tests.storage.scenarios import FAILED, LATER, Writer, judge, look
from tests.storage.space import (
    ASLEEP,
    DEEP,
    DEEPEST,
    HDFS,
    LOCAL,
    OLD_KERNEL,
    PAIR,
    S3,
    SCENARIOS,
    Scenario,
    faulted,
    late_task,
    long_asleep,
)

ERRORS = ("error", "error after", "short write", "asked twice")


def searched(scenario: Scenario) -> Report:
    """A scenario in every order, and a reader in between."""
    report = scenario.explore()
    return plus(report, scenario.observe(report)) if scenario.watched and not report.violations else report


def plus(one: Report, other: Report) -> Report:
    """Both, as one."""
    return Report(one.calls + other.calls, one.states + other.states, violations=one.violations + other.violations)


def pruned() -> Report:
    """Runs that sleep while numbers are pruned, and a reader."""
    keep, lock.KEEP = lock.KEEP, 1
    try:
        report = long_asleep()
        return plus(report, ASLEEP.observe(report))
    finally:
        lock.KEEP = keep


def cast(random: Random) -> tuple[dict[str, bool], tuple[str, ...], dict[str, Writer], Writer]:
    """A store, what it holds, three or four writers, and the one that comes after them, by chance."""
    flags = random.choice((LOCAL, OLD_KERNEL, HDFS, S3))
    table, targets = flags is S3 and random.random() < 0.5, random.choice((LATER.targets, PAIR))
    stateful = random.random() < 0.4
    writers = {}
    for name in "abcd"[: random.choice((3, 4))]:
        mode = "append" if stateful or table else random.choice(("append", "append", "overwrite", "overwrite_partitions"))
        files = tuple(f"p={number}/{name}{number}" for number in range(1, random.choice((2, 3)))) if not table else (name,)
        if stateful:
            writers[name] = Writer(name, files, targets, mode, name, table=table, state=True)
        else:
            number = random.choice("12")
            writers[name] = Writer(name, files, targets, mode, number, random.choice(("", f"l{number}")), table)
    later = replace(LATER, targets=targets, table=table, state=stateful)
    return flags, () if table else ("p=1/o", "p=2/q"), writers, later


def walk(seed: int) -> Report:
    """One order of calls by chance, with an error in some writers and the death of some; judged now and then, and at its end."""
    random, report = Random(seed), Report()
    flags, before, writers, later = cast(random)
    state: dict[str, bytes | None] = {}
    for target in later.targets:
        state |= world(target, *before) if before else {}
    store = MemoryStore(state, **flags)
    verdict, facts = judge(writers, before, later, fine=FAILED), look(later)

    def program(writer: Writer) -> Any:
        if random.random() < 0.5:
            return writer
        at, kind = random.randrange(1, 60), random.choice(ERRORS)
        return lambda store: writer(Faulty(store, at, kind))

    programs = {name: program(writer) for name, writer in writers.items()}
    points = {name: Point.of(run, [], store) for name, run in programs.items()}
    alive = list(points)
    while alive and not report.violations:
        name = random.choice(alive)
        for _ in range(random.choice((1, 2, 20, 60))):
            if points[name].call:
                points[name] = points[name].step(programs[name], store)
                report.calls += 1
        report.states += 1
        if not points[name].call or random.random() < 0.02:
            alive.remove(name)
        if random.random() < 0.2 or not alive:
            results = {n: p.result for n, p in points.items()}
            wrong = verdict(facts(store.copy()), results)
            report.violations += [(f"seed {seed}: {one}", [f"{flags} {writers} {results}"]) for one in wrong]
    assert all(p.result == RUNNING or not p.call for p in points.values())
    return report


def walked(seed: int, walks: int) -> Report:
    """Many walks."""
    found = Report()
    for number in range(walks):
        found = plus(found, walk(seed * 1_000_000 + number))
    return found


def searches(seed: int, walks: int) -> Iterator[tuple[str, Callable[[], Report]]]:
    """All of it, by name."""
    for name, scenario in {**SCENARIOS, **DEEP, **DEEPEST}.items():
        yield name, partial(searched, scenario)
    yield "numbers pruned while a run sleeps", pruned
    yield "a task that outlives its run", late_task
    for name, flags in {"a local disk": LOCAL, "no renameat2": OLD_KERNEL, "HDFS": HDFS, "S3": S3}.items():
        for kind in ERRORS:
            yield f"{kind} at each call, {name}", partial(faulted, flags, kind)
    yield f"{walks} walks by chance", partial(walked, seed, walks)


def main(*args: str) -> int:
    """Searches, says what was tried, and fails where something is wrong."""
    parser = argparse.ArgumentParser(prog="scripts/faults.sh seam", description=__doc__)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--walks", type=int, default=2000)
    parser.add_argument("--only", default="", help="searches whose name holds this")
    options = parser.parse_args(args)
    total, began = Report(), time.monotonic()
    for name, search in searches(options.seed, options.walks):
        if options.only not in name:
            continue
        report = search()
        total = plus(total, report)
        told = f"calls {report.calls}, states {report.states}, violations {len(report.violations)}"
        print(f"{time.monotonic() - began:6.0f} s  {name}: {told}", flush=True)
        for wrong, trail in report.violations:
            print(f"  {wrong}", *trail, sep="\n    ")
    print(json.dumps({"calls": total.calls, "states": total.states, "violations": len(total.violations), "seed": options.seed}))
    return 1 if total.violations or not total.calls else 0


if __name__ == "__main__":
    journal.Heart, reading.LOOKS = lambda *_: nullcontext(), 1  # type: ignore[assignment,misc]
    sys.exit(main(*sys.argv[1:]))
