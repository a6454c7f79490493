"""The batch that Livy is sent, against files of what is expected."""
from __future__ import annotations

import json
from dataclasses import asdict, replace

import pytest

from sparkkit.errors import UsageError
from sparkkit.options import unshipped
from sparkkit.submission.livy import address, request
from sparkkit.submission.order import Order
from tests.submission.golden import expected

ODD = ("--env", "prod", "--note", "it's 5 %, \"so\" to say", "--city", "Zürich,Bern", "--empty", "")
ORDER = Order(
    name="names", file="hdfs:///apps/abc/names.py", options=ODD, target="livy", deploy_mode="cluster", token="names-1-a",
    settings={"spark.a": "x y", "spark.executor.memory": "4g"}, package="hdfs:///apps/abc/sparkkit_package.zip",
    submit={"url": "https://livy.example:8998/"},
)
SIZES = "--driver-memory 2g --driver-cores=2 --executor-memory 8g --executor-cores 4 --num-executors 10 --queue nightly".split()
OTHERS = "--packages g:a:1 --repositories https://r --exclude-packages g:b --total-executor-cores 9 --driver-class-path /x.jar".split()
CASES = {
    "livy": ORDER,
    "livy-sizes": replace(ORDER, spark=tuple(SIZES)),
    "livy-sizes-by-conf": replace(ORDER, spark=("--conf", "spark.yarn.queue=q", "-c", "spark.executor.instances=3", "--conf=spark.b=c=d")),
    "livy-lists": replace(ORDER, spark=("--jars", "hdfs:///a.jar,/b.jar", "--files=s3a://b/f.txt", "--py-files", "hdfs:///c.zip"),
                          jars=("hdfs:///d.jar",)),
    "livy-environment": replace(ORDER, submit={**ORDER.submit, "environment": "hdfs:///e.tar.gz", "proxy_user": "etl"}),
    "livy-python": replace(ORDER, submit={**ORDER.submit, "python": "/usr/bin/python3.11"}, spark=("--proxy-user", "ann")),
    "livy-other-options": replace(ORDER, spark=tuple(OTHERS)),
}


@pytest.mark.parametrize("name", CASES)
def test_the_batch_is_as_expected(name: str) -> None:
    expected(f"{name}.json", json.dumps(asdict(request(CASES[name])), indent=2, ensure_ascii=False))


def test_each_word_of_the_job_stays_one_word() -> None:
    assert [unshipped(word) for word in request(ORDER).body["args"]] == list(ODD)


def test_an_option_wins_over_a_setting_and_the_last_one_over_the_first() -> None:
    spark = ("--executor-memory", "1g", "--conf", "spark.executor.memory=2g", "--executor-memory=3g")
    body = request(replace(ORDER, spark=spark)).body
    assert (body["executorMemory"], "spark.executor.memory" in body["conf"]) == ("3g", False)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"submit": {}}, "target livy needs the address of its server"),
        ({"deploy_mode": "client"}, "Livy's server says where the driver runs"),
        ({"spark": ("--master", "yarn")}, "Livy has no field for --master: its server has the master"),
        ({"spark": ("--name", "n")}, "no field for --name: the batch's name is that of the submission"),
        ({"spark": ("--supervise",)}, "no field for --supervise: leave it out"),
        ({"spark": ("--properties-file", "f")}, "no field for --properties-file: write the settings into"),
        ({"spark": ("--keytab=k",)}, "no field for --keytab"),
        ({"spark": ("--conf", "spark.master=yarn")}, "spark.master can't be set for a batch"),
        ({"settings": {"spark.submit.deployMode": "client"}}, "spark.submit.deployMode can't be set"),
        ({"spark": ("--conf", "spark.a")}, "'spark.a' is not KEY=VALUE"),
        ({"spark": ("--num-executors", "many")}, "spark.executor.instances is 'many', expected a whole number"),
        ({"spark": ("--jars", "a.jar")}, "a.jar is no whole path"),
        ({"file": "jobs/names.py"}, "jobs/names.py is no whole path"),
        ({"submit": {"url": "https://h", "proxy_user": 3}}, "submit.proxy_user is 3, expected a text"),
    ],
)
def test_what_livy_has_no_place_for_is_refused(changes: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        request(replace(ORDER, **changes))


@pytest.mark.parametrize("url", "livy:8998 ftp://h https:// https://me@h https://me:pw@h http://h?a=b http://h:x".split())
def test_what_is_no_address_is_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(UsageError, match=r"submit.url is no address such as"):
        address(url)


def test_what_is_shown_has_no_credentials() -> None:
    submit = {**ORDER.submit, "user": "ann", "password": "${env:LIVY_PASSWORD}", "token": "${env:LIVY_TOKEN}"}
    assert request(replace(ORDER, submit=submit)).shown() == request(ORDER).shown()
