"""What else could have been recorded: altered copies of a load, to fit the pooled prior on.

Loads to come are not the loads that were: other shapes, other noise, other steps of an exporter,
and what a handful of recordings hardly has, such as few events a minute, switching (at random and
by the clock), crowds, weeks and two kinds of users at once.
"""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from autoscaler.replay.ticks import TICK_SECONDS, ticks_of
from autoscaler.replay.trace import Trace

FloatArray = NDArray[np.float64]

_MINUTE_TICKS = 60 // TICK_SECONDS
_DAY_TICKS = 86_400 // TICK_SECONDS
_DAY_MINUTES = _DAY_TICKS // _MINUTE_TICKS
# Of copies that are made up, not merely altered.
_N_WEEKS = 4
# Mixtures with other recordings, of each.
_N_MIXED = 2
# Minutes that a value stands where an exporter publishes a mean every few minutes.
_STAIRS = (2, 5, 5, 10)
# Events a minute, tenths to thousands: from a page nobody visits to one whose noise nobody sees.
_LEAST_EVENTS, _MOST_EVENTS = 1.0, 1000.0


def altered_copies(
    trace: Trace, rng: np.random.Generator, *, mates: Sequence[Trace] = ()
) -> list[FloatArray]:
    """Return the offered load at 15 s ticks: as recorded first, then altered.

    `mates` are recordings that it may be mixed with; it is not mixed with itself.
    """
    recorded = ticks_of(trace).offered
    lines = _interpolated(trace, len(recorded))
    alterations: tuple[Callable[[FloatArray, np.random.Generator], FloatArray], ...] = (
        _bent,
        _blurred,
        _counted,
        _switched,
        _crowded,
        _opened,
        _weeks,
    )
    copies = [recorded, lines, *(altered(lines, rng) for altered in alterations)]
    stairs = int(rng.choice(_STAIRS))
    if trace.step_seconds < stairs * 60:
        copies.append(_staircase(recorded, stairs))
        copies.append(_staircase(_counted(recorded, rng), stairs))
    others = [mate for mate in mates if mate is not trace]
    for _ in range(_N_MIXED if others else 0):
        copies.append(_mixed(lines, others[int(rng.integers(len(others)))], rng))
    return copies


def _interpolated(trace: Trace, n_ticks: int) -> FloatArray:
    """Return straight lines between rows, a value a minute, gaps kept."""
    tick = np.arange(n_ticks) // _MINUTE_TICKS * _MINUTE_TICKS
    place = tick * TICK_SECONDS / trace.step_seconds
    left = np.minimum(place.astype(np.intp), len(trace.load) - 1)
    right = np.minimum(left + 1, len(trace.load) - 1)
    line = trace.load[left] + (trace.load[right] - trace.load[left]) * (place - left)
    return np.where(np.isnan(line), trace.load[left], line)


def _bent(load: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Return steeper or flatter hills."""
    scale = float(np.nanmean(load)) or 1.0
    return np.asarray(scale * (load / scale) ** rng.uniform(0.6, 1.5))


def _blurred(load: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Return more noise in proportion to the load, a value a minute."""
    noise = rng.normal(0.0, rng.uniform(0.02, 0.2), -(-len(load) // _MINUTE_TICKS))
    return load * np.exp(np.repeat(noise, _MINUTE_TICKS)[: len(load)])


def _counted(load: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Return what counting events makes of it, where there are few of them a minute."""
    n = len(load) // _MINUTE_TICKS
    minutes = load[: n * _MINUTE_TICKS : _MINUTE_TICKS]
    low, high = np.log(_LEAST_EVENTS), np.log(_MOST_EVENTS)
    per_load = np.exp(rng.uniform(low, high)) / (float(np.nanmean(load)) or 1.0)
    events = rng.poisson(np.nan_to_num(minutes) * per_load) / per_load
    return np.repeat(np.where(np.isnan(minutes), np.nan, events), _MINUTE_TICKS)


def _switched(load: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Return a load that is switched down and up again at random: batch jobs, fail-overs."""
    factor, at = np.ones(len(load)), 0
    low = rng.uniform(0.0, 0.6)
    stays = np.exp(rng.uniform(np.log(10.0), np.log(720.0), size=2)) * _MINUTE_TICKS
    while at < len(load):
        up, down = (rng.exponential(stays).astype(np.intp) // _MINUTE_TICKS + 1) * _MINUTE_TICKS
        factor[at + up : at + up + down] = low
        at += int(up + down)
    return load * factor


def _crowded(load: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Return a load with flash crowds, and with bursts by the clock."""
    tick = np.arange(len(load))
    factor = np.ones(len(load))
    for begin in rng.integers(0, len(load), max(1, len(load) // _DAY_TICKS)):
        minutes = (tick[begin:] - begin) // _MINUTE_TICKS
        rise, decay = rng.uniform(0.0, 5.0), rng.uniform(5.0, 60.0)
        crowd = np.minimum(minutes / max(rise, 1e-6), 1.0) * np.exp(-minutes / decay)
        factor[begin:] += rng.uniform(0.5, 4.0) * crowd
    every = int(rng.choice((30, 60, 60, 360, 1440))) * _MINUTE_TICKS
    width = int(rng.integers(1, 11)) * _MINUTE_TICKS
    clocked = (tick + int(rng.integers(0, every))) % every < width
    return load * factor * np.where(clocked, rng.uniform(1.2, 3.0), 1.0)


def _opened(load: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Return a load switched by the clock: opening hours, jobs at fixed times, days off."""
    minute = np.arange(len(load)) // _MINUTE_TICKS
    days_off = rng.random() < 0.5
    latest = int(rng.choice((0, 0, 1, 5)))
    opened = np.zeros(len(load), dtype=np.bool_)
    for begins in rng.integers(0, _DAY_MINUTES, int(rng.integers(1, 13))):
        lasts = np.exp(rng.uniform(np.log(5.0), np.log(14 * 60.0)))
        day, into = np.divmod(minute + _DAY_MINUTES - begins, _DAY_MINUTES)
        late = rng.integers(0, latest + 1, len(load) // _DAY_TICKS + 3)[day]
        works = day % 7 < 5 if days_off else True
        opened |= (into >= late) & (into < lasts) & works
    return load * np.where(opened, 1.0, np.exp(rng.uniform(np.log(0.05), np.log(0.6))))


def _mixed(load: FloatArray, mate: Trace, rng: np.random.Generator) -> FloatArray:
    """Return up to four weeks of two loads at once: one service that serves two kinds of users."""
    n_ticks = min(len(load), _N_WEEKS * 7 * _DAY_TICKS)
    begin = int(rng.integers(0, (len(load) - n_ticks) // _MINUTE_TICKS + 1)) * _MINUTE_TICKS
    own = load[begin : begin + n_ticks]
    other = _interpolated(mate, len(ticks_of(mate).offered))
    other = np.roll(other, int(rng.integers(0, len(other) // _MINUTE_TICKS)) * _MINUTE_TICKS)
    other = np.resize(other, n_ticks) / (float(np.nanmean(other)) or 1.0)
    share = rng.uniform(0.2, 0.8)
    own = own / (float(np.nanmean(own)) or 1.0)
    mixed = share * own + (1.0 - share) * np.nan_to_num(other, nan=1.0)
    kinds = (_bent, _blurred, _counted, None)
    then = kinds[int(rng.choice(len(kinds), p=(0.3, 0.2, 0.2, 0.3)))]
    return mixed if then is None else then(mixed, rng)


def _weeks(load: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Return weeks of one of its days, some of them off, with new noise: what repeats by the week.

    A load of less than a day is returned as it is.
    """
    days = load[: len(load) // _DAY_TICKS * _DAY_TICKS].reshape(-1, _DAY_MINUTES, _MINUTE_TICKS)
    whole = days[np.isfinite(days).all(axis=(1, 2)), :, 0]
    if not len(whole):
        return load
    day = _smoothed(whole[rng.integers(len(whole))], int(rng.integers(1, 31)))
    works = np.ones(7)
    off = (rng.integers(7) + np.arange(rng.integers(1, 4))) % 7
    works[off] = np.exp(rng.uniform(np.log(0.05), np.log(0.8)))
    growth = np.exp(np.arange(7 * _N_WEEKS) / 7 * rng.normal(0.0, 0.1))
    weeks = np.outer(np.tile(works, _N_WEEKS) * growth, day).ravel()
    weeks = np.repeat(weeks, _MINUTE_TICKS)
    weeks = _opened(weeks, rng) if rng.random() < 0.5 else weeks
    return _blurred(weeks, rng) if rng.random() < 0.5 else _counted(weeks, rng)


def _smoothed(day: FloatArray, minutes: int) -> FloatArray:
    """Return trailing means over some minutes of a day that follows itself."""
    total = np.concatenate([[0.0], np.concatenate([day[len(day) - minutes :], day]).cumsum()])
    return np.asarray(np.maximum(total[minutes + 1 :] - total[1:-minutes], 0.0) / minutes)


def _staircase(load: FloatArray, minutes: int) -> FloatArray:
    """Return means over a few minutes, each published until the next."""
    n = minutes * _MINUTE_TICKS
    whole = load[: len(load) // n * n].reshape(-1, n)
    return np.repeat(whole.mean(axis=1), n)
