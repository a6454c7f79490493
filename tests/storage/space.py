"""The spaces that are searched: writers that meet on one store, every order of their calls, and faults in any of them."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sparkkit.storage.seam import Store
from tests.storage.checker import Report, explore, observe
from tests.storage.faults import Faulty
from tests.storage.memory import MemoryStore, world
from tests.storage.scenarios import FAILED, LATER, Content, Facts, Writer, died_deciding, judge, look, read, reader

LOCAL, OLD_KERNEL, HDFS = {}, {"exchanges": False}, {"exchanges": False, "links": False}
"""What stores can do: all; no renameat2; renames only."""

S3 = {**HDFS, "renames": False}


@dataclass(frozen=True)
class Scenario:
    """Two writers that meet on one store, what is there before (and who published or died deciding on it), and the run after them."""

    first: Writer
    second: Writer
    store: dict[str, bool]
    before: Content = ("o",)
    later: Writer = LATER
    switches: int | None = None
    watched: bool = True
    dead: Writer | None = None
    done: tuple[Writer, ...] = ()

    def start(self) -> MemoryStore:
        state: dict[str, bytes | None] = {}
        for target in self.later.targets if self.before else ():
            state |= world(target, *self.before)
        store = MemoryStore(state, **self.store)
        assert [writer(store) for writer in self.done] == [1] * len(self.done)
        return died_deciding(store, self.dead) if self.dead else store

    def explore(self) -> Report:
        writers = {w.run_id: w for w in (self.first, self.second)}
        return explore(writers, self.start(), look(self.later), judge(writers, self.held(), self.later, done=self.done), self.switches)

    def held(self) -> Content:
        """What the target holds when the two begin."""
        content = self.before
        for writer in (*self.done, *filter(None, [self.dead])):
            content = writer.after(content, ())
        return content

    def observe(self, report: Report) -> Report:
        """A reader of the targets; a look that has to be made again is a read that failed, and is made again by the next reader."""
        see = lambda store: tuple(read(store, target) for target in self.later.targets)  # noqa: E731
        return observe(report, reader(*self.later.targets), self.start(), see, in_order)


def in_order(result: Sequence[Hashable], met: list[Sequence[Hashable]]) -> bool:
    """Whether each read saw one version that was there while it went on, none older than what the read before it saw."""
    at = 0
    for i, seen in enumerate(result):
        while seen != "failed" and met[at][i] != seen:
            at += 1
            if at == len(met):
                return False
    return True


A, B = Writer("a", ("a",), slice="1"), Writer("b", ("b",), slice="2")
AGAIN = replace(B, slice="1")
PAIR = ("/d/h", "/d/t")
FOLDERS = ("p=1/o", "p=2/q", "p=3/r")
BOTH = replace(LATER, targets=PAIR)
TABLE = replace(LATER, table=True)

ONE, TWO = Writer("x", ("x",), slice="x", state=True), Writer("y", ("y",), slice="y", state=True)
BACK = Writer("back", ("o", "x"), mode="overwrite", slice="back", to="x")
XX, SAME, OVER = Writer("x", ("x",), slice="x"), replace(A, logical="l"), replace(B, mode="overwrite")
STATEFUL = replace(LATER, state=True)

SCENARIOS = {
    "append, and a re-run that replaces it, each left twice": Scenario(A, AGAIN, LOCAL, switches=2, watched=False),
    "append, and a re-run, file by file on HDFS, each left twice": Scenario(A, AGAIN, HDFS, switches=2),
    "two attempts at the same, each left twice": Scenario(SAME, replace(SAME, run_id="b", files=("b",)), LOCAL, switches=2, watched=False),
    "append against overwrite on HDFS, each left twice": Scenario(A, OVER, HDFS, switches=2, watched=False),
    "two outputs against one, each left twice": Scenario(replace(A, targets=PAIR), B, HDFS, later=BOTH, switches=2, watched=False),
    "two that find what a third decided, each left once": Scenario(A, B, LOCAL, dead=XX, switches=1, watched=False),
    "append, and a re-run, file by file on S3, each left twice": Scenario(A, AGAIN, S3, switches=2),
    "append against overwrite on S3, each left twice": Scenario(A, OVER, S3, switches=2, watched=False),
    "a table on S3, re-run, each left twice": Scenario(
        replace(A, table=True), replace(AGAIN, table=True), S3, (), TABLE, watched=False, switches=2,
    ),
    "state with the data, each left twice": Scenario(
        replace(A, state=True), replace(B, state=True), LOCAL, later=STATEFUL, switches=2, watched=False,
    ),
    "a rollback against an append, each left once": Scenario(
        BACK, replace(B, state=True), LOCAL, later=STATEFUL, done=(ONE, TWO), switches=1, watched=False,
    ),
}
DEEP = {
    "append, and a re-run, on a local disk": Scenario(A, AGAIN, LOCAL),
    "append, and a re-run, file by file on HDFS": Scenario(A, AGAIN, HDFS),
    "append against overwrite on HDFS": Scenario(A, OVER, HDFS),
    "append, and a re-run, file by file on S3": Scenario(A, AGAIN, S3),
    "append against overwrite on S3": Scenario(A, OVER, S3),
    "overwrite on S3": Scenario(replace(A, mode="overwrite"), replace(B, mode="overwrite"), S3),
    "append on a local disk": Scenario(A, B, LOCAL),
    "append on HDFS": Scenario(A, B, HDFS),
    "append without renameat2": Scenario(A, B, OLD_KERNEL),
    "overwrite on HDFS": Scenario(replace(A, mode="overwrite"), replace(B, mode="overwrite"), HDFS),
    "overwrite on a local disk": Scenario(replace(A, mode="overwrite"), replace(B, mode="overwrite"), LOCAL),
    "a table on S3, re-run": Scenario(replace(A, table=True), replace(AGAIN, table=True), S3, (), TABLE, watched=False),
    "two tables": Scenario(replace(A, table=True), replace(B, table=True), S3, (), TABLE, watched=False),
    "state with the data on HDFS": Scenario(replace(A, state=True), replace(B, state=True), HDFS, later=STATEFUL),
    "state with tables": Scenario(
        replace(A, table=True, state=True), replace(B, table=True, state=True), S3, (), replace(TABLE, state=True), watched=False,
    ),
    "a rollback without renameat2": Scenario(BACK, replace(B, state=True), OLD_KERNEL, later=STATEFUL, done=(ONE, TWO), switches=2),
}
"""In every order, minutes at most."""

DEEPEST = {
    "two attempts at the same on a local disk": Scenario(SAME, replace(SAME, run_id="b", files=("b",)), LOCAL),
    "partitions on a local disk": Scenario(
        Writer("a", ("p=1/a", "p=2/a2"), mode="overwrite_partitions", slice="1"),
        Writer("b", ("p=2/b",), mode="overwrite_partitions", slice="2"), LOCAL, FOLDERS,
    ),
    "partitions on HDFS": Scenario(
        Writer("a", ("p=1/a", "p=2/a2"), mode="overwrite_partitions", slice="1"),
        Writer("b", ("p=2/b",), mode="overwrite_partitions", slice="2"), HDFS, FOLDERS,
    ),
    "partitions on S3": Scenario(
        Writer("a", ("p=1/a", "p=2/a2"), mode="overwrite_partitions", slice="1"),
        Writer("b", ("p=2/b",), mode="overwrite_partitions", slice="2"), S3, FOLDERS,
    ),
    "two outputs on S3": Scenario(replace(A, targets=PAIR), B, S3, later=BOTH),
    "state with the data on S3": Scenario(replace(A, state=True), replace(B, state=True), S3, later=STATEFUL),
    "two that find what a third decided on S3": Scenario(A, B, S3, dead=XX, switches=2),
    "two outputs against the second of them": Scenario(replace(A, targets=PAIR), B, HDFS, later=BOTH),
    "two outputs against the first of them": Scenario(replace(A, targets=PAIR), replace(B, targets=PAIR[:1]), HDFS, later=BOTH),
    "two outputs on a local disk": Scenario(replace(A, targets=PAIR), B, LOCAL, later=BOTH),
    "two that find what a third decided, each left twice": Scenario(A, B, LOCAL, dead=XX, switches=2),
    "state with the data on a local disk": Scenario(replace(A, state=True), replace(B, state=True), LOCAL, later=STATEFUL),
    "state with two outputs": Scenario(
        replace(A, targets=PAIR, state=True), replace(B, targets=PAIR, state=True), LOCAL, later=replace(BOTH, state=True), switches=2,
    ),
    "a rollback against an append": Scenario(BACK, replace(B, state=True), LOCAL, later=STATEFUL, done=(ONE, TWO), switches=3),
    "two rollbacks": Scenario(
        BACK, replace(BACK, run_id="b2", slice="b2"), LOCAL, later=STATEFUL, done=(ONE, TWO), switches=2,
    ),
}
"""What takes longer: `scripts/faults.sh seam`."""


def faulted(store: dict[str, bool], kind: str, second: Writer = AGAIN, switches: int = 2) -> Report:
    """A fault at the n-th call of the first of two writers, for every n until it passes, and the other at work meanwhile."""
    total, scenario, fired, at = Report(), Scenario(A, second, store), True, 0
    verdict = judge({"a": A, "b": second}, scenario.before, fine=FAILED)
    while fired and not total.violations:
        at += 1
        alone = Faulty(scenario.start(), at, kind)
        A(alone)
        fired = alone.fired
        report = explore({"a": lambda store, at=at: A(Faulty(store, at, kind)), "b": second}, scenario.start(), look(), verdict, switches)
        seen = scenario.observe(report) if not report.violations else Report()
        total.calls += report.calls + seen.calls
        total.states += report.states + seen.states
        total.violations += [(f"{kind} at call {at}: {wrong}", trail) for wrong, trail in report.violations + seen.violations]
    assert at > 18 or total.violations
    return total


LATE = Scenario(replace(A, mode="overwrite"), B, HDFS)


def late_task(folder: str = "stage") -> Report:
    """An overwriting run that is taken over after its commit, and a task of its own that still writes where it staged."""

    def task(store: Store) -> int:
        store.put_if_absent(f"/d/.t.sparkkit/{folder}/a.1/out/_temporary/late", b"late")
        return 0

    writers = {"a": LATE.first, "b": LATE.second}
    verdict = judge(writers, LATE.before)
    programs = {**writers, "task": task}
    return explore(programs, LATE.start(), look(), lambda facts, results: verdict(facts, {n: results[n] for n in writers}), switches=1)


def both_of(*writers: Writer) -> Callable[[Store], Hashable]:
    """A program that makes these attempts one after another."""
    return lambda store: tuple(writer(store) for writer in writers)


ASLEEP = Scenario(A, B, HDFS)


def long_asleep() -> Report:
    """A writer against one that publishes twice, either of which is left once."""
    twice = both_of(Writer("b", ("b",), slice="2"), Writer("c", ("c",), slice="3"))

    def wrong(facts: Facts, results: Any) -> Iterator[str]:
        for seen in (facts.seen[0], facts.after[0]):
            sure = {"o"} | ({"a"} if results["a"] == 1 else set()) | ({"b", "c"} if results["twice"] == (1, 1) else set())
            never = {"a"} if results["a"] == "lock_lost" else set()
            if not sure <= set(seen) or never & set(seen) or len(seen) != len(set(seen)):
                yield f"{seen} after {results}"

    return explore({"a": A, "twice": twice}, ASLEEP.start(), look(), wrong, switches=1)
