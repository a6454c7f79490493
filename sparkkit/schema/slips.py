"""Slips in a contract's SQL, such as a column that there is not: found by Spark's analysis, before anything is computed."""
from __future__ import annotations

import re

from pyspark.errors import AnalysisException
from pyspark.sql import DataFrame

from sparkkit.errors import UsageError


def selected(frame: DataFrame, *texts: str) -> DataFrame:
    """`frame.selectExpr`, analysed at once over Spark Connect too.

    Raises:
        AnalysisException: Spark does not take one of the texts.
    """
    found = frame.selectExpr(*texts)
    _ = found.schema
    return found


def fault(frame: DataFrame, *texts: str) -> AnalysisException | None:
    """What Spark has against SQL texts on a frame's columns; None where it takes them.

    >>> fault(spark.range(1), "id > 0"), fault(spark.range(1), "idd > 0") is None
    (None, False)
    """
    try:
        selected(frame, *texts)
    except AnalysisException as error:
        return error
    return None


def refusal(where: str, error: AnalysisException) -> UsageError:
    """The error that names the place in a contract whose SQL Spark does not take, with Spark's own sentence."""
    said = str(error).strip().partition("\n")[0]
    return UsageError(f"{where}: {re.sub(r' SQLSTATE: .*$', '', said)}", reason="bad_contract", hint="mend its SQL in the contract")
