"""The environments in conf/env: each can be used, and says why it sets what it sets."""
from __future__ import annotations

from pathlib import Path

import pytest

from sparkkit import conf
from sparkkit.project import Project
from sparkkit.submission.words import TARGETS

ROOT = Path(__file__).resolve().parents[2]
PROFILES = sorted((ROOT / "conf" / "env").glob("*.toml"))


@pytest.mark.parametrize("file", PROFILES, ids=lambda file: file.stem)
def test_a_profile_has_known_keys_and_a_reason_above_each_setting_of_spark(file: Path) -> None:
    found = conf.load(Project(ROOT), "word_count", inputs=("text",), outputs=("output",), params=("by",), env=file.stem)
    lines = file.read_text(encoding="utf-8").splitlines()
    pairs = zip(["", *lines], lines, strict=False)
    bare = [line for before, line in pairs if line.startswith('"spark.') and not before.startswith(("#", '"'))]
    assert bare == []
    assert found.submit.get("target", "local") in TARGETS
    assert file.stem not in TARGETS or found.submit["target"] == file.stem
