"""The answer to `why`: what there is to read of a run is read, and the likely causes are ranked."""
from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from typing import Any

from sparkkit.errors import NotReadyError, SparkkitError, UsageError
from sparkkit.ledger import FORMAT
from sparkkit.report.runs import status
from sparkkit.why import driverlog, eventlog
from sparkkit.why.causes import TELLING, Finding, told
from sparkkit.why.eventlog import Window
from sparkkit.why.facts import Facts, Said
from sparkkit.why.figures import SHOWN
from sparkkit.why.streams import CutOffError, lines


def of_record(record: Mapping[str, Any], extra: Sequence[Path] = ()) -> Facts:
    """What the record of a run says, and the logs that it names; `extra` are more logs."""
    facts = Facts(record=record)
    facts.looked_at.append(f"record {record['run_id']}")
    if record.get("message"):
        facts.say(Said("record", str(record["message"]), fatal=True))
    for key, what in (("driver_log", "stack"), ("event_log", "event log")):
        if record.get(key):
            _attempt(facts, str(record[key]), what)
    for path in extra:
        _logs(facts, path)
    return facts


def of_path(path: Path, extra: Sequence[Path] = ()) -> Facts:
    """What a file says: a run's record, an event log (a file or a folder), or a driver's log; `extra` are more logs.

    Raises:
        NotReadyError: nothing is there, or a folder without a log.
    """
    record = _record(path)
    if record is not None:
        return of_record(record, extra)
    facts = Facts()
    for one in (path, *extra):
        _logs(facts, one)
    return facts


def findings(facts: Facts) -> list[Finding]:
    """The likely causes, the strongest first; `job_failed` only where nothing else is known."""
    found = told(facts) + [one for show in SHOWN for one in show(facts)]
    found.sort(key=lambda one: -one.strength)
    better = any(one.strength > 40 and one.cause != "job_failed" for one in found)
    return [one for one in found if not (better and one.cause == "job_failed")]


def body(facts: Facts, found: Sequence[Finding]) -> dict[str, Any]:
    """The answer for machines."""
    record = facts.record
    return {"run_id": record.get("run_id"), "status": record.get("status"), "exit_code": record.get("exit_code"),
            "causes": [asdict(one) for one in found], "without_cause": None if found else unexplained(facts),
            "looked_at": facts.looked_at, "notes": facts.notes}


def text(facts: Facts, found: Sequence[Finding]) -> str:
    """The answer for people."""
    parts = [status(facts.record)] if facts.record else []
    if facts.done and found:
        parts.append("It ended well. What cost it time:")
    for number, one in enumerate(found, 1):
        sure = "certain" if one.strength >= 85 else "likely" if one.strength >= 60 else "perhaps"
        parts.append(f"{number}. {one.what} ({one.cause}, {sure})")
        parts += [f"   seen: {line}" for line in one.evidence if line] + [f"   do: {one.remedy}"]
    if not found:
        parts.append(unexplained(facts))
    parts.append(f"looked at: {'; '.join(facts.looked_at) or 'nothing'}")
    return "\n".join(parts + [f"note: {note}" for note in facts.notes])


def unexplained(facts: Facts) -> str:
    """What there is to say where no cause was found: only of what was read to its end can it be said that nothing went wrong."""
    if facts.done:
        return "No failure and nothing odd was seen."
    if not (facts.record or facts.events or facts.messages or facts.said):
        return "There is nothing to judge by: no event and no message could be read."
    if facts.events and not facts.ended and facts.record.get("exit_code") is None:
        return "The application did not end, as far as its log goes: it was killed, or it still runs. What is there of it names no cause."
    if not (facts.record or facts.said):
        return "No failure and nothing odd was seen."
    return "The cause is not known: no known words, no odd figures."


def _attempt(facts: Facts, said: str, what: str) -> None:
    """A log that the record names; what can't be read of it is noted, for the others may tell enough."""
    if "://" in said:
        facts.notes.append(f"the {what} is at {said}: fetch it, and add it by --log")
        return
    path = Path(said.removeprefix("file:"))
    if not path.exists():
        facts.notes.append(f"the {what} {path} is not there (on this machine)")
        return
    try:
        _logs(facts, path)
    except SparkkitError as error:
        facts.notes.append(f"the {what} could not be read: {error}")


def _logs(facts: Facts, path: Path) -> None:
    if not path.exists():
        raise NotReadyError(f"nothing is at {path}", reason="log_missing", hint="`sparkkit runs` lists the runs")
    name = facts.record.get("run_id")
    paths = eventlog.files(path, name)
    if not paths:
        raise NotReadyError(f"the folder {path} has no event log", reason="log_missing", hint="name the log itself")
    if any(map(eventlog.is_log, paths)):
        count = eventlog.read(paths, facts, _window(facts, path))
        facts.looked_at.append(f"event log {path} ({count:,} events)")
    else:
        count = driverlog.read(paths[0], facts, TELLING)
        facts.messages += count
        facts.looked_at.append(f"log {path} ({count:,} messages)")


def _window(facts: Facts, path: Path) -> Window:
    """When the run was, where the log is not its own."""
    record = facts.record
    total = (record.get("seconds") or {}).get("total")
    if total is None or Path(str(record.get("event_log"))) == path:
        return None
    began = dt.datetime.fromisoformat(record["started"]).timestamp() * 1000
    return began, began + total * 1000 + 20  # the same clock, to the millisecond: the next run may follow at once


def _record(path: Path) -> dict[str, Any] | None:
    if path.suffix != ".json" or not path.is_file():
        return None
    try:
        found = json.loads("\n".join(islice(lines(path), 2)))
    except (ValueError, CutOffError):
        return None
    if isinstance(found, dict) and {"run_id", "format", "status"} <= found.keys():
        if not isinstance(found["format"], int) or found["format"] > FORMAT:
            raise UsageError(f"the record {path} has format {found['format']}, and this sparkkit reads {FORMAT}", reason="newer_format",
                             hint="read it with the newer sparkkit")
        return found
    raise UsageError(f"{path} is JSON, but no run's record", reason="wrong_path")
