"""How many pods carry a load: the one place where load becomes replicas."""

import math

from autoscaler.decide.facts import Capacity

# Loads and capacities are measured to four digits at best: 3.0000000001 pods are three.
_ROUNDING = 1e-9
# Records and sentences show six digits. This near to a whole number of pods the shown figures
# decide, so that dividing the figures of a record gives the number that it states.
_SHOWN = 2e-5
# HPA counts in int32; what asks for more asks for whatever is allowed.
_MOST = 2.0**31 - 1
# One standard deviation of a Poisson stream: about one request in six waits, whatever the size.
_HEAD_ROOM = 1.0

# What a pod carries comfortably over what it can carry at all, where only the former is known.
_KNEE = 0.85
# This near to its limit a pod sheds or queues: more is offered than is seen.
_AT_LIMIT = 0.95


def whole_pods(number: float) -> int:
    """Return the fewest whole pods, however large the number."""
    return math.ceil(min(number, _MOST))


def shown(value: float) -> float:
    """Return a value as records show it: with six significant digits."""
    return float(f"{value:.6g}")


def replicas_for(load: float, capacity: Capacity) -> int:
    """Return the fewest ready pods that carry `load`, in the unit of the capacity.

    Chance moves a load by its square root, so a share of head-room that is ample for fifty pods is
    too little for two. Where it is known at which load a pod is saturated, small counts get that
    root as head-room.

    References
    ----------
    Halfin and Whitt (1981), "Heavy-traffic limits for queues with many exponential servers".
    """
    pods = load / capacity.per_pod
    if abs(pods - round(min(pods, _MOST))) <= _SHOWN * pods:
        pods = shown(load) / shown(capacity.per_pod)
    replicas = whole_pods(pods - _ROUNDING)
    if capacity.saturated_at is None:
        return replicas
    busy = load / capacity.saturated_at
    return max(replicas, whole_pods(busy + _HEAD_ROOM * math.sqrt(busy) - _ROUNDING))


def serves_all_it_can(load: float, capacity: Capacity, *, ready_replicas: int) -> bool:
    """Return whether `load` is as much as the ready pods can serve, and so a mere lower bound."""
    limit = capacity.saturated_at or capacity.per_pod / _KNEE
    return load >= _AT_LIMIT * limit * ready_replicas
