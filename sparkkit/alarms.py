"""A job's alarm: rows of what it publishes that somebody is to look at. The run publishes them, and ends with exit code 4.

What the alarm said is kept in the journal, by the decision that publishes the rows: a retry that finds them done says it again, also
after a run that was killed between the two.
"""

from __future__ import annotations

from collections.abc import Mapping

from pyspark.errors import AnalysisException
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from sparkkit import formats
from sparkkit.errors import UsageError
from sparkkit.schema.landing import LANDING
from sparkkit.schema.slips import fault
from sparkkit.schema.types import quote
from sparkkit.sinks import Place, Staged
from sparkkit.staging import Files, Target

NAMED = 5
"""How many of the rows are named in the message."""


def refuse_slips(job: str, frame: DataFrame, predicate: str) -> None:
    """Refuses an alarm whose SQL Spark does not take on the frame that it is asked of, before it is computed.

    Raises:
        UsageError: with Spark's own sentence (reason `wrong_job`).
    """
    rows = frame.select(*[quote(c) for c in frame.columns if c not in LANDING])
    slip: AnalysisException | None = fault(rows, f"count_if({predicate})") if predicate else None
    if slip:
        said = str(slip).strip().partition("\n")[0]
        raise UsageError(f"job {job!r}: alarm {predicate!r}: {said}", reason="wrong_job", hint="mend the alarm in the job's file")


def sounded(place: Place, staged: Staged, predicate: str) -> str:
    """What the alarm says of an output's staged rows: how many meet it, and the first column of a few; empty where none does."""
    if not predicate or not place.any(staged.data):
        return ""
    name = quote(staged.schema.names[0])
    met = _rows(place, staged).where(predicate).groupBy(F.col(name).cast("string").alias("name")).agg(F.count("*").alias("n"))
    found = [(row["name"], row["n"]) for row in met.orderBy("name").toLocalIterator()]
    if not found:
        return ""
    shown = ", ".join(str(one) for one, _ in found[:NAMED]) + (f" and {len(found) - NAMED} more" if len(found) > NAMED else "")
    rows = sum(n for _, n in found)
    return f"alarm: {rows:,} {'row' if rows == 1 else 'rows'} of {staged.target.name!r} where {predicate}: {shown}"


def _rows(place: Place, staged: Staged) -> DataFrame:
    """The good rows of an output as they were staged."""
    if staged.kind == "parquet":
        return place.read(staged.data, staged.schema)
    held = formats.view(place.spark, staged.kind, staged.data, staged.target.conf.options)
    return held.select(*[F.col(quote(f.name)).cast(f.dataType).alias(f.name) for f in staged.schema.fields])


def states(place: Place, targets: Mapping[str, Target], job: str, slice_name: str, said: str) -> dict[str, bytes | None]:
    """What the journal keeps of an alarm, with the slice and for the job as a whole; nothing where there is nothing to say or to forget."""
    keep = said.encode() if said else None
    return {name: keep for name in (_name(job, slice_name), _name(job)) if keep or _state(place, targets, name)}


def kept(place: Place, targets: Mapping[str, Target], job: str, slice_name: str = "") -> str:
    """What the alarm said when a slice was published last, or the job's last slice; empty where it was silent, or nobody knows."""
    return _state(place, targets, _name(job, slice_name)).decode()


def _name(job: str, slice_name: str = "") -> str:
    return f"alarm {job} {slice_name}".rstrip()


def _state(place: Place, targets: Mapping[str, Target], name: str) -> bytes:
    """A state in the journal that is decided last; none over Spark Connect, and on a store without journals."""
    runs = place.journals.runs if isinstance(place, Files) else {}
    held = [runs[t.journal][0] for t in targets.values() if t.journal in runs]
    return (held[-1].state(name) if held else None) or b""
