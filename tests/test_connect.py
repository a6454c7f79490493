"""Staging in tables, without a server: names, and what happens to tables that can't be dropped; the rest is in e2e."""

from __future__ import annotations

import re
from types import SimpleNamespace
from typing import Any

import pytest

from sparkkit.conf import OutputConf
from sparkkit.connect import Tables
from sparkkit.errors import UsageError


class Session:
    """A session that notes its statements, and fails those for which there is an error."""

    def __init__(self, *errors: str) -> None:
        self.errors, self.said = list(errors), []
        self.catalog = SimpleNamespace(currentCatalog=lambda: "spark_catalog", currentDatabase=lambda: "my db")

    def sql(self, text: str) -> None:
        self.said.append(text)
        if self.errors and (error := self.errors.pop(0)):
            raise RuntimeError(error)


def tables(*made: str, errors: tuple[str, ...] = (), run_id: str = "job-1") -> Any:
    return Tables(Session(*errors), run_id, list(made))  # type: ignore[arg-type]


def test_a_staging_table_has_a_whole_name_that_any_catalog_takes() -> None:
    place = tables(run_id=f"{'Größen-' * 30}20240101T000000-ab12cd")
    names = [place.target("output", OutputConf("db.t", "table")).staging for _ in range(2)]
    assert [name.rpartition(".")[0] for name in names] == ["`spark_catalog`.`my db`"] * 2
    assert all(re.fullmatch(r"sparkkit_staging_[0-9a-z_]{1,90}_20240101t000000_ab12cd_\d", name.rpartition(".")[2]) for name in names)
    assert (len(set(names)), max(len(name.rpartition(".")[2]) for name in names) <= 128) == (2, True)


@pytest.mark.parametrize(
    ("name", "quarantine"), [("db.t", "db.t_quarantine"), ("`a b`.`c.d`", "`a b`.`c.d_quarantine`"), ("cat.db.t", "cat.db.t_quarantine")],
)
def test_the_quarantine_of_a_table_is_the_table_beside_it(name: str, quarantine: str) -> None:
    assert tables().target("output", OutputConf(name, "table")).quarantine == quarantine


def test_plain_files_are_refused() -> None:
    with pytest.raises(UsageError, match=r"output 'a': plain files \(csv\) are not published over Spark Connect: write Delta or a table"):
        tables().target("a", OutputConf("/x", "csv"))


def test_only_what_was_made_is_dropped_and_once() -> None:
    place = tables("a", "b")
    place.drop("a")
    place.drop("never")
    place.clear()
    place.clear()
    assert place.spark.said == ["DROP TABLE IF EXISTS a", "DROP TABLE IF EXISTS b"]


def test_a_drop_that_is_cancelled_with_the_run_is_tried_again() -> None:
    place = tables("a", errors=("[OPERATION_CANCELED]",))
    place.clear()
    assert (place.spark.said, place.made) == (["DROP TABLE IF EXISTS a"] * 2, [])


def test_what_can_not_be_dropped_is_told_by_its_statement_and_fails_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    place = tables("a", "b", "c", errors=("", "no line", "no line"))
    place.clear()
    assert "staging tables are left (RuntimeError: no line): DROP TABLE a, b\n" in capsys.readouterr().err
