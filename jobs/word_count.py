"""Counts the words of a text, as in the classic MapReduce example."""
from __future__ import annotations

from typing import Literal

from sparkkit import DataFrame, Job, main
from sparkkit.transforms import text as texts


def build(
    text: DataFrame, *, tokens: Literal["whitespace", "words"] = "whitespace", case: Literal["keep", "lower"] = "keep",
    minimum: int = 1, stop_words: list[str] | None = None,
) -> DataFrame:
    """Columns `word` and `count`, a row for each different word.

    Args:
        tokens: whitespace splits at blanks, as in the classic example; words knows Unicode's letters.
        case: lower counts "The" and "the" as one.
        minimum: leave out words that occur less often.
        stop_words: a word to leave out; repeatable.
    """
    return texts.word_count(text, column="value", tokens=tokens, case=case, minimum=minimum, stop_words=tuple(stop_words or ()))


JOB = Job(build, settings={"inputs.text.format": "text", "outputs.output.mode": "overwrite"})
if __name__ == "__main__":
    main(JOB)
