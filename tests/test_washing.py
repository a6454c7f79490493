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


def test_a_log_is_replaced_whole_for_its_owner_alone(tmp_path: Path) -> None:
    log = tmp_path / "local-1"
    task = '{"Event":"SparkListenerTaskEnd","Task End Reason":{"Reason":"Success"},"x":1}\n'
    log.write_text(task + '{"Event":"y","simpleString":"Filter (a#1 = hunter2)"}\n{"Event":"cut off')
    washing.wash(str(tmp_path))
    assert (log.read_text(), [p.name for p in tmp_path.iterdir()], log.stat().st_mode & 0o777) == (
        task + '{"Event":"y","simpleString":"Filter (a#1 = ?)"}\n', ["local-1"], 0o600)  # fmt: skip


def test_a_log_that_is_not_there_or_no_text_is_let_be(tmp_path: Path) -> None:
    (tmp_path / "x.zstd").write_bytes(b"\x28\xb5\x2f\xfd\xff")
    for log in (None, str(tmp_path / "none"), "hdfs://nn/x", str(tmp_path)):
        washing.wash(log)
    assert [p.name for p in tmp_path.iterdir()] == ["x.zstd"]
