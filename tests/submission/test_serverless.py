"""The requests to EMR Serverless, against files of what is expected and against AWS's own model of the call."""
from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from sparkkit.errors import UsageError
from sparkkit.submission.order import Order
from sparkkit.submission.serverless import request, token
from tests.submission.golden import expected
from tests.submission.model import fits
from tests.submission.test_emr import ODD

BASE: dict[str, Any] = {"application": "00fabc123", "execution_role": "arn:aws:iam::123456789012:role/names"}
ORDER = Order(
    name="names", file="s3://code/apps/0a1b/names.py", package="s3://code/apps/0a1b/sparkkit_package.zip", options=(*ODD, "--empty", ""),
    target="emr-serverless", deploy_mode="cluster", settings={"spark.a": "x, y"}, submit=BASE, token="names-20261129T015110-0a1b2c",
)
CASES = {
    "serverless": ORDER,
    "serverless-all": replace(ORDER, submit=BASE | {
        "log_uri": "s3://logs/serverless/", "timeout_minutes": "90", "tags": {"team": "data"}, "environment": "s3://code/e.tar.gz",
        "release": "emr-7.13.0",
    }, spark=("--executor-memory", "8g", "--conf", "spark.a=z", "--py-files=s3://code/more.zip", "--verbose", "--master", "yarn")),
}


@pytest.mark.parametrize("name", CASES)
def test_the_request_is_as_expected(name: str) -> None:
    expected(f"{name}.json", request(CASES[name]).shown())


@pytest.mark.parametrize("name", CASES)
def test_aws_would_take_the_request(name: str) -> None:
    arn = "arn:aws:emr-serverless:eu-central-1:123456789012:/applications/00f/jobruns/00r"
    fits(request(CASES[name]), {"applicationId": "00f", "jobRunId": "00r", "arn": arn})


def test_each_word_of_the_job_stays_one_word() -> None:
    assert request(ORDER).request["jobDriver"]["sparkSubmit"]["entryPointArguments"] == [*ORDER.options]


def test_a_submission_that_is_sent_again_has_the_same_token() -> None:
    odd = replace(ORDER, token="Größe-20261129T015110-0a1b2c")
    assert token(ORDER) == ORDER.token
    assert token(odd) == token(odd) != token(replace(odd, token=odd.token + "d"))
    assert len(token(odd)) == 64


def conf(**keys: Any) -> Order:
    return replace(ORDER, submit=BASE | keys)


@pytest.mark.parametrize(
    ("order", "message"),
    [
        (conf(application=None), "needs an application: set application in .submit. of conf/env/emr-serverless.toml"),
        (conf(application="j-1"), "an application's id"),
        (conf(execution_role="names"), "a role such as arn:aws:iam"),
        (conf(log_uri="/var/log"), "expected s3://bucket/folder"),
        (conf(timeout_minutes=0), "a whole number from 1 to 1,000,000"),
        (conf(release="emr-6.15.0"), "is none that sparkkit is written for"),
        (replace(ORDER, deploy_mode="client"), "runs the driver itself"),
        (replace(ORDER, spark=("--class", "x.Y")), "--class is nothing that EMR Serverless knows"),
        (replace(ORDER, settings={f"spark.k{i}": "x" for i in range(97)}), "101 settings, and EMR Serverless takes 100"),
        (replace(ORDER, settings={"spark.x": "y" * 1025}), "spark.x has 1,025 signs"),
        (replace(ORDER, options=("x",) * 1025), "1,025 arguments"),
        (replace(ORDER, settings={"spark.sql.files.ignoreCorruptFiles": "true"}), "is refused"),
    ],
)
def test_what_it_would_not_take_is_refused_before_it_is_sent(order: Order, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        request(order)
