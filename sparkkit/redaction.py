"""What looks like a secret, and texts without it: our own messages, records and tracebacks, Spark's settings, plans and logs.

Two ways, together: by name and form (the tables below), and by value, where the value is known (`remember`): what a
reference brought, a parameter or a variable of the environment whose name is a secret's.
"""

from __future__ import annotations

import os
import re
import traceback
import urllib.parse
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

HIDDEN = "***"
AMONG = "a password among other settings"

WORDS = (
    "pass(?:word|wd|phrase|code)", "(?:db|user)[._-]?pass", "pwd", "secret", "token", "credential", "authorization",
    "(?:api|access|account|private|encryption|shared|client|signing|storage|aes|auth|service|master|hmac|ssh)[._-]?key",
    "(?<![A-Za-z])sas[._-]?key",
    "encrypt[._-]?(?:column|footer)[._-]?key", "conn(?:ection)?[._-]?str(?:ing)?",
)  # fmt: skip
"""What the name of a secret holds somewhere."""

WHOLE_WORDS = ("sas", "sig", "pat", "pin", "pass", "pw", "creds", "otp", "dsn", "cookies?")
"""What the name of a secret may be, or hold between signs; within longer words they mean other things."""

HARMLESS = re.compile(
    r"(?i)(?:file|path|paths|dir|provider|providers|enabled|type|class|regex|size|bits|length|interval|ratio|period|lifetime|url|uri"
    r"|endpoint|algorithm|ref|names?|columns?|alias|store|separator|delimiter|services?)$|secretkeyref|(?:^|[._-])kms[._-]"
)
"""Names that hold such a word and tell where a secret is, or about it, but not what it is."""

FORMS: Mapping[str, str] = {
    "an AWS key's id": r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b",
    "a token of GitHub": r"\b(?:gh[pousr]_[A-Za-z0-9]{36}|github_pat_[A-Za-z0-9_]{22})[A-Za-z0-9_]*",
    "a token of GitLab": r"\bglpat-[A-Za-z0-9_-]{20}[A-Za-z0-9_-]*",
    "a token of Slack": r"\bxox[abeoprs]-[A-Za-z0-9-]{10}[A-Za-z0-9-]*",
    "a key of Google": r"\bAIza[0-9A-Za-z_-]{35}",
    "a token of Databricks": r"\bdapi[0-9a-f]{32}\b",
    "a key of Stripe or OpenAI": r"\b(?:[rs]k_live_|sk-)[A-Za-z0-9_-]{20}[A-Za-z0-9_-]*",
    "a JSON web token": r"\beyJ[A-Za-z0-9_-]{8}[A-Za-z0-9_-]*\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*",
    "a private key": r"-----BEGIN [A-Z ]*PRIVATE KEY-----[^-]{4}[^-]*(?:-----END [A-Z ]*PRIVATE KEY-----)?",
    "a signed address": r"(?<=[?&;])(?:sig|signature|x-amz-signature|x-amz-security-token|x-goog-signature)=[A-Za-z0-9%+/=_-]+",
    "a user's password in an address":  # which may hold / or @; a port is none
        r"(?<=//)[^/@\s:]*:(?!\d{1,5}/)[^/@\s]+(?:/[^@\s\"'<>,;(){}\[\]]{0,200})?(?:@[^/@\s]+)*(?=@)",
    "a user's password for Oracle": r"(?<=jdbc:oracle:thin:)[^/\s]+/[^@\s]+(?:@[^/@\s:]+)*(?=@)",
    "credentials of HTTP": r"\b(?:Basic|Bearer) +[A-Za-z0-9._~+/=-]{8}[A-Za-z0-9._~+/=-]*",
}
"""Secrets that are known by their form, in Python's dialect and Java's alike, without braces' nesting."""

# from the telling word on, and with bounds: a name's own beginning would be searched again from each of its signs
_NAME = rf"(?:(?:{'|'.join(WORDS)})[\w.-]{{0,80}}|(?<![A-Za-z0-9])(?:{'|'.join(WHOLE_WORDS)})(?![\w.-]))"
_VALUE = r"""(?:\\?"[^"]*"|\\?'[^']*'|[^\s,;&"')\]}]+)"""
_ASSIGNED = re.compile(rf"""(?i)({_NAME}\\?["']?\s{{0,4}}(?:=>|=|:)\s{{0,4}})(?:\*\*\*|{_VALUE})""")
_FORMS = re.compile("(?i:" + "|".join(FORMS.values()) + r")|(?<=[Tt]he value )'[^'\n]*'")  # the last: as Spark quotes a literal
_USER = re.compile(r"(?<=://)[^/@\s]+@")
_OPTION = re.compile(  # as on a command line, but not in a sentence about it
    r"""(?<![\w-])--([A-Za-z][\w.-]{0,80})[ \t]+(?!-|(?:is|was|has|and|or|needs|must|may|can)\b)("[^"\n]*"|'[^'\n]*'|\S+)"""
)
_SECRET_NAME = re.compile(rf"(?i)(?:{'|'.join(WORDS)}|(?:^|[._-])(?:{'|'.join(WHOLE_WORDS)})(?:[._-]|$))")
_NUMBER = re.compile(r"(?i)pass|pwd|secret|(?:^|[._-])(?:pin|pw|otp)(?:[._-]|$)")
"""What the name of a secret holds that may be a number; `max_tokens` is none."""



def may_be_number(name: str) -> bool:
    """Whether a secret of this name may be digits alone."""
    return bool(_NUMBER.search(name))


_COUNTS = ("quarantined_by", "details", "seconds", "late")
"""Parts of a record whose keys are names of rules, steps and days, and whose numbers are counts and times."""

_SHORT = 200

_LEAST = 4
"""A shorter value is not searched for: it would be found in every text."""

_known: set[str] = set()


@lru_cache(4096)
def is_secret_name(name: str) -> bool:
    """Whether a key, a parameter or a variable of this name holds a secret.

    >>> [is_secret_name(n) for n in ("fs.s3a.secret.key", "db_password", "Pwd", "api-key", "sas", "account.key.acme.dfs")]
    [True, True, True, True, True, True]
    >>> [is_secret_name(n) for n in ("key", "partition_key", "aws.credentials.provider", "passwordFile", "max_tokens_size")]
    [False, False, False, False, False]
    """
    return bool(_SECRET_NAME.search(name)) and not HARMLESS.search(name)


def form_of(text: str) -> str | None:
    """Which known form of a secret a text holds, None where it holds none or hides it: what it is, never the secret.

    >>> form_of("jdbc:postgresql://me:hunter2@db/x"), form_of("s3a://bucket/x")
    ("a user's password in an address", None)
    """
    bare = text.replace(HIDDEN, "")
    found = next((what for what, form in FORMS.items() if re.search(form, bare)), None)
    return found or (AMONG if any(not match[0].endswith(HIDDEN) for match in _ASSIGNED.finditer(text)) else None)


def remember(value: object) -> None:
    """Keeps a secret's value in mind, so that `redact` hides it wherever it stands; short ones are not kept."""
    text = str(value)
    if len(text) >= _LEAST:
        _known.update((text, urllib.parse.quote(text, safe=""), repr(text)[1:-1]))


_held: list[tuple[str, ...]] = []


@contextmanager
def held() -> Iterator[None]:
    """Looks through the environment once for all that is redacted in the block, such as the thousands of texts of an event log."""
    _held.append(known())
    try:
        yield
    finally:
        _held.pop()


def known() -> tuple[str, ...]:
    """The values in mind, and those of the environment's variables whose names are a secret's; the longest first."""
    if _held:
        return _held[-1]
    named = {value for name, value in os.environ.items() if len(value) >= 8 and is_secret_name(name)}
    variables = {value for value in named if not os.path.exists(value)}  # PWD, and where a secret is
    return tuple(sorted(_known | variables, key=len, reverse=True))


def redact(text: str) -> str:
    """A text without what looks like a secret, or is known to be one.

    >>> redact("s3a://user:hunter2@bucket/x password=abc")
    's3a://***@bucket/x password=***'
    >>> redact("AccountKey=abc==;Pwd='x y'; sas: ?sv=1&sig=ab%2Fc")
    'AccountKey=***;Pwd=***; sas: ***&***'
    """
    return _short(text, known()) if len(text) < _SHORT else _redacted(text, known())


def _redacted(text: str, values: Iterable[str]) -> str:
    for value in values:
        text = text.replace(value, HIDDEN)
    text = _FORMS.sub(HIDDEN, text)
    text = _USER.sub(f"{HIDDEN}@", text)  # after the forms: a password may hold an @
    text = _OPTION.sub(lambda found: f"--{found[1]} {HIDDEN}" if is_secret_name(found[1]) else found[0], text)
    return _ASSIGNED.sub(rf"\1{HIDDEN}", text)


def clean(value: Any, name: str = "") -> Any:
    """A value of JSON without secrets, by the names of its keys and in its texts; the containers are copied.

    >>> clean({"params": {"api_key": "x", "n": 3}, "paths": ["s3a://u:p@b/x"]})
    {'params': {'api_key': '***', 'n': 3}, 'paths': ['s3a://***@b/x']}
    """
    return _clean(value, name, known())


def _clean(value: Any, name: str, values: tuple[str, ...]) -> Any:
    if isinstance(value, Mapping):
        return {_short(str(k), values): v if name in _COUNTS and isinstance(v, int | float) else _clean(v, str(k), values)
                for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_clean(v, name, values) for v in value]
    if value is None or isinstance(value, bool):
        return value
    if not isinstance(value, str):
        return HIDDEN if is_secret_name(name) and _NUMBER.search(name) else value
    if is_secret_name(name):
        return HIDDEN
    return _short(value, values) if len(value) < _SHORT else _redacted(value, values)


@lru_cache(8192)
def _short(text: str, values: tuple[str, ...]) -> str:
    """Keys, and the short texts that come again in every line of an event log."""
    return _redacted(text, values)


_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]")
_MOST = 4000


def printable(text: str) -> str:
    r"""A message without secrets, fit for a log: signs that steer a terminal or hide text are shown by their codes,
    and a text of megabytes is cut.

    >>> print(printable("no\x1b[2Jfile\u202e"))
    no\x1b[2Jfile\u202e
    """
    return _shown(redact(text))


def printable_lines(text: str) -> str:
    """The same, of a text of many lines, each by itself."""
    values = known()
    return "\n".join(_shown(_redacted(line, values)) for line in text.split("\n"))


def _shown(text: str) -> str:
    if len(text) > _MOST:
        text = f"{text[: _MOST // 2]} … ({len(text) - _MOST:,} signs left out) … {text[-_MOST // 2 :]}"
    return _CONTROL.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


_SOURCE = re.compile(r"""(?m)^(    (?! *File ")\s*\S.*)$""")
_QUOTED = re.compile(r"""(?s)('(?:[^'\n]|'')*'|"(?:[^"\n]|"")*")""")


def stack(error: BaseException) -> str:
    """An error's whole stack for a person: without secrets, and without the texts that stand in quoted code and SQL."""
    return printable_stack("".join(traceback.format_exception(error)))


def printable_stack(text: str) -> str:
    """The same, of a stack that is a text already: quoted texts of its lines of code and of its SQL are hidden."""
    text = _SOURCE.sub(lambda line: _QUOTED.sub(f"'{HIDDEN}'", line[1]), text)
    text = re.sub(r"(?s)== SQL.*?(?=\n\n|\Z)", lambda block: _QUOTED.sub(f"'{HIDDEN}'", block[0]), text)
    return redact(text)


def for_spark() -> dict[str, str]:
    """Spark's settings that hide the same from its logs, its event log, its plans and its pages.

    A key or a value that matches is hidden whole; of plans and messages, what matches. Literals that stand bare in a plan
    can't be told by a pattern: `sparkkit.washing` takes them out of the event log.
    """
    names = "|".join((*WORDS, rf"(?:^|[._-])(?:{'|'.join(WHOLE_WORDS)})(?:[._-]|$)"))
    forms = "|".join(FORMS.values())
    assigned = rf"(?:{_NAME})\s?(?:=>|=|:)\s?[^\s,;&)\]]+"
    return {
        "spark.redaction.regex": rf"(?i)(?:{names}|job[.]description|{forms})",
        "spark.redaction.string.regex": rf"(?i)(?:{assigned}|{forms}|(?<![\w\)\]])'[^'\n]*')",
        "spark.sql.redaction.options.regex": rf"(?i)(?:url|{names})",
    }


def for_log() -> str:
    """A pattern of Java for Spark's log: as for its plans, and plans themselves, and known values, sign by sign by their codes."""
    values = ["(?-i:" + "".join(f"\\x{{{ord(sign):x}}}" for sign in value) + ")" for value in sorted(_known)]
    numbers = ("\\d" * digits for digits in range(1, 8))
    cached = "|".join(rf"(?<=Stage {number} \()" for number in numbers)  # before a cached frame's name, which is its plan
    plans = (rf"(?:{cached})(?![A-Za-z]*RDD\[)[^\n]*", r"\*\(\d+\) [A-Z][^\n]*", r"\+- [^\n]*",
             r"(?:Pushed|Post-Scan|Data|Partition) ?Filters:[^\n]*", r"(?<=the value )'[^'\n]*'")
    return "|".join((for_spark()["spark.redaction.string.regex"], *plans, *values))


def secrets_of(settings: Mapping[str, str]) -> Iterator[str]:
    """The keys among Spark's settings whose values hold secrets: they must not stand in a process's arguments.

    Options of the driver's own JVM are of use nowhere else, so they are left out here.

    >>> list(secrets_of({"spark.x.passwd": "a", "spark.url": "jdbc:x://me:pw@db", "spark.redaction.regex": "(?i)pwd=x"}))
    ['spark.x.passwd', 'spark.url']
    """
    for key, value in settings.items():
        held = is_secret_name(key) or form_of(value) or any(secret in value for secret in _known)
        if held and ".redaction." not in key and not key.startswith("spark.driver."):
            yield key
