"""Runs the job again and again in one session: a line of JSON with the arguments in, the exit code out."""

from __future__ import annotations

import contextlib
import json
import sys
from pathlib import Path

from sparkkit import session
from sparkkit.command import command
from sparkkit.submission.local import load_job


def main() -> None:
    """Until its input ends."""
    job = load_job(str(Path(__file__).with_name("nightly.py")))
    spark = session.start({"spark.databricks.delta.snapshotPartitions": "1"}, app_name="again", profile="test", needs_delta=True)
    print("ready", flush=True)
    for line in sys.stdin:
        with contextlib.redirect_stdout(sys.stderr):
            code = command(job, json.loads(line), spark=spark)
        print(code, flush=True)
    session.stop(spark)


if __name__ == "__main__":
    main()
