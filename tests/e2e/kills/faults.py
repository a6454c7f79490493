"""`scripts/faults.sh kill` and `executor`: a driver's process group, or an executor, is killed at an event, the job is run again, and
what is there is counted.

The last line is one of JSON: `faults`, `lost` and `twice` (rows), `torn_reads` (that equal neither version), `failed_reads`,
`wrong_exit`, `seed`, `points` (kinds of events at which there was a fault).
"""

from __future__ import annotations

import argparse
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from tests.e2e.kills.processes import DONE, Attempt, Reader, Tally, Worker, heed_term, settled, worker
from tests.e2e.kills.world import CASES, Case, write_inputs

LOCAL_CLUSTER = "local-cluster[1,1,1024]"
WRITING = ("task file", "table file")
"""The events at which an executor is killed: it has begun to write a file."""

DEATHS = ("kill", "kill", "kill", "orphan", "jvm")
"""What dies, and how often: most often all that a driver is."""

ENDS = {"kill": (-9,), "orphan": (-9,), "jvm": (0, 6), "executor": range(7), "none": DONE}
"""How an attempt may end after that."""

COMMITTING = ("Transaction", "Kept", "commit", "table file", "log entry")
"""Words of the events from a commit to a table on."""


@dataclass
class Scene:
    """A case with its first day done, which is brought back before each fault to the same path: journals hold whole paths."""

    case: Case
    folder: Path
    worker: Worker
    tally: Tally
    seed: int
    verb: str = "kill"

    @property
    def saved(self) -> Path:
        """Where the first day is kept."""
        return self.folder.with_name("day1")

    def prepare(self) -> None:
        """The inputs, and the first day's run."""
        shutil.rmtree(self.saved, ignore_errors=True)
        shutil.rmtree(self.folder, ignore_errors=True)
        write_inputs(self.folder, self.case)
        code = self.worker.run(self.case.arguments(self.folder, "1"))
        settled(self.folder, self.case, [self.case.expected("1")], [(code, DONE)], self.tally, "first day")
        self.folder.rename(self.saved)

    def fault(self, at: str, do: str) -> tuple[bool, list[str]]:
        """One attempt on the second day, with a fault or without; then the same again, and a third day. Whether the fault took place,
        and the events where it did not."""
        case, folder, tally = self.case, self.folder, self.tally
        shutil.rmtree(folder, ignore_errors=True)
        subprocess.run(["cp", "-a", self.saved, folder], check=True)
        reader = Reader(folder, case, [case.expected("1"), case.expected("1", "2")], tally)
        bad, where = tally.bad(), f"{do} at {at}" if at else "no fault"
        master = LOCAL_CLUSTER if self.verb == "executor" else ""
        with Attempt(folder, case.arguments(folder, "2"), at=at, do=do, master=master) as attempt:
            code = attempt.wait(reader)
            hit = attempt.hit.exists()
            ends = (0, 1, 6) if do == "jvm" and "build" in at else ENDS[do]  # what a build raises is the job's own failure
            ends = ends if hit else DONE
            codes = [(code, ends), (self.worker.run(case.arguments(folder, "2"), reader), DONE)]
        tally.faults += hit
        settled(folder, case, [case.expected("1", "2")], codes, tally, where)
        if case.keyed and (not at or any(word in at for word in COMMITTING)):  # what such a table does not show must be right too
            code = self.worker.run(case.arguments(folder, "3"))
            settled(folder, case, [case.expected("1", "2", "3")], [(code, DONE)], tally, f"{where}, the day after")
        if tally.bad() > bad:
            print(f"  again by: scripts/faults.sh {self.verb} --only '{case.name}' --at '{at}' --do {do}", file=sys.stderr)
        return hit, attempt.events()


def chosen(seed: str, events: Sequence[str]) -> Iterator[str]:
    """Events in an order by chance: all kinds once, then all twice, and so on."""
    kinds = defaultdict[str, list[str]](list)
    for event in events:
        kinds[event.partition("#")[0]].append(event)
    for name, some in kinds.items():
        random.Random(f"{seed} {name}").shuffle(some)
    while kinds:
        for name in sorted(kinds, key=lambda name: random.Random(f"{seed} {name} {len(kinds[name])}").random()):
            yield kinds[name].pop()
            if not kinds[name]:
                del kinds[name]


def faults(scene: Scene, kills: int, skip: int = 0, only_at: str = "", only_do: str = "") -> None:
    """A control, and then the faults of one case."""
    began, before = time.monotonic(), scene.tally.faults
    scene.prepare()
    _, events = scene.fault("", "none")
    seed = f"{scene.seed} {scene.case.name}"
    wanted = [e for e in events if scene.verb == "kill" or e.partition("#")[0] in WRITING]
    for at in [only_at] if only_at else islice(chosen(seed, wanted), skip, None):
        if scene.tally.faults - before >= kills:
            break
        do = only_do or ("executor" if scene.verb == "executor" else random.Random(f"{seed} {at}").choice(DEATHS))
        hit, _ = scene.fault(at, do)
        scene.tally.points[at.partition("#")[0]] += hit
    seconds = time.monotonic() - began
    print(f"{scene.case.name}: {len(events)} events, {scene.tally.faults - before} faults, {seconds:.0f} s", file=sys.stderr, flush=True)


def main(argv: Sequence[str] | None = None) -> int:
    """Faults by a seed; 1 where anything was lost, twice or torn."""
    parser = argparse.ArgumentParser(prog="scripts/faults.sh kill|executor")
    parser.add_argument("verb", choices=["kill", "executor"])
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--kills", type=int, help="for each format and mode (22; 2 of an executor)")
    parser.add_argument("--skip", type=int, default=0, help="pass over so many events of the seed's, to go on where a run ended")
    parser.add_argument("--only", default="", help="such as 'parquet append'")
    parser.add_argument("--at", default="", help="one event, such as 'step publish#1'")
    parser.add_argument("--do", default="", choices=["", "kill", "orphan", "jvm", "executor"])
    asked = parser.parse_args(argv)
    heed_term()
    tally, began = Tally(), time.monotonic()
    kills = asked.kills or (2 if asked.verb == "executor" else 22)
    base = Path(tempfile.mkdtemp(prefix="faults-"))
    with worker() as warm:
        for case in [c for c in CASES if c.name == asked.only] or [c for c in CASES if asked.only in c.name]:
            if asked.verb == "executor" and case.kind not in ("parquet", "delta"):
                continue
            folder = base / case.name.replace(" ", "-") / "now"
            folder.parent.mkdir()
            faults(Scene(case, folder, warm, tally, asked.seed, asked.verb), kills, asked.skip, asked.at, asked.do)
    if not tally.bad():
        shutil.rmtree(base)
    return tally.close(asked.seed, began)


if __name__ == "__main__":
    sys.exit(main())
