"""The publishing protocol on a real S3 server, in a session that has S3: run by test_s3.py."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext, suppress
from dataclasses import replace

import pytest
from pyspark.sql import SparkSession

from sparkkit import sources
from sparkkit.errors import InfrastructureError, LockedError
from sparkkit.storage import journal, object_store, stores
from sparkkit.storage.hadoop import Hadoop
from sparkkit.storage.journal import Staged, running
from sparkkit.storage.lock import Patience
from sparkkit.storage.object_store import ObjectStore
from sparkkit.storage.seam import Store, walk
from tests.e2e.buckets import Bucket
from tests.storage.faults import Crash, Faulty
from tests.storage.scenarios import Writer, bare, read


@pytest.fixture(scope="module")
def bucket() -> Bucket:
    return Bucket(os.environ)


@pytest.fixture
def store(bucket: Bucket, spark: SparkSession) -> Store:
    found = stores.store(Hadoop.of(spark), bucket.root)
    assert isinstance(found, ObjectStore)
    return found


@pytest.mark.parametrize("scheme", ["s3", "s3a"])
def test_s3_keeps_what_the_seam_promises(bucket: Bucket, spark: SparkSession, scheme: str) -> None:
    at = f"{scheme}://{bucket.name}/seam-{scheme}"
    store = stores.store(Hadoop.of(spark), at)
    with ThreadPoolExecutor(8) as pool:
        won = list(pool.map(lambda i: store.put_if_absent(f"{at}/x", b"%d" % i), range(8)))
    found = store.read(f"{at}/x")
    assert found
    assert (won.count(True), found.data, store.list(at)) == (1, b"%d" % won.index(True), ("x",))
    version = store.replace_if_unchanged(f"{at}/x", b"new", found.version)
    assert (version is None, store.replace_if_unchanged(f"{at}/x", b"late", found.version)) == (False, None)
    assert store.replace_if_unchanged(f"{at}/none", b"late", found.version) is None
    for name in ("a/1", "a/b=%41 ü/2", "b/1"):
        store.put_if_absent(f"{at}/{name}", name.encode())
    made = [store.duplicate(f"{at}/{old}", f"{at}/c/{old}") for old in ("a/1", "a/b=%41 ü/2", "a/none", "a/1")]
    assert (made, walk(store, f"{at}/c")) == ([True, True, False, True], ("a/1", "a/b=%41 ü/2"))
    for _ in range(2):
        store.delete(f"{at}/a")
    copied = store.read(f"{at}/c/a/b=%41 ü/2")
    assert (store.list(at), copied and copied.data, store.read(f"{at}/c"), store.list(f"{at}/x"), store.list(f"{at}/none")) == (
        ("b/", "c/", "x"), "a/b=%41 ü/2".encode(), None, (), ())


def test_what_one_request_can_not_copy_is_copied_in_parts(store: Store, bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(object_store, "LARGEST", 1)
    monkeypatch.setattr(object_store, "PART", 5 * 2**20)
    data = bytes(range(256)) * 4096 * 12
    assert store.put_if_absent(f"{bucket.root}/parts/x", data)
    assert store.duplicate(f"{bucket.root}/parts/x", f"{bucket.root}/parts/y")
    found = store.read(f"{bucket.root}/parts/y")
    assert found
    assert found.data == data


@pytest.mark.parametrize("mode", ["append", "overwrite"])
def test_a_run_that_dies_at_any_fifth_call_is_finished_or_undone(
    store: Store, bucket: Bucket, mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal, "Heart", lambda *_: nullcontext())
    for at in range(1, 80, 5):
        target = f"{bucket.root}/{mode}/{at}/t"
        first, second = Writer("a", ("a",), (target,), slice="1"), Writer("b", ("b",), (target,), mode, slice="2")
        assert first(store) == 1
        faulty, then = Faulty(store, at, "crash"), second.after(("a",), ())
        with suppress(Crash):
            second(faulty)
        assert read(store, target) in {("a",), then}
        assert replace(second, run_id="c", logical="b")(store) in {1, "already_done"}
        assert (read(store, target), bare(store, target)) == (then, then)
        if not faulty.fired:
            break
    assert 15 < at < 79


def test_what_a_run_that_died_has_copied_in_part_is_not_read(
    store: Store, spark: SparkSession, bucket: Bucket, monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(journal, "Heart", lambda *_: nullcontext())
    monkeypatch.setattr(sources, "PAUSE", 0)
    monkeypatch.setattr(ObjectStore, "threads", 1)
    seen = set[object]()
    for at in range(1, 80, 3):
        target = f"{bucket.root}/half/{at}/t"
        first, second = Writer("a", ("a", "b"), (target,)), Writer("c", ("c", "d"), (target,))
        assert first(store) == 1
        faulty = Faulty(store, at, "crash")
        with suppress(Crash):
            second(faulty)
        try:
            found, _ = sources.listing(Hadoop.of(spark), "data", (target,))
            seen.add("".join(file.path[-1] for file in found if not file.hidden))
        except InfrastructureError as error:
            seen.add(error.reason)
            assert replace(second, run_id="e", logical="c")(store) in {1, 2, "already_done"}
            assert [file.path[-1] for file in sources.listing(Hadoop.of(spark), "data", (target,))[0]] == ["c", "d"]
        if not faulty.fired:
            break
    assert seen == {"ab", "busy", "cd"}


def test_two_writers_at_once_lose_nothing(store: Store, bucket: Bucket) -> None:
    target = f"{bucket.root}/two/t"

    def write(run_id: str) -> None:
        with running(store, run_id, {target: run_id}, Patience(interval=0.02, missed=500)) as run:
            store.put_if_absent(f"{run.workspace(target)}/out/{run_id}", b"")
            run.publish(run_id, [Staged(target, f"{run.workspace(target)}/out", "append")])

    def writer(name: str) -> None:
        for number in range(5):
            while True:
                with suppress(LockedError):
                    write(f"{name}{number}")
                    break

    with ThreadPoolExecutor(2) as pool:
        for done in [pool.submit(writer, name) for name in "ab"]:
            done.result()
    assert bare(store, target) == tuple(f"{name}{number}" for name in "ab" for number in range(5))
