"""What is to be sent: a job with its options, settings and code, and what a target makes of it. Nothing here touches the world."""
from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sparkkit.errors import UsageError
from sparkkit.options import shipped

FAR = ("emr", "emr-serverless", "livy")
"""Targets that read nothing of this machine: what they run must stand on a store of theirs first."""


@dataclass(frozen=True)
class Order:
    """A job that is to run on a target.

    Args:
        name: the job's.
        file: the job's file, as the target finds it: a path of this machine, or a URI.
        options: the job's own options.
        target: one of `words.TARGETS`.
        deploy_mode: `client` or `cluster`.
        settings: Spark's, from the conf, without secrets (the driver reads those where it runs).
        submit: the table `[submit]` of the conf.
        spark: options of spark-submit, which win over the settings.
        package: the zip of the project, as the target finds it.
        jars: jars that the job needs and Spark lacks.
        uploads: what has to stand where before the job starts, by URI.
        driver_python: the Python of a driver that runs here.
        token: a name of this one submission, the same when it is sent again.
        wait: whether somebody waits for the end.
        notes: what a person should know of it.
    """

    name: str
    file: str
    options: tuple[str, ...] = ()
    target: str = "local"
    deploy_mode: str = "client"
    settings: Mapping[str, str] = field(default_factory=dict)
    submit: Mapping[str, Any] = field(default_factory=dict)
    spark: tuple[str, ...] = ()
    package: str | None = None
    jars: tuple[str, ...] = ()
    uploads: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    driver_python: str = "python3"
    token: str = ""
    wait: bool = False
    notes: tuple[str, ...] = ()

    @property
    def far(self) -> bool:
        """Whether the driver runs on another machine, in whatever mode: what it leaves on its disk is not here.

        >>> Order("x", "x.py", target="emr", deploy_mode="client").far, Order("x", "x.py", target="yarn").far
        (True, False)
        """
        return self.deploy_mode == "cluster" or self.target in FAR

    @property
    def arguments(self) -> tuple[str, ...]:
        """The job's options as they are sent: to a driver on a cluster those with odd signs in base64."""
        return tuple(map(shipped, self.options)) if self.far else self.options

    def said(self, key: str, kind: type = str) -> Any:
        """The value of a key of `[submit]`, None where there is none.

        Raises:
            UsageError: it is of another type.
        """
        value = self.submit.get(key)
        if value is None or (isinstance(value, kind) and not (kind is int and isinstance(value, bool))):
            return value
        expected = {str: "a text", int: "a whole number", dict: "a table", list: "a list"}[kind]
        raise UsageError(f"submit.{key} is {value!r}, expected {expected}", reason="wrong_conf")

    def needed(self, key: str, what: str) -> str:
        """The text of a key that a target can't do without.

        Raises:
            UsageError: it is not there (`not_configured`).
        """
        value = self.said(key)
        if not value:
            raise UsageError(f"target {self.target} needs {what}", reason="not_configured",
                             hint=f"set {key} in [submit] of conf/env/{self.target}.toml")
        return str(value)


@dataclass(frozen=True)
class Command:
    """A command of this machine: its words, the variables that are set for it, and those that it must not see."""

    words: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)
    without: tuple[str, ...] = ()

    def shown(self) -> str:
        """As a shell takes it.

        >>> Command(("spark-submit", "a b.py"), {"X": "1"}, ("Y",)).shown()
        "env -u Y X=1 spark-submit 'a b.py'"
        """
        unset = ["env", *(f"-u {name}" for name in self.without)] if self.without else []
        return " ".join([*unset, *(f"{name}={shlex.quote(value)}" for name, value in self.environment.items()), shlex.join(self.words)])


@dataclass(frozen=True)
class AwsCall:
    """A call of boto3: `client(service).operation(**request)`."""

    service: str
    operation: str
    request: Mapping[str, Any]

    def shown(self) -> str:
        """As JSON."""
        return json.dumps({"service": self.service, "operation": self.operation, "request": self.request}, indent=2, ensure_ascii=False)


@dataclass(frozen=True)
class HttpCall:
    """An HTTP request with a body of JSON, without its credentials."""

    method: str
    url: str
    body: Mapping[str, Any]

    def shown(self) -> str:
        """As its first line and its body."""
        return f"{self.method} {self.url}\n{json.dumps(self.body, indent=2, ensure_ascii=False)}"


Sent = Command | AwsCall | HttpCall
