"""The verb `why`: the likely cause of a run's failure, or of its taking long. Offline; no JVM."""
from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path


def add(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """The verb's options."""
    why = verbs.add_parser("why", help="the likely cause of a run's failure, with its evidence and what to do")
    why.add_argument("run", help="a run's id, the beginning of it, its last six digits, `last`, or the path of a record, event log or log")
    why.add_argument("--log", action="append", default=[], type=Path, metavar="PATH", help="one more event log or driver's log, repeatable")
    why.add_argument("--ledger", metavar="PATH", help="default: conf, SPARKKIT_LEDGER, or .sparkkit/ledger")
    why.add_argument("--env", metavar="NAME", help="the environment whose conf names the ledger")
    why.add_argument("--json", action="store_true", help="the answer on one line, for machines")


def _why(args: argparse.Namespace) -> int:
    from sparkkit import redaction
    from sparkkit.history import find
    from sparkkit.why import answer

    path = Path(args.run)
    if path.exists() and args.run != "last":
        facts = answer.of_path(path, args.log)
    else:
        with find.ledger(args.ledger, find.job_of(args.run), args.env) as book:
            record = find.run(book, args.run)
        facts = answer.of_record(record, args.log)
    found = answer.findings(facts)
    if args.json:
        print(json.dumps(redaction.clean(answer.body(facts, found)), ensure_ascii=False))
    else:
        print(redaction.printable_lines(answer.text(facts, found)))
    return 0


VERBS: dict[str, Callable[..., int]] = {"why": _why}
