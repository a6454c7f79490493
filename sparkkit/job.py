"""A job: a pure function of named frames, plus what it reads, writes and promises."""
from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sparkkit.errors import UsageError
from sparkkit.options import Option, options_of

RESERVED = (
    "input", "output", "output_format", "mode", "date", "env", "set", "record", "show", "json", "verbose", "help", "again",
    "ledger", "allow_empty", "full",
)
"""Names of the options that every job has; a parameter of the same name is refused."""


@dataclass(frozen=True)
class Job:
    """One job, checked when it is defined, before any JVM starts.

    Args:
        build: `DataFrame, …, *, parameters -> DataFrame` or a mapping of output name to frame. The names of the positional
            parameters are the names of the inputs; keyword-only parameters become options of the command line.
        name: default the stem of the file that defines `build`.
        outputs: the names of the outputs, where `build` returns a mapping.
        contracts: input or output name to the name of a contract in `schemas/`.
        settings: the job's own defaults of its conf, by dotted key (`inputs.text.format`); conf files win over them.
        edges: a function of keyword-only parameters that returns settings by dotted key: options that are about where
            and how the job reads and writes, not about what it computes.
        alarm: an SQL predicate over the first output. Where a row that is published meets it, the run ends with exit code 4
            and the reason `alarm`, after publishing, and names the rows by their first column; so does each retry of it.

    Raises:
        UsageError: for a signature that can't be a job's.

    >>> def build(population, *, since: int = 2010): ...
    >>> job = Job(build, name="report")
    >>> job.inputs, [o.flag for o in job.options]
    (('population',), ['--since'])
    """

    build: Callable[..., Any]
    name: str = ""
    outputs: tuple[str, ...] = ("output",)
    contracts: Mapping[str, str] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    edges: Callable[..., Mapping[str, Any]] | None = None
    alarm: str = ""
    inputs: tuple[str, ...] = field(init=False)
    options: tuple[Option, ...] = field(init=False)
    edge_options: tuple[Option, ...] = field(init=False)

    def __post_init__(self) -> None:
        _set = object.__setattr__
        _set(self, "name", self.name or Path(self.build.__code__.co_filename).stem)
        _set(self, "inputs", _inputs(self.build))
        _set(self, "options", options_of(self.build))
        _set(self, "edge_options", options_of(self.edges) if self.edges else ())
        _refuse_clashes(self)

    @property
    def summary(self) -> str:
        """The first line of the job's documentation: of its file, or else of its function."""
        text = sys.modules[self.build.__module__].__doc__ or self.build.__doc__ or ""
        return text.strip().splitlines()[0] if text.strip() else ""

    @property
    def file(self) -> Path:
        """The file that defines the job."""
        return Path(self.build.__code__.co_filename)


def _inputs(build: Callable[..., Any]) -> tuple[str, ...]:
    parameters = inspect.signature(build).parameters.values()
    if any(p.kind in (p.VAR_POSITIONAL, p.VAR_KEYWORD) for p in parameters):
        raise UsageError("build takes *args or **kwargs, so its inputs have no names", reason="wrong_job",
                         hint="name each input as a parameter")
    return tuple(p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD))


def _refuse_clashes(job: Job) -> None:
    if not job.outputs:
        raise UsageError(f"job {job.name!r} declares no output", reason="wrong_job")
    seen: dict[str, str] = {f"--{name.replace('_', '-')}": "an option of every job" for name in RESERVED}
    for option in (*job.options, *job.edge_options):
        clash = seen.get(option.flag) or seen.get(option.flag.replace("--no-", "--"))
        if clash:
            raise UsageError(f"job {job.name!r}: parameter {option.parameter!r} clashes with {clash} ({option.flag})",
                             reason="wrong_job", hint="give it another name")
        seen[option.flag] = f"parameter {option.parameter!r}"
    both = set(job.inputs) & set(job.outputs)
    if both:
        raise UsageError(f"job {job.name!r}: {sorted(both)} are inputs and outputs", reason="wrong_job",
                         hint="give each a name of its own: contracts and the record go by it")
    unknown = set(job.contracts) - set(job.inputs) - set(job.outputs)
    if unknown:
        raise UsageError(f"job {job.name!r}: contracts name {sorted(unknown)}, which is neither input nor output",
                         reason="wrong_job")

