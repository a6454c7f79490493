"""Contracts to start from, and their YAML."""
from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyspark.sql import types as t

from sparkkit.errors import UsageError
from sparkkit.schema import infer, odcs
from sparkkit.schema.conform import conform
from sparkkit.schema.contract import POLICIES, Column, Contract, Rule
from sparkkit.schema.landing import BAD, LANDING
from sparkkit.schema.limits import rules

SCHEMAS = sorted((Path(__file__).resolve().parents[2] / "schemas").glob("*.yaml"))

GUESSES = {
    # name: (texts, type, required, reader)
    "ints": (["1", "-2147483648", "2147483647"], "int", True, {}),
    "ints_with_gap": (["1", "", None], "int", False, {}),
    "beyond_int": (["1", "2147483648", "0"], "bigint", True, {}),
    "beyond_bigint": (["9223372036854775808", "1", "2"], "string", True, {}),
    "padded": ([" 1", "2 ", "3"], "int", True, {"trim": "true"}),
    "leading_zero": (["007", "1", "2"], "string", True, {}),
    "commas": (["1,024", "12", "1,234,567"], "int", True, {"thousands": ","}),
    "many_commas": (["1,024", "12", "12,345,678,901"], "bigint", True, {"thousands": ","}),
    "yearbook": (["6,956.82", "101.7", "27.0"], "decimal(18,2)", True, {"thousands": ","}),
    "wrong_commas": (["1,02", "12", "1"], "string", True, {}),
    "decimals": (["0.5", "-10.25", "3"], "decimal(18,2)", True, {}),
    "exponents": (["1e5", "0.5", "2"], "double", True, {}),
    "booleans": (["true", "False", "TRUE"], "boolean", True, {}),
    "dates": (["2024-02-29", "1970-01-01", ""], "date", False, {}),
    "no_such_date": (["2023-02-29", "1970-01-01", "1970-01-02"], "string", True, {}),
    "local_times": (
        ["2024-02-29 10:00:00", "2024-02-29T10:00:00", "2024-02-29 10:00:00.123456"],
        "timestamp_ntz",
        True,
        {},
    ),
    "zoned_times": (
        ["2024-02-29T10:00:00Z", "2024-02-29 10:00:00+02:00", "2024-02-29T10:00:00.5Z"],
        "timestamp",
        True,
        {},
    ),
    "mixed_times": (["2024-02-29T10:00:00Z", "2024-02-29 10:00:00", "2024-02-29"], "string", True, {}),
    "minutes": (["2024-02-29T10:00", "2024-02-29 10:00:00", "2024-02-29T10:01"], "string", True, {}),
    "zoned_minutes": (["2024-02-29T10:00Z", "2024-02-29 10:00+02:00", "2024-02-29T10:00:00Z"], "string", True, {}),
    "year_zero": (["0000-01-01", "2024-02-29", "2024-03-01"], "string", True, {}),
    "too_big": (["1e400", "1e5", "2"], "string", True, {}),
    "years": (["2010", "2011", "2012"], "int", True, {}),
    "empty": (["", None, " "], "string", False, {}),
    "Odd `name`.x": (["a", "b", "NaN"], "string", True, {}),
}


def test_each_column_gets_the_narrowest_type_that_holds_all_its_texts(spark) -> None:
    schema = t.StructType([t.StructField(name, t.StringType()) for name in (*LANDING[:2], *GUESSES)])
    data = spark.createDataFrame(
        [("f", "r", *row) for row in zip(*(case[0] for case in GUESSES.values()), strict=True)], schema
    )

    result = infer.from_guess("t", infer.guess(data).first().asDict(recursive=True), {"delimiter": ";"})

    expected = tuple(Column(n, dtype, required, reader=reader) for n, (_, dtype, required, reader) in GUESSES.items())
    assert [c for c in result.columns if c not in expected] == [] and result == Contract(
        "t", expected, reader={"delimiter": ";"}
    )


def test_a_contract_takes_the_texts_that_it_was_inferred_from(spark) -> None:
    names = ("local_times", "zoned_times", "minutes", "zoned_minutes", "year_zero", "too_big", "yearbook", "padded")
    data = spark.createDataFrame(list(zip(*(GUESSES[name][0] for name in names), strict=True)), ", ".join(f"{n} string" for n in names))
    contract = infer.from_guess("t", infer.guess(data).first().asDict(recursive=True))

    result = {row[BAD] for row in conform(data, contract).collect()}

    assert result == {None}


def test_a_frames_schema_becomes_a_contract() -> None:
    schema = t.StructType([t.StructField(LANDING[0], t.StringType()), t.StructField("a", t.LongType(), False),
                           t.StructField("b", t.ArrayType(t.DecimalType(5, 2)))])

    assert infer.infer("t", schema) == Contract("t", (Column("a", "bigint", True), Column("b", "array<decimal(5,2)>")))


def test_a_frames_type_without_place_in_a_contract_is_refused_by_its_column() -> None:
    with pytest.raises(UsageError, match="column 'a': 'void'"):
        infer.infer("t", t.StructType([t.StructField("a", t.NullType())]))


COLUMNS = st.builds(
    Column,
    name=st.sampled_from(["a", "Area Code", "ключ", "b`c", "yes", "1"]),
    type=st.sampled_from(
        [
            "string",
            "binary",
            "array<struct<`x y`:map<string,int>,z:decimal(5,2) not null>>",
            "timestamp",
            "timestamp_ntz",
            "float",
            "decimal(38,0)",
            "struct<a:array<date>>",
        ]
    ),
    required=st.booleans(),
    unique=st.booleans(),
    key=st.just(0),
    pii=st.booleans(),
    description=st.sampled_from(["", "a: b # c", "two\nlines", "'"]),
    tags=st.sampled_from([(), ("pii",), ("x", "no")]),
    classification=st.sampled_from(["", "Personal", "restricted"]),
    reader=st.sampled_from([{}, {"trim": "true", "null_values": ",NA"}, {"zone": "+02:00"}]),
) | st.sampled_from(
    [
        Column("n", "int", limits={"minimum": -1, "exclusiveMaximum": 10.5, "multipleOf": 0.5}),
        Column("s", "string", limits={"minLength": 1, "pattern": r"^\d'\\$", "enum": ["1'", "a\\"]}),
        Column("d", "date", reader={"date_format": "dd.MM.yyyy"}, limits={"minimum": "1900-01-01"}),
        Column("l", "array<int>", limits={"maxItems": 3, "uniqueItems": True}),
    ]
)


@st.composite
def contracts(draw: st.DrawFn) -> Contract:
    """Contracts as `odcs` makes them: the rules of limits first."""
    columns = draw(st.lists(COLUMNS, min_size=1, max_size=4, unique_by=lambda c: c.name))
    keys = draw(
        st.permutations(range(1, len(columns) + 1)).map(lambda p: [k if k <= 2 else 0 for k in p]) | st.just([0] * 4)
    )
    columns = [Column(**{**vars(c), "key": k}) for c, k in zip(columns, keys, strict=False)]
    on = draw(st.sampled_from(["stop", "quarantine"]))
    policy = draw(st.sampled_from([{}, {POLICIES[0]: "allow"}])) | ({"bad_value": "stop"} if on == "stop" else {})
    own = draw(st.sampled_from([(), (Rule("r: 1", "a > '\\\\' and b", "allow", "why"), Rule("r2", "true", on))]))
    derived = tuple(rule for c in columns for rule in rules(c, on))
    tables = draw(st.sampled_from([(), ({"type": "sql", "query": "SELECT 1", "mustBe": 0},)]))
    reader = draw(st.sampled_from([{}, {"delimiter": "\t", "quote": ""}, {"header": "false", "thousands": " "}]))
    return Contract(draw(st.sampled_from(["t", "1e3", "no"])), tuple(columns), "1.0", reader, policy, derived + own,
                    draw(st.sampled_from(["", "All: of it"])), draw(st.sampled_from(["", "hr"])), tables)


@given(contracts())
def test_a_contract_comes_back_from_its_yaml(contract: Contract) -> None:
    assert odcs.parse(infer.to_yaml(contract), "t.yaml") == contract


@pytest.mark.parametrize("path", SCHEMAS, ids=lambda path: path.stem)
def test_a_shipped_contract_and_its_yaml_keep_the_standards_own_schema(path: Path) -> None:
    jsonschema = pytest.importorskip("jsonschema")
    import json
    from importlib.resources import files

    import yaml

    schema = json.loads(files("open_data_contract_standard").joinpath("schema.json").read_text(encoding="utf-8"))
    validator = jsonschema.Draft201909Validator(schema)
    texts = [path.read_text(encoding="utf-8"), infer.to_yaml(odcs.load(path))]

    assert [[error.message for error in validator.iter_errors(yaml.safe_load(text))] for text in texts] == [[], []]


@pytest.mark.parametrize("path", SCHEMAS, ids=lambda path: path.stem)
def test_a_shipped_contract_comes_back_from_its_yaml(path: Path) -> None:
    contract = odcs.load(path)

    assert odcs.parse(infer.to_yaml(contract), path.name) == contract
