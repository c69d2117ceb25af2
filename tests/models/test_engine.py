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


def test_minutes_before_anybody_s_first_load_are_passed_over_and_change_nothing(monkeypatch):
    past = np.array([[np.nan, 50.0, np.nan, 60.0], [np.nan, np.nan, 5.0, 6.0]])
    silence = np.full((2, 5000), np.nan)
    short, long = ForecastEngine(), ForecastEngine()
    short.backfill(short.add(2), past, end_seconds=END)
    appended, append = [], long.append
    monkeypatch.setattr(
        long, "append", lambda *a, **k: appended.append(k["end_seconds"]) or append(*a, **k)
    )
    long.backfill(long.add(2), np.hstack([silence, past]), end_seconds=END)

    assert appended == [END - 120, END - 60, END]
    assert long.newest_seconds == short.newest_seconds
    for name in short.table:
        assert np.array_equal(short.table[name], long.table[name], equal_nan=True), name


def test_a_past_of_which_nothing_is_known_leaves_nothing():
    engine = ForecastEngine()
    rows = engine.add(1)
    engine.backfill(rows, np.full((1, 600), np.nan), end_seconds=END)

    assert engine.newest_seconds == -np.inf
    assert not engine.predict(rows=rows, lead_seconds=120, hold_seconds=60, risk=0.01).known.any()


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


def test_a_clock_that_is_set_back_forgets_the_minutes_to_come_and_ends_no_burst_later():
    engine = ForecastEngine()
    rows = engine.add(1)
    engine.backfill(rows, np.full((1, 600), 50.0), end_seconds=END)
    engine.table["burst_until"][rows] = engine.memory.index + 9

    engine.set_back(end_seconds=END - 3600)

    newest = engine.memory.index
    assert engine.newest_seconds == END - 3600
    assert engine.table["burst_until"][rows].tolist() == [newest + 10]
    assert np.isnan(engine.memory.loads(np.array([[newest + 1]]), rows, newest + 1)).all()
    assert engine.memory.loads(np.array([[newest]]), rows, newest).tolist() == [
        [pytest.approx(50, rel=0.01)]
    ]


def test_minutes_that_were_missed_are_filled_in_and_nothing_else_changes():
    engine = ForecastEngine()
    rows = engine.add(1)
    engine.backfill(rows, np.full((1, 600), 50.0), end_seconds=END)
    learned = engine.table["n_scored"][rows].copy()
    engine.append(np.array([50.0]), end_seconds=END + 1200, rows=rows)

    engine.refill(rows, np.array([[40.0, np.nan, 30.0]]), end_seconds=END + 660)

    newest = engine.memory.index
    then = newest - np.array([[11], [10], [9], [0]])
    got = engine.memory.loads(then, rows, newest)[:, 0]
    assert got == pytest.approx([40.0, np.nan, 30.0, 50.0], rel=0.01, nan_ok=True)
    assert engine.table["n_scored"][rows] == learned


def test_a_past_is_completed_by_what_was_seen_meanwhile():
    engine = ForecastEngine()
    rows = engine.add(2)
    for minute in range(3):
        engine.append(np.array([7.0, np.nan]), end_seconds=END - 60.0 * (2 - minute), rows=rows)
    past = np.array([[5.0, 5.0, 5.0, np.nan, np.nan], [6.0, 6.0, 6.0, np.nan, np.nan]])
    engine.backfill(rows, past, end_seconds=END)

    newest = round(END / 60)
    loads = engine.memory.loads(newest - np.arange(4, -1, -1)[:, None], rows, newest).T
    np.testing.assert_allclose(loads, [[5, 5, 5, 7, 7], [6, 6, 6, np.nan, np.nan]], rtol=1e-3)


def test_a_risk_beyond_what_the_network_was_shown_is_the_nearest_that_it_was():
    engine = ForecastEngine()
    rows = engine.add(1)
    engine.backfill(rows, np.random.default_rng(1).gamma(9.0, 5.0, (1, 600)), end_seconds=END)
    asked = {"lead_seconds": 120, "hold_seconds": 60, "rows": np.repeat(rows, 4)}

    batch = engine.predict(risk=np.array([1e-9, 0.0005, 0.5, 0.9]), **asked)
    for quantile in (batch.quantile, batch.reactive_quantile):
        least, little, much, most = quantile
        assert (least, most) == (pytest.approx(little), pytest.approx(much))
