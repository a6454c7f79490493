from __future__ import annotations

import pytest

from sparkkit.errors import UsageError
from sparkkit.transforms import names


@pytest.mark.parametrize(
    ("asked", "reason", "message"),
    [
        ("regoin", "unknown_column", "demo: the frame has no column 'regoin': did you mean 'region'?"),
        ("zzz", "unknown_column", "demo: the frame has no column 'zzz': it has region, n, n"),
        ("n", "duplicate_column", "demo: column 'n' stands twice: rename one"),
        (["region", "region"], "duplicate_column", "demo: column 'region' stands twice: rename one"),
    ],
)
def test_a_wrong_name_is_refused_with_the_nearest(spark, asked, reason, message):
    df = spark.createDataFrame([], "region string, a int, b int").toDF("region", "n", "n")
    with pytest.raises(UsageError) as error:
        names.need(df, asked, where="demo")
    assert (error.value.reason, str(error.value)) == (reason, message)


@pytest.mark.parametrize("name", ["a.b", "a`b", "a b", "größe", "`"])
def test_odd_names_are_quoted(spark, name):
    df = spark.range(1).toDF(name)
    assert df.select(names.col(name)).columns == [name]


def test_a_refusal_costs_nothing_until_a_row_reaches_it(spark):
    df = spark.range(2).selectExpr("id", "id > 5 bad")
    value = names.F.when(names.col("bad"), names.refuse("bad row", names.col("id"))).otherwise(names.col("id"))
    assert [row[0] for row in df.select(value).collect()] == [0, 1]
