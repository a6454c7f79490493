"""A job run twice on a copy: what makes the second run differ is found and named, and nothing real is touched."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from pyspark.sql import DataFrame, SparkSession, Window
from pyspark.sql import functions as F

from sparkkit.errors import UsageError
from sparkkit.job import Job
from sparkkit.repair.multiset import compare
from sparkkit.verbs import repair
from tests.repair.conftest import World

pytestmark = pytest.mark.once
OUTPUTS = ("clean", "stamped", "chance", "ranked")


def build(people: DataFrame) -> dict[str, DataFrame]:
    return {
        "clean": people.groupBy("name").count(),
        "stamped": people.withColumn("at", F.current_timestamp()),
        "chance": people.withColumn("die", F.rand()),
        "ranked": people.withColumn("n", F.row_number().over(Window.partitionBy("name").orderBy("age"))),
    }


def everything(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def test_what_makes_a_second_run_differ_is_named(world: World, spark: SparkSession, capsys: pytest.CaptureFixture[str]) -> None:
    spark.range(40).select("id", F.lit("Ann").alias("name"), F.lit(36).alias("age")).coalesce(1).write.parquet(str(world.root / "in"))
    before = everything(world.root)
    words = [f"--input={world.root / 'in'}", f"--output={world.root / 'out'}", "--mode=append", "--date=2026-01-01", "--json"]
    code = repair.verify(["job", *words, f"--scratch={world.root}"], spark, Job(build, name="job", outputs=OUTPUTS))
    found = json.loads(capsys.readouterr().out)
    said = {v["output"]: [v["same"], v["first"], (v["unlike"] or {}).get("columns"), len(v["causes"])] for v in found["outputs"]}
    assert (code, said["clean"], said["stamped"]) == (4, [True, 1, None, 0], [False, 40, ["at"], 1])
    assert said["chance"] == [False, 40, ["die"], 1]
    assert (said["ranked"][:2], "n" in said["ranked"][2], said["ranked"][3]) == ([False, 40], True, 1)
    assert everything(world.root) == before


def test_the_default_mode_is_verified_too_though_the_second_run_finds_the_output(
    world: World, spark: SparkSession, capsys: pytest.CaptureFixture[str],
) -> None:
    spark.range(3).withColumnRenamed("id", "age").coalesce(1).write.parquet(str(world.root / "in"))
    words = [f"--input={world.root / 'in'}", f"--output={world.root / 'out'}", f"--scratch={world.root}"]
    assert repair.verify(["job", *words], spark, Job(lambda people: people, name="job")) == 0


def test_a_copy_of_a_table_of_the_catalog_is_refused(world: World, spark: SparkSession) -> None:
    world.over |= {"outputs.output.format": "table", "outputs.output.path": "db.t"}
    (world.root / "people.json").write_text(world.people.to_json())
    with pytest.raises(UsageError, match="is a table of the catalog"):
        world.verb(repair.verify)


SIDE = "select * from values {} as t(k, a, b)"


@pytest.mark.parametrize(("first", "second", "keys", "found"), [
    pytest.param("(1, 'x', 1), (2, null, 2)", "(2, null, 2), (1, 'x', 1)", [], None, id="another order"),
    pytest.param("(1, 'x', 1), (2, 'y', 2)", "(1, 'y', 1), (2, 'x', 2)", ["k"], (2, 2, ("a",)), id="by its key"),
    pytest.param("(1, 'x', 1), (2, 'y', 2)", "(1, 'x', 1), (2, 'z', 2)", [], (1, 1, ("a",)), id="by its values"),
    pytest.param("(1, 'x', 1)", "(1, 'x', 1), (1, 'x', 1)", [], (0, 1, ()), id="one row twice"),
])
def test_frames_are_compared_as_multisets(
    spark: SparkSession, first: str, second: str, keys: list[str], found: tuple[int, int, tuple[str, ...]] | None,
) -> None:
    some, other = (spark.sql(SIDE.format(rows)) for rows in (first, second))
    told = compare(some, other, keys=keys)
    assert (told and (told.gone, told.more, told.columns)) == found


def test_columns_that_only_one_has_and_maps_are_compared(spark: SparkSession) -> None:
    some, other = spark.sql("select map('a', 1, 'b', 2) m, 1 x"), spark.sql("select map('b', 2, 'a', 1) m")
    lost = compare(some, other)
    assert (lost and lost.columns, compare(some.select("m"), other)) == (("x",), None)


def test_maps_that_differ_by_a_microsecond_are_not_the_same(spark: SparkSession) -> None:
    one, other = (spark.sql(f"select map('a', timestamp'2024-01-01 00:00:00.00000{n}') as m") for n in (1, 2))
    found = compare(one, other)
    assert found is not None and (found.gone, found.more) == (1, 1)
