"""Past runs in plain text: a list, one run's page, one line of status."""
from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from sparkkit.report.text import number, size, table

if TYPE_CHECKING:
    from sparkkit.history.table import Row


def listed(rows: Iterable[Row]) -> str:
    """A line for each run: id, status, exit code, seconds, reason."""
    body = [(r.run_id, r.status, number(r.exit_code), "-" if r.seconds is None else f"{r.seconds:.1f}", r.date or "-", r.reason or "")
            for r in rows]
    return table(("run", "status", "exit", "seconds", "date", "reason"), body)


def page(record: Mapping[str, Any]) -> str:
    """Everything about one run that people ask for."""
    lines = [f"{record['run_id']}: {_ending(record)}"]
    lines += [f"{name + ':':<14}{record[key]}" for name, key in _PLAIN if record.get(key) not in (None, {}, "")]
    seconds = {k: v for k, v in (record.get("seconds") or {}).items() if v is not None}
    if seconds:
        lines.append("seconds:      " + ", ".join(f"{k} {v:.1f}" for k, v in seconds.items()))
    lines += [f"contract:     {n} {c['version']} ({c['hash']})" for n, c in (record.get("contracts") or {}).items()]
    rows = [_edge(f"read {n}", i, "read", "passed") for n, i in (record.get("inputs") or {}).items()]
    rows += [_edge(f"wrote {n}", o, "built", "written") for n, o in (record.get("outputs") or {}).items()]
    if rows:
        lines.append(table(("", "rows", "kept", "quarantined", "files", "size"), rows))
    lines += [f"input {n}: {', '.join(i['paths'] or ())}" + (f" ({i['incremental']})" if i.get("incremental") else "")
              for n, i in (record.get("inputs") or {}).items()]
    lines += [f"late {n}: " + ", ".join(f"{rows:,} rows of {day or 'before the mark'}" for day, rows in i["late"].items())
              for n, i in (record.get("inputs") or {}).items() if i.get("late")]
    lines += [f"output {n}: {o['path']}" for n, o in (record.get("outputs") or {}).items()]
    return "\n".join(lines)


def status(record: Mapping[str, Any]) -> str:
    """One run on one line."""
    message = f": {record['message']}" if record.get("message") else ""
    return f"{record['run_id']}: {_ending(record)}{message}"


_PLAIN = (
    ("message", "message"), ("started", "started"), ("date", "date"), ("env", "env"), ("parameters", "params"), ("code", "code_version"),
    ("Spark", "spark_version"), ("application", "application"), ("quarantine", "quarantine"), ("event log", "event_log"),
    ("stack", "driver_log"), ("process", "process"),
)
"""A page's simple lines: the name for people, the record's field."""

UNENDED = {
    "running": "running",
    "killed": "killed: it began and its process is gone without a word",
    "unknown": "unknown: it began on another machine, and has left no word since",
}
"""The statuses of a run without a record, in words."""


def _ending(record: Mapping[str, Any]) -> str:
    code = record.get("exit_code")
    return UNENDED.get(record["status"]) or f"{record['status']} (exit {code}{', ' + record['reason'] if record.get('reason') else ''})"


def _edge(name: str, edge: Mapping[str, Any], total: str, good: str) -> list[str]:
    return [name, number(edge.get(total)), number(edge.get(good)), number(edge.get("quarantined")), number(edge.get("files")),
            size(edge.get("bytes"))]
