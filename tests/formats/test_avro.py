"""Avro by fastavro in tasks: logical types exact, damage named, rows as the blocks promise."""

from __future__ import annotations

import datetime as dt
import uuid
from decimal import Decimal
from pathlib import Path

import pytest

from sparkkit.errors import ContractError
from sparkkit.schema.contract import Column, Contract
from tests.formats.conftest import Road

fastavro = pytest.importorskip("fastavro")
NOW = dt.datetime(2020, 2, 29, 12, 0, 0, 123456)
FIELDS: dict[str, tuple[object, object, object]] = {
    "id": ("long", 1, 1),
    "day": ({"type": "int", "logicalType": "date"}, dt.date(1, 1, 1), dt.date(1, 1, 1)),
    "at": ({"type": "long", "logicalType": "timestamp-micros"}, NOW.replace(tzinfo=dt.UTC), None),
    "local": ({"type": "long", "logicalType": "local-timestamp-micros"}, NOW, NOW),
    "ms": (
        {"type": "long", "logicalType": "local-timestamp-millis"},
        NOW.replace(microsecond=123000),
        NOW.replace(microsecond=123000),
    ),
    "amount": (
        {"type": "bytes", "logicalType": "decimal", "precision": 38, "scale": 10},
        Decimal("-1.0000000001"),
        Decimal("-1.0000000001"),
    ),
    "fixed": ({"type": "fixed", "name": "f", "size": 2}, b"\x00\xff", bytearray(b"\x00\xff")),
    "u": ({"type": "string", "logicalType": "uuid"}, uuid.UUID(int=7), str(uuid.UUID(int=7))),
    "time": ({"type": "long", "logicalType": "time-micros"}, dt.time(1, 2, 3, 4), "01:02:03.000004"),
    "color": ({"type": "enum", "name": "c", "symbols": ["RED"]}, "RED", "RED"),
    "m": ({"type": "map", "values": ["null", "double"]}, {"k": None}, {"k": None}),
    "n": (
        {"type": "array", "items": {"type": "record", "name": "r", "fields": [{"name": "x", "type": "boolean"}]}},
        [{"x": True}],
        None,
    ),
    "nul": (["null", "string"], None, None),
}
SCHEMA = {"type": "record", "name": "all", "fields": [{"name": n, "type": t} for n, (t, _, _) in FIELDS.items()]}


def put(path: Path, schema: object, rows: list[dict[str, object]]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        fastavro.writer(file, fastavro.parse_schema(schema), rows, codec="deflate", sync_interval=1000)
    return path


def ids(path: Path, start: int, count: int = 500) -> Path:
    schema = {"type": "record", "name": "ids", "fields": [{"name": "id", "type": "long"}]}
    return put(path, schema, [{"id": i} for i in range(start, start + count)])


def test_every_logical_type_comes_exact(road: Road, tmp_path: Path) -> None:
    went = road(put(tmp_path / "in" / "a.avro", SCHEMA, [{n: v for n, (_, v, _) in FIELDS.items()}]))
    row = went.frame.selectExpr("*", "unix_micros(at) as micros", "n[0].x as x").first().asDict()
    assert ({n: row[n] for n in FIELDS if n not in ("at", "n")}, row["micros"], row["x"]) == (
        {n: v for n, (_, _, v) in FIELDS.items() if n not in ("at", "n")},
        1582977600123456,
        True,
    )


def test_damaged_files_are_named_and_the_others_read(road: Road, tmp_path: Path) -> None:
    good = ids(tmp_path / "in" / "good.avro", 0)
    (tmp_path / "in" / "cut.avro").write_bytes(good.read_bytes()[:-30])
    (tmp_path / "in" / "empty.avro").write_bytes(b"")
    (tmp_path / "in" / "text.avro").write_text("id\n1\n")
    went = road(tmp_path / "in", contract=Contract("t", (Column("id", "bigint"),), policy={"unreadable_file": "quarantine"}))
    assert (went.read, [b[0] for b in went.bad]) == ((503, 500, 3), ["unreadable_file"] * 3)


def test_a_head_that_is_damaged_refuses_the_run(road: Road, tmp_path: Path) -> None:
    ids(tmp_path / "in" / "good.avro", 0)
    (tmp_path / "in" / "text.avro").write_text("id\n1\n")
    with pytest.raises(ContractError, match="1 of 2 files can't be read: .*text.avro"):
        road(tmp_path / "in")


def test_unions_of_two_types_are_refused_by_name(road: Road, tmp_path: Path) -> None:
    schema = {"type": "record", "name": "u", "fields": [{"name": "a", "type": ["int", "string"]}]}
    with pytest.raises(ContractError, match="a union of 2 types"):
        road(put(tmp_path / "in" / "a.avro", schema, [{"a": 1}]))
