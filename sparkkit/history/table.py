"""Compacted records: a Parquet file of a day's runs, or JSON lines where pyarrow is missing; written once, never changed."""
from __future__ import annotations

import io
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

from sparkkit.errors import UsageError
from sparkkit.history.places import Keeps


@dataclass(frozen=True)
class Row:
    """One run as a list shows it; what is not known is None."""

    run_id: str
    job: str
    status: str
    exit_code: int | None = None
    reason: str | None = None
    date: str | None = None
    started: str | None = None
    seconds: float | None = None

    @property
    def began(self) -> str:
        """When it began, as its id tells: `20261122T223348`, UTC."""
        return self.run_id[-22:-7]


COLUMNS = tuple(f.name for f in fields(Row))


def row(record: Mapping[str, Any]) -> Row:
    """A record's row."""
    total = (record.get("seconds") or {}).get("total")
    known = {name: record.get(name) for name in COLUMNS if name != "seconds"}
    return Row(**known, seconds=total)  # type: ignore[arg-type]


def is_row(record: Mapping[str, Any]) -> bool:
    """Whether a record's fields are such as a row has."""
    texts = all(isinstance(record.get(name), str) for name in ("run_id", "job", "status"))
    seconds = record.get("seconds")
    total = seconds.get("total") if isinstance(seconds, Mapping) else seconds
    maybe = all(isinstance(record.get(name), str | None) for name in ("reason", "date", "started"))
    return texts and maybe and isinstance(record.get("exit_code"), int | None) and isinstance(total, float | int | None)


def is_part(name: str, day: str) -> bool:
    """Whether a file of the table's folder is a part of a day.

    >>> is_part("2026-11-20.0001.parquet", "2026-11-20"), is_part(".2026-11-20.0001.parquet.tmp", "2026-11-20")
    (True, False)
    """
    return name.startswith(f"{day}.") and name.endswith((".parquet", ".jsonl"))


def encoded(records: Sequence[bytes]) -> tuple[str, bytes]:
    """The records' part: its ending and its content."""
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError:
        return "jsonl", b"".join(data.rstrip(b"\n") + b"\n" for data in records)
    rows = [row(json.loads(data)) for data in records]
    columns = {name: pa.array([getattr(r, name) for r in rows], kind) for name, kind in _kinds(pa).items()}
    columns["record"] = pa.array([data.decode() for data in records], pa.string())
    out = io.BytesIO()
    pq.write_table(pa.table(columns), out, compression="zstd")
    return "parquet", out.getvalue()


def rows(store: Keeps, part: str) -> list[Row]:
    """A part's rows, without the records themselves.

    Raises:
        UsageError: the part is damaged (`record_damaged`), or it is Parquet, and pyarrow is missing.
    """
    if part.endswith(".jsonl"):
        return [row(found) for _, found in _lines(store, part)]
    return [Row(**found) for found in _parquet(store, part, COLUMNS, None).to_pylist()]


def record(store: Keeps, part: str, run_id: str) -> bytes | None:
    """The record of a run as it was put; None where it is not in this part."""
    if part.endswith(".jsonl"):
        return next((line for line, found in _lines(store, part) if found.get("run_id") == run_id), None)
    found = _parquet(store, part, ("record",), [("run_id", "=", run_id)]).to_pylist()
    return found[0]["record"].encode() if found else None


def _kinds(pa: Any) -> dict[str, Any]:
    return dict.fromkeys(COLUMNS, pa.string()) | {"exit_code": pa.int32(), "seconds": pa.float64()}


def _data(store: Keeps, part: str) -> bytes:
    found = store.read(part)
    return found.data if found else b""


def _lines(store: Keeps, part: str) -> Iterator[tuple[bytes, Mapping[str, Any]]]:
    try:
        for line in _data(store, part).splitlines():
            yield line, dict(json.loads(line))
    except (ValueError, TypeError) as error:
        raise _damaged(part, error) from error


def _damaged(part: str, error: Exception) -> UsageError:
    return UsageError(f"the ledger's {part} is damaged: {str(error).splitlines()[0][:200]}", reason="record_damaged",
                      hint="restore it, or move it out of the ledger; other days are whole")


def _parquet(store: Keeps, part: str, columns: Sequence[str], only: Any) -> Any:
    try:
        import pyarrow.parquet as pq
    except ImportError as error:
        raise UsageError(f"{part} is Parquet, and pyarrow is not installed", reason="missing_package",
                         hint="pip install pyarrow") from error
    try:
        return pq.read_table(io.BytesIO(_data(store, part)), columns=list(columns), filters=only)
    except (OSError, ValueError) as error:  # Arrow's own errors are of these kinds
        raise _damaged(part, error) from error
