"""A driver that is killed, stopped or raced, and run again, leaves what one run after the other would have left.

`scripts/faults.sh` does more of each: kill, executor, zombie, writers.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from sparkkit import jars
from tests.e2e.kills import faults, writers, zombie
from tests.e2e.kills.processes import Tally, Worker, worker
from tests.e2e.kills.world import Case

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(1200)]


@pytest.fixture(scope="module")
def pair() -> Iterator[tuple[Worker, Worker]]:
    """Two processes that run the job."""
    pytest.importorskip("duckdb")
    if not list(jars.folder().glob("*delta-spark*.jar")):
        pytest.skip(f"no Delta jars in {jars.folder()}: run scripts/setup.sh")
    with worker(0.3, 10) as one, worker(0.3, 10) as other:
        yield one, other


@pytest.mark.parametrize(("case", "at", "do"), [
    (Case("parquet", "overwrite_partitions"), "before store exchange work#2", "kill"),
    pytest.param(Case("delta", "cdc"), "after Transaction.write#1", "orphan", marks=pytest.mark.long),
], ids=["between two outputs", "between files and log"])
def test_nothing_is_lost_and_nothing_there_twice(pair: tuple[Worker, Worker], tmp_path: Path, case: Case, at: str, do: str) -> None:
    tally = Tally()
    scene = faults.Scene(case, tmp_path / "now", pair[0], tally, seed=7)
    scene.prepare()
    hit, _ = scene.fault(at, do)
    assert (hit, tally.faults, tally.bad()) == (True, 1, 0)
    assert tally.reads > 3


@pytest.mark.parametrize(("case", "at"), [
    (Case("parquet", "append"), "after store persist work#3"),
    pytest.param(Case("delta", "merge"), "before Transaction.commit#1", marks=pytest.mark.long),
], ids=["before it decided", "after it decided"])
def test_an_owner_that_wakes_up_late_changes_nothing(pair: tuple[Worker, Worker], tmp_path: Path, case: Case, at: str) -> None:
    tally = Tally()
    scene = zombie.Scene(case, tmp_path / "now", pair[0], tally, seed=7)
    scene.prepare()
    scene.fault(at, "3")
    assert (tally.faults, tally.bad()) == (1, 0)


def test_two_at_once_lose_nothing(pair: tuple[Worker, Worker], tmp_path: Path) -> None:
    tally = Tally()
    both = writers.Pair(Case("delta", "merge"), tmp_path / "now", pair, tally)
    both.round(("1", "2"), "two days")
    both.round(("3b", "3"), "one day")
    assert (sorted(both.ends)[:1], set(both.ends) <= {0, 5}, tally.bad()) == ([0], True, 0)
