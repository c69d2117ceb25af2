"""How many replicas load and forecast ask for, before any damping.

    recommendation = max over metrics of max(predictive, reactive)

Predictive is the forecast's risk quantile over what one pod carries.
Reactive is a floor: what is measured now must be carried in any case.
A trusted forecast needs no tolerance, which would only keep replicas that neither forecast nor
measurement wants; without a trusted forecast HPA's own formula speaks, tolerance included, beside
the quantile of mere persistence.
Unknown load may hold or raise, never lower.
"""

import math
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from autoscaler.decide.churn import enough_replicas
from autoscaler.decide.decision import Proposal, Recommendation
from autoscaler.decide.facts import Capacity, ForecastFacts, Signal, Trust, WorkloadFacts
from autoscaler.decide.lead_time import farthest_promise
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
from autoscaler.decide.state import WorkloadState
from autoscaler.decide.total_metric import replicas_for_average_value, replicas_for_value
from autoscaler.decide.usage_ratio import tolerances_of
from autoscaler.decide.zero import asleep, replicas_around_zero
from autoscaler.policy.metric import MetricSpec, TargetType
from autoscaler.policy.schema import WorkloadPolicy

_TRUST_DETAIL = {
    Trust.TRUSTED: "",
    Trust.WARMING: "forecast warming",
    Trust.DEMOTED: "forecast demoted",
    Trust.STALE: "forecast stale",
}


class _Case(NamedTuple):
    """The facts every signal of one workload shares."""

    workload: WorkloadFacts
    policy: WorkloadPolicy
    now: datetime


def recommended(
    signals: Sequence[Signal],
    *,
    workload: WorkloadFacts,
    policy: WorkloadPolicy,
    state: WorkloadState,
    now: datetime,
) -> Recommendation:
    """Return the replicas that load and forecast ask for; the largest signal wins.

    `signals` are one per entry of `policy.metrics`, in that order.
    """
    case = _Case(workload, policy, now)
    asked = [_proposed(*pair, case) for pair in zip(signals, policy.metrics, strict=True)]
    proposals = tuple(proposal for proposal, _ in asked)
    doubt = next((doubt for _, doubt in asked if doubt), None)
    replicas = max((p.replicas for p in proposals if p.replicas is not None), default=None)
    if policy.min_replicas == 0:
        idle_since = state.since(Reason.SCALED_TO_ZERO)
        replicas = replicas_around_zero(
            replicas, signals, workload=workload, idle_since=idle_since, now=now
        )
        if replicas == 0 and asleep(signals, workload=workload, now=now):
            doubt = None
    more = replicas is not None and replicas > workload.spec_replicas
    return Recommendation(
        replicas,
        _reason(replicas, workload.spec_replicas, proposals, doubt),
        proposals,
        may_lower=doubt is None,
        detail=_detail(signals),
        keep_replicas=_kept(signals) if replicas else None,
        forecast_history=_history(signals, proposals),
        promised_for=_promised_for(signals, proposals),
        enough_replicas=enough_replicas(signals, proposals) if more else None,
        busy_pods=_busy_pods(proposals, workload),
    )


def _proposed(signal: Signal, metric: MetricSpec, case: _Case) -> tuple[Proposal, Reason | None]:
    """Return what one signal asks for, and the doubt that forbids lowering on its word."""
    load = known_load(signal.sample, now=case.now)
    capacity, forecast = signal.capacity, signal.forecast
    if capacity is None:
        return _without_capacity(signal, metric, load, case)
    predictive = _predictive(forecast, capacity, case.policy, measured=load is not None)
    if load is None:
        carried = predictive is not None
        unknown = Reason.FORECAST_CARRIES_FLOOR if carried else Reason.METRICS_UNKNOWN_HOLD
        return Proposal(signal.metric, predictive, None), unknown
    trusted = forecast is not None and forecast.trust is Trust.TRUSTED and predictive is not None
    whole = True
    if signal.sample.by_pod is not None:
        reactive, ratio, whole = _reactive_by_pod(
            signal, metric, (load, capacity), case, trusted=trusted
        )
        whole = whole and knows_every_ready_pod(case.workload)
    else:
        reactive, ratio = _reactive(load, capacity, case, trusted=trusted)
    whole = whole and signal.sample.doubt is None
    doubt = None if whole else Reason.METRICS_PARTIAL_HOLD
    return Proposal(signal.metric, predictive, reactive, ratio), doubt


def _predictive(
    forecast: ForecastFacts | None, capacity: Capacity, policy: WorkloadPolicy, *, measured: bool
) -> int | None:
    """Return what the forecast asks for: its quantile, or that of persistence without trust.

    Blind, only a forecast that was worth its trust may ask for anything, for a bounded time.
    """
    if forecast is None:
        return None
    trusted = forecast.trust is Trust.TRUSTED
    speaks = True
    if trusted or not measured:
        worth_it = trusted or _was_trusted(forecast)
        speaks = worth_it and forecast.age <= policy.forecast.carries_for
    level = forecast.level(measured=measured)
    return replicas_for(level, capacity) if speaks and math.isfinite(level) else None


def _was_trusted(forecast: ForecastFacts) -> bool:
    """Whether a forecast lacks nothing but fresh samples: it did beat persistence."""
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
    """Return the same where each pod is measured, and whether it may lower.

    What booting pods burn is no load; where HPA has no answer, the total may raise, never lower.
    HPA reckons in whole per cents, rounded down: of pods that use 1.8 % it takes away nearly half
    too many, so that no step in goes below what the total needs.
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
) -> tuple[Proposal, Reason | None]:
    """Size a `Value` target, which needs no capacity; anything else waits until it is learned."""
    target = metric.target
    if target is None or target.type is not TargetType.VALUE:
        return Proposal(signal.metric, None, None), Reason.CAPACITY_UNKNOWN_HOLD
    if load is None:
        return Proposal(signal.metric, None, None), Reason.METRICS_UNKNOWN_HOLD
    if case.workload.spec_replicas and not case.workload.ready_replicas:
        # HPA multiplies by ready pods: none would make any load at all ask for nothing.
        return Proposal(signal.metric, None, None), Reason.PODS_NOT_READY_HOLD
    proposal = replicas_for_value(
        load,
        target=target.amount,
        current_replicas=case.workload.spec_replicas,
        ready_replicas=case.workload.ready_replicas,
        tolerances=tolerances_of(case.policy.behavior),
    )
    doubt = None if signal.sample.doubt is None else Reason.METRICS_PARTIAL_HOLD
    return Proposal(signal.metric, None, proposal.replicas, proposal.usage_ratio), doubt


def _history(signals: Sequence[Signal], proposals: Sequence[Proposal]) -> timedelta | None:
    """Return the shortest past behind a forecast that has a say."""
    heard = _with_a_say(signals, proposals)
    return min((forecast.history for forecast in heard), default=None)


def _promised_for(signals: Sequence[Signal], proposals: Sequence[Proposal]) -> timedelta:
    """Return how far ahead the trusted forecasts that have a say look."""
    heard = _with_a_say(signals, proposals)
    return farthest_promise(f.lead_time for f in heard if f.trust is Trust.TRUSTED)


def _with_a_say(
    signals: Sequence[Signal], proposals: Sequence[Proposal]
) -> Iterator[ForecastFacts]:
    """Yield the forecasts that ask for replicas."""
    for signal, proposal in zip(signals, proposals, strict=True):
        if proposal.predictive is not None and signal.forecast is not None:
            yield signal.forecast


def _kept(signals: Sequence[Signal]) -> int | None:
    """Return the replicas needed again before a scale-in would have paid off."""
    kept: int | None = None
    for signal in signals:
        forecast = signal.forecast
        if (
            forecast is not None
            and forecast.scale_in_quantile is not None
            and forecast.trust is Trust.TRUSTED
            and signal.capacity is not None
        ):
            kept = max(kept or 0, replicas_for(forecast.scale_in_quantile, signal.capacity))
    return kept


def _busy_pods(proposals: Sequence[Proposal], workload: WorkloadFacts) -> float | None:
    """Return how many pods the measured load fills."""
    ratios = [ratio for proposal in proposals if (ratio := proposal.usage_ratio) is not None]
    return max(ratios) * workload.status_replicas if ratios else None


def _reason(
    replicas: int | None, current: int, proposals: Sequence[Proposal], doubt: Reason | None
) -> Reason:
    """Return what a person would give as the reason for this number."""
    if replicas is None or (doubt is not None and replicas <= current):
        return doubt or Reason.METRICS_UNKNOWN_HOLD
    if replicas == current:
        return Reason.DESIRED_WITHIN_RANGE
    if replicas < current:
        return Reason.SCALED_TO_ZERO if replicas == 0 else Reason.ALL_BELOW_TARGET
    if doubt is Reason.FORECAST_CARRIES_FLOOR:
        return doubt
    if current == 0:
        return Reason.WOKEN_FROM_ZERO
    forecast = max((p.predictive for p in proposals if p.predictive is not None), default=0)
    measured = max((p.reactive for p in proposals if p.reactive is not None), default=0)
    return Reason.FORECAST_ABOVE_TARGET if forecast > measured else Reason.METRIC_ABOVE_TARGET


def _detail(signals: Sequence[Signal]) -> str:
    """Return why a forecast does not steer, empty when all do; of several, whose it is."""
    for signal in signals:
        if signal.forecast is not None and signal.forecast.trust is not Trust.TRUSTED:
            told = _TRUST_DETAIL[signal.forecast.trust]
            return told if len(signals) == 1 else f"{told}: {signal.metric}"
    return ""
