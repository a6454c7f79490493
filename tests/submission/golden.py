"""Expected texts in files: compared, and with SPARKKIT_GOLDEN=write written anew, for a person to read the difference."""
from __future__ import annotations

import os
from pathlib import Path

FOLDER = Path(__file__).with_name("expected")


def expected(name: str, found: str) -> None:
    """Asserts that a text is the file's."""
    if os.environ.get("SPARKKIT_GOLDEN") == "write":
        (FOLDER / name).write_text(found + "\n", encoding="utf-8")
    assert found + "\n" == (FOLDER / name).read_text(encoding="utf-8")
