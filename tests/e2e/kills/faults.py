"""`scripts/faults.sh kill`: a driver's process group is killed at an event, the job is run again, and what is there is counted.

The last line is one of JSON: `faults`, `lost` and `twice` (rows), `torn_reads` (that equal neither version), `failed_reads`,
`wrong_exit`, `seed`.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.e2e.kills.world import Case, Rows, read, write_inputs

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[2]
BY_DAY = ("--set=outputs.rows.partition_by=[\"day\"]", "--set=outputs.totals.partition_by=[\"day\"]")
CASES = (
    Case("parquet", "append"), Case("parquet", "overwrite"), Case("parquet", "overwrite_partitions", BY_DAY),
    Case("delta", "append"), Case("delta", "overwrite"), Case("delta", "overwrite_partitions", BY_DAY),
    Case("json", "append"), Case("csv", "append"), Case("orc", "append"),
)


@dataclass
class Tally:
    """What was found; all but the faults and the failed reads is to be 0."""

    faults: int = 0
    lost: int = 0
    twice: int = 0
    torn_reads: int = 0
    failed_reads: int = 0
    wrong_exit: int = 0
    points: Counter[str] = field(default_factory=Counter)

    def wrong(self) -> bool:
        """Whether anything was."""
        return bool(self.lost or self.twice or self.torn_reads or self.wrong_exit)


def arguments(folder: Path, case: Case, day: int) -> list[str]:
    """The command line of one day's run."""
    return [f"--input={folder}/in/{day}", f"--output={folder}/out", f"--output-format={case.kind}", f"--mode={case.mode}",
            f"--date=2026-01-0{day}", "--set=inputs.source.format=json", f"--set=inputs.source.contract={folder}/nightly.yaml",
            f"--record={folder}/record.json", "--set=run.event_log=false", "--set=run.profile=test", *case.settings]


@contextmanager
def worker() -> Iterator[subprocess.Popen[str]]:
    """A process with a session that runs the job, again and again."""
    command = [sys.executable, str(HERE / "worker.py")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
                          cwd=ROOT, env=environment()) as process:
        assert process.stdin and process.stdout
        assert process.stdout.readline().strip() == "ready", "the worker did not start"
        yield process
        process.stdin.close()


def environment() -> dict[str, str]:
    """That of every process here."""
    return os.environ | {"PYTHONPATH": str(ROOT), "SPARK_LOCAL_IP": "127.0.0.1", "PYSPARK_PYTHON": sys.executable}


def again(process: subprocess.Popen[str], argv: Sequence[str]) -> int:
    """One run to its end; its exit code."""
    assert process.stdin and process.stdout
    process.stdin.write(json.dumps(list(argv)) + "\n")
    process.stdin.flush()
    return int(process.stdout.readline())


def attempt(folder: Path, case: Case, day: int, at: int) -> tuple[int, list[str]]:
    """One run that is killed at an event, in a process group of its own: its exit code, and its events where it came to its end."""
    log = folder / "events"
    log.unlink(missing_ok=True)
    command = [sys.executable, str(HERE / "child.py"), str(log), str(at), *arguments(folder, case, day)]
    done = subprocess.run(command, cwd=ROOT, env=environment(), start_new_session=True, capture_output=True, check=False, timeout=300)
    return done.returncode, log.read_text().splitlines() if log.exists() else []


def looked(folder: Path, case: Case, versions: Sequence[dict[str, Rows]], tally: Tally) -> None:
    """A read between the kill and the next run: each output is one of its versions."""
    try:
        found = read(folder, case.kind)
    except Exception:
        tally.failed_reads += 1
        return
    for name, rows in found.items():
        if rows not in [version[name] for version in versions]:
            tally.torn_reads += 1
            print(f"torn: {case.name}: {name} in {folder}", file=sys.stderr)


def settle(folder: Path, case: Case, expected: dict[str, Rows], code: int, tally: Tally, where: str) -> None:
    """Compares what is there with what one clean run would have left."""
    found = read(folder, case.kind)
    lost = sum(sum((expected[name] - found[name]).values()) for name in expected)
    twice = sum(sum((found[name] - expected[name]).values()) for name in expected)
    tally.lost, tally.twice, tally.wrong_exit = tally.lost + lost, tally.twice + twice, tally.wrong_exit + (code != 0)
    if lost or twice or code:
        print(f"WRONG: {case.name}, {where}: lost {lost}, twice {twice}, exit {code}: {folder}", file=sys.stderr)


def one(process: subprocess.Popen[str], base: Path, case: Case, at: int, name: str, tally: Tally) -> list[str]:
    """One fault: the day before is there, the day is cut off at an event (0: a control), and run again."""
    folder = Path(tempfile.mkdtemp(dir=base))
    write_inputs(folder)
    first = again(process, arguments(folder, case, 1))
    tally.wrong_exit += first != 0
    code, events = attempt(folder, case, 2, at)
    killed = code == -signal.SIGKILL
    tally.wrong_exit += not killed and code != 0
    before, after = case.expected((1,)), case.expected((1, 2))
    if at:
        tally.faults += killed
        tally.points[name if killed else "came too late"] += 1
        looked(folder, case, (before, after), tally)
    wrong = tally.wrong()
    settle(folder, case, after, again(process, arguments(folder, case, 2)), tally, f"killed at {at} ({name})")
    if wrong or not tally.wrong():
        shutil.rmtree(folder)
    return events


def main(argv: Sequence[str] | None = None) -> int:
    """Kills by a seed; 1 where anything was lost, twice or torn."""
    parser = argparse.ArgumentParser(prog="scripts/faults.sh kill")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--kills", type=int, default=24, help="for each format and mode")
    parser.add_argument("--only", default="", help="such as 'parquet append'")
    asked = parser.parse_args(argv)
    rng, tally, began = random.Random(asked.seed), Tally(), time.monotonic()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as base, worker() as process:
        for case in (c for c in CASES if asked.only in c.name):
            events = one(process, Path(base), case, 0, "no fault", tally)
            print(f"{case.name}: {len(events)} events", file=sys.stderr)
            for at in sorted(rng.sample(range(1, len(events) + 1), min(asked.kills, len(events)))):
                one(process, Path(base), case, at, events[at - 1], tally)
    figures = {k: v for k, v in vars(tally).items() if k != "points"}
    print(json.dumps(figures | {"points": len(tally.points), "seed": asked.seed, "seconds": round(time.monotonic() - began, 1)}))
    return int(tally.wrong())


if __name__ == "__main__":
    sys.exit(main())
