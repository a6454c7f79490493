"""The verb `schema`: contracts out of data, compared and shown."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

from sparkkit.errors import ContractError, UsageError


def add(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """The verb's options."""
    schema = verbs.add_parser("schema", help="contracts: infer PATH, diff OLD NEW, show NAME")
    nouns = schema.add_subparsers(dest="noun", metavar="infer|diff|show", required=True)
    infer = nouns.add_parser("infer", help="write a contract to start from, out of data")
    infer.add_argument("path")
    infer.add_argument("--name", help="default: by the path")
    infer.add_argument("--format", dest="kind", help="default: by the files' names")
    infer.add_argument("--option", action="append", default=[], metavar="KEY=VALUE", help="a reader option, such as delimiter=;")
    infer.add_argument("--output", metavar="FILE", help="default: standard output")
    diff = nouns.add_parser("diff", help="the changes between two contracts; exit code 4 if one is breaking")
    diff.add_argument("old")
    diff.add_argument("new")
    show = nouns.add_parser("show", help="a contract as a table")
    show.add_argument("name")


def _schema(args: argparse.Namespace) -> int:
    return {"infer": _infer, "diff": _diff, "show": _show}[args.noun](args)


def _infer(args: argparse.Namespace) -> int:
    from sparkkit import needs, session
    from sparkkit.report import schemas
    from sparkkit.schema import infer

    target = Path(args.output) if args.output else None
    if target is not None and target.exists():
        raise UsageError(f"{target} exists and is not overwritten", reason="output_exists", hint="choose another --output")
    name = args.name or schemas.name_of(args.path)
    options = dict(text.partition("=")[::2] for text in args.option)
    wanted = needs.named(delta=args.kind == "delta", s3=needs.on_s3(args.path))
    spark = session.start(app_name="schema-infer", profile="test", needs=wanted)
    try:
        text = infer.to_yaml(schemas.infer(spark, name, args.path, args.kind, options))
    finally:
        session.stop(spark)
    if target is None:
        print(text, end="")
        return 0
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(text, encoding="utf-8")
    print(f"wrote {target}: read it, and say what each column means before others rely on it")
    return 0


def _diff(args: argparse.Namespace) -> int:
    from sparkkit import project
    from sparkkit.report import schemas

    home = project.find()
    text, breaking = schemas.changes(home.contract(args.old), home.contract(args.new))
    print(text)
    return ContractError.exit_code if breaking else 0


def _show(args: argparse.Namespace) -> int:
    from sparkkit import project
    from sparkkit.report import schemas

    print(schemas.page(project.find().contract(args.name)))
    return 0


VERBS: dict[str, Callable[..., int]] = {"schema": _schema}
