"""`behavior` policies and bounds: how far one rescale may go, and which rule says so."""

from dataclasses import replace
from datetime import timedelta

import pytest

from autoscaler.decide.bounds import Bounds, bounded_replicas, bounds_in_force
from autoscaler.decide.decision import Limit
from autoscaler.decide.rate_limits import scale_down_limit, scale_up_limit
from autoscaler.decide.reason import Reason
from autoscaler.decide.schedule import NO_SCHEDULE, ScheduledBounds
from autoscaler.decide.state import ScaleEvent
from autoscaler.policy.behavior import Behavior, ScalingRules
from decide.hpa_cases import damped
from decide.worlds import LOW, NOW, decided, events


def rules(*policies, select="Max"):
    return ScalingRules.model_validate(
        {
            "selectPolicy": select,
            "policies": [{"type": t, "value": v, "periodSeconds": p} for t, v, p in policies],
        }
    )


def test_a_share_is_one_of_a_hundred():
    half = rules(("Percent", 50, 60))

    assert scale_up_limit(300, rules=half, events=(), now=NOW) == 450
    assert scale_down_limit(300, rules=half, events=(), now=NOW) == 150


PODS_4, DOUBLE = ("Pods", 4, 60), ("Percent", 100, 60)


@pytest.mark.parametrize(
    ("policies", "select", "past", "expected"),
    [
        pytest.param([PODS_4], "Max", [], 14, id="four more pods"),
        pytest.param([DOUBLE], "Max", [], 20, id="twice as many"),
        pytest.param([PODS_4, DOUBLE], "Max", [], 20, id="Max takes the largest change"),
        pytest.param([PODS_4, DOUBLE], "Min", [], 14, id="Min takes the smallest"),
        pytest.param([PODS_4, DOUBLE], "Disabled", [], 10, id="Disabled allows none"),
        pytest.param([], "Max", [], 10, id="nor do no policies"),
        pytest.param([("Percent", 25, 60)], "Max", [], 13, id="a part of a pod rounds up"),
        pytest.param([PODS_4], "Max", [(59, 3)], 11, id="what was added in the period is used up"),
        pytest.param([PODS_4], "Max", [(60, 3)], 14, id="exactly a period ago is before it"),
        pytest.param(
            [PODS_4], "Max", [(30, -3)], 17, id="what was removed in the period is given back"
        ),
        pytest.param([PODS_4], "Max", [(30, 9)], 10, id="never below current"),
        pytest.param(
            [PODS_4, ("Pods", 6, 600)], "Max", [(90, 5)], 14, id="each policy has its own period"
        ),
    ],
)
def test_a_scale_out_goes_as_far_as_the_selected_policy_allows(policies, select, past, expected):
    assert (
        scale_up_limit(10, rules=rules(*policies, select=select), events=events(*past), now=NOW)
        == expected
    )


@pytest.mark.parametrize(
    ("policies", "select", "past", "expected"),
    [
        pytest.param([PODS_4], "Max", [], 6, id="four fewer pods"),
        pytest.param([("Percent", 100, 60)], "Max", [], 0, id="all of them"),
        pytest.param(
            [PODS_4, ("Percent", 10, 60)], "Max", [], 6, id="Max takes the largest change"
        ),
        pytest.param([PODS_4, ("Percent", 10, 60)], "Min", [], 9, id="Min takes the smallest"),
        pytest.param([PODS_4], "Disabled", [], 10, id="Disabled allows none"),
        pytest.param([], "Max", [], 10, id="nor do no policies"),
        pytest.param([("Percent", 25, 60)], "Max", [], 7, id="a part of a pod is cut off"),
        pytest.param(
            [PODS_4], "Max", [(59, -3)], 9, id="what was removed in the period is used up"
        ),
        pytest.param([PODS_4], "Max", [(60, -3)], 6, id="exactly a period ago is before it"),
        pytest.param([PODS_4], "Max", [(30, 3)], 3, id="what was added in the period may go again"),
        pytest.param([PODS_4], "Max", [(30, -9)], 10, id="never above current"),
    ],
)
def test_a_scale_in_goes_as_far_as_the_selected_policy_allows(policies, select, past, expected):
    assert (
        scale_down_limit(10, rules=rules(*policies, select=select), events=events(*past), now=NOW)
        == expected
    )


UP, DOWN = Reason.SCALE_UP_LIMIT, Reason.SCALE_DOWN_LIMIT
MOST, FEWEST = Reason.TOO_MANY_REPLICAS, Reason.TOO_FEW_REPLICAS


@pytest.mark.parametrize(
    ("wanted", "bounds", "expected"),
    [
        pytest.param(12, (1, 100), [], id="within range"),
        pytest.param(25, (1, 100), [Limit(UP, 25, 20)], id="the speed limit clips"),
        pytest.param(25, (1, 20), [Limit(MOST, 25, 20)], id="of equal limits the bound is named"),
        pytest.param(25, (1, 15), [Limit(UP, 25, 20), Limit(MOST, 20, 15)], id="max clips"),
        pytest.param(2, (1, 100), [Limit(DOWN, 2, 6)], id="the speed limit clips on the way in"),
        pytest.param(2, (6, 100), [Limit(FEWEST, 2, 6)], id="of equal ones the bound, there too"),
        pytest.param(2, (7, 100), [Limit(DOWN, 2, 6), Limit(FEWEST, 6, 7)], id="min clips"),
        pytest.param(10, (1, 100), [], id="as many as now is never clipped"),
    ],
)
def test_a_step_goes_no_further_than_speed_limit_and_bound(wanted, bounds, expected):
    behavior = Behavior(scale_down=rules(PODS_4))
    decision = damped(wanted, current=10, bounds=bounds, behavior=behavior)

    assert list(decision.chain) == expected


def test_a_floor_of_the_schedule_that_equals_the_speed_limit_is_named():
    floor = {"name": "sale", "start": "0 0 * * *", "end": "59 23 * * *", "minReplicas": 6}
    slowly = {"scaleDown": {"policies": [{"type": "Pods", "value": 4, "periodSeconds": 60}]}}
    decision = decided(replace(LOW, forecast=None), behavior=slowly, schedule=[floor])

    assert decision.chain == (Limit(Reason.SCHEDULE_FLOOR, 3, 6, "sale"),)


def test_a_ceiling_of_the_schedule_that_equals_the_speed_limit_is_named():
    quota = {"name": "quota", "start": "0 0 * * *", "end": "59 23 * * *", "maxReplicas": 6}
    slowly = {"scaleDown": {"policies": [{"type": "Pods", "value": 4, "periodSeconds": 60}]}}
    decision = decided(replace(LOW, forecast=None), behavior=slowly, schedule=[quota])

    assert decision.chain == (Limit(Reason.SCHEDULE_CEILING, 3, 6, "quota"),)


def test_a_ceiling_that_is_not_passed_leaves_scale_in_disabled():
    decision = damped(
        2, current=10, bounds=(1, 10), behavior=Behavior(scale_down=rules(select="Disabled"))
    )

    assert decision.chain == (Limit(DOWN, 2, 10),)


def test_no_period_ever_sees_more_added_than_allowed():
    limit, replicas, done, counts = rules(PODS_4), 10, (), {}
    for second in range(0, 600, 7):
        now = NOW + timedelta(seconds=second)
        after = scale_up_limit(replicas, rules=limit, events=done, now=now)
        if after != replicas:
            done = (*done, ScaleEvent(now, after - replicas))
        replicas = counts[second] = after

    assert all(counts[t] - counts[s] <= 4 for t in counts for s in counts if s <= t < s + 60)
    assert replicas > 40


@pytest.mark.parametrize(
    ("scheduled", "low", "high"),
    [
        pytest.param(NO_SCHEDULE, 2, 20, id="no schedule"),
        pytest.param(ScheduledBounds(floor=8), 8, 20, id="a floor raises the minimum"),
        pytest.param(ScheduledBounds(floor=1), 2, 20, id="a lower floor does not lower it"),
        pytest.param(ScheduledBounds(floor=50), 20, 20, id="no floor exceeds the maximum"),
        pytest.param(ScheduledBounds(ceiling=5), 2, 5, id="a ceiling lowers the maximum"),
        pytest.param(ScheduledBounds(ceiling=50), 2, 20, id="a higher ceiling does not raise it"),
        pytest.param(ScheduledBounds(floor=8, ceiling=5), 8, 8, id="a floor above a ceiling wins"),
        pytest.param(ScheduledBounds(ceiling=0), 2, 2, id="a ceiling stops at the minimum"),
    ],
)
def test_the_schedule_narrows_the_policy(scheduled, low, high):
    bounds = bounds_in_force(2, 20, scheduled)

    assert (bounds.low, bounds.high) == (low, high)


@pytest.mark.parametrize("number", [2, 10, 20])
def test_a_number_at_a_bound_breaks_none(number):
    assert bounded_replicas(number, Bounds(2, 20), current_replicas=9) is None


def test_a_floor_that_raises_nothing_is_not_named():
    same = bounds_in_force(2, 20, ScheduledBounds(floor=2, ceiling=20, floor_name="sale"))

    assert (same.low_reason, same.low_detail) == (Reason.TOO_FEW_REPLICAS, "")
    assert same.high_reason is Reason.TOO_MANY_REPLICAS


def test_a_broken_bound_names_the_schedule_entry():
    bounds = Bounds(8, 20, Reason.SCHEDULE_FLOOR, low_detail="sale")

    assert bounded_replicas(3, bounds, current_replicas=9) == Limit(
        Reason.SCHEDULE_FLOOR, 3, 8, "sale"
    )
    assert bounded_replicas(21, bounds, current_replicas=9) == Limit(
        Reason.TOO_MANY_REPLICAS, 21, 20
    )
    assert bounded_replicas(9, bounds, current_replicas=9) is None
