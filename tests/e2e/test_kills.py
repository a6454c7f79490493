"""A driver that is killed at any event and run again leaves what one clean run would have left; `scripts/faults.sh kill` kills more."""

from __future__ import annotations

import json

import pytest

from sparkkit import jars
from tests.e2e.kills import faults

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]


def test_nothing_is_lost_and_nothing_there_twice(capsys: pytest.CaptureFixture[str]) -> None:
    if not list(jars.folder().glob("*delta-spark*.jar")):
        pytest.skip(f"no Delta jars in {jars.folder()}: run scripts/setup.sh")
    code = faults.main(["--seed=7", "--kills=3", "--only=parquet overwrite_partitions"])
    found = json.loads(capsys.readouterr().out.splitlines()[-1])
    wrong = {name: found[name] for name in ("lost", "twice", "torn_reads", "wrong_exit")}
    assert (code, found["faults"], wrong) == (0, 3, dict.fromkeys(wrong, 0))
