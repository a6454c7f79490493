"""The measures of drift between two sets of counts, and their p-values: NumPy and scipy over a few hundred numbers.

It is shipped to the task by value, with `judging`, and imports nothing else of sparkkit. Throughout, `a` are the
reference's counts and `b` the current ones, by bin; `n` and `m` their sums, without what is missing.

Methods: Kolmogorov-Smirnov between binned samples, whose distance is at most that of the samples, so that its p-value is
conservative (scipy's `kstwo` with `nm/(n+m)`). Chi-square test of homogeneity with cells of expected counts below 5 merged
(Cochran 1954). The population stability index has no level of its own: without drift it is about chi-square times `1/n + 1/m`
(Yurdakul and Naranjo 2020, "Statistical properties of the population stability index"), so it, and the Jensen-Shannon distance (half the
likelihood-ratio statistic of the same table), are judged by the chi-square test on their own bins. Rates, and the bin that
changed most, are judged by the conditional test of two counts (Fisher's exact test). Over all tests of a table the level is held by
Holm's procedure (Holm 1979).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

GROUPS = 10
"""How many bins the bins of a numeric feature are merged to, for the index and its like."""

RARE = 5
"""The least expected count of a cell of a chi-square test."""

NAN = float("nan")


def tails(x: Any, t: Any, n: int, m: int) -> Any:
    """Two-sided p-values that `x` of `t` rows are among the current `m`, where each of the `n + m` is so with the same chance.

    Where more than a tenth of all rows are of the kind, the hypergeometric tail (Fisher's exact test), from 100,000 rows on the normal
    one; else the binomial, which is wider than the hypergeometric, and never sums more than a few terms.

    Args:
        x: counts of the current rows of a kind, an array.
        t: counts of all rows of the kind, an array.
        n: reference rows.
        m: current rows.

    >>> [round(float(p), 4) for p in tails([10, 5], [10, 10], 100, 100)]
    [0.002, 1.0]
    """
    import numpy as np
    from scipy import stats

    x, t, q = np.asarray(x, dtype=float), np.asarray(t, dtype=float), m / (n + m)
    few = np.minimum(stats.binom.cdf(x, t, q), stats.binom.sf(x - 1, t, q))
    many = t > (n + m) / 10
    if many.any():
        if n + m <= 100_000:
            exact = (stats.hypergeom.cdf(x[many], n + m, t[many], m), stats.hypergeom.sf(x[many] - 1, n + m, t[many], m))
            few[many] = np.minimum(*exact)
        else:
            sd = np.sqrt(t[many] * q * (1 - q) * (1 - t[many] / (n + m)))
            few[many] = stats.norm.sf(np.maximum(np.abs(x[many] - t[many] * q) - 0.5, 0) / np.where(sd > 0, sd, np.inf))
    return np.minimum(1.0, 2 * few)


def shares(a: Any, b: Any) -> tuple[Any, Any]:
    """The shares of two sets of counts; half a row is added to each bin, so that none is 0.

    >>> [[round(float(v), 2) for v in side] for side in shares([1, 1], [0, 1])]
    [[0.5, 0.5], [0.25, 0.75]]
    """
    import numpy as np

    a, b = np.asarray(a) + 0.5, np.asarray(b) + 0.5
    return a / a.sum(), b / b.sum()


def psi(a: Any, b: Any) -> float:
    """The population stability index: the sum of `(q - p) ln(q / p)` over bins (Siddiqi 2006, "Credit Risk Scorecards").

    >>> round(psi([500, 500], [500, 500]), 3), round(psi([500, 500], [400, 600]), 3)
    (0.0, 0.04)
    """
    import numpy as np

    p, q = shares(a, b)
    return float(((q - p) * np.log(q / p)).sum())


def jensen_shannon(a: Any, b: Any) -> float:
    """The Jensen-Shannon distance to base 2, from 0 to 1 (Lin 1991; scipy's).

    >>> round(jensen_shannon([10, 0], [10, 0]), 3), round(jensen_shannon([1000, 0], [0, 1000]), 2)
    (0.0, 1.0)
    """
    from scipy.spatial import distance

    return float(distance.jensenshannon(*shares(a, b), base=2))


def chi_square(a: Any, b: Any) -> tuple[float, float]:
    """The statistic and p-value of the test that two sets of counts are of one distribution; cells that few rows are expected in are
    merged into one. NaN where a single cell is left.

    >>> [round(v, 3) for v in chi_square([500, 500], [400, 600])]
    [20.202, 0.0]
    """
    import numpy as np
    from scipy import stats

    table = np.array([a, b], dtype=float)
    expected = table.sum(axis=0) * table.sum(axis=1).min() / table.sum()
    rare = expected < RARE
    rest = table[:, rare].sum(axis=1, keepdims=True)
    table = np.hstack([table[:, ~rare], rest]) if rest.sum() * table.sum(axis=1).min() / table.sum() >= RARE else table[:, ~rare]
    if table.shape[1] < 2 or not table.sum(axis=1).all():
        return NAN, NAN
    found = stats.chi2_contingency(table, correction=False)
    return float(found.statistic), float(found.pvalue)


def effect(statistic: float, n: int, m: int) -> float:
    """A chi-square statistic as Cohen's w of two equally large samples, whatever their sizes (Cohen 1988: 0.1 small, 0.3 medium).

    >>> round(effect(20.202, 1000, 1000), 2), round(effect(20.202, 10**6, 1000), 2)
    (0.1, 0.07)
    """
    return float((statistic * (1 / n + 1 / m)) ** 0.5 / 2)


def kolmogorov_smirnov(a: Any, b: Any) -> tuple[float, float]:
    """The greatest difference of two distribution functions at the bins' edges, and its p-value.

    >>> [round(v, 3) for v in kolmogorov_smirnov([50, 50], [80, 20])]
    [0.3, 0.0]
    """
    import numpy as np
    from scipy import stats

    n, m = int(np.sum(a)), int(np.sum(b))
    distance = float(np.abs(np.cumsum(a) / n - np.cumsum(b) / m).max())
    return distance, float(stats.kstwo.sf(distance, max(1, round(n * m / (n + m)))))


def grouped(a: Any) -> Any:
    """For each bin of a numeric feature the group of ten that it belongs to, by the middle of its ranks in the reference; a value that
    many rows share keeps a group of its own.

    >>> [int(g) for g in grouped([0, 25, 40, 35, 0])]
    [0, 1, 4, 8, 9]
    """
    import numpy as np

    a = np.asarray(a, dtype=float)
    middle = (np.cumsum(a) - a / 2) / max(a.sum(), 1)
    return np.minimum((middle * GROUPS).astype(int), GROUPS - 1)


def holm(p_values: Iterable[float]) -> list[float]:
    """p-values for a whole family of tests: below a level, they keep it (Holm 1979). NaN is no test.

    >>> [round(p, 3) for p in holm([0.01, 0.04, 0.03])]
    [0.03, 0.06, 0.06]
    """
    import numpy as np

    given = np.asarray(list(p_values), dtype=float)
    order = [i for i in np.argsort(given) if given[i] == given[i]]
    found, worst = given.copy(), 0.0
    for place, i in enumerate(order):
        worst = max(worst, (len(order) - place) * given[i])
        found[i] = min(1.0, worst)
    return [float(p) for p in found]


def severity(value: float, p_adjusted: float, alpha: float, limits: tuple[float, float]) -> str:
    """`none`, `warning` or `alarm`: both significant and large enough.

    >>> severity(0.3, 0.001, 0.01, (0.1, 0.2)), severity(0.3, 0.02, 0.01, (0.1, 0.2)), severity(-0.15, 0.001, 0.01, (0.1, 0.2))
    ('alarm', 'none', 'warning')
    """
    if not p_adjusted < alpha or abs(value) < limits[0]:
        return "none"
    return "alarm" if abs(value) >= limits[1] else "warning"
