"""One run's own entry in the ledger. Trouble is told once, when the run has ended, and changes nothing else."""
from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Any

from sparkkit import redaction
from sparkkit.errors import SparkkitError
from sparkkit.history import places
from sparkkit.history.book import Ledger
from sparkkit.history.places import Place
from sparkkit.ledger import Record
from sparkkit.project import Project
from sparkkit.storage import alive

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

PATIENCE = 20.0
"""Seconds in which a ledger elsewhere has to answer: a name node that is down keeps its clients for minutes."""


@dataclass
class Keeper:
    """Writes a run into its ledger; into the one of the project's hidden folder where that can't be done.

    `closing` ends the session, if the run has one of its own; the ledger may need it until the record is put.
    """

    record: Record
    home: Project
    place: Place
    spark: SparkSession | None = None
    closing: ExitStack = field(default_factory=ExitStack)

    @contextmanager
    def beginning(self, where: str) -> Iterator[None]:
        """Leaves word that the run has begun: before the block where the ledger is on this machine, and else after it, when there is
        a session. `where` is the record's place. What fails here fails at the end too, and is told then."""
        if self.place.local:
            self._begin(where)
        yield
        if not self.place.local:
            self._begin(where)

    def _begin(self, where: str) -> None:
        record = self.record
        events = record.event_log or str(Path(where).with_name(f"{record.run_id}.events"))
        said = {"job": record.job, "started": record.started, "date": record.date, "env": record.env, "record": where,
                "event_log": events, "process": alive.here()}
        _trouble(lambda: self._ledger(self.place).begin(self.record.run_id, redaction.clean(said)), PATIENCE)

    def end(self) -> str | None:
        """Puts the record as it now stands, without secrets; one sentence where it is not in its ledger."""
        body = redaction.clean(self.record.body())
        trouble = _trouble(lambda: self._ledger(self.place).end(body), PATIENCE)
        if trouble is None:
            return None
        text = f"this run is not in the ledger {self.place.path} ({self.place.said}): {trouble}"
        spare = places.fallback(self.home)
        if spare.path == self.place.path or _trouble(lambda: self._ledger(spare).end(body), PATIENCE):
            return text
        return f"{text}; it is in {spare.path}"

    def _ledger(self, place: Place) -> Ledger:
        return Ledger(places.store(place, self.spark), place.path)


def _trouble(call: Callable[[], Any], seconds: float) -> str | None:
    """What went wrong in a call that is given some time; None where nothing did."""
    said: list[str] = []

    def tried() -> None:
        try:
            call()
            said.append("")
        except OSError as error:
            said.append(error.strerror or str(error))
        except SparkkitError as error:
            said.append(error.message)
        except Exception as error:
            said.append(f"{type(error).__name__}: {error}")

    thread = Thread(target=tried, daemon=True)
    thread.start()
    thread.join(seconds)
    return (said[0] if said else f"no answer in {seconds:.0f} s") or None
