import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autoscaler.decide.facts import Capacity, CapacitySource
from autoscaler.decide.sizing import replicas_for


def needed(load, per_pod):
    return replicas_for(load, Capacity(per_pod, CapacitySource.POLICY))


@pytest.mark.parametrize(
    ("load", "per_pod", "replicas"),
    [
        pytest.param(1200.0, 120.0, 10, id="as told"),
        pytest.param(1200.004, 120.0, 10, id="told as 1200"),
        pytest.param(1200.006, 120.0, 11, id="told as 1200.01"),
        pytest.param(1199.999, 119.9994, 11, id="told as 1200 at 119.999"),
        pytest.param(0.0, 120.0, 0, id="nothing"),
        pytest.param(1e300, 1e-300, 2**31 - 1, id="whatever is allowed"),
    ],
)
def test_pods_are_those_of_the_figures_that_are_told(load, per_pod, replicas):
    assert needed(load, per_pod) == replicas


@settings(deadline=None, max_examples=500)
@given(pods=st.integers(1, 3000), per_pod=st.floats(0.01, 9e4), near=st.floats(-2e-5, 2e-5))
def test_who_divides_what_is_told_comes_to_the_same_also_near_a_whole_number(pods, per_pod, near):
    load = pods * per_pod * (1 + near)
    told = float(f"{load:.6g}") / float(f"{per_pod:.6g}")

    assert needed(load, per_pod) == math.ceil(told - 1e-9)


@settings(deadline=None, max_examples=500)
@given(
    pods=st.integers(1, 100_000),
    per_pod=st.floats(0.01, 9e4),
    near=st.floats(-4e-5, 4e-5),
    more=st.floats(0.0, 6e-5),
)
def test_more_load_never_needs_fewer_pods_also_near_a_whole_number(pods, per_pod, near, more):
    load = pods * per_pod * (1 + near)

    assert needed(load, per_pod) <= needed(load * (1 + more), per_pod)
