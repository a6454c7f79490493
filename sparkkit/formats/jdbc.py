"""Tables of databases by JDBC: read by several queries of one snapshot, written by a staging table and one transaction.

See docs/decisions/013-databases.md.
"""

from __future__ import annotations

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql import types as t

from sparkkit.conf import OutputConf
from sparkkit.errors import UsageError
from sparkkit.formats import jdbc_tables
from sparkkit.formats.base import Format, Unfit
from sparkkit.formats.delta_schema import need_columns
from sparkkit.formats.jdbc_dialects import address
from sparkkit.formats.jdbc_read import land, view
from sparkkit.formats.jdbc_write import commit, judge, shape
from sparkkit.schema.types import quote


def check(spark: SparkSession, conf: OutputConf) -> None:
    """Refuses a target that can't be written, before anything is computed.

    Raises:
        UsageError: settings that don't fit together; the table is there and the mode is `error` (`output_exists`); a file of this
            machine, and tasks on others (`local_file`).
    """
    jdbc_tables.refuse(conf)
    if address(str(conf.path)).file and not str(spark.sparkContext.master).startswith("local"):
        raise UsageError("SQLite's file is on this machine, and tasks on others can't write it", reason="local_file",
                         hint="run it with --target local, or write to a server")


def fits(frame: DataFrame, conf: OutputConf, path: str) -> None:
    """Refuses a frame that can't go into the table, before it is computed.

    Raises:
        UsageError: keys that the frame does not have.
        ContractError: columns or types that the table does not take as they are (`schema_changed`).
    """
    need_columns(conf, frame.schema)
    with jdbc_tables.opened(frame.sparkSession, conf) as table:
        if table.there:
            jdbc_tables.refuse_misfit(table, frame.schema)


def unfit(frame: DataFrame, by: tuple[str, ...]) -> Unfit | None:
    """Rows with texts that hold the sign U+0000, which PostgreSQL refuses."""
    texts = [F.col(quote(f.name)) for f in frame.schema.fields if isinstance(f.dataType, t.StringType)]
    if not texts:
        return None
    held: Column = F.lit(False)
    for text in texts:
        held = held | F.coalesce(F.contains(text, F.lit("\0")), F.lit(False))
    return Unfit(held, "a text holds the sign U+0000", "take it out in the job")


FORMAT = Format("jdbc", (), land, files=False, check=check, fits=fits, judge=judge, commit=commit, number=jdbc_tables.number, shape=shape,
                unfit=unfit, view=view, place=jdbc_tables.place, there=jdbc_tables.there, hold=jdbc_tables.hold)
