"""The `sparkkit` command: a verb a function; nothing is imported before the verb that needs it is known."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from sparkkit.errors import SparkkitError, UsageError, nearest
from sparkkit.verbs import drift, logs, models, quality, repair, rollback, runs, schemas, serve, why

PASS_ON = {
    "run": ("JOB [job options]", "run a job; `sparkkit run JOB --help` lists its options"),
    "submit": ("[--target T] [--wait] [--print] [spark options] JOB [job options]", "run a job on a cluster, or here"),
    "iam-policy": ("JOB [job options]", "what AWS has to allow for a job, from its inputs and outputs; --env says where it runs"),
    "dry-run": ("JOB [job options]", "build a job on empty frames: no data is touched"),
    **repair.PASS_ON,
    "shell": ("[JOB [job options]]", "Python with `spark`, `F`, `sparkkit`; with a JOB its inputs as frames, and `build`"),
}
"""Verbs that parse their arguments themselves, for those after JOB are the job's own: usage, and what they do."""


def entry() -> None:
    """The console script: ends the process with the verb's exit code."""
    sys.exit(main(sys.argv[1:]))


def main(argv: Sequence[str]) -> int:
    """Runs one verb; returns the exit code."""
    try:
        if argv and argv[0] in PASS_ON and (argv[0] == "submit" or argv[1:2] not in (["-h"], ["--help"])):
            return VERBS[argv[0]](list(argv[1:]))
        if argv and argv[0] not in VERBS and not argv[0].startswith("-"):
            close = nearest(argv[0], VERBS)
            raise UsageError(
                f"no verb {argv[0]!r}",
                hint=f"did you mean {close!r}?" if close else "`sparkkit --help` lists the verbs",
            )
        args = parser().parse_args(list(argv) or ["--help"])
        return VERBS[args.verb](args)
    except SparkkitError as error:
        return _said(error)
    except SystemExit as done:
        return done.code if isinstance(done.code, int) else 1 if done.code else 0
    except BrokenPipeError:  # whoever read our output has gone; nothing more can be said
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 141
    except KeyboardInterrupt:
        return 130
    except Exception as error:
        from sparkkit import failures

        return _said(failures.explain(error))


def _said(error: SparkkitError) -> int:
    from sparkkit import redaction

    print(f"sparkkit: {redaction.printable(str(error))} (exit {error.exit_code})", file=sys.stderr)
    return error.exit_code


def parser() -> argparse.ArgumentParser:
    """The verbs and their options."""
    made = argparse.ArgumentParser(prog="sparkkit", description="Spark jobs as pure functions, with every row accounted for.")
    verbs = made.add_subparsers(dest="verb", metavar="VERB")
    verbs.add_parser("list", help="the jobs of this project, a line each")
    describe = verbs.add_parser("describe", help="a job's inputs, outputs, options, and each setting in force with its origin")
    describe.add_argument("job")
    describe.add_argument("--env")
    for verb, (usage, text) in PASS_ON.items():
        verbs.add_parser(verb, help=f"{usage}: {text}", usage=f"sparkkit {verb} {usage}", description=text)
    schemas.add(verbs)
    quality.add(verbs)
    drift.add(verbs)
    runs.add(verbs)
    why.add(verbs)
    logs.add(verbs)
    rollback.add(verbs)
    models.add(verbs)
    serve.add(verbs)
    init = verbs.add_parser("init", help="a new project in an empty folder, or a new job in a project; it runs and has a passing test")
    init.add_argument("name", nargs="?", default="", help="the new job's name (default: a project with the job word_count)")
    pack = verbs.add_parser("package", help="the code as one zip for --py-files, or the packages that it needs as one archive")
    pack.add_argument("output", nargs="?", help="default dist/sparkkit_package.zip, or dist/environment.tar.gz")
    pack.add_argument("--requirements", metavar="FILE", help="pack what this file asks for in pip's format, in place of the code")
    pack.add_argument("--python", metavar="3.N", default="3.11", help="with --requirements, the cluster's Python (default 3.11)")
    verbs.add_parser("doctor", help="what is installed, what is missing, what to do")
    return made


def _run(argv: list[str]) -> int:
    from sparkkit.submission import local

    if not argv:
        raise UsageError("run needs a JOB", reason="wrong_option", hint="`sparkkit list` shows the jobs")
    return local.run(argv[0], argv[1:], prog=f"sparkkit run {argv[0]}")


def _submit(argv: list[str]) -> int:
    from sparkkit.submission import submit

    return submit.main(argv)


def _iam_policy(argv: list[str]) -> int:
    from sparkkit.submission import remote

    return remote.iam_policy(argv)


def _list(args: argparse.Namespace) -> int:
    import ast

    from sparkkit import project

    home = project.find()
    for name in home.jobs():
        try:
            said = ast.get_docstring(ast.parse((home.root / "jobs" / f"{name}.py").read_text(encoding="utf-8"))) or ""
        except (SyntaxError, ValueError, OSError) as error:
            said = f"(can't be read: {error})"
        print(f"{name:24}{said.partition(chr(10))[0]}".rstrip())
    if not home.jobs():
        print(f"no jobs in {home.root / 'jobs'}: `sparkkit init` makes one")
    return 0


def _describe(args: argparse.Namespace) -> int:
    from sparkkit import conf, project
    from sparkkit.report import describe
    from sparkkit.submission import local

    job = local.load_job(args.job)
    home = project.find(job.file)
    loaded = conf.load(
        home,
        job.name,
        inputs=job.inputs,
        outputs=job.outputs,
        params=[o.parameter for o in job.options],
        env=args.env,
        base=job.settings,
    )
    print(describe.job(job, loaded, home.contract))
    return 0


def _dry_run(argv: list[str]) -> int:
    from sparkkit import dry
    from sparkkit.submission import local

    if not argv:
        raise UsageError("dry-run needs a JOB", reason="wrong_option", hint="`sparkkit list` shows the jobs")
    return dry.run(local.load_job(argv[0]), argv[1:])


def _init(args: argparse.Namespace) -> int:
    from sparkkit import scaffold

    done = scaffold.init(Path.cwd(), args.name)
    for path in done.wrote:
        print(f"wrote {path}")
    for path in done.stand:
        print(f"stands as it was: {path}")
    print(done.next)
    return 0


def _package(args: argparse.Namespace) -> int:
    from sparkkit import project
    from sparkkit.submission import package

    if args.requirements:
        from sparkkit.submission import environment

        print(environment.build(Path(args.requirements), Path(args.output or "dist/environment.tar.gz"), args.python))
        return 0
    home = project.find()
    missing = package.left_out(home)
    print(package.build(home, Path(args.output or "dist/sparkkit_package.zip")))
    if missing:
        print(f"not in it, the cluster's Python needs them: {', '.join(missing)}", file=sys.stderr)
    return 0


def _doctor(args: argparse.Namespace) -> int:
    from sparkkit import doctor

    return doctor.main()


def _shell(argv: list[str]) -> int:
    from sparkkit import shell

    return shell.main(argv)


VERBS: dict[str, Callable[..., int]] = {
    "list": _list,
    "describe": _describe,
    "run": _run,
    "submit": _submit,
    "iam-policy": _iam_policy,
    "dry-run": _dry_run,
    **schemas.VERBS,
    **quality.VERBS,
    **drift.VERBS,
    **runs.VERBS,
    **why.VERBS,
    **logs.VERBS,
    **rollback.VERBS,
    **models.VERBS,
    **serve.VERBS,
    **repair.VERBS,
    "init": _init,
    "package": _package,
    "doctor": _doctor,
    "shell": _shell,
}
