"""Every error that sparkkit raises: what, where and what to do, with the exit code of the process.

| code | meaning |
| --- | --- |
| 0 | done (also when there was nothing new) |
| 1 | the job's own failure |
| 2 | wrong use or wrong conf: do not retry |
| 3 | an input is not there yet: retry later |
| 4 | contract, accounting or quality broken; nothing was published, but for a job's alarm (reason `alarm`) |
| 5 | another run holds the lock |
| 6 | infrastructure: retry |
"""
from __future__ import annotations

PRECEDENCE = (2, 5, 3, 6, 4, 1)
"""Which exit code wins where two errors apply, first the strongest."""


class SparkkitError(Exception):
    """The root of all errors of sparkkit.

    Args:
        message: one sentence that says what was found, where, and what was expected.
        reason: a stable snake_case word for the run record; default the class's own.
        hint: what to do about it, one sentence.

    >>> error = UsageError("no job 'wrod_count' in jobs/", reason="unknown_job", hint="did you mean 'word_count'?")
    >>> error.exit_code, error.reason
    (2, 'unknown_job')
    >>> print(error)
    no job 'wrod_count' in jobs/: did you mean 'word_count'?
    """

    exit_code = 1
    reason = "failed"

    def __init__(self, message: str, *, reason: str | None = None, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        if reason is not None:
            self.reason = reason

    def __str__(self) -> str:
        return f"{self.message}: {self.hint}" if self.hint else self.message


class JobError(SparkkitError):
    """The job's own code failed (exit code 1)."""

    exit_code, reason = 1, "job_failed"


class UsageError(SparkkitError):
    """Wrong use: a wrong option, path, conf, contract or job file (exit code 2); a retry does not help."""

    exit_code, reason = 2, "wrong_use"


class NotReadyError(SparkkitError):
    """An input is not there yet (exit code 3); a later retry may find it."""

    exit_code, reason = 3, "input_missing"


class ContractError(SparkkitError):
    """Data broke its contract, or a quality check failed (exit code 4)."""

    exit_code, reason = 4, "contract_broken"


class AccountingError(ContractError):
    """The figures of a run do not add up (exit code 4); nothing was published."""

    reason = "accounting_broken"


class LockedError(SparkkitError):
    """Another run holds the lock (exit code 5)."""

    exit_code, reason = 5, "locked"


class InfrastructureError(SparkkitError):
    """The JVM, the disk, the network or the cluster failed (exit code 6); a retry may help."""

    exit_code, reason = 6, "infrastructure"


def nearest(word: str, known: object) -> str | None:
    """The known word most like ``word``, or None where nothing is near.

    >>> nearest("formt", ["format", "mode"])
    'format'
    """
    import difflib

    found = difflib.get_close_matches(word, [str(k) for k in known], n=1, cutoff=0.6)  # type: ignore[attr-defined]
    return found[0] if found else None


def strongest(errors: list[SparkkitError]) -> SparkkitError:
    """The error whose exit code wins by ``PRECEDENCE``; the first of equals.

    >>> strongest([ContractError("a"), UsageError("b")]).message
    'b'
    """
    return min(errors, key=lambda e: PRECEDENCE.index(e.exit_code))
