"""The publishing protocol, exhaustively: two writers in every order of their calls, each dead at any point, and a reader in between.

A takeover may come at any moment (no patience at all), so that every writer is a zombie in some order.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pytest

from sparkkit.storage import journal, lock
from sparkkit.storage import resolve as reading
from sparkkit.storage.log import Entry, Log
from sparkkit.storage.seam import Store, data, walk
from tests.storage.checker import Report, explore, observe
from tests.storage.faults import Faulty
from tests.storage.memory import MemoryStore, world
from tests.storage.scenarios import FAILED, LATER, Content, Facts, Writer, died_deciding, judge, look, read, reader

LOCAL, OLD_KERNEL, HDFS = {}, {"exchanges": False}, {"exchanges": False, "links": False}
"""What stores can do: all; no renameat2; renames only."""

S3 = {**HDFS, "renames": False}


@dataclass(frozen=True)
class Scenario:
    """Two writers that meet on one store, what is there before (and who died deciding on it), and the run that comes after them."""

    first: Writer
    second: Writer
    store: dict[str, bool]
    before: Content = ("o",)
    later: Writer = LATER
    switches: int | None = None
    watched: bool = True
    dead: Writer | None = None

    def start(self) -> MemoryStore:
        state: dict[str, bytes | None] = {}
        for target in self.later.targets if self.before else ():
            state |= world(target, *self.before)
        store = MemoryStore(state, **self.store)
        return died_deciding(store, self.dead) if self.dead else store

    def explore(self) -> Report:
        writers = {w.run_id: w for w in (self.first, self.second)}
        before = self.dead.after(self.before, ()) if self.dead else self.before
        return explore(writers, self.start(), look(self.later), judge(writers, before, self.later), self.switches)

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

SCENARIOS = {
    "append, and a re-run that replaces it, on a local disk": Scenario(A, AGAIN, LOCAL),
    "append, and a re-run, file by file on HDFS": Scenario(A, AGAIN, HDFS),
    "two attempts at the same on a local disk": Scenario(replace(A, logical="l"), replace(AGAIN, logical="l"), LOCAL),
    "two outputs against one, each left twice": Scenario(replace(A, targets=PAIR), B, HDFS, later=BOTH, switches=2, watched=False),
    "two that find what a third decided, each left twice": Scenario(A, B, LOCAL, dead=Writer("x", ("x",), slice="x"), switches=2),
    "a table on S3, re-run": Scenario(replace(A, table=True), replace(AGAIN, table=True), S3, (), TABLE, watched=False),
}
DEEP = {
    "append on a local disk": Scenario(A, B, LOCAL),
    "append on HDFS": Scenario(A, B, HDFS),
    "append without renameat2": Scenario(A, B, OLD_KERNEL),
    "overwrite on HDFS": Scenario(replace(A, mode="overwrite"), replace(B, mode="overwrite"), HDFS),
    "overwrite on a local disk": Scenario(replace(A, mode="overwrite"), replace(B, mode="overwrite"), LOCAL),
    "partitions on a local disk": Scenario(
        Writer("a", ("p=1/a", "p=2/a2"), mode="overwrite_partitions", slice="1"),
        Writer("b", ("p=2/b",), mode="overwrite_partitions", slice="2"), LOCAL, FOLDERS,
    ),
    "partitions on HDFS": Scenario(
        Writer("a", ("p=1/a", "p=2/a2"), mode="overwrite_partitions", slice="1"),
        Writer("b", ("p=2/b",), mode="overwrite_partitions", slice="2"), HDFS, FOLDERS,
    ),
    "two outputs against the second of them": Scenario(replace(A, targets=PAIR), B, HDFS, later=BOTH),
    "two outputs against the first of them": Scenario(replace(A, targets=PAIR), replace(B, targets=PAIR[:1]), HDFS, later=BOTH),
    "two outputs on a local disk": Scenario(replace(A, targets=PAIR), B, LOCAL, later=BOTH),
    "two tables": Scenario(replace(A, table=True), replace(B, table=True), S3, (), TABLE, watched=False),
}


def holds(name: str, scenario: Scenario, monkeypatch: pytest.MonkeyPatch, tried: list[str]) -> None:
    report = scenario.explore()
    assert report.violations == []
    told = f"{name}: calls {report.calls}, states {report.states}, stores {len(report.facts)}"
    if scenario.watched:
        monkeypatch.setattr(reading, "LOOKS", 1)
        seen = scenario.observe(report)
        assert seen.violations == []
        assert len({end for end in seen.ends if "failed" not in end[0]}) > 2
        told += f"; a reader's calls {seen.calls}, states {seen.states}"
    assert report.states > 1000
    tried.append(f"{told}; violations 0")


@pytest.mark.usefixtures("no_heart")
@pytest.mark.parametrize("name", SCENARIOS)
def test_nothing_is_lost_and_nothing_there_twice(
    name: str, monkeypatch: pytest.MonkeyPatch, tried: list[str]
) -> None:
    holds(name, SCENARIOS[name], monkeypatch, tried)


@pytest.mark.e2e
@pytest.mark.usefixtures("no_heart")
@pytest.mark.parametrize("name", DEEP)
def test_nothing_is_lost_and_nothing_there_twice_in_the_long_run(
    name: str, monkeypatch: pytest.MonkeyPatch, tried: list[str]
) -> None:
    holds(name, DEEP[name], monkeypatch, tried)


@pytest.mark.e2e
@pytest.mark.usefixtures("no_heart")
@pytest.mark.parametrize("kind", ["error", "error after"])
@pytest.mark.parametrize("store", [LOCAL, HDFS], ids=["local", "HDFS"])
def test_a_call_may_fail_while_another_run_is_at_work(store: dict[str, bool], kind: str, tried: list[str]) -> None:
    scenario, calls = Scenario(A, AGAIN, store), 0
    verdict = judge({"a": A, "b": AGAIN}, scenario.before, fine=FAILED)
    for at in range(1, 36):
        programs = {"a": lambda store, at=at: A(Faulty(store, at, kind)), "b": AGAIN}
        report = explore(programs, scenario.start(), look(), verdict, switches=2)
        calls += report.calls
        assert report.violations == []
    tried.append(f"{kind} at each call, on {'a local disk' if not store else 'HDFS'}: calls {calls}; violations 0")


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


@pytest.mark.usefixtures("no_heart")
def test_a_run_that_slept_until_its_number_was_pruned_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lock, "KEEP", 1)
    report = long_asleep()
    assert report.violations == []
    assert {("lock_lost", (1, 1)), (1, (1, 1))} <= report.ends
    monkeypatch.setattr(reading, "LOOKS", 1)
    assert ASLEEP.observe(report).violations == []


def check_then_put(self: Log, slot: int, entry: Entry) -> bool:
    """Verifies the token before the commit, not in it."""
    if entry.kind != "commit":
        return self.store.put_if_absent(self.path(slot), entry.encode())
    _, last = self.last()
    if last and last.run_id == entry.run_id:
        while not self.store.put_if_absent(self.path(slot), entry.encode()):
            slot += 1
        return True
    return False


def no_intent(log: Log, run_id: str, home: Any, _patience: Any) -> tuple[int, Entry]:
    """Begins without an entry of its own."""
    slot, last = log.last()
    begun = Entry("open", run_id, home or (log.target, slot))
    return slot, replace(begun, pending=last.pending, runs=last.runs) if last else begun


def no_claim(_self: Any, held: Any, run_id: str) -> str | None:
    """Goes on with another's workspace under the name that the other knows."""
    return next((path for run, _, path in journal.workspaces(held.log) if run == run_id), None)


def copy_files(store: Store, work: str, part: Any) -> None:
    """Appends by copies, under names of the run that makes them."""
    for file in part.adds:
        found = store.read(f"{work}/new/{file}")
        store.put_if_absent(f"{part.target}/{file}-{work.rpartition('.')[2]}", found.data if found else b"")


def only_partitions(_mode: str, _adds: Any, _there: Any, _before: Any) -> set[str]:
    """Leaves what the slice's generation before had written."""
    return set()


def exchange_again(store: Store, work: str, part: Any) -> None:
    """Does not look whether it was exchanged before."""
    if not store.exchange(f"{work}/new", part.target):
        store.rename(f"{work}/new", part.target)


PLANTED: dict[str, tuple[Any, str, Any, Scenario]] = {
    "the token is verified before the commit": (Log, "append", check_then_put, DEEP["overwrite on HDFS"]),
    "no intent": (journal, "take", no_intent, SCENARIOS["append, and a re-run that replaces it, on a local disk"]),
    "no claim": (journal.Run, "_claim", no_claim, DEEP["append on a local disk"]),
    "an append that can't be made again": (journal, "put_files", copy_files, DEEP["append on HDFS"]),
    "a re-run that appends": (journal, "replaced", only_partitions, SCENARIOS["append, and a re-run that replaces it, on a local disk"]),
    "a step that undoes itself": (journal, "put_whole", exchange_again, DEEP["append on a local disk"]),
}


@pytest.mark.usefixtures("no_heart")
@pytest.mark.parametrize("name", PLANTED)
def test_the_checker_finds_a_planted_fault(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    where, what, fault, scenario = PLANTED[name]
    monkeypatch.setattr(where, what, fault)
    assert scenario.explore().violations


@pytest.mark.usefixtures("no_heart")
def test_the_checker_finds_a_number_that_is_used_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lock, "KEEP", 1)
    monkeypatch.setattr(Log, "stands", lambda self, slot: True)
    assert long_asleep().violations


def bare_reader(store: Store) -> tuple[Content | str]:
    """Ignores the journal."""
    found = [store.read(f"/d/t/{file}") for file in data(walk(store, "/d/t"))]
    return (tuple(sorted(f.data.decode() for f in found if f)) if all(found) else "failed",)


def looks_once(store: Store) -> tuple[Content | str]:
    """Does not look again whether something came between."""
    found = [store.read(path) for path in reading.resolve(store, "/d/t").files(store)]
    return (tuple(sorted(f.data.decode() for f in found if f)) if all(found) else "failed",)


@pytest.mark.usefixtures("no_heart")
@pytest.mark.parametrize(("program", "store"), [(bare_reader, HDFS), (looks_once, LOCAL)])
def test_the_checker_finds_a_reader_that_is_careless(program: Any, store: dict[str, bool]) -> None:
    scenario = Scenario(Writer("a", ("a", "a2"), slice="1"), Writer("b", ("b",), slice="2"), store)
    report = explore({"a": scenario.first}, scenario.start(), look(), judge({"a": scenario.first}, ("o",)))
    see = lambda at: (read(at, "/d/t"),)  # noqa: E731
    assert report.violations == []
    assert observe(report, program, scenario.start(), see, in_order).violations
