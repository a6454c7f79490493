"""A crash, an I/O error and a short write at the n-th call of a run, for every n until the run passes; and again in what repairs it."""

from __future__ import annotations

import json
from collections.abc import Hashable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from sparkkit.errors import UsageError
from sparkkit.storage import local, log
from sparkkit.storage.journal import running
from sparkkit.storage.local import LocalStore
from tests.storage.disk import CUTS, Disk
from tests.storage.faults import KINDS, Crash, Faulty
from tests.storage.memory import MemoryStore, world
from tests.storage.scenarios import AT_ONCE, JOB, Writer, bare, read

pytestmark = [pytest.mark.usefixtures("no_heart"), pytest.mark.once]

OUTPUTS = ("/d/h", "/d/t")
FIRST = Writer("first", ("f",), OUTPUTS, slice="1")
SECOND = Writer("second", ("s", "s2"), OUTPUTS, slice="2")
RETRY = replace(SECOND, run_id="retry", logical="second")
STORES = {"local disk": {}, "no renameat2": {"exchanges": False}, "HDFS": {"exchanges": False, "links": False},
          "S3": {"exchanges": False, "links": False, "renames": False}}


def attempt(writer: Writer, store: Any) -> Hashable:
    try:
        return writer(store)
    except Crash:
        return "crashed"


def faults(start: MemoryStore, writer: Writer, kind: str) -> Iterator[tuple[Faulty, Hashable]]:
    """The writer on a copy of the store, with the fault at its first call, its second, and so on, until none comes."""
    at, fired = 1, True
    while fired:
        faulty = Faulty(start.copy(), at, kind)
        yield faulty, attempt(writer, faulty)
        at, fired = at + 1, faulty.fired


def begun(**flags: bool) -> MemoryStore:
    store = MemoryStore(world("/d/h", "o") | world("/d/t", "o"), **flags)
    assert FIRST(store) == 1
    return store


OLD, NEW = ("f", "o"), ("f", "o", "s", "s2")


def settled(store: Any, outputs: tuple[str, ...] = OUTPUTS) -> tuple[Any, ...]:
    return tuple((read(store, t), bare(store, t)) for t in outputs)


ENDS = {1, "already_done", "crashed", "staging failed", "exit 6: storage_failed"}


def repaired(store: Any, outputs: tuple[str, ...]) -> bool:
    """Whether the same run, made again, leaves what one clean run would have left."""
    again = replace(RETRY, run_id="last", targets=outputs)
    return again(store) in {1, "already_done"} and settled(store, outputs) == ((NEW, NEW),) * len(outputs)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", STORES)
def test_a_run_that_fails_at_any_call_is_finished_or_undone_by_the_next(name: str, kind: str) -> None:
    ends = []
    for faulty, ended in faults(begun(**STORES[name]), SECOND, kind):
        seen = tuple(read(faulty.store, target) for target in OUTPUTS)
        assert seen in {(OLD, OLD), (NEW, NEW)}
        assert ended in ENDS
        assert ended != 1 or seen == (NEW, NEW)
        assert repaired(faulty.store, OUTPUTS)
        ends.append(ended)
    assert len(ends) > 35
    assert ends[-1] == 1


@pytest.mark.parametrize(("first", "then"), [("crash", "crash"), ("crash after", "error after")])
@pytest.mark.parametrize("name", STORES)
def test_what_repairs_may_fail_at_any_call_too(name: str, first: str, then: str) -> None:
    writer, tried = replace(SECOND, targets=OUTPUTS[1:]), 0
    for faulty, _ in faults(begun(**STORES[name]), writer, first):
        for repairing, ended in faults(faulty.store, replace(RETRY, targets=OUTPUTS[1:]), then):
            tried += 1
            assert ended in ENDS
            assert read(repairing.store, "/d/t") in {OLD, NEW}
            assert repaired(repairing.store, OUTPUTS[1:])
    assert tried > 400


def test_the_next_version_finishes_what_this_one_was_killed_in(monkeypatch: pytest.MonkeyPatch) -> None:
    for faulty, _ in faults(begun(), SECOND, "crash"):
        with monkeypatch.context() as later:
            later.setattr(log, "FORMAT", 2)
            assert repaired(faulty.store, OUTPUTS)


@pytest.mark.parametrize("number", [1, 2])
@pytest.mark.parametrize(("name", "flags"), [("local", {}), ("hdfs", STORES["HDFS"])])
def test_journals_that_earlier_versions_left_are_finished(
    name: str, flags: dict[str, bool], number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log, "FORMAT", number)
    text = (Path(__file__).parent / "journals" / "format-1.json").read_text(encoding="utf-8")
    store = MemoryStore({path: data if data is None else data.encode() for path, data in json.loads(text)[name].items()}, **flags)
    retry = Writer("retry", ("no",), slice="b", logical="b", state=True)
    assert (read(store, "/d/t"), retry(store), bare(store, "/d/t")) == (("a", "b", "o"), "already_done", ("a", "b", "o"))
    with running(store, "next", {"/d/t": "n"}, AT_ONCE) as run:
        assert run.state(JOB) == b"a b "


def test_this_version_leaves_alone_what_the_next_one_was_killed_in(monkeypatch: pytest.MonkeyPatch) -> None:
    refused = 0
    for at in range(1, 60):
        store = begun()
        with monkeypatch.context() as later:
            later.setattr(log, "FORMAT", 2)
            attempt(SECOND, Faulty(store, at, "crash"))
        before, home = dict(store.state), [name for name in store.list("/d/.h.sparkkit/log") if name > "000000000003"]
        if home:
            refused += 1
            assert (RETRY(store), read(store, "/d/h"), store.state) == ("exit 2: newer_format", "failed", before)
    assert refused > 30


def test_this_version_refuses_a_later_one_in_one_sentence_with_exit_code_2(monkeypatch: pytest.MonkeyPatch) -> None:
    store = begun()
    with monkeypatch.context() as later:
        later.setattr(log, "FORMAT", 2)
        attempt(SECOND, Faulty(store, 20, "crash"))
    with pytest.raises(UsageError) as error, running(store, "r", {"/d/h": "s"}, AT_ONCE):
        pass
    assert (str(error.value), error.value.exit_code) == (
        "/d/.h.sparkkit/log/000000000004 has format 2, and this sparkkit knows formats up to 1: "
        "run with the newer sparkkit that wrote it", 2,
    )


def test_a_run_that_dies_at_any_call_on_a_real_disk_is_finished_or_undone(tmp_path: Path) -> None:
    start, end = replace(FIRST, targets=("{}/t",)), 0
    for at in range(1, 100):
        target = f"{tmp_path}/{at}/t"
        store = LocalStore()
        assert replace(start, targets=(target,))(store) == 1
        faulty = Faulty(store, at, "crash")
        attempt(replace(SECOND, targets=(target,)), faulty)
        assert read(store, target) in {OLD[:1], NEW[:1] + NEW[2:]}
        assert replace(RETRY, targets=(target,))(store) in {1, "already_done"}
        assert (read(store, target), bare(store, target)) == (NEW[:1] + NEW[2:],) * 2
        end = at
        if not faulty.fired:
            break
    assert 15 < end < 99


def on_disk(disk: Disk, monkeypatch: pytest.MonkeyPatch, exchanges: bool = True) -> LocalStore:
    """The local store on a disk that can lose its power."""

    def rename(old: str, new: str, flag: int) -> int:
        return disk.move(old, new, flag) if exchanges or not flag else 38

    monkeypatch.setattr(local, "os", disk)
    monkeypatch.setattr(local, "_rename", rename)
    return LocalStore()


class Spark(Writer):
    """Stages as Spark does: its files are closed, and not synced."""

    def __call__(self, store: Any) -> Hashable:
        class Staging:
            def __getattr__(self, name: str) -> Any:
                return getattr(store, name)

            def put_if_absent(self, path: str, data: bytes) -> bool:
                if "/out/" not in path:
                    return bool(store.put_if_absent(path, data))
                local.os.stage(path, data)  # type: ignore[attr-defined]
                return True

        return super().__call__(Staging())


LONG = "n" * 150
HELD, NEXT = (f"f{LONG}",), (f"f{LONG}", f"s{LONG}")


def power_cuts(monkeypatch: pytest.MonkeyPatch, exchanges: bool) -> Iterator[str]:
    """What is wrong after the power was cut at the first call of a run, at its second, and so on until it passes."""
    first, second = Spark("first", HELD, slice="1"), Spark("second", NEXT[1:], slice="2")
    ended: Hashable = "crashed"
    at = 0
    while ended == "crashed":
        at += 1
        disk = Disk()
        assert first(on_disk(disk, monkeypatch, exchanges)) == 1
        disk.calls, disk.crash_at = 0, at
        ended = attempt(second, on_disk(disk, monkeypatch, exchanges))
        for cut in CUTS:
            store = on_disk(disk.cut(cut), monkeypatch, exchanges)
            seen = read(store, "/d/t")
            if seen not in ((NEXT,) if ended == 1 else (HELD, NEXT)):
                yield f"{cut} at call {at}, after which the run {ended}: a reader sees {seen}"
            again = replace(second, run_id="retry", logical="second")(store)
            if again not in (1, "already_done") or (read(store, "/d/t"), bare(store, "/d/t")) != (NEXT, NEXT):
                yield f"{cut} at call {at}: the retry ends with {again}, and leaves {read(store, '/d/t')}"
    assert at > 50


@pytest.mark.parametrize("exchanges", [True, False])
def test_what_was_published_outlives_a_power_cut_at_any_call(monkeypatch: pytest.MonkeyPatch, exchanges: bool) -> None:
    assert list(power_cuts(monkeypatch, exchanges)) == []


@pytest.mark.parametrize(("where", "what"), [(local, "_sync"), (LocalStore, "persist")])
def test_the_power_cuts_find_a_missing_sync(monkeypatch: pytest.MonkeyPatch, where: Any, what: str) -> None:
    monkeypatch.setattr(where, what, lambda *_: None)
    assert next(power_cuts(monkeypatch, True), None)


def test_the_power_cuts_find_a_folder_whose_name_is_not_safe(monkeypatch: pytest.MonkeyPatch) -> None:
    def make_folder(_self: LocalStore, path: str) -> None:
        parts = path.split("/")
        for folder in ("/".join(parts[: i + 1]) for i in range(1, len(parts))):
            if not local.os.path.isdir(folder):
                local.os.mkdir(folder)

    monkeypatch.setattr(LocalStore, "make_folder", make_folder)
    assert next(power_cuts(monkeypatch, True), None)
