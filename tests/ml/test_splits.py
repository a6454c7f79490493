from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyspark.sql import functions as F

from sparkkit.errors import UsageError
from sparkkit.ml.splits import Split, as_of, folds
from tests.transforms.strategies import few


def parts(df, split, *columns, features=("text",), seed=1):
    made = df.transform(split.apply, features=features, seed=seed).select("split", *columns).collect()
    return {side: {tuple(r)[1:] for r in made if r.split == side} for side in ("train", "test")}


def test_rows_that_differ_in_case_and_blanks_alone_are_on_one_side(spark):
    texts = [(f"Review  number {i}",) for i in range(200)] + [(f" review number {i} ",) for i in range(200)]
    sides = parts(spark.createDataFrame(texts, "text string"), Split(test=0.3), "text")
    plain = {side: {" ".join(t.lower().split()) for (t,) in rows} for side, rows in sides.items()}
    assert not plain["train"] & plain["test"]
    assert 40 < len(plain["test"]) < 80


def test_an_entity_is_on_one_side(spark):
    rows = spark.range(1000).selectExpr("id % 50 as customer", "cast(id as string) as text")
    sides = parts(rows, Split(keys=("customer",)), "customer")
    assert not sides["train"] & sides["test"] and len(sides["test"]) > 3


def test_a_stratified_split_keeps_the_share_in_each_label(spark):
    rows = spark.range(3000).selectExpr("cast(id as string) as text", "id % 10 = 0 as label")
    sides = parts(rows, Split(test=0.2, by=("label",)), "label", "text")
    assert abs(sum(label for label, _ in sides["test"]) - 60) <= 1
    assert abs(sum(not label for label, _ in sides["test"]) - 540) <= 1


def test_strata_may_be_null(spark):
    rows = spark.range(100).selectExpr("cast(id as string) as text", "nullif(id % 2, 1) as label")
    assert sum(len(side) for side in parts(rows, Split(by="label"), "text").values()) == 100


def test_a_side_depends_on_neither_order_nor_partitions(spark):
    rows = spark.range(500).selectExpr("cast(id as string) as text", "id % 3 as label")
    for split in (Split(), Split(by="label"), Split(at="label", cut="2")):
        assert parts(rows, split, "text") == parts(rows.orderBy("text").repartition(7), split, "text")


def test_another_seed_is_another_split(spark):
    rows = spark.range(500).selectExpr("cast(id as string) as text")
    assert parts(rows, Split(), "text", seed=1) != parts(rows, Split(), "text", seed=2)


@few
@given(times=st.lists(st.one_of(st.none(), st.integers(0, 50)), min_size=1, max_size=60), test=st.floats(0.05, 0.95))
def test_by_time_each_train_row_is_before_each_test_row(spark, times, test):
    rows = spark.createDataFrame([(t, i) for i, t in enumerate(times)], "t int, i int")
    sides = parts(rows, Split(at="t", test=test), "t", "i")
    before, after = ([t for t, _ in sides[side] if t is not None] for side in ("train", "test"))
    assert not before or not after or max(before) < min(after)
    assert len(sides["train"]) + len(sides["test"]) == len(times)
    assert len(after) <= round(test * len(times)) + 1 + max(after.count(t) for t in [*after, None])


def test_the_last_share_in_time_is_the_test_part(spark):
    rows = spark.range(1000).selectExpr("timestamp_seconds(id * 300) as paid", "id")
    assert {i for (i,) in parts(rows, Split(at="paid", test=0.2), "id")["test"]} == set(range(800, 1000))


def test_the_cut_belongs_to_the_test_part(spark):
    rows = spark.createDataFrame([(dt.date(2026, 1, d),) for d in (1, 2, 3)], "day date")
    sides = parts(rows, Split(at="day", cut="2026-01-02"), "day")
    assert sides["train"] == {(dt.date(2026, 1, 1),)}


def test_folds_are_of_equal_size_in_each_label(spark):
    rows = spark.range(3000).selectExpr("id", "id % 2 as label").transform(folds, k=5, keys="id", by="label", seed=17)
    sizes = [r["count"] for r in rows.groupBy("fold", "label").count().collect()]
    assert len(sizes) == 10 and sum(sizes) == 3000 and max(sizes) - min(sizes) <= 2


def test_folds_by_time_are_validated_by_what_came_before_them(spark):
    split, rows = Split(at="t"), spark.range(800).selectExpr("id", "if(id = 5, null, cast(id / 4 as int)) as t")
    made = rows.transform(split.folds, features=["id"], k=3, seed=17)
    ends = {r.fold: (r.low, r.high, r.n) for r in made.groupBy("fold").agg(F.min("t").alias("low"), F.max("t").alias("high"),
                                                                          F.count("id").alias("n")).collect()}
    assert ends == {-1: (0, 49, 200), 0: (50, 99, 200), 1: (100, 149, 200), 2: (150, 199, 200)}
    assert made.where(split.fit_on(1)).select("fold").distinct().orderBy("fold").collect() == [(-1,), (0,)]


def test_folds_by_hash_are_fitted_on_all_others_and_a_key_is_in_one(spark):
    split = Split(keys="k")
    made = spark.range(300).selectExpr("id", "id % 60 as k").transform(split.folds, features=["id"], k=3, seed=17)
    assert made.groupBy("k").agg(F.count_distinct("fold").alias("n")).where("n > 1").count() == 0
    assert made.where(split.fit_on(1)).select("fold").distinct().orderBy("fold").collect() == [(0,), (2,)]


def test_as_of_sees_what_was_known_at_that_time(spark):
    pay = spark.createDataFrame([("a", 1), ("a", 4), ("a", 5), ("b", 9), (None, 9)], "who string, t int")
    risk = spark.createDataFrame([("a", 4, 0.1), ("a", 5, None), ("a", 6, 0.5), (None, 1, 0.7)], "who string, since int, risk double")
    found = pay.transform(as_of, risk, on="who", at="t", stamp="since", columns=["risk"]).collect()
    assert sorted(map(tuple, found), key=str) == sorted(
        [("a", 1, None), ("a", 4, 0.1), ("a", 5, None), ("b", 9, None), (None, 9, None)], key=str
    )


@pytest.mark.parametrize("options", [{"test": 0}, {"test": 1.5}, {"cut": "2026"}, {"at": "t", "keys": "k"}])
def test_a_split_that_makes_no_sense_is_refused(options):
    with pytest.raises(UsageError):
        Split(**options)


def test_unknown_columns_are_refused(spark):
    for split in (Split(keys="none"), Split(by="none"), Split(at="none")):
        with pytest.raises(UsageError, match="none"):
            split.apply(spark.range(3), features=["id"], seed=1)
