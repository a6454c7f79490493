"""The verbs `runs` and `status`: what the ledger knows. Neither starts a JVM, unless the ledger is not on this machine."""
from __future__ import annotations

import argparse
import datetime as dt
import json
from collections.abc import Callable, Iterator
from itertools import islice
from typing import TYPE_CHECKING

from sparkkit.errors import InfrastructureError, NotReadyError
from sparkkit.options import date
from sparkkit.redaction import clean, printable_lines

if TYPE_CHECKING:
    from sparkkit.history.table import Row

STATUSES = ("done", "nothing_new", "already_done", "failed", "refused", "locked", "interrupted", "running", "killed", "unknown")
NOT_ENDED = {"running": NotReadyError.exit_code, "unknown": NotReadyError.exit_code, "killed": InfrastructureError.exit_code}
"""What `status --exit-code` ends with where a run has no exit code of its own."""


def add(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """The verbs' options."""
    runs = verbs.add_parser("runs", help="the runs in the ledger, newest first; runs show ID, runs compact")
    _shared(runs)
    runs.add_argument("--job")
    runs.add_argument("--status", choices=STATUSES)
    runs.add_argument("--since", metavar="TIME", help="a date, a date and time (UTC), or how long ago: 12h, 7d")
    runs.add_argument("--limit", type=_number, default=20, metavar="N", help="default 20; 0 for all")
    runs.add_argument("--json", action="store_true", help="whole records, one a line")
    nouns = runs.add_subparsers(dest="noun", metavar="show|compact")
    show = nouns.add_parser("show", help="one run: by its id, the beginning of it, its last six digits, or `last`")
    _shared(show)
    show.add_argument("run")
    show.add_argument("--json", action="store_true", help="the record, on one line")
    compact = nouns.add_parser("compact", help="put the records of past days into a table (Parquet); may be killed, may run twice")
    _shared(compact)
    compact.add_argument("--keep-days", type=int, default=2, metavar="N", help="leave the last N days as they are (default 2)")
    status = verbs.add_parser("status", help="a job's last run, on one line; exit code 3 where it has none")
    _shared(status)
    status.add_argument("job")
    status.add_argument("--date", type=date, help="its last run for this logical date")
    status.add_argument("--exit-code", action="store_true", help="end with the exit code of that run")


def _number(text: str) -> int:
    if not text.isdigit():
        raise argparse.ArgumentTypeError(f"{text!r} is no number of runs")
    return int(text)


def _shared(parser: argparse.ArgumentParser) -> None:
    # a noun's parser would put its own default in the place of what was said before the noun
    parser.add_argument("--ledger", metavar="PATH", default=argparse.SUPPRESS, help="default: conf, SPARKKIT_LEDGER, or .sparkkit/ledger")
    parser.add_argument("--env", metavar="NAME", default=argparse.SUPPRESS, help="the environment whose conf names the ledger")


def _runs(args: argparse.Namespace) -> int:
    return {"show": _show, "compact": _compact, None: _list}[args.noun](args)


def _list(args: argparse.Namespace) -> int:
    from sparkkit.history import find
    from sparkkit.report import runs as report

    since = find.since(args.since, dt.datetime.now(dt.UTC)) if args.since else None
    with find.ledger(getattr(args, "ledger", None), args.job, getattr(args, "env", None)) as book:
        found = (row for row in book.runs(job=args.job, since=since) if args.status in (None, row.status))
        rows = list(islice(found, args.limit or None))
        if args.json:
            for record in filter(None, (book.record(row.run_id) for row in rows if row.status != "unreadable")):
                print(json.dumps(clean(record), ensure_ascii=False))
        else:
            print(printable_lines(report.listed(rows)) if rows else f"no such run in {book.path}")
    return 0


def _show(args: argparse.Namespace) -> int:
    from sparkkit.history import find
    from sparkkit.report import runs as report

    with find.ledger(getattr(args, "ledger", None), find.job_of(args.run), getattr(args, "env", None)) as book:
        record = find.run(book, args.run)
    print(json.dumps(clean(record), ensure_ascii=False) if args.json else printable_lines(report.page(record)))
    return 0


def _compact(args: argparse.Namespace) -> int:
    from sparkkit.history import find
    from sparkkit.history.compact import compact

    before = dt.datetime.now(dt.UTC).date() - dt.timedelta(days=args.keep_days - 1)
    with find.ledger(getattr(args, "ledger", None), None, getattr(args, "env", None)) as book:
        done = compact(book, before.isoformat())
    print(f"{done.records} records went into {book.path}/table")
    for run_id in done.left:
        print(f"left as it is: {run_id}, which can't be read")
    return 0


def _status(args: argparse.Namespace) -> int:
    from sparkkit.history import find
    from sparkkit.report import runs as report

    with find.ledger(getattr(args, "ledger", None), args.job, getattr(args, "env", None)) as book:
        row = next(_of_date(book.runs(job=args.job), args.date), None)
        record = book.record(row.run_id) if row else None
    if record is None:
        date = f" for {args.date}" if args.date else ""
        raise NotReadyError(f"the ledger {book.path} has no run of {args.job}{date}", reason="no_run", hint="`sparkkit runs` lists all")
    print(printable_lines(report.status(record)))
    code = record.get("exit_code")
    return (NOT_ENDED.get(record["status"], 0) if code is None else int(code)) if args.exit_code else 0


def _of_date(rows: Iterator[Row], date: dt.date | None) -> Iterator[Row]:
    return (row for row in rows if date is None or row.date == date.isoformat())


VERBS: dict[str, Callable[..., int]] = {"runs": _runs, "status": _status}
