"""`scripts/faults.sh zombie`: the owner of the lock is stopped (SIGSTOP) at an event, another takes over and publishes, the first
goes on (SIGCONT).

Stopped before its decision it must publish nothing and end with 5. Stopped after it, the other finishes its publication before its
own; the first then ends with 0, or with 5 where a table tells it that another replaced it. At the end the first is run again. What is
there must each time be what one run after the other leaves.
"""

from __future__ import annotations

import argparse
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.e2e.kills.processes import DONE, Attempt, Reader, Tally, Worker, heed_term, settled, worker
from tests.e2e.kills.world import Case, write_inputs

CASES = (Case("parquet", "append"), Case("delta", "append"), Case("parquet", "overwrite_partitions"), Case("delta", "merge"))
BEFORE = ("end of write#1", "step publish#1", "after store persist work#3")
"""Staged, and not yet decided."""

AFTER = {
    "parquet": ("before store exchange work#1", "after store exchange work#1", "before store put_if_absent slices#2"),
    "delta": ("before commit delta#1", "before Transaction.commit#1", "after Transaction.commit#1"),
}
"""Decided, and not in place, or not all of it."""

BEAT, MISSED = 0.2, 8
OTHERS = ("2b", "3")
"""What the other runs: another input of the same day, or another day."""


@dataclass
class Scene:
    """A case, its first day done, and the worker that is the other."""

    case: Case
    folder: Path
    other: Worker
    tally: Tally
    seed: int

    def fault(self, at: str, name: str) -> None:
        """One owner that is stopped, while the other runs the input of this name."""
        case, folder, tally = self.case, self.folder, self.tally
        shutil.rmtree(folder, ignore_errors=True)
        subprocess.run(["cp", "-a", folder.with_name("day1"), folder], check=True)
        decided, bad = at not in BEFORE, tally.bad()
        mine = ("1", "2", name) if decided else ("1", name)
        reader = Reader(folder, case, [case.expected(*mine[:n]) for n in range(1, len(mine) + 1)], tally)
        where, right = f"stopped at {at}, {name}", [case.expected(*mine)]
        with Attempt(folder, case.arguments(folder, "2"), at=at, do="stop", beat=(BEAT, MISSED)) as owner:
            stopped = owner.stopped()
            code = self.other.run(case.arguments(folder, name), reader)
            settled(folder, case, right, [(code, DONE)], tally, where)
            owner.go_on()
            code = owner.wait(reader)
        tally.faults += stopped
        tally.wrong_exit += not stopped
        tally.points[at] += stopped
        settled(folder, case, right, [(code, (0, 5) if decided else (5,))], tally, f"{where}, went on")
        whole = decided and name == "3"  # its own publication stands
        code = self.other.run(case.arguments(folder, "2"), reader if whole else None)
        settled(folder, case, [case.expected(*mine, *(() if whole else ("2",)))], [(code, DONE)], tally, f"{where}, again")
        if tally.bad() > bad:
            print(f"  again by: scripts/faults.sh zombie --only '{case.name}' --at '{at}' --other {name}", file=sys.stderr)

    def prepare(self) -> None:
        """The inputs, and the first day's run."""
        write_inputs(self.folder, self.case)
        code = self.other.run(self.case.arguments(self.folder, "1"))
        settled(self.folder, self.case, [self.case.expected("1")], [(code, DONE)], self.tally, "first day")
        self.folder.rename(self.folder.with_name("day1"))


def main(argv: Sequence[str] | None = None) -> int:
    """Zombies at each of the events; 1 where anything was wrong."""
    parser = argparse.ArgumentParser(prog="scripts/faults.sh zombie")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--kills", type=int, default=6, help="for each format and mode")
    parser.add_argument("--only", default="", help="such as 'parquet append'")
    parser.add_argument("--at", default="", help="one event")
    parser.add_argument("--other", default="", choices=["", *OTHERS], help="what the other runs")
    asked = parser.parse_args(argv)
    heed_term()
    tally, began = Tally(), time.monotonic()
    base = Path(tempfile.mkdtemp(prefix="zombies-"))
    with worker(BEAT, MISSED) as other:
        for case in [c for c in CASES if c.name == asked.only] or [c for c in CASES if asked.only in c.name]:
            rng = random.Random(f"{asked.seed} {case.name}")
            folder = base / case.name.replace(" ", "-") / "now"
            folder.parent.mkdir()
            scene = Scene(case, folder, other, tally, asked.seed)
            scene.prepare()
            points = [*BEFORE, *AFTER[case.kind]]
            for at in [asked.at] if asked.at else sorted(rng.sample(points, min(asked.kills, len(points)))):
                scene.fault(at, asked.other or rng.choice(OTHERS))
            print(f"{case.name}: {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)
    if not tally.bad():
        shutil.rmtree(base)
    return tally.close(asked.seed, began)


if __name__ == "__main__":
    sys.exit(main())
