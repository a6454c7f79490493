"""population_report: growth, rank and share out of the long table, on a small one of our own and on the real one."""
from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from pyspark.sql import SparkSession

from sparkkit.submission.local import load_job

if TYPE_CHECKING:
    from sparkkit.testing import RunJob

MEASURE = "Population mid-year estimates (millions)"
TABLE = f"""Area Code,Area Name,Year,Series,Value,Footnotes,Source
1,"Total, all countries or areas",2010,{MEASURE},"6,000.00",,made up
1,"Total, all countries or areas",2015,{MEASURE},"7,500.00",,made up
2,Africa,2010,{MEASURE},"1,500.00",,made up
2,Africa,2015,{MEASURE},"2,250.00",,made up
4,Afghanistan,2010,{MEASURE},30.00,Estimate.,made up
4,Afghanistan,2015,{MEASURE},45.00,,made up
8,Albania,2015,{MEASURE},60.00,,made up
8,Albania,2015,Population density,105.0,,made up
8,Albania,2019,{MEASURE},not known,,made up
"""


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "population.csv"
    path.write_text(TABLE, encoding="utf-8")
    return path


def test_growth_rank_and_share_are_those_of_the_table(spark: SparkSession) -> None:
    population = spark.createDataFrame([
        (1, "World", 2010, MEASURE, Decimal(6000), None), (1, "World", 2015, MEASURE, Decimal(7500), None),
        (2, "Africa", 2010, MEASURE, Decimal(1500), None), (2, "Africa", 2015, MEASURE, Decimal(2250), None),
        (4, "Afghanistan", 2010, MEASURE, Decimal(30), "Estimate."), (4, "Afghanistan", 2015, MEASURE, Decimal(45), None),
        (8, "Albania", 2015, MEASURE, Decimal(60), None), (8, "Albania", 2015, "Population density", Decimal(105), None),
    ], "area_code int, area_name string, year int, series string, value decimal(18,2), footnotes string")
    report = load_job("population_report").build(population, since=2015)
    rows = {r.area_code: (float(r.value), r.value_growth, r.rank, r.share, r.kind) for r in report.collect()}
    assert rows == {1: (7500.0, 0.25, 1, 1.0, "world"), 2: (2250.0, 0.5, 1, 0.3, "region"), 4: (45.0, 0.5, 2, 0.006, "country"),
                    8: (60.0, None, 1, 0.008, "country")}


def test_a_value_that_is_no_number_is_quarantined_and_another_series_stands_beside(run_job: RunJob, table: Path) -> None:
    done = run_job("population_report", {"population": table}, ["--areas", "countries", "--series", "Population density"])
    beside = {(r.area_code, r.year): r.population_density for r in done.output.collect()}
    account = done.record["inputs"]["population"]
    assert (account["read"], account["quarantined_by"]) == (9, {"bad_value": 1})
    assert {k: v and float(v) for k, v in beside.items()} == {(4, 2010): None, (4, 2015): None, (8, 2015): 105.0}


def test_the_real_table_is_accounted_for_to_the_last_row(run_job: RunJob, real_data: Path) -> None:
    done = run_job("population_report", {"population": real_data / "un_population_syb64.csv"})
    account = done.record["inputs"]["population"]
    world = {r.year: float(r.value) for r in done.output.where("area_code = 1").collect()}
    assert (account["read"], account["passed"], account["quarantined"]) == (7260, 7260, 0)
    assert (world[2010], world[2021]) == (6956.82, 7874.97)
