"""The record of a run: JSON on one line, left by every run, failed ones too. Its schema is `schemas/run_record.schema.json`."""
from __future__ import annotations

import datetime as dt
import json
import os
import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sparkkit import redaction
from sparkkit.errors import InfrastructureError

FORMAT = 1
"""The version of the record: raised when a field changes its meaning or goes."""

STEPS = ("start", "read", "conform", "build", "checks", "write", "publish")
UNKNOWN_INPUT: Mapping[str, Any] = {
    "paths": None, "format": None, "files": None, "bytes": None, "read": None, "passed": None, "quarantined": None,
    "quarantined_by": None, "complete": None, "why": None, "counted_by": None, "findings": [],
    "incremental": None, "late": None,
}
UNKNOWN_OUTPUT: Mapping[str, Any] = {
    "path": None, "format": None, "mode": None, "files": None, "bytes": None, "built": None, "written": None,
    "quarantined": None, "quarantined_by": None, "partitions": None, "generation": None, "inserted": None, "updated": None, "deleted": None,
    "unchanged": None, "superseded": None, "closed": None, "copied": None, "removed": None,
}


def new_run_id(job: str) -> str:
    """A new id of one attempt: job, UTC time, and six random hex digits; sorts by time within a job."""
    return f"{job}-{dt.datetime.now(dt.UTC):%Y%m%dT%H%M%S}-{secrets.token_hex(3)}"


def utc_now() -> str:
    """Now, in ISO 8601 with milliseconds and Z."""
    return dt.datetime.now(dt.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


@dataclass
class Record:
    """What one run did; unknown figures are None, never 0."""

    run_id: str
    job: str
    status: str = "failed"
    exit_code: int = 1
    reason: str | None = None
    message: str | None = None
    params: Mapping[str, Any] = field(default_factory=dict)
    date: str | None = None
    logical_id: str | None = None
    env: str | None = None
    code_version: str | None = None
    spark_version: str | None = None
    application: str | None = None
    started: str = field(default_factory=utc_now)
    seconds: dict[str, float | None] = field(default_factory=lambda: dict.fromkeys(("total", *STEPS)))
    contracts: dict[str, Any] = field(default_factory=dict)
    inputs: dict[str, dict[str, Any]] = field(default_factory=dict)
    outputs: dict[str, dict[str, Any]] = field(default_factory=dict)
    quarantine: str | None = None
    checks: list[dict[str, Any]] = field(default_factory=list)
    model: dict[str, Any] | None = None
    event_log: str | None = None
    driver_log: str | None = None
    between_steps: Callable[[str], None] = field(default=lambda step: None, repr=False)
    _began: float = field(default_factory=time.monotonic)

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Times one step of the road; an error that leaves it carries the step's name, for the message."""
        self.between_steps(name)
        began = time.monotonic()
        try:
            yield
        except BaseException as error:
            with suppress(AttributeError):
                error.sparkkit_step = name  # type: ignore[attr-defined]
            raise
        finally:
            self.seconds[name] = round((self.seconds[name] or 0.0) + time.monotonic() - began, 3)

    def body(self) -> dict[str, Any]:
        """The record's fields, as they are published; the total of the seconds is that of the first call."""
        if self.seconds["total"] is None:
            self.seconds["total"] = round(time.monotonic() - self._began, 3)
        return {"format": FORMAT, **{k: v for k, v in vars(self).items() if not k.startswith("_") and k != "between_steps"}}

    def to_json(self) -> str:
        """The record on one line, without what looks like a secret; bytes of an argument that were no UTF-8 as escapes."""
        said = json.dumps(redaction.clean(self.body()), ensure_ascii=False, default=str)
        return said.encode("utf-8", "backslashreplace").decode("utf-8")

    def write(self, path: Path) -> None:
        """Writes the record whole or not at all, readable by its owner only.

        Raises:
            InfrastructureError: if it can't be written.
        """
        partial = path.with_name(f".{path.name}.{os.getpid()}")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
                file.write(self.to_json() + "\n")
                file.flush()
                os.fsync(file.fileno())
            os.replace(partial, path)
        except OSError as error:
            with suppress(OSError):
                partial.unlink()
            raise InfrastructureError(f"the run's record could not be written to {path}: {error.strerror}",
                                      reason="record_not_written", hint="free the disk or choose another --record") from error
