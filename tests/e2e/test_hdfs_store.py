"""The publishing protocol on a real HDFS: the seam's promises, a run that dies at any call, two runs at once."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from uuid import uuid4

import pytest
from pyspark.sql import SparkSession

from sparkkit import sources
from sparkkit.storage import journal
from sparkkit.storage.hadoop import Hadoop
from sparkkit.storage.hadoop_store import HadoopStore
from sparkkit.storage.seam import walk
from tests.e2e import cluster
from tests.storage import real

pytestmark = [pytest.mark.e2e, pytest.mark.cluster, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def root() -> Iterator[str]:
    with cluster.running("hdfs") as found:
        yield f"{found['SPARKKIT_HDFS']}/store-{uuid4().hex}"


@pytest.fixture(scope="module")
def store(root: str, spark: SparkSession) -> HadoopStore:
    return HadoopStore.of(Hadoop.of(spark), root)


def test_hdfs_keeps_what_the_seam_promises(store: HadoopStore, root: str) -> None:
    at = f"{root}/seam"
    with ThreadPoolExecutor(4) as pool:
        won = list(pool.map(lambda i: store.put_if_absent(f"{at}/x", b"%d" % i), range(4)))
    found = store.read(f"{at}/x")
    assert found
    assert (won.count(True), found.data, store.list(at)) == (1, b"%d" % won.index(True), ("x",))
    version = store.replace_if_unchanged(f"{at}/x", b"new", found.version)
    assert (version is None, store.replace_if_unchanged(f"{at}/x", b"late", found.version)) == (False, None)
    for name in ("a/1", "a/2", "a/3", "a/4", "b/1"):
        store.put_if_absent(f"{at}/{name}", b"")
    store.make_folder(f"{at}/empty")
    refused = [store.rename(f"{at}/a", f"{at}/{new}") for new in ("b", "empty", "x", "none/a")]
    moved = [store.rename(f"{at}/a", f"{at}/c"), store.rename(f"{at}/a", f"{at}/d")]
    assert (refused, moved, walk(store, at)) == ([False] * 4, [True, False], ("b/1", "c/1", "c/2", "c/3", "c/4", "x"))
    for _ in range(2):
        store.delete(f"{at}/c")
    assert (store.list(at), store.read(f"{at}/c/1"), store.list(f"{at}/x")) == (("b/", "empty/", "x"), None, ())


@pytest.mark.parametrize("mode", ["append", "overwrite"])
def test_a_run_that_dies_at_any_fifth_call_is_finished_or_undone(
    store: HadoopStore, root: str, mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal, "Heart", lambda *_: nullcontext())
    assert 15 < real.finished_or_undone(store, root, mode, range(1, 60, 5)) < 59


def test_what_a_run_that_died_has_moved_in_part_is_not_read(
    store: HadoopStore, spark: SparkSession, root: str, monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(journal, "Heart", lambda *_: nullcontext())
    monkeypatch.setattr(sources, "PAUSE", 0)
    assert real.seen_of_a_half(store, spark, root, range(1, 60)) == {"ab", "busy", "cd"}


def test_two_writers_at_once_lose_nothing(store: HadoopStore, root: str) -> None:
    assert real.left_by_two(store, root) == real.OF_TWO
