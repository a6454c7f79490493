"""The ledger as it is read and written: a folder for each day (UTC, of the run's begin), in it an object for each run.

    2026-11-22/word_count-20261122T223348-1a2b3c.started.json    while the run is under way, or was killed
    2026-11-22/word_count-20261122T223348-1a2b3c.json            its record, put if absent, never changed
    table/2026-11-20.0001.parquet                                records of a day, compacted (`sparkkit.history.table`)

Names tell job and time, so a list of runs opens the newest few and no other.
"""
from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from itertools import groupby
from typing import Any
from urllib.parse import quote, unquote

from sparkkit.errors import UsageError
from sparkkit.history import table
from sparkkit.history.places import Keeps
from sparkkit.history.table import Row
from sparkkit.ledger import FORMAT
from sparkkit.storage import alive

NAME = re.compile(r"(?P<id>(?P<job>.+)-(?P<began>\d{8}T\d{6})-[0-9a-f]{6})(?P<started>\.started)?\.json")
DAY = re.compile(r"\d{4}-\d{2}-\d{2}")


@dataclass(frozen=True)
class Ledger:
    """A ledger's folder on a store."""

    store: Keeps
    path: str

    def begin(self, run_id: str, said: Mapping[str, Any]) -> None:
        """Leaves word that a run has begun, for one that is killed leaves no other."""
        self.store.put_if_absent(self._at(run_id, ".started.json"), _bytes({"format": FORMAT, "run_id": run_id, **said}))

    def end(self, record: Mapping[str, Any]) -> None:
        """Puts a run's record; the word that it had begun then goes."""
        run_id = record["run_id"]
        self.store.put_if_absent(self._at(run_id, ".json"), _bytes(record))
        with suppress(OSError):  # a record wins over the word, so what is left of it does no harm
            self.store.delete(self._at(run_id, ".started.json"))

    def runs(self, *, job: str | None = None, since: str | None = None) -> Iterator[Row]:
        """The runs, newest first, each opened when it is asked for; `since` is a time such as `20261122T000000`."""
        for day in self.days():
            if since and day.replace("-", "") < since[:8]:
                return
            yield from self._of_day(day, job, since or "")

    def names(self) -> Iterator[str]:
        """Every run's id, newest first; opens no loose record."""
        for day in self.days():
            began = self._loose(day) | {row.run_id: row.began for row in self._rows(day)}
            yield from _newest_first(began)

    def record(self, run_id: str) -> dict[str, Any] | None:
        """A run's record; of one without, what it left at its start, with the status `running`, `killed` or `unknown`.

        Raises:
            UsageError: a newer sparkkit wrote it.
        """
        for _ in range(2):  # once more, for it may have ended, or been compacted, while we looked
            text = self._text(run_id)
            if text is not None:
                return parsed(text, run_id)
            word = self.store.read(self._at(run_id, ".started.json"))
            if word is not None:
                return _under_way(parsed(word.data, run_id, whole=False), run_id)
        return None

    def days(self) -> list[str]:
        """The days of which there is anything, newest first."""
        loose = {name.rstrip("/") for name in self.store.list(self.path)}
        packed = {name[:10] for name in self.store.list(f"{self.path}/table")}
        return sorted((day for day in loose | packed if DAY.fullmatch(day)), reverse=True)

    def parts(self, day: str) -> list[str]:
        """The compacted parts of a day, oldest first."""
        return [f"{self.path}/table/{name}" for name in self.store.list(f"{self.path}/table") if table.is_part(name, day)]

    def ended(self, day: str) -> dict[str, str]:
        """The loose records of a day: id, path."""
        names = self.store.list(f"{self.path}/{day}")
        found = ((NAME.fullmatch(unquote(name)), name) for name in names)
        return {m["id"]: f"{self.path}/{day}/{name}" for m, name in found if m and not m["started"]}

    def _of_day(self, day: str, job: str | None, since: str) -> Iterator[Row]:
        loose = self._loose(day)  # before the table: what is compacted meanwhile is then in one of them at least
        rows = {row.run_id: row for row in self._rows(day)}
        began = loose | {run_id: row.began for run_id, row in rows.items()}
        chosen = {run_id: time for run_id, time in began.items() if time >= since and job in (None, _job(run_id))}
        for _, tied in groupby(_newest_first(chosen), key=chosen.__getitem__):  # of one second: the record has milliseconds
            found = [row for run_id in tied if (row := rows.get(run_id) or self._row(run_id)) is not None]
            yield from sorted(found, key=lambda row: row.started or "", reverse=True)

    def _text(self, run_id: str) -> bytes | None:
        found = self.store.read(self._at(run_id, ".json"))
        parts = () if found else self.parts(_day(run_id))
        return found.data if found else next(filter(None, (table.record(self.store, p, run_id) for p in parts)), None)

    def _row(self, run_id: str) -> Row | None:
        """A loose run's row; one that was compacted since it was listed is looked up again, one that is gone is None."""
        try:
            record = self.record(run_id)
        except UsageError as error:
            return Row(run_id, _job(run_id), "unreadable", reason=error.reason)
        except PermissionError:
            return Row(run_id, _job(run_id), "unreadable", reason="not_yours")
        return table.row(record) if record else None

    def _rows(self, day: str) -> list[Row]:
        return [row for part in self.parts(day) for row in table.rows(self.store, part)]

    def _loose(self, day: str) -> dict[str, str]:
        """The loose runs of a day, ended or not: id, when it began."""
        found = (NAME.fullmatch(unquote(name)) for name in self.store.list(f"{self.path}/{day}"))
        return {match["id"]: match["began"] for match in found if match}

    def _at(self, run_id: str, ending: str) -> str:
        return f"{self.path}/{_day(run_id)}/{quote(run_id, safe='-_.~ =')}{ending}"


def _newest_first(began: Mapping[str, str]) -> list[str]:
    return sorted(began, key=lambda run_id: (began[run_id], run_id), reverse=True)


def _day(run_id: str) -> str:
    """
    >>> _day("a-b-20261122T223348-1a2b3c")
    '2026-11-22'
    """
    began = run_id[-22:]
    return f"{began[:4]}-{began[4:6]}-{began[6:8]}"


def _job(run_id: str) -> str:
    return run_id[:-23]


def _bytes(value: Mapping[str, Any]) -> bytes:
    return (json.dumps(value, ensure_ascii=False, default=str) + "\n").encode("utf-8", "replace")


def parsed(data: bytes, run_id: str, *, whole: bool = True) -> dict[str, Any]:
    """A record, or the word that a run left at its start, which is not `whole`.

    Raises:
        UsageError: it is damaged (`record_damaged`), or a newer sparkkit wrote it (`newer_format`).
    """
    try:
        record: dict[str, Any] = json.loads(data)
        newer = record["format"] > FORMAT
        if whole and not newer and not (record["run_id"] == run_id and table.is_row(record)):
            raise ValueError("it is no record of a run")
    except (ValueError, TypeError, KeyError) as error:
        raise UsageError(f"the record of {run_id} is damaged: {error}", reason="record_damaged",
                         hint="look for runs/<run_id>.json where it was started") from error
    if newer:
        raise UsageError(f"the record of {run_id} has format {record['format']}, and this sparkkit reads {FORMAT}",
                         reason="newer_format", hint="read it with the newer sparkkit")
    return record


def _under_way(said: dict[str, Any], run_id: str) -> dict[str, Any]:
    """What is known of a run that has no record."""
    return {"job": _job(run_id), "exit_code": None, "reason": None, "message": None, "date": None, **said,
            "status": alive.state(said.get("process") or {})}
