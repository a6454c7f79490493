"""What a table by keys can't show, and its next writer must know: deletes that were applied, and changes that said nothing
new. Without the first a late change would bring a deleted row back; without the second a late change could not be fitted in.

Parquet folders in `_sparkkit_kept` below the table, each written once. A list of them, `<number>.json`, is in force where the
table's own log says so, by the number of the application `sparkkit.kept`, which is committed together with the rows. What an
attempt that died has left is in no list.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Sequence

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from sparkkit.errors import ContractError
from sparkkit.formats.deltalog import Transaction
from sparkkit.schema.types import quote
from sparkkit.storage.hadoop import Hadoop
from sparkkit.storage.log import FORMAT, decode

APP = "sparkkit.kept"
"""The application whose number is that of the list in force."""

MOST = 100
"""As many folders are read one by one; then they are written together anew."""


class Kept:
    """What is kept for a table, as a transaction finds it. `at` is the column of the sequence, or of the effective time."""

    def __init__(self, txn: Transaction, keys: Sequence[str]) -> None:
        self.txn, self.keys = txn, list(keys)
        self.hadoop = Hadoop.of(txn.spark)
        self.home = f"{txn.path.rstrip('/')}/_sparkkit_kept"
        self.number = txn.number(APP)
        self.parts: list[str] = self._list() if self.number >= 0 else []
        self.made: list[str] = []

    def _list(self) -> list[str]:
        at = f"{self.home}/{self.number}.json"
        if not self.hadoop.exists(at):
            raise ContractError(f"{at} is missing, which the log of {self.txn.path} names: deletes would be forgotten",
                                reason="kept_missing", hint="bring the folder _sparkkit_kept back, or load the table anew at another path")
        data = self.hadoop.read(str(self.hadoop.path(at).toUri().toString()))
        return list(json.loads(data) if data.startswith(b"[") else decode(data, at)["parts"])  # without a number before there was one

    def since(self, batch: DataFrame, at: str) -> DataFrame | None:
        """What was kept of the batch's first `at` and later; None where nothing was."""
        if not self.parts:
            return None
        low = batch.agg(F.min(quote(at)).cast("string")).first()
        if low is None or low[0] is None:
            return None
        return self._read(self.parts).where(F.col("_sparkkit_at") >= F.lit(low[0]).cast(batch.schema[at].dataType))

    def _read(self, parts: Sequence[str]) -> DataFrame:
        return self.txn.spark.read.option("mergeSchema", "true").parquet(*[f"{self.home}/{p}" for p in parts])

    def add(self, frame: DataFrame) -> dict[str, int]:
        """Keeps some more rows; the number that is to be committed with the table's rows, by its application."""
        number = secrets.randbits(62)
        part = f"{number:x}"
        rows, parts = frame, self.parts
        if len(parts) >= MOST:
            rows, parts = self._read(parts).unionByName(frame, allowMissingColumns=True).distinct(), []
        self.made = [f"{self.home}/{part}", f"{self.home}/{number}.json"]
        rows.coalesce(8).sortWithinPartitions(*[quote(k) for k in self.keys]).write.parquet(self.made[0])
        self.hadoop.write(self.made[1], json.dumps({"format": FORMAT, "parts": [*parts, part]}).encode())
        return {APP: number}

    def drop(self) -> None:
        """Deletes what was kept for a commit that did not come through."""
        for at in self.made:
            self.hadoop.delete(at)
