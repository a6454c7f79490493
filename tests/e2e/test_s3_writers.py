"""Two processes that append to one Delta table on S3, at the same moments: every commit that was acknowledged is there, once."""
from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from sparkkit import jars
from tests.e2e import cluster, environments
from tests.e2e.buckets import Bucket
from tests.e2e.test_s3 import table

pytestmark = [pytest.mark.e2e, pytest.mark.cluster, pytest.mark.timeout(1800)]
ROOT = environments.ROOT
DELTAS_OWN = "spark.delta.logStore.s3a.impl=io.delta.storage.S3SingleDriverLogStore"


@pytest.fixture(scope="module")
def bucket() -> Iterator[Bucket]:
    if not jars.has_log_store(["delta", "s3"]):
        pytest.skip("no log store: set-up builds it where a JDK is")
    with cluster.running("s3") as found:
        yield Bucket(found)


def write(bucket: Bucket, key: str, rounds: int, folder: Path, *settings: str) -> tuple[Counter[object], Counter[object]]:
    """What two writers were told to have committed, and what the table's log has: each by writer and round."""
    folder.mkdir()
    env = {**os.environ, **bucket.found, "SPARK_LOCAL_IP": "127.0.0.1", "PYTHONPATH": str(ROOT)}
    rest = [str(rounds), f"{bucket.root}/{key}", str(folder), *settings]
    argv = [[sys.executable, "-m", "tests.e2e.s3_writer", name, *rest] for name in "ab"]
    at_work = [subprocess.Popen(words, cwd=ROOT, env=env, stdout=subprocess.PIPE, text=True) for words in argv]
    said = [json.loads(process.communicate(timeout=1500)[0].splitlines()[-1]) for process in at_work]
    told = Counter[object]((one["name"], number) for one in said for number in one["made"])
    return told, Counter[object](table(bucket.get(key, folder / "table")))


@pytest.mark.parametrize("rounds", [5, pytest.param(50, marks=pytest.mark.long)])
def test_every_commit_that_was_acknowledged_is_there_once(bucket: Bucket, tmp_path: Path, rounds: int) -> None:
    told, there = write(bucket, f"two/{rounds}", rounds, tmp_path / "at")
    assert there == told
    assert len(told) == 2 * rounds


@pytest.mark.long
def test_with_deltas_own_log_store_commits_are_lost_which_were_acknowledged(bucket: Bucket, tmp_path: Path) -> None:
    told, there = write(bucket, "control", 50, tmp_path / "at", DELTAS_OWN)
    assert told - there
