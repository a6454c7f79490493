"""Compaction loses nothing and doubles nothing, wherever it is killed and whoever compacts beside it."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from sparkkit.history import table
from sparkkit.history.book import Ledger
from sparkkit.history.compact import compact
from sparkkit.history.places import OwnStore
from sparkkit.ledger import Record
from sparkkit.storage.seam import Found

DAY, LATER = "2026-11-20", "2026-11-23"
IDS = [f"a-20261120T10150{n}-00000{n}" for n in range(5)]


class Killed(BaseException):
    """The process ended here."""


class Faulty(OwnStore):
    """A disk whose n-th call that writes is the process's last: before it took effect, or after."""

    def __init__(self, at: int, after: bool) -> None:
        self.left, self.after, self.calls = at, after, 0

    def _call(self, call: Callable[[], Any]) -> Any:
        self.calls += 1
        self.left -= 1
        if self.left == 0 and not self.after:
            raise Killed
        result = call()
        if self.left == 0:
            raise Killed
        return result

    def put_if_absent(self, path: str, data: bytes) -> bool:
        found: bool = self._call(lambda: super(Faulty, self).put_if_absent(path, data))
        return found

    def delete(self, path: str) -> None:
        self._call(lambda: super(Faulty, self).delete(path))


def put(path: Path, ids: Sequence[str] = IDS) -> Ledger:
    book = Ledger(OwnStore(), str(path))
    for run_id in ids:
        book.begin(run_id, {})
        book.end({**Record(run_id, "a").body(), "status": "done", "exit_code": 0, "date": DAY, "message": run_id})
    return book


def read(book: Ledger) -> list[str]:
    """The runs' ids as a reader sees them, each record looked up too."""
    ids = [row.run_id for row in book.runs() if row.status == "done"]
    assert [(book.record(run_id) or {})["message"] for run_id in ids] == ids
    return sorted(ids)


def packed(book: Ledger) -> list[str]:
    """The ids in the table, as a stranger sees them who knows nothing of our reading."""
    return sorted(row.run_id for part in book.parts(DAY) for row in table.rows(book.store, part))


@pytest.fixture(params=["parquet", "jsonl"])
def kind(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param == "jsonl":
        monkeypatch.setitem(sys.modules, "pyarrow", None)
    else:
        pytest.importorskip("pyarrow")
    return str(request.param)


def test_records_move_into_the_table_and_are_read_as_before(kind: str, tmp_path: Path) -> None:
    book = put(tmp_path)
    before = list(book.runs())
    whole = [book.record(run_id) for run_id in IDS]
    assert compact(book, LATER).records == 5
    assert [Path(part).suffix for part in book.parts(DAY)] == [f".{kind}"]
    assert (list(book.runs()), [book.record(run_id) for run_id in IDS], book.ended(DAY)) == (before, whole, {})


def test_killed_at_every_call_nothing_is_lost_and_nothing_is_twice(kind: str, tmp_path: Path) -> None:
    killed = 0
    for after in (False, True):
        for at in count(1):
            path = tmp_path / f"{at}-{after}"
            book, store = put(path), Faulty(at, after)
            try:
                compact(Ledger(store, str(path)), LATER)
                break
            except Killed:
                killed += 1
            assert read(book) == IDS, (at, after)
            compact(book, LATER)
            assert (read(book), packed(book), book.ended(DAY)) == (IDS, IDS, {}), (at, after)
    assert killed == 2 * (1 + 2 * len(IDS))


def test_two_compactors_at_once_put_each_record_once(kind: str, tmp_path: Path) -> None:
    book = put(tmp_path)

    class Slow(OwnStore):
        """Another compactor comes in between this one's look and its put."""

        came = False

        def put_if_absent(self, path: str, data: bytes) -> bool:
            if not self.came:
                self.came = True
                compact(book, LATER)
                put(tmp_path, [late])
            return super().put_if_absent(path, data)

    late = "a-20261120T235959-00000f"
    compact(Ledger(Slow(), str(tmp_path)), LATER)
    assert (read(book), packed(book), len(book.parts(DAY))) == ([*IDS, late], [*IDS, late], 2)


def test_a_run_that_is_compacted_while_it_is_looked_up_is_found(tmp_path: Path) -> None:
    book = put(tmp_path)

    class Unlucky(OwnStore):
        """A compactor is done with everything just before the first record is opened."""

        came = False

        def read(self, path: str) -> Found | None:
            if path.endswith(f"{IDS[-1]}.json") and not self.came:
                self.came = True
                compact(book, LATER)
            return super().read(path)

    assert read(Ledger(Unlucky(), str(tmp_path))) == IDS


@pytest.mark.parametrize("odd", ['{"format": 1}', "[]", '{"seconds": [1]}', '{"exit_code": "0"}', '{"run_id": "another"}', '{"job": 1}'])
def test_what_is_no_record_of_its_run_stays_loose_and_is_unreadable(odd: str, tmp_path: Path) -> None:
    book = put(tmp_path)
    file = next(tmp_path.rglob(f"{IDS[0]}.json"))
    whole = json.loads(file.read_text())
    file.write_text(odd if odd[0] == "[" or "format" in odd else json.dumps({**whole, **json.loads(odd)}))
    assert (compact(book, LATER).left, [row.status for row in book.runs()][-1]) == ((IDS[0],), "unreadable")


def test_recent_days_runs_without_an_end_and_damaged_records_stay_loose(tmp_path: Path) -> None:
    book = put(tmp_path, [*IDS, "a-20261123T101500-000001"])
    book.begin("a-20261120T101500-00000a", {})
    damaged = next(tmp_path.rglob(f"{IDS[0]}.json"))
    damaged.write_text("{")
    done = compact(book, LATER)
    assert (done.records, done.left, packed(book)) == (4, (IDS[0],), IDS[1:])
    assert [row.status for row in book.runs()] == ["done", "done", "done", "done", "done", "unknown", "unreadable"]
    assert compact(book, LATER).records == 0


def test_a_part_that_needs_pyarrow_says_so_where_it_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("pyarrow")
    book = put(tmp_path)
    compact(book, LATER)
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    with pytest.raises(table.UsageError, match="pyarrow is not installed"):
        list(book.runs())
