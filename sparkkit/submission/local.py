"""JOB as a file or a stem, and the local target: the job runs in this process, spark-submit's options are handed on."""
from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from sparkkit import conf as confs
from sparkkit import project, session
from sparkkit.classpath import spark_home
from sparkkit.command import command, not_loaded
from sparkkit.errors import SparkkitError, UsageError, nearest
from sparkkit.job import Job
from sparkkit.submission.order import Command
from sparkkit.submission.words import value_of


def job_file(name: str) -> Path:
    """The file of a job given as a path or as a stem of `jobs/`.

    Raises:
        UsageError: if there is none.
    """
    path = Path(name)
    if path.suffix == ".py":
        if path.is_file():
            return path
        raise UsageError(f"no job file {name}", reason="unknown_job")
    home = project.find()
    found = home.root / "jobs" / f"{name}.py"
    if found.is_file():
        return found
    close = nearest(name, home.jobs())
    raise UsageError(f"no job {name!r} in {home.root / 'jobs'}", reason="unknown_job",
                     hint=f"did you mean {close!r}?" if close else "`sparkkit list` shows the jobs")


def load_job(name: str) -> Job:
    """The `JOB` of a job file.

    Raises:
        UsageError: if the file can't be imported, or defines no `JOB`.
    """
    file = job_file(name).resolve()
    sys.path.insert(0, str(file.parent.parent))
    spec = importlib.util.spec_from_file_location(f"sparkkit_job_{file.stem}", file)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    try:
        spec.loader.exec_module(module)
    except SyntaxError as error:
        raise UsageError(f"{file}:{error.lineno}: {error.msg}", reason="wrong_job") from error
    except ImportError as error:
        raise UsageError(f"{file} can't be imported: {error}", reason="wrong_job",
                         hint="`sparkkit doctor` says what is missing") from error
    from pyspark import cloudpickle

    cloudpickle.register_pickle_by_value(module)  # type: ignore[no-untyped-call]  # executors have no such module: its functions travel as `__main__`'s would
    job = getattr(module, "JOB", None)
    if not isinstance(job, Job):
        raise UsageError(f"{file} defines no JOB", reason="wrong_job", hint="write JOB = Job(build)")
    return job


def run(name: str, options: Sequence[str], spark: Sequence[str] = (), prog: str | None = None) -> int:
    """Runs a job in this process; the JVM boots while the job is imported."""
    _boot(name, options, spark)
    try:
        job = load_job(name)
    except Exception as error:
        found = Path(name) if name.endswith(".py") else None
        return not_loaded(Path(name).stem, found, options, error)
    return command(job, options, submit_args=spark, prog=prog)


def _boot(name: str, options: Sequence[str], spark: Sequence[str]) -> None:
    """Starts the JVM ahead of everything, from what the conf files and the options say of it.

    What is wrong with them is said later, by the run itself. A run that may need more jars starts its JVM when it knows.
    """
    if {"-h", "--help"} & set(options) or any("delta" in word or "table" in word for word in options):
        return
    with suppress(SparkkitError):
        file = job_file(name)
        given = [value_of(key, options, "") for key in ("--env",)]
        layers = [layer for _, layer in confs.layers(project.find(file), file.stem, given[0] or None)]
        said = {k: v for layer in layers for k, v in confs.spark_settings(layer).items()}
        profile = next((layer["run"]["profile"] for layer in reversed(layers) if "profile" in layer.get("run", {})), "default")
        words = [options[i + 1] for i, word in enumerate(options[:-1]) if word == "--set"]
        said |= dict(word.split("=", 1) for word in words if word.startswith("spark.") and "=" in word)
        said = {key: value for key, value in said.items() if "${" not in value}  # a secret, which is followed by the run itself
        profile = next((word.partition("=")[2] for word in words if word.startswith("run.profile=")), profile)
        session.launch(said, app_name=file.stem, profile=profile, submit_args=spark, verbose="--verbose" in options)


def program() -> str:
    """The `spark-submit` of this machine's Spark: that of SPARK_HOME, or the one that came with this Python's PySpark.

    Raises:
        UsageError: there is none.
    """
    home = os.environ.get("SPARK_HOME")
    found = Path(home, "bin", "spark-submit") if home else Path(sys.executable).with_name("spark-submit")
    if not os.access(found, os.X_OK):
        hint = "set SPARK_HOME to a Spark" if not home else "set SPARK_HOME to the folder of a Spark, or unset it"
        raise UsageError(f"there is no spark-submit at {found}", reason="no_spark_submit", hint=hint)
    return str(found)


def replace(what: Command) -> int:
    """Puts a command in the place of this process, so that signals and its exit code are the command's own."""
    sys.stdout.flush()
    os.execve(program(), list(what.words), environment(what))


def environment(what: Command) -> dict[str, str]:
    """With SPARK_HOME: the wheel's spark-submit would look for it by whatever Python is first on the path."""
    home = spark_home()
    kept = {name: value for name, value in os.environ.items() if name not in what.without}
    return {**({"SPARK_HOME": str(home)} if home else {}), **kept, **what.environment}
