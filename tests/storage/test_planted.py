"""The protocol broken on purpose: for each fault the checker, the fault test or the power cuts must find a violation."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from sparkkit.storage import journal, lock, records, versions
from sparkkit.storage import resolve as reading
from sparkkit.storage.log import Entry, Log
from sparkkit.storage.seam import Store, data, walk
from tests.storage.checker import explore, observe
from tests.storage.memory import MemoryStore
from tests.storage.scenarios import Content, Writer, judge, look, read
from tests.storage.space import DEEP, HDFS, LOCAL, SCENARIOS, Scenario, in_order, late_task, long_asleep

pytestmark = [pytest.mark.usefixtures("no_heart"), pytest.mark.once]

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


def no_claim(_self: Any, held: Any, part: Any) -> str | None:
    """Goes on with another's workspace under the name that the other knows."""
    return next((path for run, _, path in journal.workspaces(held.log) if run == part.run_id), None)


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


def done_before_settled(self: Any, parts: Any) -> None:
    """Says that all is in place, and then puts it there."""
    held = self.home
    held.log.append(held.slot + 2, replace(held.entry, kind="done", pending=parts[0]).settled())
    for part in parts:
        self._settle(self.held[part.target], part)


def remembered_after_done(self: Any, parts: Any) -> None:
    """Frees the lock before the record of the slice is there."""
    held, part = self.home, parts[0]
    journal.put_whole(self.store, held.work, part)
    held.log.append(held.slot + 2, replace(held.entry, kind="done", pending=part).settled())
    records.remember(held.log, part)


class EarlyState(journal.Run):
    """Puts a state when it is staged, before it is decided."""

    def next_state(self, name: str, found: bytes | None) -> records.Record:
        record = super().next_state(name, found)
        self.store.put_if_absent(f"{self.home.log.folder}/{record.path('states')}", record.encode())
        return record


RE_RUN = SCENARIOS["append, and a re-run that replaces it, each left twice"]
LEFT_TWICE = SCENARIOS["state with the data, each left twice"]

PLANTED: dict[str, tuple[Any, str, Any, Scenario]] = {
    "the token is verified before the commit": (Log, "append", check_then_put, DEEP["overwrite on HDFS"]),
    "no intent": (journal, "take", no_intent, RE_RUN),
    "no claim": (journal.Run, "_claim", no_claim, DEEP["append on a local disk"]),
    "an append that can't be made again": (journal, "put_files", copy_files, DEEP["append on HDFS"]),
    "a re-run that appends": (journal, "replaced", only_partitions, RE_RUN),
    "a step that undoes itself": (journal, "put_whole", exchange_again, DEEP["append on a local disk"]),
    "done before it is in place": (journal.Run, "_finish", done_before_settled, LEFT_TWICE),
    "done before it is recorded": (
        journal.Run, "_finish", remembered_after_done, RE_RUN,
    ),
    "an output that is not told": (lock, "fate", lambda *_: ("abort", None), SCENARIOS["two outputs against one, each left twice"]),
    "a state before the decision": (journal, "Run", EarlyState, LEFT_TWICE),
    "a state that is not put": (journal, "put_small", lambda *_: None, LEFT_TWICE),
    "a rollback that leaves the records": (
        versions, "_undone", lambda *_: [], SCENARIOS["a rollback against an append, each left once"],
    ),
}


def test_the_checker_finds_staged_files_that_are_left_to_who_comes_late(monkeypatch: pytest.MonkeyPatch) -> None:
    delete = MemoryStore.delete
    monkeypatch.setattr(MemoryStore, "delete", lambda self, path: "/stage/" in path or delete(self, path))
    assert DEEP["overwrite on S3"].explore().violations


def test_the_checker_finds_a_copy_before_the_decision(monkeypatch: pytest.MonkeyPatch) -> None:
    lay_out = journal.Run._lay_out

    def copies(self: journal.Run, held: Any, part: Any, new: str, before: Any) -> Any:
        found = lay_out(self, held, part, new, before)
        journal.copy_files(self.store, new, found)
        return found

    monkeypatch.setattr(journal.Run, "_lay_out", copies)
    assert SCENARIOS["append, and a re-run, file by file on S3, each left twice"].explore().violations


@pytest.mark.parametrize("name", PLANTED)
def test_the_checker_finds_a_planted_fault(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    where, what, fault, scenario = PLANTED[name]
    monkeypatch.setattr(where, what, fault)
    assert scenario.explore().violations


def test_the_checker_finds_a_number_that_is_used_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lock, "KEEP", 1)
    monkeypatch.setattr(Log, "stands", lambda self, slot: True)
    assert long_asleep().violations


def test_the_checker_finds_a_number_that_is_pruned_while_it_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    recover = journal.Run.recover

    def prune_all(self: journal.Run) -> None:
        recover(self)
        self.home.log.prune(self.home.slot)

    monkeypatch.setattr(journal.Run, "recover", prune_all)
    assert long_asleep().violations


def test_the_checker_finds_that_tasks_write_where_it_is_published_from(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal.Held, "stage", journal.Held.work)
    assert late_task("work").violations


def bare_reader(store: Store) -> tuple[Content | str]:
    """Ignores the journal."""
    found = [store.read(f"/d/t/{file}") for file in data(walk(store, "/d/t"))]
    return (tuple(sorted(f.data.decode() for f in found if f)) if all(found) else "failed",)


def looks_once(store: Store) -> tuple[Content | str]:
    """Does not look again whether something came between."""
    found = [store.read(path) for path in reading.resolve(store, "/d/t").files(store)]
    return (tuple(sorted(f.data.decode() for f in found if f)) if all(found) else "failed",)


@pytest.mark.parametrize(("program", "store"), [(bare_reader, HDFS), (looks_once, LOCAL)])
def test_the_checker_finds_a_reader_that_is_careless(program: Any, store: dict[str, bool]) -> None:
    scenario = Scenario(Writer("a", ("a", "a2"), slice="1"), Writer("b", ("b",), slice="2"), store)
    report = explore({"a": scenario.first}, scenario.start(), look(), judge({"a": scenario.first}, ("o",)))
    see = lambda at: (read(at, "/d/t"),)  # noqa: E731
    assert report.violations == []
    assert observe(report, program, scenario.start(), see, in_order).violations
