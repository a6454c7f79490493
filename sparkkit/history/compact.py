"""Compaction: a day's loose records become one part of the table. Safe to kill anywhere, and to run twice at once.

The part is put first, under the number after the last one: of two compactors that saw the same parts one wins, and the other looks
again, so no record is in two parts. Only then are the loose ones deleted; one that is in a part already is only deleted.
"""
from __future__ import annotations

from dataclasses import dataclass

from sparkkit.errors import UsageError
from sparkkit.history import table
from sparkkit.history.book import Ledger, parsed

TRIES = 100


@dataclass(frozen=True)
class Packed:
    """What a compaction did: records that are now in the table, and those it left loose because they can't be read."""

    records: int
    left: tuple[str, ...]


def compact(ledger: Ledger, before: str) -> Packed:
    """Packs the ended runs of the days before a day (`2026-11-21`); runs without an end stay as they are.

    Raises:
        OSError: the store failed; what was done stands, and a later compaction goes on from there.
    """
    done, left = 0, list[str]()
    for day in ledger.days():
        if day < before:
            packed = _day(ledger, day)
            done, left = done + packed.records, [*left, *packed.left]
    return Packed(done, tuple(left))


def _day(ledger: Ledger, day: str) -> Packed:
    for _ in range(TRIES):
        parts, loose = ledger.parts(day), ledger.ended(day)
        there = {row.run_id for part in parts for row in table.rows(ledger.store, part)}
        records, left = _records(ledger, {run_id: path for run_id, path in loose.items() if run_id not in there})
        if records and not _put(ledger, day, parts, records):
            continue  # another compactor was faster: its part holds what we held
        for run_id in (there & loose.keys()) | records.keys():
            ledger.store.delete(loose[run_id])
            ledger.store.delete(loose[run_id].removesuffix(".json") + ".started.json")
        return Packed(len(records), left)
    raise OSError(f"{TRIES} other compactors were faster at {day}")


def _put(ledger: Ledger, day: str, parts: list[str], records: dict[str, bytes]) -> bool:
    number = max((int(part.rsplit(".", 2)[1]) for part in parts), default=0) + 1
    ending, data = table.encoded(list(records.values()))
    return ledger.store.put_if_absent(f"{ledger.path}/table/{day}.{number:04}.{ending}", data)


def _records(ledger: Ledger, loose: dict[str, str]) -> tuple[dict[str, bytes], tuple[str, ...]]:
    """The loose records' contents, and the ids of those that are damaged, newer than us, or not ours to read."""
    found, left = {}, []
    for run_id, path in sorted(loose.items()):
        try:
            data = ledger.store.read(path)
            if data is not None:
                parsed(data.data, run_id)
                found[run_id] = data.data
        except (UsageError, PermissionError):
            left.append(run_id)
    return found, tuple(left)
