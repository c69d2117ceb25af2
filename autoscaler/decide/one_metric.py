"""How many replicas one metric asks for: by its forecast, and by what is measured now.

    proposal = max(predictive, reactive)

Predictive is the forecast's risk quantile over what one pod carries.
Reactive is a floor: what is measured now must be carried in any case.
A trusted forecast needs no tolerance, which would only keep replicas that neither forecast nor
measurement wants; without a trusted forecast HPA's own formula speaks, tolerance included, beside
the quantile of mere persistence.
Unknown load may hold or raise, never lower.
"""

import math
from datetime import datetime
from typing import NamedTuple

from autoscaler.decide.decision import Proposal
from autoscaler.decide.facts import Capacity, ForecastFacts, Signal, Trust, WorkloadFacts
from autoscaler.decide.measured import known_load
from autoscaler.decide.pod_metric import (
    counts_every_ready_pod,
    hpa_proposal,
    knows_every_ready_pod,
    load_without_booting,
)
from autoscaler.decide.reason import Reason
from autoscaler.decide.replica_calculator import ReplicaCalculationError
from autoscaler.decide.sizing import replicas_for
from autoscaler.decide.total_metric import replicas_for_average_value, replicas_for_value
from autoscaler.decide.usage_ratio import tolerances_of
from autoscaler.policy.metric import MetricSpec, TargetType
from autoscaler.policy.schema import WorkloadPolicy


class _Case(NamedTuple):
    """What every signal of one workload shares."""

    workload: WorkloadFacts
    policy: WorkloadPolicy
    now: datetime


def proposed(
    signal: Signal,
    metric: MetricSpec,
    *,
    workload: WorkloadFacts,
    policy: WorkloadPolicy,
    now: datetime,
) -> Proposal:
    """Return what one signal asks for, with the doubt that forbids lowering on its word."""
    case = _Case(workload, policy, now)
    load = known_load(signal.sample, now=now)
    capacity, forecast = signal.capacity, signal.forecast
    if capacity is None:
        return _without_capacity(signal, metric, load, case)
    predictive = _predictive(forecast, capacity, policy, measured=load is not None)
    if load is None:
        carried = predictive is not None
        unknown = Reason.FORECAST_CARRIES_FLOOR if carried else Reason.METRICS_UNKNOWN_HOLD
        return Proposal(signal.metric, predictive, None, doubt=unknown)
    trusted = forecast is not None and forecast.trust is Trust.TRUSTED and predictive is not None
    whole = True
    if signal.sample.by_pod is not None:
        reactive, ratio, whole = _reactive_by_pod(
            signal, metric, (load, capacity), case, trusted=trusted
        )
        whole = whole and knows_every_ready_pod(workload)
    else:
        reactive, ratio = _reactive(load, capacity, case, trusted=trusted)
    whole = whole and signal.sample.doubt is None
    doubt = None if whole else Reason.METRICS_PARTIAL_HOLD
    return Proposal(signal.metric, predictive, reactive, ratio, doubt)


def _predictive(
    forecast: ForecastFacts | None, capacity: Capacity, policy: WorkloadPolicy, *, measured: bool
) -> int | None:
    """Return what the forecast asks for: its quantile, or that of persistence without trust."""
    if forecast is None or not _has_a_say(forecast, policy, measured=measured):
        return None
    level = forecast.level(measured=measured)
    return replicas_for(level, capacity) if math.isfinite(level) else None


def _has_a_say(forecast: ForecastFacts, policy: WorkloadPolicy, *, measured: bool) -> bool:
    """Whether a forecast may ask for replicas.

    While no load is measured, only one may that is trusted, or was until its samples went stale,
    and only until its newest sample is older than `forecast.carriesFor`.
    """
    if forecast.trust is Trust.TRUSTED or (not measured and _was_trusted(forecast)):
        return forecast.age <= policy.forecast.carries_for
    return measured


def _was_trusted(forecast: ForecastFacts) -> bool:
    """Whether a forecast is stale, but did beat persistence while it had fresh samples."""
    return forecast.trust is Trust.STALE and forecast.skill is not None and forecast.skill > 0.0


def _reactive(
    load: float, capacity: Capacity, case: _Case, *, trusted: bool
) -> tuple[int, float | None]:
    """Return what the measured load asks for, and how far it is from what is there."""
    existing = case.workload.status_replicas
    behavior = case.policy.behavior
    if trusted and behavior.scale_up.tolerance is None and behavior.scale_down.tolerance is None:
        ratio = load / (capacity.per_pod * existing) if existing else None
        return replicas_for(load, capacity), ratio
    tolerances = tolerances_of(behavior, default=0.0) if trusted else tolerances_of(behavior)
    proposal = replicas_for_average_value(
        load, target=capacity.per_pod, current_replicas=existing, tolerances=tolerances
    )
    return proposal.replicas, proposal.usage_ratio if existing else None


def _reactive_by_pod(
    signal: Signal,
    metric: MetricSpec,
    load_and_capacity: tuple[float, Capacity],
    case: _Case,
    *,
    trusted: bool,
) -> tuple[int | None, float | None, bool]:
    """Return what the measured load asks for where each pod is measured, and whether it may lower.

    The CPU that booting pods burn is not counted as load.
    Where HPA's formula has no answer, the total may raise the number, but never lower it.
    HPA reckons in whole per cents, rounded down, so of pods that use 1.8 % it would take away
    nearly half too many: a scale-in stops at what the total needs.
    """
    load, capacity = load_and_capacity
    served = load_without_booting(signal.sample, load, metric, workload=case.workload, now=case.now)
    answered = True
    if not trusted:
        tolerances = tolerances_of(case.policy.behavior)
        try:
            proposal = hpa_proposal(
                signal.sample, metric, workload=case.workload, tolerances=tolerances, now=case.now
            )
        except ReplicaCalculationError:
            answered = False
        else:
            if proposal is not None:
                replicas, current = proposal.replicas, case.workload.spec_replicas
                whole = replicas >= current or _counts_all(signal, metric, case)
                if replicas < current and served is not None:
                    replicas = max(replicas, min(replicas_for(served, capacity), current))
                return replicas, proposal.usage_ratio, whole
    if served is None:
        return None, None, False
    replicas, ratio = _reactive(served, capacity, case, trusted=trusted)
    return replicas, ratio, answered and _counts_all(signal, metric, case)


def _counts_all(signal: Signal, metric: MetricSpec, case: _Case) -> bool:
    return counts_every_ready_pod(signal.sample, metric, workload=case.workload, now=case.now)


def _without_capacity(
    signal: Signal, metric: MetricSpec, load: float | None, case: _Case
) -> Proposal:
    """Size a `Value` target, which needs no capacity; anything else waits until it is learned."""
    target = metric.target
    if target is None or target.type is not TargetType.VALUE:
        return Proposal(signal.metric, None, None, doubt=Reason.CAPACITY_UNKNOWN_HOLD)
    if load is None:
        return Proposal(signal.metric, None, None, doubt=Reason.METRICS_UNKNOWN_HOLD)
    if case.workload.spec_replicas and not case.workload.ready_replicas:
        # HPA multiplies by ready pods: none would make any load at all ask for nothing.
        return Proposal(signal.metric, None, None, doubt=Reason.PODS_NOT_READY_HOLD)
    proposal = replicas_for_value(
        load,
        target=target.amount,
        current_replicas=case.workload.spec_replicas,
        ready_replicas=case.workload.ready_replicas,
        tolerances=tolerances_of(case.policy.behavior),
    )
    doubt = None if signal.sample.doubt is None else Reason.METRICS_PARTIAL_HOLD
    return Proposal(signal.metric, None, proposal.replicas, proposal.usage_ratio, doubt)
