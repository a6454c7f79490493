"""The processes of a fault: attempts in processes of their own, a warm worker for the runs between, and a reader beside both."""

from __future__ import annotations

import json
import os
import select
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Container, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyspark

from tests.e2e.kills.look import Rows
from tests.e2e.kills.world import OUTPUTS, Case, wrong

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[2]
DONE = (0,)
PAUSE = 0.05
"""Seconds between the reads of a reader."""


@dataclass
class Tally:
    """What was found; all but the faults, the reads and the failed reads is to be 0."""

    faults: int = 0
    lost: int = 0
    twice: int = 0
    torn_reads: int = 0
    failed_reads: int = 0
    wrong_exit: int = 0
    reads: int = 0
    points: Counter[str] = field(default_factory=Counter)

    def bad(self) -> int:
        """How much is wrong."""
        return self.lost + self.twice + self.torn_reads + self.wrong_exit

    def close(self, seed: int, began: float) -> int:
        """Prints the last line; the exit code."""
        figures = vars(self) | {"points": len(self.points), "seed": seed, "seconds": round(time.monotonic() - began, 1)}
        print(json.dumps(figures), flush=True)
        return int(bool(self.bad()))


@dataclass
class Reader:
    """Reads the outputs over and over; each must be one of its versions, and where they come in this order none an older one than
    was seen before."""

    folder: Path
    case: Case
    versions: Sequence[dict[str, Rows]]
    tally: Tally
    ordered: bool = True
    newest: dict[str, int] = field(default_factory=dict)
    told: set[str] = field(default_factory=set)

    def look(self) -> None:
        """One read of each output."""
        for name in OUTPUTS:
            try:
                found = self.case.read(self.folder, name)
            except Exception:
                self.tally.failed_reads += 1
                continue
            self.tally.reads += 1
            at = max((i for i, version in enumerate(self.versions) if version[name] == found), default=-1)
            if at < (self.newest.get(name, 0) if self.ordered else 0):
                self.tally.torn_reads += 1
                if name not in self.told:
                    what = "an older version" if at >= 0 else f"{found.total()} rows, in no version"
                    print(f"TORN: {self.case.name}: {name} holds {what}", file=sys.stderr)
                self.told.add(name)
            self.newest[name] = max(at, self.newest.get(name, 0))


class Worker:
    """A process with a session that runs the job again and again."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process

    def begin(self, argv: Sequence[str]) -> None:
        """Starts a run."""
        assert self.process.stdin
        self.process.stdin.write(json.dumps(list(argv)) + "\n")
        self.process.stdin.flush()

    def ended(self, seconds: float) -> int | None:
        """The exit code of the run that goes on, if it ends in this time."""
        assert self.process.stdout
        if not select.select([self.process.stdout], [], [], seconds)[0]:
            return None
        return int(self.process.stdout.readline())

    def run(self, argv: Sequence[str], reader: Reader | None = None) -> int:
        """One run to its end, with a reader beside; its exit code."""
        self.begin(argv)
        while (code := self.ended(PAUSE if reader else 120)) is None:
            assert reader, "the worker does not answer"
            reader.look()
        return code


@contextmanager
def worker(*patience: float) -> Iterator[Worker]:
    """A worker; `patience` with other runs are seconds between looks, and how many."""
    command = [sys.executable, str(HERE / "worker.py"), *map(str, patience)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, bufsize=1,
                          cwd=ROOT, env=environment()) as process:
        assert process.stdin and process.stdout
        assert process.stdout.readline().strip() == "ready", "the worker did not start"
        yield Worker(process)
        process.stdin.close()


def environment(master: str = "") -> dict[str, str]:
    """That of every process here."""
    found = os.environ | {"PYTHONPATH": str(ROOT), "SPARK_LOCAL_IP": "127.0.0.1", "PYSPARK_PYTHON": sys.executable}
    return found | ({"SPARK_HOME": str(Path(pyspark.__file__).parent)} if master else {})


class Attempt:
    """A run in a process group of its own, with an order for an event (see `child.py`)."""

    def __init__(self, folder: Path, argv: Sequence[str], *, at: str = "", do: str = "kill", master: str = "",
                 beat: Sequence[float] | None = None) -> None:
        self.log, self.hit = folder / "events", folder / "hit"
        for file in (self.log, self.hit):
            file.unlink(missing_ok=True)
        order: dict[str, Any] = {"log": str(self.log), "at": at, "do": do, "master": master, "beat": beat}
        self.said = (folder / "attempt.log").open("w")
        command = [sys.executable, str(HERE / "child.py"), json.dumps(order), *argv]
        self.process = subprocess.Popen(command, cwd=ROOT, env=environment(master), start_new_session=True, stdout=self.said,
                                        stderr=subprocess.STDOUT)

    def wait(self, reader: Reader | None = None, seconds: float = 200) -> int:
        """The exit code, with a reader beside; -9 where it was killed."""
        until = time.monotonic() + seconds
        while self.process.poll() is None:
            assert time.monotonic() < until, "the attempt does not end"
            if reader:
                reader.look()
            time.sleep(PAUSE)
        return self.process.returncode

    def stopped(self, seconds: float = 120) -> bool:
        """Waits until it is stopped; False where it ended before."""
        until = time.monotonic() + seconds
        while time.monotonic() < until and self.process.poll() is None:
            if Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "T":
                return True
            time.sleep(PAUSE)
        return False

    def go_on(self) -> None:
        """Lets what was stopped go on, the JVM first."""
        for pid in (*self.others(), self.process.pid):
            with suppress(ProcessLookupError):
                os.killpg(os.getpgid(pid), signal.SIGCONT)

    def events(self) -> list[str]:
        """All that there were, where it came to its end."""
        return self.log.read_text().splitlines() if self.log.exists() else []

    def others(self) -> list[int]:
        """The processes that came from it, at the event."""
        return [int(pid) for pid in self.hit.read_text().split()] if self.hit.exists() else []

    def __enter__(self) -> Attempt:
        return self

    def __exit__(self, *_: object) -> None:
        """Ends what is left of it, and waits for the end of its JVM."""
        self.said.close()
        if self.process.poll() is None:
            for pid in (*self.others(), self.process.pid):
                with suppress(ProcessLookupError):
                    os.killpg(os.getpgid(pid), signal.SIGKILL)
            self.process.wait()
        until = time.monotonic() + 30
        while any(_alive(pid) for pid in self.others()) and time.monotonic() < until:
            time.sleep(PAUSE)


def heed_term() -> None:
    """A SIGTERM ends this process by way of every `with`: nothing that was started, or stopped, stays behind."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))


def _alive(pid: int) -> bool:
    with suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] not in "ZX"
    return False


def settled(
    folder: Path, case: Case, allowed: Sequence[dict[str, Rows]], codes: Sequence[tuple[int, Container[int]]], tally: Tally, where: str,
) -> int:
    """Compares what is there with what one clean run would have left (or one of some); which of them it is. `codes` are exit codes, each
    with those that are right. What is wrong is told, and the folder kept beside."""
    found = {name: case.read(folder, name) for name in OUTPUTS}
    differs = [wrong(expected, found) for expected in allowed]
    best = min(range(len(allowed)), key=lambda i: sum(differs[i]))
    lost, twice = differs[best]
    tally.lost, tally.twice = tally.lost + lost, tally.twice + twice
    odd = [code for code, right in codes if code not in right]
    tally.wrong_exit += len(odd)
    if lost or twice or odd:
        kept = Path(f"{folder}.{where.replace(' ', '_').replace('/', '_')}")
        shutil.copytree(folder, kept, symlinks=True, dirs_exist_ok=True)
        said = [json.loads(file.read_text()).get("message") for file in sorted(folder.glob("record.*.json"))]
        print(f"WRONG: {case.name}, {where}: lost {lost}, twice {twice}, wrong exits {odd} {said}: kept as {kept}", file=sys.stderr)
    return best
