"""The verbs about rejected rows and doubtful runs. Each takes the options of its job as well, for that is where paths come from."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from sparkkit.job import Job

PASS_ON = {
    "quarantine": ("JOB [--run ID] [--rule R] [--show N] [--export FILE] [job options]", "list a job's rejected rows by reason"),
}
"""The verbs here: usage, and what they do."""


def _choice(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--run", metavar="ID", help="rows that this run rejected")
    parser.add_argument("--rule", metavar="R", help="rows of one rule, column or reason")


def quarantine(argv: Sequence[str], given: SparkSession | None = None, job: Job | None = None) -> int:
    """Lists a job's rejected rows. A session and a job that are given are used, as tests do."""
    from sparkkit.repair.asked import asked

    def options(parser: argparse.ArgumentParser) -> None:
        _choice(parser)
        parser.add_argument("--export", metavar="FILE", help="write the rows as lines of JSON, to be mended and replayed")

    want = asked("quarantine", argv, options, job)
    if want is None:
        return 0
    from sparkkit.repair import shelf

    with want.spark(given) as spark:
        found = shelf.chosen(shelf.rows(spark, want.job, want.conf), date=want.date, run=want.own.run, rule=want.own.rule)
        path = shelf.path_of(spark, want.job, want.conf)
        if want.own.export:
            print(f"{shelf.export(found, Path(want.own.export)):,} rows of {path} are in {want.own.export}")
            return 0
        listed = shelf.groups(found, want.args.show or 0)
    print(shelf.as_json(path, listed) if want.args.json else shelf.page(path, listed))
    return 0


VERBS: dict[str, Callable[..., int]] = {"quarantine": quarantine}
