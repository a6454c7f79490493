"""Bearer tokens: 256 random bits, kept as their SHA-256, each with the scopes that it opens.

A slow hash (scrypt, PBKDF2) guards passwords that people choose; nobody can try out 256 random bits, so one round is enough and costs
the server 2 microseconds a request. Every entry is compared, in constant time.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sparkkit.errors import UsageError

SCOPES = ("predict", "metrics", "admin")
"""What a token may open: predictions, the figures of the server, a reload."""

_LINE = re.compile(r"([a-z,]+) sha256:([0-9a-f]{64})")


@dataclass(frozen=True)
class Token:
    """What the file knows of a token."""

    scopes: frozenset[str]
    digest: bytes


def new(scopes: str) -> tuple[str, str]:
    """A new token, and the line of the file that admits it.

    Raises:
        UsageError: a scope that is none (`wrong_option`).

    >>> token, line = new("predict,metrics")
    >>> len(token), line.startswith("predict,metrics sha256:")
    (47, True)
    """
    _checked(scopes, "--new-token")
    token = f"skt_{secrets.token_urlsafe(32)}"
    return token, f"{scopes} sha256:{hashlib.sha256(token.encode()).hexdigest()}"


def _checked(scopes: str, where: str) -> frozenset[str]:
    found = frozenset(scopes.split(","))
    if not found <= set(SCOPES):
        raise UsageError(f"{where}: {scopes!r} is no list of scopes", reason="wrong_option", hint=f"they are {', '.join(SCOPES)}")
    return found


def load(path: Path) -> tuple[Token, ...]:
    """The tokens of a file: a line each, `SCOPE[,SCOPE] sha256:HEX`; empty lines and those that start with # are left out.

    Raises:
        UsageError: the file can't be read, has a line of another form, or no token (`wrong_tokens`).
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError) as error:
        raise UsageError(f"the token file {path} can't be read: {error}", reason="wrong_tokens") from None
    found = tuple(_token(line, f"{path}, line {number}") for number, line in enumerate(lines, 1) if line.strip() and line[0] != "#")
    if not found:
        raise UsageError(f"the token file {path} has no token", reason="wrong_tokens",
                         hint="`sparkkit serve --new-token predict` makes one")
    return found


def _token(line: str, where: str) -> Token:
    match = _LINE.fullmatch(line.strip())
    if match is None:
        raise UsageError(f"{where} is no token: SCOPE[,SCOPE] sha256:HEX expected", reason="wrong_tokens",
                         hint="`sparkkit serve --new-token predict` makes one")
    return Token(_checked(match[1], where), bytes.fromhex(match[2]))


def find(known: Sequence[Token], header: str | None) -> Token | None:
    """The token that an Authorization header holds; None where it holds none that is known.

    >>> token, line = new("predict")
    >>> known = [_token(line, "here")]
    >>> find(known, f"Bearer {token}") == known[0], find(known, "Bearer x"), find(known, None)
    (True, None, None)
    """
    kind, _, given = (header or "").partition(" ")
    digest = hashlib.sha256(given.strip().encode("utf-8", "replace")).digest()
    found = None
    for token in known:  # all of them: the time says nothing of which one fits
        if hmac.compare_digest(token.digest, digest):
            found = token
    return found if kind.lower() == "bearer" else None
