"""The verb `why`: the likely cause of a run's failure, or of its taking long. Offline; no JVM."""
from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path


def add(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """The verb's options."""
    why = verbs.add_parser("why", help="the likely cause of a run's failure, with its evidence and what to do")
    why.add_argument("run", help="a run's id, the beginning of it, its last six digits, `last`, or the path of a record, event log or log;"
                                 " an application of YARN, a step of EMR (j-…/s-…), a job run of EMR Serverless (APPLICATION/RUN)")
    why.add_argument("--log", action="append", default=[], type=Path, metavar="PATH", help="one more event log or driver's log, repeatable")
    why.add_argument("--application", metavar="ID", help="an application on YARN, whose containers' logs are read too")
    why.add_argument("--ledger", metavar="PATH", help="default: conf, SPARKKIT_LEDGER, or .sparkkit/ledger")
    why.add_argument("--env", metavar="NAME", help="the environment whose conf names the ledger, or says where AWS is")
    why.add_argument("--json", action="store_true", help="the answer on one line, for machines")


def _why(args: argparse.Namespace) -> int:
    from sparkkit import redaction
    from sparkkit.history import find
    from sparkkit.verbs import logs
    from sparkkit.why import answer

    with tempfile.TemporaryDirectory(prefix="sparkkit-") as folder:
        path = Path(args.run)
        here = path.exists() and args.run != "last"
        far = not here and logs.is_far(args.run)
        said = args.log + _containers(args.run if far else args.application, args.env, Path(folder), needed=far)
        if here:
            facts = answer.of_path(path, said)
        elif far:
            facts = answer.of_path(said[0], said[1:])
        else:
            with find.ledger(args.ledger, find.job_of(args.run), args.env) as book:
                record = find.run(book, args.run)
            facts = answer.of_record(record, said)
    found = answer.findings(facts)
    if args.json:
        print(json.dumps(redaction.clean(answer.body(facts, found)), ensure_ascii=False))
    else:
        print(redaction.printable_lines(answer.text(facts, found)))
    return 0


def _containers(asked: str | None, env: str | None, folder: Path, *, needed: bool) -> list[Path]:
    """What a cluster keeps of what was said, where a job or an application is named; one that has none is told, and the rest is read."""
    from sparkkit.errors import NotReadyError
    from sparkkit.verbs import logs

    try:
        return logs.far(asked, env, folder) if asked else []
    except NotReadyError as error:
        if needed:
            raise
        print(f"sparkkit: note: {error}", file=sys.stderr)
        return []


VERBS: dict[str, Callable[..., int]] = {"why": _why}
