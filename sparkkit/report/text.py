"""The end of a run in plain text: rows, files, bytes, time, quarantine by reason, and where to look."""
from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from sparkkit.checks.results import sentence

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


def number(value: Any) -> str:
    """A count with thousands separators; what is not known is a dash.

    >>> number(7260), number(None)
    ('7,260', '-')
    """
    return "-" if value is None else f"{value:,}"


def size(value: int | None) -> str:
    """Bytes for people.

    >>> size(1536), size(None)
    ('1.5 KiB', '-')
    """
    if value is None:
        return "-"
    amount, unit = float(value), "B"
    for unit in ("B", "KiB", "MiB", "GiB", "TiB"):
        if amount < 1024 or unit == "TiB":
            break
        amount /= 1024
    return f"{amount:.0f} B" if unit == "B" else f"{amount:.1f} {unit}"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Aligned columns: the first to the left, the others to the right."""
    lines = [list(head), *[list(r) for r in rows]]
    widths = [max(len(line[i]) for line in lines) for i in range(len(head))]
    return "\n".join("  ".join(c.ljust(w) if i == 0 else c.rjust(w) for i, (c, w) in enumerate(zip(line, widths, strict=True))).rstrip()
                     for line in lines)


def summary(record: Mapping[str, Any], where: str) -> str:
    """The table at the end of a run that is done."""
    rows = [_row(f"read {n}", i, "read", "passed") for n, i in record["inputs"].items()]
    rows += [_row(f"wrote {n}", o, "built", "written") for n, o in record["outputs"].items()]
    lines = [f"{record['job']}: {record['status']} in {record['seconds']['total']:.1f} s",
             table(("", "rows", "kept", "quarantined", "files", "size"), rows)]
    lines += [record["message"]] if record["message"] else []
    lines += [f"quarantine: {edge}: {n:,} {reason}" for edge, reason, n in _reasons(record)]
    lines += [f"warning: {one['meta']['of']}: {sentence(one)}" for one in record["checks"] if _warns(one)]
    lines += [f"not whole: {n}: {i['why']}" for n, i in record["inputs"].items() if i["complete"] is False]
    lines += [f"late: {n}: {rows:,} rows of {day or 'before the mark'}" for n, i in record["inputs"].items()
              for day, rows in (i.get("late") or {}).items()]
    lines += [f"note: {f['reason']}: {f['file']} {f['detail']}".rstrip() for f in _findings(record)]
    lines += [f"output: {o['path']}" for o in record["outputs"].values()]
    if record["quarantine"]:
        lines.append(f"quarantine: {record['quarantine']}")
    if record.get("model"):
        lines += model(record["model"])
    return "\n".join([*lines, f"record: {where}"])


def model(found: Mapping[str, Any]) -> list[str]:
    """What a training registered, in two lines.

    >>> rows = {"train": 80, "test": 20}
    >>> print(*model({"name": "mood", "version": 2, "champion": True, "why": "there was no champion", "rows": rows,
    ...               "metrics": {"accuracy": 0.8123, "roc_auc": None}}), sep="\\n")
    model: mood version 2 is the champion (there was no champion)
    figures: accuracy 0.812 (80 train rows, 20 test rows)
    """
    told = ", ".join(f"{name} {value:.3f}" for name, value in found["metrics"].items() if value is not None)
    state = "is the champion" if found["champion"] else "is a challenger"
    return [f"model: {found['name']} version {found['version']} {state} ({found['why']})",
            f"figures: {told} ({number(found['rows']['train'])} train rows, {number(found['rows']['test'])} test rows)"]


def _warns(one: Mapping[str, Any]) -> bool:
    """Whether a person should know of a check that did not end the run; rows in the quarantine are told by their reasons."""
    return one["success"] is None or not one["success"] and one["expectation_config"]["meta"]["severity"] == "warn"


def _row(name: str, edge: Mapping[str, Any], total: str, good: str) -> list[str]:
    return [name, number(edge[total]), number(edge[good]), number(edge["quarantined"]), number(edge["files"]), size(edge["bytes"])]


def _reasons(record: Mapping[str, Any]) -> list[tuple[str, str, int]]:
    edges = {**record["inputs"], **record["outputs"]}
    return [(n, r, c) for n, e in edges.items() for r, c in sorted((e["quarantined_by"] or {}).items())]


def _findings(record: Mapping[str, Any], most: int = 5) -> list[Mapping[str, Any]]:
    found = [f for i in record["inputs"].values() for f in i["findings"]]
    more = [{"reason": "and more", "file": f"{len(found) - most} more findings are in the record", "detail": ""}]
    return found[:most] + (more if len(found) > most else [])


def frame(name: str, rows: DataFrame, limit: int) -> str:
    """A few rows of an output as an aligned table."""
    from sparkkit import compat  # here, since other texts need no Spark

    head = rows.columns
    body = [["NULL" if v is None else str(v) for v in row] for row in compat.zoneless(rows.limit(limit)).toLocalIterator()]
    return f"{name}:\n{table(head, body)}" if head else f"{name}: no columns"
