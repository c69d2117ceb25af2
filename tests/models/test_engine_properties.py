import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from models.engine import ForecastEngine

END = 1_700_000_040.0
loads = st.one_of(
    st.just(float("nan")),
    st.just(0.0),
    st.floats(0.0, 1e3),
    st.sampled_from([1e9, 1e-9, 1e15]),
)
few = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def answer(y, *, now=None, risk=0.01):
    engine = ForecastEngine()
    rows = engine.add(1)
    engine.backfill(rows, np.array([y]), end_seconds=END)
    asked = {"lead_seconds": 120.0, "hold_seconds": 15.0, "risk": risk}
    return engine.predict(rows=np.repeat(rows, np.size(risk)), now_seconds=now, **asked)


@few
@given(st.lists(loads, min_size=1, max_size=40), st.sampled_from([0.003, 0.01, 0.1]))
def test_whatever_was_measured_the_answer_is_a_bounded_load(y, risk):
    got = answer(y, risk=risk)
    most = np.nanmax([*y, 0.0])

    for value in (got.median, got.quantile, got.reactive_quantile):
        assert np.isfinite(value).all()
        assert (value >= 0).all()
        assert (value <= 40.0 * most + 1e-6).all()
    assert got.known[0] == any(np.isfinite(y))


@few
@given(st.lists(st.floats(1.0, 1e3), min_size=20, max_size=60), st.sampled_from([8.0, 0.125]))
def test_scaling_the_load_scales_the_forecast(y, factor):
    got, scaled = answer(y), answer([factor * v for v in y])

    np.testing.assert_allclose(scaled.quantile, factor * got.quantile, rtol=0.02)


@few
@given(st.lists(st.floats(1.0, 100.0), min_size=20, max_size=60), st.integers(1, 60))
def test_a_gap_at_the_end_keeps_the_forecast_alive_and_says_how_old_it_is(y, n_missing):
    got = answer([*y, *[float("nan")] * n_missing], now=END + 30.0)

    assert got.known[0]
    assert got.age_seconds[0] == n_missing * 60.0 + 30.0
    assert got.quantile[0] > 0.0


@few
@given(st.lists(st.floats(1.0, 1e3), min_size=30, max_size=60))
def test_less_risk_never_asks_for_less(y):
    quantiles = answer(y, risk=np.array([0.3, 0.1, 0.03, 0.01, 0.003])).quantile

    # Where all are cut to the same bound, each rounds it for itself.
    assert (np.diff(quantiles) >= -1e-6 * quantiles[1:]).all()


@pytest.mark.parametrize("events_a_minute", [1.0, 10.0, 100.0])
def test_few_events_a_minute_are_promised_no_less_than_the_spread_of_their_count(events_a_minute):
    """No floor of sqrt(load) is assumed: what counting does to a load is learnt."""
    rng = np.random.default_rng(5)
    n_series, n_minutes, lead = 40, 900, 3
    loads = rng.poisson(events_a_minute, (n_minutes, n_series)) / 60.0
    engine = ForecastEngine()
    rows = engine.add(n_series)
    above = []
    for minute, load in enumerate(loads[:-lead]):
        ends = END + 60.0 * minute
        engine.append(load, end_seconds=ends, rows=rows)
        asked = {"lead_seconds": 120.0, "hold_seconds": 15.0, "risk": 0.01}
        batch = engine.predict(rows=rows, now_seconds=ends + 30.0, **asked)
        if minute > 60:
            above.append(loads[minute + lead] > batch.quantile)

    assert np.mean(above) <= 0.015
