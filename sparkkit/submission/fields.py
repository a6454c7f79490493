"""Fields of requests to AWS, checked by us: botocore knows their types, but neither their words nor most of their limits."""
from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sparkkit.errors import UsageError, nearest
from sparkkit.settings import refuse
from sparkkit.submission.order import Order
from sparkkit.submission.words import as_settings


@dataclass(frozen=True)
class Release:
    """What a release of EMR runs."""

    spark: str
    scala: str


RELEASES = {"emr-7.13": Release("3.5.6", "2.12"), "emr-7.14": Release("3.5.6", "2.12"), "emr-spark-8.0": Release("4.0.2", "2.13")}
"""The releases that this code was written for; there is no setting by which another one passes."""

PYTHON = "/usr/bin/python3.11"
"""Where these releases have the oldest Python that sparkkit runs on; that of `python3` is older on some."""

LABEL = re.compile(r"(emr(?:-spark)?-\d+\.\d+)\.\d+(?:-\d{8}|-latest)?")
TAG = re.compile(r"[\w \t+\-=.:/@]*")
ROLE = re.compile(r"arn:aws[\w-]*:iam::\d{12}:role/[\w+=,.@/-]+", re.ASCII)


def wrong(key: str, value: object, expected: str, hint: str | None = None) -> UsageError:
    """The error of a key of `[submit]`."""
    return UsageError(f"submit.{key} is {value!r}, expected {expected}", reason="wrong_conf", hint=hint)


def supported(label: str) -> Release:
    """What a release runs, by its label.

    Raises:
        UsageError: it is none that this code was written for (`unknown_release`).

    >>> supported("emr-7.14.0")
    Release(spark='3.5.6', scala='2.12')
    """
    found = LABEL.fullmatch(label)
    if found and found[1] in RELEASES:
        return RELEASES[found[1]]
    known = ", ".join(f"{name}.0 (Spark {one.spark})" for name, one in RELEASES.items())
    raise UsageError(f"the release {label!r} is none that sparkkit is written for", reason="unknown_release", hint=f"known are {known}")


def safe(order: Order, release: str | None) -> None:
    """Refuses settings under which data is lost in silence, and jars for another Scala than the release's.

    Raises:
        UsageError: such a setting (`unsafe_setting`), an unknown release, jars for another Scala (`wrong_scala`).
    """
    told, _ = as_settings(order.spark)
    settings = {**order.settings, **told}
    refuse(settings)
    if release is None:
        return
    scala = supported(release).scala
    for key in ("spark.jars", "spark.jars.packages"):
        for jar in filter(None, settings.get(key, "").split(",")):
            found = re.search(r"_(2\.1\d)\b", jar)
            if found and found[1] != scala:
                raise UsageError(f"{key} has {jar}, for Scala {found[1]}; {release} has Scala {scala}", reason="wrong_scala")


def word(key: str, value: object, words: Iterable[str]) -> str:
    """A value that is one of AWS's words, in whichever case it is written.

    >>> word("on_failure", "continue", ("CONTINUE", "TERMINATE_CLUSTER"))
    'CONTINUE'
    """
    known = list(words)
    found = next((one for one in known if one.lower() == str(value).lower()), None)
    if found is None:
        close = nearest(str(value).upper(), known)
        raise wrong(key, value, f"one of {', '.join(known)}", f"did you mean {close!r}?" if close else None)
    return found


def number(key: str, value: object, low: int, high: int) -> int:
    """A whole number within limits; the command line gives it as text."""
    if isinstance(value, str) and value.isdecimal():
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise wrong(key, value, f"a whole number from {low:,} to {high:,}")
    return value


def text(key: str, value: object, pattern: str, expected: str) -> str:
    """A text of a pattern."""
    if not isinstance(value, str) or not re.fullmatch(pattern, value):
        raise wrong(key, value, expected)
    return value


def texts(key: str, value: object) -> list[str]:
    """A list of texts, none where nothing is said."""
    if value is None:
        return []
    found = [value] if isinstance(value, str) else value
    if not isinstance(found, list | tuple) or not all(isinstance(one, str) and one.strip() for one in found):
        raise wrong(key, value, "a list of texts")
    return [*found]


def table(key: str, value: object, known: Iterable[str]) -> Mapping[str, Any]:
    """A table with known keys; an empty one where nothing is said."""
    names = list(known)
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise wrong(key, value, f"a table with {', '.join(names)}")
    for name in value:
        if name not in names:
            close = nearest(str(name), names)
            raise UsageError(f"unknown key submit.{key}.{name}", reason="unknown_key",
                             hint=f"did you mean {close!r}?" if close else f"the keys are {', '.join(names)}")
    return value


def s3(key: str, uri: object) -> str:
    """A place on S3, as AWS's services take it.

    Raises:
        UsageError: it is none; `s3a` is Hadoop's own word, which they don't know.
    """
    if isinstance(uri, str) and re.fullmatch(r"s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](/\S(.*\S)?)?/?", uri):
        return uri
    other = isinstance(uri, str) and re.match(r"s3[an]://", uri)
    raise wrong(key, uri, "s3://bucket/folder", f"write s3://{str(uri)[6:]}" if other else None)


def shipped(order: Order) -> None:
    """Sees to it that the code stands where AWS can read it.

    Raises:
        UsageError: it does not (`wrong_conf`).
    """
    s3("code", order.file.rpartition("/")[0])
    for place in filter(None, (order.package, order.submit.get("environment"))):
        s3("environment" if place != order.package else "code", place)


def role(key: str, arn: object) -> str:
    """The ARN of a role."""
    if not isinstance(arn, str) or not ROLE.fullmatch(arn) or len(arn) > 2048:
        raise wrong(key, arn, "a role such as arn:aws:iam::123456789012:role/name")
    return arn


def tags(order: Order, most: int = 50) -> dict[str, str]:
    """The tags, as texts.

    Raises:
        UsageError: AWS would refuse one, or they are too many.
    """
    found = order.submit.get("tags") or {}
    if not isinstance(found, Mapping) or not all(isinstance(value, str | int) for value in found.values()):
        raise wrong("tags", found, "a table of texts")
    made = {str(key): str(value) for key, value in found.items()}
    for key, value in made.items():
        fits = 1 <= len(key) <= 128 and len(value) <= 256 and TAG.fullmatch(key) and TAG.fullmatch(value)
        if not fits or key.lower().startswith("aws:"):
            raise wrong(f"tags.{key}", value, "letters, digits, spaces and _.:/=+-@; at most 128 and 256, and no name from aws:")
    if len(made) > most:
        raise wrong("tags", f"{len(made)} tags", f"at most {most}")
    return made
