"""The states of a job's inputs in the journals of its outputs: read under the lock, and held against what the outputs are now."""
from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from sparkkit.errors import ContractError, UsageError
from sparkkit.staging import Files, Target
from sparkkit.storage.increments import State
from sparkkit.storage.log import Log
from sparkkit.storage.records import WHOLE, every_last, last_of

FULL = "read all again with --full (and --mode overwrite, where the output is added to)"


def refuse_place(place: Any, targets: Mapping[str, Target]) -> Files:
    """The place of a run that can have a state: one with a journal.

    Raises:
        UsageError: on Spark Connect, or on a store without journals (`no_state`).
    """
    if not isinstance(place, Files):
        raise UsageError("incremental inputs need the journal of an output, and there is none over Spark Connect", reason="no_state",
                         hint="run on a classic session")
    bare = next((t for t in targets.values() if t.journal in place.journals.bare), None)
    if bare:
        raise UsageError(f"incremental inputs need the journal of an output, and {bare.path} is on a store that has none",
                         reason="no_state", hint="write to HDFS, S3 or a local disk, or read all each time")
    if not place.journals.one_decision(t.journal for t in targets.values()):
        raise UsageError("the outputs are on several filesystems, each with a decision of its own, and a state is a part of one",
                         reason="no_state", hint="write all outputs of an incremental job to one filesystem")
    return place


@dataclass(frozen=True)
class Ledger:
    """The journals that a job's states are committed in: those of the outputs on the filesystem of the last one."""

    place: Files
    job: str
    targets: Mapping[str, Target]
    logs: Mapping[str, Log]

    @classmethod
    def of(cls, place: Files, job: str, targets: Mapping[str, Target]) -> Ledger:
        """The ledger of a run that holds the lock."""
        runs = place.journals.runs
        home = runs[[*targets.values()][-1].journal][0]
        logs = {n: Log(home.store, runs[t.journal][1]) for n, t in targets.items() if runs[t.journal][0] is home}
        return cls(place, job, targets, logs)

    @cached_property
    def standing(self) -> frozenset[str]:
        """The outputs that are there."""
        return frozenset(n for n in self.logs if self.place.there(self.targets[n]))

    def states(self, names: Sequence[str], style: str) -> dict[str, State]:
        """The states of these inputs that hold for the outputs as they are; none where nothing was read, or the outputs are gone.

        Raises:
            UsageError: the outputs or the inputs do not agree (`state_differs`), another run has overwritten an output
                (`overwritten`), or one has rows of this job that no state tells (`no_state`).
        """
        found = {name: state for name in names if (state := self._state(name))}
        if found and len(found) < len(names):
            lacks = min(set(names) - set(found))
            raise UsageError(f"input {lacks!r} is read incrementally now, and earlier runs left no state of it", reason="state_differs",
                             hint=FULL)
        if style == "append" and not found:
            for output in sorted(self.standing):
                self._refuse_untold(output)
        return found

    def _state(self, name: str) -> State | None:
        records = {n: last_of(log, "states", f"{self.job}/{name}") for n, log in self.logs.items()}
        kept = {n: r for n, r in records.items() if r and r.fields["there"]}
        if not kept or not self.standing:
            return None
        newest = max(r.generation for r in kept.values())
        wrong = sorted(n for n in self.logs if n not in self.standing or n not in kept or kept[n].generation != newest)
        if wrong:
            at = self.targets[wrong[0]].path
            raise UsageError(f"input {name!r}: what was read of it is in other outputs, and not in {wrong[0]!r} at {at}",
                             reason="state_differs", hint=FULL)
        state = State.decode(next(iter(kept.values())).data, f"the state of input {name!r}")
        for output, log in self.logs.items():
            self._refuse_overwritten(output, log, state)
        return state

    def wrote(self, label: str) -> str | None:
        """The run that has left a slice of this label in an output that is there; None where none has."""
        for name in sorted(self.standing):
            last = last_of(self.logs[name], "slices", f"{self.job}/{name}@{label}")
            if last and last.fields["logical_id"]:
                return last.run_id
        return None

    def _refuse_overwritten(self, output: str, log: Log, state: State) -> None:
        whole = last_of(log, "slices", WHOLE)
        if whole is None or whole.fields["logical_id"] in ("", None, state.logical_id) or whole.run_id == state.run_id:
            return  # a replay goes on under the logical id of the run whose rows it feeds back
        mine = last_of(log, "slices", f"{self.job}/{output}@{state.label}")
        if whole.fields.get("slot", 0) > (mine.fields.get("slot", 0) if mine else 0):
            raise UsageError(f"output {output!r} was overwritten by run {whole.run_id}, and what was read before is not in it any more",
                             reason="overwritten", hint=FULL)

    def _refuse_untold(self, output: str) -> None:
        log = self.logs[output]
        slices = [r for r in every_last(log, "slices") if r.fields["logical_id"]]
        found = next((r for r in slices if r.name.startswith(f"{self.job}/{output}@") or
                      (r.name == WHOLE and r.run_id.startswith(f"{self.job}-"))), None)
        if found:
            raise UsageError(f"output {output!r} at {self.targets[output].path} has the rows of run {found.run_id}, which left no state of"
                             " what it read: a first run would add them again", reason="no_state", hint=FULL)


def lost_slice(label: str, run_id: str) -> ContractError:
    """The error of a slice whose rows would be replaced by fewer, since nobody knows any more what it read."""
    return ContractError(f"what run {run_id} read for {label} isn't known any more, and a re-run would replace its rows by others",
                         reason="slice_unknown", hint=f"give another --date, or {FULL}")
