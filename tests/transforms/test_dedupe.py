from __future__ import annotations

import random

import pytest
from hypothesis import given

from sparkkit.errors import UsageError
from sparkkit.transforms.dedupe import dedupe
from tests.transforms.strategies import DDL, bag, batches, few, last_if_missing, nulls_last, per_group


def best(rows):
    return [min(rows, key=lambda row: (last_if_missing(row[3], down=True), nulls_last(row)))]


@few
@given(rows=batches())
def test_exactly_the_best_row_of_each_key_stays_whatever_the_partitions(spark, rows):
    shuffled = random.Random(1).sample(rows, len(rows))
    expected = bag(per_group(rows, best, 0, 1))
    for df in (spark.createDataFrame(rows, DDL), spark.createDataFrame(shuffled, DDL).repartition(3)):
        assert bag(df.transform(dedupe, keys=["example", "k"], order="-x").collect()) == expected


def test_maps_break_ties_too(spark):
    df = spark.sql("select 1 id, map('a', 2) m union all select 1, map('a', 1)")
    assert [row.m for row in df.transform(dedupe, keys="id").collect()] == [{"a": 1}]


@pytest.mark.parametrize("options", [{"keys": "ids"}, {"keys": []}, {"keys": "id", "order": "-sen"}])
def test_unknown_and_missing_keys_are_refused(spark, options):
    with pytest.raises(UsageError):
        spark.createDataFrame([(1, 1)], "id int, seen int").transform(dedupe, **options)
