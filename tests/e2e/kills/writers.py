"""`scripts/faults.sh writers`: two processes run the job at the same outputs at once, round after round, with the same date or another.

A run that ends with 5 (locked) is run again until it is done. What is there must then be what one run after the other leaves, in
either order: nothing lost, nothing twice.
"""

from __future__ import annotations

import argparse
import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.e2e.kills.processes import DONE, PAUSE, Reader, Tally, Worker, heed_term, settled, worker
from tests.e2e.kills.world import Case, write_inputs

CASES = (Case("parquet", "append"), Case("delta", "append"), Case("delta", "merge"))
FRESH = 6
"""After so many rounds another folder is taken, for the tables not to grow."""

BEAT, MISSED = 0.5, 20
MOST = 100
"""So often a run may find the lock taken."""


@dataclass
class Pair:
    """Two workers at one folder; `done` are the inputs that are in it, in their order."""

    case: Case
    folder: Path
    workers: tuple[Worker, Worker]
    tally: Tally
    done: tuple[str, ...] = ()
    ends: Counter[int] = field(default_factory=Counter)

    def round(self, names: tuple[str, str], where: str) -> None:
        """Both run at once, each its input, and again while it is locked."""
        write_inputs(self.folder, self.case, names)
        orders = [(*self.done, *names), (*self.done, *reversed(names))]
        reader = Reader(self.folder, self.case, self._versions(names), self.tally, ordered=False)
        left = {0: MOST, 1: MOST}
        codes = [0, 0]
        for i, one in enumerate(self.workers):
            one.begin(self.case.arguments(self.folder, names[i]))
        while left:
            for i in [*left]:
                code = self.workers[i].ended(PAUSE)
                if code is None:
                    continue
                self.ends[code] += 1
                codes[i] = code
                left[i] -= 1
                if code == 5 and left[i]:
                    self.workers[i].begin(self.case.arguments(self.folder, names[i]))
                else:
                    del left[i]
            reader.look()
        bad = self.tally.bad()
        right, ends = [self.case.expected(*order) for order in orders], [(code, DONE) for code in codes]
        best = settled(self.folder, self.case, right, ends, self.tally, where)
        self.done = orders[best]
        if self.tally.bad() > bad:
            print(f"  {where}: {names} after {self.done[:-2]}", file=sys.stderr)

    def _versions(self, names: tuple[str, str]) -> Sequence[dict[str, Counter[str]]]:
        """What a reader may see: the state before, one of the two, both."""
        one, other = names
        ways = [(), (one,), (other,), (one, other), (other, one)]
        return [self.case.expected(*self.done, *way) if self.done or way else NOTHING for way in ways]


NOTHING: dict[str, Counter[str]] = {name: Counter() for name in ("rows", "totals", "rows.quarantine")}


def names_of(number: int, same: bool) -> tuple[str, str]:
    """The inputs of a round within its folder: two of one day, or of two days."""
    return (f"{2 * number + 1}", f"{2 * number + 1}b") if same else (f"{2 * number + 1}", f"{2 * number + 2}")


def main(argv: Sequence[str] | None = None) -> int:
    """Rounds by a seed; 1 where anything was lost or twice, or a run ended with another code than 0 or 5."""
    parser = argparse.ArgumentParser(prog="scripts/faults.sh writers")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=50)
    parser.add_argument("--only", default="", help="such as 'delta merge'")
    asked = parser.parse_args(argv)
    heed_term()
    tally, began, rng, ends = Tally(), time.monotonic(), random.Random(asked.seed), Counter[int]()
    base = Path(tempfile.mkdtemp(prefix="writers-"))
    cases = [c for c in CASES if c.name == asked.only] or [c for c in CASES if asked.only in c.name]
    with worker(BEAT, MISSED) as one, worker(BEAT, MISSED) as other:
        pairs = [Pair(case, base / f"{case.name.replace(' ', '-')}.0", (one, other), tally, ends=ends) for case in cases]
        for n in range(asked.rounds):
            pair, number = pairs[n % len(pairs)], n // len(pairs)
            if number % FRESH == 0:
                pair.folder, pair.done = pair.folder.with_suffix(f".{number}"), ()
                pair.folder.mkdir()
            names = names_of(number % FRESH, same=rng.random() < 0.5)
            pair.round(names if rng.random() < 0.5 else (names[1], names[0]), f"round {n}")
            tally.faults += 1
            tally.points[f"{pair.case.name} {names[1][-1:] == 'b'}"] += 1
    print(f"{asked.rounds} rounds, exit codes {dict(ends)}", file=sys.stderr)
    if not tally.bad():
        shutil.rmtree(base)
    return tally.close(asked.seed, began)


if __name__ == "__main__":
    sys.exit(main())
