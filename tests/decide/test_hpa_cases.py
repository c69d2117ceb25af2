"""Every conformance case that is there passes through the functions that the loop calls.

The folder of cases is searched whole, and each case is told by its fields, not by its file's name.
"""

import pytest

from autoscaler.decide.replica_calculator import ReplicaCalculationError
from decide.hpa_cases import (
    FOLDER,
    cases,
    combined,
    family_of,
    growth_capped,
    proposed,
    rate_limited,
    read,
    stabilized,
)


@pytest.mark.parametrize("case", cases("rate_limits"))
def test_rate_limits_are_hpa_s(case):
    decision = rate_limited(case)

    assert decision.desired_replicas == case["expected_replicas"]
    assert case.get("expected_reason") in {None, decision.reason}


@pytest.mark.parametrize("case", cases("stabilization"))
def test_stabilization_is_hpa_s(case):
    assert stabilized(case) == case["expected_replicas"]


@pytest.mark.parametrize("case", cases("bounds"))
def test_bounds_without_behavior_are_hpa_s(case):
    decision = growth_capped(case, factor=case["scale_up_limit_factor"])
    eightfold = case.get("expected_replicas_at_factor_8")

    assert decision.desired_replicas == case["expected_replicas"]
    assert case.get("expected_reason") in {None, decision.reason}
    assert eightfold in {None, growth_capped(case, factor=8).desired_replicas}


@pytest.mark.parametrize(
    ("current", "wanted", "low", "high", "expected", "reason"),
    [
        (3, 3, 10, 12, 10, "TooFewReplicas"),
        (2, 4, 10, 12, 10, "TooFewReplicas"),
        (10, 40, 30, 35, 20, "ScaleUpLimit"),
        (36, 35, 3, 23, 23, "TooManyReplicas"),
        (50, 50, 3, 23, 23, "TooManyReplicas"),
        (50, 1, 3, 23, 3, "TooFewReplicas"),
        (50, 4, 3, 23, 4, "DesiredWithinRange"),
    ],
)
def test_bounds_that_are_passed_already_are_hpa_s(current, wanted, low, high, expected, reason):
    case = {
        "current_replicas": current,
        "recommended_replicas": wanted,
        "min_replicas": low,
        "max_replicas": high,
    }
    decision = growth_capped(case, factor=2)

    assert (decision.desired_replicas, decision.reason) == (expected, reason)


@pytest.mark.parametrize("case", cases("replica_calculator"))
def test_one_metric_asks_for_what_hpa_asks_for(case):
    if case.get("expected_error"):
        with pytest.raises(ReplicaCalculationError) as error:
            proposed(case, case)
        assert case.get("expected_error_kind") in {None, error.value.kind}
        return
    proposal = proposed(case, case)

    assert proposal.replicas == case["expected_replicas"]
    assert case.get("expected_utilization") in {None, proposal.utilization}
    assert case.get("expected_value_milli") in {None, proposal.value_milli}


@pytest.mark.parametrize("case", cases("multi_metric"))
def test_several_metrics_end_where_hpa_ends(case):
    each, wanted, replicas = combined(case)

    assert each == case["expected_proposals"]
    assert wanted == case["expected_recommendation"]
    assert (wanted is not None) == case["expected_scaling_active"]
    assert replicas == case["expected_replicas"]


def test_samples_of_strangers_count_where_nothing_is_requested():
    pod = {"name": "p0", "phase": "Running", "ready": True, "deleted": False, "usage": 20_000}
    old = {"start_age_seconds": 10**9, "ready_transition_age_seconds": 10**9}
    case = {
        "metric_type": "pods",
        "resource": None,
        "target": {"type": "AverageValue", "value": 10_000},
        "pods": [pod | old | {"cpu_request_milli": None, "has_sample": True}],
        "samples_for_unknown_pods": [{"usage": 40_000}],
        "metric_age_seconds": 0,
        "metric_window_seconds": 60,
    }
    shared = {"cpu_initialization_period_seconds": 300, "initial_readiness_delay_seconds": 30}
    answer = proposed(case, shared | {"tolerance": 0.1, "current_replicas": 1})

    assert (answer.replicas, answer.value_milli) == (3, 30_000)


@pytest.mark.parametrize(
    ("states", "current", "expected"),
    [
        pytest.param(["ok"], 3, ([0], 0, 0), id="nothing is asked for"),
        pytest.param(["ok", "empty"], 1, ([0, None], None, 1), id="not with a metric in error"),
        pytest.param(["ok", "empty"], 0, ([0, None], 0, 0), id="which blocks no staying at zero"),
    ],
)
def test_hpa_removes_the_last_pod_at_once(states, current, expected):
    idle = {"metric_type": "external", "target": {"type": "AverageValue", "value": 1000}}
    metrics = [idle | {"pods": [], "metric_values": [0], "state": state} for state in states]
    windows = {"history": [], "up_window_seconds": 0, "down_window_seconds": 300}
    bounds = {"min_replicas": 0, "max_replicas": 6, "current_replicas": current}

    assert combined({"metrics": metrics, "tolerance": 0.1, **windows, **bounds}) == expected


@pytest.mark.skipif(not FOLDER.is_dir(), reason="HPA_CASES names no folder")
def test_no_case_is_left_out():
    strange = [case.get("id", case) for case in read() if family_of(case) is None]

    assert read()
    assert strange == []
