"""How are the values behind a decision told in its line: six digits, short texts, null unknown.

What each field means, and how far it goes, is in `fields.py`.
"""

import math
from datetime import datetime

from autoscaler.decide.decision import Limit, Proposal, Recommendation
from autoscaler.decide.facts import Capacity, ForecastFacts, Signal, WorkloadFacts
from autoscaler.decide.sizing import shown
from autoscaler.review.fields import (
    SIGNAL_TEXT_LIMIT,
    CapacityFields,
    ForecastFields,
    LimitFields,
    RecommendationFields,
    RoutabilityFields,
    SignalFields,
    bounded,
)


def _rounded(value: float | None) -> float | None:
    """Return six digits of what is known; the usage of no pods is infinite, which JSON is not."""
    return shown(value) if value is not None and math.isfinite(value) else None


def signal_fields(signal: Signal, proposal: Proposal | None, at: datetime) -> SignalFields:
    """Return one metric as it was measured, sized and forecast; `at` is when it was decided."""
    sample = signal.sample
    age = None if sample.sampled_at is None else (at - sample.sampled_at).total_seconds()
    return {
        "metric": bounded(signal.metric, SIGNAL_TEXT_LIMIT),
        "value": _rounded(sample.value),
        "age_seconds": _rounded(age),
        "series": sample.n_series,
        "doubt": sample.doubt,
        "detail": bounded(sample.detail, SIGNAL_TEXT_LIMIT),
        "capacity": None if signal.capacity is None else _capacity_fields(signal.capacity),
        "forecast": None if signal.forecast is None else _forecast_fields(signal.forecast),
        "usage_ratio": None if proposal is None else _rounded(proposal.usage_ratio),
        "predictive_replicas": None if proposal is None else proposal.predictive,
        "reactive_replicas": None if proposal is None else proposal.reactive,
    }


def _capacity_fields(capacity: Capacity) -> CapacityFields:
    return {
        "per_pod": shown(capacity.per_pod),
        "source": capacity.source,
        "low": _rounded(capacity.low),
        "high": _rounded(capacity.high),
    }


def _forecast_fields(forecast: ForecastFacts) -> ForecastFields:
    return {
        "lead_time_seconds": shown(forecast.lead_time.total_seconds()),
        "hold_seconds": shown(forecast.hold.total_seconds()),
        "median": shown(forecast.median),
        "quantile": shown(forecast.quantile),
        "reactive_quantile": shown(forecast.reactive_quantile),
        "risk": shown(forecast.risk),
        "trust": forecast.trust,
        "skill": _rounded(forecast.skill),
        "coverage": _rounded(forecast.coverage),
        "burst": forecast.burst,
        "age_seconds": shown(forecast.age.total_seconds()),
    }


def routability_fields(workload: WorkloadFacts | None) -> RoutabilityFields | None:
    """Return what Consul says of the pods; None where nobody asks it."""
    if workload is None or workload.routability is None:
        return None
    seen = workload.routability
    return {
        "passing": seen.passing,
        "unroutable_seconds": shown(seen.unroutable_for.total_seconds()),
        "delay_seconds": shown(seen.delay.total_seconds()),
        "alarming": seen.alarming,
        "detail": bounded(seen.detail, SIGNAL_TEXT_LIMIT),
    }


def recommendation_fields(recommendation: Recommendation) -> RecommendationFields:
    """Return what was asked for before any damping."""
    return {
        "replicas": recommendation.replicas,
        "reason": recommendation.reason,
        "may_lower": recommendation.may_lower,
        "detail": bounded(recommendation.detail),
    }


def limit_fields(limit: Limit) -> LimitFields:
    """Return one step of the chain."""
    return {
        "reason": limit.reason,
        "from": limit.before,
        "to": limit.after,
        "detail": bounded(limit.detail),
    }
