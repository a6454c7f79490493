"""The verb `drift-report`: a published table of drift verdicts, as text and as a page."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

from sparkkit.errors import UsageError


def add(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """The verb's options."""
    drift = verbs.add_parser("drift-report", help="what a table of drift verdicts reports; --html writes a page with a plot a feature")
    drift.add_argument("path", help="the table that the job `drift` published")
    drift.add_argument("--format", dest="kind", help="default: by the files' names")
    drift.add_argument("--html", metavar="FILE", help="write the page there; it loads nothing from outside")


def verdicts(path: str, kind: str | None = None) -> list[dict[str, Any]]:
    """The rows of a published table of verdicts, read in a session of its own.

    Raises:
        UsageError: it is no such table.
    """
    from sparkkit import needs, session, sources
    from sparkkit.conf import InputConf
    from sparkkit.monitoring.drift import VERDICTS
    from sparkkit.report import drift

    wanted = needs.named(delta=kind == "delta" or needs.is_delta(path), s3=needs.on_s3(path))
    spark = session.start(app_name="drift-report", needs=wanted)
    try:
        frame = sources.read(spark, "verdicts", InputConf((path,), format=kind), None).frame
        names = [part.split()[0] for part in VERDICTS.split(",")]
        lacks = sorted(set(names) - set(frame.columns))
        if lacks:
            raise UsageError(f"{path} has no {', '.join(lacks)}, so it is no table of drift verdicts", reason="no_column",
                             hint="give what the job `drift` published")
        rows = [row.asDict() for row in frame.select(*names).toLocalIterator()]
    finally:
        session.stop(spark)
    odd = {str(row["severity"]) for row in rows} - set(drift.ORDER)
    if odd:
        raise UsageError(f"{path} has the severity {min(odd)!r}, so it is no table of drift verdicts", reason="wrong_value",
                         hint=f"there are {', '.join(drift.ORDER)}")
    return rows


def _drift_report(args: argparse.Namespace) -> int:
    from sparkkit.report import drift, page

    rows = verdicts(args.path, args.kind)
    if args.html:
        page.write(args.html, drift.page(rows, f"Drift: {args.path}"))
    print(drift.text(rows))
    return 0


VERBS: dict[str, Callable[..., int]] = {"drift-report": _drift_report}
