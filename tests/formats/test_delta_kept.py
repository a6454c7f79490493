"""The list of what is kept beside a table by keys, without a session."""
from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from sparkkit.errors import ContractError, UsageError
from sparkkit.formats import delta_kept
from sparkkit.formats.delta_kept import Kept


def parts(monkeypatch: pytest.MonkeyPatch, text: bytes | None) -> list[str]:
    """What a list holds, whose file has this text."""
    store: Any = SimpleNamespace(exists=lambda at: text is not None, read=lambda uri: text,
                                 path=lambda at: SimpleNamespace(toUri=lambda: SimpleNamespace(toString=lambda: at)))
    monkeypatch.setattr(delta_kept, "Hadoop", SimpleNamespace(of=lambda spark: store))
    txn: Any = SimpleNamespace(spark=None, path="/t", number=lambda app: 7)
    return Kept(txn, ["k"]).parts


@pytest.mark.parametrize("text", [b'["a", "b"]', b'{"format": 1, "parts": ["a", "b"]}'])
def test_a_list_is_read_with_its_number_and_from_before_there_was_one(monkeypatch: pytest.MonkeyPatch, text: bytes) -> None:
    assert parts(monkeypatch, text) == ["a", "b"]


def test_a_list_of_a_later_sparkkit_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match=r"/t/_sparkkit_kept/7.json has format 2, and this sparkkit knows formats up to 1"):
        parts(monkeypatch, b'{"format": 2, "things": []}')


def test_a_list_that_is_gone_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ContractError, match="deletes would be forgotten"):
        parts(monkeypatch, None)
