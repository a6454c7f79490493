"""The versions of a target that are kept, and how one of them is put back: by a publication of its own, decided like any other."""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from sparkkit.errors import UsageError
from sparkkit.storage.journal import Held, Run, Staged, running
from sparkkit.storage.lock import Patience
from sparkkit.storage.log import Log
from sparkkit.storage.records import Kind, Record, before, every_last
from sparkkit.storage.resolve import MARKER, resolve, workspace
from sparkkit.storage.seam import Store, guarded, walk

ROLLBACK = "(rollback)"
"""The slice of rollbacks: no job and no date."""


@dataclass(frozen=True)
class Version:
    """One version of a target: the run that published it (empty for what was there before any), and the folder that holds it.

    `undoes` are the runs whose publications go when it is put back, the last first; the current version undoes none.
    """

    run_id: str
    root: str
    undoes: tuple[str, ...] = ()


@guarded
def versions(store: Store, target: str) -> tuple[Version, ...]:
    """The versions of a target that a rollback can put in its place, the current one first; none where nothing was published.

    Of tables none but the current one is known here, and where files can't be linked (HDFS, S3) no other is kept whole.

    Raises:
        UsageError: a newer sparkkit wrote the journal.
        InfrastructureError: what was published is not there.
    """
    view = resolve(store, target)
    if not view.version:
        return ()
    log, found = Log(store, target), [Version(view.version, view.root)]
    last = log.last()[1]
    runs = last.settled().runs if last and store.links else ()
    for run_id in reversed(runs if runs[-1:] == (view.version,) else ()):
        _, work = workspace(log, run_id) or (0, "")
        if not work or not store.list(f"{work}/old"):
            break
        marker = store.read(f"{work}/old/{MARKER}")
        found.append(Version(marker.data.decode() if marker else "", f"{work}/old", (*found[-1].undoes, run_id)))
    return tuple(found)


def rollback(store: Store, target: str, to_run: str, run_id: str, patience: Patience | None = None) -> Version:
    """Puts a kept version of a plain target back, with the slices' records and the states of then; the version that was put back.

    What it replaces is kept in turn, so that it can be undone; made again, it does nothing. A retry of an undone run is then a new
    generation, and a re-run of its slice replaces what that had written before it.

    Raises:
        UsageError: the version is not kept, is the current one, or belongs to a run whose state other outputs share.
        LockedError: another run is at work on the target.
        InfrastructureError: the storage failed; run again.
    """
    with running(store, run_id, {target: ROLLBACK}, patience) as run:
        return _rollback(run, target, to_run)


@guarded
def _rollback(run: Run, target: str, to_run: str) -> Version:
    store, held = run.store, run.held[target]
    kept, logical_id = versions(store, target), f"rollback to {to_run}"
    before_it = run.before(target)
    if run.already_done(logical_id) and before_it and before_it.run_id == kept[0].run_id:
        return kept[0]
    found = next((version for version in kept if version.run_id == to_run), None)
    if found is None or not found.undoes:
        names = ", ".join(version.run_id or "the files from before" for version in kept[1:]) or "none"
        what = "is what it holds now" if found else "is not kept"
        hint = None if kept[1:] else "a Delta table goes back by its own RESTORE, files where they can be linked (a local disk)"
        raise UsageError(f"version {to_run or 'before any run'} of {target} {what}; kept are: {names}", reason="no_such_version", hint=hint)
    states = _undone(held, "states", found.undoes)
    for record in states:
        others = [output for output in record.fields["outputs"] if output != target]
        if others:
            raise UsageError(f"state {record.name} was committed to {target} and {others[0]} at once: one can't go back without the other",
                             reason="shared_state", hint="run the job again with --again in place of a rollback")
    out = f"{run.workspace(target)}/out"
    for file in walk(store, found.root):
        if file != MARKER:
            store.link(f"{found.root}/{file}", f"{out}/{file}")
    run.publish_with(logical_id, [Staged(target, out, "rollback")], states, {target: _undone(held, "slices", found.undoes)})
    return found


def _undone(held: Held, kind: Kind, runs: Sequence[str]) -> list[Record]:
    """The records that say again what was so before these runs, as next generations."""
    found = []
    for last in (record for record in every_last(held.log, kind) if record.name != ROLLBACK):
        record: Record | None = last
        while record and record.run_id in runs:
            record = before(held.log, kind, record)
        if record != last:
            blank = replace(last, fields={**last.fields, **_BLANK[kind]}, data=b"")
            found.append(replace(record or blank, generation=last.generation + 1, run_id=held.entry.run_id))
    return found


_BLANK: dict[Kind, dict[str, object]] = {"slices": {"logical_id": "", "files": []}, "states": {"there": False}}
"""What a record says where there was none."""
