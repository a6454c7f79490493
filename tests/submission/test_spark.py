"""The words of spark-submit for each kind of cluster, against files of what is expected."""
from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from sparkkit.errors import UsageError
from sparkkit.options import unshipped
from sparkkit.submission.order import Command, Order
from sparkkit.submission.spark import command, problems
from tests.submission.golden import expected

ODD = ("--env", "prod", "--note", "it's 5 %, \"so\" to say", "--city", "Zürich,Bern")
ORDER = Order(
    name="names", file="/p/jobs/names.py", options=ODD, target="yarn", settings={"spark.yarn.queue": "nightly", "spark.a": "x y"},
    package="/p/.sparkkit/packages/abc/sparkkit_package.zip", driver_python="/p/.venv/bin/python",
)
CASES = {
    "yarn-client": ORDER,
    "yarn-cluster": replace(ORDER, deploy_mode="cluster"),
    "yarn-cluster-wait": replace(ORDER, deploy_mode="cluster", wait=True),
    "yarn-python": replace(ORDER, submit={"python": "/usr/bin/python3.11"}),
    "yarn-environment": replace(ORDER, submit={"environment": "hdfs:///e.tar.gz"}, deploy_mode="cluster"),
    "yarn-options": replace(ORDER, spark=("--py-files", "a.zip", "--jars=c.jar", "--conf", "spark.a=z"), jars=("/d.jar",)),
    "standalone": replace(ORDER, target="standalone", submit={"master": "spark://h:7077"}),
    "k8s": replace(ORDER, target="k8s", deploy_mode="cluster", spark=("--master", "k8s://https://h:6443"), file="local:///app/names.py"),
}


@pytest.mark.parametrize("name", CASES)
def test_the_command_is_as_expected(name: str) -> None:
    found = command(CASES[name])
    assert found.without == ("PYTHONPATH",)
    expected(f"{name}.txt", "\n".join([*(f"{k}={v}" for k, v in found.environment.items()), *found.words]))


def test_each_word_of_the_job_stays_one_word() -> None:
    assert command(ORDER).words[-len(ODD):] == ODD


def test_what_is_shown_can_be_typed_into_a_shell() -> None:
    import shlex

    found = command(ORDER)
    assert shlex.split(found.shown()) == ["env", "-u", "PYTHONPATH", "PYSPARK_DRIVER_PYTHON=/p/.venv/bin/python", *found.words]
    assert isinstance(found, Command)


@pytest.mark.parametrize(
    ("order", "message"),
    [
        (replace(ORDER, target="standalone"), "target standalone needs a master.*set master in .submit. of conf/env/standalone.toml"),
        (replace(ORDER, target="standalone", submit={"master": "yarn"}), "expected spark://"),
        (replace(CASES["standalone"], deploy_mode="cluster"), "does not run the driver of a Python job"),
        (replace(CASES["k8s"], file="/p/jobs/names.py"), "target k8s needs a folder that its pods can read"),
        (replace(ORDER, submit={"python": 3}), "submit.python is 3, expected a text"),
    ],
)
def test_what_a_cluster_can_not_do_is_refused(order: Order, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        command(order)


def test_yarn_without_its_addresses_is_told_before_spark_starts(tmp_path: Path) -> None:
    assert [*problems(ORDER, {"HADOOP_CONF_DIR": str(tmp_path)})] == []
    assert ["HADOOP_CONF_DIR" in text for text in problems(ORDER, {})] == [True]


ODD_WORDS = ("", "it's", "`id`", "$HOME", "$(POD)", "{{x}}",
             "Zürich 北京", "a\nb", "sparkkit64:eA==", '"', "\\", "plain, too", "b\udcff")


@pytest.mark.parametrize("word", ODD_WORDS)
def test_an_argument_for_a_driver_on_a_cluster_comes_through_any_shell(word: str) -> None:
    sent = command(replace(CASES["yarn-cluster"], options=("--note", word))).words[-1]
    assert re.fullmatch(r"[\w@%+=:,./ -]+", sent, re.ASCII)
    assert unshipped(sent) == word
