"""The verb `models`: the versions in the registry, what they are, and which of them scores. No JVM."""

from __future__ import annotations

import argparse
import datetime as dt
import json
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from sparkkit.errors import NotReadyError

if TYPE_CHECKING:
    from sparkkit.models.registry import Registry, Version

TOLD = ("roc_auc", "average_precision", "accuracy", "f1", "log_loss", "brier", "calibration_error")
"""The figures that a list has room for."""


def add(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """The verb's options."""
    models = verbs.add_parser("models", help="the registry of models: list, show, report, compare, promote, rollback, due")
    nouns = models.add_subparsers(dest="noun", metavar="list|show|report|compare|promote|rollback|due", required=True)
    listed = nouns.add_parser("list", help="the models, with their champion's figures; with a NAME its versions")
    listed.add_argument("name", nargs="?")
    show = nouns.add_parser("show", help="a version's card: NAME (its champion, or else its newest), NAME@ALIAS, NAME:VERSION")
    show.add_argument("model")
    show.add_argument("--json", action="store_true", help="the whole card")
    report = nouns.add_parser("report", help="a version's card with plots, as one page of HTML that loads nothing from outside")
    report.add_argument("model", help="NAME (its champion, or else its newest), NAME@ALIAS, NAME:VERSION")
    report.add_argument("--output", metavar="FILE", required=True, help="where to write the page")
    compare = nouns.add_parser("compare", help="the figures of two versions side by side, each of its own test part")
    compare.add_argument("model")
    compare.add_argument("other")
    promote = nouns.add_parser("promote", help="make a version the champion: NAME (its challenger), NAME@ALIAS, NAME:VERSION")
    promote.add_argument("model")
    rollback = nouns.add_parser("rollback", help="make the champion before this one the champion again")
    rollback.add_argument("name")
    due = nouns.add_parser("due", help="whether to train the champion again: by drift, decay, age and new rows, with the reason")
    due.add_argument("name")
    due.add_argument("--verdicts", action="append", default=[], metavar="PATH", help="a table of the job `drift` or of decay; repeatable")
    due.add_argument("--new-rows", type=int, default=0, metavar="N", help="labelled rows that the champion has not seen")
    due.add_argument("--least-rows", type=int, default=1000, metavar="N", help="below which there is nothing to learn from (default 1000)")
    due.add_argument("--most-days", type=float, default=90.0, metavar="D", help="the age from which on it is due anyway (default 90)")
    due.add_argument("--json", action="store_true", help="the decision with the figures that it looked at")
    due.add_argument("--exit-code", action="store_true", help="end with 3 where it is not due: `… && sparkkit run train_x --promote`")
    for one in (listed, show, report, compare, promote, rollback, due):
        one.add_argument("--registry", metavar="URI", help="default MLFLOW_TRACKING_URI, or .sparkkit/models/mlflow.db of the project")


def _models(args: argparse.Namespace) -> int:
    from sparkkit import project
    from sparkkit.models import registry

    there = registry.where(project.find(), args.registry)
    return {"list": _list, "show": _show, "report": _report, "compare": _compare, "promote": _promote, "rollback": _rollback,
            "due": _due}[args.noun](args, there)


def _list(args: argparse.Namespace, there: Registry) -> int:
    names = [args.name] if args.name else there.names()
    rows = [one for name in names for one in _rows(there.versions(name), every=bool(args.name))]
    _print(["model", "version", "named", "trained", "run", *TOLD], rows)
    if not rows:
        print(f"no models in {there.uri}: a training makes one")
    return 0


def _rows(versions: Sequence[Version], every: bool) -> list[list[str]]:
    champions = [v for v in versions if "champion" in v.aliases]
    told = versions if every else champions or versions[:1]
    return [[v.name, str(v.number), ",".join(v.aliases) or "-", _day(v.created), v.tags.get("sparkkit.run", "-"),
             *(_figure(v.figures.get(name)) for name in TOLD)] for v in told]


def _show(args: argparse.Namespace, there: Registry) -> int:
    from sparkkit.models.report import card

    version = there.champion_or_newest(args.model)
    found = there.bundle(version).card
    print(json.dumps({**found, "version": version.number, "aliases": version.aliases}, indent=1, ensure_ascii=False) if args.json
          else card(found, version))
    return 0


def _report(args: argparse.Namespace, there: Registry) -> int:
    from sparkkit.report import model, page

    version = there.champion_or_newest(args.model)
    page.write(args.output, model.page(there.bundle(version).card, version))
    print(f"the report on version {version.number} of {version.name} is in {args.output}")
    return 0


def _compare(args: argparse.Namespace, there: Registry) -> int:
    one, other = (there.champion_or_newest(spec) for spec in (args.model, args.other))
    cards = [there.bundle(v).card for v in (one, other)]
    names = list(dict.fromkeys((*one.figures, *other.figures)))
    _print(["figure", f"{one.name}:{one.number}", f"{other.name}:{other.number}", "difference"],
           [[name, *(_figure(v.figures.get(name)) for v in (one, other)), _difference(one.figures.get(name), other.figures.get(name))]
            for name in names])
    for key in ("split", "seed", "rows", "params", "code"):
        if cards[0][key] != cards[1][key]:
            print(f"{key}: {cards[0][key]} against {cards[1][key]}")
    if cards[0]["data"] != cards[1]["data"]:
        print("they were trained and judged on other data: a difference of figures is not one of the models alone")
    return 0


def _promote(args: argparse.Namespace, there: Registry) -> int:
    from sparkkit.models.registry import CHALLENGER, CHAMPION

    version = there.version(args.model if {"@", ":"} & set(args.model) else f"{args.model}@{CHALLENGER}")
    there.bundle(version)  # whose files are looked at, before anybody scores by them
    there.alias(version.name, CHAMPION, version.number)
    print(f"version {version.number} of {version.name} is the champion; `sparkkit models rollback {version.name}` undoes it")
    return 0


def _rollback(args: argparse.Namespace, there: Registry) -> int:
    now, before = there.rollback(args.name)
    print(f"version {now} of {args.name} is the champion again, in place of version {before}")
    return 0


def _due(args: argparse.Namespace, there: Registry) -> int:
    from sparkkit.monitoring.retrain import Rules, decide
    from sparkkit.verbs.drift import verdicts

    champion = there.version(args.name)
    days = (dt.datetime.now(dt.UTC).timestamp() - champion.created / 1000) / 86_400
    rows = [row for path in args.verdicts for row in verdicts(path)]
    decision = decide(rows, age_days=round(days, 2), new_rows=args.new_rows,
                      rules=Rules(least_rows=args.least_rows, most_days=args.most_days))
    print(json.dumps(decision.row()) if args.json else decision.reason)
    return NotReadyError.exit_code if args.exit_code and not decision.retrain else 0


def _day(milliseconds: int) -> str:
    return f"{dt.datetime.fromtimestamp(milliseconds / 1000, dt.UTC):%Y-%m-%d %H:%M}"


def _figure(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"


def _difference(one: Any, other: Any) -> str:
    return "-" if one is None or other is None else f"{one - other:+.4f}"


def _print(head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    from sparkkit.report import text

    if rows:
        print(text.table(head, rows))


VERBS: dict[str, Callable[[argparse.Namespace], int]] = {"models": _models}
