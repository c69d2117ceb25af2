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
from autoscaler.decide.facts import (
    Capacity,
    ForecastFacts,
    Sample,
    Signal,
    Trust,
    WorkloadFacts,
)
from autoscaler.decide.measured import known_load
from autoscaler.decide.pod_metric import (
    counts_every_ready_pod,
    hpa_proposal,
    knows_every_ready_pod,
    load_without_booting,
)
from autoscaler.decide.reason import Reason
from autoscaler.decide.replica_calculator import HpaProposal, ReplicaCalculationError
from autoscaler.decide.sizing import replicas_for
from autoscaler.decide.total_metric import replicas_for_average_value, replicas_for_value
from autoscaler.decide.usage_ratio import tolerances_of
from autoscaler.policy.metric import MetricSpec, TargetType
from autoscaler.policy.schema import WorkloadPolicy


class _Known(NamedTuple):
    """A metric whose load and capacity are known, and the workload that it is of."""

    sample: Sample
    metric: MetricSpec
    load: float
    capacity: Capacity
    trusted: bool
    """Whether a trusted forecast has a say beside it."""
    workload: WorkloadFacts
    policy: WorkloadPolicy
    now: datetime


class _Reactive(NamedTuple):
    """What measured load asks for, how far it is from what is there, and whether it may lower."""

    replicas: int | None
    usage_ratio: float | None
    may_lower: bool = True


def proposed(
    signal: Signal,
    metric: MetricSpec,
    *,
    workload: WorkloadFacts,
    policy: WorkloadPolicy,
    now: datetime,
) -> Proposal:
    """Return what one signal asks for, with the doubt that forbids lowering on its word."""
    sample, forecast, capacity = signal.sample, signal.forecast, signal.capacity
    load = known_load(sample, now=now)
    if capacity is None:
        return _without_capacity(signal, metric, load, workload=workload, policy=policy)
    predictive = _predictive(forecast, capacity, policy, measured=load is not None)
    if load is None:
        carried = predictive is not None
        unknown = Reason.FORECAST_CARRIES_FLOOR if carried else Reason.METRICS_UNKNOWN_HOLD
        return Proposal(signal.metric, predictive, None, doubt=unknown)
    trusted = forecast is not None and forecast.trust is Trust.TRUSTED and predictive is not None
    known = _Known(sample, metric, load, capacity, trusted, workload, policy, now)
    reactive = _by_total(load, known) if sample.by_pod is None else _by_pod(known)
    may_lower = reactive.may_lower and sample.doubt is None
    doubt = None if may_lower else Reason.METRICS_PARTIAL_HOLD
    return Proposal(signal.metric, predictive, reactive.replicas, reactive.usage_ratio, doubt)


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


def _by_total(load: float, known: _Known) -> _Reactive:
    """Return what a load asks for as a total: beside a trusted forecast without a tolerance."""
    behavior, capacity = known.policy.behavior, known.capacity
    existing = known.workload.status_replicas
    if (
        known.trusted
        and behavior.scale_up.tolerance is None
        and behavior.scale_down.tolerance is None
    ):
        ratio = load / (capacity.per_pod * existing) if existing else None
        return _Reactive(replicas_for(load, capacity), ratio)
    tolerances = tolerances_of(behavior, default=0.0) if known.trusted else tolerances_of(behavior)
    proposal = replicas_for_average_value(
        load, target=capacity.per_pod, current_replicas=existing, tolerances=tolerances
    )
    return _Reactive(proposal.replicas, proposal.usage_ratio if existing else None)


def _by_pod(known: _Known) -> _Reactive:
    """Return what the load asks for where each pod is measured: HPA's answer, or by the total.

    The total counts beside a trusted forecast, and where HPA does not read the metric by pod.
    Where HPA has no answer, the total may raise the number, but never lower it.
    """
    if known.trusted:
        return _by_served_total(known)
    try:
        hpa = hpa_proposal(
            known.sample,
            known.metric,
            workload=known.workload,
            tolerances=tolerances_of(known.policy.behavior),
            now=known.now,
        )
    except ReplicaCalculationError:
        return _by_served_total(known)._replace(may_lower=False)
    return _by_served_total(known) if hpa is None else _as_hpa(hpa, known)


def _by_served_total(known: _Known) -> _Reactive:
    """Return what the total asks for, without the CPU that booting pods burn."""
    served = _served(known)
    if served is None:
        return _Reactive(None, None, may_lower=False)
    return _by_total(served, known)._replace(may_lower=_counts_every_pod(known))


def _as_hpa(hpa: HpaProposal, known: _Known) -> _Reactive:
    """Return HPA's answer; a scale-in stops at what the total needs.

    HPA reckons in whole per cents, rounded down, so of pods that use 1.8 % it would take away
    nearly half too many.
    """
    current = known.workload.spec_replicas
    if hpa.replicas >= current:
        return _Reactive(hpa.replicas, hpa.usage_ratio, knows_every_ready_pod(known.workload))
    served = _served(known)
    needed = 0 if served is None else min(replicas_for(served, known.capacity), current)
    return _Reactive(max(hpa.replicas, needed), hpa.usage_ratio, _counts_every_pod(known))


def _served(known: _Known) -> float | None:
    """Return the load without what booting pods burn; None = only such pods were measured."""
    return load_without_booting(
        known.sample, known.load, known.metric, workload=known.workload, now=known.now
    )


def _counts_every_pod(known: _Known) -> bool:
    """Whether every ready pod is known by name, and its usage is counted."""
    workload = known.workload
    return knows_every_ready_pod(workload) and counts_every_ready_pod(
        known.sample, known.metric, workload=workload, now=known.now
    )


def _without_capacity(
    signal: Signal,
    metric: MetricSpec,
    load: float | None,
    *,
    workload: WorkloadFacts,
    policy: WorkloadPolicy,
) -> Proposal:
    """Size a `Value` target, which needs no capacity; anything else waits until it is learned."""
    target = metric.target
    if target is None or target.type is not TargetType.VALUE:
        return Proposal(signal.metric, None, None, doubt=Reason.CAPACITY_UNKNOWN_HOLD)
    if load is None:
        return Proposal(signal.metric, None, None, doubt=Reason.METRICS_UNKNOWN_HOLD)
    if workload.spec_replicas and not workload.ready_replicas:
        # HPA multiplies by ready pods: none would make any load at all ask for nothing.
        return Proposal(signal.metric, None, None, doubt=Reason.PODS_NOT_READY_HOLD)
    proposal = replicas_for_value(
        load,
        target=target.amount,
        current_replicas=workload.spec_replicas,
        ready_replicas=workload.ready_replicas,
        tolerances=tolerances_of(policy.behavior),
    )
    doubt = None if signal.sample.doubt is None else Reason.METRICS_PARTIAL_HOLD
    return Proposal(signal.metric, None, proposal.replicas, proposal.usage_ratio, doubt)
