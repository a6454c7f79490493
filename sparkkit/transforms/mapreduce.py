"""MapReduce in the programming model of the original, over Spark: map, combine, shuffle by key, reduce, counters.

The user's functions are Python and run once per record, in Arrow batches; for counting words and the like the native
`sparkkit.transforms.text` is many times faster. Runs on classic and Spark Connect frames, from Spark 3.5 on, and needs
pandas and pyarrow (`sparkkit[pandas]`). What runs in the workers is shipped with the plan, so that they need PySpark,
pyarrow and whatever modules the user's functions import, but not sparkkit.
"""
from __future__ import annotations

import inspect
import itertools
import math
import sys
from collections.abc import Callable, Hashable, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sparkkit.errors import UsageError

if TYPE_CHECKING:
    import pyarrow as pa
    from pyspark.sql import DataFrame
    from pyspark.sql.types import DataType, StructType

Function = Callable[..., Iterable[tuple[Any, ...]] | None]
_Batches = Iterator["pa.RecordBatch"]

COUNTER_TYPE = "struct<`group`:string,name:string,amount:bigint>"
_ROWS = 10_000
_SHOWN = 200


@dataclass(frozen=True)
class Counted:
    """What `map_reduce_counted` gives: `results`, and `counters` (`group`, `name` string; `amount` bigint).

    Both are views of `both` (`result` and `counter`, one of them null in each row). Each is exact however often it is
    computed, but each runs the functions anew: persist or write `both` first where that is too dear.
    """

    results: DataFrame
    counters: DataFrame
    both: DataFrame


class Counters:
    """The counters of one task, handed to a function that has a parameter `counters`."""

    def __init__(self) -> None:
        self.totals: dict[tuple[str, str], int] = {}

    def increment(self, group: str, name: str, amount: int = 1) -> None:
        """Add `amount` (may be negative) to the counter `name` of `group`."""
        self.totals[group, name] = self.totals.get((group, name), 0) + amount


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

    Keys are one group where Spark's `groupBy` says so: null with null, NaN with NaN, 0.0 with -0.0, arrays and structs by
    their parts. Timestamps arrive as aware datetimes in UTC. The result depends neither on the partitioning nor on
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
    plan = _Plan(
        pairs=_types(f"key {key_type}, value {value_type}, counter {COUNTER_TYPE}", "key_type or value_type"),
        output=_types(output or f"key {key_type}, value {value_type}", "output"),
        mapper=_counting(mapper, "mapper", 1),
        combiner=_counting(combiner, "combiner", 2) if combiner else None,
        reducer=_counting(reducer, "reducer", 2),
        limit=combine_pairs,
        columns=tuple(df.columns),
    )
    _check_key(plan.pairs["key"].dataType, key_type)
    pairs = df.mapInArrow(_shipped(plan, "mapped"), plan.pairs)  # type: ignore[arg-type]
    by_key = pairs.repartition(partitions, "key") if partitions else pairs.repartition("key")
    both = by_key.sortWithinPartitions("key").mapInArrow(_shipped(plan, "reduced"), plan.both)  # type: ignore[arg-type]
    results = both.where("counter is null").select("result.*")
    counters = both.where("counter is not null").select("counter.*").groupBy("group", "name")
    return Counted(results, counters.agg(F.sum("amount").alias("amount")), both)


# --- checks, on the driver -------------------------------------------------------------------------------------------


def _need_arrow() -> None:
    try:
        import pandas
        import pyarrow  # noqa: F401
    except ImportError as error:
        raise UsageError(
            f"map_reduce needs pandas and pyarrow, and {error.name} is missing",
            reason="extra_missing",
            hint="pip install 'sparkkit[pandas]', on the workers too",
        ) from error
    del pandas


def _check_frame(df: DataFrame, combine_pairs: int, partitions: int | None) -> None:
    if df.isStreaming:
        raise UsageError("map_reduce can't run on a stream", hint="call it on a micro-batch (foreachBatch)")
    for name, value in (("combine_pairs", combine_pairs), ("partitions", partitions)):
        if value is not None and value < 1:
            raise UsageError(f"{name} is {value}", hint="give 1 or more")


def _types(ddl: str, what: str) -> StructType:
    from pyspark.sql.types import StructType

    try:
        found = _parse(ddl)
    except Exception as error:  # Spark's own parser names the place; the kind of error differs by version
        reason = str(error).strip().splitlines()
        raise UsageError(f"{what} is not Spark DDL in {ddl!r} ({reason[0] if reason else error!r})") from error
    if not isinstance(found, StructType):
        raise UsageError(f"{what} is {ddl!r}", hint="give columns with types, such as 'word string, count bigint'")
    return found


def _parse(ddl: str) -> DataType:
    from pyspark.sql.types import StructType

    return StructType.fromDDL(ddl)


def _check_key(found: DataType, key_type: str) -> None:
    from pyspark.sql.types import ArrayType, MapType, StringType, StructType

    if isinstance(found, MapType):
        raise UsageError(f"key_type {key_type!r} holds a map, and maps have no order", hint="use an array of structs")
    if isinstance(found, StringType) and getattr(found, "collationId", 0):
        raise UsageError(f"key_type {key_type!r} has a collation", hint="use string, and fold the key in the mapper")
    for inner in [found.elementType] if isinstance(found, ArrayType) else []:
        _check_key(inner, key_type)
    for field in found.fields if isinstance(found, StructType) else []:
        _check_key(field.dataType, key_type)


def _counting(function: Function, role: str, arguments: int) -> _User:
    """The function with its role, once it is sure that it can be called with its arguments."""
    name = getattr(function, "__qualname__", type(function).__name__)
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        return _User(function, role, name, False)
    counts = "counters" in signature.parameters
    try:
        signature.bind(*[None] * arguments, **({"counters": None} if counts else {}))
    except TypeError as error:
        wanted = "(record)" if arguments == 1 else "(key, values)"
        hint = f"it is called as {role}{wanted}, and with counters= where it has that parameter"
        raise UsageError(f"{role} {name}{signature}: {error}", hint=hint) from error
    return _User(function, role, name, counts)


def _shipped(plan: _Plan, step: str) -> Callable[[_Batches], _Batches]:
    """`plan.<step>` as a function that a worker without sparkkit can load."""
    from pyspark import cloudpickle

    module = sys.modules[__name__]
    known = __name__ in cloudpickle.list_registry_pickle_by_value()
    if not known:
        cloudpickle.register_pickle_by_value(module)
    try:
        payload: bytes = cloudpickle.dumps(getattr(plan, step))
    except Exception as error:
        hint = "keep sessions, frames, open files and locks out of them"
        raise UsageError(f"the functions of map_reduce can't be sent to workers ({error})", hint=hint) from error
    finally:
        if not known:
            cloudpickle.unregister_pickle_by_value(module)

    def run(batches: _Batches) -> _Batches:
        from pyspark import cloudpickle

        found: Callable[[_Batches], _Batches] = cloudpickle.loads(payload)
        return found(batches)

    return run


# --- in the workers: everything below is shipped by value ------------------------------------------------------------


@dataclass(frozen=True)
class _User:
    """A function of the user, with what messages call it."""

    function: Function
    role: str
    name: str
    counts: bool

    def bound(self, counters: Counters) -> Callable[..., Iterator[tuple[Any, ...]]]:
        """The function as a generator whose errors name it and what it was given."""
        extra: dict[str, Any] = {"counters": counters} if self.counts else {}
        function = self.function

        def call(given: Any, *more: Any) -> Iterator[tuple[Any, ...]]:
            try:
                yield from function(given, *more, **extra) or ()
            except Exception as error:
                noun = "record" if self.role == "mapper" else "key"
                raise RuntimeError(
                    f"map_reduce: {self.role} {self.name} failed on {noun} {_brief(given)}: "
                    f"{type(error).__name__}: {error}"
                ) from error

        return call


@dataclass(frozen=True)
class _Plan:
    pairs: StructType
    output: StructType
    mapper: _User
    combiner: _User | None
    reducer: _User
    limit: int
    columns: tuple[str, ...]

    @property
    def both(self) -> StructType:
        """The reduce tasks' output: a result or a counter in each row."""
        from pyspark.sql.types import StructField, StructType

        return StructType([StructField("result", self.output), self.pairs["counter"]])

    def mapped(self, batches: _Batches) -> _Batches:
        """A map task: records in, pairs out, then the task's counters."""
        counters = Counters()
        mapper = self.mapper.bound(counters)
        pairs = itertools.chain.from_iterable(map(mapper, _records(batches, self.columns)))
        if self.combiner:
            pairs = _combined(pairs, self.combiner.bound(counters), self.limit)
        made = self.combiner or self.mapper
        yield from _batched(pairs, self.pairs, made, 2, lambda columns: columns)
        yield from _counter_batch(counters, self.pairs)

    def reduced(self, batches: _Batches) -> _Batches:
        """A reduce task: pairs sorted by key in, results out, with the counters of both sides."""
        from pyarrow import StructArray

        counters = Counters()
        reducer = self.reducer.bound(counters)
        key_type = self.pairs["key"].dataType
        groups = itertools.groupby(_pairs(batches, counters), _key_of(key_type))
        results = itertools.chain.from_iterable(_reduce_each(reducer, groups))
        names = [field.name for field in self.output.fields]
        width = len(names)
        fields = list(_arrow_type(self.output))

        def pack(columns: list[pa.Array]) -> list[pa.Array]:
            return [StructArray.from_arrays(columns, fields=fields)]

        yield from _batched(results, self.both, self.reducer, width, pack, self.output)
        yield from _counter_batch(counters, self.both)


def _reduce_each(reducer: Callable[..., Iterator[Any]], groups: Iterable[tuple[Any, Iterator[Any]]]) -> Iterator[Any]:
    for _, group in groups:
        key, first = next(group)
        yield reducer(key, itertools.chain((first,), (value for _, value in group)))


def _records(batches: _Batches, columns: tuple[str, ...]) -> Iterator[Any]:
    from pyspark.sql import Row

    make = Row(*columns)
    for batch in batches:
        lists = [_python(column) for column in batch.columns]
        yield from itertools.starmap(make, zip(*lists, strict=True) if lists else ((),) * batch.num_rows)


def _pairs(batches: _Batches, counters: Counters) -> Iterator[tuple[Any, Any]]:
    """The pairs; rows that are counters go into `counters` instead."""
    for batch in batches:
        keys, values, counts = (batch.column(i) for i in range(3))
        rows = zip(_python(keys), _python(values), strict=True)
        if counts.null_count == len(counts):
            yield from rows
            continue
        for row, count in zip(rows, counts.to_pylist(), strict=True):
            if count is None:
                yield row
            else:
                counters.increment(count["group"], count["name"], count["amount"])


def _combined(pairs: Iterable[Any], combiner: Callable[..., Iterator[Any]], limit: int) -> Iterator[Any]:
    """Combine in a bounded buffer: at `limit` pairs combine; where that left more than half, let go of them all."""
    held: dict[Hashable, tuple[Any, list[Any]]] = {}
    count = 0
    for pair in pairs:
        _hold(held, pair)
        count += 1
        if count >= limit:
            out = _combine_all(held, combiner)
            held.clear()
            if len(out) > limit // 2:
                yield from out
                out = []
            for done in out:
                _hold(held, done)
            count = len(out)
    yield from _combine_all(held, combiner)


def _hold(held: dict[Hashable, tuple[Any, list[Any]]], pair: Any) -> None:
    try:
        key, value = pair
    except (TypeError, ValueError):
        raise RuntimeError(f"map_reduce: mapper or combiner yielded {_brief(pair)}, not a (key, value) pair") from None
    try:
        entry = held.get(key)
        hashed = key
    except TypeError:  # a list, a dict, a Row with a list in it
        hashed = _frozen(key)
        entry = held.get(hashed)
    if entry is None:
        held[hashed] = (key, [value])
    else:
        entry[1].append(value)


def _combine_all(held: dict[Hashable, tuple[Any, list[Any]]], combiner: Callable[..., Iterator[Any]]) -> list[Any]:
    return [pair for key, values in held.values() for pair in combiner(key, iter(values))]


def _frozen(value: Any) -> Hashable:
    """A hashable stand-in, equal where Spark's groupBy holds two keys of one type for equal."""
    if isinstance(value, float) and math.isnan(value):
        return ("NaN",)
    if isinstance(value, dict):
        return tuple(_frozen(item) for item in value.values())
    if isinstance(value, (list, tuple)):
        return tuple(map(_frozen, value))
    return bytes(value) if isinstance(value, bytearray) else value  # type: ignore[no-any-return]


def _key_of(key_type: DataType) -> Callable[[tuple[Any, Any]], Any]:
    """What tells one key's pairs from the next: the key itself where Python's equality is Spark's."""
    import operator

    from pyspark.sql.types import ArrayType, FractionalType, StructType

    if isinstance(key_type, (ArrayType, FractionalType, StructType)):
        return lambda pair: _frozen(pair[0])
    return operator.itemgetter(0)


# --- Arrow to Python and back ----------------------------------------------------------------------------------------


def _python(column: pa.Array) -> list[Any]:
    """Python values: structs as Rows, maps as dicts, zoned timestamps as datetimes in UTC (equality needs one zone)."""
    import pyarrow.types as is_

    if is_.is_timestamp(column.type) and column.type.tz:
        from pyarrow import timestamp

        return column.cast(timestamp(column.type.unit, "UTC")).to_pylist()
    found = column.to_pylist()
    if not is_.is_nested(column.type):
        return found
    convert = _converter(column.type)
    return [convert(value) for value in found]


def _converter(kind: pa.DataType) -> Callable[[Any], Any]:
    import datetime

    import pyarrow.types as is_
    from pyspark.sql import Row

    if is_.is_struct(kind):
        make, inner = Row(*[f.name for f in kind]), [_converter(f.type) for f in kind]
        return lambda v: None if v is None else make(*[f(x) for f, x in zip(inner, v.values(), strict=True)])
    if is_.is_map(kind):
        key, item = _converter(kind.key_type), _converter(kind.item_type)
        return lambda v: None if v is None else {key(k): item(x) for k, x in v}
    if is_.is_list(kind) or is_.is_large_list(kind):
        each = _converter(kind.value_type)
        return lambda v: None if v is None else [each(x) for x in v]
    if is_.is_timestamp(kind) and kind.tz:
        return lambda v: None if v is None else v.astimezone(datetime.timezone.utc)
    return lambda v: v


def _arrow_type(kind: DataType) -> pa.DataType:
    import pyarrow as pa
    from pyspark.sql.pandas.types import to_arrow_type
    from pyspark.sql.types import ArrayType, MapType, StructType

    if isinstance(kind, StructType):
        return pa.struct([pa.field(f.name, _arrow_type(f.dataType), f.nullable) for f in kind.fields])
    if isinstance(kind, ArrayType):
        return pa.list_(_arrow_type(kind.elementType))
    if isinstance(kind, MapType):
        return pa.map_(_arrow_type(kind.keyType), _arrow_type(kind.valueType))
    return to_arrow_type(kind)


def _plain(kind: DataType) -> Callable[[Any], Any] | None:
    """How a Python value is put for pyarrow (structs as dicts, maps as pairs), or None where it can go as it is."""
    from pyspark.sql.types import ArrayType, MapType, StructType

    if isinstance(kind, StructType):
        return _plain_struct(kind)
    if isinstance(kind, ArrayType):
        each = _plain(kind.elementType)
        return (lambda v: None if v is None else [each(x) for x in v]) if each else None
    if isinstance(kind, MapType):
        key, item = (_plain(k) or (lambda v: v) for k in (kind.keyType, kind.valueType))
        return lambda v: None if v is None else [(key(k), item(x)) for k, x in dict(v).items()]
    return None


def _plain_struct(kind: StructType) -> Callable[[Any], Any]:
    names = kind.names
    inner = [_plain(f.dataType) or (lambda v: v) for f in kind.fields]

    def convert(value: Any) -> Any:
        if value is None:
            return None
        if isinstance(value, dict):
            if set(value) != set(names):
                raise ValueError(f"fields {sorted(value)}, expected {names}")
            value = [value[name] for name in names]
        return {name: f(x) for name, f, x in zip(names, inner, value, strict=True)}

    return convert


def _batched(
    rows: Iterable[Any],
    schema: StructType,
    made: _User,
    width: int,
    pack: Callable[[list[pa.Array]], list[pa.Array]],
    types: StructType | None = None,
) -> _Batches:
    """Record batches of `schema`: each row's `width` values by `types`, packed into columns, with no counter."""
    import pyarrow as pa

    fields = (types or schema).fields[:width]
    counter = pa.field("counter", _arrow_type(schema["counter"].dataType))
    rest = iter(rows)
    while chunk := list(itertools.islice(rest, _ROWS)):
        _check_width(chunk, width, made)
        lists = zip(*chunk, strict=True)
        arrays = [_array(list(values), f.name, f.dataType, made) for values, f in zip(lists, fields, strict=True)]
        columns = [*pack(arrays), pa.nulls(len(chunk), counter.type)]
        yield pa.RecordBatch.from_arrays(columns, names=schema.names)


def _check_width(chunk: list[Any], width: int, made: _User) -> None:
    for row in chunk:
        if not isinstance(row, (tuple, list)) or len(row) != width:
            raise RuntimeError(f"map_reduce: {made.role} {made.name} yielded {_brief(row)}, not a tuple of {width}")


def _array(values: list[Any], name: str, kind: DataType, made: _User) -> pa.Array:
    import pyarrow as pa

    plain, arrow = _plain(kind), _arrow_type(kind)
    try:
        return pa.array([plain(v) for v in values] if plain else values, type=arrow)
    except Exception as error:
        bad = next((v for v in values if not _fits(v, plain, arrow)), values)
        raise RuntimeError(
            f"map_reduce: {made.role} {made.name} yielded {name} {_brief(bad)}, "
            f"which is not {kind.simpleString()}: {error}"
        ) from error


def _fits(value: Any, plain: Callable[[Any], Any] | None, arrow: pa.DataType) -> bool:
    import pyarrow as pa

    try:
        pa.array([plain(value) if plain else value], type=arrow)
    except Exception:
        return False
    return True


def _counter_batch(counters: Counters, schema: StructType) -> _Batches:
    """The task's counters as the last rows of its output."""
    import pyarrow as pa

    if not counters.totals:
        return
    rows = [{"group": g, "name": n, "amount": amount} for (g, n), amount in counters.totals.items()]
    columns = [pa.nulls(len(rows), _arrow_type(f.dataType)) for f in schema.fields[:-1]]
    columns.append(pa.array(rows, type=_arrow_type(schema["counter"].dataType)))
    yield pa.RecordBatch.from_arrays(columns, names=schema.names)


def _brief(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "…"
