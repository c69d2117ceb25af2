import numpy as np
import pytest

from models.boosted import BoostedTrees
from models.contract import NotEnoughHistoryError, Window
from models.persistence import Persistence
from models.pooled import Pooled
from models.seasonal_naive import SeasonalNaive

END = 1_700_000_040.0
LEVELS = np.array([0.5, 0.9, 0.99])
WINDOW = Window(lead_seconds=120.0, hold_seconds=60.0)

FORECASTERS = [
    pytest.param(Persistence, id="persistence"),
    pytest.param(SeasonalNaive, id="seasonal naive"),
    pytest.param(BoostedTrees, id="boosted trees"),
    pytest.param(Pooled, id="pooled"),
]
LOADS = [
    pytest.param(lambda rng: 100 + 20 * np.sin(np.arange(300) / 50), id="smooth"),
    pytest.param(lambda rng: rng.poisson(3, 300).astype(float), id="low rate"),
    pytest.param(lambda rng: np.zeros(300), id="zeros"),
    pytest.param(lambda rng: np.where(rng.random(300) < 0.5, np.nan, 7.0), id="gaps"),
    pytest.param(lambda rng: np.full(300, np.nan), id="nothing known"),
    pytest.param(lambda rng: np.where(np.arange(300) == 250, 1e9, 1.0), id="one spike of 10^9"),
    pytest.param(lambda rng: np.where(np.arange(300) == 299, 1e9, 1.0), id="it has just begun"),
]


def answer(forecaster, y, step_seconds=60):
    fitted = forecaster.fit(y, step_seconds=step_seconds, end_seconds=END)
    return fitted.predict(y, end_seconds=END, window=WINDOW, levels=LEVELS)


@pytest.mark.parametrize("forecaster", FORECASTERS)
@pytest.mark.parametrize("load", LOADS)
def test_quantiles_are_finite_ordered_and_never_negative(forecaster, load):
    y = load(np.random.default_rng(5))[None, :]

    got = answer(forecaster(), y)

    assert got.shape == (1, 3)
    assert np.isfinite(got).all()
    assert (got >= 0).all()
    assert (np.diff(got, axis=1) >= 0).all()


@pytest.mark.parametrize("forecaster", FORECASTERS)
def test_the_same_past_gives_the_same_answer_and_stays_as_it_was(forecaster):
    y = np.random.default_rng(1).gamma(2.0, 10.0, (3, 200))
    before = y.copy()

    first, second = answer(forecaster(), y), answer(forecaster(), y)

    np.testing.assert_array_equal(first, second)
    np.testing.assert_array_equal(y, before)


@pytest.mark.parametrize("forecaster", FORECASTERS)
def test_too_short_a_past_is_refused_with_both_numbers(forecaster):
    with pytest.raises(NotEnoughHistoryError, match="needs 10 samples, got 3"):
        forecaster().fit(np.ones((1, 3)), step_seconds=60, end_seconds=END)


@pytest.mark.parametrize("forecaster", FORECASTERS)
def test_a_constant_load_forecasts_itself(forecaster):
    got = answer(forecaster(), np.full((1, 400), 42.0))

    assert got[0, 0] == pytest.approx(42.0, rel=0.02)
    # Seven hours of calm hardly bound a chance of one in a hundred.
    assert got[0, -1] == pytest.approx(42.0, rel=0.25)


@pytest.mark.parametrize("forecaster", FORECASTERS)
def test_scaling_the_load_scales_the_forecast(forecaster):
    y = np.random.default_rng(2).gamma(9.0, 10.0, (2, 300))

    np.testing.assert_allclose(
        answer(forecaster(), 8.0 * y), 8.0 * answer(forecaster(), y), rtol=0.01
    )


@pytest.mark.parametrize("forecaster", FORECASTERS)
def test_shifting_time_by_whole_weeks_changes_nothing(forecaster):
    y = np.random.default_rng(3).gamma(9.0, 10.0, (1, 300))
    later = END + 3 * 7 * 86400

    shifted = forecaster().fit(y, step_seconds=60, end_seconds=later)

    np.testing.assert_array_equal(
        shifted.predict(y, end_seconds=later, window=WINDOW, levels=LEVELS),
        answer(forecaster(), y),
    )
