"""The pooled network's inputs: a few dozen numbers without units for each series.

Recent movement from the newest quarter-minute on, volatility at several spans, and what happened
after this very minute on each of the last seven days, weighted by how alike those days were, and at
this minute of the last six hours.
Nothing here knows a calendar: days and hours are lags, so shifting time by whole weeks changes
nothing.
"""

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from models.bursts import touch_a_crowd
from models.horizon import USUAL_AGE_SECONDS, Horizon
from models.memory import BLOCK_SECONDS, Memory
from models.moment import Moment
from models.pulse import VOLATILITIES, relative

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.intp]
LoadArray = NDArray[np.float32] | FloatArray

N_DAYS = 7
_DAYS_TO_TELL = 3
_DAYS = np.arange(1, N_DAYS + 1)
_HOURS = np.array([60, 120, 180, 240, 300, 360, 30])
# Trailing means: from, to (steps back).
_WINDOWS = ((5, 9), (10, 19), (20, 39), (40, 79), (80, 159))
_RECENT = 160
_SHAPE_PARTS, _SHAPE_STEPS = 6, 10
_NOW_STEPS = 5
_SMOOTH_STEPS = 2
_DAY_STEPS = 1440

NAMES: tuple[str, ...] = (
    *(f"block{j}" for j in range(1, 5)),
    *(f"step{j}" for j in range(6)),
    *(f"mean{a}" for a, _ in _WINDOWS),
    *(f"{name}_{span:.0f}" for name, span in VOLATILITIES),
    *("age", "below_highest", "above_lowest", "level"),
    *("since", "run", "phase_from", "phase_to", "no_change"),
    *("days", "growth", "smooth_growth", "growth_spread", "growth_most", "growth_least"),
    *("growth_1d", "growth_7d", "known_1d", "known_7d", "smooth_1d", "smooth_7d", "growth_middle"),
    *("height", "height_1d", "height_7d", "height_spread", "height_most"),
    *("alike", "alike_mean", "offset", "weekly"),
    *("hourly", "hourly_spread", "hourly_least", "hourly_1h", "hourly_30m"),
    *("lead", "hold", "phase"),
)
# How far above now the highest load at these minutes of earlier days is.
_HEIGHT_MOST = NAMES.index("height_most")
# Terms the network may add to its answer as they are, each through a gate of its own.
GATED = ("growth", "smooth_growth", "growth_1d", "growth_7d", "hourly", "height", "growth_most")
GATED_COLUMNS = np.array([NAMES.index(name) for name in GATED])
# Movements, shown to the network also as multiples of the series' own volatility.
SCALED_COLUMNS = np.array(
    [
        i
        for i, name in enumerate(NAMES)
        if name.startswith(("block", "growth", "smooth", "height", "hourly", "offset", "mean"))
        or name in {f"step{j}" for j in range(6)}
    ]
)


@dataclass(frozen=True, slots=True, eq=False)
class Inputs:
    """The features, and what turns the network's answer back into loads."""

    features: NDArray[np.float32]
    anchor: FloatArray
    level: FloatArray
    scale: FloatArray
    highest: FloatArray
    """The highest load of about a day, or of these very minutes on earlier days."""


@dataclass(frozen=True, slots=True, eq=False)
class MinuteView:
    """What of the features changes only when a step closes; the last axis are the lanes."""

    steps: FloatArray
    means: FloatArray
    days_ago: FloatArray
    alike: FloatArray
    offset: FloatArray
    hours_ago: FloatArray

    def take(self, lanes: IntArray) -> "MinuteView":
        """Return some of the lanes."""
        return MinuteView(*(getattr(self, f.name)[..., lanes] for f in fields(self)))


def minute_view(memory: Memory, moment: Moment) -> MinuteView:
    """Return the slow part of the features."""
    rows, index, level = moment.rows, moment.index, moment.level
    ago = np.arange(_RECENT)[:, None]
    recent = memory.loads(index - ago, rows, index).astype(np.float64)
    steps = _carried(recent[:6], moment.newest)
    means = np.stack([_mean(recent[a : b + 1], otherwise=steps[-1], least=1) for a, b in _WINDOWS])
    back = index - _DAY_STEPS * _DAYS[:, None] + moment.day_shift
    span = _SHAPE_PARTS * _SHAPE_STEPS
    past = memory.loads(back - np.arange(span)[:, None, None], rows, index)
    parts = (_SHAPE_PARTS, _SHAPE_STEPS)
    shape_then = _mean(past.reshape(*parts, *past.shape[1:]).swapaxes(0, 1), least=5)
    now = recent[:span].reshape(*parts, -1).swapaxes(0, 1)
    shape_now = _mean(now, otherwise=moment.newest, least=1)
    gaps = relative(shape_now, level)[:, None, :] - relative(shape_then, level)
    offset = gaps.mean(axis=0)
    alike = np.abs(gaps - offset).mean(axis=0) + 0.3 * np.abs(gaps).mean(axis=0)
    hours = index - _HOURS[:, None] - np.arange(_NOW_STEPS)[:, None, None]
    return MinuteView(
        steps=steps,
        means=means,
        days_ago=_mean(past[:_NOW_STEPS], least=3),
        alike=alike,
        offset=offset,
        hours_ago=_mean(memory.loads(hours, rows, index), least=3),
    )


def _mean(loads: LoadArray, *, least: int, otherwise: FloatArray | None = None) -> FloatArray:
    """Return the mean over the first axis where at least `least` are known."""
    known = np.isfinite(loads)
    count = known.sum(axis=0)
    total = np.where(known, loads, 0.0).sum(axis=0, dtype=np.float64)
    blank = np.nan if otherwise is None else otherwise
    return np.asarray(np.where(count >= least, total / np.maximum(count, 1), blank))


def _carried(recent: FloatArray, newest: FloatArray) -> FloatArray:
    """Return steps newest first, an unknown one taken from the step after it."""
    steps = np.empty_like(recent)
    held = newest
    for j, load in enumerate(recent):
        held = np.where(np.isfinite(load), load, held)
        steps[j] = held
    return steps


def inputs(memory: Memory, moment: Moment, view: MinuteView, horizon: Horizon) -> Inputs:
    """Return the features of all lanes of a moment, shape (n_lanes, n_features)."""
    level, volatility = moment.level, moment.volatility
    blocks = relative(moment.blocks, level)
    anchor = blocks[0]
    spread = 0.2 * volatility[0] + 0.4 * volatility[1] + 0.4 * volatility[2]
    distance = horizon.lead_seconds + horizon.hold_seconds
    scale = 0.01 + spread * np.sqrt(1.0 + (distance + 30.0) / 120.0)
    columns = [
        *(blocks[1:5] - anchor),
        *(relative(view.steps, level) - anchor),
        *(relative(view.means, level) - anchor),
        *_range_columns(moment, anchor),
        *_staircase_columns(memory, moment, horizon),
        *_daily_columns(memory, moment, view, horizon),
        *_hourly_columns(memory, moment, view, horizon),
        np.log((horizon.lead_seconds + 45.0) / 165.0),
        np.log((horizon.hold_seconds + 60.0) / 120.0),
        _phase(memory, moment),
    ]
    # Far beyond anything seen; keeps one absurd load from overwhelming the network.
    features = np.stack(columns, axis=1).astype(np.float32).clip(-8.0, 12.0)
    came_then = anchor + columns[_HEIGHT_MOST]
    return Inputs(features, anchor, level, scale, np.maximum(moment.highest, came_then))


def _range_columns(moment: Moment, anchor: FloatArray) -> list[FloatArray]:
    most = float(N_DAYS * 2 * _DAY_STEPS)
    return [
        *np.log(moment.volatility[:-1] + 1e-3),
        moment.volatility[-1],
        np.log1p(np.minimum(moment.n_steps, most)),
        moment.highest - anchor,
        anchor - moment.lowest,
        anchor,
    ]


def _phase(memory: Memory, moment: Moment) -> FloatArray:
    """Return how far into the open step the newest reading lies, 0 to 1."""
    into = moment.sampled_at - moment.end_seconds
    return np.asarray((into / (memory.step_seconds - BLOCK_SECONDS)).clip(0.0, 1.0))


def _staircase_columns(memory: Memory, moment: Moment, horizon: Horizon) -> list[FloatArray]:
    """Tell a load that changes every few minutes at most when it may next change."""
    step = float(memory.step_seconds)
    moved = np.abs(moment.blocks[0] - moment.newest) > 1e-5 * moment.level
    # The step in which the value was first seen has passed as well.
    since = np.where(moved, 0.0, moment.since_steps + 1.0) * step
    since = since + _phase(memory, moment) * (step - BLOCK_SECONDS)
    run = moment.run_steps.clip(1.0, 30.0)
    stands = run * step
    # A value may come twice: what counts is how much of its latest stand is over, in (0, 1].
    over = since / stands - np.ceil(since / stands) + 1.0
    begins = over + (USUAL_AGE_SECONDS + horizon.lead_seconds) / stands
    ends = begins + horizon.hold_seconds / stands
    return [
        np.log1p(np.minimum(since, 3600.0) / step),
        np.log(run),
        np.minimum(begins, 4.0),
        np.minimum(np.floor(ends + 1e-6), 6.0),
        ((ends < 1.0 - 1e-6) & (run > 1.0)).astype(np.float64),
    ]


def _window(
    memory: Memory, moment: Moment, first: IntArray, last: IntArray
) -> tuple[FloatArray, FloatArray]:
    """Return highest and mean load of the steps first..last, shapes (k, n_rows); NaN = unknown.

    Steps after the newest closed one are not known yet, whatever the lag.
    """
    n_steps = int((last - first).max(initial=0)) + 1 + 2 * _SMOOTH_STEPS
    at = first - _SMOOTH_STEPS + np.arange(n_steps)[:, None, None]
    loads = memory.loads(at, moment.rows, moment.index)
    wide = at <= last + _SMOOTH_STEPS
    within = (at >= first) & (at <= last) & wide
    highest = np.where(within & np.isfinite(loads), loads, -1.0).max(axis=0)
    mean = _mean(np.where(wide, loads, np.nan), least=1)
    return np.where(highest < 0, np.nan, highest), mean


def _daily_columns(
    memory: Memory, moment: Moment, view: MinuteView, horizon: Horizon
) -> list[FloatArray]:
    """Show what followed this minute on earlier days, weighted by how alike they were."""
    lag = _DAY_STEPS * _DAYS[:, None] - moment.day_shift
    first, last = horizon.first - lag, horizon.last - lag
    highest, smooth = _window(memory, moment, first, last)
    ok = np.isfinite(view.days_ago) & np.isfinite(view.offset) & np.isfinite(highest)
    # With fewer days a crowd cannot be told from the first days of a rhythm.
    can_tell = ok.sum(axis=0) >= _DAYS_TO_TELL
    ok &= ~(touch_a_crowd(moment, first, last) & can_tell)
    some = ok.any(axis=0)
    level, anchor = moment.level, relative(moment.blocks[0], moment.level)
    then = relative(np.where(ok, view.days_ago, level), level)
    top = relative(np.where(ok, highest, level), level)
    growth = np.where(ok, top - then, 0.0)
    smooth = np.where(ok, relative(np.where(ok, smooth, level), level) - then, 0.0)
    height = np.where(ok, top - anchor, 0.0)
    offset, alike = np.where(ok, view.offset, 0.0), np.where(ok, view.alike, 0.0)
    width = 0.5 * (moment.volatility[1] + moment.volatility[2]) + 0.02
    weight = np.where(ok, np.exp(-alike / width / 2.0) + 1e-6, 0.0)
    weight = weight / np.maximum(weight.sum(axis=0), 1e-12)

    def mean(x: FloatArray) -> FloatArray:
        return np.asarray((weight * x).sum(axis=0))

    def spread(x: FloatArray) -> FloatArray:
        return np.sqrt(mean((x - mean(x)) ** 2))

    def most(x: FloatArray) -> FloatArray:
        return np.where(some, np.where(ok, x, -9.0).max(axis=0), 0.0)

    return [
        ok.sum(axis=0) / N_DAYS,
        *(mean(growth), mean(smooth), spread(growth), most(growth), -most(-growth)),
        *(growth[0], growth[6], ok[0].astype(np.float64), ok[6].astype(np.float64)),
        *(smooth[0], smooth[6], _middle(growth, ok)),
        *(mean(height), height[0], height[6], spread(height), most(height)),
        *(-most(-alike), mean(alike), mean(offset), moment.weekly),
    ]


def _middle(x: FloatArray, ok: NDArray[np.bool_]) -> FloatArray:
    """Return the lower median over the days that are known, 0 without any."""
    ordered = np.sort(np.where(ok, x, np.inf), axis=0)
    at = np.maximum(ok.sum(axis=0) - 1, 0) // 2
    middle = np.take_along_axis(ordered, at[None, :], axis=0)[0]
    return np.where(np.isfinite(middle), middle, 0.0)


def _hourly_columns(
    memory: Memory, moment: Moment, view: MinuteView, horizon: Horizon
) -> list[FloatArray]:
    """Show what followed this minute of the hour in the last six hours, and half an hour ago."""
    lag = _HOURS[:, None]
    highest, _ = _window(memory, moment, horizon.first - lag, horizon.last - lag)
    over = horizon.last - lag <= moment.index
    ok = over & np.isfinite(highest) & np.isfinite(view.hours_ago)
    level = moment.level
    growth = relative(np.where(ok, highest, level), level)
    growth = growth - relative(np.where(ok, view.hours_ago, level), level)
    growth = np.where(ok, growth, 0.0)
    hours, known = growth[:6], ok[:6]
    n = np.maximum(known.sum(axis=0), 1)
    mean = hours.sum(axis=0) / n
    spread = np.sqrt(np.where(known, (hours - mean) ** 2, 0.0).sum(axis=0) / n)
    least = np.where(known.any(axis=0), np.where(known, hours, 9.0).min(axis=0), 0.0)
    return [mean, spread, least, growth[0], growth[6]]
