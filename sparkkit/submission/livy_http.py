"""How Livy's server is spoken to, on the standard library: TLS, credentials, and what its answers mean.

Credentials are followed when the client is made, kept out of every message, and sent over TLS only, but to this machine itself.
Redirects are not followed: the credentials would go along.
"""
from __future__ import annotations

import base64
import http.client
import ipaddress
import json
import re
import socket
import ssl
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.message import Message
from typing import IO, Any
from urllib.parse import urlsplit

from sparkkit import redaction, references
from sparkkit.errors import InfrastructureError, UsageError
from sparkkit.submission.livy import address
from sparkkit.submission.order import Order

TOKEN = re.compile(r"[A-Za-z0-9._~+/-]+=*")
"""What a bearer token is made of; a sign beyond would end the header, or begin another."""


class NoAnswerError(InfrastructureError):
    """The server was not reached, its answer was cut off, or it failed (exit code 6); `sent` says that it may have done what it was
    asked for."""

    reason = "no_answer"

    def __init__(self, message: str, *, hint: str | None = "try again later", sent: bool = True) -> None:
        super().__init__(message, hint=hint)
        self.sent = sent


class RefusedError(UsageError):
    """The server said no (exit code 2): `status` is HTTP's, `said` the server's own sentence."""

    reason = "refused"

    def __init__(self, message: str, status: int, said: str = "", hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.status, self.said = status, said


@dataclass(frozen=True)
class Client:
    """A server of Livy and how it is spoken to.

    Args:
        url: its address.
        headers: of every request, with the credentials.
        opener: what makes the connections.
        patience: seconds for which a server that is gone is waited for.
        pause: seconds between two looks at a batch, at first; they grow to ten times that.
        timeout: seconds for one answer.
    """

    url: str
    headers: Mapping[str, str] = field(repr=False)
    opener: urllib.request.OpenerDirector = field(repr=False)
    patience: float = 300.0
    pause: float = 1.0
    timeout: float = 60.0

    def call(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Mapping[str, Any]:
        """One request; the answer's object.

        Raises:
            NoAnswerError: the server was not reached, or failed.
            RefusedError: it said no.
            UsageError: it is not trusted, or no Livy.
        """
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data, dict(self.headers), method=method)
        try:
            with self.opener.open(request, timeout=self.timeout) as answer:
                return _object(answer.read(), self.url)
        except urllib.error.HTTPError as error:
            with error:
                raise _refused(error, self.url) from None
        except (OSError, http.client.HTTPException) as error:
            raise _unreached(error, self.url) from None


class _Stay(urllib.request.HTTPRedirectHandler):
    """Follows no redirect."""

    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: Message, newurl: str
    ) -> None:
        """None: the redirect is an error."""


def connect(order: Order) -> Client:
    """The client for an order's server, with its credentials.

    Raises:
        UsageError: a wrong address, a secret that is not there, credentials that would go over the net in the clear, or a
            file of authorities that can't be read.
    """
    url = address(order.needed("url", "the address of its server, such as https://livy.example:8998"))
    parts = urlsplit(url)
    near, secret = loopback(parts.hostname or ""), _authorization(order)
    if secret and parts.scheme == "http" and not near:
        raise UsageError(f"credentials would go to {url} in the clear", reason="not_encrypted", hint="give submit.url with https://")
    # a proxy of the environment would see what goes to this machine, and could not reach it
    proxies = urllib.request.ProxyHandler({} if near else None)
    opener = urllib.request.build_opener(urllib.request.HTTPSHandler(context=_trust(order.said("ca"))), _Stay(), proxies)
    headers = {"Content-Type": "application/json", "Accept": "application/json", "X-Requested-By": "sparkkit"}
    return Client(url, {**headers, **({"Authorization": secret} if secret else {})}, opener)


def loopback(host: str) -> bool:
    """Whether a host is this machine itself.

    >>> [loopback(host) for host in ("localhost", "127.0.0.1", "::1", "localhost.example", "10.0.0.1")]
    [True, True, True, False, False]
    """
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _authorization(order: Order) -> str | None:
    """The header of the credentials; what a reference brings is kept in mind, and so is its other form, so that nothing prints it."""
    user, password, token = (references.resolved(order.said(key), f"submit.{key}") for key in ("user", "password", "token"))
    if token and (user or password):
        raise UsageError("submit has a token and a user or password", reason="wrong_conf", hint="give the token, or both of the others")
    if bool(user) != bool(password) or ":" in (user or ""):
        raise UsageError("submit.user and submit.password go together, and a user's name has no colon", reason="wrong_conf")
    if token:
        if not TOKEN.fullmatch(token):
            raise UsageError("submit.token is no bearer token: it holds signs that a header can't", reason="wrong_conf")
        return f"Bearer {token}"
    if not user:
        return None
    encoded = base64.b64encode(f"{user}:{password}".encode()).decode()
    redaction.remember(encoded)
    return f"Basic {encoded}"


def _trust(ca: str | None) -> ssl.SSLContext:
    """TLS that trusts the system's authorities, or those of a file alone; certificate and name are checked always."""
    try:
        return ssl.create_default_context(cafile=ca)
    except OSError as error:  # ssl's own is one
        raise UsageError(f"submit.ca is {ca}, which is no file of certificates ({error.strerror})", reason="wrong_conf") from None


def _object(raw: bytes, url: str) -> Mapping[str, Any]:
    try:
        found = json.loads(raw)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise UsageError(f"what answers at {url} is not Livy", reason="not_livy", hint="is submit.url its address?")
    return found


def _refused(error: urllib.error.HTTPError, url: str) -> RefusedError | NoAnswerError:
    """What an answer that is an error means."""
    status, said = error.code, _said(error)
    told = f": {said}" if said else ""
    if status >= 500 or status in (408, 429):
        return NoAnswerError(f"the server at {url} failed (HTTP {status}){told}")
    if 300 <= status < 400:
        return RefusedError(f"the server at {url} points to {error.headers.get('Location', 'another')}", status,
                            hint="set submit.url to that address, if it is trusted")
    if status == 401:
        kerberos = "negotiate" in error.headers.get("WWW-Authenticate", "").lower()
        hint = "it asks for Kerberos, which is not spoken here" if kerberos else "set user and password, or token, in [submit]"
        return RefusedError(f"the server at {url} does not accept the credentials (HTTP 401)", status, said, hint)
    if status == 403:
        return RefusedError(f"the server at {url} does not allow it (HTTP 403){told}", status, said)
    if status == 404:
        return RefusedError(f"the server at {url} has no such thing (HTTP 404){told}", status, said, "is submit.url Livy's address?")
    kept = "its administrator keeps that setting: take it out of [spark] and of --conf" if "lacklisted" in said else None
    return RefusedError(f"the server at {url} refused (HTTP {status}){told}", status, said, kept)


def _said(error: urllib.error.HTTPError) -> str:
    """The server's own sentence: Livy's `msg`, or the beginning of another text."""
    try:
        text = error.read(65_536).decode("utf-8", "replace").strip()
    except (OSError, http.client.HTTPException):
        return ""
    try:
        found = json.loads(text)
    except ValueError:
        text = re.sub(r"<[^>]*>", " ", text)
        return " ".join(text.split())[:200]
    return str(found["msg"] if isinstance(found, dict) and "msg" in found else found)


def _unreached(error: Exception, url: str) -> NoAnswerError | UsageError:
    reason = error.reason if isinstance(error, urllib.error.URLError) else error
    if isinstance(reason, ssl.SSLCertVerificationError):
        return UsageError(f"the certificate of {url} is not trusted ({reason.verify_message})", reason="not_trusted",
                          hint="set submit.ca to the file of the authority that signed it")
    if isinstance(reason, ssl.SSLError) and reason.reason == "WRONG_VERSION_NUMBER":
        return UsageError(f"what answers at {url} does not speak TLS", reason="not_trusted", hint="is it http:// instead?")
    sent = not isinstance(reason, ConnectionRefusedError | socket.gaierror)
    return NoAnswerError(f"no answer from {url} ({str(reason) or type(reason).__name__})", sent=sent)
