"""The bounds of policy, schedule and HPA, at once and whatever the rate."""

from dataclasses import replace
from datetime import timedelta

import pytest

from autoscaler.decide.decision import Limit
from autoscaler.decide.reason import Reason
from decide.worlds import HIGH, LOW, ago, decided, quiet, reasons, signal, workload

FED = {"actuator": "hpa"}
LOWER = {"name": "day", "start": "0 8 * * *", "end": "0 20 * * *", "minReplicas": 12}


@pytest.mark.parametrize(
    ("most", "annotations", "expected"),
    [
        pytest.param(12, {}, Limit(Reason.HPA_MAX_REPLICAS, 20, 12), id="it caps"),
        pytest.param(
            12,
            {"autoscaler/paused-replicas": "30"},
            Limit(Reason.HPA_MAX_REPLICAS, 30, 12),
            id="a fixed count",
        ),
        pytest.param(
            8,
            {"autoscaler/paused-scale-out": "true"},
            Limit(Reason.HPA_MAX_REPLICAS, 10, 8),
            id="below what is there",
        ),
        pytest.param(
            8,
            {"autoscaler/paused": "true"},
            Limit(Reason.PAUSED, 20, 10, "annotation autoscaler/paused"),
            id="paused: nothing is written",
        ),
    ],
)
def test_the_floor_of_an_hpa_is_capped_where_its_own_maximum_is(most, annotations, expected):
    facts = workload(10, hpa_max_replicas=most, annotations=annotations)
    decision = decided(signal(2000), facts=facts, **FED)

    assert decision.chain[-1] == expected
    assert (decision.desired_replicas, decision.reason) == (expected.after, expected.reason)


@pytest.mark.parametrize(
    ("most", "fields"),
    [
        pytest.param(20, FED, id="just as many"),
        pytest.param(None, FED, id="an HPA that says none"),
        pytest.param(12, {}, id="replicas are ours to write"),
    ],
)
def test_an_hpa_s_maximum_is_no_limit_otherwise(most, fields):
    decision = decided(signal(2000), facts=workload(10, hpa_max_replicas=most), **fields)

    assert (decision.desired_replicas, decision.chain) == (20, ())


def test_a_workload_at_rest_above_the_maximum_of_its_hpa_is_not_at_rest():
    decision = decided(signal(1000), facts=workload(10, hpa_max_replicas=8), **FED)

    assert (decision.desired_replicas, decision.reason) == (8, Reason.HPA_MAX_REPLICAS)


@pytest.mark.parametrize(
    "down",
    [
        pytest.param({}, id="without a limit"),
        pytest.param(
            {"policies": [{"type": "Pods", "value": 8, "periodSeconds": 60}]}, id="limited"
        ),
        pytest.param({"selectPolicy": "Disabled"}, id="not allowed"),
    ],
)
def test_who_stands_above_the_maximum_goes_there_first_and_no_further(down):
    behavior = {"scaleDown": {"stabilizationWindowSeconds": 0, **down}}
    decision = decided(signal(300), spec=20, state=quiet(3), maxReplicas=15, behavior=behavior)

    assert (decision.desired_replicas, decision.reason) == (15, Reason.TOO_MANY_REPLICAS)


def test_not_even_where_less_than_the_minimum_is_asked_for():
    behavior = {"scaleDown": {"stabilizationWindowSeconds": 0}}
    bounds = {"minReplicas": 5, "maxReplicas": 15}
    decision = decided(signal(300), spec=20, state=quiet(3), behavior=behavior, **bounds)

    assert (decision.desired_replicas, decision.reason) == (15, Reason.TOO_MANY_REPLICAS)


def test_who_is_asked_to_go_to_the_maximum_is_not_bounded():
    decision = decided(signal(1500), spec=20, state=quiet(15), maxReplicas=15)

    assert (decision.desired_replicas, decision.chain) == (15, ())


def test_a_ceiling_of_the_schedule_is_such_a_maximum():
    ceiling = {"name": "night", "start": "0 8 * * *", "end": "0 10 * * *", "maxReplicas": 15}
    decision = decided(signal(300), spec=20, state=quiet(3), schedule=[ceiling])

    assert (decision.desired_replicas, decision.reason) == (15, Reason.SCHEDULE_CEILING)


@pytest.mark.parametrize(
    ("bounds", "desired"),
    [
        pytest.param({}, 20, id="the ceiling may be of another time"),
        pytest.param({"maxReplicas": 18}, 18, id="the maximum holds at any time"),
    ],
)
def test_no_ceiling_takes_pods_away_while_the_clock_is_doubted(bounds, desired):
    night = {"name": "night", "start": "0 8 * * *", "end": "0 10 * * *", "maxReplicas": 5}
    state = replace(quiet(3), seen_at=ago(3600))
    decision = decided(signal(300), spec=20, state=state, schedule=[night], **bounds)
    later = decided(signal(300), spec=20, state=quiet(3), schedule=[night], **bounds)

    assert (decision.desired_replicas, decision.reason) == (desired, Reason.CLOCK_JUMP_HOLD)
    assert decision.chain[-1].detail == "at most 5m left"
    assert (later.desired_replicas, later.reason) == (5, Reason.SCHEDULE_CEILING)


def test_a_ceiling_waits_for_the_clock_no_longer_than_a_window_whatever_is_forecast():
    night = {"name": "night", "start": "0 8 * * *", "end": "0 10 * * *", "maxReplicas": 5}
    ahead = signal(300, 300, lead_time=timedelta(minutes=10))
    desired = {
        age: decided(
            ahead,
            spec=20,
            state=quiet(3, holds=((Reason.CLOCK_JUMP_HOLD, ago(age)),)),
            schedule=[night],
        ).desired_replicas
        for age in (299, 300)
    }

    assert desired == {299: 20, 300: 5}


@pytest.mark.parametrize(
    ("spec", "bounds", "expected"),
    [
        pytest.param(10, {"minReplicas": 20}, (20, Reason.TOO_FEW_REPLICAS), id="min at once"),
        pytest.param(50, {"maxReplicas": 20}, (20, Reason.TOO_MANY_REPLICAS), id="max at once"),
        pytest.param(0, {}, (0, Reason.SCALING_DISABLED), id="zero is hands off"),
        pytest.param(
            0, {"minReplicas": 0}, (15, Reason.WOKEN_FROM_ZERO), id="unless zero is allowed"
        ),
    ],
)
def test_bounds_hold_at_once(spec, bounds, expected):
    behavior = {"scaleUp": {"policies": [{"type": "Pods", "value": 40, "periodSeconds": 15}]}}
    decision = decided(HIGH, spec=spec, state=quiet(40), behavior=behavior, **bounds)

    assert (decision.desired_replicas, decision.reason) == expected


def test_a_floor_of_the_schedule_is_reached_a_lead_time_ahead():
    sale = {
        "name": "sale",
        "start": "2026-11-23 09:02",
        "end": "2026-11-23 10:00",
        "minReplicas": 30,
    }
    decision = decided(LOW, schedule=[sale], forecast={"leadTime": "2m"})

    assert (decision.desired_replicas, decision.reason) == (30, Reason.SCHEDULE_FLOOR)
    assert decision.chain[-1].detail == "sale"
    assert decided(LOW, schedule=[sale], forecast={"leadTime": "60s"}).desired_replicas == 3


def test_a_floor_raises_also_where_no_other_number_is_asked_for():
    sale = {"name": "sale", "start": "0 8 * * *", "end": "0 20 * * *", "minReplicas": 14}
    decision = decided(signal(1000, 1000), schedule=[sale])

    assert (decision.desired_replicas, decision.reason) == (14, Reason.SCHEDULE_FLOOR)


def test_where_more_than_a_floor_is_asked_for_it_has_no_say_in_what_caps_both():
    sale = {"name": "sale", "start": "0 8 * * *", "end": "0 20 * * *", "minReplicas": 14}
    decision = decided(HIGH, schedule=[sale], maxReplicas=12)

    assert [(step.reason, step.before, step.after) for step in decision.chain] == [
        (Reason.TOO_MANY_REPLICAS, 15, 12)
    ]


@pytest.mark.parametrize(
    ("load", "most", "expected"),
    [
        pytest.param(LOW, 60, [(Reason.SCHEDULE_FLOOR, 3, 30)], id="below max it is just a floor"),
        pytest.param(
            LOW,
            20,
            [(Reason.SCHEDULE_FLOOR, 3, 30), (Reason.TOO_MANY_REPLICAS, 30, 20)],
            id="above max both are told",
        ),
        pytest.param(
            HIGH,
            15,
            [(Reason.SCHEDULE_FLOOR, 15, 30), (Reason.TOO_MANY_REPLICAS, 30, 15)],
            id="even where max is asked for anyway",
        ),
    ],
)
@pytest.mark.parametrize("beside", [(), (LOWER,)], ids=["", "beside a lower one"])
def test_a_floor_above_max_is_capped_and_the_chain_says_so(load, most, expected, beside):
    sale = {"name": "sale", "start": "0 8 * * *", "end": "0 20 * * *", "minReplicas": 30}
    schedule = [sale, *beside]
    decision = decided(load, schedule=schedule, maxReplicas=most)

    assert [(step.reason, step.before, step.after) for step in decision.chain] == expected
    assert decision.chain[0].detail == "sale"


@pytest.mark.parametrize(
    ("load", "start"),
    [
        pytest.param(HIGH, "0 12 * * *", id="its time has not come"),
        pytest.param(signal(3000), "0 8 * * *", id="as much is asked for anyway"),
    ],
)
def test_a_floor_above_max_has_no_say_where(load, start):
    sale = {"name": "sale", "start": start, "end": "0 20 * * *", "minReplicas": 30}
    fast = {"scaleUp": {"policies": [{"type": "Pods", "value": 40, "periodSeconds": 15}]}}
    decision = decided(load, schedule=[sale], maxReplicas=12, behavior=fast)

    assert reasons(decision) == [Reason.TOO_MANY_REPLICAS]


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        pytest.param({"maxReplicas": 12}, (12, "ScheduleCeiling", "quota"), id="a ceiling"),
        pytest.param({"maxReplicas": 30}, (14, "TooManyReplicas", ""), id="above max"),
        pytest.param(
            {"maxReplicas": 1},
            (2, "ScheduleCeiling", "quota: 1, but at least 2 are asked for"),
            id="below min, which wins and is told",
        ),
        pytest.param({"maxReplicas": 2}, (2, "ScheduleCeiling", "quota"), id="just min"),
    ],
)
def test_a_ceiling_holds_between_min_and_max(entry, expected):
    quota = {"name": "quota", "start": "0 8 * * *", "end": "0 20 * * *", **entry}
    decision = decided(HIGH, schedule=[quota], minReplicas=2, maxReplicas=14)

    assert (decision.desired_replicas, decision.reason, decision.chain[-1].detail) == expected
