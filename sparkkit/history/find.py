"""A ledger to read from, and the one run that a person means."""
from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sparkkit import conf as confs
from sparkkit import project
from sparkkit.errors import NotReadyError, UsageError
from sparkkit.history import places
from sparkkit.history.book import Ledger

ID = re.compile(r".+-\d{8}T\d{6}-[0-9a-f]{6}")
UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


@contextmanager
def ledger(option: str | None = None, job: str | None = None, env: str | None = None) -> Iterator[Ledger]:
    """The project's ledger, as a run of the job would find it; a session is started only where it is not on this machine."""
    home = project.find()
    place = places.find(home, option, configured(home, job, env))
    if place.local:
        yield Ledger(places.store(place), place.path)
        return
    from sparkkit import session

    spark = session.start(app_name="ledger", profile="test")
    try:
        yield Ledger(places.store(place, spark), place.path)
    finally:
        session.stop(spark)


def job_of(said: str) -> str | None:
    """The job of a whole id, whose conf may name a ledger of its own.

    >>> job_of("word_count-20261122T223348-1a2b3c"), job_of("last")
    ('word_count', None)
    """
    return said[:-23] if ID.fullmatch(said) else None


def run(book: Ledger, said: str) -> dict[str, Any]:
    """The record of the run that a text means: its id, the beginning or the six last digits of it, or `last`.

    Raises:
        NotReadyError: there is none.
        UsageError: there are several, or its record can't be read.
    """
    found = book.record(said) if ID.fullmatch(said) else None
    if found is None:
        found = book.record(_one(book, said))
    assert found is not None, said
    return found


def _one(book: Ledger, said: str) -> str:
    if said == "last":
        last = next(book.runs(), None)
        if last is None:
            raise NotReadyError(f"the ledger {book.path} has no run", reason="no_run", hint="`sparkkit run JOB` makes one")
        return last.run_id
    matching = [name for name in book.names() if name.startswith(said) or name.endswith(f"-{said}")]
    if not matching:
        raise NotReadyError(f"the ledger {book.path} has no run {said!r}", reason="no_run", hint="`sparkkit runs` lists them")
    if len(matching) > 1:
        shown = ", ".join(matching[:5])
        raise UsageError(f"{said!r} is the beginning of {len(matching)} runs: {shown}{', …' * (len(matching) > 5)}", reason="many_runs",
                         hint="write more of it")
    return matching[0]


def since(text: str, now: dt.datetime) -> str:
    """A time as the ids tell it, UTC: out of a date, a date and time, or how long ago.

    Raises:
        UsageError: it is none of them.

    >>> now = dt.datetime(2026, 11, 22, 12, tzinfo=dt.UTC)
    >>> since("2h", now), since("2026-11-01", now), since("2026-11-01T01:00+01:00", now)
    ('20261122T100000', '20261101T000000', '20261101T000000')
    """
    ago = re.fullmatch(r"(\d{1,6})([smhdw])", text)
    try:
        moment = now - dt.timedelta(**{UNITS[ago[2]]: int(ago[1])}) if ago else dt.datetime.fromisoformat(text)
    except (ValueError, OverflowError) as error:
        raise UsageError(f"--since {text!r} is no time", reason="wrong_option", hint="write 2026-11-22, 2026-11-22T08:00 or 12h") from error
    return (moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)).astimezone(dt.UTC).strftime("%Y%m%dT%H%M%S")


def configured(home: project.Project, job: str | None, env: str | None) -> str | None:
    """What the conf files say of the ledger, the last one wins; a job's own file is asked where the job is known."""
    found = None
    for origin, layer in confs.layers(home, job or "", env):
        said = layer.get("ledger", {})
        path = said.get("path") if isinstance(said, dict) else None
        if path is not None and not isinstance(path, str):
            raise UsageError(f"{origin}: ledger.path is {path!r}, expected a text", reason="wrong_conf")
        found = path or found
    return found
