"""How elastic was it: the SPEC cloud group's figures, from demanded and supplied replicas.

Shares are of the ticks with a known load; 0 is perfect for every figure.

References
----------
Herbst et al., "Ready for Rain? A View from SPEC Research on the Future of Cloud Metrics",
SPEC RG Cloud Working Group, 2016, section 4.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from autoscaler.replay.world import needed_replicas, ready_replicas


@dataclass(frozen=True, slots=True)
class Elasticity:
    """Accuracy (how far off, relative to demand), time share (how often), and instability."""

    under_accuracy: float
    over_accuracy: float
    under_time: float
    over_time: float
    instability: float
    """Share of ticks at which supply moved while demand stood still or went the other way."""


def elasticity(
    load_in_pods: NDArray[np.float64],
    desired: NDArray[np.int64],
    *,
    startup_seconds: float,
) -> Elasticity:
    """Return the figures of one run of decisions; load in pods at the SLO knee."""
    known = np.isfinite(load_in_pods)
    demand = np.maximum(needed_replicas(load_in_pods)[known], 1)
    supply = ready_replicas(desired, startup_seconds=startup_seconds)[known]
    if demand.size < 2:
        return Elasticity(0.0, 0.0, 0.0, 0.0, 0.0)
    short = np.maximum(demand - supply, 0)
    spare = np.maximum(supply - demand, 0)
    wanted, did = np.sign(np.diff(demand)), np.sign(np.diff(supply))
    return Elasticity(
        under_accuracy=float((short / demand).mean()),
        over_accuracy=float((spare / demand).mean()),
        under_time=float((short > 0).mean()),
        over_time=float((spare > 0).mean()),
        instability=float(((did != 0) & (did != wanted)).mean()),
    )
