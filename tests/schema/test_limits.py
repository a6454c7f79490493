"""Limits as SQL: each predicate is true, false, or passes a null, as it should."""
from __future__ import annotations

import pytest
from pyspark.sql import types as t

from sparkkit.errors import UsageError
from sparkkit.schema import limits
from sparkkit.schema.odcs import parse

CASES = [
    # type, limit, bound, SQL of good values, SQL of bad ones
    ("int", "minimum", 3, ["3"], ["2"]),
    ("int", "exclusiveMinimum", 3, ["4"], ["3"]),
    ("bigint", "maximum", 9007199254740993, ["9007199254740993"], ["9007199254740994"]),
    ("decimal(5,2)", "exclusiveMaximum", 0.3, ["0.29"], ["0.30"]),
    ("float", "maximum", 0.1, ["0.1"], ["0.1000001"]),
    ("double", "minimum", 1e-300, ["1e-300"], ["0"]),
    ("int", "multipleOf", 5, ["-10", "0"], ["7"]),
    ("double", "multipleOf", 0.1, ["0.3", "-0.7"], ["0.35", "1e300"]),
    ("string", "minLength", 2, ["'🙂🙂'"], ["'🙂'"]),
    ("string", "maxLength", 1, ["''", "'é'"], ["'ab'"]),
    ("string", "pattern", r"^\d+'\\$", [r"'12\'\\'"], ["'12'", "'d'"]),
    ("string", "enum", ["a'b", "c\\d"], [r"'a\'b'", r"'c\\d'"], ["'ab'", "''"]),
    ("boolean", "enum", [True], ["true"], ["false"]),
    ("date", "minimum", "2024-02-29", ["'2024-02-29'"], ["'2024-02-28'"]),
    ("date", "enum", ["2024-02-29"], ["'2024-02-29'"], ["'2023-02-28'"]),
    (
        "timestamp",
        "maximum",
        "2024-01-01T00:00:00+02:00",
        ["timestamp'2023-12-31 22:00:00 UTC'"],
        ["timestamp'2023-12-31 22:00:01 UTC'"],
    ),
    (
        "timestamp",
        "minimum",
        "2024-01-01",
        ["timestamp'2024-01-01 00:00:00 UTC'"],
        ["timestamp'2023-12-31 23:59:59 UTC'"],
    ),
    ("timestamp_ntz", "maximum", "2024-01-01 00:00:00.5", ["'2024-01-01 00:00:00.5'"], ["'2024-01-01 00:00:00.6'"]),
    ("array<int>", "minItems", 1, ["array(1)"], ["array()"]),
    ("array<int>", "uniqueItems", True, ["array(1, 2)", "array()"], ["array(1, 1)"]),
    ("map<string,int>", "maxItems", 0, ["map()"], ["map('a', 1)"]),
]


def test_each_limit_takes_what_it_should(spark) -> None:
    tests, expected = [], []
    for dtype, limit, bound, good, bad in CASES:
        for value, wanted in [("null", True), *((v, True) for v in good), *((v, False) for v in bad)]:
            found = limits.predicates("a", limits.parse(dtype), {limit: bound})
            tests.append(f"exists(array(cast({value} as {dtype})), a -> {found[limit]})")
            expected.append((dtype, limit, value, wanted))

    row = spark.sql(f"select {', '.join(f'{test} as c{i}' for i, test in enumerate(tests))}").first()

    assert [(*case[:3], got) for case, got in zip(expected, row, strict=True)] == expected


NESTED = """
kind: DataContract
apiVersion: v3.1.0
schema: [{name: t, properties: [
  {name: s, logicalType: object, properties: [
    {name: a, logicalType: integer, required: true},
    {name: tags, logicalType: array, items: {logicalType: object, properties: [
      {name: b, logicalType: string, required: true, logicalTypeOptions: {maxLength: 1}}]}}]},
  {name: m, logicalType: map, map: {
    key: {logicalType: string}, value: {logicalType: integer, logicalTypeOptions: {minimum: 0}}}}]}]
"""
ROWS = {
    "named_struct('a', 1, 'tags', array(named_struct('b', 'x'))), map('k', 0)": [],
    "null, null": [],
    "named_struct('a', null, 'tags', null), map()": ["s.a.required"],
    "named_struct('a', 1, 'tags', array(named_struct('b', null))), map('k', null)": ["s.tags[].b.required"],
    "named_struct('a', 1, 'tags', array(null, named_struct('b', 'xy'))), map('k', -1, 'l', 1)": [
        "s.tags[].b.maxLength",
        "m[].minimum",
    ],
}


def test_limits_inside_of_structs_arrays_and_maps_are_rules_too(spark) -> None:
    contract = parse(NESTED, "t.yaml")
    s, m = (column.type for column in contract.columns)
    rows = " union all ".join(f"select {i} as i, cast(s as {s}) s, cast(m as {m}) m from (select {row}) as v(s, m)"
                              for i, row in enumerate(ROWS))
    broken = ", ".join(f"if({rule.predicate}, null, '{rule.name}')" for rule in contract.rules)

    result = spark.sql(f"select array_compact(array({broken})) from ({rows}) order by i").collect()

    assert [row[0] for row in result] == list(ROWS.values())


@pytest.mark.parametrize(
    ("dtype", "limit", "bound"),
    [
        (t.IntegerType(), "minimum", "x"),
        (t.IntegerType(), "minimum", float("nan")),
        (t.IntegerType(), "minLength", 1),
        (t.StringType(), "pattern", 5),
        (t.StringType(), "enum", []),
        (t.DateType(), "minimum", "2023-02-29"),
        (t.TimestampNTZType(), "minimum", "2024-01-01T00:00:00Z"),
        (t.IntegerType(), "multipleOf", 0),
        (t.BooleanType(), "minimum", 1),
        (t.ArrayType(t.IntegerType()), "minItems", True),
    ],
)
def test_a_limit_that_makes_no_sense_is_refused(dtype: t.DataType, limit: str, bound: object) -> None:
    with pytest.raises(UsageError) as error:
        limits.predicates("a", dtype, {limit: bound})
    assert error.value.reason == "bad_contract"
