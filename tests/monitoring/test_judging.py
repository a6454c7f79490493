"""Verdicts on counts that are made here, without Spark: what is found, what is not, and how often nothing is called drift."""

from __future__ import annotations

import json
from typing import Any

import pytest

np = pytest.importorskip("numpy")
pd = pytest.importorskip("pandas")
pa = pytest.importorskip("pyarrow")
pytest.importorskip("scipy")

from sparkkit.monitoring.counting import Categories, Numbers  # noqa: E402
from sparkkit.monitoring.drift import LIMITS  # noqa: E402
from sparkkit.monitoring.judging import Judge  # noqa: E402

SIDES = ("reference", "current")


def counted(reference: Any, current: Any, feature: str = "f", listed: int = 1000) -> Any:
    """Both data sets' counts in bins of the reference, as Spark hands them over."""
    numeric = np.asarray(reference).dtype.kind == "f"
    if numeric:
        values = np.sort(reference[~np.isnan(reference)])
        one: Any = {"cuts": [*np.quantile(values, np.arange(257) / 256, method="inverted_cdf"), values[-1]] if len(values) else []}
    else:
        one = {"categories": pd.Series(reference).value_counts().index.tolist()[:listed]}
    rows = []
    for side, data in zip(SIDES, (reference, current), strict=True):
        counts = (Numbers if numeric else Categories).of(one)
        counts.add(pa.array(data, pa.float64() if numeric else pa.string()))
        rows += [(feature, "numeric" if numeric else "categorical", side, *row) for row in counts.rows()]
    found = pd.DataFrame(rows, columns=["feature", "kind", "side", "bin", "low", "high", "category", "rows"])
    return found.assign(**{side: found["rows"].where(found["side"] == side) for side in SIDES})


def judged(*counts: Any, **given: Any) -> Any:
    rows = [row for one in counts for row in one.to_dict("records")]
    table = Judge(0.01, LIMITS, **given).table(pd.DataFrame(rows))
    return {(row["feature"], row["measure"]): row for row in table.to_dict("records")}


def reported(found: Any) -> dict[str, str]:
    return {measure: row["severity"] for (_, measure), row in found.items() if row["severity"] != "none"}


def test_of_forty_tables_without_drift_none_is_reported() -> None:
    g = np.random.default_rng(17)

    def drawn(n: int) -> list[Any]:
        codes = g.choice(list("abcdefgh"), n, p=[0.5, 0.3, 0.1, 0.05, 0.02, 0.01, 0.01, 0.01])
        return [g.normal(0, 1, n), g.poisson(2, n).astype(float), codes, g.choice(2000, n).astype(str), g.choice(25, n).astype(str)]

    tables = [[counted(a, b, f"f{i}") for i, (a, b) in enumerate(zip(drawn(300), drawn(200), strict=True))] for _ in range(40)]
    assert [reported(judged(*table)) for table in tables] == [{}] * 40


def test_a_trivial_shift_of_a_million_rows_is_significant_and_wakes_nobody() -> None:
    counts = counted(np.repeat(["a", "b"], [500_000, 500_000]), np.repeat(["a", "b"], [497_000, 503_000]))
    found = judged(counts)
    assert found["f", "chi_square"]["p_adjusted"] < 0.001
    assert reported(found) == {}


def test_a_new_category_is_named() -> None:
    found = judged(counted(np.repeat(["a", "b"], [900, 100]), np.repeat(["a", "b", "c"], [870, 90, 40])))
    assert found["f", "new_categories"]["value"] == 0.04
    assert (found["f", "new_categories"]["severity"], found["f", "new_categories"]["detail"]) == ("warning", "'c' (40)")


def test_categories_that_are_rare_everywhere_are_not_called_new() -> None:
    names = np.arange(2000).astype(str)
    assert reported(judged(counted(names[:1000], names[1000:], listed=1000))) == {}


def test_rare_categories_are_counted_as_one_for_the_index() -> None:
    names = ["a", "b", *"cdefg"]
    bars = json.loads(judged(counted(np.repeat(names, [500, 400, *[2] * 5]), np.repeat(names, [500, 400, *[2] * 5])))["f", "psi"]["bins"])
    assert [(bar["bin"], bar["reference"]) for bar in bars] == [("a", 500), ("b", 400), ("others", 10)]


def test_what_is_frequent_on_either_side_is_kept_apart() -> None:
    names = [f"c{i}" for i in range(30)]
    found = judged(counted(np.repeat(names, 30), np.append(np.repeat(names, 20), ["new"] * 100)))
    assert json.loads(found["f", "psi"]["bins"])[0] == {"bin": "new", "reference": 0, "current": 100}


def test_a_new_category_is_judged_by_how_many_there_are() -> None:
    few, many = (
        judged(counted(rows, np.append(rows, ["new"] * 20)))["f", "new_categories"]["p_value"]
        for rows in (np.repeat(["a", "b"], 4000), np.repeat([f"c{i}" for i in range(200)], 40)))
    assert many == pytest.approx(few * 201 / 3)


def test_an_empty_text_is_a_category_like_others() -> None:
    found = judged(counted(np.repeat(["a", "b"], [900, 100]), np.repeat(["a", "b", ""], [800, 100, 100])))
    assert found["f", "new_categories"]["detail"] == "'' (100)"


def test_new_categories_can_not_be_told_beyond_those_that_are_listed() -> None:
    found = judged(counted(np.repeat(["a", "b", "c"], [500, 300, 200]), np.repeat(["a", "d"], [500, 500]), listed=2))
    assert np.isnan(found["f", "new_categories"]["value"])
    assert "more categories than are listed" in found["f", "new_categories"]["detail"]
    assert found["f", "largest_change"]["severity"] == "alarm"


def test_missing_values_are_a_change_of_their_own() -> None:
    g = np.random.default_rng(1)
    a, b = g.normal(0, 1, 1000), g.normal(0, 1, 1000)
    b[:60] = np.nan
    assert reported(judged(counted(a, b))) == {"missing": "alarm"}


def test_rows_beyond_the_range_are_found_where_they_are_few() -> None:
    g = np.random.default_rng(2)
    a, b = g.normal(0, 1, 4000), g.normal(0, 1, 4000)
    b[:40] = 1000.0
    found = judged(counted(a, b))
    assert found["f", "outside_range"]["detail"] == "0 rows below and 41 above the reference"
    assert reported(found).keys() == {"outside_range", "largest_change"}


def test_a_constant_that_is_another_is_an_alarm_by_all_measures() -> None:
    found = judged(counted(np.full(200, 5.0), np.full(200, 6.0)))
    assert set(reported(found).values()) == {"alarm"}
    assert reported(found).keys() == {"ks", "psi", "chi_square", "jensen_shannon", "largest_change", "outside_range"}


def test_a_spike_is_told_by_its_value() -> None:
    g = np.random.default_rng(4)
    a, b = np.where(g.random(5000) < 0.2, 0.0, g.gamma(2, 1, 5000)), np.where(g.random(5000) < 0.3, 0.0, g.gamma(2, 1, 5000))
    assert judged(counted(a, b))["f", "largest_change"]["detail"].startswith("0: 2")


def test_a_feature_without_any_value_is_compared_by_what_is_missing() -> None:
    found = judged(counted(np.full(50, np.nan), np.full(50, np.nan)))
    assert found["f", "missing"]["value"] == 0
    assert {row["detail"] for (_, measure), row in found.items() if measure != "missing"} == {"no values to compare"}


@pytest.mark.parametrize(("given", "detail"), [
    ({"current": {}}, "only in the reference data"), ({"reference": {}}, "only in the current data"),
    ({"current": {"f": "categorical"}}, "numeric in the reference, and categorical now")])
def test_a_feature_that_one_side_lacks_is_an_alarm(given: Any, detail: str) -> None:
    found = judged(counted(np.ones(9), np.ones(9)), **given)
    assert {key: (row["severity"], row["detail"]) for key, row in found.items()} == {("f", "column"): ("alarm", detail)}


def test_no_rows_are_an_alarm() -> None:
    found = judged(counted(np.ones(9), np.ones(0)))
    assert {key: (row["severity"], row["detail"]) for key, row in found.items()} == {
        ("f", "column"): ("alarm", "no rows in the current data")}


def test_bins_for_plots_have_all_values_that_are_there() -> None:
    g = np.random.default_rng(6)
    bars = json.loads(judged(counted(g.normal(0, 1, 500), g.normal(0, 1, 300)))["f", "psi"]["bins"])
    assert (len(bars), sum(bar["reference"] for bar in bars), sum(bar["current"] for bar in bars)) == (10, 500, 300)
    assert (bars[0]["bin"].split()[0], bars[5]["bin"].split()[1], bars[-1]["bin"].split()[0]) == ("below", "to", "from")


def test_predictions_are_told_apart() -> None:
    assert judged(counted(np.ones(9), np.ones(9)), predictions=("f",))["f", "missing"]["role"] == "prediction"
