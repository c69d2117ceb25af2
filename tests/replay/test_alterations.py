"""Altered copies of a recording: still loads, and what each kind promises to be."""

import numpy as np
import pytest

from autoscaler.replay.alterations import _opened as opened
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
def test_copies_are_loads_of_the_same_length_and_the_first_is_the_recording(seed, step):
    trace = recording(step=step)
    copies = altered_copies(trace, np.random.default_rng(seed))

    known = [copy[np.isfinite(copy)] for copy in copies]
    assert {len(copy) for copy in copies} == {3 * DAY * TICKS}
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
