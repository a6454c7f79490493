"""States that are committed with the data, and versions that are put back."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import replace
from typing import Any

import pytest

from sparkkit.errors import InfrastructureError, UsageError
from sparkkit.storage.journal import Staged, running
from sparkkit.storage.seam import Store
from sparkkit.storage.versions import rollback, versions
from tests.storage.faults import KINDS, Crash, Faulty
from tests.storage.memory import MemoryStore, world
from tests.storage.scenarios import AT_ONCE, JOB, Writer, bare, commit_table, died_deciding, read, table_rows

pytestmark = pytest.mark.usefixtures("no_heart")

T, PAIR = "/d/t", ("/d/h", "/d/t")
FLAGS: dict[str, dict[str, bool]] = {"local": {}, "no renameat2": {"exchanges": False}, "HDFS": {"exchanges": False, "links": False}}
S3 = {"exchanges": False, "links": False, "renames": False}


@pytest.fixture(params=FLAGS)
def flags(request: pytest.FixtureRequest) -> dict[str, bool]:
    return FLAGS[request.param]


def run(name: str, **kwargs: Any) -> Writer:
    return Writer(name, (name,), slice=kwargs.pop("slice", name), **kwargs)


def state(store: Store, *targets: str, name: str = JOB) -> bytes | None:
    """What the next run finds."""
    with running(store, "look", dict.fromkeys(targets or (T,), "look"), AT_ONCE) as looking:
        return looking.state(name)


def publish(store: Store, run_id: str, states: dict[str, bytes], *targets: str) -> None:
    with running(store, run_id, dict.fromkeys(targets, run_id), AT_ONCE) as one:
        for target in targets:
            store.put_if_absent(f"{one.workspace(target)}/out/{run_id}", b"")
        one.publish(run_id, [Staged(t, f"{one.workspace(t)}/out", "append") for t in targets], states)


def test_each_named_state_is_the_last_that_was_committed(flags: dict[str, bool]) -> None:
    store = MemoryStore({}, **flags)
    publish(store, "a", {"one": b"\x00\n1", "two": b""}, T)
    publish(store, "b", {"one": b"2"}, T)
    publish(store, "c", {}, T)
    assert [state(store, name=name) for name in ("one", "two", "none")] == [b"2", b"", None]


def test_a_job_that_has_another_output_now_finds_its_state(flags: dict[str, bool]) -> None:
    store = MemoryStore({}, **flags)
    publish(store, "a", {JOB: b"1"}, "/d/m")
    publish(store, "b", {JOB: b"2"}, "/d/a", "/d/m")
    publish(store, "c", {JOB: b"3"}, "/d/m", "/d/z")
    assert [state(store, *targets) for targets in (("/d/a", "/d/m"), ("/d/z",), ("/d/a",))] == [b"3", b"3", b"2"]


def test_a_run_that_fails_leaves_the_state(flags: dict[str, bool]) -> None:
    store = MemoryStore({}, **flags)
    publish(store, "a", {JOB: b"1"}, T)
    with running(store, "b", {T: "s"}, AT_ONCE) as failing, pytest.raises(InfrastructureError, match="are gone"):
        failing.publish("b", [Staged(T, f"{failing.workspace(T)}/out", "append")], {JOB: b"2"})
    assert state(store) == b"1"


def faults(start: MemoryStore, program: Any, kind: str) -> list[tuple[MemoryStore, Hashable]]:
    """The stores that a program leaves with a fault at its first call, its second, and so on, until none comes; and how it ended."""
    found: list[tuple[MemoryStore, Hashable]] = []
    fired = True
    while fired:
        faulty = Faulty(start.copy(), len(found) + 1, kind)
        try:
            ended = program(faulty)
        except Crash:
            ended = "crashed"
        fired = faulty.fired
        found.append((faulty.store, ended))
    return found


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("targets", [(T,), PAIR], ids=["one output", "two outputs"])
def test_state_and_data_are_both_there_or_both_not(flags: dict[str, bool], targets: tuple[str, ...], kind: str) -> None:
    start, first, second = MemoryStore({}, **flags), run("a", targets=targets, state=True), run("b", targets=targets, state=True)
    assert first(start) == 1
    tried = faults(start, second, kind)
    for store, ended in tried:
        seen = {read(store, target) for target in targets}
        found = {store_state for target in targets if (store_state := state(store.copy(), target))}
        assert (seen, found) in [({("a",)}, {b"a "}), ({("a", "b")}, {b"a b "})]
        assert ended != 1 or found == {b"a b "}
        assert replace(second, run_id="c", logical="b")(store) in {1, "already_done"}
        assert state(store, *targets) in {b"a b ", b"a c "}
    assert len(tried) > 20


@pytest.mark.parametrize("kind", KINDS)
def test_state_and_rows_of_a_table_are_both_there_or_both_not(kind: str) -> None:
    start = MemoryStore({}, **S3)
    assert run("a", table=True, state=True)(start) == 1
    for store, _ in faults(start, run("b", table=True, state=True), kind):
        found = None
        with running(store, "look", {T: "look"}, AT_ONCE, commit_table(store)) as looking:
            found = looking.state(JOB)
        assert (table_rows(store, T), found) in [(("a",), b"a "), (("a", "b"), b"a b ")]


def test_a_state_that_somebody_deleted_before_it_was_put_is_missed(flags: dict[str, bool]) -> None:
    store = died_deciding(MemoryStore({}, **flags), run("a", state=True))
    store.delete("/d/.t.sparkkit/work/a.1/put")
    with pytest.raises(InfrastructureError, match=r"/put/states/.* is gone: restore the file"):
        state(store)


def kept(store: Store) -> list[tuple[str, tuple[str, ...]]]:
    return [(version.run_id, version.undoes) for version in versions(store, T)]


def history(*names: str, **flags: bool) -> MemoryStore:
    """A store to which these runs were appended, one after another, each with its state."""
    store = MemoryStore(world(T, "o"), **flags)
    assert [run(name, state=True)(store) for name in names] == [1] * len(names)
    return store


def test_the_last_versions_are_listed_with_what_goes_when_they_come_back() -> None:
    assert [kept(history(*names)) for names in ("", "a", "ab", "abc")] == [
        [], [("a", ()), ("", ("a",))], [("b", ()), ("a", ("b",)), ("", ("b", "a"))], [("c", ()), ("b", ("c",)), ("a", ("c", "b"))],
    ]


@pytest.mark.parametrize(("to", "files", "found"), [("b", ("a", "b", "o"), b"a b "), ("a", ("a", "o"), b"a ")])
@pytest.mark.parametrize("flags", [{}, {"exchanges": False}], ids=["local", "no renameat2"])
def test_a_version_is_put_back_with_its_state_and_can_be_undone(
    flags: dict[str, bool], to: str, files: tuple[str, ...], found: bytes
) -> None:
    store = history(*"abc", **flags)
    back = rollback(store, T, to, "r1", AT_ONCE)
    assert (back.run_id, read(store, T), bare(store, T), state(store)) == (to, files, files, found)
    rollback(store, T, "c", "r2", AT_ONCE)
    assert (read(store, T), state(store)) == (("a", "b", "c", "o"), b"a b c ")


def test_what_was_there_before_any_run_can_be_put_back() -> None:
    store = history("a")
    rollback(store, T, "", "r", AT_ONCE)
    assert (bare(store, T), state(store), kept(store)[0][0]) == (("o",), None, "r")


def test_a_rollback_that_is_made_again_does_nothing() -> None:
    store = history(*"abc")
    rollback(store, T, "a", "r1", AT_ONCE)
    again = rollback(store, T, "a", "r2", AT_ONCE)
    assert (again.run_id, [version for version, _ in kept(store)], read(store, T)) == ("r1", ["r1", "c", "b"], ("a", "o"))


def test_after_a_rollback_a_retry_runs_again_and_a_re_run_replaces_what_is_there() -> None:
    store = MemoryStore(world(T, "o"))
    attempts = [run("a", slice="s"), run("b", slice="s")]
    assert [attempt(store) for attempt in attempts] == [1, 2]
    rollback(store, T, "a", "r", AT_ONCE)
    assert (read(store, T), run("a2", slice="s", logical="a")(store)) == (("a", "o"), "already_done")
    assert (run("b2", slice="s", logical="b")(store), read(store, T)) == (4, ("b2", "o"))


def test_what_is_not_kept_is_refused_and_what_is_kept_is_named() -> None:
    with pytest.raises(UsageError, match="version x of /d/t is not kept; kept are: b, a"):
        rollback(history(*"abc"), T, "x", "r", AT_ONCE)
    with pytest.raises(UsageError, match="version b of /d/t is what it holds now; kept are: a, the files from before"):
        rollback(history(*"ab"), T, "b", "r", AT_ONCE)


def test_where_files_can_not_be_linked_nothing_is_put_back() -> None:
    store = history(*"abc", **FLAGS["HDFS"])
    with pytest.raises(UsageError, match=r"kept are: none: a Delta table goes back by its own RESTORE, files where they can be linked"):
        rollback(store, T, "b", "r", AT_ONCE)
    assert (kept(store), read(store, T)) == ([("c", ())], ("a", "b", "c", "o"))


def test_an_output_whose_state_is_shared_does_not_go_back_alone() -> None:
    store = MemoryStore({})
    for name in "ab":
        publish(store, name, {JOB: name.encode()}, *PAIR)
    with pytest.raises(UsageError, match="state job was committed to /d/t and /d/h at once: one can't go back without the other"):
        rollback(store, T, "a", "r", AT_ONCE)
    assert (read(store, T) == (), bare(store, T), state(store)) == (False, ("a", "b"), b"b")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("flags", [{}, {"exchanges": False}], ids=["local", "no renameat2"])
def test_a_rollback_that_fails_at_any_call_is_finished_or_undone_by_the_next(flags: dict[str, bool], kind: str) -> None:
    back = Writer("r", (), to="a")
    tried = faults(history(*"abc", **flags), back, kind)
    for store, ended in tried:
        seen, found = read(store, T), state(store.copy())
        assert (seen, found) in [(("a", "b", "c", "o"), b"a b c "), (("a", "o"), b"a ")]
        assert ended != 1 or seen == ("a", "o")
        assert replace(back, run_id="again")(store) == 1
        assert (read(store, T), bare(store, T), state(store)) == (("a", "o"), ("a", "o"), b"a ")
    assert len(tried) > 40
