"""What became of the decisions: pods that take time to start, slow and overloaded ticks, cost.

A pod costs from creation and serves `startup` later; scale-in removes not-ready pods first.
So the ready count is the least that was ever desired during the last `startup`: a pod that serves
now was ordered then and never given up since.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from autoscaler.replay.hpa import KNEE
from autoscaler.replay.ticks import TICK_SECONDS

FloatArray = NDArray[np.float64]
CountArray = NDArray[np.int64]

# Guards ceil() and comparisons against the last bit of a division.
_EPSILON = 1e-9


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one run of decisions went.

    Shares are of the ticks with a known load; `cost` is replica-ticks over the clairvoyant bound
    sum(ceil(load)), which starts pods in no time.
    """

    slow: float
    overload: float
    cost: float
    rescales_per_hour: float


def ready_replicas(desired: CountArray, *, startup_seconds: float) -> CountArray:
    """Return the pods that serve at each tick; all of the first are ready from the start."""
    span = round(startup_seconds / TICK_SECONDS) + 1
    padded = np.concatenate([np.full(span - 1, desired[0]), desired])
    return np.asarray(np.lib.stride_tricks.sliding_window_view(padded, span).min(axis=1))


def needed_replicas(load_in_pods: FloatArray) -> CountArray:
    """Return the pods that carry each load; 0 where it is unknown."""
    known = np.nan_to_num(load_in_pods, nan=0.0)
    return np.ceil(known - _EPSILON).astype(np.int64)


def outcome(load_in_pods: FloatArray, desired: CountArray, *, startup_seconds: float) -> Outcome:
    """Score decisions against a load in pods at the SLO knee; unknown ticks are left out."""
    ready = ready_replicas(desired, startup_seconds=startup_seconds)
    known = np.isfinite(load_in_pods)
    load, served, paid = load_in_pods[known], ready[known], desired[known]
    hours = len(desired) * TICK_SECONDS / 3600.0
    bound = max(int(needed_replicas(load).sum()), 1)
    return Outcome(
        slow=float(np.mean(load > served + _EPSILON)) if load.size else 0.0,
        overload=float(np.mean(load > served / KNEE + _EPSILON)) if load.size else 0.0,
        cost=float(paid.sum()) / bound,
        rescales_per_hour=float(np.count_nonzero(np.diff(desired))) / hours,
    )
