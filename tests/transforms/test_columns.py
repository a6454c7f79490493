from __future__ import annotations

import unicodedata

import pytest
from chispa import assert_df_equality
from hypothesis import given
from hypothesis import strategies as st

from sparkkit.errors import UsageError
from sparkkit.transforms import columns


@given(st.text())
def test_snake_applied_twice_changes_nothing_more(name):
    assert columns.snake(columns.snake(name)) == columns.snake(name)


@given(st.text())
def test_snake_gives_lower_case_words_by_single_underscores(name):
    words = columns.snake(name).split("_")
    assert words == [""] or all(words), words
    assert all(c.isalnum() or unicodedata.category(c)[0] == "M" for word in words for c in word)
    assert "".join(words) == "".join(words).lower()


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("already_snake", "already_snake"),
        ("T1Value", "t1_value"),
        ("  a -- b  ", "a_b"),
        ("ID", "id"),
        ("हिन्दी नाम", "हिन्दी_नाम"),
        ("İki Ad", "i̇ki_ad"),
        ("人口 (2010)", "人口_2010"),
    ],
)
def test_snake_of_names_as_they_come(name, expected):
    assert columns.snake(name) == expected


def test_snake_case_renames_by_position_even_odd_names(spark):
    df = spark.createDataFrame([(1, 2)], "`a.b` int, `Total Cost` int")
    assert_df_equality(df.transform(columns.snake_case), spark.createDataFrame([(1, 2)], "a_b int, total_cost int"))


@pytest.mark.parametrize("names", [("Sales (%)", "sales"), ("a", "()")])
def test_snake_case_refuses_two_names_that_become_one_and_names_that_vanish(spark, names):
    with pytest.raises(UsageError, match="columns.snake_case: columns .* would"):
        spark.createDataFrame([(1, 2)], "a int, b int").toDF(*names).transform(columns.snake_case)


def test_flatten_takes_every_field_and_leaves_arrays(spark):
    ddl = "id int, s struct<`a.x`:int,b:struct<c:string>>, l array<struct<q:int>>"
    df = spark.createDataFrame([(1, (2, ("z",)), [(3,)]), (2, None, None)], ddl)
    expected = spark.createDataFrame(
        [(1, 2, "z", [(3,)]), (2, None, None, None)], "id int, `s_a.x` int, s_b_c string, l array<struct<q:int>>"
    )
    assert_df_equality(df.transform(columns.flatten).orderBy("id"), expected.orderBy("id"))


def test_flatten_refuses_a_field_that_meets_a_column(spark):
    df = spark.createDataFrame([(1, (2,))], "S_A int, s struct<a:int>")
    with pytest.raises(UsageError, match="columns 'S_A', 's.a' would all be named 's_a'"):
        df.transform(columns.flatten)
