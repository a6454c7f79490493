"""The profiles for AWS: what they have in comments is right, too, and makes a request."""
from __future__ import annotations

import re
import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from sparkkit import conf
from sparkkit.project import Project, find
from sparkkit.submission import emr, serverless
from tests.submission.test_emr import ORDER

ENV = find().root / "conf" / "env"


def uncommented(name: str, tmp_path: Path) -> dict[str, Any]:
    """A profile's `[submit]` with the examples in its comments, as a run reads it."""
    text = (ENV / f"{name}.toml").read_text(encoding="utf-8").replace("BUCKET", "bucket")
    text = re.sub(r"^# (?=\w+ = |\[)", "", text, flags=re.MULTILINE)
    (tmp_path / "conf" / "env").mkdir(parents=True)
    (tmp_path / "conf" / "env" / f"{name}.toml").write_text(text, encoding="utf-8")
    return dict(conf.load(Project(tmp_path), "x", inputs=(), outputs=(), params=(), env=name).submit)


def test_the_examples_for_emr_make_a_step_and_a_cluster(tmp_path: Path) -> None:
    said = uncommented("emr", tmp_path)
    assert emr.request(replace(ORDER, submit=said)).request["JobFlowId"] == said["cluster"]
    said["subnets"], said["cluster"] = said["subnets"][:1], None
    request = emr.request(replace(ORDER, submit=said)).request
    assert [one["InstanceRole"] for one in request["Instances"]["InstanceGroups"]] == ["MASTER", "CORE", "TASK"]
    assert request["ManagedScalingPolicy"]["ComputeLimits"]["MaximumCapacityUnits"] == 20


def test_the_examples_for_emr_serverless_make_a_job_run(tmp_path: Path) -> None:
    said = uncommented("emr-serverless", tmp_path)
    request = serverless.request(replace(ORDER, target="emr-serverless", submit=said)).request
    assert (request["applicationId"], request["executionTimeoutMinutes"]) == (said["application"], 120)


@pytest.mark.parametrize("name", ["emr", "emr-serverless"])
def test_each_setting_of_spark_has_its_reason_above_it(name: str) -> None:
    text = (ENV / f"{name}.toml").read_text(encoding="utf-8")
    groups = re.findall(r'((?:^#.*\n)+)((?:^"spark\..*\n?)+)', text.partition("[spark]\n")[2], re.MULTILINE)
    assert sum(len(lines.splitlines()) for _, lines in groups) == len(tomllib.loads(text)["spark"])
