"""A run looked at before it is made: what it would read, what it would change, in which order, and what it has cost so far. Nothing is
written; the rows are computed to know what would change, unless a quick look is asked for."""

from __future__ import annotations

import statistics
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from sparkkit import codebase, formats, guards, identity, intake, ledger, run, sinks, sources
from sparkkit.conf import OutputConf
from sparkkit.errors import SparkkitError, UsageError
from sparkkit.formats import beside
from sparkkit.history import places
from sparkkit.history.book import Ledger
from sparkkit.publishing import Identity
from sparkkit.repair import changes
from sparkkit.repair.asked import Asked
from sparkkit.schema.contract import Contract
from sparkkit.schema.landing import BAD, LANDING
from sparkkit.schema.types import quote
from sparkkit.settings import meaning
from sparkkit.staging import Files, Target
from sparkkit.storage.log import Log
from sparkkit.storage.records import WHOLE, Record, last_of
from sparkkit.storage.seam import Store

PROMISES = ("parquet", "orc")
"""Formats whose footers say at once how many rows they hold."""

LAST_RUNS = 10
"""How many runs of the job tell the cost."""


def plan(spark: SparkSession, want: Asked, *, quick: bool = False) -> dict[str, Any]:
    """What a run with these options would do, as values for JSON.

    Raises:
        UsageError: over Spark Connect, and what a run would be refused for before it reads.
        NotReadyError: an input is not there.
        SparkkitError: the job fails on these rows.
    """
    some = next((n for n, one in want.conf.inputs.items() if one.incremental != "none"), None)
    if some and not quick:
        raise UsageError(f"input {some!r} is incremental, and what of it is new is known to a run alone", reason="plan_incremental",
                         hint=f"add --quick, or --set inputs.{some}.incremental=none to see what reading all would do")
    place = run.place_of(spark, "plan")
    if not isinstance(place, Files):
        raise UsageError("a run over Spark Connect has no journal to look into", reason="connect_no_plan", hint="run on a classic session")
    request = run.Request(want.job, want.conf, want.home, want.params, want.date)
    record = ledger.Record("plan", want.job.name, code_version=codebase.version(want.job.file, want.home.root))
    contracts = run.contracts_of(request, record)
    targets = {n: sinks.target(place, n, want.conf.outputs[n]) for n in want.job.outputs}
    guards.before(place, want.conf, targets)
    found = {n: guards.named(sources.read(spark, n, want.conf.inputs[n], contracts.get(n))) for n in want.job.inputs}
    taken = {n: intake.take(one) for n, one in found.items()}
    who = identity.identity(want.job, want.conf, want.params, want.date, found, code=record.code_version, contracts=record.contracts,
                            run_id="plan", session=meaning(spark))
    guards.again(place, targets, who.names)
    states = {n: state(place, t, who, n) for n, t in targets.items()}
    done = {s.done_by for s in states.values()}
    told: dict[str, Any] = {
        "job": want.job.name, "date": want.date, "logical_id": who.logical_id,
        "already_done": next(iter(done)) if len(done) == 1 else None,
        "inputs": {n: _input(one, quick) for n, one in taken.items()},
    }
    built = {} if quick else run.build(want.job, {n: t.passed for n, t in taken.items()}, want.params)
    told["outputs"] = {n: _output(place, want, states[n], contracts.get(n), built.get(n)) for n in targets}
    return {**told, "order": order(place, targets), "cost": cost(spark, want)}


@dataclass(frozen=True)
class State:
    """What an output's journal says: the last generation of the run's slice, the run that has done this already, and who is at work."""

    target: Target
    slice: str
    last: Record | None
    done_by: str | None
    generation: int
    notes: tuple[str, ...] = ()


def state(place: Files, target: Target, who: Identity, name: str) -> State:
    """The state of an output, read without a lock: it may be another a moment later."""
    log, slice_name = place.journals.log(target.journal), who.slices[name]
    number = formats.known(target.conf.format).number
    known = max(0, number(place.spark, target.conf, target.path, slice_name)) if number else 0
    if log is None:
        return State(target, slice_name, None, None, known + 1, ("no journal: the store has no rename, the table commits by itself",))
    last, whole = last_of(log, "slices", slice_name), last_of(log, "slices", WHOLE)
    stands = last is not None and last.fields["logical_id"] == who.logical_id and place.there(target)
    if stands and last and whole and slice_name != WHOLE and whole.fields.get("slot", 0) > last.fields.get("slot", 0):
        stands = False
    generation = max(known, last.generation if last else 0) + 1
    return State(target, slice_name, last, last.run_id if stands and last else None, generation, tuple(_at_work(log)))


def _at_work(log: Log) -> list[str]:
    """Whether another run has the lock, or left something for the next to finish."""
    entry = log.last()[1]
    if entry is None:
        return []
    notes = [f"run {entry.run_id} holds the lock, or died with it"] if entry.kind in ("open", "commit") else []
    pending = entry.pending
    return notes + ([f"what run {pending.run_id} decided is not all in place: the next run puts it there first"] if pending else [])


def _input(taken: intake.Intake, quick: bool) -> dict[str, Any]:
    source = taken.source
    promised = source.land.promised
    sure = promised is not None and (source.format in PROMISES or not quick)
    files = [f.path for f in source.files]
    told: dict[str, Any] = {"paths": list(source.conf.path), "format": source.format, "files": len(files) or None, "bytes": source.bytes,
            "rows": promised() if sure and promised else None, "first": files[:3], "version": source.land.version,
            "findings": [f"{f.reason}: {f.file} {f.detail}".strip() for f in source.findings]}
    if not quick and source.contract:
        found = intake.rejects(taken, None).groupBy("reason").agg(F.count(F.lit(1)).alias("n")).orderBy("reason")
        told["rejected"] = {row["reason"]: row["n"] for row in found.toLocalIterator()}
    return told


def _output(place: Files, want: Asked, found: State, contract: Contract | None, built: DataFrame | None) -> dict[str, Any]:
    target, last = found.target, found.last
    told: dict[str, Any] = {
        "path": target.path, "format": target.conf.format, "mode": target.conf.mode, "slice": found.slice, "generation": found.generation,
        "replaces": {"run": last.run_id, "generation": last.generation, "files": len(last.fields["files"])} if last else None,
        "notes": list(found.notes),
    }
    if built is None:
        return told
    judged = intake.judge(built, contract)
    good = judged.where(F.col(BAD).isNull()) if BAD in judged.columns else judged
    new = good.select(*[quote(c) for c in good.columns if c not in (*LANDING, *target.conf.leave_out)])
    rejected = judged.where(F.col(BAD).isNotNull()).count() if contract else 0
    held = changes.there(place.spark, target)
    by = tuple(target.conf.partition_by)
    told |= {"rows": new.count(), "rejected": rejected, "partitions": changes.partitions(new, by)}
    told["columns"] = changes.columns(held.schema, new.schema) if held and target.conf.format in changes.TYPED else []
    told["refused"] = _refused(place, found, new, held, told["rows"])
    told["changes"] = _changes(want, target, contract, held, new, last)
    return told


def _refused(place: Files, found: State, new: DataFrame, held: DataFrame | None, rows: int) -> str | None:
    """Why a run would be refused, as far as can be told before it."""
    target = found.target
    if target.conf.mode == "error" and held is not None:
        return f"{target.path} exists and the mode is error"
    if not rows and not target.conf.allow_empty and held is not None and _loses(place, found, held):
        return "the result is empty, and would replace rows"
    try:
        sinks.fit(new.sparkSession, target, new)
    except SparkkitError as error:
        return error.message
    return None


def _loses(place: Files, found: State, held: DataFrame) -> bool:
    mode = found.target.conf.mode
    if mode in beside.ADDING:
        return guards.held(place, found.target, found.slice)
    return mode == "overwrite" and held.limit(1).count() > 0


def _changes(
    want: Asked, target: Target, contract: Contract | None, held: DataFrame | None, new: DataFrame, last: Record | None,
) -> dict[str, Any] | None:
    conf = target.conf
    keys = tuple(conf.keys) or (contract.keys if contract else ())
    if held is not None and (conf.format not in changes.TYPED or conf.mode in changes.ORDERED):
        return None
    gone = changes.replaced(held, target, new, last, conf.partition_by) if held is not None else new.limit(0)
    if gone is None:
        return None
    return changes.rows(gone, new, keys, conf.mode, 3 if want.args.show is None else want.args.show)


def order(place: Files, targets: Mapping[str, Target]) -> list[dict[str, Any]]:
    """In which order all is put in place after the one decision, and what one who reads a bare path may see meanwhile."""
    first = next(iter(targets.values()))
    steps = [("quarantine", first.quarantine, OutputConf(first.quarantine, "parquet", "append"))]
    steps += [(n, t.journal, t.conf) for n, t in targets.items()]
    told = [{"output": n, "path": path, "readers": readers(_store(place, path), conf)} for n, path, conf in steps]
    if len(targets) > 1:
        told[-1]["between"] = "until the last is in place, one who reads several may see some of this run beside others from before it"
    return told


def _store(place: Files, path: str) -> Store | None:
    log = place.journals.log(path)
    return log.store if log else None


def readers(store: Store | None, conf: OutputConf) -> str:
    """What one who reads the bare path may see while a run publishes there; `store` is that of its journal, None where it has none."""
    if conf.format == "delta":
        return "Delta's one commit: all or nothing"
    if conf.format in ("table", "jdbc"):
        return "the table's own commit"
    if store is None:
        return "file by file: no run is kept from another on this store"
    if store.exchanges:
        return "one version or the other: the folders are exchanged in one step"
    if store.links or (store.renames and conf.mode in ("overwrite", "error")):
        return "one version or the other; for a moment between two renames, nothing"
    return "file by file: old and new files mixed until all are in place; sparkkit's own readers see one version"


def cost(spark: SparkSession, want: Asked) -> dict[str, Any]:
    """The medians of the job's last runs that were done, by the ledger."""
    place = places.find(want.home, want.args.ledger, want.conf.ledger.get("path"))
    book, records = Ledger(places.store(place, spark), place.path), []
    for row in book.runs(job=want.job.name):
        record = book.record(row.run_id) if row.status == "done" else None
        records += [record] if record else []
        if len(records) == LAST_RUNS:
            break

    def median(values: list[Any]) -> float | None:
        known = [v for v in values if v is not None]
        return statistics.median(known) if known else None

    return {"runs": len(records), "seconds": median([r["seconds"]["total"] for r in records]),
            "read_bytes": median([_sum(r, "inputs", "bytes") for r in records]),
            "written_bytes": median([_sum(r, "outputs", "bytes") for r in records]),
            "written_rows": median([_sum(r, "outputs", "written") for r in records])}


def _sum(record: Mapping[str, Any], edges: str, key: str) -> int | None:
    found = [edge.get(key) for edge in record[edges].values()]
    return None if None in found or not found else sum(found)
