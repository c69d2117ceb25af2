"""Every conformance case that is there passes through the public functions."""

import pytest

from autoscaler.decide.replica_calculator import ReplicaCalculationError
from decide.hpa_cases import (
    cases,
    combined,
    growth_capped,
    proposed,
    rate_limited,
    stabilized,
)


@pytest.mark.parametrize("case", cases("rate_limits"))
def test_rate_limits_are_hpa_s(case):
    limit = rate_limited(case)

    assert limit.after == case["expected_replicas"]
    assert case["expected_reason"] in {None, limit.reason}


@pytest.mark.parametrize("case", cases("stabilization"))
def test_stabilization_is_hpa_s(case):
    assert stabilized(case, case["recommended_replicas"]) == case["expected_replicas"]


@pytest.mark.parametrize("case", cases("bounds"))
def test_bounds_without_behavior_are_hpa_s(case):
    limit = growth_capped(case, factor=case["scale_up_limit_factor"])

    assert (limit.after, limit.reason) == (case["expected_replicas"], case["expected_reason"])
    assert growth_capped(case, factor=8).after == case["expected_replicas_at_factor_8"]


@pytest.mark.parametrize("case", cases("replica_calculator"))
def test_one_metric_asks_for_what_hpa_asks_for(case):
    if case["expected_error"]:
        with pytest.raises(ReplicaCalculationError) as error:
            proposed(case, case)
        assert error.value.kind == case["expected_error_kind"]
        return
    proposal = proposed(case, case)

    assert proposal.replicas == case["expected_replicas"]
    assert proposal.utilization == case["expected_utilization"]
    assert case["expected_value_milli"] in {None, proposal.value_milli}


@pytest.mark.parametrize("case", cases("multi_metric"))
def test_several_metrics_end_where_hpa_ends(case):
    each, recommended, replicas = combined(case)

    assert each == case["expected_proposals"]
    assert recommended == case["expected_recommendation"]
    assert (recommended is not None) == case["expected_scaling_active"]
    assert replicas == case["expected_replicas"]
