"""Spark's DDL and its types, both ways, without a session or a JVM (`StructType.fromDDL` starts one on Spark 3.5)."""
from __future__ import annotations

import re
from dataclasses import dataclass

from pyspark.sql import types as t

from sparkkit.errors import UsageError, nearest
from sparkkit.schema.contract import Contract

SIMPLE: dict[str, t.DataType] = {
    "string": t.StringType(), "boolean": t.BooleanType(), "binary": t.BinaryType(), "date": t.DateType(),
    "tinyint": t.ByteType(), "smallint": t.ShortType(), "int": t.IntegerType(), "bigint": t.LongType(),
    "float": t.FloatType(), "double": t.DoubleType(),
    "timestamp": t.TimestampType(), "timestamp_ntz": t.TimestampNTZType(),
}
"""The types without parameters, by the name that `ddl` writes."""

_ALIASES = {"byte": "tinyint", "short": "smallint", "integer": "int", "long": "bigint", "real": "float",
            "timestamp_ltz": "timestamp", "dec": "decimal", "numeric": "decimal"}
_KNOWN = (*SIMPLE, *_ALIASES, "decimal", "array", "map", "struct")
_TOKEN = re.compile(r"\s*(?:(`(?:[^`]|``)+`)|('(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\")|(\w+)|([<>(),:]))")
_PLAIN = re.compile(r"[A-Za-z_]\w*", re.ASCII)


def parse(ddl: str) -> t.DataType:
    """The type that the DDL text names; field names keep their case, `NOT NULL` of a struct's field is kept.

    Raises:
        UsageError: the text is no type that sparkkit reads and writes (reason `unknown_type`).

    >>> parse("array<struct<a: INT NOT NULL, `b c`: decimal(10, 2)>>").simpleString()
    'array<struct<a:int,b c:decimal(10,2)>>'
    >>> parse("itn")
    Traceback (most recent call last):
    sparkkit.errors.UsageError: 'itn' is no type that sparkkit knows: did you mean 'int'?
    """
    reader = _Reader(ddl, _tokens(ddl))
    found = reader.type()
    if reader.peek() is not None:
        raise reader.error(f"{reader.peek()!r} stands after the end of the type")
    return found


def ddl(dtype: t.DataType) -> str:
    """The DDL text of a type, in one spelling only, so that equal types have equal texts.

    `containsNull` of arrays and maps has no place in DDL and is not written.

    Raises:
        UsageError: the type has no place in a contract (reason `unknown_type`).

    >>> ddl(parse("STRUCT<a: LONG, `b c`: numeric(9)>"))
    'struct<a:bigint,`b c`:decimal(9,0)>'
    """
    if isinstance(dtype, t.DecimalType):
        return f"decimal({dtype.precision},{dtype.scale})"
    if isinstance(dtype, t.ArrayType):
        return f"array<{ddl(dtype.elementType)}>"
    if isinstance(dtype, t.MapType):
        return f"map<{ddl(dtype.keyType)},{ddl(dtype.valueType)}>"
    if isinstance(dtype, t.StructType):
        return f"struct<{','.join(_field(f) for f in dtype.fields)}>"
    for name, simple in SIMPLE.items():
        if dtype == simple:
            return name
    raise _unknown(dtype.simpleString())


def struct(contract: Contract) -> t.StructType:
    """The frame's schema that a contract promises; a column may hold nulls unless it is required.

    >>> from sparkkit.schema.contract import Column
    >>> struct(Contract("t", (Column("a", "int", required=True),))).fields
    [StructField('a', IntegerType(), False)]
    """
    return t.StructType([t.StructField(c.name, parse(c.type), not c.required) for c in contract.columns])


def quote(name: str) -> str:
    """A column's name as SQL text, in backticks.

    >>> quote("Area `Code`")
    '`Area ``Code```'
    """
    return "`" + name.replace("`", "``") + "`"


def _field(field: t.StructField) -> str:
    name = field.name if _PLAIN.fullmatch(field.name) else quote(field.name)
    return f"{name}:{ddl(field.dataType)}{'' if field.nullable else ' not null'}"


def _unknown(name: str) -> UsageError:
    near = nearest(name.lower(), _KNOWN)
    hint = (
        f"did you mean {near!r}?" if near else f"use one of {', '.join((*SIMPLE, 'decimal', 'array', 'map', 'struct'))}"
    )
    return UsageError(f"{name!r} is no type that sparkkit knows", reason="unknown_type", hint=hint)


def _tokens(text: str) -> list[str]:
    tokens, at = [], 0
    text = text.rstrip()
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            raise UsageError(f"type {text!r}: {text[at:].strip()[0]!r} at place {at + 1} is not understood",
                             reason="unknown_type")
        tokens.append(match.group().strip())
        at = match.end()
    return tokens


@dataclass
class _Reader:
    """A recursive descent over the tokens of one type."""

    text: str
    tokens: list[str]
    at: int = 0

    def peek(self) -> str | None:
        return self.tokens[self.at] if self.at < len(self.tokens) else None

    def error(self, what: str) -> UsageError:
        return UsageError(f"type {self.text!r}: {what}", reason="unknown_type")

    def next(self) -> str:
        found = self.peek()
        if found is None:
            raise self.error("it ends too early")
        self.at += 1
        return found

    def expect(self, *wanted: str) -> str:
        found = self.next()
        if found.lower() not in wanted:
            raise self.error(f"{' or '.join(map(repr, wanted))} expected, {found!r} found")
        return found.lower()

    def accept(self, *words: str) -> bool:
        ahead = [token.lower() for token in self.tokens[self.at:self.at + len(words)]]
        if ahead == list(words):
            self.at += len(words)
            return True
        return False

    def type(self) -> t.DataType:
        name = self.next()
        word = _ALIASES.get(name.lower(), name.lower())
        if word in SIMPLE:
            return SIMPLE[word]
        if word == "decimal":
            return self.decimal()
        if word == "array":
            return t.ArrayType(self.parameters(1)[0])
        if word == "map":
            return self.map()
        if word == "struct":
            return self.struct()
        raise _unknown(name)

    def parameters(self, count: int) -> list[t.DataType]:
        self.expect("<")
        found = [self.type()]
        for _ in range(count - 1):
            self.expect(",")
            found.append(self.type())
        self.expect(">")
        return found

    def map(self) -> t.DataType:
        key, value = self.parameters(2)
        if isinstance(key, t.MapType):
            raise self.error("a map can't be the key of a map")
        return t.MapType(key, value)

    def decimal(self) -> t.DataType:
        if not self.accept("("):
            return t.DecimalType(10, 0)
        precision, scale = self.number(), 0
        if self.expect(",", ")") == ",":
            scale = self.number()
            self.expect(")")
        if not 1 <= precision <= 38 or scale > precision:
            raise self.error("a decimal has 1 to 38 digits, and no more behind the point than in all")
        return t.DecimalType(precision, scale)

    def number(self) -> int:
        found = self.next()
        if not (found.isascii() and found.isdigit()):
            raise self.error(f"a whole number expected, {found!r} found")
        return int(found)

    def struct(self) -> t.DataType:
        self.expect("<")
        fields: list[t.StructField] = []
        if self.accept(">"):
            raise self.error("a struct has at least one field")
        while not fields or self.expect(",", ">") == ",":
            fields.append(self.field())
            names = [f.name.lower() for f in fields]
            if names[-1] in names[:-1]:
                raise self.error(f"the field {fields[-1].name!r} stands twice")
        return t.StructType(fields)

    def field(self) -> t.StructField:
        name = self.next()
        if name[0] in "<>(),:'\"":
            raise self.error(f"a field's name expected, {name!r} found")
        self.accept(":")
        dtype = self.type()
        required = self.accept("not", "null")
        if self.accept("comment"):
            self.next()
        return t.StructField(name[1:-1].replace("``", "`") if name[0] == "`" else name, dtype, not required)
