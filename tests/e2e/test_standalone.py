"""A job on Spark's own cluster manager, by `sparkkit submit`: a real Master and a real Worker."""
from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from tests.e2e import cluster

pytestmark = [pytest.mark.e2e, pytest.mark.cluster, pytest.mark.long, pytest.mark.timeout(900)]


def test_word_count_gives_the_rows_of_a_run_here(tmp_path: Path) -> None:
    options = ("--input", "data/books", "--ledger", str(tmp_path / "ledger"))
    with cluster.running("standalone") as found:
        where = ("--target", "standalone", "--master", found["SPARKKIT_STANDALONE"], "--executor-memory", "600m")
        done = cluster.submit(found, *where, "word_count", *options, "--output", str(tmp_path / "there"))
        assert done.returncode == 0, done.stderr[-3000:]
        failed = cluster.submit(found, *where, "word_count", "--input", "nowhere", "--output", str(tmp_path / "none"))
        assert failed.returncode == 3, failed.stderr[-3000:]
    assert cluster.submit({}, "word_count", *options, "--output", str(tmp_path / "here")).returncode == 0
    count = "select count(*), sum(count) from '{}/*.parquet'"
    differ = f"from (select * from '{tmp_path}/here/*.parquet' except all select * from '{tmp_path}/there/*.parquet')"
    assert duckdb.sql(count.format(tmp_path / "here")).fetchall() == duckdb.sql(count.format(tmp_path / "there")).fetchall()
    assert duckdb.sql(differ).fetchall() == []
