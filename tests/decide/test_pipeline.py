"""From a recommendation to a decision: every rule in its place, and what is remembered."""

from dataclasses import replace
from datetime import timedelta

import pytest

from autoscaler.decide.decision import Decision, Limit
from autoscaler.decide.facts import Doubt, Sample
from autoscaler.decide.pipeline import remembered_for
from autoscaler.decide.reason import Reason
from autoscaler.decide.state import Order, TimestampedRecommendation, WorkloadState
from decide.worlds import (
    HIGH,
    LONG_AGO,
    LOW,
    NOW,
    TARGET,
    WORTH,
    ago,
    decided,
    events,
    outcome,
    policy,
    quiet,
    reasons,
    signal,
    workload,
)


def test_growth_comes_at_once():
    assert decided(HIGH) == Decision(10, 15, Reason.METRIC_ABOVE_TARGET)


def test_growth_by_forecast_is_what_the_forecast_asks_for():
    assert decided(signal(1500, 1700)) == Decision(10, 17, Reason.FORECAST_ABOVE_TARGET)


def test_the_count_that_is_ordered_is_the_current_one_whatever_exists():
    coming = workload(10, status_replicas=12, ready_replicas=8)

    assert decided(HIGH, facts=coming) == Decision(10, 15, Reason.METRIC_ABOVE_TARGET)
    assert decided(signal(1200), facts=coming).current_replicas == 10
    blind = outcome(signal(None), facts=coming, state=WorkloadState(LONG_AGO)).state_if_held
    assert [each.replicas for each in blind.recommendations] == [10]


def test_what_is_remembered_is_of_the_object_that_was_seen():
    assert outcome(LOW, facts=workload(10, uid="d1")).state_if_held.uid == "d1"


def test_shrinking_comes_when_window_and_cooldown_are_over():
    assert decided(LOW) == Decision(10, 3, Reason.ALL_BELOW_TARGET)


def test_at_first_sight_current_counts_as_recommended():
    first = outcome(LOW, state=WorkloadState(LONG_AGO))

    assert (first.decision.desired_replicas, first.decision.reason) == (
        10,
        Reason.SCALE_DOWN_STABILIZED,
    )


def test_unknown_load_is_remembered_as_nothing_at_all():
    blind = outcome(signal(None, doubt=Doubt.ABSENT), state=quiet(7))

    assert blind.decision == Decision(10, 10, Reason.METRICS_UNKNOWN_HOLD)
    assert [r.replicas for r in blind.state_if_held.recommendations] == [7]


def test_a_partial_load_that_asks_for_less_is_remembered_as_nothing_either():
    partial = outcome(signal(300, 300, doubt=Doubt.PARTIAL), state=quiet(7))

    assert [r.replicas for r in partial.state_if_held.recommendations] == [7]


def test_a_partial_load_that_asks_for_as_many_as_there_are_is_remembered():
    after = outcome(signal(1000, doubt=Doubt.PARTIAL)).state_if_held

    assert after.recommendations[-1] == TimestampedRecommendation(NOW, 10)


def test_a_partial_load_that_asks_for_more_is_remembered():
    half = signal(1500, doubt=Doubt.PARTIAL)
    after = outcome(half).state_if_held

    assert after.recommendations[-1] == TimestampedRecommendation(NOW, 15)


def test_a_scale_out_window_is_remembered_as_a_whole():
    up = {"scaleUp": {"stabilizationWindowSeconds": 1800}}
    long_ago = TimestampedRecommendation(ago(1700), 5)
    state = replace(quiet(12), recommendations=(long_ago, *quiet(12).recommendations))
    step = outcome(HIGH, state=state, behavior=up)

    assert step.decision.reason is Reason.SCALE_UP_STABILIZED
    assert long_ago in step.state_if_held.recommendations


def test_after_a_gap_as_long_as_the_window_current_counts_as_recommended_again():
    recent = (TimestampedRecommendation(ago(299), 0),)
    gap = (TimestampedRecommendation(ago(300), 0),)

    assert decided(LOW, state=replace(quiet(), recommendations=recent)).desired_replicas == 3
    seeded = decided(LOW, state=replace(quiet(), recommendations=gap))
    assert (seeded.desired_replicas, seeded.reason) == (10, Reason.SCALE_DOWN_STABILIZED)


def test_what_was_assumed_is_noted_anew_and_what_was_known_stays():
    known = TimestampedRecommendation(ago(400), 7)
    assumed = TimestampedRecommendation(NOW, 10, assumed=True)
    blind = replace(quiet(), recommendations=(known, replace(assumed, at=ago(15))))

    assert outcome(signal(None), state=blind).state_if_held.recommendations == (known, assumed)


def test_a_scale_out_window_alone_has_the_past_assumed_but_once():
    up = {"scaleDown": {"stabilizationWindowSeconds": 0}} | {
        "scaleUp": {"stabilizationWindowSeconds": 60}
    }
    once = (TimestampedRecommendation(ago(15), 10, assumed=True),)
    blind = replace(quiet(), recommendations=once)

    assert outcome(signal(None), state=blind, behavior=up).state_if_held.recommendations == once


@pytest.mark.parametrize(
    ("seen_at", "load", "assumed"),
    [
        pytest.param(ago(300), None, True, id="nothing is known of it"),
        pytest.param(ago(300), 300, False, id="and no more was asked for"),
        pytest.param(None, 300, True, id="nor is it known when we looked"),
    ],
)
def test_where_the_last_cycle_was_a_window_ago(seen_at, load, assumed):
    last = (TimestampedRecommendation(ago(300), 0),)
    after = outcome(signal(load), state=replace(quiet(), recommendations=last, seen_at=seen_at))

    assert any(each.assumed for each in after.state_if_held.recommendations) == assumed


@pytest.mark.parametrize(
    ("least", "remembered"),
    [
        pytest.param(1, [], id="hands off: it begins anew after that"),
        pytest.param(0, [7, 2], id="zero is a count like any other where it is allowed"),
    ],
)
def test_what_is_remembered_while_spec_replicas_is_zero(least, remembered):
    after = outcome(signal(120.0), spec=0, state=quiet(7), minReplicas=least).state_if_held

    assert [each.replicas for each in after.recommendations] == remembered


def test_idle_time_counts_only_where_the_last_pod_may_go():
    assert outcome(signal(0.0)).state_if_held.idle_since is None
    assert outcome(signal(0.0), minReplicas=0).state_if_held.idle_since == NOW


def after_an_outage(*, of, window=300):
    """Return for how long a load that is known again, and low, lowers nothing."""
    load = [*[1000] * 4, *[None] * (of // 15), *[300] * 60]
    state, back_at = WorkloadState(LONG_AGO), 4 + of // 15
    behavior = {"scaleDown": {"stabilizationWindowSeconds": window}}
    for cycle, value in enumerate(load):
        now = NOW + timedelta(seconds=15 * cycle)
        one = replace(signal(value), sample=Sample(value, now, 1))
        step = outcome(one, state=state, now=now, behavior=behavior)
        if step.decision.rescale:
            return timedelta(seconds=15 * (cycle - back_at))
        state = step.state_if_held
    raise AssertionError("nothing was ever lowered")


@pytest.mark.parametrize("of", [300, 450, 585, 600, 870, 1185])
def test_after_an_outage_a_whole_window_is_seen_before_anything_is_lowered(of):
    assert after_an_outage(of=of) >= timedelta(seconds=285)


@pytest.mark.parametrize("window", [1, 15, 16, 30])
def test_a_window_as_short_as_a_cycle_lets_go(window):
    assert after_an_outage(of=15, window=window) <= timedelta(seconds=30)


def test_memory_reaches_as_far_back_as_the_longest_window_and_period():
    behavior = {"scaleDown": {"stabilizationWindowSeconds": 3600}}
    older = (TimestampedRecommendation(ago(3000), 9), *quiet(0).recommendations)
    state = replace(quiet(), recommendations=older, scale_events=events((1801, 1), (1800, 2)))
    after = outcome(HIGH, state=state, behavior=behavior).state_after(rescaled=True)
    low = outcome(LOW, state=state, behavior=behavior).state_if_held

    assert [event.change for event in after.scale_events] == [2, 5]
    assert 9 in [r.replicas for r in low.recommendations]


def test_without_any_window_five_minutes_are_remembered():
    none = {
        "scaleUp": {"stabilizationWindowSeconds": 0},
        "scaleDown": {"stabilizationWindowSeconds": 0},
    }

    assert remembered_for(policy(behavior=none).behavior) == timedelta(minutes=5)


ALL_DAY = {"name": "sale", "start": "0 0 * * *", "end": "59 23 * * *"}


def test_where_no_other_number_is_asked_for_no_rule_has_anything_to_say():
    """Not even at a bound, while everything waits and both directions are paused."""
    rules = {
        "cooldown": {"scaleUp": "5m", "scaleDown": "5m"},
        "behavior": {"scaleUp": {"selectPolicy": "Disabled"}},
        "schedule": [ALL_DAY | {"minReplicas": 10, "maxReplicas": 10}],
        "pausedScaleIn": True,
        "pausedScaleOut": True,
    }
    state = quiet(
        10,
        last_scale_up_at=ago(10),
        last_scale_down_at=ago(10),
        scale_events=events((600, 4)),
        holds=((Reason.CLOCK_JUMP_HOLD, ago(10)),),
    )

    assert decided(signal(1000, 1000), state=state, **rules) == Decision(
        10, 10, Reason.DESIRED_WITHIN_RANGE
    )


def test_a_rise_that_asks_for_no_more_is_met_with_no_more():
    state = quiet(20, scale_events=events((600, 4)))
    wide = {"schedule": [ALL_DAY | {"maxReplicas": 90}]}

    assert decided(signal(1900, 2000), spec=20, state=state, **wide).chain == ()


def test_rules_follow_each_other_and_the_record_holds_each():
    behavior = {"scaleUp": {"policies": [{"type": "Pods", "value": 4, "periodSeconds": 60}]}}
    decision = decided(signal(5000), behavior=behavior, maxReplicas=12)

    assert decision.chain == (
        Limit(Reason.SCALE_UP_LIMIT, 50, 14),
        Limit(Reason.TOO_MANY_REPLICAS, 14, 12),
    )


def test_what_a_cooldown_holds_asks_no_rate_limit():
    behavior = {"scaleUp": {"policies": [{"type": "Pods", "value": 4, "periodSeconds": 60}]}}
    recently = quiet(0, last_scale_up_at=ago(10))
    decision = decided(signal(5000), state=recently, behavior=behavior, cooldown={"scaleUp": "5m"})

    assert reasons(decision) == [Reason.COOLDOWN_ACTIVE]


@pytest.mark.parametrize("down_seconds", [0, 300])
def test_at_first_sight_current_counts_as_recommended_where_growth_has_a_window(down_seconds):
    behavior = {
        "scaleUp": {"stabilizationWindowSeconds": 60},
        "scaleDown": {"stabilizationWindowSeconds": down_seconds},
    }
    decision = decided(HIGH, state=WorkloadState(LONG_AGO), behavior=behavior)

    assert (decision.desired_replicas, decision.reason) == (10, Reason.SCALE_UP_STABILIZED)


def test_without_a_window_nothing_is_assumed_of_the_past():
    window = {"scaleDown": {"stabilizationWindowSeconds": 0}}
    step = outcome(LOW, state=WorkloadState(LONG_AGO), behavior=window)

    assert step.state_if_held.recommendations == (TimestampedRecommendation(NOW, 3),)


def test_what_was_carried_out_is_remembered_and_what_was_not_is_not():
    done = outcome(HIGH)
    held, rescaled = done.state_after(rescaled=False), done.state_after(rescaled=True)

    assert (held.scale_events, held.order) == ((), None)
    assert [event.change for event in rescaled.scale_events] == [5]
    assert (rescaled.last_scale_up_at, rescaled.order) == (NOW, Order(15, "1"))


@pytest.mark.parametrize(
    ("change", "up", "down"),
    [
        pytest.param(1, NOW, ago(90), id="growth"),
        pytest.param(-1, ago(80), NOW, id="scale-in"),
        pytest.param(0, ago(80), ago(90), id="neither"),
    ],
)
def test_a_rescale_begins_the_cooldown_of_its_direction_and_ends_a_surplus(change, up, down):
    state = quiet(
        10, last_scale_up_at=ago(80), last_scale_down_at=ago(90), surplus=WORTH, idle_share=0.5
    )

    assert state.with_rescale(change, now=NOW, keep=timedelta(minutes=30)) == replace(
        state,
        scale_events=events((0, change)),
        last_scale_up_at=up,
        last_scale_down_at=down,
        surplus=timedelta(0),
        idle_share=0.0,
    )


def test_every_rule_survives_a_workload_that_is_not_there_yet():
    assert decided(HIGH, facts=workload(0, target=TARGET)).desired_replicas == 0
    assert reasons(decided(signal(None), facts=workload(0), minReplicas=0)) == []
