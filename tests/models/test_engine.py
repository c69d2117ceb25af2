import numpy as np
import pytest

from models.engine import ForecastEngine, Trust

END = 1_700_000_040.0


def test_a_row_without_any_sample_says_so():
    engine = ForecastEngine()
    rows = engine.add(2)

    batch = engine.predict(rows=rows, lead_seconds=120, hold_seconds=60, risk=0.01)

    assert not batch.known.any()
    assert np.array_equal(batch.quantile, [0.0, 0.0])


def test_a_constant_load_forecasts_itself():
    engine = ForecastEngine()
    rows = engine.add(1)
    engine.backfill(rows, np.full((1, 600), 50.0), end_seconds=END)

    batch = engine.predict(rows=rows, lead_seconds=120, hold_seconds=60, risk=0.01)

    assert batch.known.all()
    assert batch.median[0] == pytest.approx(50.0, rel=0.02)
    assert 49.0 <= batch.quantile[0] <= 62.5  # ten hours of calm do not rule out the first crowd


def test_removed_rows_are_used_again_and_remember_nothing():
    engine = ForecastEngine()
    rows = engine.add(3)
    engine.append(np.array([1.0, 2.0, 3.0]), end_seconds=END, rows=rows)
    engine.remove(rows[1:2])

    again = engine.add(1)

    assert again.tolist() == rows[1:2].tolist()
    assert not engine.predict(rows=again, lead_seconds=60, hold_seconds=60, risk=0.1).known.any()


def test_old_samples_are_stale():
    engine = ForecastEngine()
    rows = engine.add(1)
    engine.backfill(rows, np.full((1, 60), 5.0), end_seconds=END)

    batch = engine.predict(
        rows=rows, now_seconds=END + 900, lead_seconds=60, hold_seconds=60, risk=0.1
    )

    assert batch.trust.tolist() == [Trust.STALE]
    assert batch.age_seconds.tolist() == [900.0]
