"""The road over Spark Connect, in a session and from the command line; prints one JSON object of what was found."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from sparkkit import conf as confs
from sparkkit import connect, failures, intake, run, session
from sparkkit.job import Job
from sparkkit.ledger import Record
from sparkkit.project import Project
from sparkkit.schema.contract import Column, Contract

FOLDER = Path(sys.argv[1])
HERE = Path(__file__).resolve()
ROOT = HERE.parents[2]
PEOPLE = Contract("people", (Column("id", "int", required=True), Column("age", "int")))
ADULTS = Contract("adults", (Column("id", "int"), Column("age", "int", required=True)))
Go = dict[str, Any]


def main() -> None:
    """Everything of one length, over one session and the processes that the command line starts."""
    short = sys.argv[2] == "short"
    spark = session.start({"spark.sql.shuffle.partitions": "2"}, app_name="road", profile="test", needs=["delta"])
    for contract in (PEOPLE, ADULTS):
        (FOLDER / f"{contract.name}.json").write_text(contract.to_json())
    found: dict[str, Any] = {}
    try:
        cut = Cut(spark)
        for kind, cases in (SHORT if short else LONG).items():
            seed(spark, kind)
            found[kind] = {case.__name__: case(spark, kind) for case in cases}
        if short:
            found["mixed"] = mixed(spark)
            found["command"] = commands(spark)
            found["command"]["gone"] = cut.ended(spark)
    finally:
        session.stop(spark)
    print(json.dumps(found))


def at(kind: str, name: str) -> str:
    """The path or the name of a table."""
    return str(FOLDER / name) if kind == "delta" else f"default.{name}"


def seed(spark: SparkSession, kind: str) -> None:
    """Four rows, and people of whom two do not keep their contract."""
    people = spark.createDataFrame([("1", "30"), ("2", None), ("x", "5"), (None, "7")], "id string, age string")
    for name, frame in (("four", spark.range(4)), ("people", people)):
        save(frame.coalesce(1), kind, name)


def save(frame: DataFrame, kind: str, name: str) -> None:
    """Writes a table without the road."""
    writer = frame.write.mode("overwrite").format("delta" if kind == "delta" else "parquet")
    writer.save(at(kind, name)) if kind == "delta" else writer.saveAsTable(at(kind, name))


def load(spark: SparkSession, kind: str, name: str) -> DataFrame:
    """Reads a table without the road."""
    return spark.read.format("delta").load(at(kind, name)) if kind == "delta" else spark.table(at(kind, name))


def rows(spark: SparkSession, kind: str, name: str) -> list[Any] | None:
    """A table's rows, sorted as text; None where there is none."""
    try:
        return sorted((list(row) for row in load(spark, kind, name).collect()), key=str)
    except Exception as error:
        if "NOT_FOUND" in str(error) or "NOT_EXIST" in str(error):
            return None
        raise


def left(spark: SparkSession) -> list[str]:
    """What of any run's staging is there: tables, and their folders on the server's disk."""
    tables = [row["tableName"] for row in spark.sql("SHOW TABLES LIKE 'sparkkit_staging*'").collect()]
    warehouse = Path(str(spark.conf.get("spark.sql.warehouse.dir")).removeprefix("file:"))
    return sorted({*tables, *[path.name for path in warehouse.glob("sparkkit_staging*")]} - CUT)


CUT: set[str] = set()
"""What the run leaves whose line to the server was cut."""


def go(spark: SparkSession, kind: str, build: Callable[..., Any], source: str, mode: str = "overwrite", **over: Any) -> Go:
    """One run from a table into the table `out`: its record, and how it failed."""
    outputs = over.pop("outputs", ("out",))
    job = Job(build, name="job", outputs=outputs)
    settings = {f"inputs.{job.inputs[0]}.path": at(kind, source), f"inputs.{job.inputs[0]}.format": kind}
    for name in outputs:
        settings |= {f"outputs.{name}.path": at(kind, name), f"outputs.{name}.format": kind, f"outputs.{name}.mode": mode}
    loaded = confs.load(Project(FOLDER), "job", inputs=job.inputs, outputs=outputs, params=(), over=settings | over)
    record, error = Record(f"Job-{time.monotonic_ns()}", "job"), None
    try:
        run.run(spark, run.Request(job, loaded, Project(FOLDER)), record)
    except Exception as caught:
        error = failures.explain(caught, getattr(caught, "sparkkit_step", ""))
    told = None if error is None else [error.exit_code, error.reason, error.message]
    edges = {"in": record.inputs.get(job.inputs[0]), "out": record.outputs, "quarantine": record.quarantine}
    return {**edges, "error": told, "id": record.run_id}


def modes(spark: SparkSession, kind: str) -> Any:
    """Rows and partitions that each mode wrote, and what is there at the end."""

    def write(sql: str, mode: str, **over: Any) -> Any:
        def build(data: DataFrame) -> DataFrame:
            return data.selectExpr(*sql.split("; ")).where("v < 100")

        done = go(spark, kind, build, "four", mode, outputs=("moded",), **{"outputs.moded.partition_by": ["p"], **over})
        if done["error"]:
            return done["error"][:2]
        return [done["out"]["moded"][figure] for figure in ("written", "partitions", "files", "bytes")]

    first = [write("id v; 'a' p", "error"), write("id v; 'a' p", "error"), write("id + 10 v; '01' p", "append")]
    again = write("id + 10 v; '01' p", "append")
    parts = [write("id + if(id < 2, 20, 100) v; 'b' p", "overwrite_partitions"), write("id + 30 v; '01' p", "overwrite_partitions")]
    held = rows(spark, kind, "moded")
    none = "id + 100 v; 'z' p", "overwrite"
    emptied = [write(*none), rows(spark, kind, "moded") == held, write(*none, **{"outputs.moded.allow_empty": "true"})]
    then = rows(spark, kind, "moded")
    return {"wrote": first + parts, "again": again, "held": held, "emptied": emptied, "then": then, "left": left(spark)}


def law(spark: SparkSession, kind: str) -> Any:
    """A job with contracts, rejects on both sides and two outputs, twice."""

    def build(people: DataFrame) -> dict[str, DataFrame]:
        return {"adults": people, "ids": people.select("id")}

    contracts = {"inputs.people.contract": str(FOLDER / "people.json"), "outputs.adults.contract": str(FOLDER / "adults.json")}
    done = [go(spark, kind, build, "people", mode, outputs=("adults", "ids"), **contracts) for mode in ("overwrite", "append")]
    columns = ["run_id", "input", "reason", "rule", "raw", "source_file is not null", "date"]
    bad = sorted((list(row) for row in load(spark, kind, f"adults{QUARANTINE[kind]}").selectExpr(*columns).collect()), key=str)
    tables = {name: rows(spark, kind, name) for name in ("adults", "ids")}
    return {"runs": done, "bad": bad, "tables": tables, "left": left(spark)}


QUARANTINE = {"delta": ".quarantine", "table": "_quarantine"}


def rand(spark: SparkSession, kind: str) -> Any:
    """Half of the rows, by chance, break the output's contract: how many went where, and how many are lost or doubled."""

    def build(data: DataFrame) -> DataFrame:
        many = data.crossJoin(data.sparkSession.range(100).withColumnRenamed("id", "n"))
        return many.selectExpr("cast(id * 100 + n as int) id", "if(rand() < 0.5, 1, null) age").repartition(3)

    done = go(spark, kind, build, "four", outputs=("random",), **{"outputs.random.contract": str(FOLDER / "adults.json")})
    good = [row[0] for row in rows(spark, kind, "random") or []]
    bad = [json.loads(row["raw"])["id"] for row in load(spark, kind, f"random{QUARANTINE[kind]}").collect()]
    wrote = done["out"]["random"]
    figures = [wrote["written"] == len(good), wrote["quarantined"] == len(bad), min(len(good), len(bad)) > 100]
    return {"error": done["error"], "built": wrote["built"], "figures": figures, "each once": sorted(good + bad) == list(range(400))}


def failing(spark: SparkSession, kind: str) -> Any:
    """Builds that raise in a task, at once, by a column that is not there, in a Python worker; and no input."""
    go(spark, kind, lambda data: data.select("id"), "four")

    def task(data: DataFrame) -> DataFrame:
        return data.selectExpr("if(id = 2, cast(raise_error('boom') as bigint), id) id")

    def python(data: DataFrame) -> DataFrame:
        raise ValueError("no such year")

    def column(data: DataFrame) -> DataFrame:
        return data.select("nowhere")

    def worker(data: DataFrame) -> DataFrame:
        return data.select(F.udf(lambda value: [][value], "bigint")("id").alias("id"))

    errors = [go(spark, kind, build, "four")["error"] for build in (task, python, column, worker)]
    errors.append(go(spark, kind, task, "nothing")["error"])
    return {"errors": errors, "held": rows(spark, kind, "out"), "left": left(spark)}


def lying(spark: SparkSession, kind: str) -> Any:
    """A planted miscount of the input."""
    honest = intake.judge
    intake.judge = lambda *given: honest(*given).where("id <> 3")
    try:
        error = go(spark, kind, lambda data: data, "four", outputs=("lied",))["error"]
    finally:
        intake.judge = honest
    return {"error": error, "held": rows(spark, kind, "lied"), "left": left(spark)}


def losing(spark: SparkSession, kind: str) -> Any:
    """A row that gets lost while it is staged."""
    honest = connect.Tables.save

    def save(place: connect.Tables, frame: DataFrame, form: Any, options: Mapping[str, str], by: list[str], name: str) -> None:
        honest(place, frame, form, options, by, name)
        kept = place.spark.createDataFrame(place.spark.table(name).where("id <> 3").collect(), frame.schema)
        kept.write.insertInto(name, overwrite=True)

    connect.Tables.save = save  # type: ignore[method-assign]
    try:
        error = go(spark, kind, lambda data: data, "four", outputs=("lost",))["error"]
    finally:
        connect.Tables.save = honest  # type: ignore[method-assign]
    return {"error": error, "held": rows(spark, kind, "lost"), "left": left(spark)}


def overwritten(spark: SparkSession, kind: str) -> Any:
    """A table that is read and overwritten by one run, with a word of its own in Delta's history."""
    save(spark.range(4).coalesce(1), kind, "same")
    over = {"outputs.same.options.userMetadata": "mine"} if kind == "delta" else {}
    refused = go(spark, kind, lambda data: data.where("id > 1"), "same", outputs=("same",), **over)["error"]
    over["outputs.same.allow_overlap"] = "true"
    done = go(spark, kind, lambda data: data.where("id > 1"), "same", outputs=("same",), **over)
    return {"refused": refused and refused[:2], "error": done["error"], "held": rows(spark, kind, "same")}


def mixed(spark: SparkSession) -> Any:
    """Plain files where a quarantine, or an output of mode error, is to go; and a path of our own folder."""
    (FOLDER / "plain").mkdir()
    (FOLDER / "plain" / "a.txt").write_text("a\n")
    over = {"inputs.people.contract": str(FOLDER / "people.json"), "outputs.apart.quarantine": str(FOLDER / "plain")}
    rejected = go(spark, "delta", lambda people: people, "people", outputs=("apart",), **over)["error"]
    taken = go(spark, "delta", lambda data: data, "four", "error", outputs=("plain",))["error"]
    relative = go(spark, "delta", lambda data: data, "four", **{"outputs.out.path": "relative/path"})["error"]
    return {"rejected": rejected, "taken": taken, "relative": relative, "plain": os.listdir(FOLDER / "plain"), "left": left(spark)}


def command(*words: str, verb: tuple[str, ...] = ("run",), **env: str) -> subprocess.Popen[str]:
    """A process of the command line."""
    record = FOLDER / f"record-{time.monotonic_ns()}.json"
    argv = [sys.executable, "-m", "sparkkit", *verb, *words, "--record", str(record)]
    process = subprocess.Popen(argv, cwd=FOLDER, env=os.environ | env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    process.record = record  # type: ignore[attr-defined]
    return process


def outcome(process: subprocess.Popen[str]) -> dict[str, Any]:
    """How a process of the command line ended, and its record."""
    out, err = process.communicate(timeout=450)
    record = json.loads(process.record.read_text())  # type: ignore[attr-defined]
    return {"code": process.returncode, "out": out, "err": err, "record": record}


def commands(spark: SparkSession) -> dict[str, Any]:
    """Jobs from the command line, by SPARK_REMOTE."""
    convert, slow, four = str(ROOT / "jobs/convert.py"), str(HERE.with_name("slow_job.py")), at("delta", "four")
    to, remote = ("--output", str(FOLDER / "shown"), "--to"), ("submit", "--remote", os.environ["SPARK_REMOTE"])
    found = {
        "shown": outcome(command(convert, "--input", four, *to, "delta", "--show", "2")),
        "files out": outcome(command(convert, "--from", "delta", "--input", four, *to, "csv")),
        "files in": outcome(command(convert, "--input", str(ROOT / "data/names/csv"), *to, "delta")),
        "missing": outcome(command(convert, "--from", "table", "--input", "default.nowhere", *to, "delta", verb=remote, SPARK_REMOTE="")),
        "nobody": outcome(command(convert, "--input", four, *to, "delta", SPARK_REMOTE=f"sc://127.0.0.1:{free_port()}")),
    }
    flag = FOLDER / "stopped"
    process = command(slow, *SLOW, "--input", text(spark), "--output", at("delta", "stopped.out"), "--flag", str(flag))
    wait_for(flag, process)
    process.send_signal(signal.SIGTERM)
    found["stopped"] = outcome(process)
    return found | {"left": left(spark), "written": rows(spark, "delta", "stopped.out")}


SLOW = ("--set", "inputs.text.format=delta", "--output-format", "delta")


def text(spark: SparkSession) -> str:
    """A Delta table of one line."""
    save(spark.sql("select 'one' value"), "delta", "text")
    return at("delta", "text")


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(flag: Path, process: subprocess.Popen[str]) -> None:
    """Waits until a run is under way in its tasks."""
    until = time.monotonic() + 60
    while not flag.exists() and process.poll() is None and time.monotonic() < until:
        time.sleep(0.1)
    assert flag.exists(), process.communicate(timeout=5)[1]


class Cut:
    """A run whose line to the server is cut while it is under way; it goes on behind the other cases until it gives up."""

    def __init__(self, spark: SparkSession) -> None:
        self.door = Door(os.environ["SPARK_REMOTE"])
        flag = FOLDER / "cut"
        words = ("--input", text(spark), "--output", at("delta", "cut.out"), "--flag", str(flag), "--seconds", "3")
        self.process = command(str(HERE.with_name("slow_job.py")), *SLOW, *words, SPARK_REMOTE=self.door.address)
        wait_for(flag, self.process)
        self.door.shut()
        CUT.update(left(spark))

    def ended(self, spark: SparkSession) -> dict[str, Any]:
        """How it ended; what it could not drop is dropped here, by the statement that it told."""
        found = outcome(self.process)
        told = [line.partition("DROP TABLE ")[2] for line in found["err"].splitlines() if "DROP TABLE " in line]
        before = sorted(CUT)
        CUT.clear()
        for name in ", ".join(told).split(", "):
            spark.sql(f"DROP TABLE {name}")
        return found | {"before": before, "after": left(spark)}


class Door:
    """A way to the server that can be shut."""

    def __init__(self, address: str) -> None:
        host, _, port = address.removeprefix("sc://").partition(":")
        self.server = (host, int(port))
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"sc://127.0.0.1:{self.listener.getsockname()[1]}"
        self.open: list[socket.socket] = [self.listener]
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                inner, outer = self.listener.accept()[0], socket.create_connection(self.server)
                self.open += [inner, outer]
                for one, other in ((inner, outer), (outer, inner)):
                    threading.Thread(target=self._copy, args=(one, other), daemon=True).start()

    def _copy(self, one: socket.socket, other: socket.socket) -> None:
        with suppress(OSError):
            while data := one.recv(65536):
                other.sendall(data)

    def shut(self) -> None:
        """Ends every connection, and takes no new one."""
        for one in self.open:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()


SHORT: dict[str, tuple[Callable[..., Any], ...]] = {
    "delta": (modes, law, rand, failing, lying, losing, overwritten), "table": (modes, law),
}
LONG: dict[str, tuple[Callable[..., Any], ...]] = {"table": (rand, failing, lying, losing)}
if __name__ == "__main__":
    main()
