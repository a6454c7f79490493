"""What a verb was asked on its command line: the verb's own options, and behind them those of the job, as a run would get them."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sparkkit import command, needs, project, session
from sparkkit.conf import Conf
from sparkkit.errors import UsageError
from sparkkit.job import Job
from sparkkit.project import Project
from sparkkit.submission import local

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


@dataclass(frozen=True)
class Asked:
    """A verb's own options, the job, and the job's options: as words, parsed, and as its settings and parameters."""

    own: argparse.Namespace
    job: Job
    words: tuple[str, ...]
    args: argparse.Namespace
    conf: Conf
    params: Mapping[str, Any]
    home: Project

    @property
    def date(self) -> str | None:
        """The logical date."""
        return self.args.date.isoformat() if self.args.date else None

    @contextmanager
    def spark(self, given: SparkSession | None = None) -> Iterator[SparkSession]:
        """A session with the job's settings: the one given, or one that ends with the block."""
        if given is not None:
            yield given
            return
        made = session.start(self.conf.spark, app_name=self.job.name, profile=self.conf.run.get("profile", "default"),
                             needs=needs.of(self.conf), verbose=self.args.verbose)
        try:
            yield made
        finally:
            session.stop(made)


def asked(verb: str, argv: Sequence[str], options: Callable[[argparse.ArgumentParser], None], job: Job | None = None) -> Asked | None:
    """The options of a verb; None where help was asked for and printed.

    Raises:
        UsageError: no job, or an option that neither the verb nor the job has.
    """
    if not argv or argv[0].startswith("-"):
        raise UsageError(f"{verb} needs a JOB", reason="wrong_option", hint="`sparkkit list` shows the jobs")
    found = job or local.load_job(argv[0])
    mine = command.Parser(prog=f"sparkkit {verb} {argv[0]}", add_help=False, allow_abbrev=False)
    options(mine)
    own, words = mine.parse_known_args(list(argv[1:]))
    given = command.parser(found, f"sparkkit {verb} {argv[0]}")
    options(given)
    try:
        args = given.parse_args(list(argv[1:]))
    except SystemExit:
        return None
    home = project.find(found.file)
    conf, params = command.settings(found, args, home)
    return Asked(own, found, tuple(words), args, conf, params, home)
