"""What lock, journal and ledger add to an empty job: the seconds of the clock spent in them, each run a process of its own.

    python benchmarks/journal/run.py [--rounds 5] [--to FILE]

The job reads a file without a row and publishes an empty Parquet output and its quarantine. Writes benchmarks/results/journal.json.
"""
from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sparkkit import DataFrame, Job
from sparkkit.command import command
from sparkkit.history.keeper import Keeper
from sparkkit.publishing import Journals

TIMED = ((Journals, "done_by"), (Journals, "publish"), (Keeper, "_begin"), (Keeper, "end"))
spent: dict[str, float] = defaultdict(float)


def timed(owner: Any, name: str) -> None:
    """Counts the seconds in a method."""
    inner: Callable[..., Any] = getattr(owner, name)

    def outer(*args: Any, **kwargs: Any) -> Any:
        began = time.monotonic()
        try:
            return inner(*args, **kwargs)
        finally:
            spent[f"{owner.__name__}.{name}"] += time.monotonic() - began

    setattr(owner, name, outer)


def time_lock() -> None:
    """Counts the seconds in which the lock is taken and given back, without those in which it is held."""
    inner = Journals.lock

    @contextmanager
    def outer(self: Journals, paths: Any) -> Iterator[None]:
        began = time.monotonic()
        with inner(self, paths):
            spent["Journals.lock"] += time.monotonic() - began
            yield
            began = time.monotonic()
        spent["Journals.lock"] += time.monotonic() - began

    Journals.lock = outer  # type: ignore[method-assign]


def build(rows: DataFrame) -> DataFrame:
    return rows


def one(folder: str) -> None:
    """One run, and what it spent."""
    for owner, name in TIMED:
        timed(owner, name)
    time_lock()
    began = time.monotonic()
    argv = [f"--input={folder}/in.txt", f"--output={folder}/out", "--mode=overwrite", "--allow-empty", f"--record={folder}/record.json"]
    code = command(Job(build, name="empty"), [*argv, f"--ledger={folder}/ledger", "--again"])
    assert code == 0, code
    print(json.dumps({**spent, "all": sum(spent.values()), "run": time.monotonic() - began}))


def main() -> None:
    """Runs the rounds, and writes the result; the first one, which finds no journal, is counted too."""
    options = argparse.ArgumentParser()
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument("--one", default="", help="a folder: one run in it")
    options.add_argument("--to", default=str(Path(__file__).parents[1] / "results" / "journal.json"), help="where the result goes")
    asked = options.parse_args()
    if asked.one:
        one(asked.one)
        return
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "in.txt").touch()
        words = [sys.executable, __file__, "--one", folder]
        runs = [json.loads(subprocess.run(words, check=True, capture_output=True, text=True).stdout.splitlines()[-1])
                for _ in range(asked.rounds)]
    medians = {name: round(statistics.median(run.get(name, 0.0) for run in runs), 3) for name in runs[-1]}
    result = {"seconds": medians, "all": [round(run["all"], 3) for run in runs], "rounds": asked.rounds,
              "python": platform.python_version(), "machine": platform.machine(), "cores": os.cpu_count()}
    Path(asked.to).write_text(json.dumps(result) + "\n")
    print(json.dumps(result))


if __name__ == "__main__":
    main()
