"""The Spark session: correct settings always, and a start that is much faster than stock.

In local mode our Python process starts the driver's JVM itself (`sparkkit.jvm`); under `spark-submit`, on Spark
Connect, or with a master or an option that `jvm` does not know, it uses the session that is there, or the ordinary way.
Importing this module imports no PySpark and starts nothing.
"""
from __future__ import annotations

import gc
import logging
import os
import shlex
import signal
import sys
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from subprocess import TimeoutExpired
from tempfile import TemporaryDirectory
from threading import Thread
from typing import TYPE_CHECKING, Any

from sparkkit import archive, classpath, jvm, redaction, tls
from sparkkit import needs as needed
from sparkkit.settings import CORRECT, LOCAL, refuse, settings_for

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

_booted: list[jvm.Boot] = []  # the one JVM of this process that we started, as PySpark holds its one gateway


def launch(
    settings: Mapping[str, str] | None = None,
    *,
    app_name: str,
    profile: str = "default",
    submit_args: Sequence[str] = (),
    needs: Collection[str] = (),
    verbose: bool = False,
) -> bool:
    """Start the driver's JVM in the background and return at once; `start`, with the same arguments, then connects.

    False, and nothing is started, where a session or a JVM is there already, or where `start` takes the ordinary way.

    Raises:
        UsageError: as `settings_for`.
    """
    asked = settings_for(settings, app_name=app_name, profile=profile, needs=needs)
    words = (*_from_environment(), *submit_args)
    refuse(jvm.given(words) or {})
    if _booted or _there(asked, words):
        return False
    jars = _jars(needs)
    plan = jvm.plan(_without_secrets({**LOCAL, **asked}), words, profile=profile, jars=jars, verbose=verbose)
    if plan is not None:
        _booted.append(jvm.launch(plan))
    return plan is not None


def start(
    settings: Mapping[str, str] | None = None,
    *,
    app_name: str,
    profile: str = "default",
    submit_args: Sequence[str] = (),
    needs: Collection[str] = (),
    verbose: bool = False,
) -> SparkSession:
    """The session of this process: the one that is there, or a new one, started fast where the master is local.

    Args:
        settings: Spark's settings, which win over ours for speed.
        app_name: the application's name, unless the settings or `--name` give one.
        profile: `default`, or `test` (the C1 compiler alone, two shuffle partitions, 2 GB of heap).
        submit_args: options of spark-submit, such as `["--conf", "k=v", "--jars", "x.jar"]`, handed on as they are.
        needs: groups of `conf/jars.lock` whose jars and settings the session gets: `delta`, `s3`.
        verbose: Spark's log at INFO on stderr.

    Raises:
        UsageError: a setting that loses data in silence (`unsafe_setting`), an unknown profile, no jars of a group, a wrong AWS_CA_BUNDLE.
        InfrastructureError: the JVM did not start (`jvm_failed`).
    """
    same = {"app_name": app_name, "profile": profile, "needs": needs}
    if _booted and needs and not jvm.is_connected() and not set(_jars(needs)) <= set(_booted[0].plan.path):
        jvm.end(_booted.pop())  # it was booted ahead, before they were known to be needed
    launch(settings, submit_args=submit_args, verbose=verbose, **same)  # type: ignore[arg-type]
    asked = settings_for(settings, **same)  # type: ignore[arg-type]
    os.environ.setdefault("PYSPARK_PYTHON", asked.get("spark.pyspark.python", sys.executable))
    # PySpark 4 logs a JSON stack for each failed analysis; the exception says it all
    for name in ("DataFrameQueryContextLogger", "SQLQueryContextLogger"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    words = (*_from_environment(), *submit_args)
    if _booted and not jvm.is_connected():
        return _connected(asked, words, needs)
    spark = _joined(asked, settings or {}, words) if _there(asked, words) else _ordinary(asked, words, needs, verbose)
    if not remote(asked, words):
        _trusting(needs)
    return spark


def remote(settings: Mapping[str, str], submit_args: Sequence[str] = ()) -> str | None:
    """The address of the Spark Connect server that a session is on; None for a session of our own.

    >>> remote({}, ["--remote", "sc://host:15002"])
    'sc://host:15002'
    """
    address = settings.get("spark.remote") or os.environ.get("SPARK_REMOTE") or None
    for word, following in zip(submit_args, (*submit_args[1:], ""), strict=False):
        if word.startswith("--remote"):
            address = word.partition("=")[2] or following
    return address


def stop(spark: SparkSession) -> None:
    """Stop the session and, where we started it, its JVM; where there is no archive of classes yet, one is then made.

    That takes a process of its own, behind our back and of low priority, which nobody waits for.
    """
    from sparkkit import compat

    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)  # py4j logs a stack where the JVM is gone already
    try:
        # a JVM that is gone has stopped: what the run published stands, and its record must not say otherwise
        with suppress(Exception):
            compat.patience(spark, 1)
            _let_go_of_accumulators(spark)
            spark.stop()
    finally:
        logging.disable(before)
    while _booted:
        boot = _booted.pop()
        jvm.let_go()
        jvm.end(boot)
        if not boot.archived and archive.is_wanted(boot.plan):
            archive.in_background()


def how_the_jvm_ended(seconds: float = 5) -> str | None:
    """How the driver's JVM ended, where we started it and it ends in this time: 52 is Spark's code for no memory left."""
    if not _booted:
        return None
    with suppress(TimeoutExpired):
        code = _booted[-1].process.wait(seconds)
        how = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with code {code}"
        return f"the driver's JVM {how}" + (": it ran out of memory" if code in (3, 52) else "")
    return None


def _let_go_of_accumulators(spark: SparkSession) -> None:
    """Shut PySpark's server of accumulators down beside us: it looks only twice a second whether it is to end."""
    from sparkkit import compat

    context: Any = None if compat.is_connect(spark) else spark.sparkContext
    server = getattr(context, "_accumulatorServer", None)
    if server is not None:
        context._accumulatorServer = None  # else PySpark waits for it
        server.handle_error = lambda request, address: None  # a JVM that ends meanwhile is no error
        Thread(target=server.shutdown, daemon=True).start()


def make_archive() -> Path | None:
    """Make the archive of Spark's classes for this machine's Java and jars, which the next start then maps.

    It runs what typical jobs do, takes about a minute, and is written whole or not at all; one that is there is kept.
    None where there is no place for it, where another process is at it, or where starts take the ordinary way.
    """
    settings = {**LOCAL, **settings_for(app_name="archive", profile="test")}
    home = classpath.spark_home()
    if home and jvm.plan(settings, profile="test"):
        classpath.unsign(home)
    plan = jvm.plan(settings, profile="test")
    return archive.make(plan, lambda more: _build({**settings, **more})) if plan else None


def _connected(asked: Mapping[str, str], submit_args: Sequence[str], needs: Collection[str]) -> SparkSession:
    _import_ahead()
    try:
        _booted[0] = jvm.connect(_booted[0])
    except BaseException:
        _booted.clear()
        raise
    _trusting(needs)  # ahead of the session, whose event log may be on S3
    known = jvm.given(_booted[0].plan.arguments) or {}  # the JVM was started with these; each of them would be one more call
    wanted = {**LOCAL, **asked, **(jvm.given(submit_args) or {})}
    spark = _build({key: value for key, value in wanted.items() if known.get(key) != value})
    home = _booted[0].plan.home
    if _booted[0].plan.verbose and redaction.known() and not (classpath.conf_folder(home) / "log4j2.properties").exists():
        _hide_in_log(spark)
    gc.freeze()  # what is there now lives to the end; the collector need not walk it again and again, last at our exit
    return spark


def _trusting(needs: Collection[str]) -> None:
    if "s3" in needs:
        from pyspark import SparkContext

        tls.take_bundle(SparkContext._gateway)


def _hide_in_log(spark: Any) -> None:
    """Take the secrets that are known by now out of the driver's log, too: its settings were written when the JVM was started."""
    with TemporaryDirectory(prefix="sparkkit-") as folder:
        jvm.log4j(Path(folder), verbose=True)
        settings = spark._jvm.java.io.File(folder, "log4j2.properties").toURI()
        spark._jvm.org.apache.logging.log4j.core.config.Configurator.reconfigure(settings)


def _import_ahead() -> None:
    """What PySpark imports on its first call into the JVM (pandas, from 4.0 on): now, while the JVM is still starting."""
    with suppress(Exception):
        from pyspark.sql import types

        types.NumpyScalarConverter().can_convert("")


def _joined(asked: Mapping[str, str], said: Mapping[str, str], submit_args: Sequence[str]) -> SparkSession:
    """The session of spark-submit, of Connect, or of our caller: what it was told stays, what must hold is set."""
    from pyspark import SparkConf
    from pyspark.sql import SparkSession

    from sparkkit import compat

    address = remote(asked, submit_args)
    if "PYSPARK_GATEWAY_PORT" in os.environ and not address:
        told = dict(SparkConf().getAll())
        refuse(told)
        kept = {key: value for key, value in told.items() if key in asked and key not in said}
        spark = _build({**_fitting(asked), **kept})
    else:
        spark = SparkSession.builder.remote(address).getOrCreate() if address else SparkSession.builder.getOrCreate()
    compat.patience(spark, 4)
    for key, value in {**CORRECT, **said}.items():
        plain = key.removeprefix("spark.hadoop.")  # a session hands its settings to Hadoop by their own names
        if plain != key or spark.conf.isModifiable(key):
            spark.conf.set(plain, value)
    compat.patience(spark, 6)
    return spark


def _fitting(asked: Mapping[str, str]) -> dict[str, str]:
    """Without the settings of S3 for which the cluster has its own, such as EMR's way to `s3://`."""
    asked = {key: value for key, value in asked.items() if key not in needed.COMMITTERS}
    ours = needed.of_hadoop(asked)
    if not ours:
        return asked
    from pyspark import SparkContext

    SparkContext._ensure_initialized()
    conf = SparkContext._jvm.org.apache.hadoop.conf.Configuration()  # type: ignore[union-attr]
    theirs = {key for key in ours if conf.get(key.removeprefix("spark.hadoop."))}
    return {key: value for key, value in asked.items() if key not in theirs}


def _ordinary(asked: dict[str, str], submit_args: Sequence[str], needs: Collection[str], verbose: bool) -> SparkSession:
    """By PySpark's own way, which runs `spark-submit`: other masters, and options that we do not know."""
    jars = [str(jar) for jar in _jars(needs)]
    if {**asked, **(jvm.given(submit_args) or {})}.get("spark.master", "local").startswith("local"):
        os.environ.setdefault("SPARK_LOCAL_IP", "127.0.0.1")  # the UI, too, is then for this machine alone
    if jars:
        asked["spark.jars"] = ",".join([*filter(None, [asked.get("spark.jars")]), *jars])
    os.environ["PYSPARK_SUBMIT_ARGS"] = shlex.join([*submit_args, "pyspark-shell"])
    told = jvm.given(submit_args) or {}
    own = {key: value for key, value in asked.items() if key not in told}
    _launched_without_secrets(own)
    spark = _build(own)
    spark.sparkContext.setLogLevel("INFO" if verbose else "FATAL")
    return spark


def _without_secrets(settings: Mapping[str, str]) -> dict[str, str]:
    """The settings that may stand in a process's arguments, which every user of the machine can read."""
    hidden = set(redaction.secrets_of(settings))
    return {key: value for key, value in settings.items() if key not in hidden}


def _launched_without_secrets(settings: Mapping[str, str]) -> None:
    """PySpark would hand all settings to `spark-submit` as arguments; those left out here follow through its gateway."""
    plain = _without_secrets(settings)
    if len(plain) < len(settings):
        from pyspark import SparkConf, SparkContext

        SparkContext._ensure_initialized(conf=SparkConf(loadDefaults=False).setAll(list(plain.items())))


def _build(settings: Mapping[str, str]) -> SparkSession:
    from pyspark.sql import SparkSession

    builder = SparkSession.builder
    for key, value in settings.items():
        builder = builder.config(key, value)
    return builder.getOrCreate()


def _from_environment() -> tuple[str, ...]:
    """The options in PYSPARK_SUBMIT_ARGS, which PySpark's users know."""
    words = shlex.split(os.environ.get("PYSPARK_SUBMIT_ARGS", ""))
    return tuple(words[:-1] if words[-1:] == ["pyspark-shell"] else words)


def _there(asked: Mapping[str, str], submit_args: Sequence[str]) -> bool:
    """Whether a session or its gateway is there already: spark-submit's, Connect's, or one made before."""
    return bool(remote(asked, submit_args)) or "PYSPARK_GATEWAY_PORT" in os.environ or jvm.is_connected()


def _jars(needs: Collection[str]) -> Sequence[str]:
    if not needs:
        return ()
    from sparkkit import jars

    return jars.needed(needs)


if __name__ == "__main__":
    if sys.argv[1:] != ["archive"]:
        sys.exit("usage: python -m sparkkit.session archive")
    print(make_archive() or "no archive was made: another process is at it, it has no place, or Java would not")
