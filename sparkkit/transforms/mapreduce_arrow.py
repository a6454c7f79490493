"""Arrow to Python values and back, for `map_reduce`: shipped to workers by value, so it imports nothing of sparkkit."""
from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa
    from pyspark.sql.types import DataType, StructType

_SHOWN = 200


def python(column: pa.Array) -> list[Any]:
    """Python values: structs as Rows, maps as dicts, zoned timestamps as datetimes in UTC (equality needs one zone)."""
    import pyarrow.types as is_

    if is_.is_timestamp(column.type) and column.type.tz:
        from pyarrow import timestamp

        return list(column.cast(timestamp(column.type.unit, "UTC")).to_pylist())
    found = list(column.to_pylist())
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
        return lambda v: None if v is None else v.astimezone(datetime.UTC)
    return lambda v: v


def arrow_type(kind: DataType) -> pa.DataType:
    """Arrow's type for a Spark type, as workers exchange it: timestamps with a zone in UTC."""
    import pyarrow as pa
    from pyspark.sql.pandas.types import to_arrow_type
    from pyspark.sql.types import ArrayType, MapType, StructType, TimestampType

    if isinstance(kind, StructType):
        return pa.struct([pa.field(f.name, arrow_type(f.dataType)) for f in kind.fields])
    if isinstance(kind, ArrayType):
        return pa.list_(arrow_type(kind.elementType))
    if isinstance(kind, MapType):
        return pa.map_(arrow_type(kind.keyType), arrow_type(kind.valueType))
    if isinstance(kind, TimestampType):  # PySpark's own wants the session's zone here, from Spark 4.1 on
        return pa.timestamp("us", "UTC")
    return to_arrow_type(kind)


def plain(kind: DataType) -> Callable[[Any], Any] | None:
    """How a Python value is put for pyarrow (structs as dicts, maps as pairs), or None where it can go as it is."""
    from pyspark.sql.types import ArrayType, MapType, StructType

    if isinstance(kind, StructType):
        return _plain_struct(kind)
    if isinstance(kind, ArrayType):
        each = plain(kind.elementType)
        return (lambda v: None if v is None else [each(x) for x in v]) if each else None
    if isinstance(kind, MapType):
        key, item = (plain(k) or (lambda v: v) for k in (kind.keyType, kind.valueType))
        return lambda v: None if v is None else [(key(k), item(x)) for k, x in dict(v).items()]
    return None


def _plain_struct(kind: StructType) -> Callable[[Any], Any]:
    names = kind.names
    inner = [plain(f.dataType) or (lambda v: v) for f in kind.fields]

    def convert(value: Any) -> Any:
        if value is None:
            return None
        if isinstance(value, dict):
            if set(value) != set(names):
                raise ValueError(f"fields {sorted(value)}, expected {names}")
            value = [value[name] for name in names]
        return {name: f(x) for name, f, x in zip(names, inner, value, strict=True)}

    return convert


def to_array(values: list[Any], name: str, kind: DataType, made: str) -> pa.Array:
    """Values as an Arrow array of a Spark type; a `TypeError` names the first that does not fit, and `made`, who made it."""
    import pyarrow as pa

    convert, arrow = plain(kind), arrow_type(kind)
    try:
        return pa.array([convert(v) for v in values] if convert else values, type=arrow)
    except Exception as error:
        bad = next((v for v in values if not _fits(v, convert, arrow)), values)
        raise RuntimeError(
            f"map_reduce: {made} yielded {name} {brief(bad)}, "
            f"which is not {kind.simpleString()}: {error}"
        ) from error


def _fits(value: Any, convert: Callable[[Any], Any] | None, arrow: pa.DataType) -> bool:
    import pyarrow as pa

    try:
        pa.array([convert(value) if convert else value], type=arrow)
    except Exception:
        return False
    return True


def brief(value: Any) -> str:
    """A value as a message shows it, cut short."""
    text = repr(value)
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "…"
