"""What is decided about a database without one: addresses, names, types; the real ones are in tests/e2e/test_databases.py."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparkkit import needs
from sparkkit.conf import Conf, InputConf, OutputConf
from sparkkit.errors import UsageError
from sparkkit.formats import jdbc_tables
from sparkkit.formats.jdbc_dialects import POSTGRESQL, SQLITE, Column, address, parts, quoted


@pytest.mark.parametrize("url", [
    "jdbc:postgresql://me:pw@h/d", "jdbc:postgresql://h/d?user=me", "jdbc:postgresql://h/d?password=canary", "jdbc:postgresql://h/d?sslpassword=x",
])
def test_a_url_with_a_password_is_refused_and_not_shown(url: str) -> None:
    with pytest.raises(UsageError) as error:
        address(url)
    assert error.value.reason == "secret_in_conf" and "canary" not in str(error.value)


@pytest.mark.parametrize("url", [
    "postgresql://h/d", "jdbc:postgresql:d", "jdbc:postgresql://h/d?socketFactory=x", "jdbc:sqlite::memory:", "jdbc:sqlite:relative.db",
    "jdbc:sqlite:/a.db?mode=ro",
])
def test_a_url_that_leads_elsewhere_is_refused(url: str) -> None:
    with pytest.raises(UsageError):
        address(url)


@given(st.lists(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1), min_size=1, max_size=2))
def test_a_quoted_name_is_taken_apart_as_it_was(names: list[str]) -> None:
    assert parts(".".join(quoted(name) for name in names)) == tuple(names)


@pytest.mark.parametrize("table", ["", "a.b.c", "a..b", '"open', "a.", '"a"b'])
def test_what_is_no_name_is_refused(table: str) -> None:
    with pytest.raises(UsageError):
        parts(table)


@pytest.mark.parametrize(("column", "kind"), [
    (Column("a", "numeric", 10, 2), "decimal(10,2)"), (Column("a", "numeric", 0, 0), "string"), (Column("a", "numeric", 50, 2), "string"),
    (Column("a", "int8"), "bigint"), (Column("a", "jsonb"), "string"),
])
def test_postgresql_s_types_hold_every_value(column: Column, kind: str) -> None:
    assert POSTGRESQL.spark_type(column) == kind


@pytest.mark.parametrize(("declared", "kind", "takes"), [
    ("TEXT", "decimal(38,10)", True), ("DECIMAL", "decimal(10,2)", True), ("DECIMAL", "decimal(16,2)", False), ("NUMERIC", "string", False),
    ("INTEGER", "string", False), ("DATE", "date", True),
])
def test_sqlite_takes_only_what_it_does_not_make_a_number_of(declared: str, kind: str, takes: bool) -> None:
    assert SQLITE.takes(kind, Column("a", declared)) is takes


@pytest.mark.parametrize("given_", [
    {"options": {}}, {"options": {"table": "t", "tabel": "x"}}, {"mode": "overwrite_partitions"}, {"partition_by": ("a",)},
])
def test_settings_of_an_output_that_say_nothing_are_refused(given_: dict[str, object]) -> None:
    usual = {"path": "jdbc:sqlite:/x.db", "format": "jdbc", "mode": "append", "options": {"table": "t"}}
    with pytest.raises(UsageError):
        jdbc_tables.refuse(OutputConf(**{**usual, **given_}))  # type: ignore[arg-type]


def test_a_url_names_the_driver_that_is_needed() -> None:
    conf = Conf({"a": InputConf(("jdbc:postgresql://h/d",), "jdbc")}, {"b": OutputConf("jdbc:sqlite:/x.db", "jdbc")}, {}, {}, {}, {})
    assert needs.of(conf) == ("postgresql", "sqlite")
