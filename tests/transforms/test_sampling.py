from __future__ import annotations

import pytest
from hypothesis import given

from sparkkit.errors import UsageError
from sparkkit.transforms.sampling import sample_by_key
from tests.transforms.strategies import DDL, batches, few, groups, plain

KEYS = ["example", "k", "x"]


@few
@given(rows=batches())
def test_a_key_is_kept_whole_or_not_at_all_whatever_its_company(spark, rows):
    half = spark.createDataFrame(rows, DDL).transform(sample_by_key, keys=KEYS, fraction=0.5, seed=1).collect()
    fewer = spark.createDataFrame(rows[::2], DDL).repartition(3)
    again = fewer.transform(sample_by_key, keys=KEYS, fraction=0.5, seed=1).collect()
    kept = groups(half, 0, 1, 3).keys()
    assert [plain(r) for r in rows if plain((r[0], r[1], r[3])) in kept] == [plain(tuple(r)) for r in half]
    assert groups(again, 0, 1, 3).keys() == kept & groups(rows[::2], 0, 1, 3).keys()


def test_smaller_fractions_nest_and_seeds_differ(spark):
    ids = {
        (fraction, seed): {
            r.id for r in spark.range(2000).transform(sample_by_key, keys="id", fraction=fraction, seed=seed).collect()
        }
        for fraction, seed in [(0.0, 1), (0.1, 1), (0.3, 1), (0.3, 2), (1.0, 1)]
    }
    sizes = [len(ids[f, 1]) for f in (0.0, 0.1, 0.3, 1.0)]
    assert sizes[0] == 0 and 150 < sizes[1] < 250 and 500 < sizes[2] < 700 and sizes[3] == 2000
    assert ids[0.1, 1] < ids[0.3, 1]
    assert ids[0.3, 1] != ids[0.3, 2]


@pytest.mark.parametrize(
    "options", [{"keys": "ids", "fraction": 0.5}, {"keys": "id", "fraction": 1.5}, {"keys": [], "fraction": 0.5}]
)
def test_wrong_use_is_refused(spark, options):
    with pytest.raises(UsageError):
        spark.range(1).transform(sample_by_key, seed=1, **options)
