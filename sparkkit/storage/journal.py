"""Publishing as a state machine over the storage seam: decided in one step, put in place by steps that whoever comes next can make again.

`docs/decisions/005-publishing-protocol.md` has the diagram, why it holds, and what readers of a bare path may see.
"""
from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from sparkkit.errors import InfrastructureError, LockedError, UsageError
from sparkkit.storage.lock import Heart, Patience, fate, take
from sparkkit.storage.log import Entry, Log, Part
from sparkkit.storage.resolve import LOOKS, MARKER, workspace, workspaces
from sparkkit.storage.seam import Store, above, data, guarded, walk
from sparkkit.storage.steps import carried, last_of, put_files, put_whole, remember, replaced

CommitTable = Callable[[Part, str], None]
"""Commits the staged files in a folder to a table; does nothing where the table has the generation of the part's slice."""


@dataclass(frozen=True)
class Staged:
    """What a run staged for one output: a folder in its workspace, and how the output takes it."""

    target: str
    folder: str
    mode: str
    table: bool = False


@dataclass(frozen=True)
class Held:
    """An output's log, the number of the run's `open` in it, what was so then, and the record of its slice's last generation."""

    log: Log
    slot: int
    entry: Entry
    before: Mapping[str, Any] = field(default_factory=dict)

    @property
    def work(self) -> str:
        """The run's folder in the journal: what it stages (`new`) and what it replaces (`old`). Its name has the token."""
        return f"{self.log.folder}/work/{self.entry.run_id}.{self.slot}"


def _overtaken(run_id: str) -> LockedError:
    return LockedError(f"run {run_id} was silent for too long, and another took over: it published nothing", reason="lock_lost",
                       hint="see what the other run did; then run again")


def _no_tables(part: Part, _folder: str) -> None:
    raise UsageError(f"{part.target} is a table, and nothing here can commit to it", reason="wrong_use")


@dataclass
class Run:
    """One attempt that has the lock on its outputs, given with what a re-run of it replaces in each (`job/date`, say)."""

    store: Store
    run_id: str
    slices: Mapping[str, str]
    commit_table: CommitTable = _no_tables
    held: dict[str, Held] = field(default_factory=dict)
    decided: bool = False

    @property
    def home(self) -> Held:
        """The log that decides for all outputs."""
        return next(iter(self.held.values()))

    @guarded
    def lock(self, patience: Patience) -> None:
        """Takes the lock on each output, in the order of their paths."""
        for target in sorted(self.slices):
            log = Log(self.store, target)
            home = self.home.entry.home if self.held else None
            self.held[target] = Held(log, *take(log, self.run_id, home, patience))

    def lost(self) -> bool:
        """Whether another run took over before this one had decided anything; False where the storage does not tell."""
        with suppress(OSError):
            return bool(self.held) and not self.decided and fate(self.home.log, self.home.slot)[0] == "abort"
        return False

    @guarded
    def recover(self) -> None:
        """Puts in place what others had decided, and throws away what they had not."""
        for target, held in self.held.items():
            if held.entry.pending:
                self._settle(held, held.entry.pending)
            entry = held.entry.settled()
            self.held[target] = replace(held, entry=entry, before=last_of(held.log, self.slices[target]))
            self.store.make_folder(held.work)
            for run_id, token, path in workspaces(held.log):
                if token < held.slot and run_id not in entry.runs:
                    self._throw_away(path)
            if entry.first > 1:
                held.log.prune(entry.first)

    def workspace(self, target: str) -> str:
        """The folder to stage an output in."""
        return self.held[target].work

    @guarded
    def already_done(self, logical_id: str) -> bool:
        """Whether the last generation of every slice has this logical id, and nobody has deleted what it wrote into."""
        return all(
            held.before.get("logical_id") == logical_id and (held.before["how"] == "table" or bool(self.store.list(target)))
            for target, held in self.held.items()
        )

    @guarded
    def publish(self, logical_id: str, staged: Sequence[Staged]) -> tuple[Part, ...]:
        """Publishes every output, in the order given; what was published.

        Raises:
            LockedError: another run took over: nothing was published.
            InfrastructureError: the storage failed. Whether it was decided is then in the journal, and the next run acts on it.
        """
        if {one.target for one in staged} != set(self.held):
            raise UsageError(f"run {self.run_id} has {sorted(self.held)}, and staged {sorted(s.target for s in staged)}",
                             reason="wrong_outputs")
        parts = tuple(self._prepare(one, logical_id) for one in staged)
        home = self.home
        own = next(p for p in parts if self.held[p.target] is home)
        decision = replace(home.entry, kind="commit", parts=parts, pending=own)
        if not home.log.append(home.slot + 1, decision) or not (
            home.log.stands(home.slot + 1) or last_of(home.log, own.slice).get("run_id") == self.run_id
        ):
            raise _overtaken(self.run_id)
        self.decided = True
        self._finish(parts)
        return parts

    def close(self) -> None:
        """Ends a run that has published nothing; does nothing after a publication, or where another took over.

        Where the storage fails the lock is left to expire.
        """
        with suppress(OSError):
            if self.held and not self.decided and self.home.log.append(self.home.slot + 1, replace(self.home.entry, kind="abort")):
                for held in self.held.values():
                    self._throw_away(held.work)

    def _throw_away(self, folder: str) -> None:
        with suppress(OSError):  # what is left, by one who still writes there, goes next time
            self.store.delete(folder)

    def _prepare(self, staged: Staged, logical_id: str) -> Part:
        held, target, store = self.held[staged.target], staged.target, self.store
        new, generation = f"{held.work}/new", held.before.get("generation", 0) + 1
        how: Literal["whole", "files", "table"] = "whole" if store.links or staged.mode == "overwrite" else "files"
        part = Part(target, held.slot, self.run_id, self.slices[target], logical_id, generation, staged.mode, how)
        if staged.table:
            store.persist(held.work)
            return replace(part, how="table", staged=staged.folder.removeprefix(held.work + "/"))
        if not store.renames:
            raise UsageError(f"{target} is on a store without rename, where plain files can't be published", reason="no_rename",
                             hint="write Delta there")
        if not store.rename(staged.folder, new):
            raise InfrastructureError(f"the staged files at {staged.folder} are gone", reason="staging_lost", hint="run again")
        fresh, there = walk(store, new), walk(store, target)
        adds, gone = data(fresh), replaced(staged.mode, data(fresh), data(there), held.before.get("files", ()))
        double = set(adds) & (set(there) if how == "files" else set(there) - gone)
        if double:
            raise UsageError(f"{target} has a file {min(double)} already", reason="file_exists",
                             hint="give staged files names of their own")
        if how == "files":
            for folder in sorted({above(f"{held.work}/old/{file}") for file in gone}):
                store.make_folder(folder)
        else:
            for file in carried(there, gone, fresh) if staged.mode != "overwrite" else ():
                store.link(f"{target}/{file}", f"{new}/{file}")
            store.put_if_absent(f"{new}/{MARKER}", self.run_id.encode())
        store.persist(held.work)
        return replace(part, adds=adds, removes=tuple(sorted(gone)))

    def _finish(self, parts: tuple[Part, ...]) -> None:
        """Every step here may have been made before, or be made by another run at the same time. The home log is the last to be free."""
        for part in parts:
            self._settle(self.held[part.target], part)
        pending = {part.target: part for part in parts}
        for target, held in reversed(self.held.items()):
            done = replace(held.entry, kind="done", pending=pending[target]).settled()
            free = held.log.append(held.slot + (2 if held is self.home else 1), done)
            if free and pending[target].how == "table":
                self._throw_away(held.work)

    def _settle(self, held: Held, part: Part) -> None:
        work = held.work if part.run_id == self.run_id else self._claim(held, part.run_id)
        if part.how == "table":
            self.commit_table(part, f"{work}/{part.staged}")
        elif part.how == "whole":
            put_whole(self.store, work, part)
        else:
            put_files(self.store, work, part)
        remember(held.log, part)

    def _claim(self, held: Held, run_id: str) -> str:
        """The workspace of a committed run, renamed to this run's token: all paths of those who had it before lead nowhere then."""
        for _ in range(LOOKS):
            token, path = workspace(held.log, run_id) or (0, "")
            if token == held.slot or (path and not self.store.renames):
                return path  # without rename only tables are there, whose generation refuses who comes late
            if token > held.slot:
                raise _overtaken(self.run_id)
            if path:
                self.store.rename(path, f"{held.log.folder}/work/{run_id}.{held.slot}")
        raise InfrastructureError(f"what run {run_id} published is not in {held.log.folder}/work", reason="journal_damaged",
                                  hint="restore that folder, or move the whole journal away to go on with what the target holds")


@contextmanager
def running(
    store: Store, run_id: str, slices: Mapping[str, str], patience: Patience | None = None, commit_table: CommitTable = _no_tables,
) -> Iterator[Run]:
    """A run that has the lock on its outputs, with its heart beating, after what earlier runs left was settled; closed at the end.

    `slices` says by target what a re-run replaces.

    Raises:
        LockedError: another run is at work on an output; or it took over from this one, whatever went wrong in the block then.
        UsageError: a newer sparkkit wrote the journal.
    """
    patience = patience or Patience()
    run = Run(store, run_id, slices, commit_table)
    try:
        run.lock(patience)
        with Heart(run.home.log, run.home.slot, patience.interval):
            run.recover()
            yield run
    except Exception as error:
        if run.lost():
            raise _overtaken(run_id) from error
        raise
    finally:
        run.close()
