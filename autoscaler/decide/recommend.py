"""How many replicas load and forecast ask for, before any damping.

    recommendation = max over metrics of max(predictive, reactive)

What each metric asks for is `one_metric.py`'s business; the largest wins, and one doubt among them
forbids lowering.
With it go the reason a person would give, and what the rules that damp it read of the forecasts.
"""

from collections.abc import Sequence
from datetime import datetime

from autoscaler.decide.churn import enough_replicas, steered
from autoscaler.decide.decision import Proposal, Recommendation
from autoscaler.decide.facts import ForecastFacts, Signal, Trust, WorkloadFacts
from autoscaler.decide.one_metric import proposed
from autoscaler.decide.reason import Reason
from autoscaler.decide.scale_to_zero import asleep, replicas_around_zero
from autoscaler.decide.state import WorkloadState
from autoscaler.policy.schema import WorkloadPolicy


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
    proposals = tuple(
        proposed(signal, metric, workload=workload, policy=policy, now=now)
        for signal, metric in zip(signals, policy.metrics, strict=True)
    )
    doubt = next((proposal.doubt for proposal in proposals if proposal.doubt), None)
    asked = [n for proposal in proposals if (n := proposal.replicas) is not None]
    replicas = max(asked, default=None)
    if policy.min_replicas == 0:
        replicas = replicas_around_zero(
            replicas, signals, workload=workload, idle_since=state.idle_since, now=now
        )
        if replicas == 0 and asleep(signals, workload=workload, now=now):
            doubt = None
    more = replicas is not None and replicas > workload.spec_replicas
    return Recommendation(
        replicas,
        _reason(replicas, doubt, proposals, workload=workload, policy=policy),
        proposals,
        may_lower=doubt is None,
        detail=_detail(signals),
        forecasts=_with_a_say(signals, proposals),
        enough_replicas=enough_replicas(signals, proposals) if more else None,
        steered=more and steered(signals, proposals),
        busy_pods=_busy_pods(proposals, workload),
    )


def _with_a_say(
    signals: Sequence[Signal], proposals: Sequence[Proposal]
) -> tuple[ForecastFacts, ...]:
    """Return the forecasts that ask for replicas."""
    return tuple(
        signal.forecast
        for signal, proposal in zip(signals, proposals, strict=True)
        if proposal.predictive is not None and signal.forecast is not None
    )


def _busy_pods(proposals: Sequence[Proposal], workload: WorkloadFacts) -> float | None:
    """Return how many pods the measured load fills."""
    ratios = [ratio for proposal in proposals if (ratio := proposal.usage_ratio) is not None]
    return max(ratios) * workload.status_replicas if ratios else None


def _reason(
    replicas: int | None,
    doubt: Reason | None,
    proposals: Sequence[Proposal],
    *,
    workload: WorkloadFacts,
    policy: WorkloadPolicy,
) -> Reason:
    """Return what a person would give as the reason for this number."""
    current, may_be_zero = workload.spec_replicas, policy.min_replicas == 0
    if replicas is None or (doubt is not None and replicas <= current):
        return doubt or Reason.METRICS_UNKNOWN_HOLD
    if replicas == current:
        return Reason.DESIRED_WITHIN_RANGE
    if replicas < current:
        to_zero = replicas == 0 and may_be_zero
        return Reason.SCALED_TO_ZERO if to_zero else Reason.ALL_BELOW_TARGET
    if doubt is Reason.FORECAST_CARRIES_FLOOR:
        return doubt
    if current == 0 and may_be_zero:
        return Reason.WOKEN_FROM_ZERO
    forecast = max((p.predictive for p in proposals if p.predictive is not None), default=0)
    measured = max((p.reactive for p in proposals if p.reactive is not None), default=0)
    return Reason.FORECAST_ABOVE_TARGET if forecast > measured else Reason.METRIC_ABOVE_TARGET


def _detail(signals: Sequence[Signal]) -> str:
    """Return why a forecast does not steer, empty when all do; of several, whose it is."""
    for signal in signals:
        if signal.forecast is not None and signal.forecast.trust is not Trust.TRUSTED:
            told = f"forecast {signal.forecast.trust.lower()}"
            return told if len(signals) == 1 else f"{told}: {signal.metric}"
    return ""
