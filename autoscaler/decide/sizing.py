"""How many pods carry a load: the one place where load becomes replicas."""

import math

from autoscaler.decide.facts import Capacity

# Loads and capacities are measured to four digits at best: 3.0000000001 pods are three.
_ROUNDING = 1e-9


def replicas_for(load: float, capacity: Capacity) -> int:
    """Return the fewest ready pods that carry `load`, in the unit of the capacity."""
    return math.ceil(load / capacity.per_pod - _ROUNDING)
