"""Population by area and year out of a table of the UN yearbook: growth, rank and share of the world, in wide form."""
from __future__ import annotations

from typing import Literal

from sparkkit import Column, DataFrame, F, Job, main
from sparkkit.transforms import columns, reshape, windows

WORLD = 1
"""The M49 code of "Total, all countries or areas"."""

REGIONS = (
    2, 5, 9, 11, 13, 14, 15, 17, 18, 19, 21, 29, 30, 34, 35, 39, 53, 54, 57, 61, 62, 142, 143, 145, 150, 151, 154, 155, 202, 419,
)
"""The codes of regions, which the yearbook mixes with countries (UN Statistics Division, standard M49)."""

KEYS = ("area_code", "area_name", "year")


def build(
    population: DataFrame, *, since: int = 2010, measure: str = "Population mid-year estimates (millions)",
    series: list[str] | None = None, areas: Literal["all", "countries", "regions"] = "all",
) -> DataFrame:
    """A row for each area and year that has the measure, with its change since the year given before.

    Columns: `area_code`, `area_name`, `year`, `kind` (world, region or country), `value`, `value_previous`, `value_since`
    (a year), `value_change`, `value_growth` (0.061 is 6.1 % since then), `rank` (within the year and kind, 1 the greatest),
    `share` (of the world's value that year), `footnotes`, and a column for each of `series`.

    Args:
        since: the first year of the report; growth looks at the year before it, too.
        measure: the series that is reported.
        series: another series of the table, as a column beside it; repeatable.
        areas: which rows to keep.
    """
    table = population.transform(columns.snake_case)
    measured = table.where(F.col("series") == measure).select(*KEYS, F.col("value"), "footnotes")
    report = measured.transform(windows.change, column="value", by="area_code", period="year").where(F.col("year") >= since)
    report = report.withColumn("kind", _kind()).transform(windows.rank, by=["year", "kind"], order="-value")
    report = report.transform(_shared).transform(_beside, table, series or [])
    wanted = {"all": F.lit(True), "countries": F.col("kind") == "country", "regions": F.col("kind") == "region"}[areas]
    return report.where(wanted).orderBy("area_code", "year")


def _kind() -> Column:
    code = F.col("area_code")
    return F.when(code == WORLD, "world").when(code.isin(*REGIONS), "region").otherwise("country")


def _shared(report: DataFrame) -> DataFrame:
    world = report.where(F.col("kind") == "world").select("year", F.col("value").alias("world"))
    share = (F.col("value").cast("double") / F.col("world").cast("double")).alias("share")
    order = [*KEYS, "kind", "value", "value_previous", "value_since", "value_change", "value_growth", "rank"]
    return report.join(world, "year", "left").select(*order, share, "footnotes")


def _beside(report: DataFrame, table: DataFrame, series: list[str]) -> DataFrame:
    if not series:
        return report
    names = {name: columns.snake(name) for name in series}
    chosen = table.where(F.col("series").isin(*series))
    wide = chosen.transform(reshape.to_wide, keys=["area_code", "year"], names="series", value="value", declared=names)
    return report.join(wide, ["area_code", "year"], "left").select(*report.columns, *names.values())


JOB = Job(build, contracts={"population": "population"}, settings={"outputs.output.mode": "overwrite", "inputs.population.format": "csv"})
if __name__ == "__main__":
    main(JOB)
