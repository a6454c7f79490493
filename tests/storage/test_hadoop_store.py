"""The protocol over Hadoop's filesystem API: what it publishes on a disk, what it refuses, how trouble is told."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from pyspark.sql import SparkSession

from sparkkit.errors import UsageError
from sparkkit.storage.hadoop import Hadoop
from sparkkit.storage.hadoop_store import HadoopStore
from tests.storage.faults import Crash, Faulty
from tests.storage.scenarios import Writer, bare, read

pytestmark = pytest.mark.usefixtures("no_heart")


@pytest.fixture
def store(spark: SparkSession) -> HadoopStore:
    return HadoopStore.of(Hadoop.of(spark), "file:///")


@pytest.mark.parametrize("scheme", ["", "file://"])
def test_what_is_published_is_what_the_memory_store_says(store: HadoopStore, tmp_path: Path, scheme: str) -> None:
    target = f"{scheme}{tmp_path}/t"
    runs = [Writer("a", ("a", "p=1/a"), slice="1"), Writer("b", ("b",), slice="1"), Writer("c", ("c",), mode="overwrite", slice="2")]
    seen = []
    for run in runs:
        assert isinstance(replace(run, targets=(target,))(store), int)
        seen.append((read(store, target), bare(store, target)))
    assert seen == [(("a", "p=1/a"),) * 2, (("b",),) * 2, (("c",),) * 2]


def test_a_run_that_dies_at_any_seventh_call_is_finished_or_undone(store: HadoopStore, tmp_path: Path) -> None:
    for at in range(1, 60, 7):
        target = f"{tmp_path}/{at}/t"
        first, second = Writer("a", ("a",), (target,), slice="1"), Writer("b", ("b",), (target,), slice="2")
        assert first(store) == 1
        faulty = Faulty(store, at, "crash")
        with suppress(Crash):
            second(faulty)
        assert read(store, target) in {("a",), ("a", "b")}
        assert replace(second, run_id="c", logical="b")(store) in {1, "already_done"}
        assert (read(store, target), bare(store, target)) == (("a", "b"),) * 2
        if not faulty.fired:
            break
    assert 15 < at < 59


def test_a_store_without_a_rename_in_one_step_is_refused() -> None:
    s3 = SimpleNamespace(system=lambda _: SimpleNamespace(getUri=lambda: SimpleNamespace(getScheme=lambda: "s3a")))
    with pytest.raises(UsageError, match="s3a://b/t is on s3a, where a rename is no single step, so that plain files can't be published"):
        HadoopStore.of(s3, "s3a://b/t")  # type: ignore[arg-type]


def test_trouble_is_told_in_one_line(store: HadoopStore, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match=rf"^[^\n]*{tmp_path}/file[^\n]*$"):
        store.make_folder(f"{tmp_path}/file/folder")
