"""Parquet and ORC: typed files whose footers promise a number of rows; what is read must equal the promise.

Every footer is looked at before anything is read, so that each damaged file is named (not the first alone), and so
that a column that one file lacks is not filled with nulls: where files differ, those that do not fit go to the
quarantine whole.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import partial, reduce

from pyspark.sql import Column, DataFrame, DataFrameWriter, SparkSession
from pyspark.sql import functions as F
from pyspark.sql import types as t

from sparkkit.errors import ContractError, UsageError
from sparkkit.formats import partitions
from sparkkit.formats.base import Finding, Format, Land, Scan, Unfit, short, spark_path
from sparkkit.formats.beside import fits_typed
from sparkkit.formats.footers import Footer, footers
from sparkkit.formats.writing import GUESS, JSON_OPTIONS, setting
from sparkkit.schema.landing import BAD, BAD_TYPE, FILE, RAW
from sparkkit.schema.retype import lossless
from sparkkit.schema.types import quote, struct
from sparkkit.storage.hadoop import Hadoop


@dataclass(frozen=True)
class _Group:
    """Files of one schema: `frame` has their rows, `wrong` says why they do not fit ("" where they do)."""

    files: tuple[str, ...]
    frame: DataFrame
    wrong: str = ""


def land(scan: Scan, name: str) -> Land:
    """Lands typed rows; rows of a file whose columns or types do not fit are `schema_mismatch`.

    Raises:
        ContractError: files differ, and there is no contract that says what they should have been (`schema_mismatch`).
    """
    if scan.hadoop is None:
        raise UsageError(
            f"{name} files can't be looked at without a filesystem",
            reason="connect_no_files",
            hint="use Delta or a table on Spark Connect",
        )
    whole = [file.path for file in scan.files if file.size or name != "orc"]  # Hive writes an empty ORC bucket as 0 bytes
    feet = footers(scan.hadoop, name, whole)
    good = {file: foot for file, foot in feet.items() if isinstance(foot, Footer)}
    broken = [Finding(file, "unreadable_file", short(foot)) for file, foot in feet.items() if isinstance(foot, Exception)]
    loaded, odd = _load(scan, name, good)
    groups = _judge(scan, loaded)
    frame = _landed(scan, groups)
    promised = sum(good[file].rows for group in groups for file in group.files)
    findings = tuple(Finding(file, "schema_mismatch", g.wrong) for g in groups if g.wrong for file in g.files)
    return Land(
        frame,
        rows=lambda: sum(stored_rows(_filtered(scan, g.frame)) for g in groups),
        promised=(lambda: promised) if scan.filter is None else None,
        findings=findings,
        unreadable=tuple(broken + odd),
        wrong_files=partial(_wrong_files, scan, name, groups, good),
    )


def _load(scan: Scan, name: str, feet: Mapping[str, Footer]) -> tuple[list[_Group], list[Finding]]:
    """A frame for each schema among the files; files whose schema Spark can't read are findings."""
    kinds: dict[str, list[str]] = {}
    for file, foot in feet.items():
        kinds.setdefault(foot.schema, []).append(file)
    found: dict[str, list[str]] = {}
    odd: list[Finding] = []
    frames: dict[str, DataFrame] = {}
    for files in kinds.values():
        try:
            frame = read(scan, name, files)
        except Exception as error:
            odd += [Finding(file, "unreadable_file", short(error)) for file in files]
            continue
        key = frame.schema.simpleString()
        frames[key] = read(scan, name, [*found[key], *files]) if key in found else frame
        found.setdefault(key, []).extend(files)
    return [_Group(tuple(files), frames[key]) for key, files in found.items()], odd


def read(scan: Scan, name: str, files: Iterable[str]) -> DataFrame:
    """Files of one schema as Spark reads them, with the partition columns of their folders.

    Raises:
        ContractError: a column stands in the folders' names and in the files (`column_twice`).
    """
    files = list(files)
    found = partitions.values(files, scan.root)
    reader = scan.spark.read.option("basePath", scan.root).options(**scan.options).format(name)
    guess = partitions.lossless(found)
    with setting(scan.spark, GUESS, str(guess).lower()):
        frame = reader.load([spark_path(file) for file in files])
    if found:
        inside = scan.spark.read.format(name).load(spark_path(files[0])).columns
        twice = [c for c in inside if c in found]
        if twice:
            raise ContractError(
                f"{files[0]} holds the column {', '.join(map(repr, twice))}, which its folder's name gives too",
                reason="column_twice",
                hint="take it out of the files, or give each file's path by itself",
            )
    return frame


def _judge(scan: Scan, groups: list[_Group]) -> list[_Group]:
    """Says of each group whether it fits; where all files are alike there is nothing to say, conform looks at them."""
    if len(groups) < 2:
        return groups
    if scan.contract is None:
        raise _differ(groups)
    wanted = struct(scan.contract)
    have = {name for group in groups for name in group.frame.columns}
    due = t.StructType([f for f in wanted.fields if f.name in have])
    judged = [_Group(g.files, g.frame, _sentence(scan, g.frame.schema, wanted, due)) for g in groups]
    return sorted(judged, key=lambda g: g.wrong != "")


def _sentence(scan: Scan, found: t.StructType, wanted: t.StructType, due: t.StructType) -> str:
    """What is wrong with the schema of some files, beside others; "" where nothing is. `due` are the columns that any
    file has."""
    assert scan.contract is not None
    names, types = set(found.names), {f.name: f.dataType for f in found.fields}
    lacks = [n for n in due.names if n not in names]
    extra = [n for n in found.names if n not in wanted.names]
    odd = [
        f"{f.name} is {types[f.name].simpleString()}, not {f.dataType.simpleString()}"
        for f in due.fields
        if f.name in types and not lossless(types[f.name], f.dataType)
    ]
    wrong = [f"lacks {', '.join(lacks)}"] if lacks and scan.contract.on("missing_column") != "allow" else []
    wrong += [f"has {', '.join(extra)}, not expected"] if extra and scan.contract.on("extra_column") != "allow" else []
    return "; ".join(wrong + odd)


def _differ(groups: list[_Group]) -> ContractError:
    first, *others = groups
    base = {f.name: f.dataType.simpleString() for f in first.frame.schema.fields}
    told = []
    for group in others:
        here = {f.name: f.dataType.simpleString() for f in group.frame.schema.fields}
        lacks, extra = [n for n in base if n not in here], [n for n in here if n not in base]
        odd = [f"{n} is {here[n]}, not {base[n]}" for n in here if n in base and here[n] != base[n]]
        said = [f"lacks {', '.join(lacks)}"] * bool(lacks) + [f"has {', '.join(extra)} more"] * bool(extra) + odd
        files = ", ".join(group.files[:3]) + (f" and {len(group.files) - 3} more" if len(group.files) > 3 else "")
        told.append(f"{files}: {'; '.join(said) or 'another order of columns'}")
    return ContractError(
        f"the files differ in their columns, beside {first.files[0]} {' | '.join(told)}",
        reason="schema_mismatch",
        hint="name a contract, which says what each file should have",
    )


def _landed(scan: Scan, groups: list[_Group]) -> DataFrame:
    if not groups:
        return scan.spark.createDataFrame([], f"`{FILE}` string, `{RAW}` string, `{BAD}` {BAD_TYPE}")
    good = [g for g in groups if not g.wrong] or groups[:1]
    types: dict[str, t.DataType] = {}
    for group in good:
        for field in group.frame.schema.fields:
            known = types.get(field.name)
            types[field.name] = field.dataType if known is None or lossless(known, field.dataType) else known
    if scan.contract and len(good) > 1:
        types |= {f.name: f.dataType for f in struct(scan.contract).fields if f.name in types}
    frames = [_columns(_filtered(scan, g.frame), g, types) for g in groups]
    return reduce(DataFrame.unionAll, frames)


def _columns(frame: DataFrame, group: _Group, types: Mapping[str, t.DataType]) -> DataFrame:
    verdict = F.lit(None) if not group.wrong else F.struct(F.lit("schema_mismatch").alias("reason"), F.lit(group.wrong).alias("rule"))
    raw = F.lit(None) if not group.wrong else F.to_json(F.struct(*[F.col(quote(c)) for c in frame.columns]), dict(JSON_OPTIONS))
    return frame.select(
        F.input_file_name().alias(FILE),
        raw.cast("string").alias(RAW),
        verdict.cast(BAD_TYPE).alias(BAD),
        *[_column(frame, group, c, dtype) for c, dtype in types.items()],
    )


def _column(frame: DataFrame, group: _Group, name: str, dtype: t.DataType) -> Column:
    if group.wrong or name not in frame.columns:
        return F.lit(None).cast(dtype).alias(name)
    same = frame.schema[name].dataType.simpleString() == dtype.simpleString()
    return F.col(quote(name)) if same else F.col(quote(name)).cast(dtype).alias(name)


def _filtered(scan: Scan, frame: DataFrame) -> DataFrame:
    return frame if scan.filter is None else frame.where(scan.filter)


def stored_rows(data: DataFrame) -> int:
    """The rows that are really there: every page of every column is read, so that a count can't be answered by
    footers."""
    row = data.agg(F.count(F.lit(1)).alias("rows"), _touch(data).alias("touch")).first()
    return int(row["rows"]) if row else 0


def _touch(data: DataFrame) -> Column:
    """An aggregate that needs every value; maps have no hash of their own."""
    parts = [F.to_json(quote(f.name)) if "map<" in f.dataType.simpleString() else F.col(quote(f.name)) for f in data.schema.fields]
    return F.bit_xor(F.xxhash64(*parts)) if parts else F.lit(0)


def _wrong_files(scan: Scan, name: str, groups: list[_Group], feet: Mapping[str, Footer]) -> tuple[Finding, ...]:
    """The files that can't be read to their end, or hold other rows than their footers promise; all rows are read for
    it."""
    return tuple(found for group in groups for found in _search(scan, name, list(group.files), feet))


def _search(scan: Scan, name: str, files: list[str], feet: Mapping[str, Footer]) -> list[Finding]:
    data = scan.spark.read.format(name).load([spark_path(file) for file in files])
    try:
        counted = data.withColumn(FILE, F.input_file_name()).groupBy(FILE).agg(F.count(F.lit(1)).alias("rows"), _touch(data))
        rows = {row[FILE]: row["rows"] for row in counted.toLocalIterator()}
    except Exception as error:
        if len(files) == 1:
            return [Finding(files[0], "unreadable_file", short(error))]
        half = len(files) // 2
        return _search(scan, name, files[:half], feet) + _search(scan, name, files[half:], feet)
    return [
        Finding(file, "unreadable_file", f"its footer promises {feet[file].rows} rows, and it holds {rows.get(file, 0)}")
        for file in files
        if rows.get(file, 0) != feet[file].rows
    ]


def write(writer: DataFrameWriter, options: Mapping[str, str]) -> DataFrameWriter:
    """A writer of typed rows."""
    return writer.options(**options)


def unfit_orc(frame: DataFrame, by: tuple[str, ...]) -> Unfit | None:
    """Times in the last second before 1970, which ORC's own writer moves by a second."""
    times = [f.name for f in frame.schema.fields if isinstance(f.dataType, t.TimestampType) and f.name not in by]
    if not times:
        return None
    wrong = [F.expr(f"coalesce(unix_micros({quote(c)}) between -999999 and -1, false)") for c in times]
    what = f"{', '.join(times)}: orc moves times of the last second before 1970 by a second"
    return Unfit(reduce(Column.__or__, wrong), what, "write parquet")


_FEW = 16


def _raise(error: Exception) -> int:
    raise error


def count(spark: SparkSession, path: str, options: Mapping[str, str], *, name: str) -> int:
    """The rows that the staged footers promise: a few are read here, many in tasks."""
    hadoop = Hadoop.of(spark)
    files = [file.path for status in hadoop.glob(path) for file in hadoop.walk(status) if not file.hidden]
    if len(files) <= _FEW:
        feet = footers(hadoop, name, files).values()
        return sum(foot.rows if isinstance(foot, Footer) else _raise(foot) for foot in feet)
    return spark.read.format(name).option("recursiveFileLookup", "true").load(path).count()


PARQUET = Format("parquet", (".parquet", ".pq"), partial(land, name="parquet"), write, partial(count, name="parquet"),
                 fits=partial(fits_typed, name="parquet"))
ORC = Format("orc", (".orc",), partial(land, name="orc"), write, partial(count, name="orc"), unfit=unfit_orc,
             fits=partial(fits_typed, name="orc"))
