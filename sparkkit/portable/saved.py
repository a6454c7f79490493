"""What PySpark's API does not show of a fitted stage: read from what the stage itself saves."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from sparkkit.errors import UsageError


def rows(stage: Any) -> list[dict[str, Any]]:
    """The rows of the table `data` that a fitted stage saves, as dictionaries.

    The stage is saved to a folder of this machine, which the session's processes must share: on a cluster whose executors write to
    disks of their own the rows do not come back.

    Raises:
        UsageError: nothing came back (`not_portable`).
    """
    from pyspark.sql import SparkSession

    spark = SparkSession.getActiveSession()
    if spark is None:
        raise UsageError(f"stage {type(stage).__name__}: no session is active to read its parameters", reason="not_portable")
    with tempfile.TemporaryDirectory(prefix="sparkkit-") as folder:
        place = f"{Path(folder).as_uri()}/stage"
        stage.write().overwrite().save(place)
        found = [row.asDict(recursive=True) for row in spark.read.parquet(f"{place}/data").collect()]
    if not found:
        raise UsageError(f"stage {type(stage).__name__}: what it saved can't be read back from {place}", reason="not_portable",
                         hint="export it in a session on this machine")
    return found
