"""Spark's DDL, read and written without a JVM."""
from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyspark.sql import types as t

from sparkkit.errors import UsageError
from sparkkit.schema import odcs, types
from sparkkit.schema.contract import Column, Contract

SCHEMAS = Path(__file__).resolve().parents[2] / "schemas"
SIMPLE = st.sampled_from([*types.SIMPLE.values(), t.DecimalType(38, 10), t.DecimalType(1, 1), t.DecimalType(5, 0)])
NAMES = st.sampled_from(["a", "Area Code", "b`c", "naïve", "1st", "not", "x<y>:z,", "comment"])


def nested(inner: st.SearchStrategy[t.DataType]) -> st.SearchStrategy[t.DataType]:
    fields = st.lists(st.tuples(NAMES, inner, st.booleans()), min_size=1, max_size=3, unique_by=lambda f: f[0])
    structs = fields.map(lambda found: t.StructType([t.StructField(*field) for field in found]))
    return st.one_of(inner.map(t.ArrayType), structs, st.tuples(SIMPLE, inner).map(lambda kv: t.MapType(*kv)))


@given(st.recursive(SIMPLE, nested, max_leaves=6))
def test_every_type_comes_back_from_its_ddl(dtype: t.DataType) -> None:
    assert types.parse(types.ddl(dtype)) == dtype


def test_our_reading_of_ddl_is_sparks_own(spark) -> None:
    texts = [
        "INT",
        "long",
        "numeric(9)",
        "DECIMAL",
        "decimal(10 , 2)",
        "array < map<string, double> >",
        "timestamp_ntz",
        "struct<a: int not null, `b ``c`: array<struct<d:date>>, e timestamp comment 'x, y'>",
        "binary",
        "real",
        "tinyint",
    ]

    result = [types.parse(text) for text in texts]

    found = [t._parse_datatype_string(text) for text in texts]
    assert [_plain(dtype) for dtype in result] == [_plain(dtype) for dtype in found]


def _plain(dtype: t.DataType) -> str:
    """A type's JSON without comments, which have no place in ours."""
    return dtype.json().replace('{"comment":"x, y"}', "{}")


@pytest.mark.parametrize(("text", "words"), [
    ("itn", "did you mean 'int'?"),
    ("", "it ends too early"),
    ("array<int", "it ends too early"),
    ("int int", "stands after the end"),
    ("decimal(39,2)", "1 to 38 digits"),
    ("decimal(5,6)", "1 to 38 digits"),
    ("decimal(a)", "a whole number expected"),
    ("array<int,int>", "'>' expected, ',' found"),
    ("struct<>", "at least one field"),
    ("struct<a:int,A:string>", "stands twice"),
    ("map<map<int,int>,int>", "key of a map"),
    ("a;b", "';' at place 2"),
    ("varchar(3)", "'varchar' is no type"),
])
def test_a_text_that_is_no_type_is_refused_with_the_place(text: str, words: str) -> None:
    with pytest.raises(UsageError, match="type") as error:
        types.parse(text)
    assert words in str(error.value)


def test_a_type_without_place_in_a_contract_is_refused() -> None:
    with pytest.raises(UsageError, match="void"):
        types.ddl(t.NullType())


def test_only_required_columns_refuse_nulls() -> None:
    contract = Contract("t", (Column("a", "int", required=True), Column("b", "array<string>")))

    result = types.struct(contract)

    expected = t.StructType(
        [t.StructField("a", t.IntegerType(), False), t.StructField("b", t.ArrayType(t.StringType()))]
    )
    assert result == expected


def test_the_contract_of_every_type_has_every_type() -> None:
    result = {type(field.dataType) for field in types.struct(odcs.load(SCHEMAS / "every_type.yaml"))}

    expected = {*map(type, types.SIMPLE.values()), t.DecimalType, t.ArrayType, t.MapType, t.StructType}
    assert result == expected
