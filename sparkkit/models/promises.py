"""What a model's figures must keep, as text: `roc_auc >= 0.75`, `accuracy[source=yelp] >= 0.7`, `low(roc_auc) >= 0.7`."""

from __future__ import annotations

import operator
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sparkkit.checks.results import NO_ERROR, SEVERITY
from sparkkit.errors import UsageError

_TEXT = re.compile(r"\s*(?:(low|high)\()?\s*([a-z_][a-z0-9_]*)\s*(?:\[([^\]]+)\])?\s*\)?\s*(<=|>=|<|>)\s*([-+0-9.eE]+)\s*")
_SIGNS = {"<=": operator.le, ">=": operator.ge, "<": operator.lt, ">": operator.gt}


@dataclass(frozen=True)
class Promise:
    """A bound of one figure: of its value, or of an end of its interval (`low`, `high`), over all rows or in a slice."""

    text: str
    metric: str
    slice: str
    end: str
    sign: str
    bound: float

    def judge(self, figures: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """The verdict as a result among the record's checks; a figure that there is not, or that is not defined, fails.

        >>> row = {"slice": "all", "metric": "accuracy", "value": 0.81, "low": 0.78, "high": 0.84}
        >>> promise("low(accuracy) >= 0.8").judge([row])["success"]
        False
        """
        found = [f[self.end] for f in figures if f["metric"] == self.metric and f["slice"] == self.slice]
        value = found[0] if found else None
        return {
            "success": value is not None and bool(_SIGNS[self.sign](value, self.bound)),
            "expectation_config": {"type": "model_figure", "kwargs": {"metric": self.metric, "slice": self.slice, "of": self.end},
                                   "meta": {"name": self.text, "severity": "fail"}, "severity": SEVERITY["fail"]},
            "result": {"observed_value": value}, "meta": {"engine": "model", "of": "output metrics"}, "exception_info": dict(NO_ERROR),
        }


def promise(text: str) -> Promise:
    """A promise of its text.

    Raises:
        UsageError: it is none.

    >>> promise("accuracy[source=yelp] >= 0.7").slice
    'source=yelp'
    """
    found = _TEXT.fullmatch(text)
    try:
        if not found:
            raise ValueError
        end, metric, piece, sign, bound = found.groups()
        return Promise(text.strip(), metric, piece or "all", end or "value", sign, float(bound))
    except ValueError:
        raise UsageError(f"check {text!r} is not FIGURE >= NUMBER", reason="wrong_job",
                         hint="write such as `roc_auc >= 0.75`, `low(roc_auc) >= 0.7` or `accuracy[source=yelp] >= 0.7`") from None
