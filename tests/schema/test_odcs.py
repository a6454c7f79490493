"""Reading the Open Data Contract Standard: what it gives, and what is refused with its place."""
from __future__ import annotations

from pathlib import Path
from textwrap import indent

import pytest

from sparkkit.errors import UsageError
from sparkkit.schema import odcs
from sparkkit.schema.contract import Column, Contract, Rule

SCHEMAS = Path(__file__).resolve().parents[2] / "schemas"


def text(properties: str, *, top: str = "", table: str = "") -> str:
    """A contract of one schema object `t` out of the YAML of its columns, in flow style, one a line."""
    lines = "\n".join(f"- {line.strip()}" for line in properties.strip().splitlines())
    return (f"kind: DataContract\napiVersion: v3.1.0\nid: t\nversion: 1.0.0\nstatus: active\n{top}\n"
            f"schema:\n- name: t\n  properties:\n{indent(lines, '  ')}\n{indent(table, '  ')}")


def column(yaml: str) -> Column:
    return odcs.parse(text(yaml), "t.yaml").columns[0]


@pytest.mark.parametrize(("said", "dtype"), [
    ("logicalType: string", "string"),
    ("logicalType: integer", "int"),
    ("logicalType: integer, logicalTypeOptions: {format: i64}", "bigint"),
    ("logicalType: integer, logicalTypeOptions: {format: u64}", "decimal(20,0)"),
    ("logicalType: number", "double"),
    ("logicalType: number, logicalTypeOptions: {format: f32}", "float"),
    ("logicalType: number, logicalTypeOptions: {precision: 12, scale: 3}", "decimal(12,3)"),
    ("logicalType: boolean", "boolean"),
    ("logicalType: date", "date"),
    ("logicalType: timestamp", "timestamp_ntz"),
    ("logicalType: timestamp, logicalTypeOptions: {timezone: false}", "timestamp_ntz"),
    ("logicalType: timestamp, logicalTypeOptions: {timezone: true}", "timestamp"),
    ("logicalType: timestamp, logicalTypeOptions: {defaultTimezone: Europe/Berlin}", "timestamp"),
    ("logicalType: array, items: {logicalType: date}", "array<date>"),
    ("logicalType: map, map: {key: {logicalType: string}, value: {logicalType: number}}", "map<string,double>"),
    ("logicalType: object, properties: [{name: b c, logicalType: date}, {name: d, physicalType: LONG}]",
     "struct<`b c`:date,d:bigint>"),
    ("logicalType: string, physicalType: 'Decimal(10, 2)'", "decimal(10,2)"),
    ("physicalType: VARCHAR(20)", "string"),
])
def test_the_standards_types_become_sparks(said: str, dtype: str) -> None:
    assert column(f"{{name: a, {said}}}").type == dtype


def test_a_column_carries_all_that_the_standard_says_of_it() -> None:
    result = column("{name: dob, logicalType: date, required: true, unique: true, description: Birth, "
                    "tags: [GDPR-PII, x], classification: restricted, "
                    "logicalTypeOptions: {format: dd.MM.yyyy, minimum: 1900-01-01}, "
                    "customProperties: [{property: sparkkit.reader.null_values, value: [NA, '-']}, "
                    "{property: other, value: 1}]}")

    assert result == Column(
        "dob", "date", True, True, 0, True, "Birth", ("GDPR-PII", "x"), "restricted",
        {"date_format": "dd.MM.yyyy", "null_values": "NA,-"}, {"minimum": "1900-01-01"})


def test_reader_and_policy_come_from_the_document_and_the_object_wins() -> None:
    top = ("customProperties: [{property: sparkkit.reader.delimiter, value: ';'},"
           " {property: sparkkit.reader.header, value: false},"
           " {property: sparkkit.on.null, value: stop}]\nteam: {name: hr}\ndescription: {purpose: People}")
    table = "customProperties: [{property: sparkkit.reader.delimiter, value: '\\t'}, " \
            "{property: sparkkit.reader.encoding, value: Latin1}]"

    result = odcs.parse(text("{name: a, logicalType: string}", top=top, table=table), "t.yaml")

    assert result == Contract(
        "t", (Column("a", "string"),), reader={"delimiter": "\t", "header": "false", "encoding": "latin-1"},
        policy={"null": "stop"}, owner="hr", description="People")


@pytest.mark.parametrize(("places", "keys"), [
    ((", primaryKeyPosition: 2", ", primaryKeyPosition: 1"), ("b", "a")),
    (("", ""), ("a", "b")),
])
def test_the_key_follows_its_positions_or_else_the_columns(places: tuple[str, str], keys: tuple[str, ...]) -> None:
    lines = [f"{{name: {n}, logicalType: date, primaryKey: true{p}}}" for n, p in zip("ab", places, strict=True)]

    result = odcs.parse(text("\n".join(lines)), "t.yaml")

    assert (result.keys, [c.required for c in result.columns]) == (keys, [True, True])


def test_rules_come_from_limits_and_row_quality_and_tables_are_kept() -> None:
    properties = r"""
    {name: a, physicalType: int, logicalTypeOptions: {minimum: 1}, quality: [{type: sql, query: '${field} > 7', id: r}]}
    {name: b, logicalType: string, enum: [{value: x}], quality: [{metric: nullValues, mustBeLessThan: 5}]}
    {name: c, logicalType: string, quality: [{metric: invalidValues, mustBe: 0, arguments: {validValues: [1, 2]}}]}
    """
    table = """quality:
- {name: both, type: custom, engine: sparkkit, implementation: a > length(b),
   customProperties: [{property: sparkkit.on, value: allow}]}
- {type: sql, query: 'SELECT count(*) FROM t', mustBeGreaterThan: 0}
- {type: sql, query: max(a), mustBe: 5}
- {type: custom, engine: soda, implementation: x}"""

    top = "customProperties: [{property: sparkkit.on.bad_value, value: stop}]"
    result = odcs.parse(text(properties, table=table, top=top), "t.yaml")

    rules = (Rule("a.minimum", "(`a` is null or `a` >= 1)", "stop"),
             Rule("b.enum", "(`b` is null or `b` in ('x'))", "stop"),
             Rule("r", "`a` > 7", "stop"),
             Rule("c.quality[0]", "(cast(`c` as string) is null or cast(`c` as string) in ('1', '2'))", "stop"),
             Rule("both", "a > length(b)", "allow"))
    kept = ({"metric": "nullValues", "mustBeLessThan": 5, "column": "b"},
            {"type": "sql", "query": "SELECT count(*) FROM t", "mustBeGreaterThan": 0},
            {"type": "sql", "query": "max(a)", "mustBe": 5},
            {"type": "custom", "engine": "soda", "implementation": "x"})
    assert (result.rules, result.quality) == (rules, kept)


BAD = {
    "kind: DataContract\nschema: [": "not readable as YAML at line 2",
    "kind: DataContract\nkind: DataContract": "line 2, column 1: the key 'kind' stands twice",
    "[1, 2]": "'kind: DataContract' is missing",
    "": "'kind: DataContract' is missing",
    "kind: DataContract\napiVersion: v2.2.2": "apiVersion is 'v2.2.2'",
    "kind: DataContract\napiVersion: v3.1.0": "a list 'schema' with one object is needed",
    "kind: DataContract\napiVersion: v3.1.0\nschmea: []": "'schmea' is not known: did you mean 'schema'?",
    "kind: DataContract\napiVersion: v3.1.0\nversion: 1": "version: Input should be a valid string, found 1",
    "kind: DataContract\napiVersion: v3.1.0\nschema: [{name: t}]": "schema 't': no columns",
    "kind: DataContract\napiVersion: v3.1.0\nschema: [{properties: []}]": "schema[0]: the name is missing",
}
BAD_COLUMNS = {
    "{name: a, logicalType: date, quality: [{type: sql, name: bad_value, query: a > 0}]}": "a rule can't be called 'bad_value'",
    "{name: a, logicalType: date, quality: [{type: sql, query: select max(a) from t, severity: error}]}":
        "no mustBe",
    "{name: a, logicalType: date, quality: [{type: sql, severity: error}]}":
        "quality[0]: no query",
    "{name: a, logicalType: date, quality: [{type: custom, engine: Sparkkit, implementation: a > 0}]}":
        "engine is 'Sparkkit': did you mean 'sparkkit'?",
    "{name: a, logicalType: date, quality: [{type: custom, engine: great_expectations, implementation: a > 0}]}":
        "did you mean 'greatExpectations'?",
    "{name: a, logicalType: date, quality: [{type: custom, implementation: a > 0}]}":
        "engine is None",
    "{name: a, logicalType: date, quality: [{type: sql, query: a > 0, customProperties: [{property: sparkkit.tolerence, value: 5}]}]}":
        "sparkkit.tolerence is not known for a quality item: did you mean",
    "{name: a, logicalType: date, requird: true}":
        "schema[0] 't', properties[0] 'a': 'requird' is not known: did you mean 'required'?",
    "{name: a, logicalType: date, required: 7}":
        "schema[0] 't', properties[0] 'a', required: Input should be a valid boolean",
    "{name: a, logicalType: object, properties: [{name: b, tpye: x}]}":
        "properties[0] 'a', properties[0] 'b': 'tpye' is not known",
    "{logicalType: date}": "schema 't', properties[0]: the name is missing",
    "{name: a}": "column 'a': neither logicalType nor physicalType",
    "{name: a, logicalType: time}": "column 'a': logicalType 'time' is not supported",
    "{name: a, logicalType: strin}": "column 'a': logicalType 'strin' is not known: did you mean 'string'?",
    "{name: a, physicalType: itn}":
        "column 'a'.physicalType: 'itn' is no type that sparkkit knows: did you mean 'int'?",
    "{name: a, logicalType: array}": "column 'a'.items is missing",
    "{name: a, logicalType: map}": "a map needs map.key and map.value",
    "{name: a, logicalType: object}": "column 'a': an object needs properties",
    "{name: a, logicalType: array, items: {physicalType: itn}}": "column 'a'.items.physicalType: 'itn'",
    "{name: a, logicalType: object, properties: [{name: b, logicalType: time}]}":
        "column 'a'.properties[0] 'b': logicalType 'time'",
    "{name: a, logicalType: integer, logicalTypeOptions: {format: u128}}": "format 'u128' is not supported",
    "{name: a, logicalType: number, logicalTypeOptions: {scale: 2}}": "a scale but no precision",
    "{name: a, logicalType: number, logicalTypeOptions: {precision: 50}}": "1 to 38 digits",
    "{name: a, logicalType: date, logicalTypeOptions: {minumum: 1}}": "'minumum' is not known: did you mean 'minimum'?",
    "{name: a, logicalType: date, logicalTypeOptions: {minimum: soon}}":
        "column 'a': 'soon' is no value of the type date",
    "{name: a, logicalType: string, logicalTypeOptions: {minimum: 1}}":
        "column 'a': minimum is 1, which a column of type string",
    "{name: a, logicalType: string, logicalTypeOptions: {maxLength: -1}}": "a whole number from 0 on",
    "{name: a, logicalType: date}\n{name: A, logicalType: date}": "the column 'A' stands twice",
    "{name: a, logicalType: date, primaryKey: true, primaryKeyPosition: 2}": "primaryKeyPosition is 2",
    "{name: a, logicalType: date, customProperties: [{property: sparkkit.reader.thosands, value: x}]}":
        "column 'a': sparkkit.reader.thosands is not known for a column: did you mean 'thousands'?",
    "{name: a, logicalType: date, customProperties: [{property: sparkkit.reader.delimiter, value: ;}]}":
        "not known for a column",
    "{name: a, logicalType: date, customProperties: [{property: sparkkit.raeder.trim, value: true}]}":
        "sparkkit.raeder.trim",
    "{name: a, logicalType: date, quality: [{type: sql, query: x, name: r}, {type: sql, query: y, name: r}]}":
        "two rules are called 'r'",
    "{name: a, logicalType: date, quality: [{type: custom, engine: sparkkit}]}": "quality[0]: implementation must be",
    "{name: a, logicalType: object, properties: [{name: b, logicalType: date, quality: [{type: text}]}]}":
        "can't stand below a column",
}
BAD_OPTIONS = {
    ("sparkkit.reader.delimeter", "';'"): "sparkkit.reader.delimeter is not known: did you mean 'delimiter'?",
    ("sparkkit.reader.delimiter", "';;'"): "sparkkit.reader.delimiter is ';;': it must be one character",
    ("sparkkit.reader.delimiter", "'\"'"): "delimiter and quote are both",
    ("sparkkit.reader.encoding", "utf-16"): "it must be utf-8 or latin-1",
    ("sparkkit.reader.header", "'yes'"): "it must be true or false",
    ("sparkkit.reader.max_record_file", "lots"): "a size such as 256MB",
    ("sparkkit.reader.thousands", "."): "thousands and decimal are both '.'",
    ("sparkkit.reader.zone", "Mars/Base"): "a time zone such as",
    ("sparkkit.reader.format", "xls"): "one of csv, json",
    ("sparkkit.reader.null_values", "[a, 'b,c']"): "a list of texts without commas",
    ("sparkkit.reader.quote", "{a: 1}"): "a text expected",
    ("sparkkit.on.nul", "stop"): "sparkkit.on.nul is not known: did you mean 'null'?",
    ("sparkkit.on.null", "ignore"): "sparkkit.on.null is 'ignore': it must be one of quarantine, stop, allow",
    ("sparkkit.owner", "x"): "sparkkit.owner",
}
CASES = [*BAD.items(), *((text(yaml), words) for yaml, words in BAD_COLUMNS.items()),
         *((text("{name: a, logicalType: date}", top=f"customProperties: [{{property: {key}, value: {value}}}]"), words)
           for (key, value), words in BAD_OPTIONS.items())]


@pytest.mark.parametrize(("yaml", "words"), CASES, ids=[words for _, words in CASES])
def test_a_faulty_contract_is_refused_with_file_and_place(yaml: str, words: str) -> None:
    with pytest.raises(UsageError) as error:
        odcs.parse(yaml, "people.yaml")
    assert str(error.value).startswith("people.yaml") and words in str(error.value)


def test_a_schema_object_is_picked_by_name(tmp_path: Path) -> None:
    file = tmp_path / "two.yaml"
    other = "\n- {name: u, properties: [{name: b, logicalType: date}]}"
    file.write_text(text("{name: a, logicalType: date}") + other)

    assert [odcs.load(f"{file}{name}").names for name in ("", "#t", "#u")] == [("a",), ("a",), ("b",)]


def test_a_schema_object_that_is_not_there_is_named_with_the_nearest() -> None:
    with pytest.raises(UsageError, match=r"no schema object 'populations': did you mean 'population'\?"):
        odcs.load(f"{SCHEMAS / 'population.yaml'}#populations")


def test_a_missing_an_undecodable_and_a_broken_compiled_file_are_wrong_use(tmp_path: Path) -> None:
    (tmp_path / "latin.yaml").write_bytes(b"name: caf\xe9")
    (tmp_path / "broken.json").write_text("{}")
    found = []
    for name in ("none.yaml", "latin.yaml", "broken.json"):
        with pytest.raises(UsageError, match=name) as error:
            odcs.load(tmp_path / name)
        found.append(error.value.reason)
    assert found == ["no_contract", "no_contract", "bad_contract"]


def test_a_compiled_contract_loads_from_json(tmp_path: Path) -> None:
    contract = odcs.load(SCHEMAS / "population.yaml")
    (tmp_path / "population.json").write_text(contract.to_json(), encoding="utf-8")

    assert odcs.load(tmp_path / "population.json") == contract


def test_the_shipped_contract_of_the_yearbook_has_its_header(real_data: Path) -> None:
    contract = odcs.load(SCHEMAS / "population.yaml")
    with (real_data / "un_population_syb64.csv").open(encoding=contract.reader["encoding"]) as file:
        header = file.readline().strip().split(",")

    assert (list(contract.names), contract.column("Value").reader) == (header, {"thousands": ","})
