"""One recording under one policy: our decisions beside the HPA's frontier and the clairvoyant's."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from autoscaler.errors import PolicyError, TraceError
from autoscaler.policy.metric import MetricSpec, TargetType
from autoscaler.policy.schema import WorkloadPolicy
from autoscaler.replay.clairvoyant import clairvoyant_replicas
from autoscaler.replay.controller import (
    Decided,
    Prior,
    Progress,
    Setting,
    decided,
    first_replicas,
    replayed_policy,
)
from autoscaler.replay.frontier import Frontier, Peer, Sweep, hpa_sweep
from autoscaler.replay.scores import Scores, scores
from autoscaler.replay.ticks import Ticks, ticks_of
from autoscaler.replay.trace import Trace
from autoscaler.replay.world import Outcome, outcome

DEFAULT_STARTUP_SECONDS = 120.0
# A sum over a year of ticks still is an exact whole number.
_MOST_PODS = 1e9


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
    median: NDArray[np.float64]
    quantile: NDArray[np.float64]
    """The forecast made at each tick, in pods, for one start-up later; NaN where there was none."""
    ours: Outcome
    clairvoyant: Outcome
    frontier: Frontier | None
    scores: Scores | None
    peer: Peer | None
    """The swept HPA nearest to our cost.

    These three are None when the frontier was not asked for, or nothing was ever known.
    """


@dataclass(frozen=True, slots=True, eq=False)
class Job:
    """What is to be replayed: several risks at once, for they share nearly all of the work."""

    policy: WorkloadPolicy
    trace: Trace
    startup_seconds: float
    risks: tuple[float, ...]
    prior: Prior | None = None
    """None is the shipped one."""


def replay(
    policy: WorkloadPolicy,
    trace: Trace,
    *,
    startup_seconds: float = DEFAULT_STARTUP_SECONDS,
    risk: float | None = None,
    compare: bool = True,
) -> ReplayResult:
    """Play a recording to our controller; `risk` None takes the policy's.

    `compare` False leaves out the HPA frontier, which takes about as long as the decisions.
    """
    accepted = policy.forecast.risk if risk is None else risk
    job = Job(policy, trace, startup_seconds, (accepted,))
    return replays(job, compare=compare)[0]


def replays(
    job: Job, *, compare: bool = True, progress: Progress | None = None
) -> list[ReplayResult]:
    """Play a recording to our controller at several risks, which costs little more than at one."""
    policy = job.policy
    metric = replayed_metric(policy)
    setting = Setting(capacity_of(policy), job.startup_seconds)
    ticks = ticks_of(job.trace)
    _check_size(job.trace, capacity=setting.capacity)
    policies = [replayed_policy(policy, metric, setting, risk=risk) for risk in job.risks]
    rivals = _rivals(ticks, policy, setting, compare=compare)
    runs = decided(ticks, policies=policies, setting=setting, prior=job.prior, progress=progress)
    return [
        _result(job.trace, ticks, setting, ran, rivals, risk=risk)
        for risk, ran in zip(job.risks, runs, strict=True)
    ]


def _check_size(trace: Trace, *, capacity: float) -> None:
    """Refuse a load of more pods than can be counted; one absurd value among others is played."""
    peak = float(np.nanmax(trace.load, initial=0.0))
    if peak > _MOST_PODS * capacity:
        raise TraceError(
            f"{trace.name}: its highest value {peak:g} is more than {_MOST_PODS:g} pods that carry "
            f"{capacity:g} each: is one of them in another unit?"
        )


@dataclass(frozen=True, slots=True, eq=False)
class _Rivals:
    """What everybody else would have done, whatever we do."""

    clairvoyant: Outcome
    sweep: Sweep | None


def _rivals(ticks: Ticks, policy: WorkloadPolicy, setting: Setting, *, compare: bool) -> _Rivals:
    load, startup = ticks.offered / setting.capacity, setting.startup_seconds
    best = clairvoyant_replicas(load, startup_seconds=startup)
    return _Rivals(
        outcome(load, best, startup_seconds=startup),
        _swept(ticks, policy, setting) if compare and np.isfinite(load).any() else None,
    )


def _result(
    trace: Trace, ticks: Ticks, setting: Setting, ran: Decided, rivals: _Rivals, *, risk: float
) -> ReplayResult:
    load = ticks.offered / setting.capacity
    ours = outcome(load, ran.replicas, startup_seconds=setting.startup_seconds)
    sweep, clairvoyant = rivals.sweep, rivals.clairvoyant
    frontier = None if sweep is None else sweep.frontier
    return ReplayResult(
        trace=trace.name,
        startup_seconds=setting.startup_seconds,
        risk=risk,
        seconds=ticks.seconds,
        load_in_pods=load,
        replicas=ran.replicas,
        median=ran.median / setting.capacity,
        quantile=ran.quantile / setting.capacity,
        ours=ours,
        clairvoyant=clairvoyant,
        frontier=frontier,
        scores=None if frontier is None else scores(ours, frontier, clairvoyant),
        peer=None if sweep is None else sweep.peer(ours.cost),
    )


def _swept(ticks: Ticks, policy: WorkloadPolicy, setting: Setting) -> Sweep:
    """Play the HPAs, which begin with as many pods as we do."""
    return hpa_sweep(
        ticks.offered / setting.capacity,
        ticks.measured / setting.capacity,
        startup_seconds=setting.startup_seconds,
        first=first_replicas(ticks, policy=policy, capacity=setting.capacity),
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
