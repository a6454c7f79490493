"""The verb `rollback`: the kept versions of an output, and one of them put back. No JVM."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable

from sparkkit.errors import UsageError


def add(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """The verb's options."""
    rollback = verbs.add_parser("rollback", help="the kept versions of an output on this machine; with --to one is put back")
    rollback.add_argument("path", help="the output; its quarantine stays as it is, and goes back by a rollback of its own")
    rollback.add_argument("--to", metavar="RUN", help="the run whose version is to be put back; `before` is what was there before any run")


def _rollback(args: argparse.Namespace) -> int:
    from sparkkit.ledger import new_run_id
    from sparkkit.storage.local import LocalStore, real_path
    from sparkkit.storage.versions import rollback, versions

    if "://" in args.path:
        raise UsageError(f"{args.path} is not on this machine", reason="no_rollback", hint="versions are kept whole on a local disk only")
    target, store = real_path(args.path), LocalStore()
    if os.path.isdir(f"{target}/_delta_log"):
        raise UsageError(f"{args.path} is a Delta table", reason="no_rollback", hint="RESTORE TABLE … TO VERSION AS OF, in Spark")
    if args.to is None:
        kept = versions(store, target)
        for i, version in enumerate(kept):
            print(f"{version.run_id or 'before'}{'  (now)' if i == 0 else ''}")
        if not kept:
            raise UsageError(f"no run has published to {args.path}", reason="no_such_version")
        return 0
    put = rollback(store, target, "" if args.to == "before" else args.to, new_run_id("rollback"))
    print(f"{args.path} is as it was after {put.run_id or 'nothing: before any run'}; what it replaced is kept in turn")
    return 0


VERBS: dict[str, Callable[..., int]] = {"rollback": _rollback}
