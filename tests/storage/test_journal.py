"""Publishing, one run after another: modes, generations, retries, what is kept, what is refused."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest

from sparkkit.errors import InfrastructureError, LockedError, SparkkitError, UsageError
from sparkkit.storage import resolve as reading
from sparkkit.storage.journal import Staged, running
from sparkkit.storage.lock import Patience, follow
from sparkkit.storage.log import Entry, Log, Part, entry_of
from sparkkit.storage.resolve import View, files, resolve
from sparkkit.storage.seam import walk
from tests.storage.faults import Crash, Faulty
from tests.storage.memory import MemoryStore, world
from tests.storage.scenarios import AT_ONCE, Writer, bare, died_deciding, read, table_rows

pytestmark = pytest.mark.usefixtures("no_heart")

T = "/d/t"
FLAGS = ({}, {"exchanges": False}, {"exchanges": False, "links": False}, {"exchanges": False, "links": False, "renames": False})
P = ("p=1/o", "p=2/q", "p=3/r")


@pytest.fixture(params=FLAGS, ids=["local", "no renameat2", "HDFS", "S3"])
def flags(request: pytest.FixtureRequest) -> Any:
    return request.param


def made(flags: Any, before: tuple[str, ...], *writers: Writer) -> tuple[Any, list[Any]]:
    """What the bare path holds after these runs, and how each ended; what a reader sees is the same."""
    store = MemoryStore(world(T, *before) if before else {}, **flags)
    ended = [writer(store) for writer in writers]
    assert read(store, T) == bare(store, T)
    return bare(store, T), ended


def run(name: str, *names: str, **kwargs: Any) -> Writer:
    return Writer(name, names or (name,), **kwargs)


@pytest.mark.parametrize(
    ("before", "writers", "expected"),
    [
        ((), [run("a")], ("a",)),
        (("o",), [run("a", mode="overwrite")], ("a",)),
        (("o",), [run("a", slice="1"), run("b", slice="2")], ("a", "b", "o")),
        (P, [run("a", "p=2/a", "p=4/a", mode="overwrite_partitions")], ("p=1/o", "p=2/a", "p=3/r", "p=4/a")),
        (("o",), [run("a", "a", "a2", slice="1"), run("b", slice="2"), run("c", slice="1")], ("b", "c", "o")),
        (P, [run("a", "p=1/a", "p=2/a", mode="overwrite_partitions"), run("b", "p=1/b", mode="overwrite_partitions")], ("p=1/b", "p=3/r")),
        (("o",), [run("a", slice="1"), run("b", mode="overwrite", slice="2"), run("c", slice="1")], ("b", "c")),
    ],
    ids=["first", "overwrite", "append", "partitions", "a re-run of an append", "a re-run of partitions", "a re-run after an overwrite"],
)
def test_a_publication_leaves_what_its_mode_says(flags: Any, before: Any, writers: Any, expected: Any) -> None:
    assert made(flags, before, *writers)[0] == expected


def test_an_empty_re_run_takes_away_what_the_slice_wrote(flags: Any) -> None:
    store = MemoryStore(world(T, "o"), **flags)
    run("a")(store)
    with running(store, "b", {T: "s"}, AT_ONCE) as second:
        store.make_folder(f"{second.workspace(T)}/out")
        second.publish("b", [Staged(T, f"{second.workspace(T)}/out", "append")])
    assert (read(store, T), bare(store, T)) == (("o",), ("o",))


def test_a_retry_does_nothing_and_a_re_run_is_the_next_generation(flags: Any) -> None:
    attempts = [run("a"), run("a2", "x", logical="a"), run("late"), run("a3", "y", logical="a"), run("other", slice="2")]
    assert made(flags, (), *attempts) == (("other", "y"), [1, "already_done", 2, 3, 1])


def test_a_retry_of_what_somebody_deleted_is_made_again(flags: Any) -> None:
    store = MemoryStore({}, **flags)
    first = run("a")(store)
    store.delete(T)
    assert (first, read(store, T), run("b", logical="a")(store), read(store, T)) == (1, (), 2, ("b",))


def test_several_outputs_are_published_in_the_order_given_or_not_at_all(flags: Any) -> None:
    store, targets = MemoryStore({}, **flags), ("/d/z", "/d/a")
    with running(store, "r", dict.fromkeys(targets, "s"), AT_ONCE) as two:
        for target in targets:
            store.put_if_absent(f"{two.workspace(target)}/out/x", b"x")
        with pytest.raises(UsageError, match="run r has no lock on /d/other"):
            two.publish("r", [Staged("/d/other", f"{two.workspace('/d/z')}/out", "append")])
        parts = two.publish("r", [Staged(t, f"{two.workspace(t)}/out", "append") for t in targets])
    assert ([p.target for p in parts], bare(store, "/d/z"), bare(store, "/d/a")) == (["/d/z", "/d/a"], ("x",), ("x",))


@pytest.mark.parametrize("left", ["/d/a", "/d/z"])
def test_an_output_that_is_not_given_stays_as_it_is_and_is_free(flags: Any, left: str) -> None:
    store, targets = MemoryStore(world("/d/a", "o") | world("/d/z", "o"), **flags), ("/d/a", "/d/z")
    given = next(t for t in targets if t != left)
    with running(store, "r", dict.fromkeys(targets, "s"), AT_ONCE) as one:
        store.put_if_absent(f"{one.workspace(given)}/out/x", b"x")
        one.publish("r", [Staged(given, f"{one.workspace(given)}/out", "append")])
    kinds = [Log(store, target).last()[1].kind for target in targets]  # type: ignore[union-attr]
    assert (bare(store, left), bare(store, given), kinds) == (("o",), ("o", "x"), ["done", "done"])


def test_a_retry_is_made_again_where_a_run_replaced_the_whole_after_it(flags: Any) -> None:
    whole = run("w", mode="overwrite", slice="*")
    assert made(flags, (), run("a"), whole, run("w2", "x", logical="w", mode="overwrite", slice="*"), run("a2", "y", logical="a")) == (
        ("w", "y"), [1, 1, "already_done", 2])


def test_a_run_that_fails_leaves_the_target_and_no_files(flags: Any) -> None:
    store = MemoryStore(world(T, "o"), **flags)
    failing = running(store, "r", {T: "s"}, AT_ONCE)
    store.put_if_absent(f"{failing.__enter__().workspace(T)}/out/x", b"x")
    assert not failing.__exit__(ZeroDivisionError, ZeroDivisionError(), None)
    assert (read(store, T), store.list("/d/.t.sparkkit/work"), Log(store, T).slots()) == (("o",), (), [1, 2])


def test_hidden_files_stay_but_for_the_checksums_of_what_goes() -> None:
    store = MemoryStore(world(T, "_SUCCESS"))
    Writer("a", ("x", ".x.crc"))(store)
    Writer("b", ("y", ".y.crc"), slice="2")(store)
    Writer("c", ("z",))(store)
    assert store.list(T) == (".sparkkit", ".y.crc", "_SUCCESS", "y", "z")
    Writer("d", ("v",), mode="overwrite")(store)
    assert store.list(T) == (".sparkkit", "v")


def test_the_files_of_the_last_publications_are_kept_and_no_more(flags: Any) -> None:
    store = MemoryStore(world(T, "o"), **flags)
    for name in "abcd":
        run(name, mode="overwrite")(store)
    kept = [file for file in walk(store, "/d/.t.sparkkit/work") if "sparkkit" not in file]
    assert kept == (["b.4/old/a", "c.7/old/b", "d.10/old/c"] if store.renames else [])


def test_old_entries_are_pruned(flags: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sparkkit.storage.lock.KEEP", 3)
    store = MemoryStore({}, **flags)
    store.put_if_absent("/d/.t.sparkkit/log/.000000000001.77.tmp", b"half")
    assert [run(name)(store) for name in "abcd"] == [1, 2, 3, 4]
    assert (store.list("/d/.t.sparkkit/log")[0], Log(store, T).slots()) == ("000000000007", [7, 8, 9, 10, 11, 12])


def test_what_counts_never_grows_again(monkeypatch: pytest.MonkeyPatch) -> None:
    store = MemoryStore()
    for keep, name in ((1, "a"), (1, "b"), (100, "c")):
        monkeypatch.setattr("sparkkit.storage.lock.KEEP", keep)
        run(name)(store)
    last = Log(store, T).last()[1]
    assert last and last.first == 3


def test_a_commit_that_came_after_its_number_was_pruned_is_none() -> None:
    store = MemoryStore(world(T, "o"))
    home = Log(store, "/d/h")
    part = Part(T, 1, "a", "s", "a", 1, "append", "files", ("a",))
    home.append(9, Entry("done", "b", ("/d/h", 7), first=5))
    home.append(2, Entry("commit", "a", ("/d/h", 1), (part,)))
    Log(store, T).append(1, Entry("open", "a", ("/d/h", 1)))
    assert resolve(store, T) == View("", T)


def test_an_output_is_told_what_was_decided_before_the_log_that_did_goes_on(flags: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sparkkit.storage.lock.KEEP", 1)
    pair = ("/d/h", T)
    for at in range(1, 99):
        store = MemoryStore(world("/d/h", "o") | world(T, "o"), **flags)
        dying = Faulty(store, at, "crash")
        with suppress(Crash):
            Writer("a", ("a",), pair, slice="a")(dying)
        before = [read(store, target) for target in pair]
        assert [run(name, targets=pair[:1], slice=name)(store) for name in "xyz"] == [1, 1, 1]
        assert [set(read(store, "/d/h")) - {"x", "y", "z"}, set(read(store, T))] == [set(content) for content in before]
        if not dying.fired:
            break
    assert 20 < at < 99


def test_no_run_publishes_twice_under_one_id(flags: Any) -> None:
    assert made(flags, (), run("a"), run("a", logical="l"), run("b", slice="2"), run("c", slice="3"), run("a", "d", logical="m")) == (
        ("b", "c", "d"), [1, "exit 2: run_id_used", 1, 1, 2],
    )


def test_a_log_that_was_begun_anew_decides_nothing_for_who_had_the_one_before(flags: Any) -> None:
    store = MemoryStore({}, **flags)
    left = running(store, "dead", {"/d/h": "s", T: "s"}, AT_ONCE)
    left.__enter__()
    store.delete("/d/.h.sparkkit")
    assert Writer("new", ("n",), ("/d/h",))(store) == 1
    assert (read(store, T), run("a")(store), read(store, T)) == ((), 1, ("a",))


def test_the_next_run_waits_for_none_whose_commit_somebody_has_put_for_it() -> None:
    store, pair = MemoryStore(), ("/d/h", T)
    with running(store, "a", dict.fromkeys(pair, "s"), AT_ONCE) as first:
        for target in pair:
            store.put_if_absent(f"{first.workspace(target)}/out/a", b"a")
        opened = first.held[T]
        append = Log.append

        def told(log: Log, slot: int, entry: Entry) -> bool:
            done = append(log, slot, entry)
            if entry.kind == "commit" and log.target == "/d/h":
                follow(opened.log, opened.slot, opened.entry, entry)
            return done

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Log, "append", told)
            first.publish("a", [Staged(t, f"{first.workspace(t)}/out", "append") for t in pair])
    with running(store, "b", {T: "s"}, Patience(sleep=lambda _: pytest.fail("waited"))):
        assert [Log(store, T).get(slot).kind for slot in (1, 2, 3, 4)] == ["open", "commit", "done", "open"]  # type: ignore[union-attr]


def test_a_table_that_knows_a_later_generation_than_the_journal_gets_the_next() -> None:
    store, seen = MemoryStore(), [7]
    for run_id in "ab":
        with running(store, run_id, {T: "s"}, AT_ONCE, lambda part, _: seen.append(part.generation)) as one:
            store.put_if_absent(f"{one.workspace(T)}/out/x", b"x")
            one.publish(run_id, [Staged(T, f"{one.workspace(T)}/out", "append", table=True, generation=seen[-1])])
        store.delete("/d/.t.sparkkit")
    assert seen == [7, 8, 9]


def test_a_file_that_is_there_already_is_not_replaced_by_one_of_the_same_name(flags: Any) -> None:
    store = MemoryStore(world(T, "o"), **flags)
    assert (Writer("a", ("o",))(store), read(store, T)) == ("exit 2: file_exists", ("o",))
    assert Writer("a", ("o",), mode="overwrite")(store) == "exit 2: file_exists"


@pytest.mark.parametrize(("flags", "way"), [(FLAGS[1], T), (FLAGS[2], f"{T}/a")])
def test_what_a_stranger_puts_in_the_way_is_not_overwritten(flags: Any, way: str) -> None:
    store = MemoryStore(world(T, "o"), **flags)
    rename, made = store.rename, f"{T}/stranger" if way == T else way

    def interfere(old: str, new: str) -> bool:
        if new == way:
            store.put_if_absent(made, b"stranger")
        return rename(old, new)

    store.rename = interfere  # type: ignore[method-assign]
    ended = [run("a")(store), run("b", logical="a")(store)]
    found = store.read(made)
    store.rename = rename  # type: ignore[method-assign]
    store.delete(way)
    assert (ended, found and found.data) == (["exit 6: target_exists"] * 2, b"stranger")
    assert (run("c", logical="a")(store), bare(store, T)) == ("already_done", ("a", "o"))


def test_a_commit_whose_answer_was_lost_and_asked_for_again_counts() -> None:
    store = MemoryStore()
    put = store.put_if_absent

    def ask_twice(path: str, data: bytes) -> bool:
        return put(path, data) and put(path, data) if "/log/" in path else put(path, data)

    store.put_if_absent = ask_twice  # type: ignore[method-assign]
    assert (run("a")(store), read(store, T)) == (1, ("a",))


def test_a_table_is_committed_by_itself_once_and_in_the_same_publication() -> None:
    store = MemoryStore(renames=False, links=False, exchanges=False)
    table = run("a", table=True)
    for at in range(1, 99):
        dying = Faulty(store.copy(), at, "crash")
        try:
            ended: Any = table(dying)
        except Crash:
            ended = "crashed"
        again = replace(table, run_id="b", logical="a")
        assert again(dying.store) in {1, "already_done"}
        assert table_rows(dying.store, T) == ("a",)
        assert ended != 1 or dying.store.list("/d/.t.sparkkit/work") == ()
        if ended == 1:
            break
    assert 10 < at < 99


def test_a_run_whose_publication_another_finishes_says_so_whatever_went_wrong_then() -> None:
    store, done = MemoryStore({}), list[str]()

    def slow(part: Part, folder: str) -> None:
        with running(store, "b", {T: "s2"}, AT_ONCE, lambda part, folder: done.append(part.run_id)):
            raise InfrastructureError(f"{folder} is gone")

    def first() -> None:
        with running(store, "a", {T: "s"}, AT_ONCE, slow) as a:
            store.make_folder(f"{a.workspace(T)}/out")
            a.publish("a", [Staged(T, f"{a.workspace(T)}/out", "append", table=True)])

    with pytest.raises(LockedError, match="another took over: it finishes what was published"):
        first()
    assert done == ["a"]


def test_plain_files_are_copied_where_there_is_no_rename_and_nothing_else_is_left() -> None:
    store = MemoryStore(world(T, "o"), renames=False, links=False, exchanges=False)
    assert (run("a")(store), run("b", mode="overwrite")(store)) == (1, 2)
    left = [path for path, data in store.state.items() if data is not None and path.startswith("/d/.t.sparkkit/") and "/log/" not in path]
    assert (bare(store, T), [path.split("/")[3] for path in left]) == (("b",), ["slices", "slices"])


def test_a_table_needs_somebody_who_can_commit_to_it() -> None:
    store = MemoryStore()
    with running(store, "r", {T: "s"}, AT_ONCE) as plain:
        store.put_if_absent(f"{plain.workspace(T)}/out/x", b"x")
        with pytest.raises(UsageError, match="/d/t is a table, and nothing here can commit to it"):
            plain.publish("r", [Staged(T, f"{plain.workspace(T)}/out", "append", table=True)])


def test_staged_files_that_are_gone_are_told(flags: Any) -> None:
    store = MemoryStore({}, **flags)
    if not store.renames:
        return  # no files and no folder are the same there
    with pytest.raises(InfrastructureError, match="the staged files at .*/out are gone: run again"):
        with running(store, "r", {T: "s"}, AT_ONCE) as nothing:
            nothing.publish("r", [Staged(T, f"{nothing.workspace(T)}/out", "append")])


def decided(**flags: bool) -> MemoryStore:
    """A store in which a run died right after its commit."""
    return died_deciding(MemoryStore(world(T, "o"), **flags), run("a"))


def test_what_was_decided_is_read_before_it_is_in_place(flags: Any) -> None:
    store = decided(**flags)
    view = resolve(store, T)
    assert (bare(store, T), read(store, T), view.version) == (("o",), ("a", "o"), "a")
    assert (run("b", logical="a")(store), bare(store, T)) == ("already_done", ("a", "o"))


def test_committed_files_that_somebody_deleted_are_missed(flags: Any) -> None:
    store = decided(**flags)
    for folder in ("work", "stage"):
        store.delete(f"/d/.t.sparkkit/{folder}")
    assert (read(store, T), run("b")(store)) == ("failed", "exit 6: journal_damaged")
    if store.renames:
        with pytest.raises(InfrastructureError, match=r"the files that were published to /d/t are not in /d/\.t\.sparkkit/work"):
            resolve(store, T)


def test_a_target_that_changes_all_the_time_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    views = iter(View(str(i), T) for i in range(100))
    monkeypatch.setattr(reading, "resolve", lambda *_: next(views))
    with pytest.raises(InfrastructureError, match="/d/t changed each of 20 times that it was listed: read again later"):
        files(MemoryStore(), T)


PART = Part(T, 1, "r", "s", "l", 1, "append", "whole", ("ä",), ("b",))


def test_an_entry_is_read_back_as_it_was_written() -> None:
    entry = Entry("commit", "r", (T, 1), (PART, replace(PART, how="table", staged="out")), PART, ("q",), 3)
    assert entry_of(entry.encode(), "x") == entry


@pytest.mark.parametrize(
    ("data", "error", "message"),
    [
        (b'{"format": 2, "kind": "new"}', UsageError, "x has format 2, and this sparkkit knows formats up to 1: run with the newer"),
        (b'{"format": 1, "ki', InfrastructureError, "x is damaged: restore the file"),
        (b"{}", InfrastructureError, "x is damaged"),
        (b"[1]", InfrastructureError, "x is damaged"),
        (b'{"format": 1, "kind": "open"}', InfrastructureError, "x is damaged"),
        (Entry("open", "r", (T, 1)).encode()[:-2] + b', "odd": 1}', InfrastructureError, "x is damaged"),
    ],
)
def test_an_entry_that_is_newer_or_damaged_is_refused_in_one_sentence(data: bytes, error: type[SparkkitError], message: str) -> None:
    with pytest.raises(error, match=message):
        entry_of(data, "x")


def test_an_entry_that_is_listed_and_never_there_is_given_up() -> None:
    store = MemoryStore()
    store.make_folder("/d/.t.sparkkit/log/000000000007")
    store.list = lambda folder: ("000000000007",)  # type: ignore[method-assign]
    with pytest.raises(InfrastructureError, match="/d/.t.sparkkit/log/000000000007 is listed and can't be read"):
        resolve(store, T)


def test_what_the_user_may_not_do_is_not_called_a_broken_storage() -> None:
    store = MemoryStore()

    def refuse(*_: Any) -> bool:
        raise PermissionError(13, "Permission denied")

    store.put_if_absent = refuse  # type: ignore[method-assign]
    with pytest.raises(PermissionError), running(store, "r", {T: "s"}, AT_ONCE):
        pass
