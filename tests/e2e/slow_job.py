"""A run that waits in its tasks until it is killed; a file says that a task is under way."""
from __future__ import annotations

import time
from pathlib import Path

from sparkkit import DataFrame, F, Job, main


def wait(flag: str, seconds: int, row: str) -> str:
    """Says that the task runs, and sleeps."""
    Path(flag).touch()
    time.sleep(seconds)
    return row


def build(text: DataFrame, *, flag: str, seconds: int = 120) -> DataFrame:
    """The same lines, slowly."""
    return text.select(F.udf(lambda row: wait(flag, seconds, row), "string")("value").alias("value"))


JOB = Job(build, name="slow_job", settings={"inputs.text.format": "text", "outputs.output.mode": "overwrite"})
if __name__ == "__main__":
    main(JOB)
