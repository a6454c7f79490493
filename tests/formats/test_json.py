"""JSON by contract: every line accounted for, the text of each number kept, types strict."""

from __future__ import annotations

import gzip
from decimal import Decimal
from pathlib import Path

import pytest

from sparkkit.errors import UsageError
from sparkkit.schema.contract import Column, Contract
from tests.formats.conftest import Road

CONTRACT = Contract(
    "t",
    (
        Column("a", "int"),
        Column("b", "string"),
        Column("d", "decimal(38,3)"),
        Column("e", "decimal(5,2)"),
        Column("n", "array<struct<q:int>>"),
        Column("f", "double"),
        Column("t", "boolean"),
        Column("ts", "timestamp"),
    ),
)
LONG = "x" * 100_000
GOOD = {
    '{"a":1,"b":"x"}': {"a": 1, "b": "x"},
    ' { "b" : "y" , "a" : -2 } ': {"a": -2, "b": "y"},
    "{}": {},
    '{"a":null}': {},
    '{"\\u0061":7}': {"a": 7},
    r'{"b":"q\"\u00e9\ud83d\ude00\n\\"}': {"b": 'q"é😀\n\\'},
    '{"d":12345678901234567890.123}': {"d": Decimal("12345678901234567890.123")},
    '{"d":12.0e0}': {"d": Decimal("12.000")},
    '{"n":[{"q":1},{"q":null}]}': {"n": [(1,), (None,)]},
    '{"f":1e3}': {"f": 1000.0},
    '{"t":true}': {"t": True},
    f'{{"b":"{LONG}"}}': {"b": LONG},
    '{"b":""}': {"b": ""},
    '\ufeff{"a":9}': {"a": 9},
}
BAD = {
    '{"a":1} rest': "unreadable_row",
    '{"a":1}{"a":2}': "unreadable_row",
    '{"a":1,"a":2}': "unreadable_row",
    "[1]": "unreadable_row",
    '{"a":1,}': "unreadable_row",
    '{"a":01}': "unreadable_row",
    '{"a":NaN}': "unreadable_row",
    "null": "unreadable_row",
    '{"b":"\\ud800"}': "unreadable_row",
    '{"n":[{"q":1}': "unreadable_row",
    '{"n":[1,[2}}]}': "unreadable_row",
    "{'a':1}": "unreadable_row",
    '{"b":"tab\there"}': "unreadable_row",
    "": "blank",
    '{"a":1,"z":2}': "extra_column",
    '{"a":"1"}': "bad_value",
    '{"a":1.5}': "bad_value",
    '{"b":12}': "bad_value",
    '{"t":"true"}': "bad_value",
    '{"n":{"q":1}}': "bad_value",
    '{"n":[{"q":1,"z":2}]}': "bad_value",
    '{"a":12345678901234567890}': "out_of_range",
    '{"e":12.345}': "loss_of_scale",
    '{"f":"NaN"}': "not_a_number",
    '{"f":1e400}': "out_of_range",
    '{"b":"\ufffd"}': "replacement_character",
}


def put(path: Path, *lines: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    data = ("\n".join(lines) + "\n").encode()
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return path


def test_good_lines_come_exact_and_bad_ones_go_to_the_quarantine(road: Road, tmp_path: Path) -> None:
    went = road(put(tmp_path / "in" / "a.jsonl", *GOOD, *BAD), contract=CONTRACT)
    rows = [{k: v for k, v in row.asDict().items() if v is not None} for row in went.frame.collect()]
    assert (went.read, sorted(map(repr, rows))) == (
        (len(GOOD) + len(BAD), len(GOOD), len(BAD)),
        sorted(map(repr, _rows())),
    )
    assert {raw: reason for reason, _, raw in went.bad} == BAD


def _rows() -> list[dict[str, object]]:
    from pyspark.sql import Row

    q = Row("q")
    return [{k: [q(*i) for i in v] if k == "n" else v for k, v in row.items()} for row in GOOD.values()]


def test_bytes_that_are_not_utf8_are_findings(road: Road, tmp_path: Path) -> None:
    path = put(tmp_path / "in" / "a.json", '{"b":"x"}')
    path.write_bytes(path.read_bytes() + '{"b":"ü"}\n'.encode("latin-1"))
    assert [b[0] for b in road(path, contract=CONTRACT).bad] == ["invalid_encoding"]


def test_whole_documents_are_cut_into_objects(road: Road, tmp_path: Path) -> None:
    folder = put(tmp_path / "in" / "array.json", '[ {"a": 1,', '"n": []} , {"a": 2}, 3', "]").parent
    put(folder / "one.json", "{", '"a": 3}')
    put(folder / "none.json", "[ ]")
    put(folder / "bad.json", '[{"a": 4}')
    put(folder / "zipped.json.gz", '[{"a": 5}]')
    went = road(folder, contract=CONTRACT, **{"inputs.data.options.multiline": "true"})
    assert (went.read, sorted(r.a for r in went.frame.collect())) == ((6, 4, 2), [1, 2, 3, 5])
    assert sorted(raw for _, _, raw in went.bad) == ["3", '[{"a": 4}\n']


def test_folders_are_columns_where_the_contract_has_them(road: Road, tmp_path: Path) -> None:
    put(tmp_path / "in" / "a=1" / "b=x%2Fy" / "f.json", '{"f":1}')
    put(tmp_path / "in" / "a=__HIVE_DEFAULT_PARTITION__" / "b=ü z" / "f.json", '{"f":2}', '{"a":2}')
    went = road(tmp_path / "in", contract=CONTRACT)
    assert ({(r.a, r.b, r.f) for r in went.frame.collect()}, [b[0] for b in went.bad]) == (
        {(1, "x/y", 1.0), (None, "ü z", 2.0)},
        ["extra_column"],
    )


def test_without_a_contract_the_schema_is_inferred_and_said_to_be(road: Road, tmp_path: Path) -> None:
    went = road(put(tmp_path / "in" / "a.json", '{"a":1,"b":"x"}', "rubbish", '{"a":2}'))
    assert (went.read, sorted(r.a for r in went.frame.collect()), {f for f, _ in went.findings}) == (
        (3, 2, 1),
        [1, 2],
        {"inferred_schema"},
    )


def test_other_encodings_are_refused_by_name(road: Road, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="JSON in latin-1 is not read"):
        road(put(tmp_path / "in" / "a.json", "{}"), contract=CONTRACT, **{"inputs.data.options.encoding": "latin-1"})
