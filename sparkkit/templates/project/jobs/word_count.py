"""Counts the words of a text."""
from __future__ import annotations

from sparkkit import DataFrame, Job, main
from sparkkit.transforms import text as texts


def build(text: DataFrame, *, minimum: int = 1) -> DataFrame:
    """Columns `word` and `count`, a row for each different word.

    Args:
        minimum: leave out words that occur less often.
    """
    return texts.word_count(text, column="value", minimum=minimum)


JOB = Job(build)
if __name__ == "__main__":
    main(JOB)
