"""Livy's REST API for batches: begin, look up, read the log, kill; by its documentation, and patient with a server that restarts."""
from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

from sparkkit.errors import InfrastructureError, UsageError
from sparkkit.submission.livy_http import Client, NoAnswerError, RefusedError

T = TypeVar("T")

PAUSES = (1, 2, 4)
"""Before each of the retries of a submission, in pauses of the client."""

LONGEST = 30.0
"""The longest pause, in seconds, between two calls of a server that does not answer."""

DUPLICATE, BUSY = "Duplicate session name", "too many sessions"
"""What Livy's refusals say of a name that stands already, and of too many batches that are just being started."""


@dataclass(frozen=True)
class Batch:
    """What a server says of a batch: `state` is Livy's word, `app` the cluster's id of the application once it is known."""

    id: int
    state: str
    name: str | None = None
    app: str | None = None


def patiently(client: Client, call: Callable[[], T]) -> T:
    """What a call gives; a server that does not answer is asked again, with growing pauses, as long as the client is patient.

    Raises:
        NoAnswerError: it did not answer in all that time.
    """
    until, pause = time.monotonic() + client.patience, client.pause
    while True:
        try:
            return call()
        except NoAnswerError:
            if time.monotonic() + pause > until:
                raise
        time.sleep(pause)
        pause = min(2 * pause, LONGEST)


def begin(client: Client, body: Mapping[str, Any]) -> Batch:
    """Begins a batch, once: where the answer was lost, the batch is looked for by its name before it is sent again.

    Raises:
        NoAnswerError: the server did not answer, after three more tries.
        RefusedError: it said no.
    """
    lost = None
    for pause in (0, *PAUSES):
        time.sleep(pause * client.pause)
        try:
            return _batch(client.call("POST", "/batches", body))
        except NoAnswerError as error:
            lost = error
        except RefusedError as error:
            if DUPLICATE not in error.said and BUSY not in error.said:
                raise
            lost = NoAnswerError(error.message, sent=DUPLICATE in error.said)
        found = named(client, str(body["name"])) if lost.sent else None
        if found:
            return found
    assert lost is not None
    raise lost


def named(client: Client, name: str) -> Batch | None:
    """The batch of a name, None where there is none.

    Raises:
        NoAnswerError: the server did not answer, or it does not say what its batches' names are, as those before 0.6 do not.
    """
    for one in _all(client):
        if "name" not in one:
            raise NoAnswerError(f"the server at {client.url} may have begun the batch, and does not tell the names of its batches",
                                hint=f"look for it at {client.url}/batches before you submit again")
        if one["name"] == name:
            return _batch(one)
    return None


def _all(client: Client, size: int = 1000) -> Iterator[Mapping[str, Any]]:
    """All batches that the server knows; in one page where they are not very many, for what is deleted between two pages moves them."""
    at = 0
    while True:
        answer = patiently(client, partial(client.call, "GET", f"/batches?from={at}&size={size}"))
        page = answer.get("sessions") or []
        yield from page
        at += len(page)
        if not page or at >= answer.get("total", 0):
            return


def look(client: Client, batch: Batch) -> Batch:
    """A batch as it is now. A server that was started anew may number from 0 again: another's batch is not taken for this one.

    Raises:
        InfrastructureError: the server does not know it any more (`batch_gone`).
        NoAnswerError: the server did not answer.
    """
    try:
        now = _batch(client.call("GET", f"/batches/{batch.id}"))
    except RefusedError as error:
        if error.status != 404:
            raise
        raise _gone(client, batch) from None
    if any(old and new and old != new for old, new in ((batch.name, now.name), (batch.app, now.app))):
        raise _gone(client, batch)
    return now


def _gone(client: Client, batch: Batch) -> InfrastructureError:
    hint = "it was deleted, or the server was started anew without session recovery: look at the cluster before you submit again"
    return InfrastructureError(f"the server at {client.url} does not know batch {batch.id} any more, so how it ends is not known",
                               reason="batch_gone", hint=hint)


def log(client: Client, batch: Batch, size: int = 1000) -> Iterator[str]:
    """The lines that the server still has of a batch's log, page by page: spark-submit's last ones, and the cluster's diagnostics."""
    at = 0
    while True:
        page = patiently(client, partial(client.call, "GET", f"/batches/{batch.id}/log?from={at}&size={size}"))
        lines = page.get("log") or [] if page.get("from", at) == at else []
        yield from map(str, lines)
        at += len(lines)
        if not lines or at >= page.get("total", at + 1):  # the documentation does not name a total
            return


def kill(client: Client, batch: Batch) -> None:
    """Ends a batch, and takes it off the server's list.

    Raises:
        InfrastructureError: it is not there any more, or its number is another's now (`batch_gone`).
        NoAnswerError: the server did not answer.
        RefusedError: it does not allow it.
    """
    patiently(client, partial(look, client, batch))
    client.call("DELETE", f"/batches/{batch.id}")


def _batch(found: Mapping[str, Any]) -> Batch:
    if not isinstance(found.get("id"), int) or not isinstance(found.get("state"), str):
        raise UsageError("what answers is not Livy: a batch without id and state", reason="not_livy", hint="is submit.url its address?")
    return Batch(found["id"], found["state"], found.get("name"), found.get("appId"))
