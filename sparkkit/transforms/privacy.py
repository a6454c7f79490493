"""Personal data made unreadable: a keyed hash that still joins, and a mask that people can still recognise."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql import types as T

from sparkkit.errors import UsageError
from sparkkit.transforms.names import col, need, type_of
from sparkkit.transforms.widen import INTEGRAL

__all__ = ["mask", "pseudonymise"]

_BLOCK = 64  # bytes, of SHA-256


def pseudonymise(df: DataFrame, *, columns: str | Sequence[str], key: bytes) -> DataFrame:
    """The columns replaced by HMAC-SHA256 of their text, as 64 hex digits (RFC 2104; a plain hash of a phone number is
    found by trying them all).

    Law: rows and columns kept; null stays null; equal texts give equal hashes, so joins still work; each is what
    Python's `hmac.new(key, text, "sha256").hexdigest()` gives. The integer 1 and the text "1" hash alike.
    The key travels as a local row, never as a literal, so that it is not in the plan, the event log or the UI.

    Args:
        df: the rows.
        columns: strings, binaries, integers or dates; cast others to string first.
        key: a secret of at least 16 bytes, from the environment or a secret store, never from code.

    Raises:
        UsageError: unknown columns, another type, or a short key.

    >>> import hmac
    >>> df = spark.createDataFrame([("Anna",), (None,)], "name string")
    >>> key = b"not a real secret"
    >>> hidden = [row.name for row in df.transform(pseudonymise, columns="name", key=key).collect()]
    >>> hidden == [hmac.new(key, b"Anna", "sha256").hexdigest(), None]
    True
    """
    names = need(df, columns, where="privacy.pseudonymise columns", some=True)
    for name in names:
        kind = type_of(df, name)
        if not (isinstance(kind, (T.StringType, T.BinaryType, T.DateType)) or type(kind) in INTEGRAL):
            raise UsageError(
                f"privacy.pseudonymise: {name!r} is a {kind.simpleString()}", hint="cast it to string first"
            )
    if len(key) < 16:
        raise UsageError(f"privacy.pseudonymise: the key has {len(key)} bytes", hint="give at least 16 random ones")
    keyed = df.crossJoin(F.broadcast(_key_row(df, key)))
    return _replaced(keyed, df.columns, names, lambda name: _hmac(_bytes(df, name)))


def _bytes(df: DataFrame, name: str) -> Column:
    return col(name) if isinstance(type_of(df, name), T.BinaryType) else col(name).cast("string").cast("binary")


def _key_row(df: DataFrame, key: bytes) -> DataFrame:
    import hashlib

    block = (hashlib.sha256(key).digest() if len(key) > _BLOCK else key).ljust(_BLOCK, b"\0")
    pads = tuple(bytearray(byte ^ pad for byte in block) for pad in (0x36, 0x5C))
    return df.sparkSession.createDataFrame([pads], "_sparkkit_inner binary, _sparkkit_outer binary")


def _hmac(message: Column) -> Column:
    inner = F.sha2(F.concat(F.col("_sparkkit_inner"), message), 256)
    return F.sha2(F.concat(F.col("_sparkkit_outer"), F.unhex(inner)), 256)


def mask(df: DataFrame, *, columns: str | Sequence[str], keep: int = 4, char: str = "*") -> DataFrame:
    """The columns' characters replaced by `char`, but for the last `keep` of values longer than `keep`.

    Law: rows, columns and lengths (in code points) kept; null stays null; at most `keep` characters stay, and none of a
    value that has no more than `keep` (it would be shown whole).

    Raises:
        UsageError: unknown columns, a column that is not a string, `keep` below 0, or `char` not one character.

    >>> df = spark.createDataFrame([("4111111111111234",), ("1234",), (None,)], "card string")
    >>> [row.card for row in df.transform(mask, columns="card").collect()]
    ['************1234', '****', None]
    """
    names = need(df, columns, where="privacy.mask columns", some=True)
    for name in names:
        if not isinstance(type_of(df, name), T.StringType):
            raise UsageError(
                f"privacy.mask: {name!r} is a {type_of(df, name).simpleString()}", hint="cast it to string first"
            )
    if keep < 0 or len(char) != 1:
        raise UsageError(f"privacy.mask: keep is {keep}, char is {char!r}", hint="keep 0 or more, and one character")
    hidden = "\\" + char if char in "\\$" else char

    def masked(name: str) -> Column:
        long = F.char_length(col(name)) > keep
        ahead = F.regexp_replace(col(name), f"(?s).(?=.{{{keep}}})", hidden)
        return F.when(long, ahead).otherwise(F.regexp_replace(col(name), "(?s).", hidden))

    return _replaced(df, df.columns, names, masked)


def _replaced(df: DataFrame, order: Sequence[str], names: Sequence[str], value: Callable[[str], Column]) -> DataFrame:
    return df.select(*(value(name).alias(name) if name in names else col(name) for name in order))
