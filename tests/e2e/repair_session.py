"""Rejected rows fed back in every mode, to Parquet and to Delta, in a session of its own; prints a JSON object a line."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from contextlib import redirect_stdout
from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import Any

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from sparkkit import publishing, session
from sparkkit.errors import SparkkitError
from sparkkit.repair import shelf
from sparkkit.schema.contract import Rule
from sparkkit.storage.lock import Patience
from sparkkit.verbs import repair
from tests.repair.conftest import World

FOLDER = Path(sys.argv[1])
ADULT = Rule("adult", "age >= 18")
FIRST = "values (1, 'Ann', 36), (2, 'Bo', 17), (3, 'Al', 5) as t(id, name, age)"
SECOND = "values (4, 'Cy', 40), (5, 'Di', 16) as t(id, name, age)"
MODES: dict[str, dict[str, Any]] = {
    "append": {}, "overwrite": {}, "overwrite_partitions": {"partition_by": ["p"]},
    "merge": {"keys": ["id"]}, "cdc": {"keys": ["id"], "sequence_by": "age"}, "scd2": {"keys": ["id"], "valid_from": "age"},
}


def by_letter(people: DataFrame) -> DataFrame:
    return people.withColumn("p", F.substring("name", 1, 1))


def world(spark: SparkSession, name: str, kind: str, mode: str, rows: str = FIRST) -> World:
    """A job of one mode, and a first date."""
    made = World(spark, FOLDER / name, build=by_letter)
    made.root.mkdir()
    made.people = replace(made.people, rules=(ADULT,))
    made.over = {"outputs.output.format": kind, "outputs.output.mode": mode}
    made.over |= {f"outputs.output.{k}": v for k, v in MODES[mode].items()}
    given(made, rows)
    return made


def given(made: World, rows: str) -> None:
    made.spark.sql(f"select * from {rows}").coalesce(1).write.mode("overwrite").parquet(str(made.root / "in"))


def held(made: World, kind: str, columns: str = "id") -> list[Any]:
    frame = made.spark.read.format(kind).load(str(made.root / "out")).selectExpr(*columns.split(", "))
    return sorted((row[0] if len(row) == 1 else list(row) for row in frame.collect()), key=str)


def fed(spark: SparkSession, kind: str, mode: str) -> dict[str, Any]:
    """Two dates; the contract is mended; rows are fed back, and again; then the first date is run again as a whole."""
    made = world(spark, f"{kind}-{mode}", kind, mode)
    made.go("2026-01-01")
    if mode != "overwrite":
        given(made, SECOND)
        made.go("2026-01-02")
    made.people = replace(made.people, rules=(Rule("child", "age >= 10"),))
    record = made.replay()
    said = [record.status, str(record.message), held(made, kind), made.bad("raw")]
    again = made.replay()
    given(made, FIRST)
    rerun = made.go("2026-01-01")
    return {"fed": said, "again": [again.status, str(again.message), held(made, kind)], "rerun": [rerun.status, held(made, kind)]}


def refused(call: Callable[[], Any]) -> list[Any]:
    try:
        call()
    except SparkkitError as error:
        return [error.exit_code, error.reason, error.message.replace(str(FOLDER), ""), error.hint]
    return ["not refused"]


def older(spark: SparkSession) -> dict[str, Any]:
    """Rows of a date whose keys a later date has merged stay where they are."""
    made = world(spark, "older", "delta", "merge")
    made.go("2026-01-01")
    given(made, "values (2, 'Bo', 44) as t(id, name, age)")
    made.go("2026-01-02")
    made.people = replace(made.people, rules=())
    return {"said": refused(made.replay)[:2], "held": held(made, "delta", "id, age"), "bad": len(made.bad("raw"))}


def masked(spark: SparkSession) -> dict[str, Any]:
    """Personal rows are refused as they are, and fed back where somebody fills in what is hidden."""
    made = World(spark, FOLDER / "masked")
    made.root.mkdir()
    made.put("a.csv", "id,name,age\n1,Ann,36\n2,Bo,old\n3,Cy,6,5\n")
    made.pii("name")
    made.go("2026-01-01")
    made.people = replace(made.people, policy={"bad_value": "allow"})
    first = refused(made.replay)
    mended = made.root / "mended.jsonl"
    shelf.export(shelf.rows(spark, made.job, made.conf), mended)
    mended.write_text(mended.read_text().replace(r'\"***\"', r'\"Bo\"').replace('"raw": "***"', '"raw": "3,Cy,65"'))
    record = made.replay(mended=str(mended))
    return {"first": first, "then": [str(record.message), held(made, "parquet", "id, name, age")]}


def outputs(spark: SparkSession) -> dict[str, Any]:
    """What an output rejected goes back into it, past the job; a date that was overwritten by another takes none back."""
    made = world(spark, "outputs", "json", "overwrite")
    made.people = replace(made.people, rules=())
    strict = replace(made.people, columns=(*made.people.columns, replace(made.people.columns[1], name="p")), rules=(ADULT,))
    contract = made.root / "strict.json"
    contract.write_text(strict.to_json())
    made.over["outputs.output.contract"] = str(contract)
    made.go("2026-01-01")
    contract.write_text(replace(strict, rules=()).to_json())
    record = made.replay()
    told = [str(record.message), held(made, "json")]
    contract.write_text(strict.to_json())
    for date, rows in (("2026-01-03", FIRST), ("2026-01-04", SECOND)):
        given(made, rows)
        made.go(date)
    contract.write_text(replace(strict, rules=()).to_json())
    return {"back": told, "overwritten": refused(lambda: made.replay("2026-01-03")), "stays": held(made, "json")}


def summarised(people: DataFrame) -> DataFrame:
    return people.groupBy("name").agg(F.sum("age").alias("age"))


def summed(spark: SparkSession) -> list[Any]:
    """A job that sums takes no rows by themselves."""
    made = world(spark, "summed", "parquet", "append")
    made.build = summarised
    made.go("2026-01-01")
    made.people = replace(made.people, rules=())
    return refused(made.replay)


def growing(people: DataFrame) -> DataFrame:
    return people.withColumn("id", F.col("id") + 10)


def twice(spark: SparkSession) -> dict[str, Any]:
    """A job that appends to what it reads adds to it each time; on the copy alone."""
    made = World(spark, FOLDER / "twice", build=growing)
    made.root.mkdir()
    spark.sql(f"select * from {FIRST}").coalesce(1).write.format("delta").save(str(made.root / "out"))
    made.over = {"inputs.people.path": str(made.root / "out"), "inputs.people.format": "delta", "outputs.output.format": "delta"}
    made.conf  # noqa: B018  # writes the contract
    with redirect_stdout(StringIO()) as said:
        code = made.verb(repair.verify, "--date=2026-01-01", "--json", f"--scratch={made.root}")
    found = json.loads(said.getvalue())["outputs"][0]
    return {"code": code, "rows": [found["first"], found["second"], found["unlike"]["gone"], held(made, "delta")]}


def planned(spark: SparkSession) -> dict[str, Any]:
    """What a run would change in Delta tables, which stay as they are."""
    found: dict[str, Any] = {}
    for mode in ("append", "merge"):
        made = world(spark, f"planned-{mode}", "delta", mode)
        made.people = replace(made.people, rules=(), columns=(replace(made.people.columns[0], key=1), *made.people.columns[1:]))
        made.go("2026-01-01")
        given(made, "values (1, 'Ann', 37), (3, 'Al', 5), (4, 'Cy', 40) as t(id, name, age)")
        before = {str(p): p.read_bytes() for p in made.root.rglob("*") if p.is_file()}
        with redirect_stdout(StringIO()) as said:
            made.verb(repair.plan, "--date=2026-01-01", "--json", "--show=0")
        output = json.loads(said.getvalue())["outputs"]["output"]
        same = before == {str(p): p.read_bytes() for p in made.root.rglob("*") if p.is_file()}
        found[mode] = [output["generation"], output["refused"], output["rows"], output["changes"], same]
    return found


def main() -> None:
    publishing.Patience = lambda: Patience(interval=0.2, missed=3)  # type: ignore[misc, assignment]
    with_delta = sys.argv[2] == "delta"
    spark = session.start({"spark.sql.shuffle.partitions": "2"}, app_name="repair", profile="test", needs=["delta"] if with_delta else [])
    cases: dict[str, Callable[[], Any]] = {}
    for kind, modes in (("parquet", tuple(MODES)[1:3]), ("delta", tuple(MODES))):
        cases |= {f"{kind} {mode}": (lambda k=kind, m=mode: fed(spark, k, m)) for mode in modes}  # type: ignore[misc]
    cases |= {case.__name__: (lambda c=case: c(spark)) for case in (older, masked, outputs, summed, twice, planned)}  # type: ignore[misc]
    wanted = sys.argv[3:] or list(cases)
    for name in wanted:
        print(json.dumps({name: cases[name]()}, default=str), flush=True)
    session.stop(spark)


if __name__ == "__main__":
    main()
