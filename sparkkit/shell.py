"""A Python shell with a tuned session: `spark`, `F`, `sparkkit`, and a job's inputs as frames.

The inputs are as a run hands them to the job, rejected rows left out; `inputs("JOB")` gives those of another job.
"""

from __future__ import annotations

import code
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from sparkkit import command, needs, project, session
from sparkkit.conf import Conf
from sparkkit.errors import SparkkitError
from sparkkit.job import Job

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession


def main(argv: Sequence[str]) -> int:
    """Starts the shell and ends the session when it is left."""
    from sparkkit.submission.local import load_job

    job = load_job(argv[0]) if argv else None
    watched = {"spark.ui.enabled": "true"} if sys.stdin.isatty() else {}
    spark = session.start(watched, app_name="shell", needs=needs.of(_settings(job, argv[1:])) if job else ())
    try:
        interact(names(spark, job, argv[1:]))
    finally:
        session.stop(spark)
    return 0


def _settings(job: Job, options: Sequence[str]) -> Conf:
    args = command.parser(job, f"sparkkit shell {job.name}").parse_args(list(options))
    return command.settings(job, args, project.find(job.file))[0]


def names(spark: SparkSession, job: Job | None, options: Sequence[str] = ()) -> dict[str, Any]:
    """The shell's names: `spark`, `F`, `sparkkit`, `inputs`, and with a job its inputs and `build`."""
    import sparkkit
    from sparkkit.submission.local import load_job

    found: dict[str, Any] = {"spark": spark, "F": sparkkit.F, "sparkkit": sparkkit}
    found["inputs"] = lambda name, *more: inputs(spark, load_job(name), more)
    return found if job is None else {**found, **inputs(spark, job, options), "build": job.build}


def inputs(spark: SparkSession, job: Job, options: Sequence[str] = ()) -> Mapping[str, DataFrame]:
    """A job's inputs as its run would hand them to `build`; one that can't be read is named and left out."""
    from sparkkit import intake, sources

    home = project.find(job.file)
    found = {}
    for name, edge in _settings(job, options).inputs.items():
        contract = edge.contract or job.contracts.get(name)
        try:
            found[name] = intake.take(sources.read(spark, name, edge, home.contract(contract) if contract else None)).passed
        except SparkkitError as error:
            print(f"{name} is left out: {error}", file=sys.stderr)
    return found


def interact(found: dict[str, Any]) -> None:
    """The read-eval-print loop, with completion where a terminal has it."""
    with suppress(ImportError):
        import readline
        import rlcompleter

        readline.set_completer(rlcompleter.Completer(found).complete)
        readline.parse_and_bind("tab: complete")
    own = sorted(n for n in found if n not in ("spark", "F", "sparkkit"))
    code.interact(f"sparkkit shell, Spark {found['spark'].version}: spark, F, sparkkit, {', '.join(own)}", local=found, exitmsg="")
