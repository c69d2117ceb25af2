"""Altered copies of a recording: still loads, and what each kind promises to be."""

import numpy as np
import pytest

from autoscaler.replay.alterations import _mixed as mixed
from autoscaler.replay.alterations import _opened as opened
from autoscaler.replay.alterations import _weeks as weeks
from autoscaler.replay.alterations import altered_copies
from autoscaler.replay.trace import Trace

DAY = 1440
TICKS = 4


def recording(days=3, step=60):
    minute = np.arange(days * DAY * 60 // step)
    load = 100 + 40 * np.sin(2 * np.pi * minute * step / 86_400)
    load[500:520] = np.nan
    return Trace("made", 1_700_000_040.0, step, load)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("step", [60, 300])
def test_copies_are_loads_and_the_first_is_the_recording(seed, step):
    trace = recording(step=step)
    mates = [recording(days=2, step=300), recording(days=40)]
    copies = altered_copies(trace, np.random.default_rng(seed), mates=mates)

    known = [copy[np.isfinite(copy)] for copy in copies]
    assert {len(copy) for copy in copies} == {3 * DAY * TICKS, 28 * DAY * TICKS}
    assert all((load >= 0).all() and load.size and load.max() < np.inf for load in known)
    assert np.array_equal(copies[0][:: TICKS * step // 60], trace.load, equal_nan=True)


@pytest.mark.parametrize("seed", range(8))
def test_what_the_clock_switches_it_switches_at_the_same_minutes_of_every_working_day(seed):
    load = np.full(14 * DAY * TICKS, 100.0)
    copy = opened(load, np.random.default_rng(seed)).reshape(14, DAY, TICKS)[:, :, 0]

    closed = copy.min()
    days_open = (copy > closed).sum(axis=0)
    late = 12 * 5  # so many openings, late by so many minutes at most
    assert set(np.unique(copy)) <= {closed, 100.0}
    assert 5.0 <= closed <= 60.0
    assert np.isin(days_open, (0, 10, 14)).sum() >= DAY - late
    assert days_open.max() >= 10


@pytest.mark.parametrize("seed", range(8))
def test_weeks_are_made_of_days_that_repeat_by_the_week(seed):
    copy = weeks(recording().load.repeat(TICKS), np.random.default_rng(seed))
    by_week = copy.reshape(4, 7, -1).mean(axis=2)
    shares = by_week / by_week.mean(axis=1, keepdims=True)

    assert shares.std(axis=0).max() < 0.1 < shares[0].max() - shares[0].min()


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize(("days", "kept"), [(3, 3), (30, 28)])
def test_a_mixture_lasts_four_weeks_at_most_and_keeps_its_own_gaps_alone(seed, days, kept):
    own = np.full(days * DAY * TICKS, 100.0)
    gap = slice(2 * DAY * TICKS, 2 * DAY * TICKS + 20 * TICKS)
    own[gap] = np.nan

    mixture = mixed(own, recording(days=2), np.random.default_rng(seed))

    assert len(mixture) == kept * DAY * TICKS
    assert np.isnan(mixture).sum() in (0, 20 * TICKS)  # the gap may be before what is kept
    assert 0 < np.nanstd(mixture) < np.nanmean(mixture)


def test_a_load_without_mates_is_mixed_with_nothing():
    alone = altered_copies(recording(), np.random.default_rng(0))
    with_mate = altered_copies(recording(), np.random.default_rng(0), mates=[recording(days=2)])

    assert len(with_mate) == len(alone) + 2


def test_of_less_than_a_day_no_weeks_are_made():
    load = recording().load[: DAY // 2].repeat(TICKS)

    assert weeks(load, np.random.default_rng(0)) is load
