"""The verbs `submit` and `iam-policy` for AWS, as a person types them."""
from __future__ import annotations

import json

import pytest

from sparkkit.submission import remote, submit

SAID = [
    "--set", "submit.code=s3://bucket/code", "--input", "s3://bucket/in", "--output", "s3://bucket/out", "--output-format", "delta",
    "--set", "submit.cluster=j-1", "--set", "submit.application=00f", "--set", "submit.execution_role=arn:aws:iam::123456789012:role/x",
]


@pytest.mark.parametrize("target", ["emr", "emr-serverless"])
def test_what_is_shown_is_the_request_as_json(target: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert submit.main(["--target", target, "--print", "names", *SAID]) == 0
    out, err = capsys.readouterr()
    shown = json.loads(out)
    assert shown["service"] == target
    assert "***" not in out
    puts = [line for line in err.splitlines() if line.startswith("# puts")]
    assert [line.split("/")[-1].split(",")[0] for line in puts] == ["names.py", "sparkkit_package.zip"]


def test_the_policy_is_printed_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert remote.iam_policy(["names", "--env", "emr-serverless", *SAID]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert [one["Sid"] for one in shown["policy"]["Statement"]] == ["Read", "Write", "Code", "List1"]
    assert shown["trust"]["Statement"][0]["Principal"] == {"Service": "emr-serverless.amazonaws.com"}
