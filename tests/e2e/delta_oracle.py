"""What Delta's modes must leave, computed by DuckDB out of all that was ever said; and made-up changes to say."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Sequence
from typing import Any

Change = tuple[int, int, bool, int | None, str | None]
"""Key, place in the order, whether it deletes, and two values."""

COLUMNS = "k INTEGER, seq INTEGER, gone BOOLEAN, v INTEGER, w VARCHAR"


def changes(seed: int, keys: int, places: int, batches: int) -> list[list[Change]]:
    """Batches of changes in no order: keys come back after deletes, nulls come and go, some are said more than once.

    What is said of a key at a place is the same each time.
    """
    chance = random.Random(seed)
    every = [_said(seed, k, at) for k in range(keys) for at in range(places) if chance.random() < 0.6]
    chance.shuffle(every)
    size = len(every) // batches + 1
    parts = [every[i : i + size] for i in range(0, len(every), size)]
    return [part + chance.sample(every, 5) + chance.sample(part, 3) for part in parts]


def _said(seed: int, k: int, at: int) -> Change:
    dice = hashlib.sha256(f"{seed} {k} {at}".encode()).digest()
    gone = dice[0] < 70
    v = None if dice[1] < 60 else dice[1] % 2
    w = None if dice[2] < 60 else "xy"[dice[2] % 2]
    return (k, at, gone, None, None) if gone else (k, at, gone, v, w)


def _asked(batches: Sequence[Sequence[Change]], sql: str) -> list[list[Any]]:
    import duckdb  # here, so that pytest's look for doctests does not load it

    with duckdb.connect() as base:
        base.execute(f"CREATE TABLE said (n INTEGER, {COLUMNS})")
        rows = [(n, *row) for n, batch in enumerate(batches) for row in batch]
        if rows:
            base.executemany("INSERT INTO said VALUES (?, ?, ?, ?, ?, ?)", rows)
        return [list(row) for row in base.execute(sql).fetchall()]


def merged(batches: Sequence[Sequence[Change]]) -> list[list[Any]]:
    """The last batch that names a key says what it is (batches with each key once)."""
    return _asked(batches, "SELECT k, seq, v, w FROM said QUALIFY row_number() OVER (PARTITION BY k ORDER BY n DESC) = 1 ORDER BY k")


def latest(batches: Sequence[Sequence[Change]]) -> list[list[Any]]:
    """The newest of each key, if that is no delete."""
    newest = "SELECT * FROM said QUALIFY row_number() OVER (PARTITION BY k ORDER BY seq DESC) = 1"
    return _asked(batches, f"SELECT k, seq, v, w FROM ({newest}) WHERE NOT gone ORDER BY k")


def history(batches: Sequence[Sequence[Change]]) -> list[list[Any]]:
    """The versions of each key: key, values, from, to, whether it is current."""
    return _asked(batches, """
        WITH once AS (SELECT DISTINCT k, seq, gone, v, w FROM said),
        beside AS (SELECT *, lag({'g': gone, 'v': v, 'w': w}) OVER byk AS was FROM once WINDOW byk AS (PARTITION BY k ORDER BY seq)),
        acts AS (SELECT * FROM beside WHERE CASE WHEN gone THEN was IS NOT NULL AND NOT was.g
            ELSE was IS NULL OR was.g OR was.v IS DISTINCT FROM v OR was.w IS DISTINCT FROM w END),
        ended AS (SELECT *, lead(seq) OVER (PARTITION BY k ORDER BY seq) AS until FROM acts)
        SELECT k, v, w, seq, until, until IS NULL FROM ended WHERE NOT gone ORDER BY k, seq""")
