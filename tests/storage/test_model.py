"""The publishing protocol, exhaustively: two writers in every order of their calls, each dead at any point, and a reader in between.

A takeover may come at any moment (no patience at all), so that every writer is a zombie in some order.
"""

from __future__ import annotations

import json

import pytest

from sparkkit.storage import lock
from sparkkit.storage import resolve as reading
from tests.storage import exhaust
from tests.storage.space import ASLEEP, DEEP, HDFS, SCENARIOS, Scenario, faulted, late_task, long_asleep

pytestmark = [pytest.mark.usefixtures("no_heart"), pytest.mark.once]


def holds(name: str, scenario: Scenario, monkeypatch: pytest.MonkeyPatch, tried: list[str]) -> None:
    report = scenario.explore()
    assert report.violations == []
    told = f"{name}: calls {report.calls}, states {report.states}, stores {len(report.facts)}"
    if scenario.watched:
        monkeypatch.setattr(reading, "LOOKS", 1)
        seen = scenario.observe(report)
        assert seen.violations == []
        assert len({end for end in seen.ends if "failed" not in end[0]}) > 2
        told += f"; a reader's calls {seen.calls}, states {seen.states}"
    assert report.states > 1000
    tried.append(f"{told}; violations 0")


@pytest.mark.parametrize("name", SCENARIOS)
def test_nothing_is_lost_and_nothing_there_twice(
    name: str, monkeypatch: pytest.MonkeyPatch, tried: list[str]
) -> None:
    holds(name, SCENARIOS[name], monkeypatch, tried)


@pytest.mark.e2e
@pytest.mark.parametrize("name", DEEP)
def test_nothing_is_lost_and_nothing_there_twice_in_the_long_run(
    name: str, monkeypatch: pytest.MonkeyPatch, tried: list[str]
) -> None:
    holds(name, DEEP[name], monkeypatch, tried)


@pytest.mark.parametrize(
    "kind",
    ["error after", *(pytest.param(kind, marks=pytest.mark.e2e) for kind in ("error", "short write", "asked twice"))],
)
def test_any_call_may_fail_while_another_run_is_at_work(kind: str, monkeypatch: pytest.MonkeyPatch, tried: list[str]) -> None:
    monkeypatch.setattr(reading, "LOOKS", 1)
    report = faulted(HDFS, kind, switches=0)
    assert report.violations == []
    tried.append(f"{kind} at each call, HDFS: calls {report.calls}; violations 0")


def test_what_the_script_searches_by_chance_holds_and_its_last_line_is_json(capsys: pytest.CaptureFixture[str]) -> None:
    ended = exhaust.main("--seed", "7", "--walks", "30", "--only", "walks")
    told = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (ended, told["violations"], told["seed"], told["calls"] > 2000) == (0, 0, 7, True)


def test_a_task_that_outlives_its_run_harms_nothing() -> None:
    report = late_task()
    assert (report.violations, report.states > 1000) == ([], True)


def test_a_run_that_slept_until_its_number_was_pruned_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lock, "KEEP", 1)
    report = long_asleep()
    assert report.violations == []
    assert {("lock_lost", (1, 1)), (1, (1, 1))} <= report.ends


@pytest.mark.e2e
def test_who_reads_while_numbers_are_pruned_sees_one_version(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lock, "KEEP", 1)
    report = long_asleep()
    monkeypatch.setattr(reading, "LOOKS", 1)
    assert ASLEEP.observe(report).violations == []
