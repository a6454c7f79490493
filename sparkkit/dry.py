"""A dry run: the job is built and run on empty frames; no data is touched, nothing is written."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from sparkkit import alarms, command, failures, project, redaction, session, verdicts
from sparkkit.errors import UsageError
from sparkkit.job import Job
from sparkkit.schema.contract import Contract
from sparkkit.schema.landing import BAD, BAD_TYPE, FILE, LANDING, RAW
from sparkkit.schema.types import ddl, quote, struct

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession


def run(job: Job, argv: Sequence[str], spark: SparkSession | None = None) -> int:
    """Builds a job on empty frames and prints its outputs' columns; returns the exit code that a run would end with.

    Args:
        job: the job.
        argv: the options that a run would get; paths may be left out.
        spark: a session to use; default one of its own, stopped at the end.
    """
    doing = ""
    try:
        args = command.parser(job, f"sparkkit dry-run {job.name}").parse_args(list(argv))
        home = project.find(job.file)
        conf, params = command.settings(job, args, home, follow=False)
        named = {n: i.contract for n, i in conf.inputs.items()} | {n: o.contract for n, o in conf.outputs.items()}
        names = {n: contract or job.contracts.get(n) for n, contract in named.items()}
        contracts = {n: home.contract(c) for n, c in names.items() if c}
        known = {n: columns(n, conf.inputs[n].format, contracts.get(n)) for n in job.inputs}
        own = spark or session.start(conf.spark, app_name=f"dry-run-{job.name}", profile="test")
        try:
            params = command.with_models(own, job, params, home, conf)
            doing = "build"
            checks = verdicts.checks(contracts, conf.outputs, job.inputs)
            built = _build(own, job, known, contracts, checks, {n: i.keep_source for n, i in conf.inputs.items()}, params)
        finally:
            if spark is None:
                session.stop(own)
    except SystemExit as done:
        return int(done.code or 0)
    except Exception as error:
        found = failures.explain(error, getattr(error, "sparkkit_step", doing))
        print(f"sparkkit: {job.name}: {redaction.printable(str(found))} (exit {found.exit_code})", file=sys.stderr)
        return found.exit_code
    print(f"{job.name}: builds; no data was touched")
    for name, shape in built.items():
        print(f"output {name} ({conf.outputs[name].path or 'no path yet'}): {shape}")
    return 0


def columns(name: str, form: str | None, contract: Contract | None) -> Contract | None:
    """The contract that tells an input's columns; None where the format does: text has one column, `value`.

    Raises:
        UsageError: if nothing but the data could tell them.
    """
    if contract is not None or form == "text":
        return contract
    raise UsageError(
        f"input {name!r} has no contract, so only its data could tell its columns",
        reason="no_contract",
        hint=f"write one with `sparkkit schema infer PATH`, and name it as inputs.{name}.contract",
    )


def empty(spark: SparkSession, contract: Contract | None) -> DataFrame:
    """An empty landed frame: FILE, RAW, BAD and the columns of a contract, or `value` where there is none."""
    names = (
        [f"{quote(f.name)} {ddl(f.dataType)}" for f in struct(contract).fields]
        if contract
        else ["value string"]
    )
    return spark.createDataFrame([], f"{FILE} string, {RAW} string, {BAD} {BAD_TYPE}, {', '.join(names)}")


def _build(
    spark: SparkSession,
    job: Job,
    known: Mapping[str, Contract | None],
    contracts: Mapping[str, Contract],
    checks: verdicts.Checks,
    sources: Mapping[str, bool],
    params: Mapping[str, Any],
) -> dict[str, str]:
    """The columns of each output; each is computed, so that what fails only at run time fails here, too."""
    from sparkkit import run as road
    from sparkkit.intake import SOURCE_FILE, judge

    frames = {}
    for name, contract in known.items():
        frame = judge(empty(spark, contract), contract)
        verdicts.refuse_slips(frame, checks.get(name, ()))
        source = [f"{FILE} as {SOURCE_FILE}"] if sources[name] else []
        frames[name] = frame.selectExpr(*[quote(c) for c in frame.columns if c not in LANDING], *source)
    shapes = {}
    for name, frame in road.build(job, frames, params).items():
        judged = judge(frame, contracts.get(name))
        verdicts.refuse_slips(judged, checks.get(name, ()))
        if name == job.outputs[0]:
            alarms.refuse_slips(job.name, judged, job.alarm)
        judged.write.format("noop").mode("overwrite").save()
        shapes[name] = ", ".join(
            f"{f.name} {f.dataType.simpleString()}" for f in judged.schema.fields if f.name not in LANDING
        )
    return shapes
