"""One job's command line: options to settings, a session, the road, a record, one readable last word and an exit code."""
from __future__ import annotations

import argparse
import re
import signal
import sys
import tomllib
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from sparkkit import codebase, compat, failures, needs, project, redaction, session
from sparkkit import conf as confs
from sparkkit.conf import Conf
from sparkkit.errors import ContractError, InfrastructureError, SparkkitError, UsageError
from sparkkit.history import find, stacks
from sparkkit.history import places as ledgers
from sparkkit.history.keeper import Keeper
from sparkkit.interrupts import Interrupted, Stopper
from sparkkit.job import Job
from sparkkit.ledger import Record, new_run_id
from sparkkit.options import date, unshipped
from sparkkit.redaction import HIDDEN
from sparkkit.report import text as report
from sparkkit.settings import LOG, refuse

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from sparkkit.run import Request

Road = Callable[["SparkSession", "Request", Record], object]
"""What a run goes down: publishes, and fills the record; what it gives is false where there was nothing to do."""

STATUS = {0: "done", 2: "refused", 4: "refused", 5: "locked"}


class Parser(argparse.ArgumentParser):
    """argparse that raises `UsageError` instead of leaving the process."""

    def error(self, message: str) -> NoReturn:
        """Raises what argparse would have printed."""
        raise UsageError(message, reason="wrong_option", hint=f"`{self.prog} --help` lists the options")


def main(job: Job) -> None:
    """Runs a job with the process's arguments and ends the process with the run's exit code."""
    sys.exit(command(job, [unshipped(word) for word in sys.argv[1:]]))


def command(
    job: Job, argv: Sequence[str], submit_args: Sequence[str] = (), prog: str | None = None, spark: SparkSession | None = None,
    road: Road | None = None,
) -> int:
    """Runs a job with command-line arguments; returns the exit code, never raises.

    A session that is given is used and left running; default is one of the run's own. `road` is another way than `run.run`.
    """
    record = Record(new_run_id(job.name), job.name)
    places = [_record_path(argv, record)]
    verbose, as_json = "--verbose" in argv, "--json" in argv
    stopper, keeper = Stopper(), _keeper(record, job.file)
    try:
        keeper.place = _ledger(keeper, argv)
        args = _parsed(parser(job, prog), argv)
        if args is None:
            return 0
        with stopper.heeding():
            _go(job, args, submit_args, places, stopper, keeper, spark, road)
    except BaseException as error:
        if stopper.number is not None or isinstance(error, KeyboardInterrupt):
            stop = stopper.ended(stopper.number or signal.SIGINT)
            _end(record, "interrupted", stop.exit_code, "interrupted", str(stop))
        else:
            _failed(record, error, places[-1], verbose)
    return _last_words(record, places[-1], keeper, stopper, as_json)


def not_loaded(name: str, file: Path | None, argv: Sequence[str], error: Exception) -> int:
    """The run of a job whose file can't be loaded: it leaves a record too, which schedulers ask for by the job's name."""
    record = Record(new_run_id(name), name, date=_option("--date", argv), env=_option("--env", argv))
    where, keeper = _record_path(argv, record), _keeper(record, file)
    with suppress(SparkkitError):
        keeper.place = _ledger(keeper, argv)
    _failed(record, error, where, "--verbose" in argv)
    return _last_words(record, where, keeper, Stopper(), "--json" in argv)


def _keeper(record: Record, file: Path | None) -> Keeper:
    home = project.find(file)
    return Keeper(record, home, ledgers.fallback(home))


def _ledger(keeper: Keeper, argv: Sequence[str]) -> ledgers.Place:
    """The ledger as far as it is known before the options and the conf are read as a whole: a run that fails there is in it too."""
    said = None
    with suppress(SparkkitError):  # the run itself says what is wrong with the conf
        said = find.configured(keeper.home, keeper.record.job, _option("--env", argv))
    return ledgers.find(keeper.home, _option("--ledger", argv), said)


def _failed(record: Record, error: BaseException, where: Path, verbose: bool) -> None:
    if verbose:
        print(redaction.stack(error), end="", file=sys.stderr)
    found = failures.explain(error, getattr(error, "sparkkit_step", ""))
    lost = failures.explain(error).reason == "jvm_died" or "does not exist in the JVM" in str(found)
    died = session.how_the_jvm_ended() if lost else None
    if died and found.reason != "jvm_died":  # what build says is the job's own failure, unless there is no JVM any more
        found = InfrastructureError(found.message, reason="jvm_died", hint="run again; if it dies again, give it more memory")
    _end(record, STATUS.get(found.exit_code, "failed"), found.exit_code, found.reason, f"{found} ({died})" if died else str(found))
    if found is not error or error.__cause__:
        where = where.absolute().with_name(f"{record.run_id}.log")
        record.driver_log = stacks.keep(error, where, record.message or "", redaction.printable_stack)


def _parsed(options: Parser, argv: Sequence[str]) -> argparse.Namespace | None:
    """The options' values; None where help was asked for and printed."""
    try:
        return options.parse_args(list(argv))
    except SystemExit:
        return None


def parser(job: Job, prog: str | None = None) -> Parser:
    """The options of a job: the reserved ones, those of `build`, those of its edges."""
    made = Parser(prog=prog or job.name, description=job.summary, allow_abbrev=False)
    own = made.add_argument_group("the job's own options")
    for option in (*job.options, *job.edge_options):
        option.add_to(own)
    every = made.add_argument_group("options of every job")
    inputs, outputs = ", ".join(job.inputs) or "none", ", ".join(job.outputs)
    every.add_argument("--input", action="append", default=[], metavar="[NAME=]PATH", help=f"an input's path, repeatable ({inputs})")
    every.add_argument("--output", action="append", default=[], metavar="[NAME=]PATH", help=f"an output's path ({outputs})")
    every.add_argument("--output-format", metavar="FORMAT", help="parquet, csv, json, orc, text, avro, delta or table")
    every.add_argument("--mode", metavar="MODE", help=", ".join(confs.MODES))
    every.add_argument("--allow-empty", action="store_true", help="let an empty result replace rows")
    every.add_argument("--date", type=date, metavar="DATE", help="the logical date, YYYY-MM-DD")
    every.add_argument("--again", action="store_true", help="run even where these inputs, parameters and code have run to their end")
    every.add_argument("--full", action="store_true", help="read incremental inputs from their beginning")
    every.add_argument("--env", metavar="NAME", help="lay conf/env/NAME.toml over the job's conf")
    every.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="set one key, such as inputs.x.format=csv")
    every.add_argument("--record", metavar="FILE", help="where the run's record goes (default runs/<run_id>.json)")
    every.add_argument("--ledger", metavar="PATH", help="the ledger of all runs: a folder here or on any store (default .sparkkit/ledger)")
    every.add_argument("--show", type=int, metavar="N", help="print N rows of each output")
    every.add_argument("--json", action="store_true", help="print the record instead of the table")
    every.add_argument("--verbose", action="store_true", help="Spark's log and the full stack of an error")
    return made


def settings(job: Job, args: argparse.Namespace, home: project.Project, *, follow: bool = True) -> tuple[Conf, dict[str, Any]]:
    """The conf in force and the parameters of `build`, from the conf files and the command line; `follow`: with the secrets
    that the files refer to."""
    given = vars(args)
    edges = {o.parameter: given.get(o.parameter, o.default) for o in job.edge_options}
    over = dict(job.edges(**edges)) if job.edges else {}
    over |= _paths(job, args) | dict(_pair(text) for text in args.set)
    loaded = confs.load(home, job.name, inputs=job.inputs, outputs=job.outputs, params=[o.parameter for o in job.options],
                        env=args.env, base=job.settings, over=over, follow=follow, secret=[o.parameter for o in job.options if o.secret])
    return loaded, _params(job, given, loaded)


def _params(job: Job, given: Mapping[str, Any], loaded: Conf) -> dict[str, Any]:
    params = {}
    for option in job.options:
        if option.parameter in given:
            params[option.parameter] = given[option.parameter]
        elif option.parameter in loaded.params:
            where = loaded.origins[f"params.{option.parameter}"]
            params[option.parameter] = option.value(loaded.params[option.parameter], f"{where}: params.{option.parameter}")
        elif option.required:
            raise UsageError(f"option {option.flag} is required", reason="wrong_option")
        else:
            params[option.parameter] = option.default
        if option.secret and params[option.parameter] is not None:
            value = params[option.parameter]
            for one in value if isinstance(value, list | tuple) else (value,):
                redaction.remember(one)
    return params


def _pair(text: str) -> tuple[str, Any]:
    key, found, value = text.partition("=")
    if not found or not key:
        raise UsageError(f"--set {text!r} is not KEY=VALUE", reason="wrong_option")
    try:
        read = tomllib.loads(f"v = {value}")["v"]
    except tomllib.TOMLDecodeError:
        return key, value
    return key, read if isinstance(read, str | bool | list | dict) or str(read) == value else value  # 1.10 is not 1.1, nor 0x1F 31


def _paths(job: Job, args: argparse.Namespace) -> dict[str, Any]:
    over: dict[str, Any] = {}
    for text in args.input:
        name, path = _named(text, job.inputs, "input")
        over.setdefault(f"inputs.{name}.path", []).append(path)
    for text in args.output:
        found, path = _split(text, job.outputs)
        for name in [found] if found else job.outputs:
            over[f"outputs.{name}.path"] = path if found or len(job.outputs) == 1 else f"{path.rstrip('/')}/{name}"
    for key, value in (("format", args.output_format), ("mode", args.mode), ("allow_empty", args.allow_empty)):
        over |= {f"outputs.{n}.{key}": value for n in job.outputs if value}
    return over


def _split(text: str, declared: Sequence[str]) -> tuple[str | None, str]:
    """A name only where the text before the first `=` is declared; else the whole is a path."""
    name, found, path = text.partition("=")
    return (name, path) if found and name in declared else (None, text)


def _named(text: str, declared: Sequence[str], what: str) -> tuple[str, str]:
    name, path = _split(text, declared)
    if name is None and len(declared) != 1:
        raise UsageError(f"--{what} {text!r} names no {what}", reason="wrong_option",
                         hint=f"write --{what} NAME=PATH with one of {', '.join(declared)}" if declared else f"the job has no {what}")
    return name or declared[0], path


def _go(
    job: Job, args: argparse.Namespace, submit_args: Sequence[str], places: list[Path], stopper: Stopper, keeper: Keeper,
    given: SparkSession | None = None, road: Road | None = None,
) -> None:
    """Runs the job; the record's place goes to the end of `places` as soon as it is known, so that a failed run finds it."""
    record, home = keeper.record, keeper.home
    conf, params = settings(job, args, home)
    keeper.place = ledgers.find(home, args.ledger, conf.ledger.get("path"))
    record.params = {o.parameter: HIDDEN if o.secret else params[o.parameter] for o in job.options}
    record.env = args.env
    record.date = args.date.isoformat() if args.date else None
    record.code_version = codebase.version(job.file, home.root)
    where = _where(args, conf, record)
    places.append(where)
    refuse(conf.spark)
    with keeper.beginning(str(where.absolute())), record.step("start"):
        spark = keeper.spark = given or _session(conf, args, submit_args, record, where)
        if given is None:
            keeper.closing.callback(_wash, record)  # after the session, which is stopped first
            keeper.closing.callback(session.stop, spark)
    params = with_models(spark, job, params, home, conf)
    record.params = dict(record.params) | {o.parameter: str(params[o.parameter]) for o in job.options if o.kind == "model"}
    record.spark_version, record.application = spark.version, compat.application(spark)
    from sparkkit import formats, run
    from sparkkit.report import progress

    request = run.Request(job, conf, home, params, record.date, args.again, args.full)
    stopper.spark, record.between_steps = spark, stopper.check
    with stopper.heeding(), progress.line(spark):  # once more: a starting SparkContext takes SIGINT for itself
        staged = (road or run.run)(spark, request, record)
    alarm = ContractError.exit_code if record.reason == "alarm" else 0
    _end(record, "done" if staged else record.status, alarm, record.reason if alarm else None, record.message)
    if args.show:
        for name, edge in record.outputs.items():  # what stands, whichever run wrote it
            rows = formats.view(spark, edge["format"], edge["path"], conf.outputs[name].options)
            print(report.frame(name, rows, args.show), file=sys.stderr if args.json else sys.stdout)


def with_models(spark: SparkSession, job: Job, params: dict[str, Any], home: project.Project, conf: Conf) -> dict[str, Any]:
    """The parameters, with the models that they name."""
    if not any(option.kind == "model" for option in job.options):
        return params
    from sparkkit.models.model import resolved

    return resolved(spark, job, params, home, conf.run.get("registry"))


def _session(conf: Conf, args: argparse.Namespace, submit_args: Sequence[str], record: Record, where: Path) -> Any:
    settings = dict(conf.spark)
    if conf.run.get("event_log", True) and not session.remote(settings, submit_args):  # a Connect server's log is its own
        folder = where.absolute().with_name(f"{record.run_id}.events")
        if "spark.eventLog.dir" not in settings:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        settings = {"spark.eventLog.enabled": "true", "spark.eventLog.dir": folder.resolve().as_uri(), **LOG} | settings
        record.event_log = _event_log(settings, folder)
    return session.start(settings, app_name=record.run_id, profile=conf.run.get("profile", "default"), submit_args=submit_args,
                         needs=needs.of(conf), verbose=args.verbose)


def _event_log(settings: Mapping[str, str], ours: Path) -> str | None:
    """Where Spark's event log is, with the settings as they are: ours, or where the conf says."""
    if settings["spark.eventLog.enabled"] != "true":
        return None
    said = settings["spark.eventLog.dir"]
    return str(ours) if said == ours.resolve().as_uri() else re.sub(r"^file:(//)?(?=/)", "", said)


def _wash(record: Record) -> None:
    from sparkkit import washing  # here, for it needs PySpark, whose import is not to come before the JVM's start

    trouble = washing.wash(record.event_log, record.run_id)
    if trouble:
        print(f"sparkkit: {record.job}: warning: {redaction.printable(trouble)}", file=sys.stderr)


def _where(args: argparse.Namespace, conf: Conf, record: Record) -> Path:
    return Path(args.record) if args.record else Path(conf.run.get("records", "runs")) / f"{record.run_id}.json"


def _record_path(argv: Sequence[str], record: Record) -> Path:
    """Where the record goes when the options can't even be parsed."""
    given = _option("--record", argv)
    return Path(given) if given else Path("runs") / f"{record.run_id}.json"


def _option(name: str, argv: Sequence[str]) -> str | None:
    """An option's last value where the options may not be parsable."""
    pairs = zip(argv, [*argv[1:], ""], strict=False)
    found = [word.partition("=")[2] or following for word, following in pairs if word == name or word.startswith(f"{name}=")]
    return found[-1] or None if found else None


def _end(record: Record, status: str, code: int, reason: str | None, message: str | None) -> None:
    record.status, record.exit_code, record.reason = status, code, reason
    record.message = redaction.printable(message) if message else None


def _last_words(record: Record, where: Path, keeper: Keeper, stopper: Stopper, as_json: bool) -> int:
    with suppress(Interrupted), stopper.heeding():
        try:
            record.write(where)
        except SparkkitError as error:
            if record.exit_code == 0:
                _end(record, "failed", error.exit_code, error.reason, str(error))
            else:
                print(f"sparkkit: {redaction.printable(str(error))}", file=sys.stderr)
        trouble = keeper.end()
        if trouble:
            print(f"sparkkit: {record.job}: warning: {redaction.printable(trouble)}", file=sys.stderr)
        keeper.closing.close()
    if as_json:
        print(record.to_json())
    elif record.exit_code == 0 or record.reason == "alarm":
        print(report.summary(redaction.clean(record.body()), str(where)).encode("utf-8", "backslashreplace").decode("utf-8"))
    if record.exit_code:
        sys.stdout.flush()
        print(f"sparkkit: {record.job}: {record.message} (exit {record.exit_code}, record {where})", file=sys.stderr)
    return record.exit_code
