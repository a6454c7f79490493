"""The requests to EMR, against files of what is expected and against AWS's own model of the calls."""
from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from sparkkit.errors import UsageError
from sparkkit.submission.emr import request
from sparkkit.submission.order import Order
from tests.submission.golden import expected
from tests.submission.model import fits

ODD = ("--env", "prod", "--note", "it's 5 %, \"so\" to say", "--city", "Zürich,Bern 北京 😀", "--path", "a b\\c\t$HOME `x`")
STEP: dict[str, Any] = {"cluster": "j-2AXXXXXXGAPLF"}
GROUPS = {"master": {"type": "m7g.xlarge"}, "core": {"type": "r7g.2xlarge", "count": 2}, "task": {"type": "r7g.2xlarge", "market": "spot"}}
FLEETS = {
    "master": {"types": ["m7g.xlarge", "m6g.xlarge"], "on_demand": 1},
    "core": {"types": {"r7g.2xlarge": 2, "r7g.xlarge": 1}, "on_demand": 4, "spot": 8, "spot_minutes": 15, "disk_gb": 200},
}
OWN: dict[str, Any] = {
    "release": "emr-7.14.0", "log_uri": "s3://logs/emr/", "service_role": "EMR_Service", "instance_profile": "EMR_EC2", "instances": GROUPS,
}
ORDER = Order(
    name="names", file="s3://code/apps/0a1b/names.py", package="s3://code/apps/0a1b/sparkkit_package.zip", options=ODD, target="emr",
    deploy_mode="cluster", settings={"spark.yarn.maxAppAttempts": "1", "spark.a": "x, y"}, submit=STEP,
    token="names-20261129T015110-0a1b2c",
)
CASES = {
    "emr-step": ORDER,
    "emr-step-client": replace(ORDER, deploy_mode="client", submit=STEP | {"on_failure": "cancel_and_wait"}),
    "emr-step-role": replace(ORDER, submit=STEP | {"execution_role": "arn:aws:iam::123456789012:role/jobs/names"}),
    "emr-step-environment": replace(ORDER, submit=STEP | {"environment": "s3://code/e.tar.gz"}),
    "emr-groups": replace(ORDER, submit=OWN | {"subnets": ("subnet-0a",), "tags": {"team": "data", "cost": 12}}),
    "emr-fleets": replace(ORDER, submit=OWN | {
        "instances": FLEETS, "subnets": ("subnet-0a", "subnet-0b"), "managed_scaling": {"min": 2, "max": "20", "max_on_demand": 4},
        "bootstrap": ("s3://code/python.sh",), "applications": ("Spark", "Livy"), "idle_minutes": 30, "release": "emr-spark-8.0.0",
        "security": {"configuration": "kms", "key": "ops", "master": "sg-1", "core": "sg-2", "service": "sg-3"},
    }),
}


@pytest.mark.parametrize("name", CASES)
def test_the_request_is_as_expected(name: str) -> None:
    expected(f"{name}.json", request(CASES[name]).shown())


@pytest.mark.parametrize("name", CASES)
def test_aws_would_take_the_request(name: str) -> None:
    call = request(CASES[name])
    fits(call, {"JobFlowId": "j-1"} if call.operation == "run_job_flow" else {"StepIds": ["s-1"]})


def test_each_word_of_the_job_stays_one_word() -> None:
    assert request(ORDER).request["Steps"][0]["HadoopJarStep"]["Args"][-len(ODD):] == [*ODD]


def test_the_step_is_named_by_the_submission() -> None:
    assert request(ORDER).request["Steps"][0]["Name"] == ORDER.token


def own(**keys: Any) -> Order:
    return replace(ORDER, submit=OWN | keys)


def machines(role: str, **keys: Any) -> Order:
    return own(instances=GROUPS | {role: GROUPS.get(role, {}) | keys})


@pytest.mark.parametrize(
    ("order", "message"),
    [
        (replace(ORDER, submit={}), "needs a release, or a cluster that is there: set release in .submit. of conf/env/emr.toml"),
        (own(release="emr-7.0.0"), r"'emr-7.0.0' is none .* known are emr-7.13.0 \(Spark 3.5.6\), .*emr-spark-8.0.0 \(Spark 4.0.2\)"),
        (own(release="emr-8.0.0"), "is none that sparkkit is written for"),
        (own(release="7.14.0"), "is none that sparkkit is written for"),
        (own(instances=None), "set cluster in .submit. of conf/env/emr.toml, or .submit.instances.master., and core"),
        (own(instances={"mastr": {}}), "submit.instances.mastr: did you mean 'master'"),
        (own(instances={k: v for k, v in GROUPS.items() if k != "core"}), "core machines beside those for tasks"),
        (machines("core", types=["a.b"]), "`types` for each, since core has them"),
        (machines("core", count=0), "submit.instances.core.count is 0, expected a whole number from 1 to 10,000"),
        (machines("core", count=True), "expected a whole number"),
        (machines("core", cuont=2), "did you mean 'count'"),
        (machines("core", market="SPOTT"), "expected one of ON_DEMAND, SPOT: did you mean 'SPOT'"),
        (machines("core", bid="0.2"), "none where market is ON_DEMAND"),
        (machines("master", count=2), "1, or 3"),
        (machines("master", type="big"), "a type of machine such as m7g.xlarge"),
        (own(managed_scaling={"unit": "VCPUs", "max": 4}), "expected one of Instances, VCPU, InstanceFleetUnits"),
        (own(managed_scaling={"unit": "InstanceFleetUnits", "max": 4}), "InstanceFleetUnits for fleets"),
        (own(managed_scaling={"min": 5, "max": 4}), "managed_scaling.max is 4, expected a whole number from 5"),
        (own(managed_scaling={"max": 4, "max_core": 9}), "managed_scaling.max_core is 9"),
        (own(on_failure="CONTINU"), "expected one of CONTINUE, CANCEL_AND_WAIT, TERMINATE_CLUSTER: did you mean 'CONTINUE'"),
        (own(log_uri="s3a://logs/x"), "expected s3://bucket/folder: write s3://logs/x"),
        (own(log_uri=None), "needs a folder on S3 for its logs"),
        (own(bootstrap=["/tmp/x.sh"]), "submit.bootstrap is '/tmp/x.sh', expected s3://"),
        (own(applications=["Hive"]), "Spark among them"),
        (own(subnets=["subnet-1", "subnet-2"]), "one, since groups are in one"),
        (own(subnets=["vpc-1"]), "the ids of subnets"),
        (own(idle_minutes=0), "submit.idle_minutes is 0, expected a whole number from 1 to 10,080"),
        (own(tags={"aws:x": "y"}), "no name from aws:"),
        (own(tags={"a": "b;c"}), "letters, digits"),
        (own(tags=["a"]), "a table of texts"),
        (own(timeout_minutes=5), "EMR has no time limit for a step"),
        (own(execution_role="names"), "a role such as arn:aws:iam"),
        (own(security={"keys": "x"}), "did you mean 'key'"),
        (replace(ORDER, submit={"cluster": "names"}), "the id of a cluster, such as j-"),
        (replace(ORDER, file="/p/jobs/names.py"), "submit.code is '/p/jobs', expected s3://bucket/folder"),
        (replace(ORDER, file="s3a://code/names.py"), "write s3://code"),
        (replace(ORDER, options=("--note", "")), "the argument '' is empty"),
        (replace(ORDER, options=("--note", "{{x}}")), "doubled braces"),
        (replace(ORDER, options=("--note", "a\x07")), "control sign"),
        (replace(ORDER, options=("--note", "a" * 10_281)), "10,281 signs"),
        (replace(ORDER, spark=("--conf", "spark.sql.ansi.enabled=false")), "spark.sql.ansi.enabled=false is refused"),
        (replace(own(), spark=("--packages", "io.delta:delta-spark_2.13:4.0.0")), "for Scala 2.13; emr-7.14.0 has Scala 2.12"),
    ],
)
def test_what_emr_would_not_take_is_refused_before_it_is_sent(order: Order, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        request(order)
