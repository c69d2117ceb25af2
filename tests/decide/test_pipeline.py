"""From a recommendation to a decision: every rule in its place, and what is remembered."""

from dataclasses import replace
from datetime import timedelta

import pytest

from autoscaler.decide.decision import Decision, Limit
from autoscaler.decide.facts import (
    Capacity,
    CapacitySource,
    Doubt,
    PodFacts,
    PodPhase,
    Sample,
    Trust,
)
from autoscaler.decide.reason import Reason
from autoscaler.decide.state import Order, TimestampedRecommendation, WorkloadState
from autoscaler.decide.zero import IDLE_BEFORE_ZERO
from decide.worlds import (
    LONG_AGO,
    NOW,
    TARGET,
    WORTH,
    ago,
    decided,
    events,
    outcome,
    quiet,
    signal,
    workload,
)

PERCENT = {"type": "Percent", "value": 100, "periodSeconds": 15}
FAST = {"scaleUp": {"policies": [{"type": "Pods", "value": 1000, "periodSeconds": 15}]}}
LOW, HIGH = signal(300, 300), signal(1500)


AGES_AGO = WorkloadState(
    LONG_AGO,
    (TimestampedRecommendation(ago(240), 9),),
    seen_at=ago(15),
    busiest=((ago(300), 9.0),),
)


def reasons(decision):
    return [limit.reason for limit in decision.chain]


def test_growth_comes_at_once():
    assert decided(HIGH) == Decision(10, 15, Reason.METRIC_ABOVE_TARGET)


def test_growth_by_forecast_is_what_the_forecast_asks_for():
    assert decided(signal(1500, 1700)) == Decision(10, 17, Reason.FORECAST_ABOVE_TARGET)


def test_shrinking_comes_when_window_and_cooldown_are_over():
    assert decided(LOW) == Decision(10, 3, Reason.ALL_BELOW_TARGET)


def test_the_highest_recommendation_of_the_window_wins_and_says_for_how_long():
    past = tuple(TimestampedRecommendation(ago(age), n) for age, n in ((135, 6), (15, 4)))
    decision = decided(LOW, state=replace(quiet(), recommendations=past))

    held = Limit(Reason.SCALE_DOWN_STABILIZED, 3, 6, "2m45s left")
    assert decision == Decision(10, 6, Reason.SCALE_DOWN_STABILIZED, (held,))


@pytest.mark.parametrize(
    ("minutes", "ahead", "trust", "desired"),
    [
        pytest.param(9, 10, Trust.TRUSTED, 10, id="its time is still to come"),
        pytest.param(10, 10, Trust.TRUSTED, 3, id="its time has come"),
        pytest.param(4, 2, Trust.TRUSTED, 10, id="the window is longer"),
        pytest.param(9, 10, Trust.DEMOTED, 3, id="nobody trusts it"),
        pytest.param(31, 1440, Trust.TRUSTED, 3, id="farther than anybody can look"),
    ],
)
def test_what_a_forecast_asked_for_is_not_given_back_before_its_time(
    minutes, ahead, trust, desired
):
    asked = (TimestampedRecommendation(ago(60 * minutes), 10), TimestampedRecommendation(ago(0), 3))
    state = replace(quiet(), recommendations=asked)
    lower = signal(300, 300, lead_time=timedelta(minutes=ahead), trust=trust)

    held = decided(lower, state=state)

    assert held.desired_replicas == desired
    longer = ", as long as the forecast looks ahead" if ahead > 5 else ""
    assert desired == 3 or held.chain[-1].detail == f"1m left{longer}"


def test_a_forecast_without_a_say_keeps_nothing_for_its_time():
    without_capacity = signal(300, 300, capacity=None, lead_time=timedelta(minutes=10))

    assert outcome(without_capacity).recommendation.promised_for == timedelta(0)


@pytest.mark.parametrize(("minutes", "desired"), [(9, 10), (10, 3)])
def test_a_restart_forgets_what_a_forecast_asked_for_and_holds_as_long(minutes, desired):
    state = replace(quiet(3, 3), started_at=ago(60 * minutes))
    lower = signal(300, 300, lead_time=timedelta(minutes=10))

    assert decided(lower, state=state).desired_replicas == desired


def test_what_a_forecast_asked_for_is_remembered_while_nobody_trusts_it():
    state = quiet()
    for minute, trust in enumerate([Trust.TRUSTED] * 7 + [Trust.DEMOTED] + [Trust.TRUSTED] * 2):
        quantile = 1000 if minute == 0 else 300
        now = NOW + minute * timedelta(minutes=1)
        one = signal(300, quantile, lead_time=timedelta(minutes=10), trust=trust)
        one = replace(one, sample=replace(one.sample, sampled_at=now))
        got = outcome(one, state=state, now=now)
        state = got.state_if_held

    assert got.decision.reason is Reason.SCALE_DOWN_STABILIZED


def test_a_scale_out_window_says_for_how_long_it_holds():
    past = (TimestampedRecommendation(ago(50), 11), TimestampedRecommendation(ago(20), 12))
    state = replace(quiet(), recommendations=past)
    decision = decided(HIGH, state=state, behavior={"scaleUp": {"stabilizationWindowSeconds": 60}})

    assert decision.chain == (Limit(Reason.SCALE_UP_STABILIZED, 15, 11, "10s left"),)


@pytest.mark.parametrize(
    ("state", "reason"),
    [
        pytest.param(WorkloadState(ago(299), seen_at=ago(15)), Reason.RESTART_HOLD, id="restart"),
        pytest.param(
            quiet(0, doubts=((Reason.BURST_HOLD, ago(60)),)), Reason.BURST_HOLD, id="burst"
        ),
        pytest.param(
            quiet(0, doubts=((Reason.LOAD_VANISHED_HOLD, ago(60)),)),
            Reason.LOAD_VANISHED_HOLD,
            id="vanished",
        ),
        pytest.param(replace(quiet(0), seen_at=ago(-60)), Reason.CLOCK_JUMP_HOLD, id="clock back"),
        pytest.param(
            replace(quiet(0), seen_at=ago(3600)), Reason.CLOCK_JUMP_HOLD, id="clock forward"
        ),
        pytest.param(quiet(0, last_scale_down_at=ago(299)), Reason.COOLDOWN_ACTIVE, id="cooldown"),
    ],
)
def test_a_memory_that_holds(state, reason):
    decision = decided(LOW, state=state)

    assert (decision.desired_replicas, decision.reason) == (10, reason)


@pytest.mark.parametrize(
    ("facts", "reason"),
    [
        pytest.param({"rollout_in_progress": True}, Reason.ROLLOUT_HOLD, id="rollout"),
        pytest.param({"ready_replicas": 2}, Reason.PODS_NOT_READY_HOLD, id="too few serve"),
    ],
)
def test_a_cluster_that_holds(facts, reason):
    decision = decided(LOW, facts=workload(10, **facts))

    assert (decision.desired_replicas, decision.reason) == (10, reason)
    assert decided(HIGH, facts=workload(10, **facts)).desired_replicas == 15


@pytest.mark.parametrize(
    ("doubt", "age", "desired"),
    [
        pytest.param(Reason.ROLLOUT_HOLD, 1799, 10, id="a rollout holds for half an hour"),
        pytest.param(Reason.ROLLOUT_HOLD, 1800, 3, id="a stuck one no longer"),
        pytest.param(Reason.PODS_NOT_READY_HOLD, 899, 10, id="unready pods for a quarter"),
        pytest.param(Reason.PODS_NOT_READY_HOLD, 900, 3, id="and no longer"),
    ],
)
def test_a_hold_is_bounded_in_time(doubt, age, desired):
    facts = workload(10, rollout_in_progress=doubt is Reason.ROLLOUT_HOLD)
    if doubt is Reason.PODS_NOT_READY_HOLD:
        facts = replace(facts, ready_replicas=2)

    assert (
        decided(LOW, facts=facts, state=quiet(0, doubts=((doubt, ago(age)),))).desired_replicas
        == desired
    )


def test_a_restart_forgets_the_cooldown_and_therefore_waits_for_it():
    state = replace(quiet(3), started_at=ago(400))

    assert decided(LOW, state=state, cooldown={"scaleDown": "401s"}).reason is Reason.RESTART_HOLD
    assert decided(LOW, state=state, cooldown={"scaleDown": "400s"}).desired_replicas == 3


def test_a_second_jump_of_the_clock_begins_its_hold_anew():
    jumped = replace(quiet(0, doubts=((Reason.CLOCK_JUMP_HOLD, ago(299)),)), seen_at=ago(-60))

    assert outcome(LOW, state=jumped).state_if_held.since(Reason.CLOCK_JUMP_HOLD) == NOW


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        pytest.param(300, None, id="five minutes late is late"),
        pytest.param(301, NOW, id="more is a jump"),
        pytest.param(-5, None, id="five seconds back is a correction"),
        pytest.param(-6, NOW, id="more is a jump too"),
    ],
)
def test_what_counts_as_a_jump_of_the_clock(seconds, expected):
    after = outcome(LOW, state=replace(quiet(0), seen_at=ago(seconds))).state_if_held

    assert after.since(Reason.CLOCK_JUMP_HOLD) == expected


def test_a_restart_with_its_history_read_back_needs_no_hold():
    state = replace(quiet(3, 3), started_at=NOW, recovered=True)

    assert decided(LOW, state=state).desired_replicas == 3


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


def test_metrics_that_contradict_each_other_hold():
    decision = decided(signal(0.0, 10), signal(600, 600))

    assert (decision.desired_replicas, decision.reason) == (10, Reason.METRICS_CONTRADICT_HOLD)


def test_a_load_that_vanishes_holds_and_a_load_that_sinks_does_not():
    gone, less = signal(2.0, 2.0), signal(200, 200)

    assert decided(gone, state=quiet(9)).reason is Reason.LOAD_VANISHED_HOLD
    assert decided(less, state=quiet(9)).reason is Reason.SCALE_DOWN_STABILIZED


def test_a_load_that_came_back_and_vanishes_again_holds_anew():
    vanished = ((Reason.LOAD_VANISHED_HOLD, ago(590)),)
    gone, again = signal(2.0, 2.0), quiet(9, doubts=vanished)
    still = replace(quiet(2), doubts=vanished)

    assert outcome(gone, state=again).state_if_held.since(Reason.LOAD_VANISHED_HOLD) == NOW
    assert outcome(gone, state=still).state_if_held.since(Reason.LOAD_VANISHED_HOLD) == ago(590)


def test_the_busiest_of_five_minutes_is_remembered_and_an_unknown_load_forgets_nothing():
    lately = ((ago(310), 9.0), (ago(200), 5.0), (ago(100), 2.0), (ago(50), 1.0))

    def remembered(load):
        return outcome(signal(load, 2.0), state=quiet(3, busiest=lately)).state_if_held.busiest

    assert remembered(200.0) == ((ago(200), 5.0), (NOW, 2.0))
    assert remembered(None) == lately


@pytest.mark.parametrize(
    ("gone", "before"),
    [
        pytest.param(signal(2.0, 2.0), quiet(2), id="of two pods one is noise"),
        pytest.param(signal(2.0, 460.0), quiet(9), id="not while more than half is expected"),
        pytest.param(signal(2.0, 2.0), WorkloadState(LONG_AGO), id="nor from what was assumed"),
        pytest.param(signal(2.0, 2.0), AGES_AGO, id="nor from a load of five minutes ago"),
        pytest.param(
            signal(50, 50), quiet(9, busiest=((ago(60), 4.0),)), id="nor below what noise asks for"
        ),
        pytest.param(
            signal(2.0, 2.0), replace(quiet(1), busiest=((ago(60), 9.0),)), id="nor without a need"
        ),
    ],
)
def test_what_is_no_vanished_load(gone, before):
    first = outcome(gone, state=before)
    again = outcome(gone, state=first.state_if_held)

    assert again.state_if_held.since(Reason.LOAD_VANISHED_HOLD) is None


def test_a_load_of_three_pods_may_vanish_down_to_half_of_them():
    assert decided(signal(2.0, 400.0), state=quiet(8)).reason is Reason.LOAD_VANISHED_HOLD
    assert decided(signal(2.0, 2.0), state=quiet(3)).reason is Reason.LOAD_VANISHED_HOLD


def test_as_many_ready_as_needed_are_enough():
    assert decided(LOW, facts=workload(10, ready_replicas=3)).desired_replicas == 3


def test_a_jumped_clock_still_holds_a_cycle_later():
    state = quiet(0, doubts=((Reason.CLOCK_JUMP_HOLD, ago(299)),))

    assert decided(LOW, state=state).reason is Reason.CLOCK_JUMP_HOLD
    over = quiet(0, doubts=((Reason.CLOCK_JUMP_HOLD, ago(300)),))
    assert decided(LOW, state=over).desired_replicas == 3


def test_a_jumped_clock_has_not_brought_on_what_a_forecast_asked_for():
    ahead = signal(300, 300, lead_time=timedelta(minutes=10))
    reasons = [
        decided(ahead, state=quiet(0, doubts=((Reason.CLOCK_JUMP_HOLD, ago(age)),))).reason
        for age in (599, 600)
    ]

    assert reasons == [Reason.CLOCK_JUMP_HOLD, Reason.ALL_BELOW_TARGET]


def test_a_burst_grows_through_the_scale_out_cooldown_and_nothing_shrinks_through_the_other():
    cooldown = {"cooldown": {"scaleUp": "5m", "scaleDown": "5m"}}
    busy = quiet(0, last_scale_up_at=ago(10), last_scale_down_at=ago(10))
    bursting = signal(900, 900, burst=True)

    assert decided(HIGH, state=busy, **cooldown).reason is Reason.COOLDOWN_ACTIVE
    assert decided(bursting, spec=8, state=busy, **cooldown).desired_replicas == 9
    assert decided(LOW, state=busy, **cooldown).desired_replicas == 10


def test_each_direction_has_its_own_cooldown():
    cooldown = {"cooldown": {"scaleUp": "5m", "scaleDown": "5m"}}
    grown, shrunk = quiet(0, last_scale_up_at=ago(10)), quiet(0, last_scale_down_at=ago(10))

    assert decided(HIGH, state=grown, **cooldown).reason is Reason.COOLDOWN_ACTIVE
    assert decided(HIGH, state=shrunk, **cooldown).desired_replicas == 15
    assert decided(LOW, state=grown, **cooldown).desired_replicas == 3


def test_a_burst_that_outlasts_its_hold_does_not_shrink_through_the_cooldown_either():
    bursting, state = (
        signal(300, 300, burst=True),
        quiet(0, doubts=((Reason.BURST_HOLD, ago(901)),)),
    )

    assert decided(bursting, state=state).desired_replicas == 3
    cooling = replace(state, last_scale_down_at=ago(10))
    assert decided(bursting, state=cooling).reason is Reason.COOLDOWN_ACTIVE


def test_the_time_left_is_in_the_record():
    decision = decided(LOW, state=quiet(0, last_scale_down_at=ago(100)))

    assert decision.chain == (Limit(Reason.COOLDOWN_ACTIVE, 3, 10, "3m20s left"),)


def test_replicas_needed_again_soon_are_kept():
    decision = decided(signal(300, 300, scale_in_quantile=680.0))

    assert decision == Decision(
        10, 7, Reason.CHURN_HOLD, (Limit(Reason.CHURN_HOLD, 3, 7, "needed again soon"),)
    )


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
        pytest.param(900, 50, id="a tenth too many: twelve and a half minutes"),
        pytest.param(500, 10, id="a half: two and a half"),
        pytest.param(100, 6, id="nearly all: a little under one and a half"),
        pytest.param(1000, None, id="none: never"),
    ],
)
def test_a_scale_in_waits_until_it_is_worth_a_quarter_of_the_window_of_the_whole(load, cycles):
    assert cycles_until_a_scale_in(load) == cycles


@pytest.mark.parametrize(
    ("window", "seconds", "desired"), [(0, 0, 5), (260, 64, 10), (260, 65, 5), (300, 74, 10)]
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
    decision = decided(signal(500, 500), state=quiet(0, surplus=timedelta(seconds=45)))

    assert decision.chain == (
        Limit(Reason.CHURN_HOLD, 5, 10, "worth one in 1m, if the surplus lasts"),
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
    assert lowered.state_if_rescaled.surplus == timedelta(0)


def test_a_cycle_that_came_late_adds_a_minute_at_most():
    state = quiet(0, surplus=timedelta(0), idle_share=0.5)
    late = outcome(signal(500, 500), state=replace(state, seen_at=ago(100)))

    assert late.state_if_held.surplus == timedelta(seconds=30)


def test_without_a_forecast_a_scale_in_waits_no_longer_than_hpa_s():
    alone = replace(LOW, forecast=None)

    assert decided(alone, state=quiet(0, surplus=timedelta(0))).desired_replicas == 3


# With a quantile of 1,200 at 1 %, 1,147 is exceeded at 2 %; at 10 %, 1,071 at 20 %.
NOISE = {"median": 900.0}


@pytest.mark.parametrize(
    ("there", "fields", "desired"),
    [
        pytest.param(11, {}, 12, id="the risk is more than doubled"),
        pytest.param(12, {}, 12, id="all that is asked for is there"),
        pytest.param(11, {"risk": 0.1}, 11, id="at a higher risk, twice it is further off"),
        pytest.param(10, {"risk": 0.25}, 10, id="twice a quarter is the median"),
        pytest.param(9, {"risk": 0.5}, 12, id="measured load is not, whatever the risk"),
        pytest.param(11, {"risk": 0.1, "burst": True}, 12, id="a burst"),
        pytest.param(11, {"risk": 0.1, "trust": Trust.DEMOTED}, 12, id="no trust"),
        pytest.param(11, {"risk": 0.1, "median": 1300.0}, 12, id="a median above the quantile"),
        pytest.param(0, {"risk": 0.1}, 12, id="from zero, anything is more"),
    ],
)
def test_nothing_is_added_before_the_risk_is_twice_the_stated_one(there, fields, desired):
    state = quiet(12, doubts=((Reason.SCALED_TO_ZERO, ago(60)),)) if not there else quiet(12)
    load = signal(980, 1200, **(NOISE | {"reactive_quantile": 1200.0} | fields))

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

    decision = decided(spared, short, spec=11, state=quiet(12))
    assert decision.desired_replicas == 15


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


def test_rules_follow_each_other_and_the_record_holds_each():
    behavior = {"scaleUp": {"policies": [{"type": "Pods", "value": 4, "periodSeconds": 60}]}}
    decision = decided(signal(5000), behavior=behavior, maxReplicas=12)

    assert decision.chain == (
        Limit(Reason.SCALE_UP_LIMIT, 50, 14),
        Limit(Reason.TOO_MANY_REPLICAS, 14, 12),
    )


FED = {"actuator": "hpa"}


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


def test_what_a_cooldown_holds_asks_no_rate_limit():
    behavior = {"scaleUp": {"policies": [{"type": "Pods", "value": 4, "periodSeconds": 60}]}}
    recently = quiet(0, last_scale_up_at=ago(10))
    decision = decided(signal(5000), state=recently, behavior=behavior, cooldown={"scaleUp": "5m"})

    assert reasons(decision) == [Reason.COOLDOWN_ACTIVE]


def test_a_pause_of_one_direction_outlives_a_bound():
    facts = workload(10, annotations={"autoscaler/paused-scale-in": "true"})
    decision = decided(LOW, facts=facts, state=quiet(10), maxReplicas=5)

    assert reasons(decision)[-2:] == [Reason.TOO_MANY_REPLICAS, Reason.SCALE_IN_PAUSED]
    assert decision.desired_replicas == 10


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


@pytest.mark.parametrize("down_seconds", [0, 300])
def test_at_first_sight_current_counts_as_recommended_where_growth_has_a_window(down_seconds):
    behavior = {
        "scaleUp": {"stabilizationWindowSeconds": 60},
        "scaleDown": {"stabilizationWindowSeconds": down_seconds},
    }
    decision = decided(HIGH, state=WorkloadState(LONG_AGO), behavior=behavior)

    assert (decision.desired_replicas, decision.reason) == (10, Reason.SCALE_UP_STABILIZED)


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
    assert (later.desired_replicas, later.reason) == (5, Reason.SCHEDULE_CEILING)


@pytest.mark.parametrize(
    ("clocks", "age"),
    [
        pytest.param((3600,), 300, id="ahead"),
        pytest.param((-3600, 0), 0, id="behind, and right again"),
        pytest.param((60,), 360, id="a late cycle is no jump"),
    ],
)
def test_a_rollout_s_hold_is_as_old_after_a_clock_jumped_as_before(clocks, age):
    facts = workload(10, rollout_in_progress=True)
    state = replace(quiet(3), doubts=((Reason.ROLLOUT_HOLD, ago(300)),), seen_at=ago(0))
    for skew in clocks:
        now = NOW + timedelta(seconds=skew)
        state = outcome(LOW, facts=facts, state=state, now=now).state_if_held

    assert state.since(Reason.ROLLOUT_HOLD) == now - timedelta(seconds=age)


def test_without_a_window_nothing_is_assumed_of_the_past():
    window = {"scaleDown": {"stabilizationWindowSeconds": 0}}
    step = outcome(LOW, state=WorkloadState(LONG_AGO), behavior=window)

    assert step.state_if_held.recommendations == (TimestampedRecommendation(NOW, 3),)


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


@pytest.mark.parametrize(
    ("annotations", "wanted", "expected"),
    [
        pytest.param({"paused": "true"}, HIGH, (10, Reason.PAUSED), id="paused"),
        pytest.param({"paused": ""}, HIGH, (10, Reason.PAUSED), id="any word pauses"),
        pytest.param({"paused": "False"}, HIGH, (15, Reason.METRIC_ABOVE_TARGET), id="but false"),
        pytest.param({"paused-scale-in": "true"}, LOW, (10, Reason.SCALE_IN_PAUSED), id="no less"),
        pytest.param(
            {"paused-scale-in": "true"}, HIGH, (15, Reason.METRIC_ABOVE_TARGET), id="more is fine"
        ),
        pytest.param(
            {"paused-scale-out": "true"}, HIGH, (10, Reason.SCALE_OUT_PAUSED), id="no more"
        ),
        pytest.param(
            {"paused-scale-out": "true"}, LOW, (3, Reason.ALL_BELOW_TARGET), id="less is fine"
        ),
        pytest.param(
            {"paused-replicas": "7"}, HIGH, (7, Reason.PAUSED_REPLICAS), id="a fixed count"
        ),
        pytest.param(
            {"paused-replicas": "seven"}, HIGH, (10, Reason.PAUSED), id="a typing error pauses"
        ),
        pytest.param(
            {"paused-replicas": "100001"}, HIGH, (10, Reason.PAUSED), id="one more than may be"
        ),
        pytest.param(
            {"paused-replicas": "9" * 9}, HIGH, (10, Reason.PAUSED), id="a count beyond all counts"
        ),
        pytest.param(
            {"paused-replicas": "9" * 5000}, HIGH, (10, Reason.PAUSED), id="or beyond all reading"
        ),
    ],
)
def test_a_pause_is_respected(annotations, wanted, expected):
    facts = workload(10, annotations={f"autoscaler/{k}": v for k, v in annotations.items()})
    decision = decided(wanted, facts=facts)

    assert (decision.desired_replicas, decision.reason) == expected


@pytest.mark.parametrize(
    ("field", "wanted", "expected"),
    [
        pytest.param("paused", HIGH, (10, Reason.PAUSED), id="whole"),
        pytest.param("pausedScaleIn", LOW, (10, Reason.SCALE_IN_PAUSED), id="no less"),
        pytest.param("pausedScaleIn", HIGH, (15, Reason.METRIC_ABOVE_TARGET), id="more is fine"),
        pytest.param("pausedScaleOut", HIGH, (10, Reason.SCALE_OUT_PAUSED), id="no more"),
        pytest.param("pausedScaleOut", LOW, (3, Reason.ALL_BELOW_TARGET), id="less is fine"),
    ],
)
def test_a_policy_pauses_as_an_annotation_does(field, wanted, expected):
    lifted = {f"autoscaler/{name}": "false" for name in ("paused-scale-in", "paused-scale-out")}
    decision = decided(wanted, facts=workload(10, annotations=lifted), **{field: True})

    assert (decision.desired_replicas, decision.reason) == expected


def test_a_paused_policy_goes_on_remembering():
    paused = outcome(LOW, paused=True, state=quiet(7))

    assert paused.decision.reason is Reason.PAUSED
    assert [r.replicas for r in paused.state_if_held.recommendations] == [7, 3]


AT_SEVEN = {"autoscaler/paused-replicas": "7"}


def test_a_rival_is_not_fought_and_does_not_disturb_a_dry_run():
    facts = workload(10, rival="HorizontalPodAutoscaler shop/checkout")

    assert decided(HIGH, facts=facts, mode="ForecastAndScale").reason is Reason.REPLICAS_CONTESTED
    assert decided(HIGH, facts=facts).desired_replicas == 15


def test_a_fixed_count_fights_no_rival_either():
    facts = workload(10, rival="HorizontalPodAutoscaler shop/checkout", annotations=AT_SEVEN)

    assert decided(HIGH, facts=facts, mode="ForecastAndScale").chain == (
        Limit(
            Reason.REPLICAS_CONTESTED, 15, 10, "governed by HorizontalPodAutoscaler shop/checkout"
        ),
    )
    assert decided(HIGH, facts=facts).desired_replicas == 7


def test_a_fixed_count_that_is_overwritten_is_left_alone_for_a_while():
    contested = replace(quiet(0), reverted_at=(ago(400), ago(60)))
    facts = workload(10, annotations=AT_SEVEN)

    assert decided(HIGH, facts=facts, state=contested).reason is Reason.REPLICAS_CONTESTED
    there = decided(HIGH, facts=workload(7, annotations=AT_SEVEN), state=contested)
    assert there.reason is Reason.PAUSED_REPLICAS


def test_a_count_that_is_overwritten_twice_is_left_alone_for_a_while():
    contested = replace(quiet(0), order=Order(15, ago(60), "1"), reverted_at=(ago(400),))
    facts = workload(10, resource_version="3", replicas_manager="argocd-controller")
    first = outcome(HIGH, facts=facts, state=contested)

    assert first.decision.chain == (
        Limit(Reason.REPLICAS_CONTESTED, 15, 10, "overwritten by argocd-controller, 5m left"),
    )
    later = outcome(HIGH, facts=facts, state=first.state_if_held, now=NOW + timedelta(minutes=5))
    assert later.decision.desired_replicas == 15


def test_one_change_by_another_hand_is_just_a_new_start():
    state = replace(quiet(0), order=Order(12, ago(60), "1"))

    assert (
        decided(HIGH, facts=workload(10, resource_version="2"), state=state).desired_replicas == 15
    )


def test_a_watch_that_is_late_is_no_contention():
    state = replace(quiet(0), order=Order(15, ago(15), "1"), reverted_at=(ago(60),))

    assert outcome(HIGH, state=state).state_if_held.reverted_at == (ago(60),)


def test_what_was_given_to_an_hpa_contradicts_nobody_later():
    state = replace(quiet(0), order=Order(15, ago(60), "1"), reverted_at=(ago(400),))
    by_hpa = outcome(HIGH, facts=workload(10, resource_version="3"), state=state, actuator="hpa")

    assert by_hpa.state_if_held.order is None


def test_what_was_carried_out_is_remembered_and_what_was_not_is_not():
    done = outcome(HIGH)
    held, rescaled = done.state_after(rescaled=False), done.state_after(rescaled=True)

    assert (held.scale_events, held.order) == ((), None)
    assert [event.change for event in rescaled.scale_events] == [5]
    assert (rescaled.last_scale_up_at, rescaled.order) == (NOW, Order(15, NOW, "1"))


def stuck(n_stuck, *, age):
    """Ten pods of which some were created so long ago and are still not ready."""
    return tuple(
        PodFacts(f"pod-{i}", ago(age) if i < n_stuck else LONG_AGO, ready=i >= n_stuck)
        for i in range(10)
    )


@pytest.mark.parametrize(
    ("n_stuck", "age", "load", "expected"),
    [
        pytest.param(2, 899, 1000, 10, id="pods already ordered count"),
        pytest.param(2, 900, 1000, 12, id="but not for ever"),
        pytest.param(9, 900, 1000, 13, id="at most a quarter more"),
        pytest.param(2, 900, 800, 10, id="only where too few serve"),
    ],
)
def test_pods_that_never_become_ready_are_made_up_for(n_stuck, age, load, expected):
    facts = workload(10, ready_replicas=10 - n_stuck, pods=stuck(n_stuck, age=age))
    held = quiet(0, last_scale_down_at=ago(1))

    assert decided(signal(load), facts=facts, state=held).desired_replicas == expected


def test_where_so_many_are_needed_younger_pods_make_up_for_nothing():
    pods = tuple(replace(p, created_at=ago(3600)) if p.ready else p for p in stuck(2, age=90_000))
    facts = workload(10, ready_replicas=8, pods=pods)

    assert decided(signal(1000), facts=facts).desired_replicas == 12
    assert decided(signal(900, 1000), facts=facts).desired_replicas == 12


def test_pods_that_are_leaving_are_not_made_up_for():
    leaving = tuple(replace(pod, deleted=True) for pod in stuck(2, age=900))
    facts = workload(10, ready_replicas=8, pods=leaving)

    assert decided(signal(1000), facts=facts).desired_replicas == 10


def test_pods_that_ended_are_not_made_up_for():
    evicted = tuple(replace(pod, phase=PodPhase.FAILED) for pod in stuck(2, age=900))
    facts = workload(10, ready_replicas=8, pods=evicted)

    assert decided(signal(1000), facts=facts).desired_replicas == 10


CPU = {"name": "cpu", "target": {"averageUtilization": 50}}
BY_CPU = {"metrics": [{"type": "Resource", "resource": CPU}]}
HALF_A_CORE = Capacity(0.5, CapacitySource.REQUEST)


def unmeasured(pods, now):
    return Sample(None, now)


def on_target(pods, now):
    """What HPA answers with "as many as now", whatever that is."""
    by_pod = {pod.name: 0.5 for pod in pods if pod.ready}
    return Sample(0.5 * len(by_pod), now, len(by_pod), by_pod)


@pytest.mark.parametrize("measured", [unmeasured, on_target])
def test_what_is_made_up_for_is_so_once_and_not_at_every_cycle(measured):
    old = {"started_at": LONG_AGO, "ready_transition_at": LONG_AGO, "requests": {("app", "cpu"): 1}}
    state, pods = WorkloadState(LONG_AGO), tuple(replace(p, **old) for p in stuck(5, age=900))
    for cycle in range(100):
        now, n = NOW + timedelta(seconds=15 * cycle), len(pods)
        one = replace(signal(0.0, capacity=HALF_A_CORE), sample=measured(pods, now))
        facts = workload(n, pods=pods, ready_replicas=5)
        step = outcome(one, facts=facts, state=state, now=now, **BY_CPU)
        state = step.state_after(rescaled=step.decision.rescale)
        more = range(step.decision.desired_replicas - n)
        new = PodFacts("new", now, PodPhase.PENDING, ready=False, requests=old["requests"])
        pods += tuple(replace(new, name=f"new-{cycle}-{i}") for i in more)

    assert len(pods) == 13


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param({"cooldown": {"scaleDown": "30m"}}, id="cooldown"),
        pytest.param(
            {
                "behavior": {
                    "scaleDown": {
                        "stabilizationWindowSeconds": 0,
                        "policies": [{"type": "Pods", "value": 9, "periodSeconds": 1800}],
                    }
                }
            },
            id="period of a rate limit",
        ),
    ],
)
@pytest.mark.parametrize(("left", "desired"), [(1, 10), (0, 3)])
def test_a_clock_that_jumped_on_has_ended_no_cooldown(fields, left, desired):
    jumped = ((Reason.CLOCK_JUMP_HOLD, ago(1800 - left)),)
    state = quiet(0, last_scale_down_at=ago(7200), doubts=jumped)

    assert decided(LOW, state=state, **fields).desired_replicas == desired


def test_a_clock_that_is_set_back_a_day_holds_for_one_window_and_no_longer():
    tomorrow = NOW + timedelta(days=1)
    state = WorkloadState(
        tomorrow, seen_at=tomorrow, last_scale_down_at=tomorrow, last_scale_up_at=tomorrow
    )
    desired = {}
    for seconds in range(0, 555, 15):
        now = NOW + timedelta(seconds=seconds)
        fresh = replace(LOW, sample=replace(LOW.sample, sampled_at=now))
        step = outcome(fresh, state=state, now=now)
        state, desired[seconds] = step.state_if_held, step.decision.desired_replicas

    # Five minutes, and until seven of ten pods too many were so for a quarter of that of all ten.
    assert {n for seconds, n in desired.items() if seconds < 420} == {10}
    assert desired[420] == 3


def test_after_a_clock_was_set_back_nothing_lies_in_the_future():
    later = NOW + timedelta(days=1)
    state = WorkloadState(
        later,
        (TimestampedRecommendation(later, 3),),
        events((-86_400, 5)),
        last_scale_up_at=later,
        last_scale_down_at=later,
        doubts=((Reason.BURST_HOLD, later),),
        reverted_at=(later,),
        busiest=((later, 2.5),),
    )

    assert state.as_of(NOW) == WorkloadState(
        NOW,
        (TimestampedRecommendation(NOW, 3),),
        events((0, 5)),
        last_scale_up_at=NOW,
        last_scale_down_at=NOW,
        doubts=((Reason.BURST_HOLD, NOW),),
        reverted_at=(NOW,),
        busiest=((NOW, 2.5),),
    )


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
def test_a_floor_above_max_is_capped_and_the_chain_says_so(load, most, expected):
    sale = {"name": "sale", "start": "0 8 * * *", "end": "0 20 * * *", "minReplicas": 30}
    decision = decided(load, schedule=[sale], maxReplicas=most)

    assert [(step.reason, step.before, step.after) for step in decision.chain] == expected
    assert decision.chain[0].detail == "sale"


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
    ],
)
def test_a_ceiling_holds_between_min_and_max(entry, expected):
    quota = {"name": "quota", "start": "0 8 * * *", "end": "0 20 * * *", **entry}
    decision = decided(HIGH, schedule=[quota], minReplicas=2, maxReplicas=14)

    assert (decision.desired_replicas, decision.reason, decision.chain[-1].detail) == expected


def test_no_idle_time_went_by_while_a_clock_jumped():
    idle = ((Reason.SCALED_TO_ZERO, ago(3900)),)
    state = replace(quiet(0, doubts=idle), seen_at=ago(3600))
    jumped = outcome(signal(0.0), facts=workload(1), state=state, minReplicas=0).state_if_held
    calm = outcome(signal(0.0), facts=workload(1), state=quiet(0, doubts=idle), minReplicas=0)

    assert jumped.since(Reason.SCALED_TO_ZERO) == NOW
    assert calm.state_if_held.since(Reason.SCALED_TO_ZERO) == ago(3900)


def test_an_idle_workload_goes_to_zero_and_comes_back():
    state, replicas, seen = quiet(0), 3, []
    for minute in range(40):
        now = NOW + timedelta(minutes=minute)
        load = 0.0 if minute < 30 else 40.0
        one = replace(signal(load), sample=replace(signal(load).sample, sampled_at=now))
        step = outcome(one, facts=workload(replicas), state=state, now=now, minReplicas=0)
        state = step.state_after(rescaled=step.decision.rescale)
        replicas = step.decision.desired_replicas
        seen.append(replicas)

    assert seen.index(0) >= IDLE_BEFORE_ZERO // timedelta(minutes=1)
    assert seen[29:31] == [0, 1]


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        pytest.param({"policies": [PERCENT]}, (1, Reason.SCALE_UP_LIMIT), id="100 % of nothing"),
        pytest.param(
            {"selectPolicy": "Min", "policies": [PERCENT, {**PERCENT, "type": "Pods"}]},
            (1, Reason.SCALE_UP_LIMIT),
            id="the smallest of two",
        ),
        pytest.param({"selectPolicy": "Disabled"}, (0, Reason.SCALE_UP_LIMIT), id="not at all"),
    ],
)
def test_no_percentage_keeps_a_workload_from_waking(rules, expected):
    decision = decided(HIGH, spec=0, minReplicas=0, state=quiet(15), behavior={"scaleUp": rules})

    assert (decision.desired_replicas, decision.reason) == expected


def test_every_rule_survives_a_workload_that_is_not_there_yet():
    assert decided(HIGH, facts=workload(0, target=TARGET)).desired_replicas == 0
    assert reasons(decided(signal(None), facts=workload(0), minReplicas=0)) == []
