"""For all tests and doctests: the fixtures of `sparkkit.testing`, and a session where a doctest names one."""

from __future__ import annotations

import os
import re
import sys

import pytest
from hypothesis import settings

# the same examples on each run of CI, so that a landing does not hang on luck; new ones on each run at a desk
settings.register_profile("ci", derandomize=True)
if os.environ.get("CI"):
    settings.load_profile("ci")
pytest_plugins = ["sparkkit.testing"]
os.environ.setdefault("SPARK_LOCAL_IP", "127.0.0.1")
os.environ.setdefault("PYSPARK_PYTHON", sys.executable)


@pytest.fixture(autouse=True, scope="session")
def _ledger(tmp_path_factory: pytest.TempPathFactory) -> None:
    os.environ["SPARKKIT_LEDGER"] = str(tmp_path_factory.mktemp("ledger"))  # the tests' processes are no runs of this project


@pytest.fixture(autouse=True)
def _doctest_names(request: pytest.FixtureRequest) -> None:
    if type(request.node).__name__ == "DoctestItem":
        examples = "\n".join(example.source for example in request.node.dtest.examples)
        if re.search(r"\bspark\b", examples):
            request.getfixturevalue("doctest_namespace")["spark"] = request.getfixturevalue("spark")
