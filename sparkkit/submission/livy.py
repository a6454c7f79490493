"""What Livy is sent: a batch as its REST API takes it, made of the same order as a command of spark-submit."""
from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from sparkkit.errors import UsageError
from sparkkit.submission.order import HttpCall, Order
from sparkkit.submission.words import FLAGS, SETTINGS

SIZES: Mapping[str, tuple[str, type]] = {
    "spark.driver.memory": ("driverMemory", str), "spark.driver.cores": ("driverCores", int),
    "spark.executor.memory": ("executorMemory", str), "spark.executor.cores": ("executorCores", int),
    "spark.executor.instances": ("numExecutors", int), "spark.yarn.queue": ("queue", str),
}
"""Settings for which Livy has fields of its own, which win over its `conf`."""

LISTS: Mapping[str, str] = {"--py-files": "pyFiles", "--jars": "jars", "--files": "files", "--archives": "archives"}
"""Options of spark-submit that are a list of Livy's, by its field."""

AS_SETTING: Mapping[str, str] = {
    **{option: key for option, key in SETTINGS.items() if option not in (*LISTS, "--name")}, "--total-executor-cores": "spark.cores.max",
}
"""Options of spark-submit that are another name of a setting."""

FIXED = ("spark.master", "spark.submit.deployMode")
"""Settings that Livy's server sets itself, over what it is sent. Those that its administrator keeps back are named by its answer."""

REFUSED: Mapping[str, str] = {
    "--master": "its server has the master in its own livy.conf",
    "--class": "a job of sparkkit is a Python file",
    "--name": "the batch's name is that of the submission, by which it is found again where an answer was lost",
    "--properties-file": "write the settings into [spark] of conf/env/livy.toml",
    "--principal": "its server has its own",
    "--keytab": "its server has its own",
    "--remote": "a batch has a driver of its own",
}
"""Options of spark-submit for which Livy has no field, and what to do or know instead."""


@dataclass
class Given:
    """What the options of spark-submit come to: settings, lists by Livy's field, and the user to act for."""

    settings: dict[str, str]
    lists: dict[str, list[str]] = field(default_factory=dict)
    proxy_user: str | None = None


def request(order: Order) -> HttpCall:
    """The call that begins a batch. Its name is the submission's token: Livy keeps names apart, so one token never begins two.

    Raises:
        UsageError: an option or a setting that Livy has no place for, or a wrong address.
    """
    url = address(order.needed("url", "the address of its server, such as https://livy.example:8998"))
    if order.deploy_mode != "cluster":
        raise UsageError("Livy's server says where the driver runs, and never here", reason="wrong_option",
                         hint="leave --deploy-mode out, and deploy_mode of [submit]")
    found = given(order)
    user = found.proxy_user or order.said("proxy_user")
    body: dict[str, Any] = {"file": _place(order.file), "name": order.token or order.name}
    body |= {"proxyUser": user} if user else {}
    body |= {key: [_place(one) for one in values] for key, values in found.lists.items() if values}
    body |= _sizes(found.settings)
    body["conf"] = {key: found.settings[key] for key in sorted(found.settings) if key not in SIZES}
    return HttpCall("POST", f"{url}/batches", body | {"args": list(order.arguments)})


def address(url: str) -> str:
    """A server's address without the slash at its end.

    Raises:
        UsageError: it is none.

    >>> address("https://knox:8443/gateway/default/livy/v1/")
    'https://knox:8443/gateway/default/livy/v1'
    """
    try:
        parts = urlsplit(url)
        good = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        good = False
    if not good or {"?", "#", "@"} & set(url) or any(sign.isspace() for sign in url):
        hint = "the user stands in submit.user, the password in submit.password" if "@" in url else None
        raise UsageError("submit.url is no address such as https://livy.example:8998", reason="wrong_conf", hint=hint)
    return url.rstrip("/")


def given(order: Order) -> Given:
    """An order's settings, packages and lists, with the user's own options over them.

    Raises:
        UsageError: an option that Livy has no field for, or a setting that its server keeps to itself.
    """
    options, settings = _options(order.spark)
    found = Given({**order.settings, **_python(order), **settings})
    for name, value in options.items():
        if name in AS_SETTING:
            found.settings[AS_SETTING[name]] = value
    environment = order.said("environment")
    ours = {"pyFiles": [order.package] if order.package else [], "jars": list(order.jars),
            "archives": [f"{environment}#environment"] if environment else []}
    for option, key in LISTS.items():
        found.lists[key] = [*ours.get(key, []), *filter(None, options.get(option, "").split(","))]
    found.proxy_user = options.get("--proxy-user")
    for key in FIXED:
        if key in found.settings:
            raise UsageError(f"{key} can't be set for a batch of Livy: its server has it in its own livy.conf", reason="wrong_conf",
                             hint="take it out of [spark] and of --conf")
    return found


def _options(words: Sequence[str]) -> tuple[dict[str, str], dict[str, str]]:
    """The options of spark-submit, of each the last, and the settings among them."""
    options, settings = dict[str, str](), dict[str, str]()
    for name, value in _pairs(words):
        if name in ("--conf", "-c"):
            key, equals, text = value.partition("=")
            if not equals or not key:
                raise UsageError(f"--conf {value!r} is not KEY=VALUE", reason="wrong_option")
            settings[key] = text
        elif name in AS_SETTING or name in LISTS or name == "--proxy-user":
            options[name] = value
        else:
            raise UsageError(f"Livy has no field for {name}", reason="wrong_option", hint=REFUSED.get(name, "leave it out"))
    return options, settings


def _pairs(words: Sequence[str]) -> Iterator[tuple[str, str]]:
    rest = list(words)
    while rest:
        name, equals, value = rest.pop(0).partition("=")
        yield name, value if equals or name in FLAGS else rest.pop(0)


def _python(order: Order) -> dict[str, str]:
    python = order.said("python") or ("./environment/bin/python" if order.submit.get("environment") else None)
    return {"spark.pyspark.python": python} if python else {}


def _sizes(settings: Mapping[str, str]) -> dict[str, str | int]:
    made = dict[str, str | int]()
    for key, (name, kind) in SIZES.items():
        if key in settings:
            if kind is int and not settings[key].isdecimal():
                raise UsageError(f"{key} is {settings[key]!r}, expected a whole number", reason="wrong_conf")
            made[name] = kind(settings[key])
    return made


def _place(uri: str) -> str:
    """A file as Livy finds it: with a scheme, or as a path of its own default file system."""
    if not uri.startswith("/") and ":/" not in uri:
        raise UsageError(f"Livy reads nothing of this machine, and {uri} is no whole path", reason="wrong_option",
                         hint="put it on a store that it can read, and name it by its URI")
    return uri
