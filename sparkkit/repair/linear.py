"""Whether a part of an input may be fed through a job by itself: then a job over all rows gives what it gives over some and over the
rest, together. So it is where each row goes its own way (select, filter, join with another input), and not under a sum or a limit."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pyspark.sql import DataFrame, SparkSession

from sparkkit.errors import UsageError

MARK = "_sparkkit_replayed"
"""The alias that marks the fed rows in a plan."""

OTHER = "_sparkkit_other"
"""The alias of an input that is as it was: what is below it is no concern of the fed rows."""

ONE_BY_ONE = frozenset(
    "Project Filter SubqueryAlias Generate Sort Repartition RepartitionByExpression RebalancePartitions CollectMetrics Expand"
    " UnresolvedHint ResolvedHint View".split()
)
"""Operators of a logical plan that treat each row for itself."""

PLAIN = ("Range", "CTERelationRef")
"""Leaves that hold no rows of an input if nothing was computed while the plan was made, as relations do; an RDD may."""

SIDES = {"Inner": (0, 1), "Cross": (0, 1), "LeftOuter": (0,), "RightOuter": (1,), "LeftSemi": (0,), "LeftAnti": (0,)}
"""On which sides of a join fed rows may stand: on the others they would change what becomes of rows that were there."""


def jobs(spark: SparkSession) -> int:
    """How many jobs Spark has begun: what is more after a plan was made was computed to make it, and may be in it as plain values."""
    context: Any = spark.sparkContext._jsc.sc()
    return int(context.dagScheduler().numTotalJobs())


def refuse_computed(before: int, spark: SparkSession, again: str) -> None:
    """Refuses a plan while whose making rows were looked at.

    Raises:
        UsageError: `not_row_by_row`.
    """
    if jobs(spark) != before:
        raise UsageError("build computes rows itself (collect, toPandas, count, pivot, checkpoint or a write), so nobody knows what"
                         " becomes of rows that are fed into it by themselves", reason="not_row_by_row", hint=again)


def refuse(name: str, built: DataFrame, again: str) -> bool:
    """Whether the fed rows reach an output.

    Raises:
        UsageError: they do, through an operator that looks at several rows at once; or something may hide them.
    """
    plan: Any = built._jdf.queryExecution().analyzed()
    return _reached(plan, name, again)


def refuse_lost(reached: Iterable[bool], again: str) -> None:
    """Refuses rows that would leave the quarantine, and be nowhere then.

    Raises:
        UsageError: they reach no output.
    """
    if not any(reached):
        raise UsageError("the rows reach no output that a plan tells of, and would be lost", reason="not_row_by_row", hint=again)


def _reached(node: Any, name: str, again: str) -> bool:
    kind = str(node.nodeName())
    if kind == "SubqueryAlias" and str(node.alias()) in (MARK, OTHER):
        return str(node.alias()) == MARK
    children, inner = node.children(), node.subqueries()
    hides = kind if not children.size() and not (kind in PLAIN or kind.endswith("Relation")) else ""
    if any(_reached(inner.apply(i), name, again) for i in range(inner.size())):
        hides = "a subquery"
    if hides:
        raise UsageError(f"output {name!r} may have the rows where its plan does not tell ({hides}), so they can't be fed into it by"
                         " themselves", reason="not_row_by_row", hint=again)
    hit = [i for i in range(children.size()) if _reached(children.apply(i), name, again)]
    if not hit:
        return False
    sides = SIDES.get(str(node.joinType().toString()), ()) if kind == "Join" else range(children.size() if kind in ONE_BY_ONE else 0)
    if not set(hit) <= set(sides) or (kind == "Join" and len(hit) > 1):
        raise UsageError(f"output {name!r} is not made row by row ({kind}), so rows can't be fed into it by themselves",
                         reason="not_row_by_row", hint=again)
    return True
