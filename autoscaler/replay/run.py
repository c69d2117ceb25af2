"""One recording under one policy: our decisions beside the HPA's frontier and the clairvoyant's."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from autoscaler.errors import PolicyError
from autoscaler.policy.metric import TargetType
from autoscaler.policy.schema import WorkloadPolicy
from autoscaler.replay.clairvoyant import clairvoyant_replicas
from autoscaler.replay.controller import Progress, Setting, decided_replicas, first_replicas
from autoscaler.replay.frontier import Frontier, hpa_frontier
from autoscaler.replay.scores import Scores, scores
from autoscaler.replay.ticks import ticks_of
from autoscaler.replay.trace import Trace
from autoscaler.replay.world import Outcome, outcome

DEFAULT_STARTUP_SECONDS = 120.0


@dataclass(frozen=True, slots=True, eq=False)
class ReplayResult:
    """What happened: decisions per 15 s tick, and how they compare."""

    trace: str
    startup_seconds: float
    risk: float
    seconds: NDArray[np.float64]
    """Unix seconds of each tick."""
    load_in_pods: NDArray[np.float64]
    replicas: NDArray[np.int64]
    """Desired replicas decided at each tick."""
    ours: Outcome
    clairvoyant: Outcome
    frontier: Frontier | None
    scores: Scores | None
    """None when the frontier was not asked for."""


def replay(
    policy: WorkloadPolicy,
    trace: Trace,
    *,
    startup_seconds: float = DEFAULT_STARTUP_SECONDS,
    risk: float | None = None,
    compare: bool = True,
    progress: Progress | None = None,
) -> ReplayResult:
    """Play a recording to our controller; `risk` None takes the policy's.

    `compare` False leaves out the HPA frontier, which takes about as long as the decisions.
    """
    capacity = capacity_of(policy)
    accepted = policy.forecast.risk if risk is None else risk
    ticks = ticks_of(trace)
    load = ticks.offered / capacity
    setting = Setting(capacity, startup_seconds, accepted)
    replicas = decided_replicas(ticks, policy=policy, setting=setting, progress=progress)
    ours = outcome(load, replicas, startup_seconds=startup_seconds)
    best = outcome(
        load,
        clairvoyant_replicas(load, startup_seconds=startup_seconds),
        startup_seconds=startup_seconds,
    )
    first = first_replicas(ticks, policy=policy, capacity=capacity)
    frontier = (
        hpa_frontier(load, ticks.measured / capacity, startup_seconds=startup_seconds, first=first)
        if compare
        else None
    )
    return ReplayResult(
        trace=trace.name,
        startup_seconds=startup_seconds,
        risk=accepted,
        seconds=ticks.seconds,
        load_in_pods=load,
        replicas=replicas,
        ours=ours,
        clairvoyant=best,
        frontier=frontier,
        scores=None if frontier is None else scores(ours, frontier, best),
    )


def capacity_of(policy: WorkloadPolicy) -> float:
    """Return the load one ready pod may carry: the first `averageValue` of the policy."""
    for metric in policy.metrics:
        target = metric.target
        if target is not None and target.type is TargetType.AVERAGE_VALUE:
            return target.amount
    raise PolicyError(
        "a replay needs a capacity: give one metric a target with averageValue"
        " (the load one ready pod may carry)"
    )
