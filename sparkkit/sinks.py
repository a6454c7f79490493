"""Writing outputs: everything is staged beside its target, counted there, and published only after the verdict."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, TypeAlias

from pyspark.sql import DataFrame, Observation, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import StructType

from sparkkit import formats
from sparkkit.accounting import Count, Watch, tally
from sparkkit.conf import OutputConf
from sparkkit.errors import AccountingError, InfrastructureError, UsageError
from sparkkit.formats import beside, writing
from sparkkit.formats.base import Commit, Committed, Format, Unfit
from sparkkit.publishing import Identity, Piece, TableCommit, mode_of
from sparkkit.schema import reasons
from sparkkit.schema.landing import BAD, LANDING
from sparkkit.schema.types import quote
from sparkkit.staging import SPLIT, TABLES, Files, Target
from sparkkit.storage.log import Part
from sparkkit.storage.seam import above

if TYPE_CHECKING:
    from sparkkit.connect import Tables

Place: TypeAlias = "Files | Tables"
"""Where a run stages: in files on a classic session, in tables on Spark Connect."""


@dataclass
class Staged:
    """What was staged for one output: where the good rows are, the account, and what was asked of the rows that were taken out."""

    target: Target
    data: str
    count: Count
    kind: str
    schema: StructType
    rejects: DataFrame | None = None
    taken: Mapping[str, int] = field(default_factory=dict)
    files: int | None = None
    bytes: int | None = None
    published: list[str] = field(default_factory=list)
    committed: Committed | None = None


def target(place: Place, name: str, conf: OutputConf) -> Target:
    """The places of an output.

    Raises:
        UsageError: if it has no path, its settings don't fit together, or it is of plain files on Spark Connect.
    """
    if not conf.path:
        raise UsageError(f"output {name!r} has no path", reason="no_path", hint=f"give --output PATH or set outputs.{name}.path")
    form = formats.known(conf.format)
    if not (form.write or form.save or form.commit):
        raise UsageError(f"output {name!r}: format {conf.format!r} can't be written", reason="unknown_format")
    _check(name, conf)
    return place.target(name, conf)


def _check(name: str, conf: OutputConf) -> None:
    if conf.format not in ("table", "jdbc") and any(sign in str(conf.path) for sign in "*?[]{}\\"):
        raise UsageError(
            f"output {name!r}: {conf.path} has one of the signs * ? [ ] {{ }} \\, which readers take for a pattern",
            reason="wrong_path",
            hint="choose another path",
        )
    if conf.mode == "overwrite_partitions" and not conf.partition_by and conf.format not in TABLES:
        raise UsageError(
            f"output {name!r}: mode overwrite_partitions needs partition_by",
            reason="wrong_conf",
            hint=f"set outputs.{name}.partition_by, or use --mode overwrite",
        )
    _check_keys(name, conf)
    if conf.target_file_size:
        writing.size_of(conf.target_file_size, f"outputs.{name}.target_file_size")


def _check_keys(name: str, conf: OutputConf) -> None:
    """The settings of tables by keys: those that the mode needs, and none that says nothing in it."""
    needs = {"merge": ("keys",), "cdc": ("keys", "sequence_by"), "scd2": ("keys", "valid_from")}.get(conf.mode, ())
    may = {"cdc": ("apply_as_deletes",), "scd2": ("apply_as_deletes", "valid_to", "is_current", "track")}.get(conf.mode, ())
    if needs and conf.format != "delta" and (conf.mode, conf.format) != ("merge", "jdbc"):
        raise UsageError(f"output {name!r}: mode {conf.mode} is for Delta tables, not for {conf.format}", reason="wrong_conf",
                         hint=f"set outputs.{name}.format = \"delta\"")
    for setting in ("keys", "sequence_by", "apply_as_deletes", "valid_from", "valid_to", "is_current", "track"):
        given = bool(getattr(conf, setting))
        if setting in needs and not given:
            raise UsageError(f"output {name!r}: mode {conf.mode} needs {setting}", reason="wrong_conf",
                             hint=f"set outputs.{name}.{setting}")
        if given and setting not in (*needs, *may):
            raise UsageError(f"output {name!r}: {setting} says nothing in mode {conf.mode}", reason="wrong_conf", hint="leave it out")
    for setting in ("leave_out", "schema_evolution"):
        if getattr(conf, setting) not in ((), "strict") and conf.format != "delta":
            raise UsageError(f"output {name!r}: {setting} is for Delta tables, not for {conf.format}", reason="wrong_conf",
                             hint="leave it out")


def refuse_existing(place: Place, target: Target) -> None:
    """Refuses an output whose mode is `error` where something is there.

    Raises:
        UsageError: `output_exists`.
    """
    if target.conf.mode == "error" and place.taken(target):
        raise UsageError(
            f"output {target.name!r}: {target.path if target.conf.format == 'jdbc' else target.conf.path} exists and the mode is error",
            reason="output_exists",
            hint="choose another path, or --mode overwrite or append",
        )


def stage(place: Place, target: Target, built: DataFrame, *, checked: bool, asked: Mapping[str, str] = MappingProxyType({})) -> Staged:
    """Writes a built frame to its staging place in one pass, good and rejected rows apart, and counts both from there.

    `checked` says that the frame is a conformed one, with `BAD` for each row. `asked` are SQL texts of sums over the rows that are taken
    out, by names, which may ask for `SPLIT` too.

    Raises:
        UsageError: a column or an option that the format can't hold, or files of another format are there; nothing was computed then.
        ContractError: rows that the format can't hold (`unfit_for_format`).
    """
    form = target.staged_as(checked)
    final = formats.known(target.conf.format)
    if final.check:
        final.check(place.spark, target.conf)
    by, columns = target.conf.partition_by, [quote(c) for c in built.columns if c not in LANDING]
    data = built.select(*columns) if set(LANDING) & set(built.columns) else built
    shaped = _shaped(data, final, () if target.table else by)
    fit(place.spark, target, shaped)
    if not checked:
        seen = _write(place, target, shaped, form, target.conf.options, target.staging)
        return _counted(place, target, seen, shaped, shaped.schema, checked, asked)
    parted = built.withColumn(SPLIT, F.when(F.col(BAD).isNotNull(), F.expr(reasons.parted()))).select(*columns, SPLIT)
    options = target.conf.options if form is final else {}
    seen = _write(place, target, parted, form, options, target.staging, SPLIT)
    return _counted(place, target, seen, parted, data.schema, checked, asked)


def fit(spark: SparkSession, target: Target, shaped: DataFrame) -> None:
    """Refuses a frame that can't be added to the files that are there.

    Raises:
        UsageError: they are of another format (`mixed_formats`).
        ContractError: they have other columns (`schema_changed`).
    """
    if not target.table:
        beside.one_format(spark, target.conf, target.path, formats.of_path)
    fits = formats.known(target.conf.format).fits
    if fits:
        fits(shaped, target.conf, target.path)


def _shaped(frame: DataFrame, form: Format, by: tuple[str, ...]) -> DataFrame:
    return form.shape(frame, by) if form.shape else frame


def _write(
    place: Place, target: Target, shaped: DataFrame, form: Format, options: Mapping[str, str], path: str, split: str = "",
) -> Watch:
    """Writes a shaped frame in one pass; rows that the format can't hold are counted in the same pass, and refuse
    it."""
    conf = target.conf
    by = [c for c in (split, *(() if target.table else conf.partition_by)) if c]
    frame, seen = tally(shaped)
    final = formats.known(conf.format)
    columns = final.partitions(place.spark, conf, target.path) if final.partitions else conf.partition_by
    unfit = writing.unfit(shaped, final if not split else form, columns)
    found = Observation(f"{seen.name}-unfit")
    if unfit:
        frame = frame.observe(found, *[F.count_if(u.where).alias(f"u{i}") for i, u in enumerate(unfit)])
    if conf.target_file_size:
        size = writing.size_of(conf.target_file_size, f"outputs.{target.name}.target_file_size")
        with writing.setting(shaped.sparkSession, writing.ADVISED, f"{size}b"):
            _save(place, target, writing.sized(frame, by), form, options, by, path)
    else:
        _save(place, target, frame, form, options, by, path)
    if unfit:
        _refuse_unfit(target, shaped, unfit, Watch(found, seen.name))
    return seen


def _save(place: Place, target: Target, frame: DataFrame, form: Format, options: Mapping[str, str], by: list[str], path: str) -> None:
    stage = formats.known(target.conf.format).stage if isinstance(place, Files) else None
    if not (stage and stage(frame, target.conf, target.path, path, SPLIT if SPLIT in by else "")):
        place.save(frame, form, options, by, path)


def _refuse_unfit(target: Target, shaped: DataFrame, unfit: list[Unfit], found: Watch) -> None:
    figures = found.figures()
    for i, one in enumerate(unfit):
        rows = figures[f"u{i}"] if figures else shaped.where(one.where).count()
        writing.refuse_unfit(target.conf.format, target.name, rows, one)


def _counted(
    place: Place, target: Target, seen: Watch, frame: DataFrame, schema: StructType, checked: bool, asked: Mapping[str, str],
) -> Staged:
    form = target.staged_as(checked)
    total = place.total(target, form)
    built = (seen.figures() or {}).get("rows", total)
    if built > total:  # a task that ran again, its first result lost with its executor, is observed twice
        built = _recounted(target, frame, built, total)
    if built != total:
        raise AccountingError(
            f"output {target.name!r}: {built} rows were built, but {total} were staged at {target.staging}",
            hint="nothing was published; run again with --verbose and report it",
        )
    if not checked:
        return Staged(target, target.staging, Count(total, total, counted_by="staged"), form.name, schema)
    found = place.rejects(target, schema)
    by, taken = ({}, dict.fromkeys(asked, 0)) if found is None else _summed(found, asked)
    data, good = place.good(target, form)
    rejects = None if found is None else _rejects(found)
    return Staged(target, data, Count(total, good, by, counted_by="staged"), form.name, schema, rejects, taken)


def _summed(rejects: DataFrame, asked: Mapping[str, str]) -> tuple[dict[str, int], dict[str, int]]:
    """The rejected rows by reason, and the sums that are asked of them all: one look."""
    n, sums = F.count("*").alias("n"), [F.expr(sql).alias(name) for name, sql in asked.items()]
    rows = list(rejects.groupBy(F.expr(reasons.reason_of(SPLIT)).alias("reason")).agg(n, *sums).toLocalIterator())
    return {row["reason"]: row["n"] for row in rows}, {name: sum(row[name] for row in rows) for name in asked}


def _recounted(target: Target, frame: DataFrame, observed: int, total: int) -> int:
    """The rows of a frame of which more were observed than staged.

    Raises:
        InfrastructureError: other ones each time: a task that ran again built other rows (`not_deterministic`).
    """
    built = frame.count()
    if built not in (observed, total):
        raise InfrastructureError(
            f"output {target.name!r}: {total} rows were staged, {observed} were built, and {built} when they were counted once more",
            reason="not_deterministic", hint="nothing was published; run again, and make the job say the same each time",
        )
    return built


def _rejects(frame: DataFrame) -> DataFrame:
    said = f"cast({SPLIT} as string)"
    data = [F.col(quote(c)) for c in frame.columns if c != SPLIT]
    return frame.select(
        F.struct(*data).alias("row"),
        F.expr(reasons.reason_of(said)).alias("reason"),
        F.expr(reasons.rule_of(said)).alias("rule"),
    )


def publish(
    place: Place, staged: Mapping[str, Staged], identity: Identity, shelved: Sequence[Piece] = (),
    states: Mapping[str, bytes | None] | None = None,
) -> dict[str, int]:
    """Brings what was staged into place by the outputs' modes, and the rejected rows and states with it; the generation of each
    output.

    Nothing is published before every verdict is known, and then all is by one decision, which a run that comes after makes
    good should this one die in the middle. Over Spark Connect each table is committed by itself.

    Raises:
        UsageError: the mode is `error`, and something came to the target while the run went on.
        LockedError: another run took over, and nothing was published.
        AccountingError: the output's own format, or the table, holds another number of rows than were staged.
    """
    for one in staged.values():
        if not one.target.table:
            refuse_existing(place, one.target)
        finish(place, one)
    if not isinstance(place, Files):
        for one in staged.values():
            _commit(place, one, identity.slices[one.target.name])
            place.drop(one.target.staging)
        return {}
    pieces = {n: piece(one, place.run_id, identity.slices[n], identity.names.get(n, "")) for n, one in staged.items()}
    parts = place.journals.publish(identity.logical_id, [*shelved, *pieces.values()], states)
    for name, one in staged.items():
        one.committed = place.journals.committed.get(one.target.path)
        one.published = list(one.committed.partitions) if one.committed else _folders(one, parts[pieces[name].path])
        place.drop(one.target.staging)
    return {name: parts[one.path].generation for name, one in pieces.items() if one.path in parts}


def finish(place: Place, one: Staged) -> None:
    """Makes of staged rows the files that are to be published: a file where there is no row, the output's own format."""
    if not place.any(one.data):
        _empty(place, one)
    if not one.target.table and one.kind != one.target.conf.format:
        assert isinstance(place, Files)
        _rewrite(place, one)
    one.files, one.bytes = place.size(one.data)


def piece(staged: Staged, run_id: str, slice_name: str, name: str = "") -> Piece:
    """Staged rows as what is to be published, for a slice; `name` is what it is called beside others."""
    target = staged.target
    if not target.table:
        return Piece(target.journal, staged.data, mode_of(target.conf), slice_name, name=name)
    data = staged.data.removeprefix(target.staging).lstrip("/")
    commit = TableCommit(target.path, target.conf, data, staged.schema, staged.count.good, run_id)
    return Piece(target.journal, target.staging, mode_of(target.conf), slice_name, commit, name)


def _folders(staged: Staged, part: Part) -> list[str]:
    """The partitions that were replaced."""
    if staged.target.conf.mode != "overwrite_partitions":
        return []
    return sorted({above(file) for file in (*part.adds, *part.removes)})


def _empty(place: Place, staged: Staged) -> None:
    """An empty result keeps its schema: one file without rows, where the format's files have a schema. Nothing is added to partitions:
    such a file would be in none of them, and have their columns beside files that don't."""
    conf = staged.target.conf
    staged.data = f"{staged.target.staging}/empty"
    if isinstance(place, Files) and not staged.target.table and conf.partition_by and conf.mode in beside.ADDING:
        place.hadoop.make_folder(staged.data)
        staged.kind = conf.format
        return
    frame = place.spark.createDataFrame([], staged.schema).coalesce(1)
    options = conf.options if staged.kind == conf.format else {}
    place.save(frame, formats.known(staged.kind), options, [], staged.data)


def _rewrite(place: Files, staged: Staged) -> None:
    """Good rows were staged as Parquet beside the rejected ones: write them in the output's own format."""
    target, form = staged.target, formats.known(staged.target.conf.format)
    assert form.count is not None
    data = f"{target.staging}/data"
    shaped = _shaped(place.read(staged.data, staged.schema), form, target.conf.partition_by)
    _write(place, target, shaped, form, target.conf.options, data)
    written = form.count(place.spark, data, target.conf.options)
    if written != staged.count.good:
        raise AccountingError(
            f"output {target.name!r}: {staged.count.good} good rows, but {written} were written as {form.name}",
            hint="nothing was published",
        )
    staged.data = data


def _commit(place: Place, staged: Staged, name: str) -> None:
    """Commits a table by itself; one that numbers its slices takes the rows of this one once."""
    target, form = staged.target, formats.known(staged.target.conf.format)
    assert form.commit is not None
    last = form.number(place.spark, target.conf, target.path, name) if form.number else None
    how = Commit(place.run_id, staged.count.good, target.staging, None if last is None else (name, max(0, last) + 1))
    done = staged.committed = form.commit(place.read(staged.data, staged.schema), target.conf, target.path, how)
    staged.published = list(done.partitions)
    if done.rows != staged.count.good and not done.already:
        raise AccountingError(
            f"output {target.name!r}: {staged.count.good} good rows, but the commit to {target.path} accounts for {done.rows}",
            hint="look at the table's history",
        )


def view(spark: SparkSession, staged: Staged) -> DataFrame:
    """An output as it was published, for a look at it."""
    return formats.view(spark, staged.target.conf.format, staged.target.path, staged.target.conf.options)
