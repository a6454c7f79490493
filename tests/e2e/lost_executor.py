"""A run on two real executor processes; the first row of the reduce side kills its executor after the map stage is done.

Usage: lost_executor.py INPUT OUTPUT FLAG RECORD. The flag file says that the kill took place, so it happens once.
"""
from __future__ import annotations

import os
import signal
from pathlib import Path

from sparkkit import DataFrame, F, Job, main


def kill_once(flag: str, row: str) -> str:
    """Kills the executor that runs this worker, if nobody did before."""
    try:
        os.close(os.open(flag, os.O_CREAT | os.O_EXCL))
    except FileExistsError:
        return row
    daemon = os.getppid()
    executor = int(Path(f"/proc/{daemon}/stat").read_text().rsplit(")", 1)[1].split()[1])
    os.kill(executor, signal.SIGKILL)
    return row


def build(text: DataFrame, *, flag: str = "") -> DataFrame:
    """The same lines, by way of a shuffle and of a function that kills."""
    killing = F.udf(lambda row: kill_once(flag, row) if flag else row, "string")
    return text.repartition(4, "value").select(killing("value").alias("value"))


JOB = Job(build, name="lost_executor", settings={"inputs.text.format": "text", "outputs.output.mode": "overwrite"})
if __name__ == "__main__":
    main(JOB)
