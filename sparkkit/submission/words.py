"""The command line of `submit`: its own options, those of spark-submit, JOB, and the job's own."""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sparkkit.errors import UsageError, nearest

TARGETS = ("local", "standalone", "yarn", "emr", "emr-serverless", "livy", "k8s")
DEPLOY_MODES = ("client", "cluster")

OWN = ("--target", "--deploy-mode", "--env", "--wait", "--print")
"""Options of `submit` itself."""

FLAGS = frozenset({"--verbose", "-v", "--supervise", "--version", "--usage-error"})
"""Options of spark-submit that take no value."""

WITH_VALUE = frozenset(
    "--master --class --name --jars --packages --exclude-packages --repositories --py-files --files --archives"
    " --conf -c --properties-file --driver-memory --driver-java-options --driver-library-path --driver-class-path"
    " --executor-memory --proxy-user --driver-cores --total-executor-cores --executor-cores --num-executors --principal --keytab"
    " --queue --remote".split()
)

USAGE = """usage: sparkkit submit [options] [spark options] JOB [job options]
       sparkkit submit JOB [options] [spark options] -- [job options]

Runs a job where --target says; a job file is the same for all of them.

  --target TARGET   local (default), standalone, yarn, emr, emr-serverless, livy or k8s; default: `target` of [submit] in conf
  --deploy-mode M   where the driver runs: client (here) or cluster
  --env NAME        lay conf/env/NAME.toml over the job's conf; default: the one named as the target, where there is one
  --wait            wait for the end, and end with the job's own exit code
  --print           show what would be sent, exactly, and send nothing

`sparkkit run JOB --help` lists the job's options, `sparkkit list` the jobs."""


@dataclass(frozen=True)
class Words:
    """A command line of `submit`, taken apart; `spark` are the options for spark-submit, `options` the job's own."""

    job: str = ""
    options: tuple[str, ...] = ()
    spark: tuple[str, ...] = ()
    target: str | None = None
    deploy_mode: str | None = None
    env: str | None = None
    wait: bool = False
    printing: bool = False


def parse(argv: Sequence[str]) -> Words:
    """The parts of a command line. After JOB all is the job's own, but for what stands before a `--`, and for a target at once after JOB.

    Raises:
        UsageError: there is no JOB, or an option is not known, or lacks its value (`wrong_option`, `unknown_target`).

    >>> parse(["--target", "yarn", "--conf", "a=b", "jobs/x.py", "--since", "3"])
    Words(job='jobs/x.py', options=('--since', '3'), spark=('--conf', 'a=b'), target='yarn', ...)
    >>> parse(["x", "--print", "--conf", "a=b", "--", "--since", "3"]) == parse(["--print", "--conf", "a=b", "x", "--since", "3"])
    True
    """
    own, spark, rest = dict[str, Any](), list[str](), list(argv)
    _take(rest, own, spark)
    if not rest:
        raise UsageError("submit needs a JOB", reason="wrong_option", hint="`sparkkit list` shows the jobs")
    job = rest.pop(0)
    if "--" in rest:
        at = rest.index("--")
        before, rest = rest[:at], rest[at + 1:]
        _take(before, own, spark)
        if before:
            raise UsageError(f"{before[0]!r} stands before --, and is no option of submit", reason="wrong_option",
                             hint="the job's own options stand after --")
    else:
        while rest and (rest[0] in ("--print", "--wait", "--target") or rest[0].startswith("--target=")):
            _one(rest, own, spark)
    return Words(job, tuple(rest), tuple(spark), **own)


def _take(rest: list[str], own: dict[str, Any], spark: list[str]) -> None:
    while rest and rest[0].startswith("-"):
        _one(rest, own, spark)


def _one(rest: list[str], own: dict[str, Any], spark: list[str]) -> None:
    """Takes one option, with its value, off the words."""
    word = rest.pop(0)
    name, equals, value = word.partition("=")
    if word in ("--wait", "--print"):
        own["wait" if word == "--wait" else "printing"] = True
        return
    if name not in {*FLAGS, *WITH_VALUE, *OWN[:3]}:
        close = nearest(name, {*FLAGS, *WITH_VALUE, *OWN})
        raise UsageError(f"{name} is no option of submit, nor of spark-submit", reason="wrong_option",
                         hint=f"did you mean {close}?" if close else "the job's own options stand after JOB")
    if name not in FLAGS and not equals:
        if not rest:
            raise UsageError(f"{name} needs a value", reason="wrong_option")
        value = rest.pop(0)
    if name in OWN:
        own[name[2:].replace("-", "_")] = among(name, value)
    else:
        spark += [word] if equals or name in FLAGS else [word, value]


def among(name: str, value: str) -> str:
    """The value of an option of ours, if it is one that there is."""
    known = {"--target": TARGETS, "--deploy-mode": DEPLOY_MODES}.get(name, (value,))
    if value not in known:
        close = nearest(value, known)
        reason = "unknown_target" if name == "--target" else "wrong_option"
        raise UsageError(f"{name} is {value!r}, expected one of {', '.join(known)}", reason=reason,
                         hint=f"did you mean {close!r}?" if close else None)
    return value


def value_of(option: str, words: Sequence[str], default: str) -> str:
    """The value of an option among words, the last one given.

    >>> value_of("--master", ["--master=yarn"], "local[*]")
    'yarn'
    """
    found = default
    for i, word in enumerate(words):
        if word == option and i + 1 < len(words):
            found = words[i + 1]
        elif word.startswith(f"{option}="):
            found = word.partition("=")[2]
    return found


def without(option: str, words: Sequence[str]) -> tuple[str, ...]:
    """Words without an option that takes a value.

    >>> without("--py-files", ["--py-files", "a.zip", "--master=yarn"])
    ('--master=yarn',)
    """
    kept, rest = list[str](), list(words)
    while rest:
        word = rest.pop(0)
        if word == option:
            del rest[:1]
        elif not word.startswith(f"{option}="):
            kept.append(word)
    return tuple(kept)


SETTINGS = {
    "--jars": "spark.jars", "--packages": "spark.jars.packages", "--exclude-packages": "spark.jars.excludes",
    "--repositories": "spark.jars.repositories", "--py-files": "spark.submit.pyFiles", "--files": "spark.files",
    "--archives": "spark.archives", "--name": "spark.app.name", "--driver-memory": "spark.driver.memory",
    "--driver-java-options": "spark.driver.extraJavaOptions", "--driver-library-path": "spark.driver.extraLibraryPath",
    "--driver-class-path": "spark.driver.extraClassPath", "--driver-cores": "spark.driver.cores",
    "--executor-memory": "spark.executor.memory", "--executor-cores": "spark.executor.cores",
    "--num-executors": "spark.executor.instances", "--queue": "spark.yarn.queue",
}
"""Options of spark-submit that are settings by another name."""


def as_settings(words: Sequence[str]) -> tuple[dict[str, str], tuple[str, ...]]:
    """Options of spark-submit as settings, the last one of a name counts; and the words that are no settings.

    >>> as_settings(["--conf", "a=b=c", "--executor-memory=4g", "--verbose"])
    ({'a': 'b=c', 'spark.executor.memory': '4g'}, ('--verbose',))
    """
    found, others, rest = dict[str, str](), list[str](), list(words)
    while rest:
        word = rest.pop(0)
        name, equals, value = word.partition("=")
        if name not in SETTINGS and name not in ("--conf", "-c"):
            others.append(word)
            continue
        value = value if equals else rest.pop(0) if rest else ""
        key, _, value = value.partition("=") if name in ("--conf", "-c") else (SETTINGS[name], "", value)
        found[key.strip()] = value
    return found, tuple(others)
