"""sparkkit: batch jobs on Apache Spark as pure functions of named frames, with every row accounted for.

Importing it starts no JVM and loads nothing that is not needed.
"""
from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame, SparkSession
    from pyspark.sql import functions as F

    from sparkkit.command import main
    from sparkkit.errors import SparkkitError
    from sparkkit.job import Job
    from sparkkit.models.model import Model
    from sparkkit.options import Secret
    from sparkkit.schema.contract import Contract
    from sparkkit.training import Training

_WHERE = {
    "Job": "sparkkit.job:Job", "main": "sparkkit.command:main", "Contract": "sparkkit.schema.contract:Contract",
    "SparkkitError": "sparkkit.errors:SparkkitError", "DataFrame": "pyspark.sql:DataFrame", "Column": "pyspark.sql:Column",
    "SparkSession": "pyspark.sql:SparkSession", "F": "pyspark.sql.functions", "Secret": "sparkkit.options:Secret",
    "Model": "sparkkit.models.model:Model",
    "Training": "sparkkit.training:Training",
}
__all__ = ["Column", "Contract", "DataFrame", "F", "Job", "Model", "Secret", "SparkSession", "SparkkitError", "Training", "main"]


def __getattr__(name: str) -> Any:
    """Loads a name of the vocabulary when it is first used, so that `import sparkkit` stays quick."""
    if name not in _WHERE:
        raise AttributeError(f"module 'sparkkit' has no attribute {name!r}")
    module, _, attribute = _WHERE[name].partition(":")
    found = import_module(module)
    return getattr(found, attribute) if attribute else found
