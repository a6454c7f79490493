"""The whole stack of an error, kept beside the run's record: the message is one sentence, and `sparkkit why` reads the rest."""
from __future__ import annotations

import os
import traceback
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

MOST = 1_000_000
"""Characters: a plan in an error's message may be larger."""


def keep(error: BaseException, path: Path, message: str, redact: Callable[[str], str]) -> str | None:
    """Writes an error's Python stack, and Java's where there is one, for the owner's eyes; the file, or None where that fails."""
    text = redact("\n".join([message, *_parts(error)]))[:MOST]
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8", errors="replace") as file:
            file.write(text)
        return str(path)
    return None


def _parts(error: BaseException) -> Iterator[str]:
    yield "".join(traceback.format_exception(error))
    seen: set[int] = set()
    found: BaseException | None = error
    while found is not None and id(found) not in seen:
        seen.add(id(found))
        java = getattr(found, "_stackTrace", None)  # PySpark's own errors hold Java's stack, and print its first line only
        if isinstance(java, str):
            yield java
        found = found.__cause__ or found.__context__
