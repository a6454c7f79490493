"""Whether a part of an input may be fed through a job by itself: then a job over all rows gives what it gives over some and over the
rest, together. So it is where each row goes its own way (select, filter, join with another input), and not under a sum or a limit."""

from __future__ import annotations

from typing import Any

from pyspark.sql import DataFrame

from sparkkit.errors import UsageError

MARK = "_sparkkit_replayed"
"""The alias that marks the fed rows in a plan."""

ONE_BY_ONE = frozenset(
    "Project Filter SubqueryAlias Generate Sort Repartition RepartitionByExpression RebalancePartitions CollectMetrics Expand"
    " UnresolvedHint ResolvedHint View".split()
)
"""Operators of a logical plan that treat each row for itself."""

SIDES = {"Inner": (0, 1), "Cross": (0, 1), "LeftOuter": (0,), "RightOuter": (1,), "LeftSemi": (0,), "LeftAnti": (0,)}
"""On which sides of a join fed rows may stand: on the others they would change what becomes of rows that were there."""


def refuse(name: str, built: DataFrame, again: str) -> bool:
    """Whether the fed rows reach an output.

    Raises:
        UsageError: they do, through an operator that looks at several rows at once.
    """
    plan: Any = built._jdf.queryExecution().analyzed()
    return _reached(plan, name, again)


def _reached(node: Any, name: str, again: str) -> bool:
    kind = str(node.nodeName())
    if kind == "SubqueryAlias" and str(node.alias()) == MARK:
        return True
    children = node.children()
    hit = [i for i in range(children.size()) if _reached(children.apply(i), name, again)]
    if not hit:
        return False
    sides = SIDES.get(str(node.joinType().toString()), ()) if kind == "Join" else range(children.size() if kind in ONE_BY_ONE else 0)
    if not set(hit) <= set(sides) or (kind == "Join" and len(hit) > 1):
        raise UsageError(f"output {name!r} is not made row by row ({kind}), so rows can't be fed into it by themselves",
                         reason="not_row_by_row", hint=again)
    return True
