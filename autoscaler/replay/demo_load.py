"""What the demo's customers do: days of requests, a weekend, a launch and a flash crowd.

Synthetic on purpose: everybody may ship it, a seed repeats it, and each of its events is one line
that a newcomer can find again on the page.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from autoscaler.replay.ticks import TICK_SECONDS

FloatArray = NDArray[np.float64]

_DAY = 86_400
_WEEKEND_SHARE = 0.55  # a shop whose customers are at work on weekdays


@dataclass(frozen=True, slots=True)
class Shape:
    """The habits of one workload's customers; hours are of the day, UTC."""

    base: float
    """Requests/s in the dead of night."""
    morning_peak: float
    """Requests/s above base around `morning_hour`."""
    evening_peak: float
    morning_hour: float = 9.5
    evening_hour: float = 19.5
    daily_rush_hour: float | None = None
    """When doors open every day: the load jumps within two minutes and ebbs away in an hour."""
    daily_rush_share: float = 0.0
    """How high it jumps, as a share of the load."""
    launch_share: float = 0.0
    """How much a launch on the first live day adds for good, as a share of the load."""
    flash_share: float = 0.0
    """How high a flash crowd on the last live day rises, as a share of the load."""
    roughness: float = 0.03
    """Relative spread of the slow noise; a Poisson part comes on top."""


def synthetic_load(
    shape: Shape, *, start_seconds: float, live_seconds: float, end_seconds: float, seed: int
) -> FloatArray:
    """Return requests/s per 15 s tick from `start_seconds`, shape (n_ticks,), never negative.

    The launch and the flash crowd fall between `live_seconds` and `end_seconds`, where the demo
    runs; before lies the history it learns from.
    """
    t = np.arange(start_seconds, end_seconds, TICK_SECONDS)
    rng = np.random.default_rng(seed)
    level = _rhythm(shape, t) * _weekly(t) * _slow_noise(rng, len(t), shape.roughness)
    level *= 1 + shape.daily_rush_share * _rush(t, hour=shape.daily_rush_hour)
    level *= 1 + shape.launch_share * _launch(t, live_seconds=live_seconds)
    level *= 1 + shape.flash_share * _flash(t, live_seconds=live_seconds, end_seconds=end_seconds)
    return np.asarray(rng.poisson(level * TICK_SECONDS) / TICK_SECONDS, dtype=np.float64)


def _rhythm(shape: Shape, t: FloatArray) -> FloatArray:
    hour = t % _DAY / 3600
    morning = shape.morning_peak * _bump(hour, shape.morning_hour, width_hours=1.8)
    evening = shape.evening_peak * _bump(hour, shape.evening_hour, width_hours=2.2)
    return np.asarray(shape.base + morning + evening)


def _bump(hour: FloatArray, centre: float, *, width_hours: float) -> FloatArray:
    distance = np.minimum(np.abs(hour - centre), 24 - np.abs(hour - centre))
    return np.asarray(np.exp(-0.5 * (distance / width_hours) ** 2))


def _weekly(t: FloatArray) -> FloatArray:
    weekday = (t // _DAY + 3) % 7  # 1970-01-01 was a Thursday
    return np.where(weekday >= 5, _WEEKEND_SHARE, 1.0)


def _slow_noise(rng: np.random.Generator, n: int, spread: float) -> FloatArray:
    """Return a mean-one factor that wanders over about ten minutes."""
    keep = np.exp(-TICK_SECONDS / 600)
    shocks = rng.normal(0, spread * np.sqrt(1 - keep**2), n)
    wander = np.empty(n)
    value = 0.0
    for i, shock in enumerate(shocks.tolist()):
        value = keep * value + shock
        wander[i] = value
    return np.asarray(np.exp(wander))


def _rush(t: FloatArray, *, hour: float | None) -> FloatArray:
    """Return 1 two minutes after the hour, ebbing away within an hour; 0 without an hour."""
    if hour is None:
        return np.zeros(len(t))
    age = (t - hour * 3600) % _DAY
    return np.asarray(np.minimum(age / 120, 1.0) * np.exp(-age / 1200) * (age < 2 * 3600))


def _launch(t: FloatArray, *, live_seconds: float) -> FloatArray:
    """Return 0 before the launch at 13:00 of the first live day, 1 an hour after it."""
    at = np.floor(live_seconds / _DAY) * _DAY + 13 * 3600
    return np.asarray(np.clip((t - at) / 3600, 0, 1))


def _flash(t: FloatArray, *, live_seconds: float, end_seconds: float) -> FloatArray:
    """Return a sudden rise at three quarters of the live span, gone after half an hour."""
    at = live_seconds + 0.75 * (end_seconds - live_seconds)
    age = t - at
    return np.where(age < 0, 0.0, np.exp(-np.maximum(age, 0) / 900) * (age < 3600))


def names_and_shapes() -> Sequence[tuple[str, Shape]]:
    """Return the demo's three workloads: a launch, a daily rush, a flash crowd."""
    return (
        ("checkout", Shape(120, 1500, 2400, launch_share=0.35)),
        ("catalog", Shape(400, 2600, 3400, daily_rush_hour=7.0, daily_rush_share=1.5)),
        (
            "tickets",
            Shape(300, 900, 1600, daily_rush_hour=10.0, daily_rush_share=2.0, flash_share=1.8),
        ),
    )
