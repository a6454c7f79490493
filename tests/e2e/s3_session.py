"""The publishing protocol on a real S3 server, in a session that has S3: run by test_s3.py."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext

import pytest
from pyspark.sql import SparkSession

from sparkkit import sources
from sparkkit.storage import journal, object_store, stores
from sparkkit.storage.hadoop import Hadoop
from sparkkit.storage.object_store import ObjectStore
from sparkkit.storage.seam import Store, walk
from tests.e2e.buckets import Bucket
from tests.storage import real


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
    assert 15 < real.finished_or_undone(store, bucket.root, mode, range(1, 80, 5)) < 79


def test_what_a_run_that_died_has_copied_in_part_is_not_read(
    store: Store, spark: SparkSession, bucket: Bucket, monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(journal, "Heart", lambda *_: nullcontext())
    monkeypatch.setattr(sources, "PAUSE", 0)
    monkeypatch.setattr(ObjectStore, "threads", 1)
    assert real.seen_of_a_half(store, spark, bucket.root, range(1, 80, 3)) == {"ab", "busy", "cd"}


def test_two_writers_at_once_lose_nothing(store: Store, bucket: Bucket) -> None:
    assert real.left_by_two(store, bucket.root) == real.OF_TWO
