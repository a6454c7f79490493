"""The measures of drift against what scipy says of the same data, and the laws of their p-values. No Spark."""

from __future__ import annotations

import pytest

np = pytest.importorskip("numpy")
stats = pytest.importorskip("scipy.stats")

from sparkkit.monitoring import statistics as s  # noqa: E402


@pytest.mark.parametrize(("x", "t", "n", "m"), [(0, 8, 300, 200), (8, 8, 300, 200), (90, 150, 300, 200), (12, 20, 100_000, 100_000)])
def test_the_tail_of_a_count_is_never_below_fisher_s_by_much(x: int, t: int, n: int, m: int) -> None:
    exact = 2 * min(stats.hypergeom.cdf(x, n + m, t, m), stats.hypergeom.sf(x - 1, n + m, t, m))
    assert 0.95 * min(1, exact) <= s.tails([x], [t], n, m)[0] <= max(3 * exact, 1e-12)


def test_the_normal_tail_of_many_rows_is_near_the_exact_one() -> None:
    n, m, t, x = 80_000, 40_000, 60_000, 20_400
    exact = 2 * stats.hypergeom.sf(x - 1, n + m, t, m)
    assert s.tails([x], [t], n, m)[0] == pytest.approx(exact, rel=0.02)


def test_a_count_as_expected_is_no_finding() -> None:
    assert list(s.tails([50, 0], [100, 0], 1000, 1000)) == [1.0, 1.0]


def test_ks_is_scipy_s_where_each_value_is_a_bin() -> None:
    g = np.random.default_rng(3)
    a, b = g.integers(0, 9, 400), g.integers(0, 9, 300) // 2
    both = [np.bincount(side, minlength=9) for side in (a, b)]
    theirs = stats.ks_2samp(a, b, method="asymp")
    assert s.kolmogorov_smirnov(*both) == pytest.approx((theirs.statistic, theirs.pvalue), abs=1e-12)


def test_chi_square_is_scipy_s_where_no_cell_is_rare() -> None:
    theirs = stats.chi2_contingency([[30, 50, 20], [25, 25, 50]], correction=False)
    assert s.chi_square([30, 50, 20], [25, 25, 50]) == pytest.approx((theirs.statistic, theirs.pvalue))


def test_rare_cells_are_one_cell_and_left_out_where_that_is_rare_too() -> None:
    assert s.chi_square([50, 50, 3, 4], [40, 60, 3, 2]) == s.chi_square([50, 50, 7], [40, 60, 5])
    assert s.chi_square([50, 50, 1], [40, 60, 0]) == s.chi_square([50, 50], [40, 60])
    assert np.isnan(s.chi_square([100, 1], [100, 0])).all()


def test_psi_of_large_counts_is_that_of_the_shares() -> None:
    assert s.psi([600_000, 400_000], [400_000, 600_000]) == pytest.approx(0.2 * np.log(1.5) * 2, rel=1e-5)


def test_psi_without_drift_is_about_chi_square_times_the_sizes() -> None:
    g = np.random.default_rng(5)
    found = [s.psi(g.multinomial(2000, [0.1] * 10), g.multinomial(1000, [0.1] * 10)) for _ in range(500)]
    assert np.mean(found) == pytest.approx(9 * (1 / 2000 + 1 / 1000), rel=0.1)


def test_jensen_shannon_is_1_where_nothing_is_shared() -> None:
    assert s.jensen_shannon([10**6, 0], [0, 10**6]) == pytest.approx(1, abs=1e-4)


def test_the_effect_does_not_grow_with_the_rows() -> None:
    small, large = (s.chi_square([5 * k, 5 * k], [4 * k, 6 * k])[0] for k in (100, 10_000))
    assert s.effect(small, 1000, 1000) == pytest.approx(s.effect(large, 100_000, 100_000))
    lopsided = s.chi_square([500_000, 500_000], [400, 600])[0]
    assert s.effect(lopsided, 1_000_000, 1000) == pytest.approx(s.effect(small, 1000, 1000), rel=0.02)


def test_a_heavy_value_is_a_group_of_its_own() -> None:
    counts = [0, *[10] * 30, 400, *[10] * 30, 0]
    groups = list(s.grouped(counts))
    assert groups.count(groups[31]) == 1
    assert (groups[0], groups[-1]) == (0, 9)


def test_holm_is_as_in_the_literature_and_passes_by_what_was_not_tested() -> None:
    assert s.holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert s.holm([0.01, s.NAN])[0] == 0.01


@pytest.mark.parametrize(("value", "p", "found"), [
    (0.3, 0.02, "none"), (0.01, 1e-9, "none"), (-0.15, 1e-9, "warning"), (0.2, 1e-9, "alarm"), (s.NAN, s.NAN, "none")])
def test_a_report_needs_significance_and_size(value: float, p: float, found: str) -> None:
    assert s.severity(value, p, 0.01, (0.1, 0.2)) == found
