"""The places of data that is not in the repository."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[1]


def _outside(variable: str, default: str) -> Path:
    return Path(os.environ.get(variable, ROOT.parent / "shared" / default))


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real data sets, which are not the project's own."""
    path = _outside("SPARKKIT_REAL_DATA", "data")
    if not path.is_dir():
        pytest.skip(f"no real data at {path} (SPARKKIT_REAL_DATA)")
    return path


@pytest.fixture(scope="session")
def corpora() -> Path:
    """The folder of bad and odd input that others made."""
    path = _outside("SPARKKIT_CORPORA", "corpora")
    if not path.is_dir():
        pytest.skip(f"no corpora at {path} (SPARKKIT_CORPORA)")
    return path


@pytest.fixture(scope="session")
def scorer() -> ModuleType:
    """`scripts/pollock.py` as a module."""
    spec = importlib.util.spec_from_file_location("pollock", ROOT / "scripts" / "pollock.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
