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


def seen_for_five_minutes():
    """An engine that knows of two rows what came while their past was read; it ends at `END`."""
    engine = ForecastEngine()
    rows = engine.add(2)
    for minute in range(-1, 4):
        engine.append(np.array([80.0 + minute, np.nan]), end_seconds=END + 60.0 * minute, rows=rows)
    return engine, rows


def test_a_past_that_another_engine_learned_is_as_good_as_one_learned_here():
    past = np.random.default_rng(2).gamma(9.0, 5.0, (2, 3000))
    here, rows = seen_for_five_minutes()
    here.backfill(rows, past, end_seconds=END)
    there, _ = seen_for_five_minutes()
    other = ForecastEngine()
    others = other.add(3)[1:]
    other.backfill(others, past, end_seconds=END)
    there.adopt(rows, other, others)

    for name in here.table:
        assert np.array_equal(here.table[name], there.table[name], equal_nan=True), name
    assert here.newest_seconds == there.newest_seconds == END + 180


@pytest.mark.parametrize("ahead", [-3000, 0, 3000])
def test_minutes_that_a_past_lacks_are_those_that_were_seen(ahead):
    past = np.full((2, 600), 50.0)
    past[:, -3:] = np.nan
    engine, rows = seen_for_five_minutes()
    other = ForecastEngine()
    others = other.add(2)
    other.backfill(others, past, end_seconds=END)
    for minute in range(4, 4 + ahead):  # so long nobody took it over
        engine.append(np.array([50.0, 50.0]), end_seconds=END + 60.0 * minute, rows=rows)
    for minute in range(1, 1 - ahead):  # the clock that read it was ahead
        other.append(np.array([50.0, 50.0]), end_seconds=END + 60.0 * minute, rows=others)
    engine.adopt(rows, other, others)

    index = round(END / 60)
    loads = engine.memory.loads(np.arange(index - 4, index + 1)[:, None], rows, index)
    assert loads[:, 0] == pytest.approx([50.0, 50.0, np.nan, 79.0, 80.0], rel=0.01, nan_ok=True)
    assert loads[:, 1] == pytest.approx([50.0, 50.0] + [np.nan] * 3, rel=0.01, nan_ok=True)


def test_what_was_seen_after_a_past_that_lags_is_learned_too():
    past = np.full((2, 600), 50.0)
    past[0, -120:] = np.nan  # the store of one of them is two hours behind
    here, there, other = ForecastEngine(), ForecastEngine(), ForecastEngine()
    rows, _, others = (engine.add(2) for engine in (here, there, other))
    for engine in (here, there):
        for minute in range(-180, 1):
            at = END + 60.0 * minute
            engine.append(np.array([100.0, 200.0]), end_seconds=at, rows=rows)
    here.backfill(rows, past, end_seconds=END)
    other.backfill(others, past, end_seconds=END)
    there.adopt(rows, other, others)

    for name in ("ring", "n_steps", "day_sum", "hour_sum", "newest"):
        assert there.table[name] == pytest.approx(here.table[name], rel=1e-6), name
    assert there.pulse.level(rows)[0] > 80.0


def test_a_series_without_any_past_goes_on_with_what_it_saw_beside_one_that_has_one():
    engine, rows = seen_for_five_minutes()
    before = {name: engine.table[name][..., rows[0]].copy() for name in engine.table}
    other = ForecastEngine()
    others = other.add(2)
    past = np.vstack([np.full(600, np.nan), np.full(600, 50.0)])
    other.backfill(others, past, end_seconds=END)
    engine.adopt(rows, other, others)

    for name, array in before.items():
        assert np.array_equal(engine.table[name][..., rows[0]], array, equal_nan=True), name
    assert engine.table["n_steps"][rows[1]] == 600


def test_an_engine_that_learned_nothing_has_nothing_to_take_over():
    engine, rows = seen_for_five_minutes()
    before = {name: engine.table[name].copy() for name in engine.table}
    other = ForecastEngine()
    engine.adopt(rows, other, other.add(2))

    for name, array in before.items():
        assert np.array_equal(engine.table[name], array, equal_nan=True), name


def test_a_past_that_is_wanted_no_more_is_left_half_way():
    engine, asked = ForecastEngine(), []
    rows = engine.add(1)
    past = np.full((1, 600), 50.0)
    engine.backfill(
        rows, past, end_seconds=END, wanted=lambda: asked.append(1) or len(asked) <= 100
    )

    assert engine.newest_seconds == END - 500 * 60


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


def test_after_a_jump_that_nobody_foresaw_the_next_one_like_it_is_covered():
    engine = ForecastEngine()
    rows = engine.add(1)
    jumps = (2000, 2045)
    load = 100.0 + 2.0 * np.random.default_rng(0).standard_normal(jumps[1])
    load[jumps[0] : jumps[0] + 3] = 170.0

    expected = {}
    for minute, value in enumerate(load):
        end = END + 60.0 * minute
        engine.append(np.array([value]), end_seconds=end, rows=rows)
        asked = {"lead_seconds": 120.0, "hold_seconds": 15.0, "risk": 0.003}
        batch = engine.predict(rows=rows, now_seconds=end + 30.0, **asked)
        # A lead time, and what a reading is late, before a jump.
        if minute + 3 in jumps:
            expected[minute + 3] = batch.quantile.item()

    assert expected[jumps[0]] < 120.0
    assert expected[jumps[1]] > 160.0
