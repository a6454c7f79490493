"""Rejected rows landed once more: as they came, by their format; or as the columns that they were, out of JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import reduce

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from sparkkit import formats
from sparkkit.conf import InputConf
from sparkkit.errors import UsageError
from sparkkit.formats.base import KEYED, Raws
from sparkkit.intake import LINES, judge
from sparkkit.quarantine import HIDDEN
from sparkkit.schema.contract import Contract
from sparkkit.schema.landing import BAD, BAD_TYPE, FILE, RAW
from sparkkit.schema.reader import OPTIONS
from sparkkit.sources import optioned
from sparkkit.storage.hadoop import Hadoop

KEY = "_sparkkit_key"
"""string: what tells a row of the quarantine from every other."""


def landed(spark: SparkSession, rows: DataFrame, conf: InputConf | None, contract: Contract | None) -> DataFrame:
    """Rows (`source_file`, `raw`, `form`, KEY) landed and judged: KEY, FILE, BAD and the columns; an output has no `conf`. Rows that nobody
    can place (a file that is gone, one that could not be read) are left out.

    Raises:
        UsageError: their values were read by options of the contract, which can't be told from JSON (`reader_options`).
    """
    forms = {row["form"] for row in rows.select("form").distinct().toLocalIterator()}
    told = rows.select(F.concat(F.coalesce("source_file", F.lit("")), F.lit(KEYED), KEY).alias(FILE), F.col("raw").alias(RAW), "form")
    kind = _kind(rows, conf) if conf else None
    judged = []
    options: Mapping[str, str] = {}
    if conf is not None and kind in LINES:
        contract, options = optioned(contract.name if contract else kind, kind, contract, conf.options)
    if "line" in forms and kind in LINES:
        judged.append(judge(_lines(spark, told.where("form = 'line'"), kind, options, contract), contract))
    if "columns" in forms and contract is not None:
        from sparkkit.formats import json

        typed = contract if kind in LINES else _plain(contract)
        if kind not in LINES:
            refuse_options(contract)
        judged.append(judge(json.objects(told.where("form = 'columns'").select(FILE, RAW), typed, HIDDEN), typed))
    if not judged:
        return rows.select(KEY, F.col("source_file").alias(FILE), F.lit(None).cast(BAD_TYPE).alias(BAD)).limit(0)
    frame = reduce(lambda some, more: some.unionByName(more), judged)
    return frame.withColumn(KEY, F.substring_index(FILE, KEYED, -1)).withColumn(FILE, F.substring_index(FILE, KEYED, 1)).drop(RAW)


def _lines(spark: SparkSession, told: DataFrame, kind: str, options: Mapping[str, str], contract: Contract | None) -> DataFrame:
    file = F.substring_index(FILE, KEYED, 1).alias("file")
    files = tuple(row["file"] for row in told.select(file).distinct().toLocalIterator() if row["file"])
    form = formats.known(kind)
    assert form.reland is not None
    # a line that holds only what is hidden is no line
    mine = told.where(F.col(RAW) != HIDDEN).select(FILE, RAW)
    return form.reland(Raws(spark, mine, files, contract, options, Hadoop.of(spark)))


def _kind(rows: DataFrame, conf: InputConf) -> str:
    """The input's format: as it is said, or as a file's name tells."""
    if conf.format:
        return conf.format
    first = rows.where("source_file is not null").select("source_file").first()
    return (formats.of_path(first[0]) if first else None) or "table"


def refuse_options(contract: Contract) -> None:
    """Refuses rows of typed inputs and of outputs whose contract has options for texts (and for times without a zone): which of the columns
    were such, JSON does not say.

    Raises:
        UsageError: `reader_options`.
    """
    given = [(c.name, key) for c in contract.columns for key, value in {**contract.reader, **c.reader}.items()
             if key in OPTIONS and OPTIONS[key].column and value != OPTIONS[key].default]
    if given:
        name, key = given[0]
        raise UsageError(f"{name} was read by the contract's {key}, which its rejected rows, kept as columns, can't be read by once more",
                         reason="reader_options", hint="run the date again as a whole")


def _plain(contract: Contract) -> Contract:
    """The contract without a reader's options: JSON of typed values has one form only."""
    return replace(contract, reader={}, columns=tuple(replace(c, reader={}) for c in contract.columns))
