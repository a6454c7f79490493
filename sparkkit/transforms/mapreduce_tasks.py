"""What runs in the tasks of `map_reduce`: the user's functions, the bounded combiner, the streaming reduce.

Workers need not have sparkkit: this module and `mapreduce_arrow` are shipped by value, and import nothing else of it.
"""
from __future__ import annotations

import itertools
import math
import operator
from collections.abc import Callable, Hashable, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sparkkit.transforms.mapreduce_arrow import arrow_type, brief, python, to_array

if TYPE_CHECKING:
    import pyarrow as pa
    from pyspark.sql.types import DataType, StructType

Function = Callable[..., Iterable[tuple[Any, ...]] | None]
Batches = Iterator["pa.RecordBatch"]
_ROWS = 10_000


class Counters:
    """The counters of one task, handed to a function that has a parameter `counters`."""

    def __init__(self) -> None:
        self.totals: dict[tuple[str, str], int] = {}

    def increment(self, group: str, name: str, amount: int = 1) -> None:
        """Add `amount` (may be negative) to the counter `name` of `group`."""
        self.totals[group, name] = self.totals.get((group, name), 0) + amount


@dataclass(frozen=True)
class User:
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
                    f"map_reduce: {self.role} {self.name} failed on {noun} {brief(given)}: "
                    f"{type(error).__name__}: {error}"
                ) from error

        return call


@dataclass(frozen=True)
class Plan:
    """What every task is given: the functions, the types of the pairs and of the output, and the combiner's bound."""

    pairs: StructType
    output: StructType
    mapper: User
    combiner: User | None
    reducer: User
    limit: int
    columns: tuple[str, ...]

    @property
    def both(self) -> StructType:
        """The reduce tasks' output: a result or a counter in each row."""
        from pyspark.sql.types import StructField, StructType

        return StructType([StructField("result", self.output), self.pairs["counter"]])

    def mapped(self, batches: Batches) -> Batches:
        """A map task: records in, pairs out, then the task's counters."""
        counters = Counters()
        mapper = self.mapper.bound(counters)
        pairs: Iterator[Any] = itertools.chain.from_iterable(map(mapper, _records(batches, self.columns)))
        if self.combiner:
            pairs = _combined(pairs, self.combiner.bound(counters), self.limit)
        made = self.combiner or self.mapper
        yield from _batched(pairs, self.pairs, made, 2, lambda columns: columns)
        yield from _counter_batch(counters, self.pairs)

    def reduced(self, batches: Batches) -> Batches:
        """A reduce task: pairs sorted by key in, results out, with the counters of both sides."""
        from pyarrow import StructArray

        counters = Counters()
        reducer = self.reducer.bound(counters)
        key_type = self.pairs["key"].dataType
        groups = itertools.groupby(_pairs(batches, counters), _key_of(key_type))
        results = itertools.chain.from_iterable(_reduce_each(reducer, groups))
        names = [field.name for field in self.output.fields]
        width = len(names)
        fields = list(arrow_type(self.output))

        def pack(columns: list[pa.Array]) -> list[pa.Array]:
            return [StructArray.from_arrays(columns, fields=fields)]

        yield from _batched(results, self.both, self.reducer, width, pack, self.output)
        yield from _counter_batch(counters, self.both)


def _reduce_each(reducer: Callable[..., Iterator[Any]], groups: Iterable[tuple[Any, Iterator[Any]]]) -> Iterator[Any]:
    for _, group in groups:
        key, first = next(group)
        yield reducer(key, itertools.chain((first,), (value for _, value in group)))


def _records(batches: Batches, columns: tuple[str, ...]) -> Iterator[Any]:
    from pyspark.sql import Row

    make = Row(*columns)
    for batch in batches:
        lists = [python(column) for column in batch.columns]
        yield from itertools.starmap(make, zip(*lists, strict=True) if lists else ((),) * batch.num_rows)


def _pairs(batches: Batches, counters: Counters) -> Iterator[tuple[Any, Any]]:
    """The pairs; rows that are counters go into `counters` instead."""
    for batch in batches:
        keys, values, counts = (batch.column(i) for i in range(3))
        rows = zip(python(keys), python(values), strict=True)
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
        raise RuntimeError(f"map_reduce: mapper or combiner yielded {brief(pair)}, not a (key, value) pair") from None
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
        return tuple((name, _frozen(value[name])) for name in sorted(value))
    if isinstance(value, (list, tuple)):
        return tuple(map(_frozen, value))
    return bytes(value) if isinstance(value, bytearray) else value


def _key_of(key_type: DataType) -> Callable[[tuple[Any, Any]], Any]:
    """What tells one key's pairs from the next: the key itself where Python's equality is Spark's."""
    from pyspark.sql.types import ArrayType, FractionalType, StructType

    if isinstance(key_type, (ArrayType, FractionalType, StructType)):
        return lambda pair: _frozen(pair[0])
    return operator.itemgetter(0)


def _batched(
    rows: Iterable[Any],
    schema: StructType,
    made: User,
    width: int,
    pack: Callable[[list[pa.Array]], list[pa.Array]],
    types: StructType | None = None,
) -> Batches:
    """Record batches of `schema`: each row's `width` values by `types`, packed into columns, with no counter."""
    import pyarrow as pa

    fields = (types or schema).fields[:width]
    counter = pa.field("counter", arrow_type(schema["counter"].dataType))
    rest = iter(rows)
    while chunk := list(itertools.islice(rest, _ROWS)):
        _check_width(chunk, width, made)
        lists = zip(*chunk, strict=True)
        typed = zip(lists, fields, strict=True)
        arrays = [to_array(list(values), f.name, f.dataType, f"{made.role} {made.name}") for values, f in typed]
        columns = [*pack(arrays), pa.nulls(len(chunk), counter.type)]
        yield pa.RecordBatch.from_arrays(columns, names=schema.names)


def _check_width(chunk: list[Any], width: int, made: User) -> None:
    for row in chunk:
        if not isinstance(row, (tuple, list)) or len(row) != width:
            raise RuntimeError(f"map_reduce: {made.role} {made.name} yielded {brief(row)}, not a tuple of {width}")


def _counter_batch(counters: Counters, schema: StructType) -> Batches:
    """The task's counters as the last rows of its output."""
    import pyarrow as pa

    if not counters.totals:
        return
    rows = [{"group": g, "name": n, "amount": amount} for (g, n), amount in counters.totals.items()]
    columns = [pa.nulls(len(rows), arrow_type(f.dataType)) for f in schema.fields[:-1]]
    columns.append(pa.array(rows, type=arrow_type(schema["counter"].dataType)))
    yield pa.RecordBatch.from_arrays(columns, names=schema.names)
