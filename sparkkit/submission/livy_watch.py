"""Sends a batch to Livy and follows it: a line for each change of its state, its log where it failed, the job's own exit code."""
from __future__ import annotations

import re
import shlex
import signal
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from typing import Any

from sparkkit import redaction
from sparkkit.errors import InfrastructureError, UsageError
from sparkkit.interrupts import Interrupted, Stopper
from sparkkit.submission import asking, stores
from sparkkit.submission.livy_client import Batch, begin, kill, log, look, patiently
from sparkkit.submission.livy_http import Client, RefusedError, connect
from sparkkit.submission.order import HttpCall, Order

ENDS = ("success", "dead", "error", "killed")
"""The states after which nothing comes. Any other, recovering and those of a Livy to come too, is waited through."""

CODES = (
    re.compile(r"User application exited with status (\d+)"),  # YARN's diagnostics, of a driver on the cluster
    re.compile(r"\(exit (\d+), record "),  # the job's own last words
    re.compile(r"spark-submit exited with code (\d+)"),  # Livy's own, of a driver that it keeps itself
)
"""Where a log says the job's exit code, the surest first."""

SHOWN = 40
"""The last lines of a failed batch's log that are shown."""


def send(call: HttpCall, order: Order) -> int:
    """Puts the code in its place and begins the batch; the exit code: that of the job where it was waited for.

    Raises:
        UsageError: a wrong conf, or the server refused.
        InfrastructureError: the server did not answer, lost sight of the batch, or somebody killed it.
    """
    client, begun = connect(order), list[Batch]()
    stores.put(order.uploads, order.submit)
    try:
        with Stopper().heeding():
            begun.append(begin(client, call.body))
            print(_page(client, begun[0]), flush=True)
            return ended(client, begun[0]) if order.wait else 0
    except (Interrupted, KeyboardInterrupt) as stop:
        number = stop.exit_code - 128 if isinstance(stop, Interrupted) else int(signal.SIGINT)
    if not begun:
        _tell(f"interrupted while it was sent: look for {call.body['name']} at {client.url}/batches")
    else:
        _left(client, begun[0], number)
    return 128 + number


def ended(client: Client, batch: Batch) -> int:
    """Waits for the end of a batch; its exit code: 0, or the job's own where the log says it, else 1.

    Raises:
        InfrastructureError: somebody killed it (`killed`), or the server lost sight of it.
    """
    for now in states(client, batch):
        _tell(f"batch {now.id}: {now.state}{f' ({now.app})' if now.app else ''}")
    if now.state == "success":
        return 0
    lines = _log(client, now)
    for line in lines[-SHOWN:]:
        print(redaction.printable(line), file=sys.stderr)
    if now.state == "killed":
        raise InfrastructureError(f"batch {now.id} was killed at {client.url}, by its server or a person", reason="killed")
    return code_of(lines)


def _log(client: Client, batch: Batch) -> list[str]:
    """The log; none where the server does not show it to this user, or has forgotten it: the batch has failed all the same."""
    try:
        return "\n".join(log(client, batch)).splitlines()
    except RefusedError as error:
        _tell(f"batch {batch.id}: its log can't be read: {error}")
        return []


def log_of(page: str, submit: Mapping[str, Any]) -> Iterator[str]:
    """The lines of a batch's log, by the batch's address and the table `[submit]` with its server's address and credentials.

    Raises:
        UsageError: the address is of no batch of that server, which alone may get the credentials; or the server refused.
        NoAnswerError: the server did not answer.
    """
    client = connect(Order("", "", target="livy", submit=submit))
    found = re.fullmatch(re.escape(client.url) + r"/batches/(\d+)", page)
    if not found:
        raise UsageError(f"{page} is no batch of {client.url}", reason="unknown_batch", hint="--env names another environment")
    return log(client, Batch(int(found[1]), ""))


def states(client: Client, batch: Batch) -> Iterator[Batch]:
    """A batch each time that its state has changed, until it has ended; a server that is gone is waited for.

    Raises:
        InfrastructureError: it stayed away for longer than the client is patient, or does not know the batch any more.
    """
    now, pause = batch, client.pause
    yield now
    while now.state not in ENDS:
        time.sleep(pause)
        found = patiently(client, partial(look, client, now))
        changed = found.state != now.state
        now = Batch(found.id, found.state, found.name or now.name, found.app or now.app)
        pause = client.pause if changed else min(1.5 * pause, 10 * client.pause)
        if changed:
            yield now


def code_of(lines: Iterable[str]) -> int:
    """The exit code that a failed batch's log tells, by the surest sign; 1 where there is none.

    >>> code_of(["User application exited with status 3", "spark-submit exited with code 1"]), code_of(["killed"])
    (3, 1)
    """
    kept = list(lines)
    for sign in CODES:
        found = [int(match[1]) for line in kept for match in sign.finditer(line) if 0 < int(match[1]) < 256]
        if found:
            return found[-1]
    return 1


def _left(client: Client, batch: Batch, number: int) -> None:
    """After Ctrl-C: on a terminal asks whether to kill the batch; else leaves it running, and says how to kill it."""
    if number == signal.SIGINT and asking.yes(f"kill batch {batch.id}?"):
        kill(client, batch)
        _tell(f"batch {batch.id}: killed")
        return
    login = " with the credentials" if "Authorization" in client.headers else ""
    command = shlex.join(["curl", "-X", "DELETE", "-H", "X-Requested-By: sparkkit", _page(client, batch)])
    _tell(f"batch {batch.id} goes on; to kill it, send{login}: {command}")


def _page(client: Client, batch: Batch) -> str:
    return f"{client.url}/batches/{batch.id}"


def _tell(text: str) -> None:
    print(f"sparkkit: livy: {redaction.printable(text)}", file=sys.stderr, flush=True)
