"""An event log without secrets and literals, which the History Server can still read."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sparkkit import washing


@pytest.mark.parametrize(
    ("plan", "washed"),
    [
        ("Filter (isnotnull(a#1) AND (a#1 = hunter2 and more))", "Filter (isnotnull(a#1) AND (a#1 = ? ? ?))"),
        ("Project [hunter2 AS pw#3, (n#1 + 7) AS m#4L]", "Project [? AS pw#3, (n#1 + 7) AS m#4L]"),
        ("Exchange hashpartitioning(k#5L, 200), ENSURE_REQUIREMENTS, [plan_id=12]",) * 2,
        ("PushedFilters: [IsNotNull(a), EqualTo(a,hunter2)]", "PushedFilters: [IsNotNull(?), EqualTo(?,?)]"),
        ("FileScan parquet [a#1] Location: InMemoryFileIndex [s3a://me:hunter2@b/x, file:/y]",
         "FileScan parquet [a#1] Location: InMemoryFileIndex [s3a://***@b/x, file:/y]"),
        ("Scan JDBCRelation((select 'hunter2') t)", "Scan ?((? '?') ?)"),
    ],
)  # fmt: skip
def test_a_plan_keeps_its_operators_and_attributes_and_loses_its_literals(plan: str, washed: str) -> None:
    assert washing.plan(plan) == washed


def test_events_lose_descriptions_settings_and_what_errors_say() -> None:
    given = {
        "Event": "x", "description": "load hunter2",
        "Properties": {"spark.job.description": "hunter2", "my.passwd": "hunter2", "spark.ui": "a"},
        "errorMessage": "no login with pwd=hunter2\n== SQL ==\nselect 'hunter2'", "Hadoop Properties": {"fs.account.key.acme": "hunter2"},
        "RDD Info": [{"Name": "*(1) Project [hunter2 AS x#1]", "Scope": '{"id":"4","name":"Scan hunter2"}'}],
    }  # fmt: skip
    text = json.dumps(washing.event(given))
    assert ("hunter2" in text, '"spark.ui": "a"' in text, json.loads(json.loads(text)["RDD Info"][0]["Scope"])["id"]) == (False, True, "4")


def test_a_call_site_stays() -> None:
    assert washing.event({"description": "save at NativeMethodAccessorImpl.java:0"})["description"].startswith("save at")


TASK = '{"Event":"SparkListenerTaskEnd","Task End Reason":{"Reason":"Success"},"x":1}\n'


def log_of(name: str) -> str:
    return f'{{"Event":"SparkListenerApplicationStart","App Name":"{name}"}}\n{TASK}{{"Event":"y","simpleString":"hunter2"}}\n'


def test_a_log_is_replaced_whole_for_its_owner_alone(tmp_path: Path) -> None:
    log = tmp_path / "r.events" / "local-1"
    log.parent.mkdir()
    log.write_text(TASK + '{"Event":"y","simpleString":"Filter (a#1 = hunter2)"}\n{"Event":"cut off')
    assert washing.wash(str(log.parent), "r") is None
    assert (log.read_text(), [p.name for p in log.parent.iterdir()], log.stat().st_mode & 0o777) == (
        TASK + '{"Event":"y","simpleString":"Filter (a#1 = ?)"}\n', ["local-1"], 0o600)  # fmt: skip


@pytest.mark.parametrize("scheme", ["", "file:", "file://"])
@pytest.mark.parametrize("rolled", [False, True])
def test_in_a_folder_that_is_shared_the_log_of_this_run_alone_is_washed(tmp_path: Path, scheme: str, rolled: bool) -> None:
    mine = tmp_path / "eventlog_v2_app-1" / "events_2_app-1" if rolled else tmp_path / "app-1"
    mine.parent.mkdir(exist_ok=True)
    if rolled:
        (mine.parent / "events_1_app-1").write_text(log_of("run-1"))
    mine.write_text(log_of("run-1"))
    others = {tmp_path / "app-2": log_of("run-2"), tmp_path / "notes.txt": "Filter hunter2\n"}
    for path, said in others.items():
        path.write_text(said)
    assert washing.wash(f"{scheme}{tmp_path}", "run-1") is None
    washed = "".join(p.read_text() for p in mine.parent.iterdir() if p.name.endswith("app-1") and p.is_file())
    assert ("hunter2" in washed, washed.count("SparkListenerApplicationStart"), {p: p.read_text() for p in others}) == (
        False, 2 if rolled else 1, others)


def test_what_can_not_be_washed_is_named_and_let_be(tmp_path: Path) -> None:
    own, shared = tmp_path / "r.events", tmp_path / "logs"
    for folder in (own, shared):
        folder.mkdir()
        (folder / "x.zstd").write_bytes(b"\x28\xb5\x2f\xfd\xff")
    found = [washing.wash(log, "r") for log in (None, str(tmp_path / "none"), "hdfs://nn/x", str(own), str(shared))]
    assert [one and one[:30] for one in found] == [
        None, None, "the event log at hdfs://nn/x i"[:30], f"the event log {own}"[:30], "no readable event log of this "]
    assert [p.name for p in own.iterdir()] == ["x.zstd"]
