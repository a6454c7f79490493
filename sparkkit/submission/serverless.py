"""The request to EMR Serverless that runs a job: one job run of an application that is there."""
from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from typing import Any

from sparkkit.errors import UsageError
from sparkkit.submission import fields
from sparkkit.submission.order import AwsCall, Order
from sparkkit.submission.words import as_settings

MOST = 100
"""How many properties a classification may have."""

LONGEST = 1024
"""How many signs the name of a property may have, and its value."""

ENVIRONMENT = "./environment/bin/python"
PYTHONS = ("spark.emr-serverless.driverEnv.PYSPARK_DRIVER_PYTHON", "spark.emr-serverless.driverEnv.PYSPARK_PYTHON",
           "spark.executorEnv.PYSPARK_PYTHON")
"""What tells Python's place on the driver and the executors, which are containers of EMR's own."""

JOINED = ("spark.submit.pyFiles", "spark.archives")
"""Settings of which ours and the user's are both needed."""

IGNORED = ("--verbose", "-v", "--master", "--deploy-mode")
"""Options of spark-submit that mean nothing there, and do no harm."""


def request(order: Order) -> AwsCall:
    """The call `start_job_run`. Settings are properties of `spark-defaults` and arguments a list: nothing is joined to be split again.

    Raises:
        UsageError: something is missing, or is nothing that EMR Serverless takes.
    """
    fields.shipped(order)
    fields.safe(order, order.said("release"))
    if order.deploy_mode != "cluster":
        raise UsageError("EMR Serverless runs the driver itself", reason="wrong_option", hint="leave --deploy-mode out")
    asked: dict[str, Any] = {
        "applicationId": fields.text("application", order.needed("application", "an application"), "[0-9a-z]{1,64}", "an application's id"),
        "clientToken": token(order),
        "executionRoleArn": fields.role("execution_role", order.needed("execution_role", "the role that the job has")),
        "name": (order.token or order.name)[:256],
        "jobDriver": {"sparkSubmit": {"entryPoint": order.file, "entryPointArguments": _arguments(order)}},
        "configurationOverrides": {"applicationConfiguration": [{"classification": "spark-defaults", "properties": properties(order)}]},
    }
    if order.said("log_uri"):
        logs = {"s3MonitoringConfiguration": {"logUri": fields.s3("log_uri", order.submit["log_uri"])}}
        asked["configurationOverrides"]["monitoringConfiguration"] = logs
    if order.submit.get("timeout_minutes") is not None:
        asked["executionTimeoutMinutes"] = fields.number("timeout_minutes", order.submit["timeout_minutes"], 1, 1_000_000)
    tags = fields.tags(order, 200)
    return AwsCall("emr-serverless", "start_job_run", asked | ({"tags": tags} if tags else {}))


def token(order: Order) -> str:
    """What AWS tells a request that is sent again by: the submission's token, or its hash where that has other signs or more than 64.

    >>> token(Order("names", "s3://b/names.py", token="names-20261129T015110-0a1b2c"))
    'names-20261129T015110-0a1b2c'
    """
    plain = re.fullmatch(r"[A-Za-z0-9._-]{1,64}", order.token)
    return order.token if plain else hashlib.sha256(order.token.encode()).hexdigest()


def properties(order: Order) -> Mapping[str, str]:
    """The settings, with the user's own over those of the conf, the package and the Python.

    Raises:
        UsageError: an option that is no setting, too many properties or too long ones.
    """
    told, others = as_settings(order.spark)
    unknown = next((word for word in _without_ignored(others)), None)
    if unknown:
        raise UsageError(f"{unknown} is nothing that EMR Serverless knows", reason="wrong_option", hint="use --conf")
    environment = f"{order.submit['environment']}#environment" if order.submit.get("environment") else ""
    ours = {"spark.submit.pyFiles": order.package or "", "spark.archives": environment}
    found = _pythons(order) | dict(order.settings) | told
    for key in JOINED:
        found[key] = ",".join(filter(None, [ours[key], found.get(key, "")]))
    found = {key: found[key] for key in sorted(found) if found[key] or key not in JOINED}
    _refuse_too_much(found)
    return found


def _without_ignored(words: tuple[str, ...]) -> list[str]:
    rest, kept = [*words], list[str]()
    while rest:
        word = rest.pop(0)
        if word.partition("=")[0] not in IGNORED:
            kept.append(word)
        elif word in ("--master", "--deploy-mode"):
            del rest[:1]
    return kept


def _pythons(order: Order) -> dict[str, str]:
    python = order.said("python") or (ENVIRONMENT if order.submit.get("environment") else fields.PYTHON)
    return dict.fromkeys(PYTHONS, python)


def _refuse_too_much(found: Mapping[str, str]) -> None:
    if len(found) > MOST:
        raise UsageError(f"there are {len(found)} settings, and EMR Serverless takes {MOST}", reason="wrong_conf",
                         hint="set the others for the application, or in the job")
    for key, value in found.items():
        if not key.strip() or len(key) > LONGEST or len(value) > LONGEST:
            raise UsageError(f"the setting {key[:80]} has {max(len(key), len(value)):,} signs, and EMR Serverless takes {LONGEST:,}",
                             reason="wrong_conf", hint="put long lists into a file, or a shorter folder")


def _arguments(order: Order) -> list[str]:
    if len(order.options) > 1024:
        raise UsageError(f"there are {len(order.options):,} arguments, and EMR Serverless takes 1,024", reason="wrong_argument")
    if len(order.file) > 4096:
        raise fields.wrong("code", order.file[:80], "at most 4,096 signs")
    return [*order.options]
