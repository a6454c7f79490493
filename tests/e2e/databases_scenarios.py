"""What is tried on databases: each takes the session's world and gives what it found."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any

from pyspark.sql import functions as F

Scenario = Callable[[Any], Any]


def of(kind: str, names: Sequence[str] = ()) -> list[Scenario]:
    """The scenarios of a database, or those of these names."""
    both: list[Scenario] = [upsert, append, overwrite, refusals, wrong, once]
    own: list[Scenario] = [read_types, partitioned, watermark, snapshot, rehearsed, two_writers] if kind == "postgresql" else [affinity]
    return [one for one in (*own, *both) if not names or one.__name__ in names]


def read_types(world: Any) -> Any:
    """One row of every type, and what it is read as."""
    world.sql('CREATE TABLE kinds (id serial, n numeric, d numeric(10,2), t text, v varchar(5), c char(4), ts timestamp, tz timestamptz,'
              ' day date, u uuid, j jsonb, b bytea, f float8, a int[], ok boolean, "od""d" text)',
              "INSERT INTO kinds VALUES (1, 1.234567890123456789012345, 1.5, 'x', 'y', 'z', '2026-03-29 02:30:00.123456',"
              " '2026-03-29 02:30:00.123456+02', '2026-01-01', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', '{\"a\": 1}', '\\x00ff', 1.5,"
              " '{1,2}', true, 'w')")
    done = world.go(world.table("kinds"), world.files("kinds", mode="error"))
    if "reason" in done:
        return done
    frame = world.spark.read.parquet(world.files("kinds")["path"])
    row = frame.withColumn("tz", F.col("tz").cast("string")).first()
    return done, frame.dtypes, [str(v) for v in row]


def partitioned(world: Any) -> Any:
    """Rows with nulls and far values in the column that parts them; by numbers, dates and times."""
    world.sql("CREATE TABLE parted AS SELECT CASE WHEN i % 10 = 0 THEN NULL ELSE i * 7 END AS k, date '2026-01-01' + i AS day,"
              " timestamptz '2026-01-01 00:00:00+00' + i * interval '1 hour' AS at,"
              " (i * 1.25)::numeric(10, 2) AS d FROM generate_series(1, 1000) i")
    found = []
    for column, more in (("k", {}), ("day", {}), ("at", {}), ("d", {}), ("k", {"lower_bound": "100", "upper_bound": "200"})):
        source = world.table("parted", options={"partition_column": column, "partitions": "4", "fetch_size": "50", **more})
        done = world.go(source, world.files(f"parted_{column}_{len(more)}", mode="error"))
        held = world.spark.read.parquet(world.files(f"parted_{column}_{len(more)}")["path"])
        found.append([done, held.count(), held.where("k is null").count(), held.select("day").distinct().count()])
    return found


def watermark(world: Any) -> Any:
    """Three runs by a watermark: all, what is new, nothing; the filter stands in what the database is asked."""
    world.sql("CREATE TABLE events (id int, at timestamptz)", "INSERT INTO events SELECT i, timestamptz '2026-01-01 00:00:00+00' +"
              " i * interval '1 hour' FROM generate_series(1, 20) i")
    source = world.table("events", incremental="column", watermark="at")
    target = world.files("events_out", mode="append")
    first = world.go(source, target)
    world.sql("INSERT INTO events SELECT i, timestamptz '2026-01-01 00:00:00+00' + i * interval '1 hour' FROM generate_series(21, 25) i")
    second = world.go(source, target)
    third = world.go(source, target)
    return [first, second, third, len(world.held("events_out"))]


def snapshot(world: Any) -> Any:
    """Rows that are added while a run reads are not in it, and its figures agree."""
    world.sql("CREATE TABLE moving AS SELECT i AS id FROM generate_series(1, 100) i")

    def build(data: Any) -> Any:
        world.sql("INSERT INTO moving SELECT i FROM generate_series(101, 150) i")
        return data

    found = []
    for shared in ("true", "false"):
        source = world.table("moving", options={"partition_column": "id", "partitions": "3", "snapshot": shared})
        found.append(world.go(source, world.files(f"moving_{shared}", mode="error"), build))
    return found


def rehearsed(world: Any) -> Any:
    """What the database's own rules refuse is refused before the decision, and the next run goes on."""
    world.sql("CREATE TABLE parent (id bigint PRIMARY KEY)", "INSERT INTO parent VALUES (1), (2)",
              "CREATE TABLE child (id bigint REFERENCES parent DEFERRABLE INITIALLY DEFERRED, n varchar(3) CHECK (n <> 'bad'),"
              " made int GENERATED ALWAYS AS (1) STORED, extra int DEFAULT 7)")
    found = []
    for values in ("(1L, 'bad')", "(3L, 'ok')", "(1L, 'long')", "(1L, 'ok'), (2L, null)"):
        found.append(world.go(world.files("child_in", f"SELECT * FROM VALUES {values} AS v(id, n)"), world.table("child", mode="append")))
    return found, world.rows("SELECT * FROM child ORDER BY 1"), staged(world)


def two_writers(world: Any) -> Any:
    """A run that finds the table held by another connection ends with exit code 5."""
    from sparkkit.formats import jdbc_tables

    jdbc_tables.WAIT = 1.0
    with jdbc_tables.hold(world.spark, world.conf("held", "append")):
        return world.go(world.files("held_in", "SELECT 1 AS id"), world.table("held", mode="append"))


def upsert(world: Any) -> Any:
    """By keys into a table of its own, twice the same, then changed and new ones."""
    target = world.table("people", mode="merge", keys=["id"])
    rows = "SELECT id, concat('p', id) AS name, if(id = 2, null, 1.5) AS w FROM range(5)"
    found = [world.go(world.files("people_in", rows), target) for _ in range(2)]
    found.append(world.go(world.files("people_in", "SELECT id, if(id = 3, 'new', concat('p', id)) AS name, if(id = 2, null, 1.5) AS w"
                                      " FROM range(2, 7)"), target))
    return found, world.rows("SELECT id, name, w FROM people ORDER BY id"), staged(world)


def append(world: Any) -> Any:
    """A slice once, another one, the first again as it was and with other rows."""
    target = world.table("added", mode="append")
    found = [world.go(world.files("added_in", "SELECT id FROM range(3)"), target, date=day) for day in ("2026-02-01", "2026-02-02")]
    found.append(world.go(world.files("added_in", "SELECT id FROM range(4)"), target, date="2026-02-01"))
    return found, world.rows("SELECT count(*) FROM added")


def overwrite(world: Any) -> Any:
    """All rows are replaced; none by an empty result."""
    target = world.table("whole", mode="overwrite")
    found = [world.go(world.files("whole_in", f"SELECT id FROM range({n})"), target) for n in (3, 2, 0)]
    return found, world.rows("SELECT count(*) FROM whole")


def refusals(world: Any) -> Any:
    """Keys and columns that don't fit, a table that is there, types that no table takes."""
    world.sql("CREATE TABLE taken (id INTEGER, name TEXT)", "INSERT INTO taken VALUES (1, 'a')")
    into = {"mode": "append"}
    keyed = {"mode": "merge", "keys": ["id"]}
    tried = [("SELECT 1 AS id, 'a' AS name", {"mode": "error"}), ("SELECT 1.5 AS id, 'a' AS name", into), ("SELECT 1 AS id", into),
             ("SELECT 1 AS id, 'a' AS name, 1 AS more", into), ("SELECT 1 AS id, array(1) AS name", into),
             ("SELECT * FROM VALUES (1, 'a'), (1, 'b') AS v(id, name)", keyed), ("SELECT cast(null AS int) AS id, 'a' AS name", keyed),
             ("SELECT 1 AS id, concat('a', char(0)) AS name", into), ("SELECT 1 AS id, 'a' AS name", {"mode": "cdc", "keys": ["id"]}),
             ("SELECT 1 AS id, 'a' AS name", {"mode": "merge", "keys": ["nokey"]})]
    found = [world.go(world.files("taken_in", sql), world.table("taken", **more)) for sql, more in tried]
    return [[one.get("reason"), one.get("code")] for one in found], world.rows("SELECT * FROM taken"), [one.get("message") for one in found]


def wrong(world: Any) -> Any:
    """What a person may get wrong, on either side."""
    world.sql("CREATE TABLE it (id INTEGER)")
    os.environ["CANARY"] = "canary-4711"
    good, out = world.table("it"), world.files("it_out")
    secret = {"options.password": "${env:CANARY}"}
    edges = {"no table": world.table("nowhere"), "no option": world.table("it", options={"tabel": "x"}),
             "no column": world.table("it", options={"partition_column": "x"}),
             "url secret": {**good, "path": f"{good['path']}?password=canary-4711"},
             "dialect": {**good, "path": "jdbc:mysql://h/db"}}
    if world.base.address.file:
        edges |= {"no file": {**good, "path": "jdbc:sqlite:/nowhere/base.db"}}
    else:
        edges |= {"password": {**good, **secret}, "port": {**good, "path": "jdbc:postgresql://127.0.0.1:9/x"},
                  "host": {**good, "path": "jdbc:postgresql://nowhere.invalid/x"}}
    found = {name: world.go(edge, out) for name, edge in edges.items()}
    to = {f"to {name}": world.go(world.files("it_in", "SELECT 1 AS id"), {**edge, "mode": "append"}) for name, edge in edges.items()
          if name in ("password", "port", "no file")}
    return {name: [one.get("reason"), one.get("code"), one.get("message")] for name, one in {**found, **to}.items()}


def once(world: Any) -> Any:
    """The same number twice changes nothing, and an earlier one is refused; a dead run's is let go."""
    from sparkkit.formats import jdbc_tables, jdbc_write
    from sparkkit.formats.base import Commit

    conf = world.conf("once", "append")
    frame = world.spark.range(3)
    with jdbc_tables.hold(world.spark, conf):
        pass
    found = []
    for run_id, number, late in (("a", 1, False), ("a", 1, False), ("b", 2, False), ("a", 1, False), ("c", 2, True)):
        how = Commit(run_id, 3, str(world.files("once")["path"]), ("job/output@d", number), late)
        try:
            done = jdbc_write.commit(frame, conf, "", how)
            found.append([done.already, done.figures["inserted"]])
        except Exception as error:
            found.append(getattr(error, "reason", repr(error)))
    return found, world.rows("SELECT count(*) FROM once"), world.rows('SELECT "number", "run_id", "rows" FROM sparkkit_commits'
                                                                     " WHERE \"target\" LIKE '%once%'")


def affinity(world: Any) -> Any:
    """SQLite's own types, and a text in a column of numbers."""
    world.sql("CREATE TABLE loose (i INTEGER, t TEXT, r REAL, d DECIMAL(10,2), ok BOOLEAN, b BLOB)",
              "INSERT INTO loose VALUES (9000000000000000000, 'x', 1.5, '1.25', 1, x'00ff'), (null, null, null, null, null, null)")
    good = world.go(world.table("loose", options={"partition_column": "i", "partitions": "2"}), world.files("loose", mode="error"))
    frame = world.spark.read.parquet(world.files("loose")["path"])
    kept = [[str(v) for v in row] for row in frame.where("i is not null").collect()]
    world.sql("INSERT INTO loose (i) VALUES ('abc')")
    return good, frame.dtypes, kept, world.go(world.table("loose"), world.files("loose2", mode="error"))


def staged(world: Any) -> Any:
    """The staging tables that are left."""
    if world.base.address.file:
        return world.rows("SELECT name FROM sqlite_master WHERE name LIKE 'sparkkit_s%'")
    return world.rows("SELECT tablename FROM pg_tables WHERE tablename LIKE 'sparkkit_s\\_%'")
