"""One Spark session for the whole suite, and the places of data that is not in the repository."""
from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
os.environ.setdefault("SPARK_LOCAL_IP", "127.0.0.1")
os.environ.setdefault("PYSPARK_PYTHON", sys.executable)


@pytest.fixture(scope="session")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[object]:
    """The suite's session: local, C1 compiler, few shuffle partitions."""
    from sparkkit import session

    warehouse = tmp_path_factory.mktemp("warehouse")
    found = session.start({"spark.sql.warehouse.dir": str(warehouse)}, app_name="tests", profile="test")
    yield found
    session.stop(found)


@pytest.fixture(autouse=True)
def _doctest_names(request: pytest.FixtureRequest) -> None:
    if "doctest_namespace" in request.fixturenames or type(request.node).__name__ == "DoctestItem":
        names = request.getfixturevalue("doctest_namespace")
        source = Path(str(request.node.path)).read_text(encoding="utf-8")
        if "spark." in source or "(spark" in source:
            names["spark"] = request.getfixturevalue("spark")


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
