"""The bridge to Great Expectations: a contract's checks as its suite, and the suite run by it. It is imported nowhere else.

It runs in memory, with no project folder. Analytics are off, no progress bar is drawn, no sample of values is kept.
"""
from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from typing import Any

from pyspark.sql import DataFrame

from sparkkit.checks import results
from sparkkit.checks.results import QUERY
from sparkkit.checks.rules import Check
from sparkkit.errors import UsageError

FORMAT = {"result_format": "SUMMARY", "partial_unexpected_count": 0}


def suite(checks: Sequence[Check]) -> list[dict[str, Any]]:
    """The checks as the expectations of a suite; those that nobody runs, or that need another table, are left out.

    >>> suite([Check("n", "expect_table_row_count_to_equal", {"value": 3})])[0]["kwargs"]
    {'value': 3}
    """
    return [results.config(check) for check in checks if _runs(check)]


def _runs(check: Check) -> bool:
    return check.engine != "none" and check.parent is None


def run(frame: DataFrame, checks: Sequence[Check], name: str = "checks") -> list[dict[str, Any]]:
    """The results of Great Expectations, in the order of the checks; one that it can't run says so in `exception_info`.

    Raises:
        UsageError: it is not installed (`missing_package`), or does not know an expectation (`bad_contract`).
    """
    wanted = suite(checks)
    if not wanted:
        return []
    gx = _library()
    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False, "metric_calculations": False}
    batch = context.data_sources.add_spark("frame", persist=False).add_dataframe_asset("frame").add_batch_definition_whole_dataframe("all")
    made = context.suites.add(gx.ExpectationSuite(name=name, expectations=[_taken(one) for one in wanted]))
    definition = context.validation_definitions.add(gx.ValidationDefinition(data=batch, suite=made, name=name))
    done = definition.run(batch_parameters={"dataframe": frame}, result_format=FORMAT).to_json_dict()["results"]
    by_name = {one["expectation_config"]["meta"]["name"]: _told(one) for one in done}
    return [by_name[check.name] for check in checks if _runs(check)]


def _taken(one: dict[str, Any]) -> Any:
    """An expectation as an object of its own; a suite would leave a wrong one out, and only log it."""
    from great_expectations.expectations.expectation_configuration import ExpectationConfiguration

    try:
        return ExpectationConfiguration(**one).to_domain_obj()
    except Exception as error:  # of several kinds, pydantic's among them: all of them are about the contract
        said = " ".join(str(error).split())
        raise UsageError(f"Great Expectations does not take check {one['meta']['name']!r} ({one['type']}): {said}", reason="bad_contract",
                         hint="look up the type and its arguments in its gallery") from error


def _told(one: dict[str, Any]) -> dict[str, Any]:
    one["meta"] = {"engine": "gx"}
    if one["expectation_config"]["type"] == QUERY:
        one.setdefault("result", {}).setdefault("observed_value", None)
    return one


def _library() -> Any:
    os.environ["GX_ANALYTICS_ENABLED"] = "False"
    try:
        import great_expectations as gx
    except ImportError:
        raise UsageError("Great Expectations is not installed", reason="missing_package",
                         hint="install sparkkit with its extra [quality]") from None
    logging.getLogger("great_expectations").setLevel(logging.ERROR)
    return gx
