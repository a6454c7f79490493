"""convert: any format to any, with the source file kept where asked for."""
from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from sparkkit.testing import RunJob

DATA = Path(__file__).resolve().parents[2] / "data" / "names"


@pytest.mark.parametrize("to", ["json", "orc", "avro"])
def test_a_file_is_converted_by_its_contract(run_job: RunJob, to: str) -> None:
    if to == "avro":
        pytest.importorskip("fastavro")
    done = run_job("convert", {"data": DATA / "csv"}, ["--from", "csv", "--to", to, "--contract", "names"])
    written = done.record["outputs"]["output"]
    assert (done.exit_code, written["format"], written["written"], done.output.count()) == (0, to, 5, 5)


def test_the_source_file_is_kept_where_asked_for(run_job: RunJob) -> None:
    done = run_job("convert", {"data": DATA / "csv"}, ["--contract", "names", "--keep-source"])
    assert {r._source_file.rsplit("/", 1)[1] for r in done.output.collect()} == {"names.csv"}


def test_a_format_that_is_none_is_refused_with_the_nearest(run_job: RunJob) -> None:
    done = run_job("convert", {"data": DATA / "csv"}, ["--to", "parkett"])
    assert (done.exit_code, done.record["reason"], "did you mean 'parquet'" in done.message) == (2, "unknown_format", True)
