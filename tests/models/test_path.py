import numpy as np
import pytest

from models.engine import ForecastEngine
from models.path import Readings, Walk

START = 1_700_000_040.0


def readings(n, seed=3):
    rng = np.random.default_rng(seed)
    now = START + 15.0 * np.arange(n)
    load = 50 + 20 * np.sin(now / 3600) + rng.normal(0, 2, n)
    load[200:230] = np.nan
    return Readings(load, now - 30, now, (now - 30) % 60 == 0)


def by_the_minute(n):
    """Heavy-tailed minutes, whose promises are often broken."""
    now = START + 60.0 * np.arange(n)
    load = 50 * np.random.default_rng(5).pareto(2.0, n)
    return Readings(load, now - 60, now, np.ones(n, dtype=np.bool_))


def one_by_one(seen):
    engine = ForecastEngine()
    row = engine.add(1)
    for load, at, now in zip(seen.load, seen.at_seconds, seen.now_seconds, strict=True):
        engine.observe_now(np.array([load]), at_seconds=at, rows=row)
        if at % 60 == 0:
            engine.append(np.array([load]), end_seconds=at, rows=row)
        yield engine.predict(
            rows=row, now_seconds=now, lead_seconds=120.0, hold_seconds=15.0, risk=0.01
        )


def along(seen, *, chunk):
    walk = Walk(ForecastEngine(), lead_seconds=120.0, hold_seconds=15.0, risks=[0.01, 0.1])
    for i in range(0, len(seen.load), chunk):
        p = slice(i, i + chunk)
        part = Readings(seen.load[p], seen.at_seconds[p], seen.now_seconds[p], seen.closes[p])
        yield walk.answers(part)[0]


@pytest.mark.parametrize(
    ("seen", "chunk"),
    [
        (readings(500), 1),
        (readings(500), 7),
        (readings(500), 240),
        # What waits for a load's second day begins there, not where the stretch does.
        (by_the_minute(1500), 240),
    ],
    ids=["one", "seven", "an hour", "into the second day"],
)
def test_many_ticks_at_once_answer_as_one_by_one(seen, chunk):
    answers, single = list(along(seen, chunk=chunk)), list(one_by_one(seen))

    for name in ("known", "median", "quantile", "reactive_quantile", "trust", "skill"):
        whole = np.concatenate([getattr(a, name) for a in answers])
        ticked = np.concatenate([getattr(s, name) for s in single])
        np.testing.assert_allclose(whole, ticked, rtol=1e-4, err_msg=name)


def test_a_second_risk_is_answered_as_if_it_were_alone():
    seen = readings(300)
    both, alone = ForecastEngine(), ForecastEngine()
    window = {"lead_seconds": 120.0, "hold_seconds": 15.0}
    second = Walk(both, **window, risks=[0.01, 0.1]).answers(seen)[1]
    only = Walk(alone, **window, risks=[0.1]).answers(seen)[0]

    np.testing.assert_array_equal(second.quantile, only.quantile)
    np.testing.assert_array_equal(second.trust, only.trust)
