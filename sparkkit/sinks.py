"""Writing outputs: everything is staged beside its target, counted there, and published only after the verdict."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pyspark.sql import DataFrame, Observation, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import StructType

from sparkkit import formats
from sparkkit.accounting import Count, Watch, watch
from sparkkit.conf import OutputConf
from sparkkit.errors import AccountingError, UsageError
from sparkkit.formats import writing
from sparkkit.formats.base import Format, Unfit
from sparkkit.schema.landing import BAD, LANDING
from sparkkit.schema.types import quote
from sparkkit.storage.hadoop import Hadoop, is_hidden

SPLIT = "_sparkkit_reason"
"""The staged folder level that parts good rows (null) from rejected ones (`reason|rule`), in one write."""

GOOD = f"{SPLIT}=__HIVE_DEFAULT_PARTITION__"


@dataclass(frozen=True)
class Target:
    """Where one output goes: the qualified path, its staging and quarantine folders."""

    name: str
    conf: OutputConf
    path: str
    staging: str
    quarantine: str

    @property
    def table(self) -> bool:
        """Whether the output is a table of Delta or of the catalog, which commits by itself."""
        return self.conf.format in ("delta", "table")

    def staged_as(self, checked: bool) -> Format:
        """The format of the staged files: the output's own, or Parquet where rows are still to be parted or committed
        to a table."""
        return formats.known("parquet" if checked or self.table else self.conf.format)


@dataclass
class Staged:
    """What was staged for one output: where the good rows are, and the account."""

    target: Target
    data: str
    count: Count
    kind: str
    schema: StructType
    rejects: DataFrame | None = None
    files: int | None = None
    bytes: int | None = None
    published: list[str] = field(default_factory=list)


def target(hadoop: Hadoop | None, name: str, conf: OutputConf, run_id: str) -> Target:
    """The places of an output.

    Raises:
        UsageError: if it has no path, its mode is `error` and something is there, or its settings don't fit together.
    """
    if not conf.path:
        raise UsageError(f"output {name!r} has no path", reason="no_path", hint=f"give --output PATH or set outputs.{name}.path")
    form = formats.known(conf.format)
    if not (form.write or form.save or form.commit):
        raise UsageError(f"output {name!r}: format {conf.format!r} can't be written", reason="unknown_format")
    _check(name, conf)
    if hadoop is None:
        return Target(name, conf, conf.path, "", conf.quarantine or f"{conf.path}.quarantine")
    path = conf.path if conf.format == "table" else hadoop.qualified(conf.path).rstrip("/")
    beside = path if conf.format != "table" else hadoop.qualified(conf.path.replace("`", ""))
    folder, _, last = beside.rpartition("/")
    found = Target(name, conf, path, f"{folder}/.{last}.staging-{run_id}", conf.quarantine or f"{beside}.quarantine")
    _refuse_existing(hadoop, found)
    return found


def _check(name: str, conf: OutputConf) -> None:
    if conf.format != "table" and any(sign in str(conf.path) for sign in "*?[]{}\\"):
        raise UsageError(
            f"output {name!r}: {conf.path} has one of the signs * ? [ ] {{ }} \\, which readers take for a pattern",
            reason="wrong_path",
            hint="choose another path",
        )
    if conf.mode == "overwrite_partitions" and not conf.partition_by and conf.format not in ("delta", "table"):
        raise UsageError(
            f"output {name!r}: mode overwrite_partitions needs partition_by",
            reason="wrong_conf",
            hint=f"set outputs.{name}.partition_by, or use --mode overwrite",
        )
    if conf.target_file_size:
        writing.size_of(conf.target_file_size, f"outputs.{name}.target_file_size")


def _refuse_existing(hadoop: Hadoop, target: Target) -> None:
    if target.conf.mode == "error" and target.conf.format != "table" and hadoop.exists(target.path):
        raise UsageError(
            f"output {target.name!r}: {target.conf.path} exists and the mode is error",
            reason="output_exists",
            hint="choose another path, or --mode overwrite or append",
        )


def stage(spark: SparkSession, hadoop: Hadoop, target: Target, built: DataFrame, *, checked: bool) -> Staged:
    """Writes a built frame to its staging folder in one pass, good and rejected rows apart, and counts both from there.

    `checked` says that the frame is a conformed one, with `BAD` for each row.

    Raises:
        UsageError: a column or an option that the format can't hold; nothing was computed then.
        ContractError: rows that the format can't hold (`unfit_for_format`).
    """
    form = target.staged_as(checked)
    final = formats.known(target.conf.format)
    if final.check:
        final.check(spark, target.conf)
    by, columns = target.conf.partition_by, [quote(c) for c in built.columns if c not in LANDING]
    data = built.select(*columns) if set(LANDING) & set(built.columns) else built
    shaped = _shaped(data, final, () if target.table else by)
    if not checked:
        seen = _write(target, shaped, form, target.conf.options, target.staging)
        return _counted(spark, hadoop, target, seen, shaped.schema, checked)
    split = F.concat_ws("|", F.col(f"{BAD}.reason"), F.substring_index(F.col(f"{BAD}.rule"), ":", 1))
    parted = built.withColumn(SPLIT, F.when(F.col(BAD).isNotNull(), split)).select(*columns, SPLIT)
    options = target.conf.options if form is final else {}
    seen = _write(target, parted, form, options, target.staging, SPLIT)
    return _counted(spark, hadoop, target, seen, data.schema, checked)


def _shaped(frame: DataFrame, form: Format, by: tuple[str, ...]) -> DataFrame:
    return form.shape(frame, by) if form.shape else frame


def _write(target: Target, shaped: DataFrame, form: Format, options: Mapping[str, str], path: str, split: str = "") -> Watch:
    """Writes a shaped frame in one pass; rows that the format can't hold are counted in the same pass, and refuse
    it."""
    conf = target.conf
    by = [c for c in (split, *(() if target.table else conf.partition_by)) if c]
    frame, seen = watch(shaped)
    unfit = writing.unfit(shaped, formats.known(conf.format) if not split else form, conf.partition_by)
    found = Observation(f"{seen.name}-unfit")
    if unfit:
        frame = frame.observe(found, *[F.count_if(u.where).alias(f"u{i}") for i, u in enumerate(unfit)])
    if conf.target_file_size:
        size = writing.size_of(conf.target_file_size, f"outputs.{target.name}.target_file_size")
        with writing.setting(shaped.sparkSession, writing.ADVISED, f"{size}b"):
            writing.save(writing.sized(frame, by), form, options, by, path)
    else:
        writing.save(frame, form, options, by, path)
    if unfit:
        _refuse_unfit(target, shaped, unfit, Watch(found, seen.name))
    return seen


def _refuse_unfit(target: Target, shaped: DataFrame, unfit: list[Unfit], found: Watch) -> None:
    figures = found.figures()
    for i, one in enumerate(unfit):
        rows = figures[f"u{i}"] if figures else shaped.where(one.where).count()
        writing.refuse_unfit(target.conf.format, target.name, rows, one)


def _counted(spark: SparkSession, hadoop: Hadoop, target: Target, seen: Watch, schema: StructType, checked: bool) -> Staged:
    form = target.staged_as(checked)
    assert form.count is not None
    total = form.count(spark, target.staging, target.conf.options) if _any(hadoop, target.staging) else 0
    if seen.once():
        observed = (seen.figures() or {}).get("rows")
        if observed is not None and observed != total:
            raise AccountingError(
                f"output {target.name!r}: {observed} rows were built, but {total} were staged at {target.staging}",
                hint="nothing was published; run again with --verbose and report it",
            )
    data = f"{target.staging}/{GOOD}" if checked else target.staging
    rejects = _rejects(spark, hadoop, target.staging) if checked else None
    by = {} if rejects is None else {r["reason"]: r["n"] for r in rejects.groupBy("reason").agg(F.count("*").alias("n")).toLocalIterator()}
    good = total if not checked else (form.count(spark, data, {}) if hadoop.exists(data) else 0)
    return Staged(target, data, Count(total, good, by, counted_by="staged"), form.name, schema, rejects)


def _rejects(spark: SparkSession, hadoop: Hadoop, staging: str) -> DataFrame | None:
    folders = [s.getPath().toString() for s in hadoop.glob(f"{staging}/{SPLIT}=*") if s.getPath().getName() != GOOD]
    if not folders:
        return None
    frame = spark.read.option("basePath", staging).parquet(*folders)
    reason = F.col(SPLIT).cast("string")
    data = [F.col(quote(c)) for c in frame.columns if c != SPLIT]
    return frame.select(
        F.to_json(F.struct(*data)).alias("raw"),
        F.substring_index(reason, "|", 1).alias("reason"),
        F.expr(f"substring({SPLIT}, instr({SPLIT}, '|') + 1)").alias("rule"),
    )


def publish(spark: SparkSession, hadoop: Hadoop, staged: Staged) -> None:
    """Moves what was staged into place by the output's mode. Nothing is moved before every verdict is known.

    Raises:
        UsageError: the mode is `error`, and something came to the target while the run went on.
        AccountingError: the output's own format, or the table, holds another number of rows than were staged.
    """
    target = staged.target
    if not _any(hadoop, staged.data):
        _empty(spark, staged)
    if target.table:
        staged.files, staged.bytes = _size(hadoop, staged.data)
        _commit(spark, staged)
    else:
        _refuse_existing(hadoop, target)
        if staged.kind != target.conf.format:
            _rewrite(spark, staged)
        staged.files, staged.bytes = _size(hadoop, staged.data)
        {"append": _append, "overwrite_partitions": _replace_partitions}.get(target.conf.mode, _replace)(hadoop, staged)
    hadoop.delete(target.staging)


def _empty(spark: SparkSession, staged: Staged) -> None:
    """An empty result keeps its schema: one file without rows, where the format's files have a schema."""
    staged.data = f"{staged.target.staging}/empty"
    frame = spark.createDataFrame([], staged.schema).coalesce(1)
    writing.save(frame, formats.known(staged.kind), {}, [], staged.data)


def _rewrite(spark: SparkSession, staged: Staged) -> None:
    """Good rows were staged as Parquet beside the rejected ones: write them in the output's own format."""
    target, form = staged.target, formats.known(staged.target.conf.format)
    assert form.count is not None
    data = f"{target.staging}/data"
    shaped = _shaped(_read(spark, staged), form, target.conf.partition_by)
    _write(target, shaped, form, target.conf.options, data)
    written = form.count(spark, data, target.conf.options)
    if written != staged.count.good:
        raise AccountingError(
            f"output {target.name!r}: {staged.count.good} good rows, but {written} were written as {form.name}",
            hint="nothing was published",
        )
    staged.data = data


def _read(spark: SparkSession, staged: Staged) -> DataFrame:
    """The good rows as they were staged; by their own schema, since a guess at partition values would make 1 of
    `01`."""
    names = [quote(c) for c in staged.schema.names]
    return spark.read.schema(staged.schema).parquet(staged.data).select(*names)


def _commit(spark: SparkSession, staged: Staged) -> None:
    target, form = staged.target, formats.known(staged.target.conf.format)
    assert form.commit is not None
    rows, staged.published = form.commit(spark, _read(spark, staged), target.conf, target.path)
    if rows != staged.count.good:
        raise AccountingError(
            f"output {target.name!r}: {staged.count.good} good rows, but the commit to {target.path} says {rows}",
            hint="look at the table's history, and restore the version before",
        )


def view(spark: SparkSession, staged: Staged) -> DataFrame:
    """An output as it was published, for a look at it."""
    form, conf = formats.known(staged.target.conf.format), staged.target.conf
    if form.view:
        return form.view(spark, staged.target.path, conf.options)
    return spark.read.format(form.name).load(staged.target.path)


def _any(hadoop: Hadoop, folder: str) -> bool:
    return any(not f.hidden for s in hadoop.glob(folder) for f in hadoop.walk(s))


def _size(hadoop: Hadoop, folder: str) -> tuple[int, int]:
    files = [f for s in hadoop.glob(folder) for f in hadoop.walk(s) if not is_hidden(f.path.rsplit("/", 1)[-1])]
    return len(files), sum(f.size for f in files)


def _replace(hadoop: Hadoop, staged: Staged) -> None:
    path, old = staged.target.path, f"{staged.target.staging}-old"
    if hadoop.exists(path):
        hadoop.rename(path, old)
    hadoop.rename(staged.data, path)
    hadoop.delete(old)


def _append(hadoop: Hadoop, staged: Staged) -> None:
    _move(hadoop, staged.data, staged.target.path, _leaves(hadoop, staged.data))


def _replace_partitions(hadoop: Hadoop, staged: Staged) -> None:
    leaves = list(_leaves(hadoop, staged.data))
    for folder in sorted({leaf.rsplit("/", 1)[0] for leaf in leaves}):
        hadoop.delete(f"{staged.target.path}/{folder}")
        staged.published.append(folder)
    _move(hadoop, staged.data, staged.target.path, leaves)


def _leaves(hadoop: Hadoop, folder: str) -> Iterable[str]:
    """The data files below a folder, as paths relative to it."""

    def below(status: Any, at: str) -> Iterable[str]:
        for child in status.getPath().getFileSystem(hadoop.conf).listStatus(status.getPath()):
            name = child.getPath().getName()
            if child.isDirectory():
                yield from below(child, f"{at}{name}/")
            elif not is_hidden(name):
                yield at + name

    return list(below(hadoop.glob(folder)[0], ""))


def _move(hadoop: Hadoop, source: str, path: str, leaves: Iterable[str]) -> None:
    for leaf in leaves:
        hadoop.make_folder(f"{path}/{leaf}".rsplit("/", 1)[0])
        hadoop.rename(f"{source}/{leaf}", f"{path}/{leaf}")


def discard(hadoop: Hadoop, targets: Iterable[Target]) -> None:
    """Deletes what a refused or broken run staged."""
    for one in targets:
        if one.staging:
            hadoop.delete(one.staging)


@dataclass
class Quarantine:
    """The rejected rows of a run: staged beside the outputs, Parquet partitioned by `run_id`, owner-only."""

    spark: SparkSession
    hadoop: Hadoop
    path: str
    run_id: str
    date: str | None
    staged: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.path = self.hadoop.qualified(self.path).rstrip("/")

    @property
    def used(self) -> bool:
        """Whether any row was rejected."""
        return bool(self.staged)

    @property
    def _staging(self) -> str:
        folder, _, last = self.path.rpartition("/")
        return f"{folder}/.{last}.staging-{self.run_id}"

    def add(self, edge: str, rows: DataFrame) -> dict[str, int]:
        """Stages the rejected rows of one input or output; the number of rows by reason, as counted from what was
        staged."""
        folder = f"{self._staging}/{len(self.staged)}"
        source = F.col("source_file") if "source_file" in rows.columns else F.lit(None).cast("string")
        rows.select(
            F.lit(edge).alias("input"),
            source.alias("source_file"),
            "raw",
            "reason",
            "rule",
            F.lit(self.date).cast("date").alias("date"),
        ).write.parquet(f"{folder}/run_id={self.run_id}")
        self.staged.append(folder)
        found = self.spark.read.parquet(f"{folder}/run_id={self.run_id}").groupBy("reason").agg(F.count(F.lit(1)).alias("n"))
        return {row["reason"]: row["n"] for row in found.orderBy("reason").toLocalIterator()}

    def publish(self) -> None:
        """Moves the staged rows into place, for their owner's eyes only."""
        for folder in self.staged:
            self.hadoop.make_folder(self.path)
            self.hadoop.owner_only(self.path)
            _move(self.hadoop, folder, self.path, _leaves(self.hadoop, folder))
        self.discard()

    def discard(self) -> None:
        """Deletes what is still staged."""
        if self.staged:
            self.hadoop.delete(self._staging)
