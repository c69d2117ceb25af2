"""Loads far beyond all that was measured are left out until they are too many for a glitch."""

import numpy as np
import pytest

from models.engine import ForecastEngine
from models.path import Readings, Walk

END = 1_700_000_040.0
HOUR = np.random.default_rng(4).normal(100.0, 3.0, 60)


def after(*minutes, past=HOUR):
    """An engine, its row and its answer after a past and these minutes, one by one."""
    engine = ForecastEngine()
    rows = engine.add(1)
    engine.backfill(rows, past[None, :], end_seconds=END)
    for n, load in enumerate(minutes, start=1):
        engine.append(np.array([load]), end_seconds=END + 60.0 * n, rows=rows)
    return engine, rows, quantile(engine, rows)


def quantile(engine, rows):
    batch = engine.predict(rows=rows, lead_seconds=120, hold_seconds=60, risk=0.01)
    return float(batch.quantile[0])


def with_glitch(load, *times):
    past = load.copy()
    past[-40 : -40 + len(times)] *= times
    return past


@pytest.mark.parametrize(
    "glitch", [[1e3] * 5, [1e10], [1e10, 1.0, 1e10]], ids=["a window", "a minute", "twice"]
)
def test_a_glitch_in_the_past_changes_little(glitch):
    *_, clean = after()
    *_, got = after(past=with_glitch(HOUR, *glitch))

    assert got == pytest.approx(clean, rel=0.02)


def test_a_glitch_that_is_seen_leaves_what_was_known_as_it_was():
    *_, missed = after(*[np.nan] * 4, 100.0)
    *_, got = after(*[1e9] * 4, 100.0)

    assert got == missed


def test_a_glitch_between_two_minutes_is_not_read():
    engine, rows, before = after()
    engine.observe_now(np.array([1e9]), at_seconds=END + 15, rows=rows)

    assert quantile(engine, rows) == before


def test_a_glitch_in_minutes_that_are_filled_in_is_left_out():
    engine, rows, _ = after(np.nan, np.nan)
    engine.refill(rows, np.array([[1e9, 101.0]]), end_seconds=END + 120)

    at = round(END / 60) + np.array([[1], [2]])
    assert engine.memory.loads(at, rows, at.max())[0] != 1e9
    np.testing.assert_allclose(
        engine.memory.loads(at, rows, at.max())[:, 0], [np.nan, 101.0], rtol=2e-3
    )


@pytest.mark.parametrize("times", [50.0, 1e4], ids=["at once", "after ten minutes"])
def test_a_load_that_stays_is_believed(times):
    *_, got = after(*100.0 * times * np.ones(10))

    assert got >= 100.0 * times


def test_short_peaks_that_come_again_are_believed():
    hourly = [*[100.0] * 57, *[1e6] * 3]
    engine, rows, _ = after(*hourly * 4)

    at = round(END / 60) + np.array([[60], [240]])
    loads = engine.memory.loads(at, rows, at.max())[:, 0]
    np.testing.assert_allclose(loads, [np.nan, 1e6], rtol=2e-3)


def test_glitches_on_two_days_are_left_out():
    past = np.tile(HOUR, 50)
    past[[100, 101, 102, 103, 104, 105]] = 1e9
    past[[1700, 1701, 1702, 1703, 1704, 1705]] = 1e9
    *_, clean = after(past=np.tile(HOUR, 50))
    *_, got = after(past=past)

    assert got == pytest.approx(clean, rel=0.02)


def test_the_first_load_of_all_is_believed():
    *_, got = after(*[500.0] * 3, past=np.zeros(3000))

    assert got >= 500.0


def test_what_is_no_number_sets_no_record():
    *_, clean = after(np.nan, *[100.0] * 5)
    *_, got = after(np.inf, *[100.0] * 5)

    assert got == clean


def test_a_replay_leaves_out_the_same_minutes_as_the_daemon():
    now = END + 60.0 * np.arange(400)
    load = np.random.default_rng(4).normal(100.0, 3.0, 400)
    load[200:204] = 1e8
    engine, walked = ForecastEngine(), ForecastEngine()
    rows, answers = engine.add(1), []
    for value, at in zip(load, now - 60, strict=True):
        engine.append(np.array([value]), end_seconds=at, rows=rows)
        answers.append(
            engine.predict(
                rows=rows, now_seconds=at + 60, lead_seconds=120.0, hold_seconds=15.0, risk=0.01
            ).quantile[0]
        )
    walk = Walk(walked, lead_seconds=120.0, hold_seconds=15.0, risks=[0.01])
    [got] = walk.answers(Readings(load, now - 60, now, np.ones(400, dtype=np.bool_)))

    np.testing.assert_allclose(got.quantile, answers, rtol=1e-4)
