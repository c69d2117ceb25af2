"""Reads conformance cases from a folder beside the repository, and asks our functions for answers.

`HPA_CASES` names another folder; without either the tests that need it are skipped.
"""

import json
import os
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

import pytest

from autoscaler.decide.facts import PodPhase
from autoscaler.decide.hpa_steps import (
    SCALE_UP_LIMIT_FACTOR,
    SCALE_UP_LIMIT_MINIMUM,
    downscale_stabilized_replicas,
    growth_capped_replicas,
    largest_proposal,
    rate_limited_replicas,
    serving_pods,
    summed,
)
from autoscaler.decide.pod_classes import MeasuredPod, SampleTiming
from autoscaler.decide.replica_calculator import (
    HpaProposal,
    PodMetric,
    ReplicaCalculationError,
    replicas_for_pod_metric,
)
from autoscaler.decide.stabilization import stabilized_replicas
from autoscaler.decide.state import ScaleEvent, TimestampedRecommendation
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

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
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
    absent = pytest.param(None, id="absent", marks=pytest.mark.skip(reason="no case folder"))
    return found or [absent]


def ago(seconds):
    return NOW - timedelta(seconds=seconds)


def rules(raw, defaults):
    """Build scaling rules as the case states them, without the bounds of our own schema."""
    if raw is None:
        return defaults
    policies = tuple(
        ScalingPolicy.model_construct(
            type=RateLimitType(p["type"]), value=p["value"], period_seconds=p["period_seconds"]
        )
        for p in raw["policies"]
    )
    return ScalingRules.model_construct(
        select_policy=SelectPolicy(raw["select_policy"]), policies=policies
    )


def rate_limited(case):
    events = [ScaleEvent(ago(e["age_seconds"]), e["change"]) for e in case["events_up"]]
    events += [ScaleEvent(ago(e["age_seconds"]), -e["change"]) for e in case["events_down"]]
    behavior = Behavior.model_construct(
        scale_up=rules(case.get("scale_up"), DEFAULT_SCALE_UP),
        scale_down=rules(case.get("scale_down"), DEFAULT_SCALE_DOWN),
    )
    return rate_limited_replicas(
        case["recommended_replicas"],
        current_replicas=case["current_replicas"],
        bounds=(case["min_replicas"], case["max_replicas"]),
        behavior=behavior,
        events=events,
        now=NOW,
    )


def growth_capped(case, *, factor):
    return growth_capped_replicas(
        case["recommended_replicas"],
        current_replicas=case["current_replicas"],
        min_replicas=case["min_replicas"],
        max_replicas=case["max_replicas"],
        scale_up_limit_factor=factor,
        scale_up_limit_minimum=case.get("scale_up_limit_minimum", SCALE_UP_LIMIT_MINIMUM),
    )


def remembered(case):
    return [
        TimestampedRecommendation(ago(h["age_seconds"]), h["replicas"]) for h in case["history"]
    ]


def stabilized(case, recommended):
    return stabilized_replicas(
        recommended,
        current_replicas=case["current_replicas"],
        history=remembered(case),
        up_window=timedelta(seconds=case["up_window_seconds"]),
        down_window=timedelta(seconds=case["down_window_seconds"]),
        now=NOW,
    )


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
        total = summed(metric["metric_values"])
        if kind is TargetType.AVERAGE_VALUE:
            return replicas_for_average_value(
                total, target=amount, current_replicas=current, tolerances=tolerances
            )
        return replicas_for_value(
            total,
            target=amount,
            current_replicas=current,
            ready_replicas=serving_pods(pods),
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


def combined(case, *, with_behavior=True):
    """The whole HPA pipeline: proposals, recommendation (None = no decision), final replicas."""
    each = proposals(case)
    recommended = largest_proposal(each, current_replicas=case["current_replicas"])
    if recommended is None:
        return each, None, case["current_replicas"]
    if not with_behavior:
        window = timedelta(seconds=case["down_window_seconds"])
        calm = downscale_stabilized_replicas(
            recommended, history=remembered(case), now=NOW, window=window
        )
        limit = growth_capped(case | {"recommended_replicas": calm}, factor=SCALE_UP_LIMIT_FACTOR)
        return each, recommended, limit.after
    limited = rate_limited_replicas(
        stabilized(case, recommended),
        current_replicas=case["current_replicas"],
        bounds=(case["min_replicas"], case["max_replicas"]),
        behavior=Behavior(),
        events=(),
        now=NOW,
    )
    return each, recommended, limited.after
