"""One recording under one policy: our decisions beside the HPA's frontier and the clairvoyant's."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from autoscaler.errors import PolicyError
from autoscaler.policy.metric import MetricSpec, TargetType
from autoscaler.policy.schema import WorkloadPolicy
from autoscaler.replay.clairvoyant import clairvoyant_replicas
from autoscaler.replay.controller import (
    Progress,
    Setting,
    decided_replicas,
    first_replicas,
    replayed_policy,
)
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
    """None when the frontier was not asked for, or nothing was ever known."""


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
    metric, capacity = replayed_metric(policy), capacity_of(policy)
    accepted = policy.forecast.risk if risk is None else risk
    ticks = ticks_of(trace)
    load = ticks.offered / capacity
    setting = Setting(capacity, startup_seconds, accepted)
    played = replayed_policy(policy, metric, setting)
    replicas = decided_replicas(ticks, policy=played, setting=setting, progress=progress)
    ours = outcome(load, replicas, startup_seconds=startup_seconds)
    best = outcome(
        load,
        clairvoyant_replicas(load, startup_seconds=startup_seconds),
        startup_seconds=startup_seconds,
    )
    first = first_replicas(ticks, policy=policy, capacity=capacity)
    frontier = (
        hpa_frontier(load, ticks.measured / capacity, startup_seconds=startup_seconds, first=first)
        if compare and np.isfinite(load).any()
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


def replayed_metric(policy: WorkloadPolicy) -> MetricSpec:
    """Return the metric that is replayed: the first whose target is an `averageValue`.

    That value is the capacity: the load one ready pod may carry.
    """
    for metric in policy.metrics:
        if metric.target is not None and metric.target.type is TargetType.AVERAGE_VALUE:
            return metric
    raise PolicyError(
        "a replay needs a capacity: give one metric a target with averageValue"
        " (the load one ready pod may carry)"
    )


def capacity_of(policy: WorkloadPolicy) -> float:
    """Return the load one ready pod may carry."""
    target = replayed_metric(policy).target
    return target.amount if target else 1.0
