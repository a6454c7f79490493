"""A folder of broken inputs: what is in each, and what a run must say of it.

Each case: files to write, exit code, reason (of a refused run) or the quarantine by reason, and the rows that pass.
"""
from __future__ import annotations

import gzip
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

CONTRACT = """
apiVersion: v3.1.0
kind: DataContract
id: broken
version: 1.0.0
status: active
customProperties:
  - {property: sparkkit.reader.zone, value: Europe/Berlin}
schema:
  - name: broken
    properties:
      - {name: id, logicalType: integer, physicalType: int, required: true}
      - {name: name, logicalType: string}
      - {name: amount, logicalType: number, physicalType: "decimal(8,2)"}
      - {name: day, logicalType: date}
      - {name: at, logicalType: timestamp, physicalType: timestamp}
"""
HEADER = "id,name,amount,day,at\n"
GOOD = "1,ann,1.50,2024-02-29,2024-03-01T10:00:00\n"


@dataclass(frozen=True)
class Case:
    """One broken input. `files` maps a name to its bytes, or to a function that makes it."""

    name: str
    files: Mapping[str, bytes | Callable[[Path, Any], None]]
    exit_code: int = 0
    reason: str | None = None
    quarantined: Mapping[str, int] = field(default_factory=dict)
    passed: int | None = None
    options: Mapping[str, Any] = field(default_factory=dict)


def csv(name: str, body: str | bytes, quarantined: Mapping[str, int] | None = None, passed: int = 1, header: str = HEADER,
        **options: Any) -> Case:
    """One CSV file: header, the body."""
    content = header.encode() + (body.encode() if isinstance(body, str) else body)
    return Case(name, {"a.csv": content}, quarantined=quarantined or {}, passed=passed, options=options)


def refused(name: str, files: Mapping[str, Any], code: int, reason: str, **options: Any) -> Case:
    """A run that ends with an exit code and a reason, and publishes nothing."""
    return Case(name, files, code, reason, options=options)


def row(**values: str) -> str:
    """A good row with some values replaced."""
    good = {"id": "1", "name": "ann", "amount": "1.50", "day": "2024-02-29", "at": "2024-03-01T10:00:00"} | values
    return ",".join(good.values()) + "\n"


def parquet(select: str, rows: int = 3) -> Callable[[Path, Any], None]:
    """Makes a Parquet file of a SELECT over `id`."""
    def make(path: Path, spark: Any) -> None:
        folder = path.with_name(path.name + ".made")
        spark.range(1, rows + 1, 1, 1).selectExpr(*select.split(";")).write.parquet(str(folder))
        next(folder.glob("part-*")).rename(path)

    return make


def orc(path: Path, spark: Any) -> None:
    """Makes half an ORC file."""
    folder = path.with_name(path.name + ".made")
    spark.range(1000).write.orc(str(folder))
    whole = next(folder.glob("part-*")).read_bytes()
    path.write_bytes(whole[: len(whole) // 2])


def truncated(select: str) -> Callable[[Path, Any], None]:
    """Makes a Parquet file that lost its end."""
    def make(path: Path, spark: Any) -> None:
        parquet(select, 1000)(path, spark)
        path.write_bytes(path.read_bytes()[:-200])

    return make


def flipped(path: Path, spark: Any) -> None:
    """Makes a Parquet file with page checksums and one flipped bit in its data."""
    parquet(TYPED, 1000)(path, spark)
    data = bytearray(path.read_bytes())
    data[200] ^= 0xFF
    path.write_bytes(bytes(data))


def zipped(path: Path, spark: Any) -> None:
    """Makes a zip archive."""
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.csv", HEADER + GOOD)


def dangling(path: Path, spark: Any) -> None:
    """Makes a link to nothing."""
    path.symlink_to(path.with_name("nothing.csv"))


TYPED = "cast(id as int) id;'x' name;cast(1.5 as decimal(8,2)) amount;date'2024-02-29' day;timestamp'2024-03-01 10:00:00' at"

CASES: tuple[Case, ...] = (
    csv("good", GOOD),
    csv("too few fields", GOOD + "2,bob\n", {"ragged_row": 1}),
    csv("too many fields", GOOD + "2,bob,1,2024-01-01,2024-01-01T00:00:00,x\n", {"ragged_row": 1}),
    csv("a delimiter at each end", GOOD + row().strip() + ",\n", {"ragged_row": 1}),
    csv("unclosed quote", GOOD + '2,"bob,1.00,2024-01-01,2024-01-01T00:00:00\n', {"unclosed_quote": 1}),
    csv("stray quote", GOOD + '2,b"ob,1.00,2024-01-01,2024-01-01T00:00:00\n', {"stray_quote": 1}),
    csv("text after a closing quote", GOOD + row(name='"ann"x'), {"stray_quote": 1}),
    csv("a newline in quotes", GOOD + row(name='"an\nn"'), {"unclosed_quote": 1, "stray_quote": 1}),
    csv("newlines in quotes allowed", GOOD + row(name='"an\nn"'), passed=2, newlines_in_quotes="true"),
    csv("latin-1 in UTF-8", GOOD.encode() + row(name="jörg").encode("latin-1"), {"invalid_encoding": 1}),
    csv("latin-1 declared", b"1,j\xf6rg,1.50,2024-02-29,2024-03-01T10:00:00\n", encoding="latin-1"),
    csv("replacement character", GOOD + row(name="j\ufffdrg"), {"replacement_character": 1}),
    csv("blank lines", GOOD + "\n\n" + GOOD, {"blank": 2}, passed=2),
    csv("carriage returns only", GOOD.replace("\n", "\r") * 2, passed=2),
    csv("mixed line ends", GOOD + GOOD.replace("\n", "\r\n") + GOOD.replace("\n", "\r"), passed=3),
    csv("repeated header", GOOD + HEADER + GOOD, {"repeated_header": 1}, passed=2),
    csv("header only", "", passed=0),
    csv("no line end at the end", GOOD.strip()),
    csv("columns in another order", "ann,1,1.50,2024-02-29,2024-03-01T10:00:00\n", header="name,id,amount,day,at\n"),
    csv("byte order mark", GOOD, header="\ufeff" + HEADER),
    csv("letters in a number", GOOD + row(id="one"), {"bad_value": 1}),
    csv("number out of range", GOOD + row(id="2147483648"), {"out_of_range": 1}),
    csv("a fraction in an int", GOOD + row(id="1.5"), {"bad_value": 1}),
    csv("blanks in a number", GOOD + row(id=" 1"), {"bad_value": 1}),
    csv("decimal out of range", GOOD + row(amount="1234567.00"), {"out_of_range": 1}),
    csv("decimal at the limit", row(amount="999999.99")),
    csv("loss of scale", GOOD + row(amount="1.505"), {"loss_of_scale": 1}),
    csv("thousands not allowed", GOOD + row(amount='"1,000.00"'), {"bad_value": 1}),
    csv("29 February of a common year", GOOD + row(day="2023-02-29"), {"bad_value": 1}),
    csv("short date", GOOD + row(day="2024-2-9"), {"bad_value": 1}),
    csv("a time in the gap of summer time", GOOD + row(at="2024-03-31T02:30:00"), {"dst_gap": 1}),
    csv("hour 25", GOOD + row(at="2024-03-01T25:00:00"), {"bad_value": 1}),
    csv("null where none may be", GOOD + row(id=""), {"null": 1}),
    csv("a field of 1 MB", row(name='"' + "x" * 1_000_000 + '"')),
    csv("a quoted field of 3 kB with quotes", row(name='"' + 'x""' * 1000 + '"')),
    Case("one file of two without a column", {"a.csv": (HEADER + GOOD).encode(), "b.csv": b"id,name\n1,ann\n2,bob\n"},
         quarantined={"header_mismatch": 2}, passed=1),
    Case("one file of two with duplicate columns", {"a.csv": (HEADER + GOOD).encode(), "b.csv": b"id,id,amount,day,at\n1,1,1,,\n"},
         quarantined={"header_mismatch": 1}, passed=1),
    Case("one file of two with other delimiters", {"a.csv": (HEADER + GOOD).encode(), "b.csv": b"id;name;amount;day;at\n1;a;1;;\n"},
         quarantined={"header_mismatch": 1}, passed=1),
    Case("a preamble in one file of two", {"a.csv": (HEADER + GOOD).encode(), "b.csv": b"# made by x\n" + (HEADER + GOOD).encode()},
         quarantined={"header_mismatch": 2}, passed=1),
    Case("an extra column in one file of two", {"a.csv": (HEADER + GOOD).encode(), "b.csv": b"id,name,amount,day,at,x\n1,a,1,,,\n"},
         quarantined={"header_mismatch": 1}, passed=1),
    Case("an empty file beside a good one", {"a.csv": (HEADER + GOOD).encode(), "b.csv": b""}, passed=1),
    Case("a hidden file beside a good one", {"a.csv": (HEADER + GOOD).encode(), "_b.csv": (HEADER + GOOD).encode()}, passed=1),
    Case("gzip", {"a.csv.gz": gzip.compress((HEADER + GOOD).encode())}, passed=1),
    refused("a column that no file has", {"a.csv": b"id,name\n1,ann\n"}, 4, "missing_column"),
    refused("UTF-16", {"a.csv": (HEADER + GOOD).encode("utf-16")}, 4, "unreadable_file"),
    refused("half a gzip file", {"a.csv.gz": gzip.compress((HEADER + GOOD * 5000).encode())[:-30]}, 4, "unreadable_file"),
    refused("zip", {"a.csv.zip": zipped}, 2, "unknown_format"),
    refused("formats mixed", {"a.csv": (HEADER + GOOD).encode(), "b.json": b'{"id":1}\n'}, 2, "mixed_formats"),
    refused("an encoding that is not read", {"a.csv": (HEADER + GOOD).encode()}, 2, "unknown_encoding", encoding="ebcdic"),
    refused("an empty folder", {}, 3, "no_files"),
    refused("only hidden files", {"_a.csv": (HEADER + GOOD).encode()}, 3, "no_files"),
    refused("a dangling link", {"a.csv": dangling}, 3, "no_files"),
    refused("truncated Parquet", {"a.parquet": truncated(TYPED)}, 4, "unreadable_file"),
    refused("text named Parquet", {"a.parquet": b"hello world, this is no parquet"}, 4, "unreadable_file"),
    refused("a flipped bit in Parquet", {"a.parquet": flipped}, 4, "unreadable_file"),
    refused("half an ORC file", {"a.orc": orc}, 4, "unreadable_file"),
    refused("Parquet without a column", {"a.parquet": parquet("cast(id as int) id;'x' name")}, 4, "missing_column"),
    Case("typed Parquet", {"a.parquet": parquet(TYPED)}, passed=3),
    Case("Parquet with a wider int", {"a.parquet": parquet(TYPED.replace("cast(id as int) id", "id * 2000000000 id"))},
         quarantined={"out_of_range": 2}, passed=1),
    Case("Parquet with nulls", {"a.parquet": parquet(TYPED.replace("cast(id as int) id", "cast(nullif(id, 2) as int) id"))},
         quarantined={"null": 1}, passed=2),
    Case("malformed JSON", {"a.json": b'{"id":1,"name":"a","amount":1.5,"day":"2024-02-29","at":"2024-03-01T10:00:00Z"}\n{"id":2,\n'},
         quarantined={"unreadable_row": 1}, passed=1),
    Case("an extra key in JSON", {"a.json": b'{"id":1,"name":"a","amount":1.5,"day":null,"at":null}\n'
                                            b'{"id":2,"name":"a","amount":1.5,"day":null,"at":null,"x":1}\n'},
         quarantined={"extra_column": 1}, passed=1),
    Case("a wrong type in JSON", {"a.json": b'{"id":1,"name":"a","amount":1.5,"day":null,"at":null}\n'
                                            b'{"id":"one","name":"a","amount":1.5,"day":null,"at":null}\n'},
         quarantined={"bad_value": 1}, passed=1),
)


def write(case: Case, folder: Path, spark: Any) -> Path:
    """Writes a case's files into a folder of its own."""
    folder.mkdir(parents=True)
    for name, content in case.files.items():
        if callable(content):
            content(folder / name, spark)
        else:
            (folder / name).write_bytes(content)
    for made in folder.glob("*.made"):
        for file in made.iterdir():
            file.unlink()
        made.rmdir()
    return folder
