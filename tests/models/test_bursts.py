"""Flash crowds: noticed, jumped after, not learned as rhythm; and loads that pods cap."""

from types import SimpleNamespace

import numpy as np
import pytest

from models.bursts import Bursts, jumped, touch_a_crowd
from models.engine import ForecastEngine
from models.features import inputs, minute_view
from models.horizon import Asked, horizon_of
from models.moment import Moment, moment_of
from models.pulse import absolute
from models.table import Table

START = 1_700_000_040.0
DAY = 1440
ASKED = {"lead_seconds": 120.0, "hold_seconds": 15.0, "risk": 0.01}


def quiet(days, seed=0):
    minute = np.arange(int(days * DAY))
    rng = np.random.default_rng(seed)
    return 100 + 40 * np.sin(2 * np.pi * minute / DAY) + rng.normal(0, 1.5, len(minute))


def played(*loads, asked_from=0):
    """Return the engine after minutes of some loads, asked once a minute, and its answers."""
    engine = ForecastEngine()
    rows = engine.add(len(loads))
    answers = []
    for minute, values in enumerate(np.array(loads).T):
        ends = START + 60.0 * minute
        engine.append(values, end_seconds=ends, rows=rows)
        if minute >= asked_from:
            answers.append(engine.predict(rows=rows, now_seconds=ends + 30, **ASKED))
    return engine, answers


def crowd(load, at, *, height, minutes):
    out = load.copy()
    out[at : at + minutes] += height * np.minimum(np.arange(1, minutes + 1) / 4, 1)
    return out


def test_a_flash_crowd_is_noticed_and_jumped_after():
    load = crowd(quiet(2), 2000, height=300, minutes=30)
    _, answers = played(load[:2020], asked_from=1500)

    before = [bool(a.burst[0]) for a in answers[:500]]
    during = [bool(a.burst[0]) for a in answers[503:512]]
    assert not any(before)
    assert any(during)
    assert max(a.quantile[0] for a in answers[502:508]) > load[2003]
    met = zip(answers[501:504], load[2001:2004], strict=True)
    assert all(answer.quantile[0] >= 0.99 * now for answer, now in met)


@pytest.mark.parametrize(
    ("now", "a_minute_ago", "highest", "expected"),
    [
        pytest.param(200.0, 140.0, 900.0, 200.0 + 165.0, id="level and slope, to the window's end"),
        pytest.param(200.0, 300.0, 900.0, 200.0, id="a load that falls is followed no further"),
        pytest.param(200.0, 100.0, 150.0, 400.0, id="at most twice what is there"),
        pytest.param(200.0, 20.0, 220.0, 440.0, id="or was within a day"),
    ],
)
def test_a_jump_follows_level_and_slope(now, a_minute_ago, highest, expected):
    moment = SimpleNamespace(blocks=np.array([[now], [0.0], [0.0], [0.0], [a_minute_ago]]))
    horizon = SimpleNamespace(lead_seconds=np.array([120.0]), hold_seconds=np.array([15.0]))

    assert jumped(moment, horizon, np.array([highest])).tolist() == [pytest.approx(expected)]


def test_one_surprise_is_bad_luck_and_two_in_a_row_are_a_burst():
    table = Table()
    bursts, rows = Bursts(table), table.add(3)
    for last, far in (
        (7, [True, True, True]),
        (8, [False, False, True]),
        (9, [False, True, False]),
    ):
        bursts.notice(rows, np.array(far), np.full(3, last))

    moment = SimpleNamespace(rows=rows, index=np.full(3, 10))
    assert bursts.under_way(moment).tolist() == [False, False, True]


def test_a_jump_is_bounded():
    load = quiet(1)
    load[-6:] = [1e3, 1e5, 1e7, 1e9, 1e11, 1e13]
    _, answers = played(load, asked_from=1000)

    for answer, now in zip(answers[-5:], load[-5:], strict=True):
        assert answer.quantile[0] <= 4.0 * now


def test_a_burst_ends_some_minutes_after_its_last_surprise():
    load = crowd(quiet(2), 2000, height=300, minutes=30)
    _, answers = played(load[:2120], asked_from=1800)

    assert not answers[-1].burst[0]


def bursts_at(*steps):
    """Return a moment whose one row remembers bursts that began at these steps."""
    table = Table()
    bursts = Bursts(table)
    rows = table.add(1)
    for step in steps:
        for last in (step, step + 1):
            bursts.notice(rows, np.array([True]), np.array([last]))
        bursts.notice(rows, np.array([False]), np.array([step + 2]))
    return table["burst_from"], table["burst_to"]


@pytest.mark.parametrize(
    ("bursts", "window", "expected"),
    [
        pytest.param([5000], (5005, 5006), True, id="within a burst that came once"),
        pytest.param([5000], (5400, 5401), False, id="long after it"),
        pytest.param([5000], (4900, 4901), False, id="before it"),
        pytest.param([5000, 5000 + DAY], (5005, 5006), False, id="it came again: a rhythm"),
        pytest.param([5000, 5004 + 3 * DAY], (5005, 5006), False, id="nearly to the minute"),
        pytest.param([5000, 5600], (5605, 5606), True, id="two at different times of day"),
        pytest.param([], (5605, 5606), False, id="none"),
    ],
)
def test_only_bursts_without_a_rhythm_are_left_out_of_earlier_days(bursts, window, expected):
    engine, _ = played(quiet(0.02))
    moment = moment_of(engine.memory, engine.pulse, np.array([0]))
    begins, ends = bursts_at(*bursts)
    moment = with_bursts(moment, begins, ends)
    first, last = (np.array([[step]]) for step in window)

    assert touch_a_crowd(moment, first, last)[0, 0] == expected


def with_bursts(moment, begins, ends):
    fields = {name: getattr(moment, name) for name in Moment.__slots__}
    return Moment(**fields | {"burst_from": begins, "burst_to": ends})


def test_the_day_after_a_crowd_is_not_expected_to_bring_another():
    days = quiet(5)
    at = 4 * DAY - 700
    until, crowded = at + DAY + 1, crowd(days, at, height=300, minutes=40)
    engine, _ = played(days[:until], crowded[:until], asked_from=at - 300)

    calm, after = engine.predict(now_seconds=START + 60.0 * until - 30, **ASKED).quantile

    assert after < 1.05 * calm


@pytest.mark.parametrize(
    ("capped", "moves"),
    [pytest.param(False, True, id="kept promises narrow"), pytest.param(True, False, id="capped")],
)
def test_what_saturated_pods_serve_does_not_narrow_the_quantile(capped, moves):
    engine, _ = played(quiet(0.5), asked_from=600)
    serve(engine, range(720, 740), load=100.0, capped=capped)
    scored_first = float(engine.table["stretch"][0])
    serve(engine, range(740, 760), load=100.0, capped=capped)

    assert (float(engine.table["stretch"][0]) != scored_first) == moves


def test_a_broken_promise_counts_even_where_pods_were_saturated():
    engine, _ = played(quiet(0.5), asked_from=600)
    before = float(engine.table["stretch"][0])
    serve(engine, range(720, 740), load=900.0, capped=True)

    assert float(engine.table["stretch"][0]) > before


def serve(engine, minutes, *, load, capped):
    rows = np.array([0])
    for minute in minutes:
        ends = START + 60.0 * minute
        engine.append(np.array([load]), end_seconds=ends, rows=rows, capped=np.array([capped]))
        engine.predict(rows=rows, now_seconds=ends + 30, **ASKED)


def opening_hours(days, *, closed=100.0, opened=1000.0, seed=3):
    """Return minutes of a load that is ten times as high between nine and six."""
    minute = np.arange(days * DAY) % DAY
    noise = np.random.default_rng(seed).normal(0, 0.03, days * DAY)
    return np.where((minute >= 540) & (minute < 1080), opened, closed) * np.exp(noise)


def test_a_load_that_is_switched_on_by_the_clock_is_met_at_its_height_from_the_second_day_on():
    opens = 540
    for day in (1, 3):
        upto = day * DAY + opens - 1
        _, answers = played(opening_hours(4)[:upto], asked_from=upto - 30)
        quantiles = [float(a.quantile[0]) for a in answers]

        assert max(quantiles[:20]) < 300.0
        assert quantiles[-1] > 900.0, day


def test_after_a_quiet_day_a_rhythm_may_rise_to_what_it_was():
    before_nine = 3 * DAY + 538
    load = opening_hours(4)
    load[2 * DAY : 3 * DAY] = 100.0  # a day off
    engine, _ = played(load[:before_nine], asked_from=before_nine)
    moment = moment_of(engine.memory, engine.pulse, np.arange(1))
    asked = Asked.of(np.arange(1), START + 60.0 * before_nine, 120.0, 15.0, 0.01)
    horizon = horizon_of(moment, asked, step_seconds=60)

    given = inputs(engine.memory, moment, minute_view(engine.memory, moment), horizon)

    assert float(absolute(given.highest, given.level)[0]) > 900.0
    assert float(absolute(moment.highest, given.level)[0]) < 400.0
