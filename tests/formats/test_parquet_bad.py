"""The corpus of damaged Parquet: each file is read as its own description says, or refused by name."""

from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq
import pytest
from pyspark.sql import SparkSession

from sparkkit import failures, sources
from sparkkit.conf import InputConf
from sparkkit.errors import ContractError
from tests.formats.conftest import Road

pytestmark = [pytest.mark.corpora, pytest.mark.once]


def test_each_damaged_file_is_right_or_refused_by_name(road: Road, corpora: Path, spark: SparkSession) -> None:
    told = {file.name: outcome(spark, road, file, i) for i, file in enumerate(sorted((corpora / "parquet-bad").glob("*.parquet")))}
    wrong = {name: what for name, what in told.items() if what not in ("right", "refused")}
    refused = {name for name, what in told.items() if what == "refused"}
    corrupt = {"datapage_v1-corrupt-checksum.parquet", "rle-dict-uncompressed-corrupt-checksum.parquet"}
    assert (wrong, len(told), corrupt <= refused, len(refused) < len(told)) == ({}, 14, True, True)


def outcome(spark: SparkSession, road: Road, file: Path, number: int) -> str:
    """`right`, `refused`, or what else came of a file."""
    try:
        went = road(file, **{"outputs.output.mode": "overwrite"})
    except Exception as error:  # Spark 3.5 does not say which file it was: `sources.broken` looks
        source = None if isinstance(error, ContractError) else sources.read(spark, "data", InputConf(path=(str(file),)), None)
        found = (sources.broken(source) if source else None) or failures.explain(error, "read")
        named = file.name in str(found)
        return "refused" if isinstance(found, ContractError) and named else f"{type(found).__name__}: {found}"[:300]
    expected = pq.ParquetFile(file).metadata.num_rows
    return "right" if went.read == (expected, expected, 0) else f"read {went.read}, expected {expected}"


def test_the_damaged_file_among_good_ones_is_named_after_the_fact(spark: SparkSession, corpora: Path, tmp_path: Path) -> None:
    for name in ("datapage_v1-corrupt-checksum", "datapage_v1-uncompressed-checksum", "datapage_v1-snappy-compressed-checksum"):
        (tmp_path / f"{name}.parquet").write_bytes((corpora / "parquet-bad" / f"{name}.parquet").read_bytes())
    found = sources.broken(sources.read(spark, "data", InputConf(path=(str(tmp_path),)), None))
    assert ("1 of 3 files" in str(found), "datapage_v1-corrupt-checksum.parquet" in str(found)) == (True, True)
