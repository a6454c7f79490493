"""Sends what a target was made: puts the code where it is looked for, then runs the command or makes the call."""
from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from sparkkit import redaction
from sparkkit.errors import UsageError
from sparkkit.submission import asking, aws, local, spark, stores, yarn
from sparkkit.submission.order import AwsCall, Command, HttpCall, Order, Sent


def send(what: Sent, order: Order) -> int:
    """Sends; the exit code: that of the job where it was waited for.

    Raises:
        UsageError: this machine lacks what the target needs.
        InfrastructureError: the code could not be put in its place.
    """
    if isinstance(what, HttpCall):
        from sparkkit.submission import livy_watch

        return livy_watch.send(what, order)
    if isinstance(what, AwsCall):
        stores.put(order.uploads, order.submit)
        return aws.send(what, order)
    assert isinstance(what, Command)
    for problem in spark.problems(order, dict(os.environ)):
        raise UsageError(problem, reason="not_configured")
    stores.put(order.uploads, order.submit)
    far = order.target == "yarn" and order.deploy_mode == "cluster"
    return _watched(what, order) if far else local.replace(what)


def _watched(what: Command, order: Order) -> int:
    """Runs a command whose driver runs on YARN: its log goes to a file, and what it says of the application to a person.

    In a session of its own: Ctrl-C is for us, and does not end what is under way on the cluster.
    """
    application, words = yarn.Application(), [local.program(), *what.words[1:]]
    path = Path("runs", f"{order.token}.submit.log")
    path.parent.mkdir(parents=True, exist_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600), "w", buffering=1, encoding="utf-8") as log, subprocess.Popen(
        words, stderr=subprocess.STDOUT, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, env=local.environment(what),
        text=True, errors="replace", start_new_session=True,
    ) as process:
        try:
            _heard(process, application, log.write)
        except KeyboardInterrupt:
            return _left(process, application)
    trouble = application.trouble(process.returncode)
    if trouble:
        print(f"sparkkit: see {path}", file=sys.stderr)
        raise trouble
    if process.returncode == 0 and not order.wait:
        print(application.id or "submitted")
    return application.code or process.returncode


def _heard(process: subprocess.Popen[str], application: yarn.Application, keep: Callable[[str], object]) -> None:
    assert process.stdout is not None
    for line in process.stdout:
        keep(line)
        said = application.hear(line)
        if said:
            print(f"sparkkit: {redaction.printable(said)}", file=sys.stderr)


def _left(process: subprocess.Popen[str], application: yarn.Application) -> int:
    """Ctrl-C: the application is killed if a person says so, else it goes on."""
    name = application.id
    if name and asking.yes(f"kill {name}, too?"):
        yarn.kill(name)
        print(f"sparkkit: {name} was killed", file=sys.stderr)
    elif name:
        print(f"sparkkit: {name} goes on; to kill it: yarn application -kill {name}", file=sys.stderr)
    process.kill()
    return 130
