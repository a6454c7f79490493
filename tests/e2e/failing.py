"""Provokes failures with a real Spark, each a run of its own, and asks `why` for their cause; ends with one JSON line.

Usage: failing.py [KIND…], or failing.py --shared FOLDER: those that may share a session, in one, whose event log is FOLDER/events.
"""
from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyspark

ROOT = Path(__file__).resolve().parents[2]
JOB = Path(__file__).with_name("failing_job.py")
CONTRACT = {"name": "numbers", "version": "1.0.0", "columns": [{"name": "n", "type": "int"}]}


@dataclass(frozen=True)
class Failure:
    """One kind: the job's kind, the cause that is right, the exit code, and options of the run; {tmp} is a folder of its own.

    `shares` says that it leaves a session as it was, so that others may use it after.
    """

    name: str
    cause: str
    code: int
    kind: str = ""
    options: tuple[str, ...] = ()
    spark: tuple[str, ...] = ()
    shares: bool = False
    small_disk: bool = False


CLUSTER = ("--master", "local-cluster[2,1,1024]", "--conf", "spark.executor.memory=512m", "--conf", "spark.task.maxFailures=1")
FAILURES = (
    Failure("python_error", "python_error", 1, shares=True),
    Failure("driver_error", "python_error", 1, shares=True),
    Failure("missing_module", "missing_module", 2, shares=True),
    Failure("python_out_of_memory", "python_out_of_memory", 1, shares=True),
    Failure("python_worker_died", "python_worker_died", 6, shares=True),
    Failure("bad_value", "bad_record", 1, shares=True),
    Failure("division", "bad_record", 1, shares=True),
    Failure("unknown_column", "unknown_column", 1, shares=True),
    Failure("not_serializable", "not_serializable", 1, shares=True),
    Failure("missing_jar", "missing_jar", 1, shares=True),
    Failure("file_vanishes", "missing_file", 3, options=("--flag={tmp}/vanishing",), shares=True),
    Failure("missing_file", "missing_file", 3, "same", ("--input=text=/nowhere/at/all",), shares=True),
    Failure("missing_partition", "missing_partition", 3, "same", ("--input=text=/nowhere/events/dt=2026-11-21",), shares=True),
    Failure("refused_by_contract", "refused_by_contract", 4, "same", shares=True,
            options=("--set=inputs.text.contract={tmp}/c.json", "--set=inputs.text.format=csv")),
    Failure("wrong_use", "wrong_use", 2, "same", ("--env=nowhere",), shares=True),
    Failure("terminated", "interrupted", 143, shares=True),
    Failure("skew", "skew", 0, options=("--set=spark.sql.adaptive.enabled=false",)),
    Failure("spill", "spill", 0, spark=("--conf", "spark.shuffle.spill.numElementsForceSpillThreshold=20000")),
    Failure("fetch_failure", "fetch_failure", 6, options=("--flag={tmp}/local",),
            spark=("--conf", "spark.local.dir={tmp}/local", "--conf", "spark.stage.maxConsecutiveAttempts=2", "--master", "local[2]")),
    Failure("broadcast", "broadcast_too_large", 1,
            options=("--set=spark.sql.broadcastTimeout=1", "--set=spark.sql.adaptive.enabled=false")),
    Failure("result_too_large", "result_too_large", 1, "collect", spark=("--conf", "spark.driver.maxResultSize=1m")),
    Failure("out_of_memory", "out_of_memory", 6, "heap", spark=("--driver-memory", "600m")),
    Failure("driver_out_of_memory", "out_of_memory", 6, "driver_heap", spark=("--driver-memory", "600m")),
    Failure("disk_full", "disk_full", 6, spark=("--conf", "spark.local.dir={tmp}/small", "--master", "local[2]"), small_disk=True),
    Failure("driver_killed", "driver_killed", -9, "killed"),
    Failure("executor_killed", "process_killed", 6, spark=CLUSTER),
    Failure("executor_out_of_memory", "out_of_memory", 6, "heap", spark=CLUSTER),
)


def environment(folder: Path) -> dict[str, str]:
    """The runs' environment: nothing is written outside of the folder."""
    return {**os.environ, "PYTHONPATH": str(ROOT), "PYSPARK_PYTHON": sys.executable, "SPARK_HOME": str(Path(pyspark.__file__).parent),
            "SPARKKIT_LEDGER": str(folder / "ledger"), "SPARK_LOCAL_IP": "127.0.0.1"}


def options(failure: Failure, folder: Path) -> list[str]:
    """The options of the run of a failure; what it needs is made in the folder."""
    (folder / "in.txt").write_text("one\n")
    (folder / "c.json").write_text(json.dumps(CONTRACT))
    given = [] if any(o.startswith("--input") for o in failure.options) else [f"--input={folder}/in.txt"]
    words = [*given, f"--output={folder}/out", f"--record={folder}/record.json", f"--kind={failure.kind or failure.name}", *failure.options]
    return [word.replace("{tmp}", str(folder)) for word in words]


def provoke(failure: Failure, folder: Path) -> int | None:
    """Runs it in a process of its own; the exit code, None where this machine gives no small disk."""
    (folder / "small").mkdir()
    spark = [word.replace("{tmp}", str(folder)) for word in failure.spark]
    words = [sys.executable, "-m", "sparkkit", "submit", *spark, str(JOB), *options(failure, folder)]
    if failure.small_disk:
        own = ["unshare", "-rm", "sh", "-c", f'mount -t tmpfs -o size=8m none {folder}/small && exec "$@"', "sh"]
        if subprocess.run([*own, "true"], capture_output=True, check=False).returncode:
            return None
        words = [*own, *words]
    done = subprocess.run(words, cwd=folder, env=environment(folder), capture_output=True, text=True, check=False, timeout=450)
    (folder / "driver.log").write_text(done.stderr)
    return done.returncode


def why(folder: Path, *words: str) -> dict[str, Any]:
    """The answer of the command line to `why`."""
    command = [sys.executable, "-m", "sparkkit", "why", *(words or ("last",)), "--json"]
    done = subprocess.run(command, cwd=folder, env=environment(folder), capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def share(folder: Path) -> None:
    """Provokes all that may share a session, in this process; each has a folder of its name, with its record."""
    from sparkkit import session
    from sparkkit.command import command
    from sparkkit.submission.local import load_job

    os.environ.update(environment(folder))
    (folder / "events").mkdir()
    settings = {"spark.eventLog.enabled": "true", "spark.eventLog.dir": (folder / "events").as_uri(), "spark.task.maxFailures": "1"}
    spark = session.start(settings, app_name="shared", profile="test")
    job = load_job(str(JOB))
    for failure in FAILURES:
        if failure.shares:
            own = folder / failure.name
            own.mkdir()
            code = command(job, options(failure, own), spark=spark)
            (own / "code").write_text(str(code))
    session.stop(spark)


def main(names: list[str]) -> int:
    """Provokes all, or those that are named."""
    if names[:1] == ["--shared"]:
        share(Path(names[1]))
        return 0
    right, wrong, skipped = [], {}, []
    for failure in FAILURES:
        if names and failure.name not in names:
            continue
        folder = Path(tempfile.mkdtemp(prefix=f"why-{failure.name}-"))
        code = provoke(failure, folder)
        if code is None:
            skipped.append(failure.name)
            continue
        found = why(folder)
        named = found["causes"][0]["cause"] if found["causes"] else None
        good = named == failure.cause and code == failure.code
        seen = (found["causes"][0]["evidence"] or [""])[0] if found["causes"] else ""
        print(f"{'right' if good else 'WRONG'} {failure.name}: exit {code}, {named}: {seen[:160]}", flush=True)
        if good:
            right.append(failure.name)
        else:
            wrong[failure.name] = {"named": named, "expected": failure.cause, "exit": code, "expected_exit": failure.code}
        if not good or os.environ.get("KEEP"):
            print(f"  kept in {folder}")
        else:
            shutil.rmtree(folder, ignore_errors=True)
    print(json.dumps({"kinds": len(right) + len(wrong), "right": len(right), "wrong": wrong, "skipped": skipped}))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
