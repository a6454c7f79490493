"""The verbs `check` and `profile`: data at a path against its contract, and what it holds."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from sparkkit.errors import ContractError, UsageError, nearest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pyspark.sql import DataFrame, SparkSession

    from sparkkit.schema.contract import Contract
    from sparkkit.sources import Source


def add(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """The verbs' options."""
    check = verbs.add_parser("check", help="data against the quality of its contract; exit code 4 if a check is not met")
    check.add_argument("--contract", required=True, metavar="C", help="a name in schemas/, or a file")
    check.add_argument("--engine", choices=("native", "gx"), default="native", help="gx: by Great Expectations itself (default native)")
    check.add_argument("--reference", action="append", default=[], metavar="NAME=PATH", help="a table that the contract refers to")
    profile = verbs.add_parser("profile", help="what data holds: counts, nulls, distinct, range, quantiles, top values, histograms")
    profile.add_argument("--columns", default="", metavar="A,B", help="default: all")
    profile.add_argument("--contract", metavar="C", help="read it by a contract, so that the texts of a CSV file get types")
    for verb in (check, profile):
        verb.add_argument("path", help="a file, a folder, a glob, or a table's name with --format table")
        verb.add_argument("--format", dest="kind", help="default: by the files' names")
        verb.add_argument("--option", action="append", default=[], metavar="KEY=VALUE", help="a reader option, such as delimiter=;")
        verb.add_argument("--json", action="store_true", help="print JSON instead of a table")


def _check(args: argparse.Namespace) -> int:
    from sparkkit import project
    from sparkkit.checks import rules

    contract = project.find().contract(args.contract)
    some = rules.of(contract, keys=True)
    pairs = dict(text.partition("=")[::2] for text in args.reference)
    need_references(some, pairs)
    with _session(args, "check") as spark:
        found = check(spark, _source(spark, args, contract), some, {n: _plain(spark, n, path) for n, path in pairs.items()}, args.engine)
    worst = sum(one["success"] is False and one["expectation_config"]["meta"]["severity"] != "warn" for one in found)
    if args.json:
        print(json.dumps(suite(contract.name, found, met=not worst), ensure_ascii=False, default=str))
    else:
        print(_results(found))
        print(f"{args.path}: {worst} of {len(found)} checks of {contract.name} are not met" if worst else
              f"{args.path}: meets {contract.name} ({len(found)} checks)")
    return ContractError.exit_code if worst else 0


def need_references(some: Sequence[Any], given: Mapping[str, Any]) -> None:
    """Refuses to judge without a table that a check refers to, but for checks that only warn: these are not run.

    Raises:
        UsageError: with the option to type (reason `no_reference`).
    """
    for one in some:
        if one.parent and one.severity != "warn" and one.parent[0] not in given:
            near = nearest(one.parent[0], given)
            raise UsageError(f"check {one.name!r} refers to the table {one.parent[0]!r}, which is not given", reason="no_reference",
                             hint=f"add --reference {one.parent[0]}=PATH" + (f" (not {near!r})" if near else ""))


def check(
    spark: SparkSession, source: Source, some: Sequence[Any], others: Mapping[str, DataFrame], engine: str = "native",
) -> list[dict[str, Any]]:
    """The results of checks on data that was found: first whether its rows conform, then those on the rows that do."""
    from pyspark.sql import functions as F

    from sparkkit import intake, verdicts
    from sparkkit.schema.landing import BAD, LANDING, barrier
    from sparkkit.schema.types import quote

    assert source.contract is not None
    judged = barrier(intake.judge(source.frame, replace(source.contract, rules=())))
    good = judged.where(F.col(BAD).isNull()).select(*[quote(c) for c in judged.columns if c not in LANDING])
    verdicts.refuse_slips(good, some)
    if engine == "native":
        return [_conforms(judged), *verdicts.of_frame(good, some, others)]
    from sparkkit.checks import expectations

    theirs = {one["expectation_config"]["meta"]["name"]: one for one in expectations.run(good, some, source.name)}
    left = [one for one in some if one.name not in theirs]
    ours = {one["expectation_config"]["meta"]["name"]: one for one in verdicts.of_frame(good, left, others)}
    return [_conforms(judged), *[{**theirs, **ours}[one.name] for one in some]]


def _conforms(judged: DataFrame) -> dict[str, Any]:
    """The result of reading: a row that does not have the contract's types, or a value that is required, does not conform."""
    from sparkkit.checks import results, rules
    from sparkkit.schema.landing import BAD

    counted = judged.groupBy(f"{BAD}.reason").agg({"*": "count"}).toDF("reason", "n")
    by = {row["reason"]: row["n"] for row in counted.toLocalIterator() if row["reason"] != "header"}
    bad = {reason: n for reason, n in sorted(by.items(), key=str) if reason is not None}
    one = rules.Check("conforms", results.QUERY, {"unexpected_rows_query": "rows that can't be read as the contract says"})
    found = results.of(one, not bad, results.counts(one, sum(by.values()), 0, sum(bad.values())))
    found["result"]["details"] = bad
    return found


def suite(name: str, found: Sequence[Mapping[str, Any]], *, met: bool) -> dict[str, Any]:
    """Results as those of a whole suite, in the format of Great Expectations."""
    asked = [one for one in found if one["success"] is not None]
    good = sum(bool(one["success"]) for one in asked)
    statistics = {"evaluated_expectations": len(asked), "successful_expectations": good, "unsuccessful_expectations": len(asked) - good,
                  "success_percent": 100.0 * good / len(asked) if asked else None}
    return {"success": met, "results": list(found), "suite_name": name, "suite_parameters": {}, "statistics": statistics,
            "meta": {}, "id": None}


def _results(found: Sequence[Mapping[str, Any]]) -> str:
    from sparkkit.report.text import number, table

    def cells(one: Mapping[str, Any]) -> list[str]:
        meta, result = one["expectation_config"]["meta"], one["result"]
        broken, share = result.get("unexpected_count"), result.get("unexpected_percent")
        told = str(result.get("observed_value", "-"))
        if broken is not None:
            told = f"{number(broken)} rows" + (f", {share:.2f} %" if share else "")
        if one["exception_info"].get("raised_exception"):
            told = "error"
        state = {True: "met", False: "NOT MET", None: "not run"}[one["success"]]
        return [meta["name"], one["expectation_config"]["type"], one["meta"]["engine"], meta["severity"], told, state]

    return table(("check", "expectation", "engine", "severity", "found", "verdict"), map(cells, found))


def _profile(args: argparse.Namespace) -> int:
    from sparkkit import intake, project

    contract = project.find().contract(args.contract) if args.contract else None
    columns = [name.strip() for name in args.columns.split(",") if name.strip()]
    with _session(args, "profile") as spark:
        rows, bad, found = profile(intake.judge(_source(spark, args, contract).frame, contract), columns)
    if args.json:
        print(json.dumps({"path": args.path, "rows": rows, "unreadable": bad, "columns": found}, ensure_ascii=False, default=str))
        return 0
    print(f"{args.path}: {rows:,} rows" + (f", {bad:,} of them can't be read" if bad else ""))
    print(_profiled(found))
    return 0


def profile(frame: DataFrame, columns: Sequence[str] = ()) -> tuple[int, int, list[dict[str, Any]]]:
    """The rows of a frame, those that could not be read, and what each column holds."""
    from sparkkit import compat
    from sparkkit.checks import profile as pure

    some, texts = pure.fields(frame.schema, columns)
    rows = pure.chosen(frame, some, texts)
    row = rows.selectExpr(*pure.asked(some, top=compat.has_approx_top_k())).first()
    assert row is not None  # an aggregation gives one row
    top: dict[str, list[tuple[Any, int]]] = {}
    if not compat.has_approx_top_k() and any(map(pure.has_top, some)):
        for one in pure.tops(rows, some).orderBy("at", "n", ascending=[True, False]).toLocalIterator():
            top.setdefault(one["at"], []).append((one["value"], one["n"]))
    return row["rows"], row["bad"], pure.told(some, row.asDict(recursive=True), top)


def _profiled(found: Sequence[Mapping[str, Any]]) -> str:
    from sparkkit.report.text import number, table

    def shown(value: Any) -> str:
        text = "-" if value is None else f"{value:.6g}" if isinstance(value, float) else str(value)
        return text if len(text) <= 24 else text[:23] + "…"

    def cells(one: Mapping[str, Any]) -> list[str]:
        low, high = (one.get(k, one.get(f"{k}_length")) for k in ("min", "max"))
        middle = one.get("quantiles", {}).get("0.5")
        top = ", ".join(f"{shown(pair['value'])} ({number(pair['rows'])})" for pair in one["top"][:3])
        counts = [number(one["nulls"]), number(one.get("distinct"))]
        return [one["column"], one["type"][:24], *counts, shown(low), shown(middle), shown(high), top]

    return table(("column", "type", "nulls", "distinct ~", "min", "median ~", "max", "top ~"), map(cells, found))


@contextmanager
def _session(args: argparse.Namespace, name: str) -> Iterator[SparkSession]:
    from sparkkit import needs, session

    paths = [args.path, *(text.partition("=")[2] for text in getattr(args, "reference", ()))]
    wanted = needs.named(delta=args.kind == "delta" or any(map(needs.is_delta, paths)), s3=any(map(needs.on_s3, paths)))
    spark = session.start(app_name=name, needs=wanted)
    try:
        yield spark
    finally:
        session.stop(spark)


def _source(spark: SparkSession, args: argparse.Namespace, contract: Contract | None) -> Source:
    from sparkkit import sources
    from sparkkit.conf import InputConf

    conf = InputConf((args.path,), format=args.kind, options=dict(text.partition("=")[::2] for text in args.option))
    return sources.read(spark, contract.name if contract else "data", conf, contract)


def _plain(spark: SparkSession, name: str, path: str) -> DataFrame:
    """The rows of a table that is referred to, as they are."""
    from sparkkit import sources
    from sparkkit.conf import InputConf
    from sparkkit.schema.landing import BAD

    if not path:
        raise UsageError(f"--reference {name!r} is not NAME=PATH", reason="wrong_option")
    return sources.read(spark, name, InputConf((path,)), None).frame.where(f"{BAD} is null")


VERBS: dict[str, Callable[..., int]] = {"check": _check, "profile": _profile}
