"""Word counts of a large text by five means, which must be equal; ends with one JSON line of the seconds of each.

    python scripts/show_word_count.py [--megabytes 110] [--mrjob-megabytes 110] [--text FILE]
"""
from __future__ import annotations

import argparse
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

ROOT = Path(__file__).resolve().parents[1]
Counts = dict[str, int]


def module(path: str) -> ModuleType:
    """A Python file of the project that is no part of a package."""
    name = Path(path).stem
    spec = importlib.util.spec_from_file_location(name, ROOT / path)
    assert spec is not None and spec.loader is not None
    found = importlib.util.module_from_spec(spec)
    sys.modules[name] = found
    spec.loader.exec_module(found)
    return found


def unix(text: Path) -> Counts:
    """The counts of `tr -s '[:space:]' '\\n' | sort | uniq -c` in the C locale."""
    command = "tr -s '[:space:]' '\\n' < \"$1\" | sort | uniq -c"
    env = {**os.environ, "LC_ALL": "C"}
    shell = ["bash", "-o", "pipefail", "-c", command, "-", str(text)]
    out = subprocess.run(shell, env=env, capture_output=True, check=True).stdout
    pairs = (line.lstrip(b" ").partition(b" ") for line in out.split(b"\n") if line)
    return {word.decode(): int(count) for count, _, word in pairs if word}


def collected(counts: DataFrame) -> Counts:
    """The frame's two columns as a dict; a word that stands twice is an error."""
    rows = [tuple(row) for row in counts.collect()]
    found = dict(rows)
    assert len(found) == len(rows), "a word has two rows"
    return found


def native(spark: SparkSession, path: Path) -> Counts:
    """`text.word_count`."""
    from sparkkit.transforms import text

    return collected(text.word_count(spark.read.text(str(path))))


def bare(spark: SparkSession, path: Path) -> Counts:
    """What one would write in plain PySpark."""
    from pyspark.sql import functions as F

    words = spark.read.text(str(path)).select(F.explode(F.split("value", r"\s+")).alias("word"))
    return collected(words.where("word != ''").groupBy("word").count())


def mapped(spark: SparkSession, path: Path) -> Counts:
    """`map_reduce` with the functions of scripts/word_count_mrjob.py."""
    from sparkkit.transforms.mapreduce import map_reduce

    job = module("scripts/word_count_mrjob.py")
    words, total = job.words, job.total
    _by_value(job)
    return collected(map_reduce(spark.read.text(str(path)), lambda record: words(record.value), total, total))


def _by_value(job: ModuleType) -> None:
    # Workers can't import a file that is in no package: send its functions with the plan.
    importlib.import_module("pyspark.cloudpickle").register_pickle_by_value(job)


def timed(name: str, count: Callable[[], Counts], seconds: dict[str, float]) -> Counts:
    """Run it, note and print the seconds."""
    start = time.perf_counter()
    found = count()
    seconds[name] = round(time.perf_counter() - start, 2)
    print(f"{name:>13}  {seconds[name]:8.2f} s  {len(found):,} words, {sum(found.values()):,} in all", flush=True)
    return found


def show(path: Path, slice_: Path) -> dict[str, object]:
    """Count by each means and compare; the figures."""
    from sparkkit import session

    seconds: dict[str, float] = {}
    expected = timed("unix", lambda: unix(path), seconds)
    spark = session.start({"spark.master": "local[*]"}, app_name="show_word_count")
    equal = {"native": True, "bare": True}
    for turn in ("_first", "_second", ""):  # in turn, because the first is slow and the machine is shared
        equal["native"] &= timed(f"native{turn}", lambda: native(spark, path), seconds) == expected
        equal["bare"] &= timed(f"bare{turn}", lambda: bare(spark, path), seconds) == expected
    equal["map_reduce"] = timed("map_reduce", lambda: mapped(spark, path), seconds) == expected
    of_slice = expected if slice_ == path else unix(slice_)
    session.stop(spark)
    job = module("scripts/word_count_mrjob.py")
    equal["mrjob"] = timed("mrjob", lambda: job.inline(slice_), seconds) == of_slice
    sizes = {"bytes": path.stat().st_size, "mrjob_bytes": slice_.stat().st_size}
    words = {"words": len(expected), "tokens": sum(expected.values())}
    return {"item": 2, **sizes, **words, "equal": equal, "seconds": seconds}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--megabytes", type=float, default=110)
    parser.add_argument("--mrjob-megabytes", type=float, default=110)
    parser.add_argument("--text", type=Path)
    asked = parser.parse_args()
    make = module("benchmarks/word_count/make_text.py").make
    with tempfile.TemporaryDirectory() as folder:
        path = asked.text or Path(folder) / "text.txt"
        if asked.text is None:
            make(path, asked.megabytes)
        slice_ = path
        if asked.mrjob_megabytes < asked.megabytes:
            slice_ = Path(folder) / "slice.txt"
            make(slice_, asked.mrjob_megabytes)
        figures = show(path, slice_)
    print(json.dumps(figures))
    equal = figures["equal"]
    assert isinstance(equal, dict)
    return 0 if all(equal.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
