"""A frame beside its Delta table: what fits, what is refused and how, without a session."""

from __future__ import annotations

import pytest
from pyspark.sql import types as t

from sparkkit.conf import OutputConf
from sparkkit.errors import ContractError, UsageError
from sparkkit.formats.delta_schema import fit, need_columns

TABLE = t.StructType([t.StructField("k", t.IntegerType()), t.StructField("w", t.StringType())])


def frame(*fields: tuple[str, t.DataType]) -> t.StructType:
    return t.StructType([t.StructField(name, kind, nullable=False) for name, kind in fields])


def conf(word: str = "strict", **more: object) -> OutputConf:
    return OutputConf(path="/t", format="delta", schema_evolution=word, **more)  # type: ignore[arg-type]


K, W, V = ("k", t.IntegerType()), ("w", t.StringType()), ("v", t.DoubleType())
LONG, TEXT = ("k", t.LongType()), ("k", t.StringType())


def test_order_and_nullability_do_not_matter() -> None:
    found = fit(conf(), frame(W, K), TABLE, (), "/t")
    assert (found.added, found.wider, found.schema) == ((), (), TABLE)


@pytest.mark.parametrize(
    ("given", "words", "allowed"),
    [
        (frame(K, W, V), r"column 'v' \(double\) is new", "add_columns"),
        (frame(LONG, W), "column 'k' is bigint and was int", "widen"),
        (frame(K, W, ("v", t.LongType())), "is new", "add_columns"),
    ],
)
def test_each_difference_is_named_with_the_word_that_allows_it(given: t.StructType, words: str, allowed: str) -> None:
    with pytest.raises(ContractError, match=f"{words}.*schema_evolution = '{allowed}'") as caught:
        fit(conf(), given, TABLE, (), "/t")
    assert (caught.value.exit_code, fit(conf(allowed), given, TABLE, (), "/t").schema.names) == (4, given.names)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (frame(K), "column 'w' is missing"),
        (frame(TEXT, W), "column 'k' is string and was int"),
        (frame(("K", t.IntegerType()), W), "column 'K' is called 'k' in the table"),
        (frame(("k", t.DoubleType()), V), "column 'v' .* is new; column 'w' is missing"),
    ],
)
def test_what_no_word_allows_is_refused_under_each(given: t.StructType, words: str) -> None:
    for word in ("strict", "add_columns", "widen"):
        with pytest.raises(ContractError, match=words if word == "strict" else "change the job, or write to another path"):
            fit(conf(word), given, TABLE, (), "/t")


def test_other_partitions_are_refused() -> None:
    with pytest.raises(ContractError, match="partitioned by w, not by k"):
        fit(conf(partition_by=("k",)), frame(K, W), TABLE, ("w",), "/t")


def test_a_setting_that_names_no_column_is_refused() -> None:
    for more, words in (
        ({"mode": "merge", "keys": ("id",)}, "keys names 'id'"),
        ({"mode": "cdc", "keys": ("k",), "sequence_by": "n"}, "sequence_by names 'n'"),
        ({"mode": "scd2", "keys": ("k",), "valid_from": "n"}, "valid_from names 'n'"),
        ({"mode": "scd2", "keys": ("k",), "valid_from": "w", "valid_to": "k"}, "the frame has a column 'k'"),
        ({"mode": "merge", "keys": ("k",), "leave_out": ("k",)}, "leave_out names 'k'"),
    ):
        with pytest.raises(UsageError, match=words):
            need_columns(conf(**more), TABLE)
