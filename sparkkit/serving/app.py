"""The Flask application: who may ask, what is asked, what is answered, what is counted and logged."""

from __future__ import annotations

import json
import logging
import os
import re
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sparkkit.models.bundle import Bundle
from sparkkit.portable.stage import NotScorableError
from sparkkit.serving import bodies, openapi, page, tokens
from sparkkit.serving.fields import Fault
from sparkkit.serving.limits import Rate
from sparkkit.serving.metrics import Metrics
from sparkkit.serving.model import Current, Model, labels
from sparkkit.serving.predictions import Log, line

if TYPE_CHECKING:
    from flask import Flask, Response

log = logging.getLogger("sparkkit.serving")

FAULTS = 100
"""Faults that an answer names; of more it gives the number."""

_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_PLACES = {"/predict": "predict", "/invocations": "predict", "/metrics": "metrics", "/reload": "admin"}
"""What needs a scope. The rest is open: health, the page, the description of the interface; none of it holds data."""

HEADERS = {
    "X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY", "Referrer-Policy": "no-referrer", "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; form-action 'none'; "
                               "base-uri 'none'; frame-ancestors 'none'",
}
"""On every answer."""


@dataclass(frozen=True)
class Settings:
    """How a server serves. `rate` is requests a second for each token or address, in each worker; 0 is no limit. `timeout` is how many
    seconds a client may be silent within a request, and how many the scoring of a batch may take."""

    name: str
    tokens: Path | None = None
    rate: float = 0.0
    max_body: int = 1 << 20
    max_rows: int = 1000
    timeout: float = 10.0
    spark: bool = False
    tls: bool = False
    log: Path | None = None


class Refused(Exception):  # noqa: N818 - becomes an answer
    """An answer other than the one asked for."""

    def __init__(self, status: int, message: str, faults: Sequence[Fault] = (), headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.status, self.faults, self.headers = status, faults, dict(headers or {})


class Service:
    """What the routes share: the model that answers now, tokens, rates, figures, the log."""

    def __init__(self, bundle: Bundle, settings: Settings) -> None:
        self.settings = settings
        self.current = Current(Model.load(bundle, spark=settings.spark), settings.name, spark=settings.spark)
        self.tokens = tokens.load(settings.tokens) if settings.tokens else ()
        self.rate = Rate(settings.rate) if settings.rate else None
        self.metrics = Metrics()
        self.log = Log(settings.log) if settings.log else None
        self.wake: Callable[[], None] = self.current.wake

    def reread(self) -> None:
        """Takes the token file as it is now; one that can't be read leaves the tokens as they were."""
        try:
            self.tokens = tokens.load(self.settings.tokens) if self.settings.tokens else ()
        except Exception as error:
            log.error("the tokens stay as they were: %s", error)

    def admit(self, path: str, header: str | None, address: str) -> None:
        """Lets a request through, or raises: too many of them, no token, a token without the scope."""
        token = tokens.find(self.tokens, header) if self.tokens else None
        wait = self.rate.wait(token.digest.hex() if token else address) if self.rate else 0.0
        if wait:
            raise Refused(429, "too many requests", headers={"Retry-After": str(max(1, round(wait)))})
        scope = _PLACES.get(path)
        if scope and self.tokens and token is None:
            raise Refused(401, "a valid token is needed: Authorization: Bearer TOKEN", headers={"WWW-Authenticate": "Bearer"})
        if scope and token and scope not in token.scopes:
            raise Refused(403, f"the token does not open {scope}")

    def predict(self, model: Model, kind: str, body: bytes, request_id: str, *, why: bool = False) -> tuple[list[dict[str, Any]], bool]:
        """Answers for the records of a body, and whether it was a single record."""
        try:
            given, single = bodies.records(kind, body, model.fields)
        except bodies.Malformed as error:
            raise Refused(400, str(error)) from None
        if len(given) > self.settings.max_rows:
            raise Refused(413, f"{len(given)} records are more than {self.settings.max_rows}")
        records = _checked(model, given)
        answers = self._scored(model, records, time.monotonic() + self.settings.timeout)
        self.metrics.predictions.labels(model.about["model"], str(model.about["version"])).inc(len(records))
        if self.log:
            for record, answer in zip(records, answers, strict=True):
                self.log.put(line({**model.about, "request_id": request_id}, record, answer, model.hidden))
        if why and single:
            answers[0] |= _reasons(model, records[0], answers[0])
        return answers, single

    def _scored(self, model: Model, records: Sequence[Mapping[str, Any]], until: float) -> list[dict[str, Any]]:
        """Scored 100 at a time, so that the time-out is seen."""
        found: list[dict[str, Any]] = []
        for at in range(0, len(records), 100):
            if at and time.monotonic() > until:
                raise Refused(503, f"the batch took more than {self.settings.timeout:g} seconds: send fewer records at a time")
            try:
                found += map(model.answer, model.scorer.score(records[at:at + 100]))
            except NotScorableError as error:
                raise Refused(422, f"the model can't score the record: {error}", _unscored(model, records, at)) from None
        return found

    def health(self) -> dict[str, Any]:
        """The version that answers, since when, and what is wrong."""
        current = self.current
        return {"status": "degraded" if current.problem else "ok", **current.model.about, "since": current.model.since,
                "reloads": current.reloads, "reload_problem": current.problem or None, "worker": os.getpid(),
                "predictions_not_logged": self.log.lost if self.log else 0}


def _checked(model: Model, given: Sequence[Any]) -> list[dict[str, Any]]:
    """The records as the model gets them; every fault of every record is named."""
    found, faults = [], []
    for number, one in enumerate(given):
        record, wrong = model.fields.check(one, number)
        found.append(record)
        faults += wrong
    if faults:
        more = f" ({len(faults)} faults, the first {FAULTS} are named)" if len(faults) > FAULTS else ""
        first = faults[0]
        named = f"field {first.field!r}: {first.found}" if first.field else first.found
        raise Refused(400, f"against the contract: {named}, expected {first.expected}{more}", faults[:FAULTS])
    return found


def _unscored(model: Model, records: Sequence[Mapping[str, Any]], start: int) -> list[Fault]:
    """Which records of a batch the model can't score."""
    faults = []
    for number, record in enumerate(records[start:start + 100], start):
        try:
            model.scorer.score([record])
        except NotScorableError as error:
            faults.append(Fault(number, "", str(error), "a record that the model can score"))
    return faults


def _reasons(model: Model, record: Mapping[str, Any], answer: Mapping[str, Any]) -> dict[str, Any]:
    parts = model.scorer.explain(record)
    classes = labels(model.bundle.card)
    towards = classes[1] if len(classes) == 2 else answer["prediction"] if classes else "a greater value"
    why = None if parts is None else [{"feature": name, "contribution": part} for name, part in parts]
    return {"why": why, "towards": towards}


def app(bundle: Bundle, settings: Settings) -> Flask:
    """The application that serves a model; its parts are in `app.extensions["sparkkit"]` (a `Service`).

    Raises:
        UsageError: the model can't be served (see `Model.load`), or the token file is wrong.
    """
    from flask import Flask

    made, service = Flask("sparkkit.serving", static_folder=None), Service(bundle, settings)
    made.extensions["sparkkit"] = service
    made.config["MAX_CONTENT_LENGTH"] = settings.max_body
    made.json.sort_keys = False  # type: ignore[attr-defined]
    _around(made, service)
    _errors(made, service)
    _predictions(made, service)
    _others(made, service)
    return made


def _around(made: Flask, service: Service) -> None:
    """What happens before and after each request."""
    from flask import g, request

    @made.before_request
    def before() -> None:
        g.started, g.model = time.perf_counter(), service.current.model
        given = request.headers.get("X-Request-Id", "")
        g.request_id = given if _ID.fullmatch(given) else os.urandom(8).hex()
        connection = request.environ.get("gunicorn.socket")
        if connection is not None:
            connection.settimeout(service.settings.timeout)
        service.admit(request.path, request.headers.get("Authorization"), request.remote_addr or "")

    @made.after_request
    def after(response: Response) -> Response:
        response.headers.update(HEADERS)
        if service.settings.tls:
            response.headers["Strict-Transport-Security"] = "max-age=31536000"
        if "model" in g:
            names = {"X-Request-Id": g.request_id, **{f"X-{k.title()}": str(v) for k, v in g.model.about.items()}}
            response.headers.update({name: value.encode("ascii", "replace").decode() for name, value in names.items()})
            route = str(request.url_rule) if request.url_rule else "other"
            service.metrics.requests.labels(route, str(response.status_code)).inc()
            service.metrics.seconds.labels(route).observe(time.perf_counter() - g.started)
        return response


def _errors(made: Flask, service: Service) -> None:
    """Every error as JSON, none with a stack trace."""
    from flask import g
    from werkzeug.exceptions import HTTPException

    def said(status: int, message: str, faults: Sequence[Fault] = ()) -> Response:
        about = {**g.model.about, "request_id": g.request_id} if "model" in g else {}
        errors = {"errors": [asdict(fault) for fault in faults]} if faults else {}
        return _json(made, {**about, "error": message, **errors}, status)

    @made.errorhandler(Refused)
    def refused(error: Refused) -> Response:
        response = said(error.status, str(error), error.faults)
        response.headers.update(error.headers)
        return response

    @made.errorhandler(HTTPException)
    def http(error: HTTPException) -> Response:
        response = said(error.code or 500, error.description or error.name)
        if getattr(error, "valid_methods", None):
            response.headers["Allow"] = ", ".join(sorted(error.valid_methods))  # type: ignore[attr-defined]
        return response

    @made.errorhandler(Exception)
    def failed(error: Exception) -> Response:
        frames = "".join(traceback.format_tb(error.__traceback__))
        log.error("request %s failed: %s\n%s", g.get("request_id"), type(error).__name__, frames)  # its text may hold the record
        return said(500, "the server failed; its log has more under the request's id")


def _json(made: Flask, content: Any, status: int = 200) -> Response:
    body = json.dumps(content, ensure_ascii=False, default=str).encode("utf-8", "replace")
    return made.response_class(body, status, mimetype=bodies.JSON)


def _kind(allowed: Sequence[str]) -> str:
    """The content type of the request, as one of three."""
    from flask import request

    kind = bodies.TYPES.get(request.mimetype, "")
    charset = request.mimetype_params.get("charset", "utf-8").lower()
    if kind not in allowed or charset not in ("utf-8", "utf8", "us-ascii"):
        raise Refused(415, f"the content type is {request.content_type or 'missing'!r}, expected {' or '.join(allowed)} in UTF-8")
    return kind


def _body() -> bytes:
    """The whole body of the request."""
    from flask import request
    from werkzeug.exceptions import RequestEntityTooLarge

    try:
        return request.get_data(cache=False)
    except RequestEntityTooLarge:
        raise
    except Exception as error:  # of a client that is silent or gone, or whose chunks are none: werkzeug's, gunicorn's, the socket's own
        silent = isinstance(error, TimeoutError) or isinstance(error.__context__, TimeoutError)
        raise Refused(408 if silent else 400, "the body did not come to its end") from None


def _predictions(made: Flask, service: Service) -> None:
    from flask import g, request

    @made.post("/predict")
    def predict() -> Response:
        kind = _kind((bodies.JSON,))
        answers, single = service.predict(g.model, kind, _body(), g.request_id, why=request.args.get("why") == "1")
        about = {**g.model.about, "request_id": g.request_id}
        return _json(made, {**about, **answers[0]} if single else {**about, "predictions": answers})

    @made.post("/invocations")
    def invocations() -> Response:
        kind = _kind((bodies.JSON, bodies.LINES, bodies.CSV))
        answers, _ = service.predict(g.model, kind, _body(), g.request_id)
        wanted = next((bodies.TYPES[found] for found in request.accept_mimetypes.values() if found in bodies.TYPES), kind)
        return made.response_class(bodies.written(wanted, answers, {**g.model.about, "request_id": g.request_id}), mimetype=wanted)


def _others(made: Flask, service: Service) -> None:
    from flask import g

    text: dict[str, tuple[str, Callable[[], str]]] = {
        "/": ("text/html", lambda: page.html(g.model, tokens=bool(service.tokens))),
        "/page.js": ("text/javascript", lambda: page.SCRIPT), "/page.css": ("text/css", lambda: page.STYLE),
        "/ping": ("text/plain", lambda: ""),
    }
    for path, (kind, body) in text.items():
        made.add_url_rule(path, path, lambda body=body, kind=kind: made.response_class(body(), mimetype=kind))
    made.add_url_rule("/healthz", "healthz", lambda: _json(made, service.health()))
    made.add_url_rule("/openapi.json", "openapi", lambda: _json(made, openapi.document(g.model)))

    @made.get("/metrics")
    def metrics() -> Response:
        figures = service.metrics
        figures.reloads.set(service.current.reloads)
        figures.problem.set(bool(service.current.problem))
        figures.lost.set(service.log.lost if service.log else 0)
        return made.response_class(figures.text(), content_type="text/plain; version=0.0.4; charset=utf-8")

    @made.post("/reload")
    def reload() -> tuple[Response, int]:
        service.wake()
        return _json(made, {"reload": "asked for"}), 202
