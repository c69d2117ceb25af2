"""Reads conformance cases from a folder beside the repository, and asks the pipeline for answers.

One metric is put to the functions that `one_metric.py` asks; what follows it to `recommended` and
`decide`, as in a reconcile, with nothing in force but what the case is about.

`HPA_CASES` names another folder; without either the tests that need it are skipped.
"""

import json
import os
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest

from autoscaler.decide.decision import Recommendation
from autoscaler.decide.facts import PodPhase
from autoscaler.decide.pipeline import decide
from autoscaler.decide.pod_classes import MeasuredPod, SampleTiming
from autoscaler.decide.reason import Reason
from autoscaler.decide.recommend import recommended
from autoscaler.decide.replica_calculator import (
    HpaProposal,
    MetricErrorKind,
    PodMetric,
    ReplicaCalculationError,
    replicas_for_pod_metric,
)
from autoscaler.decide.state import ScaleEvent, TimestampedRecommendation, WorkloadState
from autoscaler.decide.total_metric import replicas_for_average_value, replicas_for_value
from autoscaler.decide.usage_ratio import Tolerances
from autoscaler.policy.behavior import (
    DEFAULT_SCALE_DOWN,
    DEFAULT_SCALE_UP,
    Behavior,
    RateLimitType,
    ScalingPolicy,
    ScalingRules,
    SelectPolicy,
)
from autoscaler.policy.metric import TargetType
from decide.worlds import LONG_AGO, NOW, PER_POD, ago, policy, signal, workload

_BESIDE = Path(__file__).resolve().parents[3] / "shared" / "hpa-cases"
FOLDER = Path(os.environ.get("HPA_CASES", _BESIDE))

# A field that only cases of this family have; the first that fits.
_FAMILIES = {
    "metrics": "multi_metric",
    "pods": "replica_calculator",
    "metric_values": "replica_calculator",
    "scale_up_limit_factor": "bounds",
    "scale_up": "rate_limits",
    "history": "stabilization",
}


def family_of(case):
    """Return the kind of a case, None for one that we have no functions for."""
    return next((family for field, family in _FAMILIES.items() if field in case), None)


@cache
def read():
    """Return every case of the folder, whatever its files are called."""
    files = sorted(FOLDER.rglob("*.json"))
    return [case for file in files for case in json.loads(file.read_text())]


def cases(family):
    """One `pytest.param` per case of a family; a single skipped one when there is none."""
    found = [pytest.param(c, id=str(c.get("id", ""))) for c in read() if family_of(c) == family]
    absent = pytest.param(
        None, id="absent", marks=pytest.mark.skip(reason="HPA_CASES names no folder")
    )
    return found or [absent]


def rules(raw, defaults):
    """Build scaling rules as the case states them, without the bounds of our own schema."""
    return defaults if raw is None else rules_of(raw["select_policy"], raw["policies"])


def rules_of(select, policies):
    limits = tuple(
        ScalingPolicy.model_construct(
            type=RateLimitType(p["type"]), value=p["value"], period_seconds=p["period_seconds"]
        )
        for p in policies
    )
    return ScalingRules.model_construct(select_policy=SelectPolicy(select), policies=limits)


def damped(wanted, *, current, bounds, behavior, state=None):
    """Put a recommendation to `decide` as HPA's last step would, which knows the bound ahead alone.

    HPA goes from outside of its bounds to them before it looks at any metric.
    """
    low, high = bounds
    ahead = (
        min(low, current) if wanted >= current else low,
        max(high, current) if wanted <= current else high,
    )
    return put(wanted, current=current, bounds=ahead, behavior=behavior, state=state)


def put(wanted, *, current, bounds, behavior, state=None):
    """Put a recommendation to `decide`, where nothing holds but what is given."""
    low, high = bounds
    given = {"behavior": behavior, "min_replicas": low, "max_replicas": high}
    return decide(
        Recommendation(wanted, Reason.DESIRED_WITHIN_RANGE),
        workload=workload(current),
        policy=policy().model_copy(update=given),
        state=state or WorkloadState(LONG_AGO),
        now=NOW,
    )


def rate_limited(case):
    events = [ScaleEvent(ago(e["age_seconds"]), e["change"]) for e in case["events_up"]]
    events += [ScaleEvent(ago(e["age_seconds"]), -e["change"]) for e in case["events_down"]]
    behavior = Behavior.model_construct(
        scale_up=rules(case.get("scale_up"), DEFAULT_SCALE_UP),
        scale_down=rules(case.get("scale_down"), DEFAULT_SCALE_DOWN),
    )
    return damped(
        case["recommended_replicas"],
        current=case["current_replicas"],
        bounds=(case["min_replicas"], case["max_replicas"]),
        behavior=behavior,
        state=WorkloadState(LONG_AGO, scale_events=tuple(events)),
    )


def growth_capped(case, *, factor):
    """What HPA does without a behavior section: a percentage, or the pods that lack to a few.

    Its last step applies both bounds, but never to a step back from beyond one of them.
    """
    current, wanted = case["current_replicas"], case["recommended_replicas"]
    low, high = case["min_replicas"], case["max_replicas"]
    policies = [{"type": "Percent", "value": 100 * (factor - 1), "period_seconds": 15}]
    missing = case.get("scale_up_limit_minimum", 4) - current
    if missing > 0:
        policies.append({"type": "Pods", "value": missing, "period_seconds": 15})
    return put(
        wanted,
        current=current,
        bounds=(
            low if wanted < low else min(low, current),
            high if wanted > high else max(high, current),
        ),
        behavior=Behavior.model_construct(
            scale_up=rules_of("Max", policies), scale_down=DEFAULT_SCALE_DOWN
        ),
    )


def remembered(case):
    history = (
        TimestampedRecommendation(ago(h["age_seconds"]), h["replicas"]) for h in case["history"]
    )
    return WorkloadState(LONG_AGO, tuple(history))


def windows(case, policies):
    """Behavior with the case's windows, and the given rate limits in both directions."""
    up, down = (
        ScalingRules.model_construct(
            stabilization_window_seconds=case[f"{direction}_window_seconds"],
            policies=policies[direction],
            tolerance=0.0,
        )
        for direction in ("up", "down")
    )
    return Behavior.model_construct(scale_up=up, scale_down=down)


def stabilized(case):
    anything = ScalingPolicy.model_construct(
        type=RateLimitType.PODS, value=10**9, period_seconds=15
    )
    return damped(
        case["recommended_replicas"],
        current=case["current_replicas"],
        bounds=(0, 10**9),
        behavior=windows(case, {"up": (anything,), "down": (anything,)}),
        state=remembered(case),
    ).desired_replicas


def measured_pod(raw):
    return MeasuredPod(
        name=raw["name"],
        phase=PodPhase(raw["phase"]),
        ready=raw["ready"],
        deleted=raw["deleted"],
        start_age_seconds=raw["start_age_seconds"],
        ready_transition_age_seconds=raw["ready_transition_age_seconds"],
        request_milli=raw["cpu_request_milli"],
        usage_milli=raw["usage"],
        has_sample=raw["has_sample"],
    )


def proposed(metric, case) -> HpaProposal:
    """Ask the public functions for one metric; `case` holds what all metrics share."""
    pods = [measured_pod(pod) for pod in metric["pods"]]
    kind, amount = TargetType(metric["target"]["type"]), metric["target"]["value"]
    tolerances = Tolerances(case["tolerance"], case["tolerance"])
    current = case["current_replicas"]
    if metric["metric_type"] in {"object", "external"}:
        if not metric["metric_values"]:  # for us that is unknown, before anything is reckoned
            raise ReplicaCalculationError(MetricErrorKind.NO_SAMPLES, "no value")
        total = sum(metric["metric_values"])
        if kind is TargetType.AVERAGE_VALUE:
            return replicas_for_average_value(
                total, target=amount, current_replicas=current, tolerances=tolerances
            )
        return replicas_for_value(
            total,
            target=amount,
            current_replicas=current,
            ready_replicas=sum(pod.phase is PodPhase.RUNNING and pod.ready for pod in pods),
            tolerances=tolerances,
        )
    timing = SampleTiming(
        metric["metric_age_seconds"],
        metric["metric_window_seconds"],
        case["cpu_initialization_period_seconds"],
        case["initial_readiness_delay_seconds"],
    )
    return replicas_for_pod_metric(
        pods,
        current_replicas=current,
        metric=PodMetric(kind, amount, metric["resource"] == "cpu", tolerances, timing),
        samples_for_unknown_pods=[s["usage"] for s in metric["samples_for_unknown_pods"]],
    )


def proposals(case):
    """One count per metric of a multi-metric case, None for a metric in error."""
    counts = []
    for metric in case["metrics"]:
        try:
            counts.append(proposed(metric, case).replicas if metric["state"] == "ok" else None)
        except ReplicaCalculationError:
            counts.append(None)
    return counts


def combined(case):
    """The whole pipeline: proposals, recommendation (None = no decision), final replicas.

    Each proposal is put to it as the load that asks for so many pods, an error as an unknown one.
    An idle workload was idle for long: HPA removes the last pod at once.
    """
    each, current = proposals(case), case["current_replicas"]
    limits = {"up": DEFAULT_SCALE_UP.policies, "down": DEFAULT_SCALE_DOWN.policies}
    given = {
        "behavior": windows(case, limits),
        "min_replicas": case["min_replicas"],
        "max_replicas": case["max_replicas"],
    }
    world = {
        "workload": workload(current),
        "policy": policy(n_metrics=len(each)).model_copy(update=given),
        "state": replace(remembered(case), idle_since=LONG_AGO),
        "now": NOW,
    }
    loads = [signal(None if replicas is None else replicas * PER_POD) for replicas in each]
    wanted = recommended(loads, **world)
    asked = max((p.replicas for p in wanted.proposals if p.replicas is not None), default=None)
    decides = asked is not None and (wanted.may_lower or asked >= current)
    return each, wanted.replicas if decides else None, decide(wanted, **world).desired_replicas
