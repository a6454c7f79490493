"""Permutation importance: what is shuffled, and what it says of models that are known."""

from __future__ import annotations

import math

import pytest
from pyspark.sql import functions as F

from sparkkit.errors import UsageError
from sparkkit.ml import importance

np = pytest.importorskip("numpy")

FEATURES = ("strong", "weak", "a.b $", "kind")


@pytest.fixture(scope="module")
def rows(spark):
    """400 rows: the label follows `strong`, a little `weak`, and not what has an odd name; `kind` has two values alone."""
    known = spark.range(400).select(
        "id",
        F.rand(1).alias("strong"),
        F.rand(2).alias("weak"),
        F.rand(3).alias("a.b $"),
        F.when(F.col("id") % 2 == 0, "left").otherwise("right").alias("kind"),
    )
    chance = 1 / (1 + F.exp(-6 * (F.col("strong") - 0.5) - 2 * (F.col("weak") - 0.5)))
    return known.withColumn("y", (F.rand(4) < chance).cast("int")).persist()


def model(df):
    return df.withColumn("score", F.round(1 / (1 + F.exp(-6 * (F.col("strong") - 0.5) - 2 * (F.col("weak") - 0.5))), 6))


def measured(rows, **more):
    options = {"label": "y", "seed": 5, "rounds": 50, "most": 300, **more}
    made = importance.permutation(rows, FEATURES, model, importance.binary("roc_auc"), **options)
    return {row.feature: row for row in made.collect()}


@pytest.fixture(scope="module")
def found(rows):
    """What is measured on 300 of the rows."""
    return measured(rows)


def test_what_the_model_needs_is_important_and_what_it_does_not_read_is_not(found):
    assert found["strong"].value > 0.2 > found["weak"].value > 0.0
    assert found["strong"].low < found["strong"].value < found["strong"].high and found["strong"].low > 0.1
    others = [found[name][end] for name in ("a.b $", "kind") for end in ("value", "low", "high")]
    assert others == pytest.approx([0.0] * 6, abs=1e-12)


def test_it_is_the_same_whatever_the_order_and_the_partitions(rows, found):
    other = measured(rows.repartition(7, "weak").orderBy(F.desc("id")))
    assert found == other and {row.rows for row in found.values()} == {300}


def test_only_the_feature_s_values_go_to_other_rows(rows):
    made = importance.shuffled(rows, FEATURES, label="y", most=1000, shuffles=2, seed=5)
    told = made.groupBy("_feature", "_shuffle").agg(
        F.count(F.lit(1)).alias("rows"),
        *[F.sum(F.xxhash64(f"`{name}`").cast("decimal(38)")).alias(f"all_{i}") for i, name in enumerate(FEATURES)],
        *[F.sum(F.xxhash64("_at", "_nth", f"`{name}`").cast("decimal(38)")).alias(f"placed_{i}") for i, name in enumerate(FEATURES)],
    )
    found = {(r["_feature"], r["_shuffle"]): r for r in told.collect()}
    assert {r.rows for r in found.values()} == {400} and len(found) == 12
    right = found[0, 0]
    assert all(r[f"all_{i}"] == right[f"all_{i}"] for r in found.values() for i in range(4))
    moved = {at: [i for i in range(4) if r[f"placed_{i}"] != right[f"placed_{i}"]] for at, r in found.items()}
    assert moved == {(feature, turn): [feature] if turn else [] for feature in range(4) for turn in range(3)}


def test_rows_that_are_equal_are_shuffled_too(spark):
    rows = spark.range(200).select((F.col("id") % 2).alias("y"), (F.col("id") % 2).alias("x"))
    made = importance.shuffled(rows, ["x"], label="y", most=1000, shuffles=1, seed=1)
    kept = made.where("_shuffle = 1").agg(F.avg((F.col("x") == F.col("y")).cast("int"))).collect()[0][0]
    assert 0.3 < kept < 0.7


def one_feature(label, figure, *, less=False):
    """Two rows that a shuffle exchanges, scored 1 and 0."""
    group = {"_feature": [0] * 4, "_shuffle": [0, 1, 0, 1], "_at": [1, 1, 2, 2], "_nth": [1] * 4, "score": [1.0, 0.0, 0.0, 1.0]}
    frame = pytest.importorskip("pandas").DataFrame({**group, "label": [label[0]] * 2 + [label[1]] * 2})
    return importance._importance(("x",), importance.binary(figure), less, 1, 0, 0.95, 1, frame).iloc[0].tolist()


def test_where_less_is_better_a_rise_is_important():
    assert one_feature([1.0, 0.0], "brier", less=True) == ["x", 1.0, None, None, 2]


def test_one_class_alone_has_no_importance():
    assert math.isnan(one_feature([1.0, 1.0], "roc_auc")[1])


@pytest.mark.parametrize(
    ("change", "said"),
    [({"most": 1}, "1 rows, 3 shuffles"), ({"shuffles": 0}, "0 shuffles"), ({"level": 2}, "level 2"), ({"label": "z"}, "no column 'z'")],
)
def test_what_can_not_be_measured_is_said(rows, change, said):
    with pytest.raises(UsageError, match=said):
        importance.permutation(rows, FEATURES, model, importance.binary("roc_auc"), **{"label": "y", "seed": 1, **change})


def test_a_figure_that_there_is_not_is_said():
    with pytest.raises(UsageError, match="there is no figure 'auc'"):
        importance.binary("auc")
