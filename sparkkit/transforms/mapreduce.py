"""MapReduce in the programming model of the original, over Spark: map, combine, shuffle by key, reduce, counters.

The user's functions are Python and run once per record, in Arrow batches; for counting words and the like the native
`sparkkit.transforms.text` is many times faster. Runs on classic and Spark Connect frames, from Spark 3.5 on, and needs
pandas and pyarrow (`sparkkit[pandas]`). What runs in the workers is shipped with the plan, so that they need PySpark,
pyarrow and whatever modules the user's functions import, but not sparkkit.
"""
from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sparkkit.errors import UsageError
from sparkkit.transforms import mapreduce_arrow, mapreduce_tasks
from sparkkit.transforms.mapreduce_tasks import Batches, Counters, Function, Plan, User
from sparkkit.transforms.shipping import by_value

if TYPE_CHECKING:
    from pyspark.sql import DataFrame
    from pyspark.sql.types import DataType, StructType

__all__ = ["Counted", "Counters", "Function", "map_reduce", "map_reduce_counted"]

COUNTER_TYPE = "struct<`group`:string,name:string,amount:bigint>"


@dataclass(frozen=True)
class Counted:
    """What `map_reduce_counted` gives: `results`, and `counters` (`group`, `name` string; `amount` bigint).

    Both are views of `both` (`result` and `counter`, one of them null in each row). Each is exact however often it is
    computed, but each runs the functions anew: persist or write `both` first where that is too dear.
    """

    results: DataFrame
    counters: DataFrame
    both: DataFrame


def map_reduce(
    df: DataFrame,
    mapper: Function,
    reducer: Function,
    combiner: Function | None = None,
    *,
    key_type: str = "string",
    value_type: str = "bigint",
    output: str | None = None,
    partitions: int | None = None,
    combine_pairs: int = 100_000,
) -> DataFrame:
    """Map each record to pairs, bring the pairs together by key, reduce each key's values to result rows.

    - `mapper(record)` yields `(key, value)` pairs; `record` is a Row of the frame (nested structs are Rows too).
    - `combiner(key, values)` yields `(key, value)` pairs; it runs map-side, any number of times, so it must not change
      what the reducer makes of the values (sums, minima and the like).
    - `reducer(key, values)` runs once for each key and yields tuples that fit `output`. `values` is an iterator, sorted
      by nothing, read as a stream: a key's values need not fit in memory. It may be left unfinished.
    - Each may have a parameter `counters`: see `map_reduce_counted`. Each may return None for "nothing".

    Keys are one group where Spark's `groupBy` says so: null with null, NaN with NaN, 0.0 with -0.0, arrays and structs
    by their parts. Timestamps arrive as aware datetimes in UTC. The result depends neither on the partitioning nor on
    the combiner, as long as the functions themselves do not. Result rows come in no order.

    Args:
        df: any batch frame.
        key_type: Spark DDL type of the keys, e.g. `struct<a:int,b:array<string>>`; a tuple, Row or dict fits a struct.
        value_type: Spark DDL type of the values.
        output: DDL of the result's columns; default `key <key_type>, value <value_type>`.
        partitions: number of reduce tasks; default Spark's shuffle partitions (coalesced by adaptive execution).
        combine_pairs: how many pairs a task's combiner holds before it combines them, and lets go.

    Raises:
        UsageError: pandas or pyarrow is missing, a type is unknown or can't be a key, a function takes the wrong
            parameters or can't be shipped, the frame is a stream. An error inside a function fails the Spark job; its
            message names the function and the record or key (cut at 200 characters).

    >>> from sparkkit.transforms.mapreduce import map_reduce
    >>> frame = spark.createDataFrame([("to be or",), ("not to be",)], "value string")
    >>> def words(record): return ((word, 1) for word in record.value.split())
    >>> def total(key, values): yield key, sum(values)
    >>> sorted(tuple(row) for row in map_reduce(frame, words, total, total).collect())
    [('be', 2), ('not', 1), ('or', 1), ('to', 2)]
    """
    counted = map_reduce_counted(
        df, mapper, reducer, combiner, key_type=key_type, value_type=value_type, output=output,
        partitions=partitions, combine_pairs=combine_pairs,
    )  # fmt: skip
    return counted.results


def map_reduce_counted(
    df: DataFrame,
    mapper: Function,
    reducer: Function,
    combiner: Function | None = None,
    *,
    key_type: str = "string",
    value_type: str = "bigint",
    output: str | None = None,
    partitions: int | None = None,
    combine_pairs: int = 100_000,
) -> Counted:
    """As `map_reduce`, with the totals of what the functions counted by `counters.increment(group, name, amount=1)`.

    The totals are exact. A task's counters are rows of its own output, so a task that is retried, lost or run twice at
    once counts once, as its results do (an accumulator would count it again, and Spark Connect has none). What a
    combiner counts depends on how often it runs.

    >>> from sparkkit.transforms.mapreduce import map_reduce_counted
    >>> frame = spark.createDataFrame([("to be",), ("",)], "value string")
    >>> def words(record, counters):
    ...     if not record.value: counters.increment("lines", "empty")
    ...     return ((word, 1) for word in record.value.split())
    >>> def total(key, values): yield key, sum(values)
    >>> map_reduce_counted(frame, words, total).counters.collect()
    [Row(group='lines', name='empty', amount=1)]
    """
    from pyspark.sql import functions as F

    _need_arrow()
    _check_frame(df, combine_pairs, partitions)
    plan = Plan(
        pairs=_types(df, f"key {key_type}, value {value_type}, counter {COUNTER_TYPE}", "key_type or value_type"),
        output=_types(df, output or f"key {key_type}, value {value_type}", "output"),
        mapper=_counting(mapper, "mapper", 1),
        combiner=_counting(combiner, "combiner", 2) if combiner else None,
        reducer=_counting(reducer, "reducer", 2),
        limit=combine_pairs,
        columns=tuple(df.columns),
    )
    _check_key(plan.pairs["key"].dataType, key_type)
    pairs = df.mapInArrow(_shipped(plan, "mapped"), plan.pairs)
    by_key = pairs.repartition(partitions, "key") if partitions else pairs.repartition("key")
    both = by_key.sortWithinPartitions("key").mapInArrow(_shipped(plan, "reduced"), plan.both)
    results = both.where("counter is null").select("result.*")
    counters = both.where("counter is not null").select("counter.*").groupBy("group", "name")
    return Counted(results, counters.agg(F.sum("amount").alias("amount")), both)


def _need_arrow() -> None:
    for name in ("pandas", "pyarrow"):
        try:
            importlib.import_module(name)
        except ImportError as error:
            hint = "install sparkkit with its extra [pandas], on the workers too"
            message = f"map_reduce needs pandas and pyarrow, and {name} can't be imported ({error})"
            raise UsageError(message, reason="extra_missing", hint=hint) from error


def _check_frame(df: DataFrame, combine_pairs: int, partitions: int | None) -> None:
    if df.isStreaming:
        raise UsageError("map_reduce can't run on a stream", hint="call it on a micro-batch (foreachBatch)")
    for name, value in (("combine_pairs", combine_pairs), ("partitions", partitions)):
        if value is not None and value < 1:
            raise UsageError(f"{name} is {value}", hint="give 1 or more")


def _types(df: DataFrame, ddl: str, what: str) -> StructType:
    """The parsed DDL, all nullable. By a cast on the frame: Python's own parser needs Spark 4 or a JVM."""
    from pyspark.errors import PySparkException
    from pyspark.sql import functions as F
    from pyspark.sql.types import StructType

    try:
        found = df.select(F.expr(f"cast(null as struct<{ddl}>)").alias("t")).schema["t"].dataType
    except PySparkException as error:
        reason = str(error).strip().splitlines()[0]
        hint = "write it as in 'word string, n bigint'"
        raise UsageError(f"{what} is not Spark DDL in {ddl!r} ({reason})", hint=hint) from error
    assert isinstance(found, StructType)
    if '"nullable":false' in found.json():
        raise UsageError(f"{what} says NOT NULL in {ddl!r}", hint="leave it out: keys and results may be null")
    return found


def _check_key(found: DataType, key_type: str) -> None:
    from pyspark.sql.types import ArrayType, MapType, StringType, StructType

    if isinstance(found, MapType):
        raise UsageError(f"key_type {key_type!r} holds a map, and maps have no order", hint="use an array of structs")
    if isinstance(found, StringType) and found != StringType():
        raise UsageError(f"key_type {key_type!r} has a collation", hint="use string, and fold the key in the mapper")
    for inner in [found.elementType] if isinstance(found, ArrayType) else []:
        _check_key(inner, key_type)
    for field in found.fields if isinstance(found, StructType) else []:
        _check_key(field.dataType, key_type)


def _counting(function: Function, role: str, arguments: int) -> User:
    """The function with its role, once it is sure that it can be called with its arguments."""
    name = getattr(function, "__qualname__", type(function).__name__)
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        return User(function, role, name, False)
    counts = "counters" in signature.parameters
    try:
        signature.bind(*[None] * arguments, **({"counters": None} if counts else {}))
    except TypeError as error:
        wanted = "(record)" if arguments == 1 else "(key, values)"
        hint = f"it is called as {role}{wanted}, and with counters= where it has that parameter"
        raise UsageError(f"{role} {name}{signature}: {error}", hint=hint) from error
    return User(function, role, name, counts)


def _shipped(plan: Plan, step: str) -> Callable[[Batches], Batches]:
    """`plan.<step>` as a function that a worker without sparkkit can load."""
    try:
        return by_value(getattr(plan, step), (mapreduce_tasks, mapreduce_arrow))
    except Exception as error:
        hint = "keep sessions, frames, open files and locks out of them"
        raise UsageError(f"the functions of map_reduce can't be sent to workers ({error})", hint=hint) from error
