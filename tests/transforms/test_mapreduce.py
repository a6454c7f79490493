from __future__ import annotations

import datetime as dt
import math
import re
import sys
import threading

import pytest
from chispa import assert_df_equality
from hypothesis import given, settings
from hypothesis import strategies as st

from sparkkit.errors import UsageError
from sparkkit.transforms import text
from sparkkit.transforms.mapreduce import map_reduce, map_reduce_counted
from sparkkit.transforms.mapreduce_tasks import _combined

pytest.importorskip("pandas", exc_type=ImportError)
pytest.importorskip("pyarrow", exc_type=ImportError)

few = settings(max_examples=4, deadline=None)


def functions():
    """Word count as local functions: workers can't import this file."""
    import re

    def words(record):
        for word in re.findall("[^ \t\n\v\f\r]+", record.value or ""):
            yield word, 1

    def total(key, values):
        yield key, sum(values)

    return words, total


def texts(spark, values):
    return spark.createDataFrame([(value,) for value in values], "value string")


def grouped(spark, keys, key_type, *, combine=True):
    """How many rows each group of keys has, sorted; each key's repr."""
    frame = spark.range(0, len(keys), 1, 2)
    total = functions()[1]
    result = map_reduce(
        frame, lambda record: [(keys[record.id], 1)], lambda key, values: [(repr(key), sum(values))],
        total if combine else None, key_type=key_type, output="k string, n bigint", combine_pairs=3, partitions=2,
    )  # fmt: skip
    return sorted(tuple(row) for row in result.collect())


@few
@given(
    st.lists(st.none() | st.text("ab é\t\u00a0", max_size=12), min_size=12, max_size=12),
    st.integers(1, 4), st.integers(1, 4), st.booleans(), st.sampled_from([1, 2, 5, 1000]),
)  # fmt: skip
def test_word_count_is_the_native_one_whatever_the_tasks_and_the_combiner(spark, values, maps, reduces, combine, held):
    words, total = functions()
    frame = texts(spark, values).repartition(maps)
    result = map_reduce(frame, words, total, total if combine else None, partitions=reduces, combine_pairs=held)
    expected = text.word_count(frame).toDF("key", "value")
    assert_df_equality(result, expected, ignore_row_order=True, ignore_nullable=True)


@pytest.mark.parametrize("combine", [True, False])
def test_keys_group_as_spark_groups_them(spark, combine):
    keys = [(math.nan, [1, None]), (math.nan, [1, None]), (0.0, []), (-0.0, []), None, None, (None, None)]
    result = grouped(spark, keys, "struct<a:double,b:array<int>>", combine=combine)
    assert [n for _, n in result] == [2, 2, 1, 2]
    assert result[0][0] == "None"
    assert result[2][0] == "Row(a=None, b=None)"


def test_nan_null_and_both_zeros_are_one_key_each(spark):
    result = grouped(spark, [math.nan, -math.nan, None, 0.0, -0.0, None, 1.5], "double", combine=False)
    assert [n for _, n in result] == [2, 1, 2, 2]


def test_struct_keys_may_be_tuples_or_dicts_in_any_order(spark):
    keys = [(1, "x"), {"a": 1, "b": "x"}, {"b": "x", "a": 1}, (2, "x"), {"b": "x", "a": 2}]
    assert grouped(spark, keys, "struct<a:int,b:string>") == [("Row(a=1, b='x')", 3), ("Row(a=2, b='x')", 2)]


def test_the_two_hours_of_a_clock_set_back_are_two_keys(spark):
    keys = [dt.datetime(2021, 10, 31, hour, 30, tzinfo=dt.UTC) for hour in (0, 1, 1)]
    assert [n for _, n in grouped(spark, keys, "timestamp", combine=False)] == [1, 2]


def test_values_and_results_may_be_nested(spark):
    def mapper(record):
        yield record.s.a % 2, {"m": {"k": [record.s.a]}, "d": record.s.d}

    def reducer(key, values):
        found = sorted(values, key=lambda v: v.m["k"])
        yield key, [v.m["k"][0] for v in found], {str(v.d): (v.m["k"][0], None) for v in found}

    frame = spark.range(3).selectExpr("struct(cast(id as int) as a, date'2024-02-29' + cast(id as int) as d) as s")
    value = "struct<m:map<string,array<int>>,d:date>"
    output = "k int, all array<int>, by map<string,struct<a:int,b:double>>"
    result = {r.k: (r["all"], r.by) for r in map_reduce(
        frame, mapper, reducer, key_type="int", value_type=value, output=output).collect()}  # fmt: skip
    assert result == {
        0: ([0, 2], {"2024-02-29": (0, None), "2024-03-02": (2, None)}),
        1: ([1], {"2024-03-01": (1, None)}),
    }


def test_a_reducer_reads_a_stream_and_may_leave_it_unfinished(spark):
    def reducer(key, values):
        assert not hasattr(values, "__len__")
        yield key, next(values)

    result = map_reduce(spark.range(30_000), lambda r: [(r.id % 2, 7)], reducer, key_type="bigint", partitions=1)
    assert sorted(map(tuple, result.collect())) == [(0, 7), (1, 7)]


def test_functions_that_return_none_yield_nothing(spark):
    result = map_reduce(spark.range(4), lambda r: [(None, 1)] if r.id else None, lambda key, values: None)
    assert result.collect() == []


def counting():
    def mapper(record, counters):
        counters.increment("records", "even" if record.id % 2 == 0 else "odd")
        yield None, 1

    def reducer(key, values, counters):
        counters.increment("groups", "seen", 3)
        yield "sum", sum(values)

    return mapper, reducer


def totals(counted):
    return {(row.group, row.name): row.amount for row in counted.counters.collect()}


def test_counters_are_exact_and_apart_from_the_results(spark):
    counted = map_reduce_counted(spark.range(0, 1001, 1, 3), *counting(), partitions=2)
    assert totals(counted) == {("records", "even"): 501, ("records", "odd"): 500, ("groups", "seen"): 3}
    assert [tuple(row) for row in counted.results.collect()] == [("sum", 1001)]


def test_the_combiner_holds_a_bounded_number_of_pairs():
    pulled, let_go = [0], []

    def pairs():
        for i in range(10_000):
            pulled[0] += 1
            yield [i], 1

    for _ in _combined(pairs(), lambda key, values: [(key, sum(values))], 100):
        let_go.append(pulled[0])
        assert pulled[0] - len(let_go) <= 100
    assert len(let_go) == 10_000


def test_the_combiner_folds_what_it_holds():
    pairs = [("a", 1)] * 1000
    assert list(_combined(pairs, lambda key, values: [(key, sum(values))], 10)) == [("a", 1000)]


@pytest.mark.parametrize(
    ("mapper", "reducer", "message"),
    [
        (lambda record: {}[record.id], lambda k, v: [], r"mapper <lambda> failed on record Row\(id=0\): KeyError"),
        (lambda record: [("a", 1, 2)], lambda k, v: [], r"mapper <lambda> yielded \('a', 1, 2\), not a tuple of 2"),
        (lambda record: [(5, 1)], lambda k, v: [], "yielded key 5, which is not string"),
        (lambda record: [("a", 1)], lambda k, v: [1 / 0], "reducer <lambda> failed on key 'a': ZeroDivisionError"),
        (lambda record: [("a", 1)], lambda k, v: ["ab"], "reducer <lambda> yielded 'ab', not a tuple of 2"),
    ],
)
def test_errors_name_the_function_and_what_it_was_given(spark, mapper, reducer, message):
    with pytest.raises(Exception, match=message):
        map_reduce(spark.range(1), mapper, reducer).collect()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"key_type": "map<int,int>"}, "holds a map"),
        ({"key_type": "array<struct<m:map<int,int>>>"}, "holds a map"),
        ({"value_type": "nmuber"}, "not Spark DDL"),
        ({"output": "a int not null"}, "NOT NULL"),
        ({"partitions": 0}, "partitions is 0"),
        ({"combine_pairs": 0}, "combine_pairs is 0"),
        ({"mapper": lambda: []}, "called as mapper(record)"),
        ({"reducer": lambda key: []}, "called as reducer(key, values)"),
    ],
)
def test_wrong_use_is_refused_before_any_job(spark, options, message):
    words, total = functions()
    given_ = {"mapper": words, "reducer": total, **options}
    with pytest.raises(UsageError, match=re.escape(message)):
        map_reduce(texts(spark, []), given_.pop("mapper"), given_.pop("reducer"), **given_)


def test_a_function_that_holds_a_lock_is_refused(spark):
    lock = threading.Lock()
    with pytest.raises(UsageError, match="can't be sent to workers"):
        map_reduce(texts(spark, []), lambda record: [lock], functions()[1])


def test_a_stream_is_refused(spark):
    with pytest.raises(UsageError, match="stream"):
        map_reduce(spark.readStream.format("rate").load(), *functions())


def test_without_pyarrow_the_message_names_the_extra(spark, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(UsageError, match=r"pyarrow can't be imported .*its extra \[pandas\]"):
        map_reduce(texts(spark, []), *functions())
