"""Sends what a target was made: puts the code where it is looked for, then runs the command or makes the call."""
from __future__ import annotations

import os
import re
import subprocess
import sys

from sparkkit.errors import UsageError
from sparkkit.submission import spark, stores
from sparkkit.submission.local import program
from sparkkit.submission.order import Command, HttpCall, Order, Sent

ENDED = re.compile(r"User application exited with status (\d+)")
"""What YARN's master of an application says of a driver in Python that has ended with an error."""


def send(what: Sent, order: Order) -> int:
    """Sends; the exit code: that of the job where it was waited for.

    Raises:
        UsageError: this machine lacks what the target needs.
        InfrastructureError: the code could not be put in its place.
    """
    if isinstance(what, HttpCall):
        from sparkkit.submission import livy_watch

        return livy_watch.send(what, order)
    assert isinstance(what, Command)
    for problem in spark.problems(order, dict(os.environ)):
        raise UsageError(problem, reason="not_configured")
    stores.put(order.uploads)
    return _watched(what) if order.deploy_mode == "cluster" and order.wait else replace(what)


def replace(what: Command) -> int:
    """Puts a command in the place of this process, so that signals and its exit code are the command's own."""
    sys.stdout.flush()
    os.execve(program(), list(what.words), {**os.environ, **what.environment})


def _watched(what: Command) -> int:
    """Runs a command whose job runs elsewhere: spark-submit says only that it failed, with 1; the job's own code is in its log."""
    words, code = [program(), *what.words[1:]], None
    with subprocess.Popen(words, stderr=subprocess.PIPE, env={**os.environ, **what.environment}, text=True, errors="replace") as process:
        assert process.stderr is not None
        for line in process.stderr:
            sys.stderr.write(line)
            code = (found := ENDED.search(line)) and int(found[1]) or code
    return code or process.returncode
