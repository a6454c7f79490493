"""Secrets in conf: never in plain text, but as a reference to where they are, which is followed when a run needs it.

`${env:NAME}` is a variable of the environment, `${file:/path}` the content of a file that only its owner may read. Neither
is followed on the command line: whoever may give a parameter could else read any secret of the process.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from sparkkit import redaction
from sparkkit.errors import UsageError

REFERENCE = re.compile(r"\$\{(env|file):([^}]*)\}")
PLAIN = ("true", "false", "none", "null", "")
"""Values that are no secret, whatever their key."""

MOST_BYTES = 65_536
HINT = "write ${env:NAME} there and set the variable, or ${file:/path} of a file with mode 600"


def refuse_plain(settings: Mapping[str, tuple[Any, str]], declared: Collection[str] = ()) -> None:
    """Refuses a secret in plain text, by its key's name or its value's form; the message names file and key, not the value.

    Args:
        settings: by dotted key, each value with its origin.
        declared: keys that are secrets whatever their names say.

    Raises:
        UsageError: `secret_in_conf`, or `reference_refused` for a reference on the command line.

    >>> refuse_plain({"spark.hadoop.fs.s3a.secret.key": ("${env:S3_SECRET}", "conf/env/emr.toml")})
    >>> refuse_plain({"spark.hadoop.fs.s3a.secret.key": ("hunter2", "conf/env/emr.toml")})
    Traceback (most recent call last):
        ...
    sparkkit.errors.UsageError: conf/env/emr.toml: spark.hadoop.fs.s3a.secret.key holds a secret in plain text: write ${env:...
    """
    for key, (value, origin) in settings.items():
        for text in (str(t) for t in (value if isinstance(value, list | tuple) else [value]) if _may_be_text(t)):
            masked = REFERENCE.sub(redaction.HIDDEN, text)
            if masked != text and origin == "command line":
                raise UsageError(f"{origin}: {key} holds a reference, which is followed in conf files only", reason="reference_refused",
                                 hint="write it into a file of conf/")
            what = _plain(key, masked, key in declared)
            if what:
                raise UsageError(f"{origin}: {key} holds {what} in plain text", reason="secret_in_conf", hint=HINT)


def _may_be_text(value: Any) -> bool:
    return isinstance(value, str | int) and not isinstance(value, bool)


def _plain(key: str, masked: str, declared: bool) -> str | None:
    """What a value, its references masked, is, if it is a secret."""
    bare = masked.replace(redaction.HIDDEN, "").strip()
    number = re.fullmatch(r"-?[\d.]+", bare) and not declared and not redaction.may_be_number(key)
    if (declared or redaction.is_secret_name(key)) and bare.lower() not in PLAIN and not number:
        return "a secret"
    found = None if ".redaction." in key else redaction.form_of(masked)
    return None if found == redaction.AMONG and key.endswith(".filter") else found  # a filter compares columns, of any name


def resolved(value: Any, where: str) -> Any:
    """A setting with its references followed; each value that is found is kept in mind, so that nothing prints it.

    Raises:
        UsageError: a variable that is not set, a file that is not there or that others may read (`secret_missing`,
            `secret_exposed`).
    """
    if isinstance(value, Mapping):
        return {key: resolved(inner, f"{where}.{key}") for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(resolved(inner, where) for inner in value)
    if not isinstance(value, str) or "${" not in value:
        return value
    return REFERENCE.sub(lambda found: _follow(found[1], found[2].strip(), where), value)


def _follow(kind: str, name: str, where: str) -> str:
    found = _variable(name, where) if kind == "env" else _file(Path(name), where)
    redaction.remember(found)
    return found


def _variable(name: str, where: str) -> str:
    if not os.environ.get(name):
        raise UsageError(f"{where} asks for the variable {name} of the environment, which is not set", reason="secret_missing",
                         hint=f"export {name}=… before the run")
    return os.environ[name]


def _file(path: Path, where: str) -> str:
    if not path.is_absolute():
        raise UsageError(f"{where} asks for the file {path}, which is no whole path", reason="secret_missing", hint="begin it with /")
    try:
        with open(path, "rb", opener=lambda p, flags: os.open(p, flags | os.O_NONBLOCK)) as file:  # a pipe would wait for its writer
            _refuse_exposed(os.fstat(file.fileno()), path, where)
            content = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise UsageError(f"{where} asks for the file {path}, which can't be read ({error.strerror})", reason="secret_missing") from None
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        text = ""
    if not text.strip() or len(content) > MOST_BYTES:
        raise UsageError(f"{where} asks for the file {path}, which is empty, no text or over 64 KiB", reason="secret_missing")
    return text.removesuffix("\n").removesuffix("\r")


def _refuse_exposed(found: os.stat_result, path: Path, where: str) -> None:
    """On the open file, so that nobody swaps it between the look and the read."""
    mode = stat.S_IMODE(found.st_mode)
    if not stat.S_ISREG(found.st_mode):
        raise UsageError(f"{where} asks for {path}, which is no plain file", reason="secret_missing")
    if mode & 0o077:
        raise UsageError(f"{where} asks for the file {path}, which others may read (mode {mode:o})", reason="secret_exposed",
                         hint=f"type: chmod 600 {path}")
    if found.st_uid not in (os.geteuid(), 0):
        raise UsageError(f"{where} asks for the file {path}, which belongs to another user", reason="secret_exposed",
                         hint=f"type: chown {os.geteuid()} {path}")
