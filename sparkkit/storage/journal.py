"""Publishing as a state machine over the storage seam: decided in one step, put in place by steps that whoever comes next can make again.

`docs/decisions/007-publishing-protocol.md` has the diagram, why it holds, and what readers of a bare path may see.
"""
from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field, replace
from typing import Literal

from sparkkit.errors import InfrastructureError, LockedError, SparkkitError, UsageError
from sparkkit.storage.lock import Heart, Patience, fate, take
from sparkkit.storage.log import LOOKS, Entry, Log, Part
from sparkkit.storage.records import WHOLE, Record, last_of, put_small, remember
from sparkkit.storage.resolve import MARKER, workspace, workspaces
from sparkkit.storage.seam import Store, above, data, guarded, is_there, walk
from sparkkit.storage.steps import carried, copy_files, put_files, put_whole, replaced

CommitTable = Callable[[Part, str], None]
"""Commits the staged files in a folder to a table; does nothing where the table has the generation of the part's slice."""


@dataclass(frozen=True)
class Staged:
    """What a run staged for one output: a folder in its workspace, and how the output takes it.

    `generation` is what a table itself knows of the slice's last one (Delta's `txnVersion`), which outlives a journal that is moved
    away: no later number may be one that it has.
    """

    target: str
    folder: str
    mode: str
    table: bool = False
    generation: int = 0


@dataclass(frozen=True)
class Held:
    """An output's log, the number of the run's `open` in it, and what was so then."""

    log: Log
    slot: int
    entry: Entry

    @property
    def stage(self) -> str:
        """The run's folder for staging, in which tasks that outlive it may still write: nothing that is published is there."""
        return f"{self.log.folder}/stage/{self.entry.run_id}.{self.slot}"

    @property
    def work(self) -> str:
        """The run's folder for what it publishes (`new`), what that replaces (`old`), and small objects. Its name has the token."""
        return f"{self.log.folder}/work/{self.entry.run_id}.{self.slot}"


def _overtaken(run_id: str) -> LockedError:
    return LockedError(f"run {run_id} was silent for too long, and another took over: it published nothing", reason="lock_lost",
                       hint="see what the other run did; then run again")


def _relieved(run_id: str) -> LockedError:
    return LockedError(f"run {run_id} was silent for too long after its decision, and another took over: it finishes what was published",
                       reason="finished_by_another", hint="see what the other run did")


def _no_tables(part: Part, _folder: str) -> None:
    raise UsageError(f"{part.target} is a table, and nothing here can commit to it", reason="wrong_use")


@dataclass
class Run:
    """One attempt that has the lock on its outputs. `slices` says by output what a re-run replaces (`job/date`, say): to be known
    when it asks or publishes. `WHOLE` is for what replaces all that there is, whoever wrote it.
    """

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
    def lock(self, patience: Patience, begun: Callable[[Held], object] = lambda _: None) -> None:
        """Takes the lock on each output, in the order of their paths; `begun` is called when it has the first."""
        for target in sorted(self.slices):
            log = Log(self.store, target)
            home = self.home.entry.home if self.held else None
            self.held[target] = Held(log, *take(log, self.run_id, home, patience))
            if home is None:
                begun(self.home)

    def lost(self) -> bool:
        """Whether another run took over before this one had decided anything; False where the storage does not tell."""
        with suppress(OSError, SparkkitError):
            return bool(self.held) and not self.decided and fate(self.store, self.home.entry)[0] == "abort"
        return False

    def relieved(self) -> bool:
        """Whether another run took over after this one had decided, and finishes what it published; False where the storage does not
        tell."""
        with suppress(OSError, SparkkitError):
            return self.decided and any(last and last.run_id != self.run_id for _, last in (held.log.last() for held in self.held.values()))
        return False

    @guarded
    def recover(self) -> None:
        """Puts in place what others had decided, and throws away what they had not."""
        for target, held in self.held.items():
            if held.entry.pending:
                self._settle(held, held.entry.pending)
            entry = held.entry.settled()
            if self.run_id in entry.runs:
                raise UsageError(f"run {self.run_id} has published to {target} already", reason="run_id_used",
                                 hint="give each attempt a run id of its own")
            self.held[target] = replace(held, entry=entry)
            self.store.make_folder(held.work)
            for run_id, token, path in (*workspaces(held.log, "stage"), *workspaces(held.log)):
                kept = self.store.renames and run_id in entry.runs and "/stage/" not in path.removeprefix(held.log.folder)
                if token < held.slot and not kept:
                    # where nothing can be taken from under who comes late, it has to be gone before anything else is decided
                    self._throw_away(path) if self.store.renames else self.store.delete(path)
            if entry.first > 1:
                held.log.prune(entry.first)

    def workspace(self, target: str) -> str:
        """The folder to stage an output in; it need not be there."""
        return self.held[target].stage

    @guarded
    def state(self, name: str) -> bytes | None:
        """The last state of this name that was committed with any of the run's outputs; None where there is none."""
        found = self._state(name)
        return found.data if found and found.fields["there"] else None

    def _state(self, name: str) -> Record | None:
        found = [last_of(held.log, "states", name) for held in self.held.values()]
        return max((record for record in found if record), key=lambda record: record.generation, default=None)

    def before(self, target: str) -> Record | None:
        """The record of the last generation of an output's slice."""
        return last_of(self.held[target].log, "slices", self.slices[target])

    @guarded
    def already_done(self, logical_id: str, targets: Iterable[str] = ()) -> bool:
        """Whether these outputs (default all) hold what this logical id wrote last into its slices: nothing that replaced the whole
        came after it, and nobody has deleted it, or a file of it."""
        return all(self._holds(target, logical_id) for target in targets or self.held)

    def _holds(self, target: str, logical_id: str) -> bool:
        last, whole = self.before(target), last_of(self.held[target].log, "slices", WHOLE)
        if last is None or last.fields["logical_id"] != logical_id:
            return False
        if whole and self.slices[target] != WHOLE and whole.fields.get("slot", 0) > last.fields.get("slot", 0):
            return False
        if last.fields["how"] == "table":
            return True
        files = set(last.fields["files"])
        return files <= set(walk(self.store, target)) if files else bool(self.store.list(target))

    def publish(self, logical_id: str, staged: Sequence[Staged], states: Mapping[str, bytes] | None = None) -> tuple[Part, ...]:
        """Publishes outputs, in the order given, and with them these states by name (a job's, say); what was published. An output that
        is not given stays as it is.

        Raises:
            LockedError: another run took over: nothing was published.
            InfrastructureError: the storage failed. Whether it was decided is then in the journal, and the next run acts on it.
        """
        return self.publish_with(logical_id, staged, [self.next_state(name, found) for name, found in (states or {}).items()])

    @guarded
    def next_state(self, name: str, found: bytes | None) -> Record:
        """The record of a state's next generation; None is that there is none."""
        last = self._state(name)
        fields = {"there": found is not None, "outputs": list(self.held)}
        return Record(name, last.generation + 1 if last else 1, self.run_id, fields, found or b"")

    @guarded
    def publish_with(
        self, logical_id: str, staged: Sequence[Staged], states: Sequence[Record], slices: Mapping[str, Sequence[Record]] | None = None,
    ) -> tuple[Part, ...]:
        """As `publish`, with records as they are, and with those of each output's slices."""
        unknown = {one.target for one in staged} - set(self.held)
        if unknown or not staged:
            raise UsageError(f"run {self.run_id} has no lock on {', '.join(sorted(unknown)) or 'what it publishes: nothing'}",
                             reason="wrong_outputs")
        parts = tuple(self._prepare(one, logical_id, {r.path("states"): r.encode() for r in states} |
                                    {r.path("slices"): r.encode() for r in (slices or {}).get(one.target, ())}) for one in staged)
        home = self.home
        own = next((p for p in parts if self.held[p.target] is home), None)
        decision = replace(home.entry, kind="commit", parts=parts, pending=own)
        if not home.log.append(home.slot + 1, decision) or not (home.log.stands(home.slot + 1) or (own and self._wrote(own))):
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
                    self._throw_away(held.stage)
                    self._throw_away(held.work)

    def _wrote(self, part: Part) -> bool:
        found = last_of(self.held[part.target].log, "slices", part.slice)
        return found is not None and found.run_id == self.run_id

    def _throw_away(self, folder: str) -> None:
        with suppress(OSError):  # what is left, by one who still writes there, goes next time
            self.store.delete(folder)

    def _prepare(self, staged: Staged, logical_id: str, small: Mapping[str, bytes]) -> Part:
        held, target, store = self.held[staged.target], staged.target, self.store
        new, before = f"{held.work}/new", self.before(target)
        known = before.generation if before else 0
        whole = store.links or (store.renames and staged.mode in ("overwrite", "rollback"))
        how: Literal["whole", "files", "table"] = "whole" if whole else "files"
        part = Part(target, held.slot, self.run_id, self.slices[target], logical_id, max(known, staged.generation) + 1, staged.mode,
                    "table" if staged.table else how, puts=tuple(small))
        if not store.renames:
            new, part = staged.folder, replace(part, staged=staged.folder.removeprefix(held.log.folder + "/"))
        elif not store.rename(staged.folder, new) and not is_there(store, new):  # an answer may be lost on its way
            raise InfrastructureError(f"the staged files at {staged.folder} are gone", reason="staging_lost", hint="run again")
        for path, found in small.items():
            store.put_if_absent(f"{held.work}/put/{path}", found)
        if not staged.table:
            part = self._lay_out(held, part, new, before.fields["files"] if before else ())
        store.persist(held.work)
        return part

    def _lay_out(self, held: Held, part: Part, new: str, before: Sequence[str]) -> Part:
        """Makes the staged files what is to be in the target's place, or to be moved there."""
        store, target = self.store, part.target
        fresh, there = walk(store, new), walk(store, target)
        adds, gone = data(fresh), replaced(part.mode, data(fresh), data(there), before)
        double = set(adds) & set(there)  # of what goes too: a reader that has listed the old ones must not find others by their names
        if double and part.mode != "rollback":
            raise UsageError(f"{target} has a file {min(double)} already", reason="file_exists",
                             hint="give staged files names of their own")
        if part.how == "files" and store.renames:
            for folder in sorted({above(f"{held.work}/old/{file}") for file in gone}):
                store.make_folder(folder)
        elif part.how == "whole":
            for file in carried(there, gone, fresh) if part.mode not in ("overwrite", "rollback") else ():
                store.link(f"{target}/{file}", f"{new}/{file}")
            store.put_if_absent(f"{new}/{MARKER}", self.run_id.encode())
        return replace(part, adds=adds, removes=tuple(sorted(gone)))

    def _finish(self, parts: tuple[Part, ...]) -> None:
        """Every step here may have been made before, or be made by another run at the same time. The home log is the last to be free."""
        for part in parts:
            self._settle(self.held[part.target], part)
        pending = {part.target: part for part in parts}
        for target, held in reversed(self.held.items()):
            mine = pending.get(target)
            done = replace(held.entry, kind="done", pending=mine).settled()
            # in another log than the home, somebody who came by may have put our commit first
            free = (held is not self.home and held.log.append(held.slot + 1, done)) or held.log.append(held.slot + 2, done)
            if free:
                self._throw_away(held.stage)
            if free and (mine is None or mine.how == "table" or not self.store.renames):  # nothing replaced is kept there
                self._throw_away(held.work)

    def _settle(self, held: Held, part: Part) -> None:
        work = held.work if part.run_id == self.run_id else self._claim(held, part)
        if part.how == "table":
            self.commit_table(part, f"{held.log.folder}/{part.staged}" if part.staged else f"{work}/new")
        elif part.how == "whole":
            put_whole(self.store, work, part)
        elif self.store.renames:
            put_files(self.store, work, part)
        else:
            copy_files(self.store, f"{held.log.folder}/{part.staged}", part)
        put_small(held.log, work, part)
        remember(held.log, part)

    def _claim(self, held: Held, part: Part) -> str:
        """The workspace of a committed run, renamed to this run's token: all paths of those who had it before lead nowhere then."""
        if not self.store.renames:  # who comes late is refused by a table's generation, and finds no staged files to copy
            return f"{held.log.folder}/work/{part.run_id}.{part.slot}"
        for _ in range(LOOKS):
            token, path = workspace(held.log, part.run_id) or (0, "")
            if token == held.slot:
                return path
            if token > held.slot:
                raise _overtaken(self.run_id)
            if path:
                self.store.rename(path, f"{held.log.folder}/work/{part.run_id}.{held.slot}")
        raise InfrastructureError(f"what run {part.run_id} published is not in {held.log.folder}/work", reason="journal_damaged",
                                  hint="restore that folder, or move the whole journal away to go on with what the target holds")


@contextmanager
def running(
    store: Store, run_id: str, slices: Mapping[str, str], patience: Patience | None = None, commit_table: CommitTable = _no_tables,
) -> Iterator[Run]:
    """A run that has the lock on its outputs, with its heart beating, after what earlier runs left was settled; closed at the end.

    `slices` says by target what a re-run replaces.

    Raises:
        LockedError: another run is at work on an output; or it took over from this one, whatever went wrong in the block then, also
            where this one had decided, and the other finishes its publication.
        UsageError: a newer sparkkit wrote the journal.
    """
    patience = patience or Patience()
    run = Run(store, run_id, slices, commit_table)
    try:
        with ExitStack() as alive:
            run.lock(patience, lambda home: alive.enter_context(Heart(home.log, home.slot, patience.interval)))
            run.recover()
            yield run
    except Exception as error:
        if run.lost():
            raise _overtaken(run_id) from error
        if run.relieved() and not isinstance(error, LockedError):  # its workspace was taken from under it
            raise _relieved(run_id) from error
        raise
    finally:
        run.close()
