"""Runs the job again and again in one session: a line of JSON with the arguments in, the exit code out. `worker.py [SECONDS MISSED]`
sets the patience with other runs. It imports nothing but sparkkit, as `child.py`."""

from __future__ import annotations

import contextlib
import json
import sys
from pathlib import Path

from sparkkit import publishing, session
from sparkkit.command import command
from sparkkit.storage.lock import Patience
from sparkkit.submission.local import load_job


def main() -> None:
    """Until its input ends."""
    if sys.argv[1:]:
        seconds, missed = float(sys.argv[1]), int(sys.argv[2])
        vars(publishing)["Patience"] = lambda: Patience(seconds, missed)
    job = load_job(str(Path(__file__).with_name("nightly.py")))
    spark = session.start({"spark.databricks.delta.snapshotPartitions": "1"}, app_name="again", profile="test", needs=["delta"])
    print("ready", flush=True)
    for line in sys.stdin:
        spark._jvm.org.apache.spark.sql.delta.DeltaLog.clearCache()  # type: ignore[union-attr]  # other tables come to the same paths
        with contextlib.redirect_stdout(sys.stderr):
            code = command(job, json.loads(line), spark=spark)
        print(code, flush=True)
    session.stop(spark)


if __name__ == "__main__":
    main()
