"""CSV files settled from their first bytes; pure Python, so there is no session here."""

from __future__ import annotations

import pytest

from sparkkit.errors import ContractError, UsageError
from sparkkit.formats.base import spark_path
from sparkkit.formats.headers import Settled, settle
from sparkkit.schema.contract import Column, Contract

AB = Contract("t", (Column("a", "string"), Column("b", "string")))


def settled(
    *heads: bytes | str, contract: Contract | None = AB, sizes: tuple[int, ...] = (), **options: str
) -> Settled:
    """Files named f0, f1, … settled."""
    data = {f"f{i}": h.encode() if isinstance(h, str) else h for i, h in enumerate(heads)}
    return settle(data, dict(zip(data, sizes, strict=False)), contract, options)


def kinds(found: Settled) -> list[tuple[str, tuple[str, ...]]]:
    return [(group.kind, group.paths) for group in found.groups]


def policy(**answers: str) -> Contract:
    return Contract("t", AB.columns, policy=answers)


def test_files_with_one_header_are_one_group() -> None:
    assert kinds(settled("a,b\n1,2", "a,b\n", b"\xef\xbb\xbfa,b\r\n1,2")) == [("good", ("f0", "f1", "f2"))]


def test_another_order_is_another_group_with_its_own_places() -> None:
    result = settled("a,b\n", '"b","a"\n1,2')

    assert [group.order for group in result.groups] == [(0, 1), (1, 0)]


@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
def test_every_line_end_ends_a_header(line_end: str) -> None:
    assert settled(f"a,b{line_end}1,2{line_end}").groups[0].header_raw == "a,b"


@pytest.mark.parametrize(
    ("head", "words"),
    [
        ("a\n1", "'b' missing"),
        ("a,b,c\n", "'c' not expected"),
        ("a,b,a\n", "'a' more than once"),
        ('a,"b\n', "a quote is out of place"),
        ("A,b\n", "'a' missing, 'A' not expected"),
        (b"a,b\xff\n", "it is not utf-8"),
        ("\na,b\n", "'a', 'b' missing"),
        ("a, b\n", "' b'"),
    ],
)
def test_a_header_that_does_not_match_says_what_was_found(head: bytes | str, words: str) -> None:
    result = settled("a,b\n", head)

    assert result.groups[1].kind == "mismatch" and words in result.groups[1].sentences[0] and result.headers == 2


def test_a_column_in_no_file_stops() -> None:
    with pytest.raises(ContractError, match="no file has the column 'b'") as caught:
        settled("a\n1", "a,c\n1,2")

    assert caught.value.reason == "missing_column"


def test_a_column_in_another_case_is_told() -> None:
    with pytest.raises(ContractError, match="'b' is there as 'B'"):
        settled("a,B\n1,2")


def test_an_allowed_missing_column_has_no_place() -> None:
    result = settled("b\n1", contract=policy(missing_column="allow"))

    assert (result.groups[0].order, result.groups[0].width) == ((None, 0), 1)


def test_an_allowed_extra_column_is_left_out() -> None:
    result = settled("b,x,a\n1,2,3", contract=policy(extra_column="allow"))

    assert (result.groups[0].order, result.groups[0].width) == ((2, 0), 3)


def test_an_extra_column_stops_where_the_contract_says_so() -> None:
    with pytest.raises(ContractError, match="f0 has the column 'x'"):
        settled("b,x,a\n1,2,3", contract=policy(extra_column="stop"))


@pytest.mark.parametrize(
    ("head", "words"),
    [
        ("a,b\n1,2".encode("utf-16"), "UTF-16"),
        ("a,b\n1,2".encode("utf-32"), "UTF-32"),
        ("a,b\n1,2".encode("utf-16-le"), "UTF-16 without"),
        (b"PK\x03\x04\0\0\0\0\0\0\n\0\0\0", "no text"),
    ],
)
def test_other_encodings_are_refused_by_name(head: bytes, words: str) -> None:
    result = settled("a,b\n", head)

    assert [(f.file, f.reason, words in f.detail) for f in result.unreadable] == [("f1", "encoding", True)]


def test_a_declared_encoding_that_is_not_read_is_refused_by_name() -> None:
    with pytest.raises(UsageError, match="cp1252"):
        settled("a,b\n", encoding="cp1252")


def test_a_byte_order_mark_settles_the_encoding_of_its_file() -> None:
    result = settled(b"\xef\xbb\xbfa,b\n", b"a,b\n", encoding="latin-1")

    assert [(group.paths, group.encoding) for group in result.groups] == [(("f0",), "utf-8"), (("f1",), "latin-1")]


def test_empty_and_header_only_files_are_findings() -> None:
    result = settled("a,b\n1,2", b"", b"\xef\xbb\xbf", "a,b\r\n", "a,b")

    assert [(f.file, f.reason) for f in result.findings] == [
        ("f1", "empty_file"),
        ("f2", "empty_file"),
        ("f3", "header_only"),
        ("f4", "header_only"),
    ]


def test_a_header_longer_than_the_head_is_refused() -> None:
    result = settled("a,b\n", "a,bbbbbbb", sizes=(4, 1000))

    assert [f.reason for f in result.unreadable] == ["header_too_long"]


def test_without_a_header_the_order_is_the_contracts() -> None:
    result = settled("1,2\n", header="false")

    assert (result.groups[0].order, result.headers, result.columns) == ((0, 1), 0, ("a", "b"))


def test_without_a_contract_the_first_header_is_the_promise() -> None:
    result = settled("x,y\n", "y,x\n", "x\n", contract=None)

    assert (result.columns, kinds(result)) == (
        ("x", "y"),
        [("good", ("f0",)), ("good", ("f1",)), ("mismatch", ("f2",))],
    )


def test_a_header_may_hold_line_breaks_where_quotes_may() -> None:
    result = settled('"x\ny",b\n1,2\n', contract=None, newlines_in_quotes="true")

    assert result.columns == ("x\ny", "b")


def test_a_file_too_large_for_records_is_refused() -> None:
    result = settled("a,b\n", sizes=(3 << 20,), newlines_in_quotes="true", max_record_file="2MB")

    assert [f.reason for f in result.unreadable] == ["too_large"]


@pytest.mark.parametrize("options", [{"delimiter": ",,"}, {"delimiter": '"'}, {"quote": "ab"}, {"delimiter": "\n"}])
def test_options_that_can_not_be_are_refused(options: dict[str, str]) -> None:
    with pytest.raises(UsageError, match="can't be read"):
        settled("a,b\n", **options)


def test_a_path_with_glob_characters_is_escaped() -> None:
    assert spark_path("/a%b [1]{x}.csv") == "/a%b \\[1\\]\\{x\\}.csv"
