"""Column names and nested columns: snake_case and flatten, neither of which lets two columns become one."""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterator, Sequence

from pyspark.sql import Column, DataFrame
from pyspark.sql import types as T

from sparkkit.errors import UsageError
from sparkkit.transforms.names import col

__all__ = ["flatten", "snake", "snake_case"]


def snake(name: str) -> str:
    """A name in snake_case: lower case, words by `_`, letters and marks of every script kept.

    Law: the snake_case of a snake_case is itself.

    >>> snake("Country (ISO-3)"), snake("HTTPStatusCode"), snake("GrößeCm"), snake("2010")
    ('country_iso_3', 'http_status_code', 'größe_cm', '2010')
    """
    text = unicodedata.normalize("NFKC", name)
    text = _lower(re.sub(r"([^\W_])(?=[A-Z][a-z])|([a-z0-9])(?=[A-Z])", r"\1\2_", text))
    kept = (c if c.isalnum() or unicodedata.category(c).startswith("M") else "_" for c in text)
    return re.sub("_+", "_", "".join(kept)).strip("_")


def _lower(text: str) -> str:
    lowered = unicodedata.normalize("NFKC", text.lower())
    return lowered if lowered == text else _lower(lowered)


def snake_case(df: DataFrame) -> DataFrame:
    """All columns renamed by `snake`.

    Law: rows, values, types and the order of columns kept; applied twice it changes nothing more.

    Raises:
        UsageError: two columns would get one name, or one would have none.

    >>> spark.range(1).toDF("Country Name").transform(snake_case).columns
    ['country_name']
    """
    return df.toDF(*_one_each([(name, snake(name)) for name in df.columns], "columns.snake_case"))


def flatten(df: DataFrame, *, sep: str = "_") -> DataFrame:
    """Structs, however deep, replaced by their fields as columns `outer<sep>inner`.

    Law: rows and values kept; no struct is left outside arrays and maps, which stay as they are. A null struct and a
    struct of nulls look the same afterwards.

    Raises:
        UsageError: two columns would get one name (upper and lower case are one).

    >>> df = spark.sql("select 1 id, named_struct('a', 2, 'b', named_struct('c', 3)) s")
    >>> df.transform(flatten).collect()
    [Row(id=1, s_a=2, s_b_c=3)]
    """
    leaves = list(_leaves(df.schema, ()))
    names = _one_each([(".".join(path), sep.join(path)) for path in leaves], "columns.flatten")
    return df.select(*(_field(path).alias(name) for path, name in zip(leaves, names, strict=True)))


def _leaves(struct: T.StructType, path: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    for field in struct.fields:
        here = (*path, field.name)
        if isinstance(field.dataType, T.StructType):
            yield from _leaves(field.dataType, here)
        else:
            yield here


def _field(path: Sequence[str]) -> Column:
    column = col(path[0])
    for name in path[1:]:
        column = column.getField(name)
    return column


def _one_each(pairs: Sequence[tuple[str, str]], where: str) -> list[str]:
    sources: dict[str, list[str]] = defaultdict(list)
    for old, new in pairs:
        sources[new.lower()].append(old)
    for new, olds in sources.items():
        if not new or len(olds) > 1:
            what = f"columns {', '.join(map(repr, olds))} would " + (f"all be named {new!r}" if new else "have no name")
            raise UsageError(f"{where}: {what}", reason="column_collision", hint="rename by hand first")
    return [new for _, new in pairs]
