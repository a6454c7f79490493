"""What a frame holds, in one aggregation whose memory is bounded: counts, nulls, distinct values, range, quantiles, top values, histogram.

Exact are counts, nulls, NaN, lengths, min, max and mean. Distinct values are estimated (HyperLogLog++, standard error 5 %), quantiles
too (a rank is off by at most 0.1 % of the rows), and so are top values (a count is off by at most 0.1 % of the rows; before Spark 4.1
they are counted exactly, in a second pass). Texts are cut to 100 characters. Fields of structs are columns of their own, by path;
arrays, maps and binary columns are told by their sizes.
"""
from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pyspark.sql import DataFrame
from pyspark.sql import types as t

from sparkkit.checks.results import plain
from sparkkit.errors import UsageError, nearest
from sparkkit.schema.landing import BAD, LANDING
from sparkkit.schema.types import ddl, quote

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
TOP, TRACKED, BINS, CUT = 5, 4096, 10, 100
_NUMERIC = (t.NumericType,)
_ORDERED = (t.NumericType, t.DateType, t.TimestampType, t.TimestampNTZType)


@dataclass(frozen=True)
class Field:
    """A column, or a field in one: its path for people, its place in the profiled frame, its type."""

    name: str
    at: str
    type: t.DataType


def fields(schema: t.StructType, columns: Sequence[str] = ()) -> tuple[list[Field], list[str]]:
    """The fields to profile, and for each the SQL text that selects it.

    Raises:
        UsageError: a column that is not there.

    >>> from sparkkit.schema.types import parse
    >>> [f.name for f in fields(parse("struct<a:int,s:struct<b:string,c:array<int>>>"))[0]]
    ['a', 's.b', 's.c']
    """
    known = [f.name for f in schema.fields if f.name not in LANDING]
    for name in columns:
        if name not in known:
            close = nearest(name, known)
            raise UsageError(f"there is no column {name!r}", reason="no_column", hint=f"did you mean {close!r}?" if close else None)
    found = [leaf for f in schema.fields if f.name in (columns or known) for leaf in _leaves(f.name, quote(f.name), f.dataType)]
    return [Field(name, f"c{i}", dtype) for i, (name, _, dtype) in enumerate(found)], [sql for _, sql, _ in found]


def _leaves(name: str, sql: str, dtype: t.DataType) -> Iterator[tuple[str, str, t.DataType]]:
    if isinstance(dtype, t.StructType):
        for f in dtype.fields:
            yield from _leaves(f"{name}.{f.name}", f"{sql}.{quote(f.name)}", f.dataType)
    else:
        yield name, sql, dtype


def chosen(frame: DataFrame, some: Sequence[Field], texts: Sequence[str]) -> DataFrame:
    """The fields by their places, null in a row that could not be read, and `bad` for such a row (a header line is none). Times are those
    of the session's zone: a driver would be given them in its own."""
    texts = [f"cast({sql} as timestamp_ntz)" if isinstance(f.type, t.TimestampType) else sql for f, sql in zip(some, texts, strict=True)]
    if BAD not in frame.columns:
        return frame.selectExpr("false as bad", "false as header", *[f"{sql} as {f.at}" for f, sql in zip(some, texts, strict=True)])
    values = [f"case when {BAD} is null then {sql} end as {f.at}" for f, sql in zip(some, texts, strict=True)]
    return frame.selectExpr(f"{BAD} is not null as bad", f"coalesce({BAD}.reason = 'header', false) as header", *values)


def asked(some: Sequence[Field], *, top: bool) -> list[str]:
    """The aggregates, as SQL texts with aliases; `top` says whether this Spark knows approx_top_k."""
    found = ["count_if(not header) as rows", "count_if(bad and not header) as bad"]
    for field in some:
        found += [f"{sql} as {field.at}_{name}" for name, sql in _aggregates(field, top).items()]
    return found


def _aggregates(field: Field, top: bool) -> dict[str, str]:
    at, dtype = field.at, field.type
    size = _size(dtype, at)
    found = {"nulls": f"count_if(not bad and {at} is null)"}
    if not isinstance(dtype, (t.MapType, t.ArrayType)):
        found["distinct"] = f"approx_count_distinct({at})"
    if size:
        found |= {"min_length": f"min({size})", "max_length": f"max({size})", "mean_length": f"avg({size})"}
    if isinstance(dtype, (t.FloatType, t.DoubleType)):
        found["nan"] = f"count_if(isnan({at}))"
        at = f"nullif({at}, cast('NaN' as {ddl(dtype)}))"
    if isinstance(dtype, (*_ORDERED, t.BooleanType)):
        found |= {"min": f"min({at})", "max": f"max({at})"}
    if isinstance(dtype, t.StringType):
        found |= {"min": f"min(substring({at}, 1, {CUT}))", "max": f"max(substring({at}, 1, {CUT}))"}
    if isinstance(dtype, _ORDERED):
        found["quantiles"] = f"percentile_approx({at}, array({', '.join(map(str, QUANTILES))}), 1000)"
    if isinstance(dtype, _NUMERIC):
        number = f"cast({at} as double)"
        found |= {"mean": f"avg({number})", "stddev": f"stddev_samp({number})", "histogram": f"histogram_numeric({number}, {BINS})"}
    if top and has_top(field):
        found["top"] = f"approx_top_k({_counted(field)}, {TOP}, {TRACKED})"
    return found


def _size(dtype: t.DataType, at: str) -> str:
    if isinstance(dtype, (t.StringType, t.BinaryType)):
        return f"length({at})"
    return f"case when {at} is not null then size({at}) end" if isinstance(dtype, (t.ArrayType, t.MapType)) else ""


def has_top(field: Field) -> bool:
    """Whether the values of a field are such that the most frequent ones say something."""
    return isinstance(field.type, (*_ORDERED, t.StringType, t.BooleanType))


def _counted(field: Field) -> str:
    return f"substring({field.at}, 1, {CUT})" if isinstance(field.type, t.StringType) else field.at


def tops(rows: DataFrame, some: Sequence[Field]) -> DataFrame:
    """For a Spark without approx_top_k: `at`, `value`, `n` of the most frequent values of each field, exactly, by one shuffle."""
    pairs = ", ".join(f"named_struct('at', '{f.at}', 'value', cast({_counted(f)} as string))" for f in some if has_top(f))
    each = rows.selectExpr(f"explode(array({pairs})) as p").selectExpr("p.at", "p.value").where("value is not null")
    counted = each.groupBy("at", "value").agg({"*": "count"}).toDF("at", "value", "n")
    placed = counted.selectExpr("*", "row_number() over (partition by at order by n desc, value) as place")
    return placed.where(f"place <= {TOP}").drop("place")


def told(some: Sequence[Field], row: Mapping[str, Any], top: Mapping[str, Sequence[tuple[Any, int]]]) -> list[dict[str, Any]]:
    """One mapping a field, as JSON has it; `top` gives the top values by place where the row does not."""
    return [_told(field, row, top) for field in some]


def _told(field: Field, row: Mapping[str, Any], top: Mapping[str, Sequence[tuple[Any, int]]]) -> dict[str, Any]:
    own = {k.removeprefix(f"{field.at}_"): v for k, v in row.items() if k.startswith(f"{field.at}_")}
    found: dict[str, Any] = {"column": field.name, "type": ddl(field.type), "count": row["rows"] - row["bad"] - own["nulls"], **own}
    if "quantiles" in own:
        values = own["quantiles"] or [None] * len(QUANTILES)
        found["quantiles"] = {str(q): plain(v) for q, v in zip(QUANTILES, values, strict=True)}
    if "histogram" in own:
        found["histogram"] = [{"at": plain(bar["x"]), "rows": round(bar["y"])} for bar in own["histogram"] or ()]
    pairs = [(one["item"], one["count"]) for one in own["top"] or ()] if "top" in own else top.get(field.at, ())
    found["top"] = [{"value": plain(value), "rows": n} for value, n in pairs if value is not None]
    return {key: plain(value) for key, value in found.items()}
