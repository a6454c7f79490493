"""What a reader of one incremental input is given, and what it gives back."""
from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from pyspark.sql import SparkSession

from sparkkit.conf import InputConf, OutputConf
from sparkkit.errors import SparkkitError, UsageError
from sparkkit.formats.base import Finding
from sparkkit.incremental.line import Line
from sparkkit.incremental.rules import Style
from sparkkit.incremental.states import FULL
from sparkkit.intake import Intake
from sparkkit.schema.contract import Contract
from sparkkit.sources import Source
from sparkkit.storage.increments import State


@dataclass(frozen=True)
class Spec:
    """One input of one run. `state` is None where all is to be read; `label` is the slice that the run writes again, or None for one
    of its own; `replay` says that what this slice read is read again even where nothing is new."""

    name: str
    conf: InputConf
    outputs: Mapping[str, OutputConf]
    style: Style
    state: State | None = None
    label: str | None = None
    replay: bool = False

    @property
    def takes_own(self) -> bool:
        """Whether what its slice read before is read again: it is where the slice is replaced. By keys it stands, and is brought
        in again only when asked for."""
        return self.label is not None and (self.style in ("append", "partitions") or self.replay)

    def refuse_other(self, **now: str | tuple[str, ...]) -> None:
        """Refuses a state that was left for something else than there is now; what it does not tell is the same.

        Raises:
            UsageError: `state_differs`.
        """
        for what, value in now.items():
            before = getattr(self.state, what, value)
            if before is not None and before != value:
                said = [(", ".join(v) if isinstance(v, tuple) else v) or "none" for v in (what, before, value)]
                raise UsageError(f"input {self.name!r}: its {said[0]} was {said[1]} when run {self.state.run_id if self.state else ''}"
                                 f" left its state, and is {said[2]} now", reason="state_differs", hint=FULL)


@dataclass
class Part:
    """What a reader found: `source` has the rows to be read (None where there are no files to tell its columns by, and `missing` says
    so), `fresh` whether any is new, `own` whether the slice has read before, `refused` why the run can't go on; by a watermark all rows of
    its `line` were read from `start` on."""

    source: Source | None
    fresh: bool
    own: bool
    said: str
    findings: tuple[Finding, ...] = ()
    late: Mapping[str, int] | None = None
    rows: int | None = None
    missing: SparkkitError | None = None
    refused: SparkkitError | None = None
    units: frozenset[tuple[str, ...]] = field(default_factory=frozenset)
    by: tuple[str, ...] = ()
    start: str = ""
    line: Line | None = None


class Reader:
    """Reads the new part of one input, and says what the state is once that is committed."""

    def __init__(self, spec: Spec) -> None:
        self.spec = spec

    def read(self, spark: SparkSession, contract: Contract | None) -> Part:
        """Finds what is new, and lands it lazily."""
        raise NotImplementedError

    def look(self, taken: Intake) -> None:
        """Looks at the rows once they are conformed, before anything is staged."""

    def after(self, label: str, run_id: str) -> State:
        """The state once this run's slice is committed."""
        raise NotImplementedError
