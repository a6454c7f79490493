"""The command of spark-submit for a standalone cluster, YARN and Kubernetes; EMR's steps have the same words."""
from __future__ import annotations

from collections.abc import Iterator

from sparkkit.errors import UsageError
from sparkkit.submission.order import Command, Order
from sparkkit.submission.words import value_of, without

DETACHED = {"yarn": "spark.yarn.submit.waitAppCompletion", "k8s": "spark.kubernetes.submission.waitAppCompletion"}
"""The setting by which spark-submit does not wait for a driver on the cluster."""

HERE_ONLY = ("PYTHONPATH",)
"""Variables that spark-submit would hand on to the nodes, where such a folder is another one, or none."""

JOINED = ("--py-files", "--jars")
"""Options of which spark-submit takes the last alone, while both ours and the user's are needed."""


def command(order: Order) -> Command:
    """The command that runs a job on a cluster of Spark's own kinds.

    Raises:
        UsageError: the cluster is not known, or can't do what is asked.
    """
    _reachable(order)
    environment = {"PYSPARK_DRIVER_PYTHON": order.driver_python} if order.deploy_mode == "client" else {}
    return Command(words(order, master(order), detached=not order.wait), environment, HERE_ONLY)


def _reachable(order: Order) -> None:
    """Pods see no files of this machine: Spark copies them to a folder that it is told, or they stand where the conf says."""
    told = any("spark.kubernetes.file.upload.path=" in word for word in order.spark)
    if order.target == "k8s" and "://" not in order.file and not told and "spark.kubernetes.file.upload.path" not in order.settings:
        order.needed("code", "a folder that its pods can read, for the job's code")


def words(order: Order, master: str, *, detached: bool = False) -> tuple[str, ...]:
    """The words of spark-submit: settings by name, then the user's own options, which win, the job and its options."""
    settings = dict(order.settings) | _python(order)
    if detached and order.deploy_mode == "cluster" and order.target in DETACHED:
        settings.setdefault(DETACHED[order.target], "false")
    given = order.spark
    for option in ("--master", "--deploy-mode", *JOINED):
        given = without(option, given)
    ours = {"--py-files": [order.package] if order.package else [], "--jars": list(order.jars)}
    joined = [(option, ",".join([*ours[option], *filter(None, [value_of(option, order.spark, "")])])) for option in JOINED]
    said = [("--master", master), ("--deploy-mode", order.deploy_mode), ("--name", order.name)]
    said += [("--conf", f"{key}={settings[key]}") for key in sorted(settings)]
    said += [pair for pair in joined if pair[1]]
    if order.submit.get("environment"):
        said.append(("--archives", f"{order.submit['environment']}#environment"))
    return ("spark-submit", *(word for pair in said for word in pair), *given, order.file, *order.arguments)


def _python(order: Order) -> dict[str, str]:
    """The Python of the executors and of a driver on the cluster; a driver here has that of this process."""
    python = order.said("python") or ("./environment/bin/python" if order.submit.get("environment") else None)
    if python is None:
        return {}
    here = {"spark.pyspark.driver.python": order.driver_python} if order.deploy_mode == "client" else {}
    return {"spark.pyspark.python": python, **here}


def master(order: Order) -> str:
    """The master of a target: `yarn`, or the address that the conf or the command line gives.

    Raises:
        UsageError: there is none, it is of another kind, or a standalone cluster is to run the driver.
    """
    if order.target == "yarn":
        return "yarn"
    scheme = {"standalone": "spark://", "k8s": "k8s://"}[order.target]
    said = value_of("--master", order.spark, "") or order.needed("master", f"a master such as {scheme}host:7077")
    if not said.startswith(scheme):
        raise UsageError(f"the master of target {order.target} is {said!r}, expected {scheme}…", reason="wrong_conf")
    if order.target == "standalone" and order.deploy_mode == "cluster":
        raise UsageError("a standalone cluster does not run the driver of a Python job", reason="wrong_option",
                         hint="leave --deploy-mode out, or set it to client")
    return said


def problems(order: Order, environment: dict[str, str]) -> Iterator[str]:
    """What this machine lacks for a command, in words; only what spark-submit itself would say less clearly."""
    if order.target == "yarn" and not {"HADOOP_CONF_DIR", "YARN_CONF_DIR"} & set(environment):
        yield "YARN's addresses are not known: set HADOOP_CONF_DIR to the folder of core-site.xml and yarn-site.xml"
