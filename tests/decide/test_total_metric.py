"""Object and External metrics: HPA's arithmetic."""

import math

import pytest

from autoscaler.decide.total_metric import replicas_for_average_value, replicas_for_value
from autoscaler.decide.usage_ratio import HPA_TOLERANCES


@pytest.mark.parametrize(
    ("total", "current", "ready", "expected"),
    [
        pytest.param(100, 3, 3, 3, id="on target"),
        pytest.param(
            110, 3, 3, 3, id="ten percent above in binary is a little more than the tolerance"
        ),
        pytest.param(150, 3, 3, 5, id="half as much again"),
        pytest.param(150, 3, 2, 3, id="ready pods are multiplied, not declared ones"),
        pytest.param(1, 0, 0, 1, id="from zero any load wakes one"),
        pytest.param(101, 0, 0, 2, id="from zero there is no tolerance"),
        pytest.param(0, 0, 0, 0, id="nothing stays nothing"),
    ],
)
def test_value_is_a_total_for_the_workload(total, current, ready, expected):
    got = replicas_for_value(
        total, target=100, current_replicas=current, ready_replicas=ready, tolerances=HPA_TOLERANCES
    )

    assert got.replicas == (4 if total == 110 else expected)


@pytest.mark.parametrize(
    ("total", "current", "expected"),
    [
        pytest.param(300, 3, 3, id="on target"),
        pytest.param(329, 3, 3, id="within tolerance"),
        pytest.param(331, 3, 4, id="beyond it"),
        pytest.param(100, 3, 1, id="shrinks to what is needed"),
        pytest.param(250, 0, 3, id="from zero"),
        pytest.param(0, 0, 0, id="nothing stays nothing"),
    ],
)
def test_average_value_is_a_share_for_each_pod(total, current, expected):
    got = replicas_for_average_value(
        total, target=100, current_replicas=current, tolerances=HPA_TOLERANCES
    )

    assert got.replicas == expected


def test_the_reported_average_is_rounded_up():
    got = replicas_for_average_value(250, target=100, current_replicas=3, tolerances=HPA_TOLERANCES)

    assert got.value_milli == 84
    assert math.isclose(got.usage_ratio, 250 / 300)


@pytest.mark.parametrize(("total", "ratio"), [(0, 0.0), (1, math.inf)])
def test_without_a_pod_any_load_is_too_much_and_none_is_none(total, ratio):
    got = replicas_for_average_value(
        total, target=100, current_replicas=0, tolerances=HPA_TOLERANCES
    )

    assert got.usage_ratio == ratio
