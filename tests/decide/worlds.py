"""Facts with sensible defaults, so that a test names only what it is about."""

from datetime import UTC, datetime, timedelta

from autoscaler.decide.facts import (
    Capacity,
    CapacitySource,
    ForecastFacts,
    Sample,
    Signal,
    TargetRef,
    Trust,
    WorkloadFacts,
)
from autoscaler.decide.pipeline import reconciled
from autoscaler.decide.state import ScaleEvent, TimestampedRecommendation, WorkloadState
from autoscaler.policy.schema import WorkloadPolicy

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
TARGET = TargetRef("shop", "checkout")
PER_POD = 100.0
CAPACITY = Capacity(PER_POD, CapacitySource.POLICY)
RATE = {
    "type": "RequestRate",
    "requestRate": {"source": "linkerd", "target": {"averageValue": str(PER_POD)}},
}
# 0.3 default windows.
WORTH = timedelta(minutes=1.5)
# Long enough ago that neither restart nor window nor cooldown says anything.
LONG_AGO = NOW - timedelta(days=1)


def ago(seconds):
    return NOW - timedelta(seconds=seconds)


def policy(*, n_metrics=1, **fields):
    return WorkloadPolicy.model_validate(
        {
            "scaleTargetRef": {"name": "checkout"},
            "minReplicas": 1,
            "maxReplicas": 100,
            "metrics": [RATE] * n_metrics,
        }
        | fields
    )


def workload(spec=10, **fields):
    values = {
        "target": TARGET,
        "spec_replicas": spec,
        "status_replicas": spec,
        "ready_replicas": spec,
        "resource_version": "1",
        "seen_at": NOW,
    }
    return WorkloadFacts(**values | fields)


def forecast(quantile, **fields):
    values = {
        "median": quantile,
        "quantile": quantile,
        "reactive_quantile": quantile,
        "risk": 0.01,
        "lead_time": timedelta(minutes=2),
        "hold": timedelta(minutes=1),
        "trust": Trust.TRUSTED,
    }
    return ForecastFacts(**values | fields)


def signal(load, quantile=None, *, doubt=None, capacity=CAPACITY, metric="rate", **fields):
    """One signal: measured load (None = unknown) and forecast quantile (None = no forecast)."""
    return Signal(
        metric,
        Sample(load, NOW, 1, doubt=doubt),
        capacity,
        None if quantile is None else forecast(quantile, **fields),
    )


def quiet(*replicas, **fields):
    """A state in which nothing holds: a whole window recommended the given counts.

    So much was measured, too, unless `busiest` says otherwise.
    What was too many was so for long enough to be worth a rescale.
    """
    fields.setdefault("surplus", WORTH)
    fields.setdefault("busiest", ((ago(240), float(max(replicas, default=0))),))
    history = tuple(TimestampedRecommendation(ago(240 - 10 * i), n) for i, n in enumerate(replicas))
    return WorkloadState(started_at=LONG_AGO, recommendations=history, seen_at=ago(15), **fields)


def events(*age_and_change):
    return tuple(ScaleEvent(ago(age), change) for age, change in age_and_change)


def outcome(
    *signals, spec=10, state=None, now=NOW, facts=None, moved_by=timedelta(0), **policy_fields
):
    """One reconcile; the state defaults to a window that recommended what is asked for now."""
    facts = workload(spec) if facts is None else facts
    state = quiet(0) if state is None else state
    n_metrics = len(signals)
    return reconciled(
        signals,
        workload=facts,
        policy=policy(n_metrics=n_metrics, **policy_fields),
        state=state,
        now=now,
        clock_moved_by=moved_by,
    )


def decided(*signals, **fields):
    return outcome(*signals, **fields).decision


def recommended(*signals, **fields):
    return outcome(*signals, **fields).recommendation


def reasons(decision):
    return [limit.reason for limit in decision.chain]


LOW, HIGH = signal(300, 300), signal(1500)
