"""Decision records for the tests of this folder: made by the real rules, or by hand."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from autoscaler.decide.decision import Decision, Limit, Proposal, Recommendation
from autoscaler.decide.facts import (
    Capacity,
    CapacitySource,
    ForecastFacts,
    Routability,
    Sample,
    Signal,
    TargetRef,
    Trust,
    WorkloadFacts,
)
from autoscaler.decide.pipeline import reconciled
from autoscaler.decide.reason import Reason
from autoscaler.decide.state import WorkloadState
from autoscaler.policy.schema import Mode, WorkloadPolicy
from autoscaler.review.record import DecisionRecord, record_of_missing

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
LONG_AGO = NOW - timedelta(days=2)
CHECKOUT = TargetRef("shop", "checkout")


def forecast(quantile=1600.0, *, trust=Trust.TRUSTED, **changes):
    facts = ForecastFacts(
        median=quantile * 0.8,
        quantile=quantile,
        reactive_quantile=quantile * 1.1,
        risk=0.01,
        lead_time=timedelta(minutes=2),
        hold=timedelta(seconds=15),
        trust=trust,
        skill=0.35,
        coverage=0.991,
    )
    return replace(facts, **changes)


def signal(value=1200.0, *, quantile=1600.0, per_pod=120.0, **changes):
    known = Signal(
        metric="requestRate linkerd",
        sample=Sample(value, NOW - timedelta(seconds=30), n_series=3),
        capacity=Capacity(per_pod, CapacitySource.POLICY),
        forecast=forecast(quantile),
    )
    return replace(known, **changes)


def workload(current=10, *, ready=None, target=CHECKOUT, **changes):
    facts = WorkloadFacts(
        target=target,
        spec_replicas=current,
        status_replicas=current,
        ready_replicas=current if ready is None else ready,
        resource_version="7",
        seen_at=NOW,
    )
    return replace(facts, **changes)


UNROUTABLE = Routability(
    4, timedelta(seconds=75), timedelta(seconds=75), "6 of 10 ready pods do not pass"
)


def policy(name="checkout", **fields):
    return WorkloadPolicy.model_validate(
        {
            "scaleTargetRef": {"name": name},
            "mode": "ForecastAndScale",
            "minReplicas": 2,
            "maxReplicas": 60,
            "metrics": [
                {
                    "type": "RequestRate",
                    "requestRate": {"source": "linkerd", "target": {"averageValue": "120"}},
                }
            ],
            **fields,
        }
    )


def decided(  # one reconcile by the real rules
    *signals, current=10, spec=None, state=None, target=CHECKOUT, now=NOW, rescaled=True, **facts
):
    """Return the record of one reconcile as the loop would make it."""
    spec = spec or policy(target.name)
    there = workload(current, target=target, **facts)
    outcome = reconciled(
        signals or (signal(),),
        workload=there,
        policy=spec,
        state=state or WorkloadState(started_at=LONG_AGO),
        now=now,
    )
    return DecisionRecord(
        at=now,
        policy="shop/policies/checkout",
        target=target,
        mode=spec.mode,
        workload=there,
        signals=signals or (signal(),),
        recommendation=outcome.recommendation,
        decision=outcome.decision,
        rescaled=rescaled and outcome.decision.rescale and spec.mode is Mode.FORECAST_AND_SCALE,
        spec=spec,
        state=outcome.state_if_held,
    )


def missing(target=CHECKOUT, *, at=NOW):
    """Return the record of a policy whose workload is not there."""
    source = f"{target.namespace}/policies/{target.name}"
    return record_of_missing(target, policy=source, mode=Mode.FORECAST_ONLY, now=at)


def record(
    current=10,
    desired=10,
    *chain,
    recommended=None,
    reason=None,
    at=NOW,
    target=CHECKOUT,
    trust=Trust.TRUSTED,
    **changes,
):
    """Return a record of these very numbers; `chain` are limits as (reason, from, to[, detail])."""
    recommended = desired if recommended is None and not chain else recommended
    why = reason or Reason.FORECAST_ABOVE_TARGET
    limits = tuple(Limit(*step) for step in chain)
    written = DecisionRecord(
        at=at,
        policy=f"{target.namespace}/policies/{target.name}",
        target=target,
        mode=Mode.FORECAST_AND_SCALE,
        workload=workload(current, target=target),
        signals=(signal(forecast=forecast(trust=trust)),),
        recommendation=Recommendation(
            recommended, why, (Proposal("requestRate linkerd", recommended, 10),)
        ),
        decision=Decision(current, desired, limits[-1].reason if limits else why, limits),
        rescaled=current != desired,
        spec=policy(target.name),
        state=WorkloadState(started_at=LONG_AGO),
    )
    return replace(written, **changes)
