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
from sparkkit.storage.resolve import files
from sparkkit.storage.seam import Store, data, walk
from tests.storage.checker import RUNNING
from tests.storage.faults import Crash
from tests.storage.memory import MemoryStore

FAILED = ("exit 6: storage_failed", "exit 6: staging_lost", "staging failed")
"""How a run ends whose storage fails: whether it was published is then in the journal alone."""

AT_ONCE = Patience(missed=0)
"""Takes any lock over at once: the model's clocks run as badly as they can."""

Content = tuple[str, ...]


@dataclass(frozen=True)
class Writer:
    """One attempt: a run id, what it writes by target (file names, relative), and how."""

    run_id: str
    files: tuple[str, ...]
    targets: tuple[str, ...] = ("/d/t",)
    mode: str = "append"
    slice: str = "s"
    logical: str = ""
    table: bool = False

    def __call__(self, store: Store) -> Hashable:
        logical = self.logical or self.run_id
        try:
            with running(store, self.run_id, dict.fromkeys(self.targets, self.slice), AT_ONCE, commit_table(store)) as run:
                if run.already_done(logical):
                    return "already_done"
                for target in self.targets:
                    for file in self.files:
                        store.put_if_absent(f"{run.workspace(target)}/out/{file}", file.encode())
                staged = [Staged(t, f"{run.workspace(t)}/out", self.mode, self.table) for t in self.targets]
                return run.publish(logical, staged)[0].generation
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
            names = store.list(f"{part.target}/log")
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
        sure = {n for n, r in results.items() if isinstance(r, int)}
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
            if logical == self._logical(name) or results[name] not in (RUNNING, *FAILED, generation + 1):
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


def died_deciding(store: MemoryStore, writer: Writer) -> MemoryStore:
    """The store after a run on it that died right after its commit."""
    put = store.put_if_absent

    def die(path: str, data: bytes) -> bool:
        if put(path, data) and b'"commit"' in data:
            raise Crash
        return True

    store.put_if_absent = die  # type: ignore[method-assign]
    with suppress(Crash):
        writer(store)
    return store.copy()


LATER = Writer("later", ("later",), slice="later")


def look(later: Writer = LATER) -> Any:
    """The facts of a store; a run that comes later is made on it for them."""
    see = table_rows if later.table else read

    def facts(store: MemoryStore) -> Facts:
        seen = tuple(see(store, t) for t in later.targets)
        ended = later(store)
        return Facts(seen, ended, tuple(see(store, t) for t in later.targets), tuple(bare(store, t) for t in later.targets))

    return facts


def judge(writers: Mapping[str, Writer], before: Content, later: Writer = LATER, fine: tuple[str, ...] = ()) -> Any:
    """The invariants: nothing lost, nothing twice, what was refused is refused for good, and the next run goes on from there."""

    @cache
    def allowed(target: str, results: tuple[tuple[str, Hashable], ...]) -> set[Content]:
        return Oracle(writers, before, target).contents(dict(results))

    def wrong(facts: Facts, results: Mapping[str, Hashable]) -> Iterator[str]:
        odd = {r for r in results.values() if not (isinstance(r, int) or r in (RUNNING, "already_done", "lock_lost", *fine))}
        if odd or facts.ended != 1:
            yield f"runs ended with {odd}, the next one with {facts.ended}"
        for i, target in enumerate(later.targets):
            may = allowed(target, tuple(results.items()))
            if not later.table and facts.seen[i] not in may:
                yield f"a reader of {target} sees {facts.seen[i]}, not one of {sorted(may)}"
            then = {later.after(content, ()) for content in may}
            if facts.after[i] not in then or (not later.table and facts.bare[i] != facts.after[i]):
                yield f"the next run made {facts.after[i]} of {target} ({facts.bare[i]} at the bare path), not one of {sorted(then)}"

    return wrong


def table_rows(store: Store, target: str) -> Content:
    """The rows of the model's table."""
    names = store.list(f"{target}/log")
    found = store.read(f"{target}/log/{names[-1]}") if names else None
    return tuple(sorted(row for part in json.loads(found.data).values() for row in part["rows"])) if found else ()
