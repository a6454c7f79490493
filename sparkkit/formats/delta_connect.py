"""Delta's commits over Spark Connect, where the client has no transaction: Delta's own writer commits, idempotent by the
application's number. The rows are counted just before, as the server reads them back; what needs a look at the files before
the commit (keys, replacing an append) is refused."""

from __future__ import annotations

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from sparkkit.conf import OutputConf
from sparkkit.errors import AccountingError, ContractError, LockedError, UsageError
from sparkkit.formats import delta_table
from sparkkit.formats.base import Commit, Committed
from sparkkit.formats.delta_schema import fit
from sparkkit.formats.delta_table import folders, named

LOG = "txn struct<appId string, version bigint>"


def number(spark: SparkSession, path: str, app: str) -> int:
    """The last number in the table's log for an application id, -1 for none."""
    log = f"{path.rstrip('/')}/_delta_log"
    found = [_last(spark.read.schema(LOG).json(f"{log}/*.json"), app)]
    try:
        found.append(_last(spark.read.schema(LOG).parquet(f"{log}/*.checkpoint*.parquet"), app))
    except Exception as error:
        if "PATH_NOT_FOUND" not in str(error):  # a young table has no checkpoint
            raise
    return max(found)


def _last(log: DataFrame, app: str) -> int:
    row = log.where(F.col("txn.appId") == app).agg(F.max("txn.version")).first()
    return -1 if row is None or row[0] is None else int(row[0])


def commit(frame: DataFrame, conf: OutputConf, path: str, how: Commit) -> Committed:
    """Commits a frame by Delta's writer; the rows that the commit's own metrics give, and the partitions replaced.

    Raises:
        UsageError: an append is to replace what an earlier generation wrote (`connect_no_replace`).
        AccountingError: other rows come back than were staged; nothing was published.
        ContractError: the frame does not fit the table.
    """
    spark, before = frame.sparkSession, delta_table.version(frame.sparkSession, path)
    last = number(spark, path, how.txn[0]) if how.txn and before >= 0 else -1
    if how.txn and last >= how.txn[1]:
        return _earlier(path, how.txn, last)
    if last >= 0 and conf.mode == "append":
        raise UsageError(f"{path} holds what generation {last} of this date appended, which Spark Connect can't replace",
                         reason="connect_no_replace", hint="run on a classic session, or use overwrite_partitions")
    counted = frame.count()
    if how.rows is not None and counted != how.rows:
        raise AccountingError(f"{how.rows} rows were staged for {path}, but {counted} come back", hint="nothing was published")
    given = {"userMetadata": f"sparkkit {how.run_id}", **conf.options}
    by = tuple(conf.partition_by)
    if before >= 0:
        by = delta_table.partitions(spark, path)
        found = fit(conf, frame.schema, spark.read.format("delta").load(path).schema, by, path)
        if found.wider:
            raise ContractError(f"{path} has narrower columns than the frame", reason="schema_changed",
                                hint="widen it on a classic session")
        frame = found.frame(frame)
        given |= {"mergeSchema": "true"} if found.added else {}
    if how.txn:
        given |= {"txnAppId": how.txn[0], "txnVersion": str(how.txn[1])}
    return _write(frame, conf, path, by, given, before)


def _write(
    frame: DataFrame, conf: OutputConf, path: str, by: tuple[str, ...], given: dict[str, str], before: int,
) -> Committed:
    writer, replaced = frame.write.format("delta").options(**given), []
    if conf.mode == "overwrite_partitions":
        delta_table.need_partitions(path, by)
        replaced = folders(frame, list(by))
        writer = writer.mode("overwrite").option("partitionOverwriteMode", "dynamic")
    else:
        writer = writer.mode(conf.mode)
    (writer.partitionBy(*by) if by else writer).save(path)
    version, rows = _committed(frame.sparkSession, path, before, given["userMetadata"])
    return Committed({"inserted": rows}, tuple(replaced), version)


def _earlier(path: str, txn: tuple[str, int], last: int) -> Committed:
    if last > txn[1]:
        raise LockedError(f"{path} holds generation {last} of {txn[0]}, and this run is generation {txn[1]}",
                          reason="newer_generation", hint="a later run has replaced this one")
    return Committed({"inserted": None}, already=True)


def _committed(spark: SparkSession, path: str, before: int, mark: str) -> tuple[int, int]:
    """Version and rows of our own commit: that which bears our mark, after the version that was there before."""
    history = spark.sql(f"DESCRIBE HISTORY {named(path)}").where((F.col("version") > before) & (F.col("userMetadata") == mark))
    rows = [row for row in history.orderBy("version").toLocalIterator() if row["operation"] not in ("OPTIMIZE", "VACUUM END")]
    if not rows:
        raise ContractError(f"the commit to {path} is not in its history", reason="accounting_broken", hint="look at its _delta_log")
    return int(rows[-1]["version"]), int(rows[-1]["operationMetrics"].get("numOutputRows", 0))
