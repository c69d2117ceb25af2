"""Which risk to propose: the knee of cost against slow time, and bounds from the load itself."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]

# Two pods survive the loss of a node; one does not.
FEWEST_REPLICAS = 2
# Twice the highest load ever seen is a bug or a triumph; both want a person.
_PEAK_FACTOR = 2.0
# The quiet hours, without the few minutes that may be an outage.
_QUIET_SHARE = 0.05


@dataclass(frozen=True, slots=True)
class Played:
    """What one risk led to."""

    risk: float
    slow: float
    cost: float


def knee(played: Sequence[Played], *, least_slow: float) -> Played:
    """Return the risk beyond which less slow time begins to cost much more.

    That is the point furthest below the straight line between the cheapest and the dearest, with
    slow time on a logarithmic scale; of equals the one with less risk.

    Parameters
    ----------
    least_slow
        What no slow time at all is taken for in a logarithm: half a tick as a share of time.

    References
    ----------
    Satopää et al., "Finding a 'Kneedle' in a Haystack", 2011.
    """
    ranked = sorted(played, key=lambda p: p.risk)
    cost = np.array([p.cost for p in ranked])
    slow = np.log([max(p.slow, least_slow) for p in ranked])
    distance = _unit(cost) + _unit(slow)
    return ranked[int(np.argmin(np.round(distance, 6)))]


def _unit(values: FloatArray) -> FloatArray:
    """Return values from 0 to 1; all 0 where they do not differ."""
    span = values.max() - values.min()
    return np.asarray((values - values.min()) / span if span > 0 else np.zeros_like(values))


def proposed_bounds(load_in_pods: FloatArray) -> tuple[int, int]:
    """Return min and max replicas: what the quiet hours need, and room above the highest load."""
    known = load_in_pods[np.isfinite(load_in_pods)]
    if not known.size:
        return FEWEST_REPLICAS, FEWEST_REPLICAS
    quiet = math.ceil(float(np.quantile(known, _QUIET_SHARE)))
    highest = math.ceil(float(known.max()) * _PEAK_FACTOR)
    low = max(FEWEST_REPLICAS, quiet)
    return low, max(low, highest)
