"""The verb `logs`: what the processes of a run on a cluster have said."""
from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path


def add(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """The verb's options."""
    logs = verbs.add_parser("logs", help="what the driver and the executors of a run on a cluster have said")
    logs.add_argument("run", help="a run's id, the beginning of it, its last six digits, `last`, an application's id, a Livy batch's URL")
    logs.add_argument("--ledger", metavar="PATH", help="default: conf, SPARKKIT_LEDGER, or .sparkkit/ledger")
    logs.add_argument("--env", metavar="NAME", help="the environment whose conf names the ledger, or has Livy's credentials (default livy)")


def _logs(args: argparse.Namespace) -> int:
    from sparkkit import redaction
    from sparkkit.submission import yarn

    if args.run.startswith(("http://", "https://")):
        return _of_livy(args)
    application = args.run if args.run.startswith("application_") else _of_run(args)
    with tempfile.TemporaryDirectory(prefix="sparkkit-") as folder:
        for path in yarn.logs(application, Path(folder)):
            with path.open(encoding="utf-8", errors="replace") as lines:
                for line in lines:
                    sys.stdout.write(redaction.printable_lines(line))
    return 0


def _of_livy(args: argparse.Namespace) -> int:
    """A batch of Livy, by its address as `submit` has printed it."""
    from sparkkit import conf, project, redaction
    from sparkkit.submission import livy_watch

    layers = [layer for _, layer in conf.layers(project.find(), "", args.env or "livy")]
    submit = {key: value for layer in layers for key, value in layer.get("submit", {}).items()}
    for line in livy_watch.log_of(args.run, submit):
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
