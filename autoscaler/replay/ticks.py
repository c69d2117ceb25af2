"""What is offered and what is seen at every 15 s tick of a recorded load.

The controller reads the mean load of the last 60 s, 30 s old (design: what a scrape every 15 s and
a one-minute rate leave of the truth); nothing later may reach it.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from autoscaler.replay.trace import Trace

FloatArray = NDArray[np.float64]

TICK_SECONDS = 15
METRIC_WINDOW_SECONDS = 60
METRIC_AGE_SECONDS = 30
_WINDOW_TICKS = METRIC_WINDOW_SECONDS // TICK_SECONDS
_AGE_TICKS = METRIC_AGE_SECONDS // TICK_SECONDS


@dataclass(frozen=True, slots=True, eq=False)
class Ticks:
    """A recorded load at 15 s: tick k is the instant `start + 15 k`.

    `offered[k]` holds over [tick k, tick k+1), NaN in a gap; `measured[k]` is what a controller
    reads at tick k: NaN where any part of its minute is unknown.
    """

    start_seconds: float
    offered: FloatArray
    measured: FloatArray

    @property
    def seconds(self) -> FloatArray:
        """The instants, unix seconds."""
        return self.start_seconds + TICK_SECONDS * np.arange(len(self.offered), dtype=np.float64)


def ticks_of(trace: Trace) -> Ticks:
    """Return the recording at 15 s ticks, each value held until the next row is due."""
    n_ticks = int(-(-trace.step_seconds * len(trace.load) // TICK_SECONDS))
    at = np.arange(n_ticks, dtype=np.float64) * TICK_SECONDS
    if trace.step_seconds >= TICK_SECONDS:
        offered = trace.load[(at // trace.step_seconds).astype(np.intp)]
    else:
        offered = _mean_per_tick(trace, n_ticks)
    return Ticks(trace.start_seconds, offered, measured_load(offered))


def _mean_per_tick(trace: Trace, n_ticks: int) -> FloatArray:
    """Return the mean of the finer steps that begin within each tick."""
    tick = (np.arange(len(trace.load)) * trace.step_seconds // TICK_SECONDS).astype(np.intp)
    total = np.bincount(tick, weights=trace.load, minlength=n_ticks)
    count = np.bincount(tick, minlength=n_ticks)
    return np.asarray(np.divide(total, count, out=np.full(n_ticks, np.nan), where=count > 0))


def measured_load(offered: FloatArray) -> FloatArray:
    """Return the mean over the 60 s that ended 30 s before each tick; NaN where any is unknown."""
    padded = np.concatenate([np.full(_WINDOW_TICKS + _AGE_TICKS, np.nan), offered])
    windows = np.lib.stride_tricks.sliding_window_view(padded, _WINDOW_TICKS)
    return np.asarray(windows.mean(axis=1)[: len(offered)])
