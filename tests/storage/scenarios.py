"""What the model check and the fault test run: writers, readers, and what a reader may see after which of them."""

from __future__ import annotations

import json
from collections.abc import Hashable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from itertools import permutations
from typing import Any

from sparkkit.errors import LockedError, SparkkitError
from sparkkit.storage.journal import Part, Staged, running
from sparkkit.storage.lock import Patience
from sparkkit.storage.log import Log
from sparkkit.storage.records import last_of
from sparkkit.storage.resolve import files
from sparkkit.storage.seam import Store, data, walk
from sparkkit.storage.versions import rollback
from tests.storage.checker import RUNNING
from tests.storage.faults import Crash, Faulty
from tests.storage.memory import MemoryStore

FAILED = ("exit 6: storage_failed", "exit 6: staging_lost", "staging failed")
"""How a run ends whose storage fails: whether it was published is then in the journal alone."""

PUBLISHED = "finished_by_another"
"""How a run ends that had decided, and was overtaken then."""

AT_ONCE = Patience(missed=0)
"""Takes any lock over at once: the model's clocks run as badly as they can."""

JOB = "job"
"""The name of the state."""

Content = tuple[str, ...]


@dataclass(frozen=True)
class Writer:
    """One attempt: a run id, what it writes by target (file names, relative), and how.

    One with `state` adds its run id to the state that is committed with the data. One with `to` goes back to that version, whose files
    are said too.
    """

    run_id: str
    files: tuple[str, ...]
    targets: tuple[str, ...] = ("/d/t",)
    mode: str = "append"
    slice: str = "s"
    logical: str = ""
    table: bool = False
    state: bool = False
    to: str = ""

    def __call__(self, store: Store) -> Hashable:
        logical = self.logical or self.run_id
        try:
            if self.to:
                return rollback(store, self.targets[0], self.to, self.run_id, AT_ONCE) and 1
            with running(store, self.run_id, dict.fromkeys(self.targets, self.slice), AT_ONCE, commit_table(store)) as run:
                if run.already_done(logical):
                    return "already_done"
                for target in self.targets:
                    for file in self.files:
                        store.put_if_absent(f"{run.workspace(target)}/out/{file}", file.encode())
                staged = [Staged(t, f"{run.workspace(t)}/out", self.mode, self.table) for t in self.targets]
                states = {JOB: (run.state(JOB) or b"") + self.run_id.encode() + b" "} if self.state else None
                return run.publish(logical, staged, states)[0].generation
        except LockedError as error:
            return error.reason
        except SparkkitError as error:
            return f"exit {error.exit_code}: {error.reason}"
        except OSError:
            return "staging failed"

    def after(self, content: Content, mine: Content) -> Content:
        """What a target holds after this publication, where `mine` is what its slice had written before."""
        if self.mode == "overwrite":
            return tuple(sorted(self.files))
        folders = {f.rpartition("/")[0] for f in self.files} if self.mode == "overwrite_partitions" else set()
        kept = [f for f in content if f not in mine and f.rpartition("/")[0] not in folders]
        return tuple(sorted({*kept, *self.files}))


def commit_table(store: Store) -> Any:
    """A table in one numbered log, whose commits are idempotent by application and version, as Delta's are."""

    def commit(part: Part, folder: str) -> None:
        while True:
            names = [name for name in store.list(f"{part.target}/log") if name.isdigit()]
            found = store.read(f"{part.target}/log/{names[-1]}") if names else None
            slices = json.loads(found.data) if found else {}
            if slices.get(part.slice, {"version": 0})["version"] >= part.generation:
                return
            slices[part.slice] = {"version": part.generation, "rows": list(store.list(folder))}
            if store.put_if_absent(f"{part.target}/log/{len(names):04}", json.dumps(slices).encode()):
                return

    return commit


def read(store: Store, target: str) -> Content | str:
    """One read through the journal: the rows, or that it failed."""
    try:
        paths = files(store, target)
    except SparkkitError:
        return "failed"
    found = [store.read(path) for path in paths]
    return tuple(sorted(f.data.decode() for f in found if f)) if all(found) else "failed"


def reader(*targets: str) -> Any:
    """A program that reads these targets, one after another."""
    return lambda store: tuple(read(store, target) for target in targets)


def bare(store: Store, target: str) -> Content:
    """What a reader of the bare path sees."""
    return tuple(sorted(data(walk(store, target))))


@dataclass(frozen=True)
class Oracle:
    """What may be seen, given how far each writer is: computed from the writers alone, never from the journal."""

    writers: Mapping[str, Writer]
    before: Content
    target: str = "/d/t"

    def contents(self, results: Mapping[str, Hashable]) -> set[Content]:
        """What a target may hold: the published ones are in, the refused ones out, those that died in between either."""
        sure = {n for n, r in results.items() if isinstance(r, int) or r == PUBLISHED}
        maybe = {n for n, r in results.items() if r in (RUNNING, *FAILED)}
        done_by = {self._logical(n) for n, r in results.items() if r == "already_done"}
        found = set()
        for size in range(len(sure), len(sure) + len(maybe) + 1):
            for order in permutations(sorted(sure | maybe), size):
                if sure <= set(order) and done_by <= {self._logical(n) for n in order}:
                    found |= self._of(order, results)
        return found

    def _logical(self, name: str) -> str:
        return self.writers[name].logical or name

    def _of(self, order: tuple[str, ...], results: Mapping[str, Hashable]) -> set[Content]:
        content, mine, last = self.before, {}, {}
        for name in order:
            writer = self.writers[name]
            if self.target not in writer.targets:
                continue
            generation, logical = last.get(writer.slice, (0, ""))
            held = set(mine.get(writer.slice, ())) <= set(content)  # else another has overwritten it, and the same is run again
            if (logical == self._logical(name) and held) or results[name] not in (RUNNING, *FAILED, PUBLISHED, generation + 1):
                return set()
            content, mine[writer.slice] = writer.after(content, mine.get(writer.slice, ())), writer.files
            last[writer.slice] = (generation + 1, self._logical(name))
        return {content}


@dataclass(frozen=True)
class Facts:
    """What is to be known of a store: what a reader sees, how the next run ends, what is seen then, and at the bare path."""

    seen: tuple[Content | str, ...]
    ended: Hashable
    after: tuple[Content | str, ...]
    bare: tuple[Content, ...]
    state: Content = ()


def died_deciding(store: MemoryStore, writer: Writer) -> MemoryStore:
    """The store after a run on it that died right after its commit."""
    at = 0
    while True:
        at += 1
        left = store.copy()
        with suppress(Crash):
            writer(Faulty(left, at, "crash after"))
        if any(data and b'"kind": "commit", "run_id": "%b"' % writer.run_id.encode() in data for data in left.state.values()):
            return left


LATER = Writer("later", ("later",), slice="later")


def look(later: Writer = LATER) -> Any:
    """The facts of a store; a run that comes later is made on it for them."""
    see = table_rows if later.table else read

    def facts(store: MemoryStore) -> Facts:
        seen = tuple(see(store, t) for t in later.targets)
        ended = later(store)
        after, state = tuple(see(store, t) for t in later.targets), last_of(Log(store, later.targets[-1]), "states", JOB)
        return Facts(seen, ended, after, tuple(bare(store, t) for t in later.targets), tuple(state.data.decode().split()) if state else ())

    return facts


def judge(writers: Mapping[str, Writer], before: Content, later: Writer = LATER, fine: tuple[str, ...] = (),
          done: tuple[Writer, ...] = ()) -> Any:
    """The invariants: nothing lost, nothing twice, what was refused is refused for good, and the next run goes on from there."""

    @cache
    def allowed(target: str, results: tuple[tuple[str, Hashable], ...]) -> set[Content]:
        return Oracle(writers, before, target).contents(dict(results))

    def wrong(facts: Facts, results: Mapping[str, Hashable]) -> Iterator[str]:
        odd = {r for r in results.values() if not (isinstance(r, int) or r in (RUNNING, "already_done", "lock_lost", PUBLISHED, *fine))}
        if odd or facts.ended != 1:
            yield f"runs ended with {odd}, the next one with {facts.ended}"
        for i, target in enumerate(later.targets):
            may = allowed(target, tuple(results.items()))
            if not later.table and facts.seen[i] not in may:
                yield f"a reader of {target} sees {facts.seen[i]}, not one of {sorted(may)}"
            then = {later.after(content, ()) for content in may}
            if facts.after[i] not in then or (not later.table and facts.bare[i] != facts.after[i]):
                yield f"the next run made {facts.after[i]} of {target} ({facts.bare[i]} at the bare path), not one of {sorted(then)}"
        there = [w.run_id for w in (*writers.values(), *done, later) if w.state and set(w.files) <= set(facts.after[-1])]
        if sorted(facts.state) != sorted(there):
            yield f"the state tells of {facts.state}, the data are those of {there}"

    return wrong


def table_rows(store: Store, target: str) -> Content:
    """The rows of the model's table."""
    names = [name for name in store.list(f"{target}/log") if name.isdigit()]
    found = store.read(f"{target}/log/{names[-1]}") if names else None
    return tuple(sorted(row for part in json.loads(found.data).values() for row in part["rows"])) if found else ()
