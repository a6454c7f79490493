"""What the seam promises, on a real folder and in memory; and what the local store does where its filesystem can't."""

from __future__ import annotations

import errno
import fcntl
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from sparkkit.errors import UsageError
from sparkkit.storage import local
from sparkkit.storage.hadoop import Hadoop
from sparkkit.storage.hadoop_store import HadoopStore
from sparkkit.storage.local import LocalStore, real_path
from sparkkit.storage.seam import Store, walk
from tests.storage.memory import MemoryStore


@pytest.fixture(params=["memory", "local", "local, no renameat2", "Hadoop"])
def store(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Store:
    if request.param == "memory":
        return MemoryStore()
    if request.param == "Hadoop":
        return HadoopStore.of(Hadoop.of(request.getfixturevalue("spark")), "file:///")
    if request.param != "local":
        monkeypatch.setattr(local, "_renameat2", None)
    return LocalStore()


@pytest.fixture
def at(store: Store, tmp_path: Path) -> str:
    store.make_folder(str(tmp_path))
    return str(tmp_path)


def text(store: Store, path: str) -> str | None:
    found = store.read(path)
    return found.data.decode() if found else None


def test_who_puts_first_wins(store: Store, at: str) -> None:
    first, second = store.put_if_absent(f"{at}/x/y", b"1"), store.put_if_absent(f"{at}/x/y", b"2")
    assert (first, second, text(store, f"{at}/x/y"), store.list(f"{at}/x")) == (True, False, "1", ("y",))


def test_of_many_at_once_one_puts(store: Store, at: str) -> None:
    with ThreadPoolExecutor(8) as pool:
        won = list(pool.map(lambda i: store.put_if_absent(f"{at}/x", b"%d" % i * 10_000), range(8)))
    assert (won.count(True), text(store, f"{at}/x")) == (1, str(won.index(True)) * 10_000)


def test_a_put_never_replaces_a_folder(store: Store, at: str) -> None:
    store.make_folder(f"{at}/x")
    assert (store.put_if_absent(f"{at}/x", b"1"), store.read(f"{at}/y")) == (False, None)


def test_only_what_is_unchanged_is_replaced(store: Store, at: str) -> None:
    store.put_if_absent(f"{at}/x", b"1")
    found = store.read(f"{at}/x")
    assert found
    second = store.replace_if_unchanged(f"{at}/x", b"2", found.version)
    late = store.replace_if_unchanged(f"{at}/x", b"3", found.version)
    third = store.replace_if_unchanged(f"{at}/x", b"4", second or "")
    gone = store.replace_if_unchanged(f"{at}/none", b"5", found.version)
    assert (second is None, late, third is None, gone, text(store, f"{at}/x")) == (False, None, False, None, "4")


def test_a_rename_never_lands_on_something(store: Store, at: str) -> None:
    for name in "ab":
        store.put_if_absent(f"{at}/{name}/{name}", name.encode())
    onto, away = store.rename(f"{at}/a", f"{at}/b"), store.rename(f"{at}/a", f"{at}/c")
    assert (onto, away, walk(store, at)) == (False, True, ("b/b", "c/a"))


def test_a_rename_consumes_its_source_and_makes_no_folder(store: Store, at: str) -> None:
    store.put_if_absent(f"{at}/a", b"a")
    nowhere = store.rename(f"{at}/a", f"{at}/none/a")
    there, again = store.rename(f"{at}/a", f"{at}/b"), store.rename(f"{at}/a", f"{at}/c")
    assert (nowhere, there, again, walk(store, at)) == (False, True, False, ("b",))


def test_an_exchange_swaps_folders_or_says_that_it_can_not(store: Store, at: str) -> None:
    for name in "ab":
        store.put_if_absent(f"{at}/{name}/{name}", name.encode())
    swapped, missing = store.exchange(f"{at}/a", f"{at}/b"), store.exchange(f"{at}/a", f"{at}/none")
    expected = ("a/b", "b/a") if store.exchanges else ("a/a", "b/b")
    assert (swapped, missing, walk(store, at)) == (store.exchanges, False, expected)


def test_a_link_outlives_its_first_name(store: Store, at: str) -> None:
    store.put_if_absent(f"{at}/a", b"a")
    if not store.links:
        with pytest.raises(OSError, match="/a can't have a second name on"):
            store.link(f"{at}/a", f"{at}/p=1/b")
        return
    store.link(f"{at}/a", f"{at}/p=1/b")
    store.delete(f"{at}/a")
    store.persist(at)
    assert (walk(store, at), text(store, f"{at}/p=1/b")) == (("p=1/b",), "a")


def test_a_whole_folder_is_deleted_and_nothing_there_is_fine(store: Store, at: str) -> None:
    for name in ("x/a", "x/y/b", "xz"):
        store.put_if_absent(f"{at}/{name}", b"")
    for _ in range(2):
        store.delete(f"{at}/x")
    assert (walk(store, at), store.list(f"{at}/x")) == (("xz",), ())


def test_a_rename_of_a_folder_never_lands_in_one_that_is_empty(store: Store, at: str) -> None:
    store.put_if_absent(f"{at}/a/x", b"x")
    store.make_folder(f"{at}/b")
    assert (store.rename(f"{at}/a", f"{at}/b"), store.list(at), store.list(f"{at}/b")) == (False, ("a/", "b/"), ())


def test_a_file_is_no_folder(store: Store, at: str) -> None:
    store.put_if_absent(f"{at}/a", b"")
    with pytest.raises(OSError):  # noqa: PT011
        store.make_folder(f"{at}/a/b")
    assert (store.list(f"{at}/a"), store.read(f"{at}/a/b"), store.list(at)) == ((), None, ("a",))


def test_names_are_taken_as_they_are(store: Store, at: str) -> None:
    names = ("a b", "p=%2F", "ä")
    for name in names:
        store.put_if_absent(f"{at}/{name}/x", name.encode())
    assert (store.list(at), [text(store, f"{at}/{name}/x") for name in names]) == (tuple(f"{name}/" for name in names), list(names))


def test_delete_does_not_follow_links(tmp_path: Path) -> None:
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious" / "file").touch()
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / "link").symlink_to(tmp_path / "precious")
    LocalStore().delete(f"{tmp_path}/work")
    assert walk(LocalStore(), str(tmp_path)) == ("precious/file",)


class Failing:
    """`os`, of which one call fails."""

    def __init__(self, name: str, number: int) -> None:
        self.name, self.number = name, number

    def __getattr__(self, name: str) -> Any:
        def fail(*_: Any) -> Any:
            raise OSError(self.number, os.strerror(self.number))

        return fail if name == self.name else getattr(os, name)


@pytest.mark.parametrize(("call", "number"), [("write", errno.ENOSPC), ("fsync", errno.EIO), ("link", errno.EPERM)])
def test_a_put_that_fails_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str, number: int) -> None:
    monkeypatch.setattr(local, "os", Failing(call, number))
    with pytest.raises(OSError, match=os.strerror(number)):
        LocalStore().put_if_absent(f"{tmp_path}/x", b"data")
    assert list(tmp_path.iterdir()) == []


def test_a_write_that_takes_less_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Short:
        def __getattr__(self, name: str) -> Any:
            return (lambda file, data: os.write(file, data[:3])) if name == "write" else getattr(os, name)

    monkeypatch.setattr(local, "os", Short())
    LocalStore().put_if_absent(f"{tmp_path}/x", b"ten bytes.")
    assert (tmp_path / "x").read_bytes() == b"ten bytes."


def test_one_who_is_at_it_is_not_waited_for(tmp_path: Path) -> None:
    store, path = LocalStore(), tmp_path / "x"
    store.put_if_absent(str(path), b"1")
    found = store.read(str(path))
    assert found
    with path.open() as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        assert store.replace_if_unchanged(str(path), b"2", found.version) is None
    assert store.replace_if_unchanged(str(path), b"2", found.version)


def test_where_no_file_can_be_locked_one_writer_replaces_all_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unable(*_: Any) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    store, path = LocalStore(), f"{tmp_path}/x"
    store.put_if_absent(path, b"1")
    monkeypatch.setattr(local.fcntl, "flock", unable)
    found = store.read(path)
    assert found
    assert (store.replace_if_unchanged(path, b"2", found.version) is None, text(store, path)) == (False, "2")


def test_a_target_is_where_its_links_lead_and_no_mount_point(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "there")
    with pytest.raises(UsageError, match="/proc is a mount point, which can't be replaced as a whole"):
        real_path("/proc")
    assert real_path(f"{tmp_path}/link/t") == os.path.realpath(f"{tmp_path}/there/t")
