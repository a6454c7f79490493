"""The one road of every run: read, conform, build, check, write, record. Nothing else calls these six in order."""
from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any

from pyspark.sql import DataFrame, SparkSession

from sparkkit import alarms, compat, failures, guards, intake, sinks, sources, verdicts
from sparkkit.accounting import Count, plan_of
from sparkkit.checks.results import refuse
from sparkkit.conf import Conf, InputConf, OutputConf
from sparkkit.errors import JobError, SparkkitError
from sparkkit.identity import identity
from sparkkit.incremental import news
from sparkkit.intake import Intake
from sparkkit.job import Job
from sparkkit.ledger import UNKNOWN_INPUT, UNKNOWN_OUTPUT, Record
from sparkkit.project import Project
from sparkkit.quarantine import Quarantine
from sparkkit.schema.contract import Contract
from sparkkit.settings import meaning
from sparkkit.sinks import Place, Staged
from sparkkit.staging import Files, Target
from sparkkit.training import Training

if TYPE_CHECKING:
    from sparkkit.learning.road import Road as Learning


@dataclass(frozen=True)
class Request:
    """One run as asked for: a job, its settings and parameters."""

    job: Job
    conf: Conf
    project: Project
    params: Mapping[str, Any] = field(default_factory=dict)
    date: str | None = None
    again: bool = False
    full: bool = False


def run(spark: SparkSession, request: Request, record: Record) -> dict[str, Staged]:
    """Takes a job down the road and fills the record; what was staged is published only when every figure adds up.

    Nothing, where the same run has been to its end before (`already_done`), or no incremental input has new rows (`nothing_new`).
    Where the job's alarm is met by what is published, or by what stands, the record's reason is `alarm`.

    Raises:
        SparkkitError: with the exit code of what went wrong; nothing was published then.
    """
    job, conf = request.job, request.conf
    contracts = contracts_of(request, record)
    checks = verdicts.checks(contracts, {n: conf.outputs[n] for n in job.outputs}, job.inputs)
    place = place_of(spark, record.run_id)
    targets = {n: sinks.target(place, n, conf.outputs[n]) for n in job.outputs}
    record.outputs = {n: {**UNKNOWN_OUTPUT, "path": t.path, "format": t.conf.format, "mode": t.conf.mode} for n, t in targets.items()}
    record.inputs = {n: dict(UNKNOWN_INPUT, paths=list(conf.inputs[n].path)) for n in job.inputs}
    guards.before(place, conf, targets)
    with ExitStack() as closed, place.lock(targets) as held:
        return _locked(spark, request, record, place, held, contracts, checks, closed)


def _locked(
    spark: SparkSession, request: Request, record: Record, place: Place, targets: Mapping[str, Target], contracts: Mapping[str, Contract],
    checks: verdicts.Checks, closed: ExitStack,
) -> dict[str, Staged]:
    job, conf = request.job, request.conf
    quarantine = Quarantine(place, next(iter(targets.values())), request.date, contracts)
    with record.step("read"):
        new = news.begin(place, targets, job.name, job.inputs, conf, record, again=request.again, full=request.full)
        found = {n: guards.named(one) for n, one in new.read(spark, contracts).items()}
        for one in found.values():
            closed.callback(one.land.close or int)
        taken = {n: intake.take(one, checks.get(n, ()), found) for n, one in found.items()}
        for n in [n for n in taken if n in checks]:
            verdicts.refuse_queries(verdicts.good(taken[n]), checks[n])
        others = verdicts.parents(checks, taken)
        _note_inputs(record, taken)
        new.note(record, taken)
    if new.nothing:
        _stands(record, "nothing_new", new.nothing, alarms.kept(place, targets, job.name))
        return {}
    who = identity(job, conf, request.params, request.date, {n: t.source for n, t in taken.items()}, code=record.code_version,
                   contracts=record.contracts, run_id=record.run_id, label=new.label, session=meaning(spark))
    record.logical_id = who.logical_id
    done_by = None if request.again else place.done_by(who, targets)
    if done_by:
        _settle_champion(request, who.logical_id)
        said = f"run {done_by} has done this: the same inputs, parameters, settings and code; --again runs it nevertheless"
        _stands(record, "already_done", said, alarms.kept(place, targets, job.name, who.slices[job.outputs[0]]))
        return {}
    for target in targets.values():
        sinks.refuse_existing(place, target)
    guards.again(place, targets, who.names)
    with record.step("build"):
        learned = _learned(spark, request, record, contracts, taken, closed, next(iter(targets.values())).staging)
        built = learned.outputs if learned else build(job, {n: t.passed for n, t in taken.items()}, request.params)
        judged = {n: intake.judge(f, contracts.get(n), checks.get(n, ()), others) for n, f in built.items()}
        for n in [n for n in judged if n in checks]:
            verdicts.refuse_slips(judged[n], checks[n])
        alarms.refuse_slips(job.name, judged[job.outputs[0]], job.alarm)
    with record.step("write"), naming(taken):
        asked = {n: verdicts.of_taken(checks.get(n, ())) for n in judged}
        staged = {n: sinks.stage(place, targets[n], f, checked=n in contracts, asked=asked[n]) for n, f in judged.items()}
    with record.step("checks"), naming(taken):
        plans = cache(lambda: [plan_of(frame) for frame in judged.values()])
        counts = _settle(quarantine, record, taken, staged, plans)
        record.checks = verdicts.all_of(place, checks, taken, counts, staged, others) + (learned.results() if learned else [])
        refuse(job.name, record.checks)
        guards.verdict(place, staged, who.slices)
        new.verdict(place, staged, record)
        alarm = alarms.sounded(place, staged[job.outputs[0]], job.alarm)
    with record.step("publish"):
        if learned:
            learned.keep(next(iter(targets.values())).staging, {n: t.source.fingerprint for n, t in taken.items()})
        states = {**new.states(who.logical_id), **alarms.states(place, targets, job.name, who.slices[job.outputs[0]], alarm)}
        generations = sinks.publish(place, staged, who, quarantine.ready(who.shelf), states)
        for name, done in staged.items():
            record.outputs[name] |= {"files": done.files, "bytes": done.bytes, "partitions": done.published or None,
                                     "generation": generations.get(name)}
            record.outputs[name] |= done.committed.figures if done.committed else {}
        _settle_champion(request, who.logical_id)
    if alarm:
        record.reason, record.message = "alarm", alarm
    return staged


def _stands(record: Record, status: str, said: str, alarm: str) -> None:
    """The end of a run that has nothing to do: an alarm about what stands is told again, for nobody may have heard it."""
    record.status, record.reason = status, "alarm" if alarm else None
    record.message = f"{alarm}; {said}" if alarm else said


def _learned(
    spark: SparkSession, request: Request, record: Record, contracts: Mapping[str, Contract], taken: Mapping[str, Intake],
    closed: ExitStack, staging: str,
) -> Learning | None:
    """What a training learns of its inputs; None for any other job."""
    if not isinstance(request.job, Training):
        return None
    from sparkkit.learning import road  # here, so that other jobs do not pay for it
    from sparkkit.models import registry

    there = registry.where(request.project, request.conf.run.get("registry"))
    return road.begin(spark, request.job, request.params, record, there, contracts, taken, closed, staging)


def _settle_champion(request: Request, logical_id: str) -> None:
    """Promotes what a training won, once its outputs are published; a retry of one that was killed between the two does so, too."""
    if isinstance(request.job, Training):
        from sparkkit.models import registry

        registry.where(request.project, request.conf.run.get("registry")).promote_winner(request.job.model, logical_id)


def build(job: Job, frames: Mapping[str, DataFrame], params: Mapping[str, Any]) -> dict[str, DataFrame]:
    """The frames that a job builds, by output name; of a training what they are before anything is fitted.

    Raises:
        JobError: if `build` raises, or returns something else than it declares.
    """
    given = tuple(frames[n] for n in job.inputs)
    result = job.unfitted(given, params) if isinstance(job, Training) else job.build(*given, **params)
    named = dict(result) if isinstance(result, Mapping) else {job.outputs[0]: result}
    if set(named) != set(job.outputs):
        raise JobError(f"build returned {sorted(named)}, but job {job.name!r} declares {sorted(job.outputs)}", reason="wrong_outputs")
    for name, frame in named.items():
        if not hasattr(frame, "sparkSession"):
            raise JobError(f"build returned {type(frame).__name__} for {name!r}, not a DataFrame", reason="wrong_outputs")
    return {n: named[n] for n in job.outputs}


@contextmanager
def naming(taken: Mapping[str, Intake]) -> Iterator[None]:
    """Where a read fails on a damaged file, names every such file; Spark names the first, or none."""
    try:
        yield
    except Exception as error:
        if failures.explain(error).reason == "unreadable_file" and not isinstance(error, SparkkitError):
            for one in taken.values():
                found = sources.broken(one.source)
                if found:
                    raise found from error
        raise


def contracts_of(request: Request, record: Record) -> dict[str, Contract]:
    """The contracts of a run's inputs and outputs by their names, noted in the record."""
    job, conf = request.job, request.conf
    edges: dict[str, InputConf | OutputConf] = {**conf.inputs, **conf.outputs}
    names = {n: edge.contract or job.contracts.get(n) for n, edge in edges.items()}
    found = {n: request.project.contract(c) for n, c in names.items() if c}
    record.contracts = {c.name: {"version": c.version, "hash": c.hash} for c in found.values()}
    return found


def place_of(spark: SparkSession, run_id: str) -> Place:
    """Where a run of a session stages."""
    if not compat.is_connect(spark):
        return Files.of(spark, run_id)
    from sparkkit.connect import Tables

    return Tables(spark, run_id)


def _note_inputs(record: Record, taken: Mapping[str, Intake]) -> None:
    for name, one in taken.items():
        source = one.source
        record.inputs[name] |= {
            "format": source.format, "files": len(source.files) if source.files else None, "bytes": source.bytes,
            "findings": [asdict(f) for f in (*source.findings, *source.land.unreadable)],
        }


def _settle(
    quarantine: Quarantine, record: Record, taken: Mapping[str, Intake], staged: Mapping[str, Staged], plans: intake.Plans,
) -> dict[str, Count]:
    """Every account, checked; what was rejected is in the staged quarantine, and was counted there."""
    accounts = {}
    for name, one in taken.items():
        count, any_bad = intake.settle(one, plans)
        by = quarantine.add(name, intake.rejects(one, quarantine.shown(name))) if any_bad else {}
        accounts[name] = count.quarantined_as(by)
        record.inputs[name] |= {
            "read": count.total, "passed": count.good, "quarantined": sum(by.values()), "quarantined_by": by,
            "complete": count.complete, "why": count.why, "counted_by": count.counted_by,
        }
    for name, done in staged.items():
        if done.rejects is not None:
            done.count = done.count.quarantined_as(quarantine.add(name, done.rejects))
        c = done.count
        by = dict(c.quarantined_by)
        record.outputs[name] |= {"built": c.total, "written": c.good, "quarantined": c.quarantined, "quarantined_by": by}
    record.quarantine = quarantine.path if quarantine.used else None
    for name, count in accounts.items():
        count.check(f"input {name!r}", ("read", "passed"))
        intake.refuse_stopping(taken[name], count)
    for name, done in staged.items():
        done.count.check(f"output {name!r}", ("built", "written"))
    return accounts
