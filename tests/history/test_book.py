"""The ledger: one immutable object a run, whatever order and how many at once; a run without an end is told apart."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
import time
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from sparkkit.errors import NotReadyError, UsageError
from sparkkit.history import find
from sparkkit.history.book import Ledger
from sparkkit.history.places import OwnStore
from sparkkit.ledger import Record
from sparkkit.storage import alive
from sparkkit.storage.seam import Found

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def book(tmp_path: Path) -> Ledger:
    return Ledger(OwnStore(), str(tmp_path / "ledger"))


def record(run_id: str, **fields: Any) -> dict[str, Any]:
    return {**Record(run_id, run_id[:-23]).body(), **fields}


def listed(book: Ledger, **options: Any) -> list[tuple[str, str]]:
    return [(row.run_id, row.status) for row in book.runs(**options)]


ONE, TWO, OTHER = "a-20261120T101500-000001", "a-20261122T101500-000002", "b-c-20261121T101500-000003"


def test_runs_are_listed_newest_first_and_by_job_and_time(book: Ledger) -> None:
    for run_id in (TWO, ONE, OTHER):
        book.end(record(run_id, status="done"))
    assert [run_id for run_id, _ in listed(book)] == [TWO, OTHER, ONE]
    assert listed(book, job="b-c") == [(OTHER, "done")]
    assert listed(book, since="20261122T101500") == [(TWO, "done")]


def test_runs_of_the_same_second_are_in_the_order_of_their_milliseconds(book: Ledger) -> None:
    ids = [f"a-20261120T101500-00000{n}" for n in (2, 3, 1)]
    for n, run_id in enumerate(ids):
        book.end(record(run_id, status="done", started=f"2026-11-20T10:15:00.00{n}Z"))
    assert ([run_id for run_id, _ in listed(book)], find.run(book, "last")["run_id"]) == (ids[::-1], ids[-1])


def test_what_is_put_once_stays_as_it_is(book: Ledger) -> None:
    book.end(record(ONE, status="done"))
    book.end(record(ONE, status="failed"))
    assert listed(book) == [(ONE, "done")]


def test_only_the_owner_reads_the_ledger_and_its_folder_keeps_itself_out_of_git(tmp_path: Path) -> None:
    home = tmp_path / ".sparkkit"
    Ledger(OwnStore(), str(home / "ledger")).end(record(ONE))
    modes = {stat.S_IMODE(p.stat().st_mode) for p in (home, *home.rglob("*")) if p.name != ".gitignore"}
    assert (modes, (home / ".gitignore").read_text()) == ({0o700, 0o600}, "*\n")


def test_a_file_where_the_ledger_s_folder_was_to_be_keeps_its_rights(tmp_path: Path) -> None:
    (tmp_path / "file").touch(0o644)
    with pytest.raises(NotADirectoryError):
        Ledger(OwnStore(), str(tmp_path / "file" / "ledger")).end(record(ONE))
    assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == 0o644


def test_a_run_that_began_and_never_ended_is_killed_running_or_unknown(book: Ledger) -> None:
    now = alive.here()
    book.begin(ONE, {"process": {**now, "born": -1}})
    book.begin(TWO, {"process": now})
    book.begin(OTHER, {"process": {**now, "host": "elsewhere"}})
    assert listed(book) == [(TWO, "running"), (OTHER, "unknown"), (ONE, "killed")]


def test_the_record_takes_the_place_of_the_word_that_a_run_began(book: Ledger, tmp_path: Path) -> None:
    book.begin(ONE, {"process": alive.here()})
    book.end(record(ONE, status="done"))
    assert listed(book) == [(ONE, "done")]
    assert [p.name for p in (tmp_path / "ledger").rglob("*.json")] == [f"{ONE}.json"]


def test_a_run_that_ends_while_it_is_looked_up_is_found(book: Ledger) -> None:
    class Unlucky(OwnStore):
        """The run ends between the look for its record and that for its word."""

        def read(self, path: str) -> Found | None:
            if path.endswith(".started.json"):
                book.end(record(ONE, status="done"))
            return super().read(path)

    book.begin(ONE, {})
    assert listed(Ledger(Unlucky(), book.path)) == [(ONE, "done")]


def test_a_process_that_was_killed_leaves_the_word_that_it_had_begun(book: Ledger) -> None:
    code = (
        "import os, signal; from sparkkit.history import book, places; from sparkkit.storage import alive;"
        f" book.Ledger(places.OwnStore(), {book.path!r}).begin({ONE!r}, {{'process': alive.here()}});"
        " os.kill(os.getpid(), signal.SIGKILL)"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False)
    assert listed(book) == [(ONE, "killed")]


def test_300_processes_that_end_in_the_same_minute_are_all_there(book: Ledger) -> None:
    code = """
import os, sys
from sparkkit.history import book, places
from sparkkit.storage import alive
from sparkkit.ledger import Record, new_run_id
ledger = book.Ledger(places.OwnStore(), sys.argv[1])
children = []
for n in range(300):
    child = os.fork()
    if not child:
        run = Record(new_run_id("j"), "j", status="done", message=str(n))
        ledger.begin(run.run_id, {"process": alive.here()})
        ledger.end(run.body())
        os._exit(0)
    children.append(child)
sys.exit(any(os.waitpid(child, 0)[1] for child in children))
"""
    began = time.monotonic()
    subprocess.run([sys.executable, "-c", code, book.path], cwd=ROOT, check=True)
    assert time.monotonic() - began < 60
    records = [book.record(run_id) for run_id, _ in listed(book)]
    assert sorted(int(r["message"]) for r in records if r) == list(range(300))


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"format": "x"}', "nül"])
def test_a_damaged_record_is_listed_as_unreadable_and_hides_no_other(text: str, book: Ledger) -> None:
    book.end(record(TWO, status="done"))
    book.end(record(ONE))
    (path,) = Path(book.path).rglob(f"{ONE}.json")
    path.write_text(text)
    assert listed(book) == [(TWO, "done"), (ONE, "unreadable")]
    with pytest.raises(UsageError, match=r"damaged") as found:
        book.record(ONE)
    assert found.value.reason == "record_damaged"


def test_a_record_of_a_newer_format_is_refused_politely(book: Ledger) -> None:
    book.end(record(ONE, format=99))
    with pytest.raises(UsageError, match="has format 99, and this sparkkit reads 1") as found:
        book.record(ONE)
    assert (found.value.reason, listed(book)) == ("newer_format", [(ONE, "unreadable")])


def test_files_of_strangers_are_passed_over(book: Ledger) -> None:
    book.end(record(ONE, status="done"))
    for name in ("notes.txt", "2026-11-20/x.json", "2026-11-20/.a-20261120T101500-000009.json.ab.tmp", "table/x"):
        path = Path(book.path) / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("x")
    assert listed(book) == [(ONE, "done")]


@pytest.mark.parametrize("name", ["my job", "a/b", "ünï", ".hidden", "x.started"])
def test_a_job_of_any_name_is_found_again(name: str, book: Ledger) -> None:
    run_id = f"{name}-20261120T101500-000001"
    book.end(record(run_id, status="done"))
    assert (listed(book, job=name), find.run(book, run_id)["job"]) == ([(run_id, "done")], name)


@pytest.mark.parametrize(("said", "meant"), [("last", TWO), (ONE, ONE), ("a-20261120", ONE), ("000003", OTHER), ("b-", OTHER)])
def test_a_run_is_meant_by_its_id_a_beginning_its_last_digits_or_last(said: str, meant: str, book: Ledger) -> None:
    for run_id in (ONE, TWO, OTHER):
        book.end(record(run_id))
    assert find.run(book, said)["run_id"] == meant


def test_a_beginning_of_two_runs_and_of_none_are_told_apart(book: Ledger) -> None:
    with pytest.raises(NotReadyError, match="has no run"):
        find.run(book, "last")
    for run_id in (ONE, TWO):
        book.end(record(run_id))
    with pytest.raises(UsageError, match="the beginning of 2 runs"):
        find.run(book, "a-")
    with pytest.raises(NotReadyError, match="has no run 'z'"):
        find.run(book, "z")


def test_10000_runs_are_listed_without_opening_them(book: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    day = Path(book.path) / "2026-11-20"
    day.mkdir(parents=True)
    text = json.dumps(record(ONE))
    for n in range(10_000):
        (day / f"a-20261120T{n:06}-{n:06x}.json").write_text(text if n > 9_900 else "")
    opened: list[str] = []
    read = OwnStore.read
    monkeypatch.setattr(OwnStore, "read", lambda self, path: (opened.append(path), read(self, path))[1])
    before = os.times().user
    rows = list(islice(book.runs(), 20))
    assert (len(rows), len(opened)) == (20, 20)
    assert os.times().user - before < 2
