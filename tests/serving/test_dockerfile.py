"""What the image of a server is made of; tests/e2e/test_serving_dockerfile.py builds it."""

from __future__ import annotations

import re
from importlib.metadata import requires
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "scripts" / "serving.Dockerfile").read_text(encoding="utf-8")


def needed(names: set[str]) -> set[str]:
    """The packages, and what they need on a Python 3.11 for Linux."""
    found = set(names)
    for name in names:
        for one in map(Requirement, requires(name) or []):
            if one.marker is None or one.marker.evaluate({"extra": "", "python_version": "3.11", "platform_system": "Linux"}):
                found |= needed({canonicalize_name(one.name)})
    return found


def test_the_base_is_pinned_by_its_digest() -> None:
    found = re.findall(r"^FROM (\S+)", TEXT, re.MULTILINE)
    assert found and all(re.fullmatch(r"\S+:\S+-\d{8}-slim@sha256:[0-9a-f]{64}", base) for base in found)


def test_the_image_holds_the_packages_that_serving_needs_and_no_others() -> None:
    (taken,) = re.findall(r"/\^\(([\w|-]+)\)==/", TEXT)
    assert set(taken.split("|")) == needed({"flask", "gunicorn", "numpy", "prometheus-client"})
