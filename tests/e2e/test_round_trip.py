"""Each format in and out: rows of every type go down the road and come back equal. Delta and Hive's tables, which need
a session of their own: `test_tables`."""

from __future__ import annotations

from pathlib import Path

import pytest
from chispa import assert_df_equality
from pyspark.sql import SparkSession

from sparkkit.schema import odcs
from sparkkit.schema.contract import Column, Contract
from sparkkit.schema.testdata import rows
from sparkkit.schema.types import struct
from tests.formats.conftest import Road, road

__all__ = ["road"]
ROWS = 200


@pytest.fixture(scope="module")
def contract() -> Contract:
    """The contract with a column of every type."""
    return odcs.load(str(Path(__file__).parents[2] / "schemas" / "every_type.yaml"))


@pytest.mark.parametrize("kind", ["parquet", "orc", "json", "csv", "avro"])
def test_every_type_comes_back_as_it_was(spark: SparkSession, road: Road, tmp_path: Path, contract: Contract, kind: str) -> None:
    if kind == "avro":
        pytest.importorskip("fastavro")
    # without it a contract of 19 columns takes Spark's optimizer minutes (constraints double with each renamed column)
    data = spark.createDataFrame(rows(contract, ROWS), struct(contract))
    if kind == "orc":  # which can't hold them, and refuses them by name: tests/formats/test_columnar.py
        data = data.where("a_timestamp is null or unix_micros(a_timestamp) not between -999999 and -1")
    data.write.parquet(str(tmp_path / "in"))
    options = {"newlines_in_quotes": "true"} if kind == "csv" else {}
    asked = Contract(contract.name, contract.columns, reader={**contract.reader, **options})
    road(tmp_path / "in", "parquet", to=kind)
    went = road(tmp_path / "out", kind, asked, **{"outputs.output.path": str(tmp_path / "back")})
    assert went.bad == []
    back = spark.read.parquet(str(tmp_path / "back"))
    assert_df_equality(back, data, ignore_row_order=False, ignore_nullable=True, transforms=[lambda d: d.orderBy("id")])


def test_text_which_is_one_column_comes_back_as_it_was(spark: SparkSession, road: Road, tmp_path: Path, contract: Contract) -> None:
    texts = [value for row in rows(contract, ROWS) for value in [row[contract.names.index("a_string")]] if value is not None]
    lines = [(text,) for text in texts if not {"\r", "\n"} & set(text)]  # which text refuses by name: tests/test_sinks.py
    asked = Contract("lines", (Column("value", "string"),))
    data = spark.createDataFrame(lines, struct(asked))
    data.write.parquet(str(tmp_path / "in"))
    road(tmp_path / "in", "parquet", asked, to="text")
    went = road(tmp_path / "out", "text", asked, **{"outputs.output.path": str(tmp_path / "back")})
    assert (went.bad, len(lines) > ROWS / 2) == ([], True)
    assert_df_equality(went.frame, data, ignore_row_order=True, ignore_nullable=True)
