"""The verbs about rejected rows and doubtful runs. Each takes the options of its job as well, for that is where paths come from."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from sparkkit.errors import ContractError

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from sparkkit.job import Job
    from sparkkit.ledger import Record
    from sparkkit.run import Request

PASS_ON = {
    "quarantine": ("JOB [--run ID] [--rule R] [--show N] [--export FILE] [job options]", "list a job's rejected rows by reason"),
    "replay": ("JOB [--run ID] [--rule R] [--repaired FILE] [job options]", "feed rejected rows back, exactly once"),
    "verify-idempotent": ("JOB [--same-order] [--scratch PATH] [job options]", "run a job twice on a copy and compare the outputs"),
    "plan": ("JOB [--quick] [job options]", "what a run would read and change; nothing is written"),
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


def replay(argv: Sequence[str], given: SparkSession | None = None, job: Job | None = None) -> int:
    """Feeds rejected rows back: those that pass now, or those of a file of mended ones. As `quarantine` takes a session and a job."""
    from sparkkit import command
    from sparkkit.repair.asked import asked

    def options(parser: argparse.ArgumentParser) -> None:
        _choice(parser)
        parser.add_argument("--repaired", metavar="FILE", help="mended rows, as `quarantine JOB --export FILE` wrote them")

    want = asked("replay", argv, options, job)
    if want is None:
        return 0

    def road(spark: SparkSession, request: Request, record: Record) -> object:
        from sparkkit.repair.replay import Wish
        from sparkkit.repair.replay import replay as feed

        return feed(spark, request, record, Wish(want.date, want.own.run, want.own.rule, want.own.repaired))

    return command.command(want.job, want.words, prog=f"sparkkit replay {argv[0]}", spark=given, road=road)


def verify(argv: Sequence[str], given: SparkSession | None = None, job: Job | None = None) -> int:
    """Runs a job twice on a copy; exit code 4 where the second run changes what the first has left."""
    from sparkkit.repair.asked import asked

    def options(parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--same-order", action="store_true", help="give the second run its inputs' rows in the same order")
        parser.add_argument("--scratch", metavar="PATH", help="where the copy goes (default: a temporary folder, or beside the output)")

    want = asked("verify-idempotent", argv, options, job)
    if want is None:
        return 0
    from sparkkit.repair import twice

    with want.spark(given) as spark:
        show = 3 if want.args.show is None else want.args.show
        found = twice.verify(spark, want, scratch=want.own.scratch, shuffle=not want.own.same_order, show=show)
    same = all(one.same for one in found)
    if want.args.json:
        print(json.dumps({"job": want.job.name, "same": same, "outputs": [one.told() for one in found]}, ensure_ascii=False, default=str))
    else:
        print("\n".join(one.said() for one in found))
    return 0 if same else ContractError.exit_code


def plan(argv: Sequence[str], given: SparkSession | None = None, job: Job | None = None) -> int:
    """Says what a run with these options would do, and writes nothing."""
    from sparkkit.repair.asked import asked

    def options(parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--quick", action="store_true", help="leave out what needs the rows to be computed")

    want = asked("plan", argv, options, job)
    if want is None:
        return 0
    from sparkkit.repair import plan as plans
    from sparkkit.report import plan as report

    with want.spark(given) as spark:
        told = plans.plan(spark, want, quick=want.own.quick)
    print(json.dumps(told, ensure_ascii=False, default=str) if want.args.json else report.page(told))
    return 0


VERBS: dict[str, Callable[..., int]] = {"quarantine": quarantine, "replay": replay, "verify-idempotent": verify, "plan": plan}
