"""A job that is sent elsewhere: what is sent, made out of the command line, the conf and the code."""
from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from sparkkit import command, needs, project, redaction
from sparkkit.conf import Conf
from sparkkit.errors import UsageError
from sparkkit.history import places
from sparkkit.jars import LOG_STORE
from sparkkit.job import Job
from sparkkit.ledger import new_run_id
from sparkkit.models.model import Model
from sparkkit.submission import emr, iam, livy, local, package, send, serverless, spark, words
from sparkkit.submission.order import FAR, Order, Sent
from sparkkit.training import Training

ON_CLUSTER = (*FAR, "k8s")
"""Targets that run the driver themselves unless they are told otherwise."""

ELSEWHERE = "MLFLOW_TRACKING_URI"
"""In the settings that give a driver on a cluster this variable: of YARN's application master, of Kubernetes, of EMR Serverless."""


def submit(said: words.Words, target: str) -> int:
    """Sends a job to a target, or shows what would be sent; the exit code."""
    found = order(said, target)
    what = request(found)
    for note in found.notes:
        print(f"sparkkit: note: {note}", file=sys.stderr)
    if said.printing:
        for place in found.uploads:
            print(f"# puts {place}, if it is not there", file=sys.stderr)
        for sent, meant in zip(found.arguments, found.options, strict=True):
            if sent != meant:
                print(f"# {sent} is {redaction.printable(repr(meant))}", file=sys.stderr)
        print(_printable(what))
        return 0
    return send.send(what, found)


def _printable(what: Sent) -> str:
    """What would be sent, without secrets; `clientToken` is none, and to be seen."""
    lines = what.shown().split("\n")
    return "\n".join(line if line.lstrip().startswith('"clientToken": ') else redaction.printable_lines(line) for line in lines)


def iam_policy(argv: Sequence[str]) -> int:
    """Prints what AWS has to allow for a job, and who may take that role; the exit code."""
    if not argv or argv[0].startswith("-"):
        raise UsageError("iam-policy needs a JOB", reason="wrong_option", hint="`sparkkit list` shows the jobs")
    job = local.load_job(argv[0])
    home = project.find(job.file)
    args = command.parser(job, f"sparkkit iam-policy {argv[0]}").parse_args(list(argv[1:]))
    conf = command.settings(job, args, home, follow=False)[0]
    target = words.among("--target", conf.submit.get("target") or "emr")
    for path in iam.elsewhere(conf):
        print(f"not on S3, so not in the policy: {redaction.printable(path)}", file=sys.stderr)
    found = iam.document(conf, target, places.find(home, args.ledger, conf.ledger.get("path")).path)
    print(redaction.printable_lines(json.dumps(found, indent=2, ensure_ascii=False)))
    return 0


def order(said: words.Words, target: str) -> Order:
    """What is sent: the job is loaded and its options are read as the run will read them, so that what is wrong is said at once.

    Raises:
        UsageError: a wrong option, conf or job.
    """
    job = local.load_job(said.job)
    _refuse_secrets(job, said.options)
    home = project.find(job.file)
    env = said.env or words.value_of("--env", said.options, "") or (target if target in home.environments() else "")
    options = said.options if not env or words.value_of("--env", said.options, "") else ("--env", env, *said.options)
    conf, params = _settings(job, options, home, said.job)
    data, source = package.content(home), job.file.resolve().read_bytes()
    code = str(conf.submit.get("code", "")).rstrip("/")
    shipped = _jars(conf, said, target)
    safe = needs.LOG_STORES if any(Path(jar).name == LOG_STORE for jar in shipped) else {}
    made = Order(
        name=job.name, file=str(job.file), options=options, target=target, deploy_mode=_mode(said, conf, target),
        settings={**safe, **_plain(conf)}, submit=conf.submit, spark=said.spark, driver_python=sys.executable,
        token=new_run_id(job.name), wait=said.wait, jars=shipped,
    )
    if made.far:
        _refuse_lost_models(job, conf, params, said.spark)
    place = places.find(home, words.value_of("--ledger", options, "") or None, conf.ledger.get("path"))
    if made.far and place.local:
        made = replace(made, notes=("the run's record stays on the node of its driver: name a ledger on a store of the cluster"
                                    " ([ledger] path, or --ledger)",))
    if not code and target in FAR:
        code = made.needed("code", "a folder that it can read, for the job's code")
    return _placed(made, home, code, data, source)


def _refuse_secrets(job: Job, options: Sequence[str]) -> None:
    """A secret among the options would stand in what the cluster keeps and shows: launch scripts, steps, pods."""
    flags = {option.flag for option in job.options if option.secret}
    found = next((word.partition("=")[0] for word in options if word.partition("=")[0] in flags), None)
    if found:
        raise UsageError(f"{found} is a secret, which a cluster would show to others", reason="secret_in_options",
                         hint="write a reference such as ${env:NAME} under [params] of the job's conf")


def _refuse_lost_models(job: Job, conf: Conf, params: Mapping[str, Any], settings: Sequence[str]) -> None:
    """A driver on a cluster would keep a model in a file of its node, which goes with it, and would look for one there."""
    needed = isinstance(job, Training) or any(params.get(o.parameter) for o in job.options if o.kind == Model.option_kind)
    named = str(conf.run.get("registry", ""))
    server = ("://" in named or "${" in named) and not named.startswith(("sqlite:", "file:"))
    if needed and not server and not any(ELSEWHERE in word for word in (*conf.spark, *settings)):
        raise UsageError(f"job {job.name!r} needs the registry of models, and a driver on the cluster does not see that of this machine",
                         reason="local_registry", hint="name a server: registry = \"https://…\" under [run]; or submit in client mode")


def _placed(made: Order, home: project.Project, code: str, data: bytes, source: bytes) -> Order:
    """With the code where the target finds it: below a folder named by its hash, or on this machine."""
    digest = hashlib.sha256(data + source).hexdigest()[:16]
    made = _with_environment(made, home, code)
    if code:
        file, zipped = f"{code}/{digest}/{Path(made.file).name}", f"{code}/{digest}/{package.NAME}"
        return replace(made, file=file, package=zipped, uploads={**made.uploads, file: source, zipped: data})
    zipped = str(Path(places.fallback(home).path).parent / "packages" / digest / package.NAME)
    return replace(made, package=zipped, uploads={zipped: data})


def _with_environment(made: Order, home: project.Project, code: str) -> Order:
    """With an archive of packages of this machine beside the code, below a folder named by its hash; where there is no such place,
    spark-submit brings it."""
    said = str(made.submit.get("environment") or "")
    if not said or "://" in said:
        return made
    file = home.root / said
    if not file.is_file():
        raise UsageError(f"there is no {file}, which [submit] names as environment", reason="no_environment",
                         hint="`sparkkit package --requirements FILE` makes one")
    if not code:
        return replace(made, submit={**made.submit, "environment": str(file)})
    data = file.read_bytes()
    place = f"{code}/environments/{hashlib.sha256(data).hexdigest()[:16]}/{file.name}"
    return replace(made, submit={**made.submit, "environment": place}, uploads={**made.uploads, place: data})


def _settings(job: Job, options: Sequence[str], home: project.Project, prog: str) -> tuple[Conf, dict[str, Any]]:
    args = command.parser(job, f"sparkkit submit {prog} --").parse_args(list(options))
    return command.settings(job, args, home, follow=False)


def _mode(said: words.Words, conf: Conf, target: str) -> str:
    mode = said.deploy_mode or conf.submit.get("deploy_mode") or ("cluster" if target in ON_CLUSTER else "client")
    return words.among("--deploy-mode", mode)


def _plain(conf: Conf) -> dict[str, str]:
    """Spark's settings that may stand in a command, which every user of a machine can read; a run follows the others itself."""
    hidden = set(redaction.secrets_of(conf.spark))
    return {key: value for key, value in conf.spark.items() if "${" not in value and key not in hidden and key != "spark.master"}


def _jars(conf: Conf, said: words.Words, target: str) -> tuple[str, ...]:
    """The jars of this machine that the job needs, of Delta, S3 or a database, where nobody names others."""
    named: list[Any] = [words.value_of(option, said.spark, "") for option in ("--jars", "--packages")]
    named += [conf.spark.get(key, "") for key in ("spark.jars", "spark.jars.packages", "spark.driver.extraClassPath")]
    theirs = {"delta": "delta", "s3": "aws", "postgresql": "postgresql", "sqlite": "sqlite"}
    wanted = [] if target in FAR else [name for name in needs.of(conf) if not any(theirs[name] in text for text in named)]
    if not wanted:
        return ()
    from sparkkit import jars

    return jars.needed(wanted)


def request(made: Order) -> Sent:
    """What a target is sent."""
    if made.target in ("standalone", "yarn", "k8s"):
        return spark.command(made)
    if made.target in ("emr", "emr-serverless"):
        return emr.request(made) if made.target == "emr" else serverless.request(made)
    if made.target == "livy":
        return livy.request(made)
    raise UsageError(f"target {made.target} is not there yet", reason="unknown_target")
