"""A machine that does not play along: a full disk, a target that can't be written, inputs missing or empty, a clock set back.

For each the exit code and one clear sentence, and what was there before is there after. The disk is a tmpfs of one megabyte.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from sparkkit.job import Job
from sparkkit.testing import Outcome, RunJob

pytestmark = pytest.mark.e2e
ROOT = Path(__file__).resolve().parents[2]


def big(rows: DataFrame) -> DataFrame:
    return rows.select(F.explode(F.sequence(F.lit(1), F.lit(300_000))).alias("n")).select(F.sha2(F.col("n").cast("string"), 256).alias("v"))


def same(rows: DataFrame) -> DataFrame:
    return rows


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of one megabyte that holds a good output of one row."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)], capture_output=True, check=False).returncode:
        pytest.skip("a tmpfs can't be mounted here: it takes root")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.fixture
def old(spark: SparkSession, disk: Path) -> Path:
    """The good output."""
    spark.range(1).select(F.lit("old").alias("v")).write.parquet(str(disk / "out"))
    return disk / "out"


def state(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def one_sentence(done: Outcome) -> bool:
    return bool(done.message) and "\n" not in done.message and "\tat " not in done.message and len(done.message) < 500


@pytest.mark.parametrize("mode", ["overwrite", "append"])
@pytest.mark.parametrize("kind", ["parquet", "csv"])
def test_a_full_disk_loses_nothing(
    mode: str, kind: str, disk: Path, old: Path, tmp_path: Path, run_job: RunJob, spark: SparkSession
) -> None:
    (tmp_path / "a.txt").write_text("x\n")
    shutil.rmtree(old)
    spark.range(1).select(F.lit("old").alias("v")).write.option("header", "true").format(kind).save(str(old))
    before = state(old)
    done = run_job(Job(big, name="big"), {"rows": tmp_path / "a.txt"}, [f"--output={old}", f"--mode={mode}", f"--output-format={kind}"])
    assert (done.exit_code, done.record["reason"], one_sentence(done)) == (6, "disk_full", True), done.message
    assert (state(old), list(disk.glob(".out*/stage/*"))) == (before, [])


@pytest.mark.parametrize("room", [0, 4096, 3 * 4096, 6 * 4096])
def test_a_disk_without_room_for_the_journal_loses_nothing_and_the_next_run_goes_on(
    room: int, disk: Path, old: Path, tmp_path: Path, run_job: RunJob
) -> None:
    (tmp_path / "a.txt").write_text("x\n")
    before, argv = state(old), [f"--output={old}", "--mode=overwrite", "--set=run.event_log=false"]
    fill(disk / "filler", room)
    done = run_job(Job(same, name="same"), {"rows": tmp_path / "a.txt"}, argv)
    assert (done.exit_code, done.record["reason"], one_sentence(done)) == (6, "disk_full", True), done.message
    assert state(old) == before
    (disk / "filler").unlink()
    assert run_job(Job(same, name="same"), {"rows": tmp_path / "a.txt"}, argv).exit_code == 0
    assert state(old) != before


def test_a_record_on_a_full_disk_does_not_undo_the_run(disk: Path, tmp_path: Path, spark: SparkSession) -> None:
    (tmp_path / "a.txt").write_text("x\n")
    fill(disk / "filler")
    from sparkkit.command import command

    argv = [f"--input={tmp_path / 'a.txt'}", f"--output={tmp_path / 'out'}", f"--record={disk / 'r.json'}"]
    code = command(Job(same, name="same"), argv, spark=spark)
    assert (code, sorted(p.name for p in disk.iterdir()), bool(list((tmp_path / "out").glob("*.parquet")))) == (6, ["filler"], True)


def fill(file: Path, room: int = 0) -> None:
    """Fills a disk to its last byte, or to so many before it."""
    with open(file, "wb", buffering=0) as out, suppress(OSError):
        while True:
            out.write(b"x" * 4096)
    os.truncate(file, file.stat().st_size - room)


@pytest.mark.parametrize("mode", ["overwrite", "append"])
def test_a_target_that_can_not_be_written_is_refused(mode: str, disk: Path, old: Path, tmp_path: Path, run_job: RunJob) -> None:
    (tmp_path / "a.txt").write_text("x\n")
    before = state(disk)
    subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
    done = run_job(Job(same, name="same"), {"rows": tmp_path / "a.txt"}, [f"--output={old}", f"--mode={mode}"])
    assert (done.exit_code, done.record["reason"], one_sentence(done), state(disk)) == (2, "not_writable", True, before), done.message


@pytest.mark.parametrize(
    ("make", "code", "reason"),
    [
        (lambda f: None, 3, "input_missing"),
        (lambda f: f.mkdir(), 3, "no_files"),
        (lambda f: (f.mkdir(), (f / "_SUCCESS").touch()), 3, "no_files"),
        (lambda f: (f.mkdir(), (f / "a.txt").touch()), 4, "empty_result"),
    ],
    ids=["nothing there", "an empty folder", "only a marker", "a file of 0 bytes"],
)
def test_an_input_that_is_missing_or_empty_does_not_replace_what_is_there(
    make: object, code: int, reason: str, spark: SparkSession, tmp_path: Path, run_job: RunJob
) -> None:
    spark.range(1).select(F.lit("old").alias("value")).write.parquet(str(tmp_path / "out"))
    before = state(tmp_path / "out")
    make(tmp_path / "in")  # type: ignore[operator]
    done = run_job(Job(same, name="same"), {"rows": tmp_path / "in"}, [f"--output={tmp_path / 'out'}", "--mode=overwrite"])
    assert (done.exit_code, done.record["reason"], one_sentence(done)) == (code, reason, True), done.message
    assert state(tmp_path / "out") == before


CLOCK = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>
static long back(void) { const char *f = getenv("CLOCK_BACK"); return f && access(f, F_OK) == 0 ? 86400 : 0; }
int clock_gettime(clockid_t id, struct timespec *t) {
  static int (*real)(clockid_t, struct timespec *);
  if (!real) real = dlsym(RTLD_NEXT, "clock_gettime");
  int r = real(id, t);
  if (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE) t->tv_sec -= back();
  return r;
}
int gettimeofday(struct timeval *t, void *z) {
  struct timespec s; int r = clock_gettime(CLOCK_REALTIME, &s); t->tv_sec = s.tv_sec; t->tv_usec = s.tv_nsec / 1000; return r;
}
time_t time(time_t *t) { struct timespec s; clock_gettime(CLOCK_REALTIME, &s); if (t) *t = s.tv_sec; return s.tv_sec; }
"""
BACK = """
import os
import time
from pathlib import Path

from sparkkit import DataFrame, Job


def build(rows: DataFrame) -> DataFrame:
    before = time.time()
    Path(os.environ["CLOCK_BACK"]).touch()
    assert time.time() < before - 80_000
    return rows


JOB = Job(build)
"""


def test_a_clock_set_back_a_day_in_mid_run_and_before_the_next_loses_nothing(tmp_path: Path) -> None:
    compiler = shutil.which("cc")
    if not compiler:
        pytest.skip("no C compiler to make a clock that goes back")
    (tmp_path / "clock.c").write_text(CLOCK)
    library = tmp_path / "clock.so"
    subprocess.run([compiler, "-shared", "-fPIC", "-o", library, tmp_path / "clock.c", "-ldl"], check=True)
    for folder in ("jobs", "in"):
        (tmp_path / folder).mkdir()
    (tmp_path / "jobs" / "back.py").write_text(BACK)
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "LD_PRELOAD": str(library), "CLOCK_BACK": str(tmp_path / "went")}
    began = []
    for turn in range(2):  # the second begins a day before the first
        (tmp_path / "in" / "a.txt").write_text(f"{turn}\n")
        words = ["-m", "sparkkit", "run", "back", "--input=in", "--output=out", "--mode=append", f"--record={turn}.json"]
        words.append("--set=run.profile=test")
        (tmp_path / "jobs" / "back.py").write_text(BACK if turn == 0 else BACK.replace("< before - 80_000", "<= before + 60"))
        options = {"cwd": tmp_path, "env": environment, "capture_output": True, "text": True, "timeout": 450}
        done = subprocess.run([sys.executable, *words], **options, check=False)  # type: ignore[call-overload]
        assert done.returncode == 0, done.stderr
        record = json.loads((tmp_path / f"{turn}.json").read_text())
        assert all(s is None or s >= 0 for s in record["seconds"].values()), record["seconds"]
        began.append(record["started"])
    import pyarrow.parquet as parquet

    assert began[1] < began[0]
    assert sorted(parquet.read_table(tmp_path / "out").column("value").to_pylist()) == ["0", "1"]
