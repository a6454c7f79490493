"""Columns out of the folders of files."""
from __future__ import annotations

import pytest
from pyspark.sql import SparkSession

from sparkkit.formats import partitions
from sparkkit.schema.landing import FILE


@pytest.mark.parametrize(("path", "value"), [
    ("file:///d/dt=2024-01-01/x.csv", "2024-01-01"), ("file:///snap/dt=2024-05-01/orders/dt=2024-04-30/x.csv", "2024-04-30"),
    ("file:///d/dt=a%2520b/x.csv", "a b"), ("file:///d/dt=__HIVE_DEFAULT_PARTITION__/x.csv", None)])
def test_a_file_s_value_is_that_of_the_folder_nearest_to_it(spark: SparkSession, path: str, value: str | None) -> None:
    row = spark.createDataFrame([(path,)], f"{FILE} string").select(partitions.column("dt").alias("dt")).first()
    assert row is not None and row["dt"] == value
