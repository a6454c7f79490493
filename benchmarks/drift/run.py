"""How much drift is found, and how often none is called one: planted shifts, and resamples of the same distribution.

    python benchmarks/drift/run.py [--sizes 1000,10000,100000,1000000] [--resamples 20] [--tables 500] [--real FILE]
                                   [--seed 20260101] [--to FILE]

Data are drawn by NumPy: 11 features that are changed in 1, 5 and 20 % of the rows, each in its own way (WAYS), and 4 that are not,
for each size (reference and current are of the same one). `found` lists the measures that report a changed feature; `false` the
unchanged features that are reported. `resamples` are draws without any change against the same reference: how many had a report.
`level` asks the tests alone (sizes of 0 are enough, alpha 0.01 and 0.05), without Spark, of so many tables of fresh references and
currents of 500 rows each. `real` are the columns of a CSV of payments (`--real`): random halves, and changes in the second.
Writes benchmarks/results/drift.json.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq

from sparkkit import DataFrame, SparkSession, session
from sparkkit.monitoring import counting, judging
from sparkkit.monitoring.drift import LIMITS, drift
from sparkkit.monitoring.profile import SHARES, profile

Columns = dict[str, Any]
RESULTS = Path(__file__).resolve().parents[1] / "results" / "drift.json"
PLANTED = (0.01, 0.05, 0.2)
COUNTRIES, CODES = np.array(["EE", "LV", "LT", "FI"]), np.array([f"K{i:03}" for i in range(200)])
ZIPF = 1 / np.arange(1, 201) / (1 / np.arange(1, 201)).sum()


def drawn(n: int, g: np.random.Generator) -> Columns:
    """A table without any change: names to values, None is missing."""
    normal = {name: g.normal(50, 10, n) for name in ("one_sd", "three_sd", "calm_normal")}
    return {
        **normal, "amount": np.exp(g.normal(3.2, 0.8, n)), "score": g.beta(2, 8, n), "items": g.poisson(2, n).astype(float),
        "zeros": np.where(g.random(n) < 0.4, 0.0, g.gamma(2, 5, n)), "country": g.choice(COUNTRIES, n, p=[0.5, 0.25, 0.2, 0.05]),
        "card": g.choice(np.array(["DEBIT", "CREDIT", "PREPAID"]), n, p=[0.6, 0.32, 0.08]), "code": g.choice(CODES, n, p=ZIPF),
        "full": g.random(n), "gaps": np.where(g.random(n) < 0.1, np.nan, g.random(n)),
        "calm_amount": np.exp(g.normal(1, 2, n)), "calm_gaps": np.where(g.random(n) < 0.3, np.nan, g.normal(0, 1, n)),
        "calm_code": g.choice(CODES, n, p=ZIPF),
    }


def _where(value: Any) -> Callable[[Any, Any], Any]:
    return lambda column, rows: np.where(rows, value(column) if callable(value) else value, column)


WAYS: Mapping[str, tuple[str, Callable[[Any, Any], Any]]] = {
    "one_sd": ("1 sd is added", _where(lambda c: c + 10)), "three_sd": ("3 sd are added", _where(lambda c: c + 30)),
    "amount": ("100 times as much: another unit", _where(lambda c: c * 100)), "score": ("the same value, within the range", _where(0.25)),
    "items": ("-1, out of the range", _where(-1.0)), "zeros": ("a spike that is there already, 0, grows", _where(0.0)),
    "country": ("a new category", _where("PL")), "card": ("one category becomes another that is there", _where("PREPAID")),
    "code": ("the first of 200 categories becomes the last", lambda c, rows: np.where(rows, "K199", c)),
    "full": ("goes missing, of a full column", _where(np.nan)), "gaps": ("goes missing, of one with 10 % gaps", _where(np.nan)),
}
"""What is done to the chosen rows of a feature."""


def planted(columns: Columns, share: float, g: np.random.Generator) -> Columns:
    """The table with each feature of WAYS changed in a share of the rows, others for each."""
    n = len(columns["full"])
    return {name: WAYS[name][1](c, g.random(n) < share) if name in WAYS else c for name, c in columns.items()}


def stored(spark: SparkSession, folder: Path, name: str, columns: Columns) -> DataFrame:
    """The table as Parquet of four files."""
    table = pa.table({n: pa.array(c, from_pandas=True) for n, c in columns.items()})
    (folder / name).mkdir()
    step = -(-table.num_rows // 4)
    for i in range(4):
        pq.write_table(table.slice(i * step, step), folder / name / f"{i}.parquet")
    return spark.read.parquet(str(folder / name))


def reported(verdicts: DataFrame) -> dict[str, dict[str, str]]:
    """Feature to measure to severity, of what is reported."""
    found: dict[str, dict[str, str]] = {}
    for row in verdicts.where("severity <> 'none'").select("feature", "measure", "severity").collect():
        found.setdefault(row["feature"], {})[row["measure"]] = row["severity"]
    return found


def sized(spark: SparkSession, n: int, resamples: int, seed: int) -> dict[str, Any]:
    """What is found at one size."""
    with tempfile.TemporaryDirectory() as at:
        folder, g = Path(at), np.random.default_rng((seed, n))
        profile(stored(spark, folder, "reference", drawn(n, g))).write.parquet(f"{at}/profile")
        kept = spark.read.parquet(f"{at}/profile")
        result: dict[str, Any] = {"found": {}, "false": {}}
        for share in PLANTED:
            began = time.monotonic()
            found = reported(drift(kept, stored(spark, folder, f"s{share}", planted(drawn(n, g), share, g))))
            result["found"][f"{share:.0%}"] = {name: found.get(name, {}) for name in WAYS}
            result["false"][f"{share:.0%}"] = sorted(set(found) - set(WAYS))
            told(f"n={n} share={share}: {sum(name in found for name in WAYS)} of {len(WAYS)} found, {time.monotonic() - began:.1f} s")
        runs = [reported(drift(kept, stored(spark, folder, f"r{i}", drawn(n, g)))) for i in range(resamples)]
        result["resamples"] = {"tables": len(runs), "with_a_report": sum(map(bool, runs)), "reports": [r for r in runs if r]}
        told(f"n={n}: {result['resamples']['with_a_report']} of {len(runs)} resamples with a report")
    return result


def counted(reference: Columns, current: Columns) -> pd.DataFrame:
    """The counts of both in the reference's bins, as `drift` counts them in Spark; quantiles here are NumPy's."""
    rows = []
    for name, column in reference.items():
        numeric = column.dtype.kind == "f"
        if numeric:
            values = column[~np.isnan(column)]
            greatest = values.max()
            cuts = [values.min(), *np.quantile(values, SHARES, method="inverted_cdf"), greatest, greatest]
        one = {"cuts": cuts if numeric else None, "categories": None if numeric else pd.Series(column).value_counts().index.tolist()}
        for side, data in (("reference", column), ("current", current[name])):
            counts = (counting.Numbers if numeric else counting.Categories).of(one)
            counts.add(pa.array(data, pa.float64() if numeric else pa.string(), from_pandas=numeric and None))
            rows += [(name, "numeric" if numeric else "categorical", side, *row) for row in counts.rows()]
    long = pd.DataFrame(rows, columns=["feature", "kind", "side", "bin", "low", "high", "category", "rows"])
    return long.assign(**{side: long["rows"].where(long["side"] == side) for side in ("reference", "current")})


def level(tables: int, seed: int, n: int = 500) -> dict[str, Any]:
    """The share of tables without drift that have a significant row, whatever its size."""
    g, names = np.random.default_rng((seed, 0)), ("significant_0.01", "significant_0.05", "reported")
    seen = dict.fromkeys(names, 0)
    judge = judging.Judge(0.01, LIMITS)
    for _ in range(tables):
        found = judge.table(counted(drawn(n, g), drawn(n, g)))
        least = found["p_adjusted"].min()
        for name, hit in zip(names, (least < 0.01, least < 0.05, (found["severity"] != "none").any()), strict=True):
            seen[name] += bool(hit)
    told(f"level: {seen} of {tables}")
    return {"tables": tables, "rows": n, **seen}


REAL: Mapping[str, tuple[str, Callable[[Any, Any], Any]]] = {
    "amount_eur": ("100 times as much", _where(lambda c: c * 100)), "risk_score": ("goes missing", _where(np.nan)),
    "issuer_country_group": ("a new category", _where("Mars")), "card_type": ("becomes DEBIT", _where("DEBIT")),
    "vendor_vertical": ("becomes restaurants", _where("restaurants")),
}


def real(spark: SparkSession, path: str, resamples: int, seed: int) -> dict[str, Any]:
    """The same of real payments, by random halves: numbers as numbers, all else as text."""
    table = pacsv.read_csv(path, convert_options=pacsv.ConvertOptions(strings_can_be_null=False)).drop(["transaction_id", "order_date"])
    columns = {n: table[n].to_numpy().astype(float if pa.types.is_floating(table[n].type) else str) for n in table.column_names}
    g, rows = np.random.default_rng((seed, 1)), table.num_rows

    def halves() -> tuple[Columns, Columns]:
        order = g.permutation(rows)
        return tuple({n: c[part] for n, c in columns.items()} for part in (order[: rows // 2], order[rows // 2 :]))  # type: ignore[return-value]

    result: dict[str, Any] = {"rows": rows // 2, "found": {}, "false": {}}
    with tempfile.TemporaryDirectory() as at:
        folder = Path(at)
        for share in PLANTED:
            before, now = halves()
            now = {n: REAL[n][1](c, g.random(len(c)) < share) if n in REAL else c for n, c in now.items()}
            found = reported(drift(stored(spark, folder, f"a{share}", before), stored(spark, folder, f"b{share}", now)))
            result["found"][f"{share:.0%}"] = {name: found.get(name, {}) for name in REAL}
            result["false"][f"{share:.0%}"] = sorted(set(found) - set(REAL))
        runs = []
        for i in range(resamples):
            before, now = halves()
            runs.append(reported(drift(stored(spark, folder, f"c{i}", before), stored(spark, folder, f"d{i}", now))))
        result["resamples"] = {"tables": len(runs), "with_a_report": sum(map(bool, runs)), "reports": [r for r in runs if r]}
    told(f"real: {[(s, sum(map(bool, f.values()))) for s, f in result['found'].items()]} of {len(REAL)}, resamples {result['resamples']}")
    return result


def told(line: str) -> None:
    """A word on the way."""
    print(line, file=sys.stderr, flush=True)


def main() -> None:
    """Runs it all, and writes the results."""
    given = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    given.add_argument("--sizes", default="1000,10000,100000,1000000")
    given.add_argument("--resamples", type=int, default=20)
    given.add_argument("--tables", type=int, default=500)
    given.add_argument("--real", default="")
    given.add_argument("--seed", type=int, default=20260101)
    given.add_argument("--to", type=Path, default=RESULTS)
    args = given.parse_args()
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    result: dict[str, Any] = {"seed": args.seed, "alpha": 0.01, "limits": dict(LIMITS), "ways": {n: way for n, (way, _) in WAYS.items()}}
    result["level"] = level(args.tables, args.seed)
    spark = session.start(app_name="drift-power", settings={})
    try:
        result["sizes"] = {n: sized(spark, int(n), args.resamples, args.seed) for n in args.sizes.split(",")}
        if args.real:
            result["real"] = {"ways": {n: way for n, (way, _) in REAL.items()}, **real(spark, args.real, args.resamples, args.seed)}
    finally:
        session.stop(spark)
    args.to.write_text(json.dumps(result, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(result, ensure_ascii=False))


if __name__ == "__main__":
    main()
