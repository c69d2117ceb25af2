"""A series that falls silent goes on by its earlier days."""

import numpy as np
import pytest

from models.blackout import SILENT_SECONDS
from models.engine import ForecastEngine
from models.trust import Trust

DAY = 1440
MIDNIGHT = 1_699_920_000.0
SIX = 3 * DAY + 6 * 60


def daily(minutes):
    """A day that rises from 200 at six to 2000 at noon and sinks again."""
    hour = (minutes % DAY) / 60
    return 200.0 + 1800.0 * np.clip(np.sin((hour - 6.0) / 12.0 * np.pi), 0.0, None)


def silenced(past, *, silent_for):
    """An engine that saw `past` and then nothing for so many minutes; the end of the last."""
    engine = ForecastEngine(exact_minutes=False)
    rows = engine.add(len(past))
    seen = past.shape[1]
    engine.backfill(rows, past, end_seconds=MIDNIGHT + 60.0 * seen)
    for minute in range(seen, seen + silent_for):
        nothing = np.full(len(past), np.nan)
        engine.append(nothing, end_seconds=MIDNIGHT + 60.0 * (minute + 1), rows=rows)
    return engine, rows, MIDNIGHT + 60.0 * (seen + silent_for)


def asked(engine, rows, now):
    return engine.predict(
        rows=rows, now_seconds=now, lead_seconds=120.0, hold_seconds=60.0, risk=0.01
    )


def test_a_morning_without_metrics_rises_as_on_earlier_days():
    engine, rows, end = silenced(daily(np.arange(SIX))[None, :], silent_for=60)
    for minutes in (60, 120, 180, 240):
        got = asked(engine, rows, end + 60.0 * (minutes - 60))
        truth = daily(np.array([SIX + minutes + 3]))

        assert got.trust.tolist() == [Trust.STALE]
        assert got.quantile == pytest.approx(truth, rel=0.1)
        assert got.median == pytest.approx(truth, rel=0.1)


def test_a_day_twice_as_busy_is_carried_on_twice_as_busy():
    past = daily(np.arange(SIX + 120))[None, :]
    past[0, 3 * DAY :] *= 2.0
    got = asked(*silenced(past, silent_for=60))

    assert got.quantile == pytest.approx(2.0 * daily(np.array([SIX + 183])), rel=0.1)


def test_without_an_earlier_day_the_last_minutes_go_on():
    past = np.full((1, 200), 500.0)
    got = asked(*silenced(past, silent_for=60))

    assert got.median == pytest.approx(500.0, rel=0.2)


def test_rows_that_are_not_silent_are_left_as_they_were():
    past = np.vstack([daily(np.arange(SIX)), daily(np.arange(SIX))])
    engine, rows, now = silenced(past, silent_for=30)
    alone = asked(engine, rows, now)
    engine.observe_now(np.array([450.0]), at_seconds=now, rows=rows[:1])
    got = asked(engine, rows, now)

    assert got.trust.tolist() == [Trust.TRUSTED, Trust.STALE]
    assert got.quantile[1] == alone.quantile[1]
    assert got.quantile[0] != alone.quantile[0]


def test_days_that_are_shifted_by_a_clock_change_are_compared_by_local_time():
    """Half past six in Berlin, the Monday after the clocks went back."""
    seconds_of_day = 86_400.0
    end = 1_761_543_000.0  # 2025-10-27 05:30 UTC
    n = 3 * DAY
    instants = end - 60.0 * np.arange(n)[::-1]
    local = instants + np.where(instants < 1_761_440_400.0, 7200.0, 3600.0)
    load = 200.0 + 1800.0 * (local % seconds_of_day >= 7 * 3600.0)
    engine = ForecastEngine(exact_minutes=False)
    rows = engine.add(1)
    engine.set_time_zone(rows, ["Europe/Berlin"])
    engine.backfill(rows, load[None, :], end_seconds=end)
    engine.learn(rows, now_seconds=end)
    late, early = (asked(engine, rows, end + 60.0 * after) for after in (32, 10))

    assert early.quantile[0] == pytest.approx(200.0, rel=0.1)
    assert late.quantile[0] == pytest.approx(2000.0, rel=0.1)


def test_five_minutes_are_no_outage():
    engine, rows, now = silenced(daily(np.arange(SIX))[None, :], silent_for=5)

    assert asked(engine, rows, now).trust.tolist() == [Trust.TRUSTED]
    assert asked(engine, rows, now + 1).trust.tolist() == [Trust.STALE]
    assert SILENT_SECONDS == 300.0
