"""The verb `logs`: what the processes of a run on a cluster have said."""
from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any


def add(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """The verb's options."""
    logs = verbs.add_parser("logs", help="what the driver and the executors of a run on a cluster have said")
    logs.add_argument("run", help="a run's id, the beginning of it, its last six digits, `last`; an application's id; a Livy batch's URL;"
                                    " a step of EMR as j-…/s-…; a job run of EMR Serverless as APPLICATION/RUN")
    logs.add_argument("--ledger", metavar="PATH", help="default: conf, SPARKKIT_LEDGER, or .sparkkit/ledger")
    logs.add_argument("--env", metavar="NAME", help="the environment whose conf names the ledger, has Livy's credentials or says"
                                                    " where AWS is (default for those: livy, emr, emr-serverless)")


def _logs(args: argparse.Namespace) -> int:
    from sparkkit import redaction

    if args.run.startswith(("http://", "https://")):
        return _of_livy(args)
    with tempfile.TemporaryDirectory(prefix="sparkkit-") as folder:
        for path in far(args.run if is_far(args.run) else _of_run(args), args.env, Path(folder)):
            print(f"==> {path.relative_to(folder)} <==")
            with path.open(encoding="utf-8", errors="replace") as lines:
                for line in lines:
                    sys.stdout.write(redaction.printable_lines(line))
    return 0


def is_far(run: str) -> bool:
    """Whether a text names what a cluster knows, and no run of the ledger: an application on YARN, a step, a job run."""
    from sparkkit.submission import aws_logs

    return run.startswith("application_") or aws_logs.named(run) is not None


def far(asked: str, env: str | None, into: Path) -> list[Path]:
    """What a cluster keeps of a step, a job run or an application, as files in a folder.

    Raises:
        NotReadyError: there are none, or not yet.
    """
    from sparkkit.submission import aws_logs, yarn

    job = aws_logs.named(asked)
    if job is not None:
        return aws_logs.logs(job, into, submit_of(env or job.service))
    submit = submit_of(env) if env else {}
    if submit.get("target") == "emr" and submit.get("cluster"):
        return aws_logs.containers(submit["cluster"], asked, into, submit)
    return yarn.logs(asked, into)


def submit_of(env: str) -> dict[str, Any]:
    """The table `[submit]` of an environment, where there is one."""
    from sparkkit import conf, project

    layers = [layer for _, layer in conf.layers(project.find(), "", env)]
    return {key: value for layer in layers for key, value in layer.get("submit", {}).items()}


def _of_livy(args: argparse.Namespace) -> int:
    """A batch of Livy, by its address as `submit` has printed it."""
    from sparkkit import redaction
    from sparkkit.submission import livy_watch

    for line in livy_watch.log_of(args.run, submit_of(args.env or "livy")):
        print(redaction.printable_lines(line))
    return 0


def _of_run(args: argparse.Namespace) -> str:
    """The application of a run, by its record."""
    from sparkkit.errors import NotReadyError
    from sparkkit.history import find

    with find.ledger(args.ledger, find.job_of(args.run), args.env) as book:
        record = find.run(book, args.run)
    application = record.get("application")
    if not application or not str(application).startswith("application_"):
        raise NotReadyError(f"{record['run_id']} ran on no cluster that keeps logs (its application is {application or 'not known'})",
                            reason="no_logs", hint="`sparkkit why` reads what it left here")
    return str(application)


VERBS: dict[str, Callable[..., int]] = {"logs": _logs}
