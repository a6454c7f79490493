"""The request to EMR that runs a job: one more step of a cluster that is there, or a cluster of its own that ends with it."""
from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

from sparkkit.errors import UsageError
from sparkkit.submission import fields, instances, spark
from sparkkit.submission.order import AwsCall, Order

ON_FAILURE = ("CONTINUE", "CANCEL_AND_WAIT", "TERMINATE_CLUSTER")
"""What becomes of a cluster when a step fails; TERMINATE_JOB_FLOW is an older word for the last."""

LONGEST = 10_280
"""How many signs an argument of a step may have."""

SIGNS = re.compile("[\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff\r\n\t]*")
"""The signs that EMR takes in an argument."""

SECURITY = {
    "configuration": "SecurityConfiguration", "key": "Ec2KeyName", "master": "EmrManagedMasterSecurityGroup",
    "core": "EmrManagedSlaveSecurityGroup", "service": "ServiceAccessSecurityGroup",
}
"""The keys of `submit.security`; all but the first are fields of `Instances`."""


def request(order: Order) -> AwsCall:
    """The call that runs a job on EMR: `add_job_flow_steps` where `submit.cluster` names a cluster, else `run_job_flow`.

    Raises:
        UsageError: something is missing, or is nothing that EMR takes.
    """
    fields.shipped(order)
    fields.safe(order, order.said("release"))
    if order.submit.get("timeout_minutes") is not None:
        raise fields.wrong("timeout_minutes", order.submit["timeout_minutes"], "none: EMR has no time limit for a step")
    if not order.said("cluster"):
        return AwsCall("emr", "run_job_flow", _cluster(order))
    cluster = fields.text("cluster", order.submit["cluster"], "j-[0-9A-Z]{1,64}", "the id of a cluster, such as j-2AXXXXXXGAPLF")
    asked = {"JobFlowId": cluster, "Steps": [step(order, "CONTINUE")], **_role(order, "ExecutionRoleArn")}
    return AwsCall("emr", "add_job_flow_steps", asked)


def name(order: Order) -> str:
    """The name of the step and of a cluster of its own, by which they are found again where AWS's answer was lost."""
    return (order.token or order.name)[:256]


def step(order: Order, on_failure: str) -> dict[str, Any]:
    """The step: the words of spark-submit as a list, as they are.

    Raises:
        UsageError: an argument that would not arrive as it was sent (`wrong_argument`).
    """
    words = [*spark.words(_with_python(order), "yarn")]
    for word in words:
        _refuse_altered(word)
    return {
        "Name": name(order),
        "ActionOnFailure": fields.word("on_failure", order.said("on_failure") or on_failure, ON_FAILURE),
        "HadoopJarStep": {"Jar": "command-runner.jar", "Args": words},
    }


def _refuse_altered(word: str) -> None:
    """EMR's command-runner drops empty arguments and eats braces, as YARN does, for which they are variables."""
    if not word:
        trouble = "is empty, and EMR's command-runner drops it"
    elif "{{" in word or "}}" in word:
        trouble = "has doubled braces, which YARN takes for a variable"
    elif not SIGNS.fullmatch(word):
        trouble = "has a control sign, which EMR does not take"
    elif len(word) > LONGEST:
        trouble = f"has {len(word):,} signs, and EMR takes {LONGEST:,}"
    else:
        return
    raise UsageError(f"the argument {word[:60]!r} {trouble}", reason="wrong_argument", hint="put it into conf instead")


def _with_python(order: Order) -> Order:
    """With the Python of the cluster: that of this machine means nothing there."""
    told = order.submit.get("environment") or order.settings.get("spark.pyspark.python")
    python = order.said("python") or (None if told else fields.PYTHON)
    submit = {**order.submit, **({"python": python} if python else {})}
    return replace(order, submit=submit, driver_python=python or order.settings.get("spark.pyspark.python", fields.PYTHON))


def _role(order: Order, field: str) -> dict[str, str]:
    """The role of the step alone, where one is said; else it has the rights of the machines."""
    return {field: fields.role("execution_role", order.submit["execution_role"])} if order.said("execution_role") else {}


def _cluster(order: Order) -> dict[str, Any]:
    label = order.needed("release", "a release, or a cluster that is there")
    fields.supported(label)
    machines = instances.instances(order) | _network(order)
    idle = order.submit.get("idle_minutes")
    stays: dict[str, Any] = {"KeepJobFlowAliveWhenNoSteps": idle is not None, "TerminationProtected": False}
    made: dict[str, Any] = {
        "Name": name(order), "ReleaseLabel": label, "Applications": _applications(order),
        "LogUri": fields.s3("log_uri", order.needed("log_uri", "a folder on S3 for its logs, which end with the cluster else")),
        "ServiceRole": order.needed("service_role", "the role of the service"),
        "JobFlowRole": order.needed("instance_profile", "the instance profile of its machines"),
        "Instances": machines | stays, "Steps": [step(order, "TERMINATE_CLUSTER" if idle is None else "CONTINUE")],
        **_role(order, "StepExecutionRoleArn"), **instances.scaling(order), **_bootstrap(order),
    }
    if idle is not None:
        made["AutoTerminationPolicy"] = {"IdleTimeout": 60 * fields.number("idle_minutes", idle, 1, 10_080)}
    if order.said("security", dict) and "configuration" in order.submit["security"]:
        made["SecurityConfiguration"] = order.submit["security"]["configuration"]
    tags = [{"Key": key, "Value": value} for key, value in fields.tags(order).items()]
    return made | ({"Tags": tags} if tags else {})


def _applications(order: Order) -> list[dict[str, str]]:
    names = fields.texts("applications", order.submit.get("applications")) or ["Spark"]
    if "spark" not in [name.lower() for name in names]:
        raise fields.wrong("applications", names, "Spark among them")
    return [{"Name": name} for name in names]


def _network(order: Order) -> dict[str, Any]:
    subnets = fields.texts("subnets", order.submit.get("subnets"))
    for subnet in subnets:
        fields.text("subnets", subnet, "subnet-[0-9a-z]+", "the ids of subnets, such as subnet-0abc")
    if len(subnets) > 1 and not instances.fleets(order):
        raise fields.wrong("subnets", subnets, "one, since groups are in one; give each of the instances `types`, and EMR chooses")
    said = fields.table("security", order.submit.get("security"), SECURITY)
    made = {SECURITY[key]: fields.text(f"security.{key}", value, r"\S(.*\S)?", "a text") for key, value in said.items()}
    made.pop(SECURITY["configuration"], None)
    if not subnets:
        return made
    return made | ({"Ec2SubnetIds": subnets} if instances.fleets(order) else {"Ec2SubnetId": subnets[0]})


def _bootstrap(order: Order) -> dict[str, Any]:
    scripts = [fields.s3("bootstrap", uri) for uri in fields.texts("bootstrap", order.submit.get("bootstrap"))]
    if len(scripts) > 16:
        raise fields.wrong("bootstrap", f"{len(scripts)} scripts", "at most 16")
    actions = [{"Name": uri.rpartition("/")[2], "ScriptBootstrapAction": {"Path": uri}} for uri in scripts]
    return {"BootstrapActions": actions} if actions else {}
