"""What the publishing protocol must hold on a store that is real: shown on HDFS and on S3 alike."""
from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace

from pyspark.sql import SparkSession

from sparkkit import sources
from sparkkit.errors import InfrastructureError, LockedError
from sparkkit.storage.hadoop import Hadoop
from sparkkit.storage.journal import Staged, running
from sparkkit.storage.lock import Patience
from sparkkit.storage.seam import Store
from tests.storage.faults import Crash, Faulty
from tests.storage.scenarios import Writer, bare, read


def finished_or_undone(store: Store, root: str, mode: str, calls: Iterable[int]) -> int:
    """A run that dies at each of these calls, until it needs no more: what is read, and what the next run leaves. The last call."""
    at = 0
    for at in calls:
        target = f"{root}/{mode}/{at}/t"
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
    return at


def seen_of_a_half(store: Store, spark: SparkSession, root: str, calls: Iterable[int]) -> set[object]:
    """What a reader sees of an overwrite that dies at each of these calls: the names of files, or why it does not read."""
    seen = set[object]()
    for at in calls:
        target = f"{root}/half/{at}/t"
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
    return seen


def left_by_two(store: Store, root: str) -> tuple[str, ...]:
    """What two writers at once, each of five runs that append, leave."""
    target = f"{root}/two/t"

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
    return bare(store, target)


OF_TWO = tuple(f"{name}{number}" for name in "ab" for number in range(5))
"""What is left where nothing was lost, and nothing is there twice."""
