"""The places of data that is not in the repository; and how tests publish a frame without a job."""

from __future__ import annotations

import importlib.util
import itertools
import os
import re
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import settings

from sparkkit.conf import OutputConf

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

    from sparkkit.sinks import Staged

settings.register_profile("sparkkit", deadline=None)  # how long an example takes says more of the machine than of the code
settings.load_profile("sparkkit")

Write = Callable[..., "Staged"]

ROOT = Path(__file__).resolve().parents[1]


def _outside(variable: str, default: str) -> Path:
    return Path(os.environ.get(variable, ROOT.parent / "shared" / default))


ONCE = re.compile(r"tests/(history|jobs|learning|monitoring/test_(judging|retrain|statistics)|repair|report|serving|submission"
                  r"|verbs|why|storage/(?!test_hadoop_store)|formats/test_delimited"
                  r"|test_(again|alarms|architecture|classpath|cli|command|codebase|conf|doctor|dry|failures|guards|hostile|identity"
                  r"|incremental|interrupts|main|options|package|paths|project|readme|redaction|references|scaffold|setup|shell|washing))")
"""Tests that ask nothing of a version of Spark, or what others ask of each."""


SEARCHES = re.compile(r"tests/learning/test_fitting.py::(test_the_best_model_of_a_search|test_the_card_tells_what_the_grid"
                      r"|test_it_is_exported|test_what_is_fitted_before_a_search|test_a_setting_of_a_grid)")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if SEARCHES.match(item.nodeid) and version("pyspark").startswith("4.0."):
            item.add_marker(pytest.mark.skip(reason="a search of spark.ml can't be fitted on Spark 4.0, and is refused there"))
        if ONCE.match(item.nodeid):
            item.add_marker(pytest.mark.once)


@pytest.fixture(autouse=True)
def nothing_known() -> Iterator[None]:
    """The secrets that a test made known are none of the next one's."""
    yield
    from sparkkit import redaction

    redaction._known.clear()


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


@pytest.fixture
def write(spark: SparkSession, tmp_path: Path) -> Write:
    """`write(frame, checked=False, meanwhile=…, **conf)`: stages and publishes a frame to `tmp_path/out`, each time as another run;
    `meanwhile` is called with what was staged, before it is published."""
    from sparkkit import sinks
    from sparkkit.publishing import Identity, slice_of
    from sparkkit.staging import Files

    number = itertools.count(1)

    def call(frame: DataFrame, *, checked: bool = False, meanwhile: Callable[[Staged], object] = id, **given: Any) -> Staged:
        run_id = f"run-{next(number)}"
        place, conf = Files.of(spark, run_id), OutputConf(path=str(tmp_path / "out"), **{"mode": "overwrite", **given})
        with place.lock({"output": sinks.target(place, "output", conf)}) as held:
            sinks.refuse_existing(place, held["output"])
            staged = sinks.stage(place, held["output"], frame, checked=checked)
            meanwhile(staged)
            sinks.publish(place, {"output": staged}, Identity(run_id, {"output": slice_of(conf, run_id)}, run_id))
        return staged

    return call
