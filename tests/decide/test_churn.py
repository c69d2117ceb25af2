"""Fewer, larger steps, where a forecast sizes the workload."""

from dataclasses import replace
from datetime import timedelta

import pytest

from autoscaler.decide.decision import Decision, Limit
from autoscaler.decide.facts import Doubt, PodFacts, Trust
from autoscaler.decide.reason import Reason
from decide.worlds import (
    LONG_AGO,
    LOW,
    NOW,
    WORTH,
    ago,
    decided,
    events,
    outcome,
    quiet,
    signal,
    workload,
)

# 9:00 UTC is within.
CEILING = {"name": "office", "start": "0 8 * * *", "end": "0 20 * * *", "maxReplicas": 21}
UNDER_AN_HPA = workload(20, hpa_max_replicas=21)
BY_TWO = {"scaleUp": {"policies": [{"type": "Pods", "value": 2, "periodSeconds": 60}]}}
FAST = {"scaleUp": {"policies": [{"type": "Pods", "value": 1000, "periodSeconds": 15}]}}


def cycles_until_a_scale_in(load, *, state=None):
    """How many cycles of 15 s ten pods stay, once windows and cooldowns are over."""
    state = quiet(0, surplus=timedelta(0)) if state is None else state
    for cycle in range(1000):
        now = NOW + timedelta(seconds=15 * cycle)
        seen = signal(load, load)
        step = outcome(
            replace(seen, sample=replace(seen.sample, sampled_at=now)), state=state, now=now
        )
        if step.decision.rescale:
            return cycle
        state = step.state_if_held
    return None


@pytest.mark.parametrize(
    ("load", "cycles"),
    [
        pytest.param(900, 60, id="a tenth too many: a quarter of an hour"),
        pytest.param(500, 12, id="a half: three minutes"),
        pytest.param(100, 7, id="nearly all: a little under two"),
        pytest.param(1000, None, id="none: never"),
    ],
)
def test_a_scale_in_waits_until_it_is_worth_a_share_of_the_window_of_the_whole(load, cycles):
    assert cycles_until_a_scale_in(load) == cycles


@pytest.mark.parametrize(
    ("window", "seconds", "desired"), [(0, 0, 5), (260, 77, 10), (260, 78, 5), (300, 89, 10)]
)
def test_the_wait_is_measured_in_stabilization_windows(window, seconds, desired):
    waited = quiet(0, surplus=timedelta(seconds=seconds))
    behavior = {"scaleDown": {"stabilizationWindowSeconds": window}}

    assert decided(signal(500, 500), state=waited, behavior=behavior).desired_replicas == desired


@pytest.mark.parametrize(
    ("history", "least"),
    [
        pytest.param(timedelta(days=14), 1.0, id="long known"),
        pytest.param(timedelta(days=1), 1.0, id="a day: the whole wait"),
        pytest.param(timedelta(hours=6), 0.25, id="a quarter of a day: a quarter of the wait"),
        pytest.param(timedelta(0), 0.0, id="new: none"),
    ],
)
def test_on_its_first_day_a_forecast_waits_for_less(history, least):
    load = signal(500, 500, history=history)
    short = max(timedelta(0), least * WORTH - timedelta(seconds=1))

    assert decided(load, state=quiet(0, surplus=least * WORTH)).desired_replicas == 5
    waits = decided(load, state=quiet(0, surplus=short)).reason is Reason.CHURN_HOLD
    assert waits == (least > 0)


def test_a_scale_in_that_waits_says_for_how_long():
    decision = decided(signal(500, 500), state=quiet(0, surplus=timedelta(seconds=60)))

    assert decision.chain == (
        Limit(Reason.CHURN_HOLD, 5, 10, "worth one in 1m, if the surplus lasts"),
    )


ALL_DAY = {"name": "sale", "start": "0 0 * * *", "end": "59 23 * * *"}


@pytest.mark.parametrize(
    ("kept_by", "reason"),
    [
        pytest.param({"minReplicas": 9}, Reason.CHURN_HOLD, id="a floor below: it waits"),
        pytest.param({"minReplicas": 10}, Reason.TOO_FEW_REPLICAS, id="minReplicas"),
        pytest.param(
            {"schedule": [ALL_DAY | {"minReplicas": 10}]}, Reason.SCHEDULE_FLOOR, id="sale"
        ),
        pytest.param({"pausedScaleIn": True}, Reason.SCALE_IN_PAUSED, id="a pause"),
        pytest.param(
            {"behavior": {"scaleDown": {"selectPolicy": "Disabled"}}},
            Reason.SCALE_DOWN_LIMIT,
            id="a rate limit",
        ),
    ],
)
@pytest.mark.parametrize("surplus", [timedelta(0), WORTH / 2])
@pytest.mark.parametrize("lowered_at", [None, ago(10)], ids=["", "cooling down"])
def test_what_is_kept_anyway_is_not_said_to_wait(kept_by, reason, surplus, lowered_at):
    state = quiet(0, surplus=surplus, last_scale_down_at=lowered_at)
    decision = decided(signal(500, 500), state=state, **kept_by)

    assert (decision.desired_replicas, decision.reason) == (10, reason)


def test_a_floor_above_what_is_there_raises_without_a_word_of_waiting():
    decision = decided(signal(500, 500), state=quiet(0, surplus=timedelta(0)), minReplicas=11)

    assert decision.chain == (Limit(Reason.TOO_FEW_REPLICAS, 5, 11),)


@pytest.mark.parametrize(
    "kept_by",
    [
        pytest.param({"minReplicas": 10}, id="a floor"),
        pytest.param({"schedule": [ALL_DAY | {"minReplicas": 10}]}, id="a floor of the schedule"),
        pytest.param({"pausedScaleIn": True}, id="a pause"),
        pytest.param({"behavior": {"scaleDown": {"selectPolicy": "Disabled"}}}, id="a rate limit"),
    ],
)
def test_a_surplus_that_lasted_is_given_back_once_nothing_keeps_it(kept_by):
    kept = outcome(LOW, state=quiet(0, surplus=WORTH), **kept_by).state_if_held

    assert kept.idle_share == pytest.approx(0.7)
    assert decided(LOW, state=replace(kept, seen_at=ago(15))) == Decision(
        10, 3, Reason.ALL_BELOW_TARGET
    )


def test_a_surplus_that_ends_was_not_worth_it():
    waited = outcome(signal(900, 900), state=quiet(0, surplus=timedelta(seconds=100))).state_if_held
    over = outcome(signal(1000, 1000), state=waited).state_if_held

    assert waited.surplus == timedelta(seconds=100)
    assert waited.idle_share == pytest.approx(0.1)
    assert (over.surplus, over.idle_share) == (timedelta(0), 0.0)


def test_a_surplus_goes_on_while_the_cooldown_waits_and_ends_with_a_rescale():
    worth, cooldown = quiet(0, last_scale_down_at=ago(10)), {"cooldown": {"scaleDown": "5m"}}
    cooling = outcome(LOW, state=worth, **cooldown)

    assert cooling.decision.reason is Reason.COOLDOWN_ACTIVE
    assert cooling.state_if_held.surplus == WORTH
    assert cooling.state_if_held.idle_share == pytest.approx(0.7)
    lowered = outcome(LOW)
    assert lowered.state_if_held.surplus == WORTH
    assert lowered.state_after(rescaled=True).surplus == timedelta(0)


def test_a_cycle_that_came_late_adds_a_minute_at_most():
    state = quiet(0, surplus=timedelta(0), idle_share=0.5)
    late = outcome(signal(500, 500), state=replace(state, seen_at=ago(100)))

    assert late.state_if_held.surplus == timedelta(seconds=30)


def test_without_a_forecast_a_scale_in_waits_no_longer_than_hpa_s():
    alone = replace(LOW, forecast=None)

    assert decided(alone, state=quiet(0, surplus=timedelta(0))).desired_replicas == 3


# With a quantile of 1,200 at 1 %, 1,147 is exceeded at 2 %; at 10 %, 1,071 at 20 %.
NOISE = {"median": 900.0}
# At a quarter, half of the time there is no load at all.
NOT_YET = {"load": 0.0, "median": 0.0, "risk": 0.25}


@pytest.mark.parametrize(
    ("there", "fields", "desired"),
    [
        pytest.param(11, {}, 12, id="the risk is more than doubled"),
        pytest.param(12, {}, 12, id="all that is asked for is there"),
        pytest.param(11, {"risk": 0.1}, 11, id="at a higher risk, twice it is further off"),
        pytest.param(10, {"risk": 0.1}, 12, id="but not so far"),
        pytest.param(10, {"risk": 0.25}, 10, id="twice a quarter is the median"),
        pytest.param(9, {"risk": 0.5}, 12, id="measured load is not, whatever the risk"),
        pytest.param(10, {"risk": 0.5, "median": 1001.0}, 12, id="nor is the median"),
        pytest.param(11, {"risk": 0.1, "median": 966.0}, 11, id="1,099 at 20 %: as good as enough"),
        pytest.param(11, {"risk": 0.1, "median": 970.0}, 12, id="1,101: not quite"),
        pytest.param(11, {"risk": 0.1, "burst": True}, 12, id="a burst"),
        pytest.param(11, {"risk": 0.1, "trust": Trust.DEMOTED}, 16, id="no trust: persistence"),
        pytest.param(11, {"risk": 0.1, "median": 1300.0}, 12, id="a median above the quantile"),
        pytest.param(0, {"risk": 0.1}, 12, id="from zero, anything is more"),
        pytest.param(0, NOT_YET, 12, id="also where there is nothing yet"),
        pytest.param(1, NOT_YET, 1, id="which one pod is enough for"),
    ],
)
def test_nothing_is_added_before_the_risk_is_twice_the_stated_one(there, fields, desired):
    state = quiet(12, idle_since=ago(60)) if not there else quiet(12)
    persistence = {"reactive_quantile": 1600.0}
    load = signal(**({"load": 980, "quantile": 1200} | NOISE | persistence | fields))

    assert (
        decided(load, spec=there, state=state, minReplicas=0, behavior=FAST).desired_replicas
        == desired
    )


def test_what_is_enough_for_now_is_told():
    decision = decided(signal(980, 1200, **NOISE, risk=0.1), spec=11, state=quiet(12))

    told = "with them the risk is less than twice the stated one"
    assert decision == Decision(
        11, 11, Reason.CHURN_HOLD, (Limit(Reason.CHURN_HOLD, 12, 11, told),)
    )


def test_of_two_metrics_each_is_given_what_it_cannot_spare():
    spared, short = signal(980, 1200, **NOISE, risk=0.1), signal(980, 1500)

    assert decided(spared, short, spec=11, state=quiet(12)).desired_replicas == 15
    assert decided(spared, signal(1500), spec=11, state=quiet(12)).desired_replicas == 15


@pytest.mark.parametrize(
    ("load", "history"),
    [
        pytest.param(None, timedelta(days=14), id="the load is not known"),
        pytest.param(980, timedelta(0), id="the forecast is new: nothing waits"),
    ],
)
def test_nothing_is_spared_on_doubt(load, history):
    blind = signal(load, 1200, **NOISE, risk=0.1, history=history)

    assert decided(blind, spec=11, state=quiet(12)).desired_replicas == 12


def test_nothing_is_spared_where_no_scale_in_waits():
    no_window = {"scaleDown": {"stabilizationWindowSeconds": 0}}
    decision = decided(
        signal(980, 1200, **NOISE, risk=0.1), spec=11, state=quiet(12), behavior=no_window
    )

    assert decision.desired_replicas == 12


def test_pods_that_never_come_are_made_up_for_beyond_what_is_enough():
    pods = [PodFacts(f"pod-{i}", LONG_AGO, ready=i > 0) for i in range(11)]
    facts = workload(11, pods=tuple(pods), ready_replicas=10)
    decision = decided(signal(980, 1200, **NOISE, risk=0.1), facts=facts, state=quiet(12))

    assert decision.desired_replicas == 13


def foreseen(replicas, **fields):
    """A forecast that asks for so many pods, where measured load asks for one fewer."""
    return signal(replicas * 100.0 - 100.0, replicas * 100.0, **fields)


@pytest.mark.parametrize(
    ("there", "asked", "added", "desired"),
    [
        pytest.param(100, 101, (), 103, id="one per cent in half an hour: three at once"),
        pytest.param(100, 105, (), 107, id="five: seven"),
        pytest.param(100, 108, (), 109, id="eight: nine"),
        pytest.param(100, 112, (), 112, id="twelve at once is a large step already"),
        pytest.param(100, 101, (10,), 112, id="what was added before is part of the rise"),
        pytest.param(100, 101, (10, -10), 103, id="what was taken away again is none"),
        pytest.param(100, 101, (-10,), 101, id="nor what comes back"),
        pytest.param(10, 11, (), 11, id="of few pods one is a large step"),
        pytest.param(10, 11, (2,), 12, id="unless they have been rising"),
        pytest.param(100, 101, (100,), 146, id="however steep, less than a half more"),
        pytest.param(100, 101, (200,), 146, id="more were added than are there: from none"),
    ],
)
def test_a_rise_is_met_in_steps_as_large_as_a_steady_fall_is(there, asked, added, desired):
    state = quiet(asked, scale_events=events(*((600, change) for change in added)))

    decision = decided(foreseen(asked), spec=there, state=state, maxReplicas=1000)
    assert decision.desired_replicas == desired


def test_a_rise_is_what_was_added_in_half_an_hour():
    risen = {age: quiet(21, scale_events=events((age, 10))) for age in (1800, 1801)}
    desired = {
        age: decided(foreseen(21), spec=20, state=state).desired_replicas
        for age, state in risen.items()
    }

    assert desired == {1800: 26, 1801: 21}


def test_a_larger_step_says_why():
    state = quiet(21, scale_events=events((600, 4)))
    decision = decided(foreseen(21), spec=20, state=state)

    told = "up from 16 in 30m"
    assert decision == Decision(
        20, 24, Reason.RISING_LOAD, (Limit(Reason.RISING_LOAD, 21, 24, told),)
    )


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param(
            {"behavior": {"scaleDown": {"stabilizationWindowSeconds": 0}}}, id="no window"
        ),
        pytest.param({"maxReplicas": 21}, id="no more pods are allowed"),
        pytest.param(
            {"behavior": {"scaleUp": {"stabilizationWindowSeconds": 60}}}, id="the lowest counts"
        ),
        pytest.param({"schedule": [CEILING]}, id="a schedule allows no more"),
        pytest.param({"actuator": "hpa", "facts": UNDER_AN_HPA}, id="the HPA allows no more"),
        pytest.param(
            {"actuator": "hpa", "facts": workload(20, hpa_max_replicas=90), "maxReplicas": 21},
            id="the HPA would, but not the policy",
        ),
    ],
)
def test_no_step_is_larger_where(fields):
    """And no bound is said to cap what is needed."""
    state = quiet(21, scale_events=events((600, 4)))

    decision = decided(foreseen(21), **({"spec": 20, "state": state} | fields))
    assert decision == Decision(20, 21, Reason.FORECAST_ABOVE_TARGET)


def test_a_larger_step_ends_at_the_highest_that_is_allowed():
    state = quiet(21, scale_events=events((600, 4)))
    decision = decided(foreseen(21), spec=20, state=state, maxReplicas=22)

    told = "up from 16 in 30m"
    assert decision == Decision(
        20, 22, Reason.RISING_LOAD, (Limit(Reason.RISING_LOAD, 21, 22, told),)
    )


def test_a_larger_step_is_as_large_where_measured_load_asks_for_as_much():
    state = quiet(21, scale_events=events((600, 4)))

    assert decided(signal(2100, 2100), spec=20, state=state).desired_replicas == 24


@pytest.mark.parametrize(
    ("loads", "desired"),
    [
        pytest.param((foreseen(21), foreseen(20)), 24, id="a lower one beside it"),
        pytest.param((foreseen(21), signal(2100, 2000)), 24, id="a measured load asks for it"),
        pytest.param((foreseen(21), foreseen(20, trust=Trust.DEMOTED)), 21, id="one is demoted"),
        pytest.param((foreseen(21), signal(None)), 21, id="one is unknown"),
        pytest.param((foreseen(21), foreseen(20, age=timedelta(hours=5))), 21, id="one is old"),
    ],
)
def test_of_several_metrics_each_has_to_have_a_forecast_that_steers(loads, desired):
    state = quiet(21, scale_events=events((600, 4)))

    assert decided(*loads, spec=20, state=state).desired_replicas == desired


@pytest.mark.parametrize(
    ("fields", "desired"),
    [
        pytest.param({"cooldown": {"scaleUp": "20m"}}, 20, id="a cooldown"),
        pytest.param({"pausedScaleOut": True}, 20, id="a pause"),
        pytest.param({"behavior": BY_TWO}, 22, id="a rate limit"),
    ],
)
def test_what_delays_a_scale_out_delays_a_larger_one_as_well(fields, desired):
    state = quiet(21, scale_events=events((600, 4)), last_scale_up_at=ago(600))

    assert decided(foreseen(21), spec=20, state=state, **fields).desired_replicas == desired


@pytest.mark.parametrize(
    "load",
    [
        pytest.param(signal(2201), id="no forecast: HPA's rule beyond its tolerance"),
        pytest.param(foreseen(23, history=timedelta(0)), id="a new forecast"),
        pytest.param(
            foreseen(23, trust=Trust.DEMOTED), id="a forecast that does not beat persistence"
        ),
        pytest.param(foreseen(23, trust=Trust.STALE), id="a stale one"),
        pytest.param(foreseen(23, burst=True), id="a burst, which is no steady rise"),
        pytest.param(foreseen(23, doubt=Doubt.PARTIAL), id="a load that is a lower bound"),
    ],
)
def test_no_step_is_larger_for(load):
    state = quiet(23, scale_events=events((600, 10)))

    assert decided(load, spec=20, state=state).desired_replicas == 23


def test_however_long_the_window_a_step_for_a_rise_is_a_half_at_most():
    state = quiet(21, scale_events=events((600, 15)))
    hour = {"scaleDown": {"stabilizationWindowSeconds": 3600}}

    assert decided(foreseen(21), spec=20, state=state, behavior=hour).desired_replicas == 30
