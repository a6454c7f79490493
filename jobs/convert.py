"""Converts any format to any other, a file or a folder of files, each row accounted for."""
from __future__ import annotations

from typing import Any

from sparkkit import DataFrame, Job, main


def build(data: DataFrame) -> DataFrame:
    """The same rows."""
    return data


def edges(
    *, from_: str | None = None, to: str = "parquet", contract: str | None = None, keep_source: bool = False,
) -> dict[str, Any]:
    """Where and how the rows are read and written.

    Args:
        from_: the format to read; default by the files' names.
        to: the format to write.
        contract: what the rows promise: a file, or a name in schemas/; `sparkkit schema infer` writes one to start from.
        keep_source: add the column _source_file.
    """
    settings = {
        "inputs.data.format": from_, "inputs.data.contract": contract, "inputs.data.keep_source": keep_source or None,
        "outputs.output.format": to,
    }
    return {key: value for key, value in settings.items() if value is not None}


JOB = Job(build, edges=edges, settings={"outputs.output.mode": "overwrite"})
if __name__ == "__main__":
    main(JOB)
