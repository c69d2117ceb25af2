"""What holds scale-in, since when, and until when at the latest."""

from dataclasses import replace
from datetime import timedelta

import pytest

from autoscaler.decide.reason import Reason
from autoscaler.decide.state import TimestampedRecommendation, WorkloadState
from decide.worlds import (
    HIGH,
    LONG_AGO,
    LOW,
    NOW,
    TARGET,
    ago,
    decided,
    events,
    outcome,
    quiet,
    reasons,
    signal,
    workload,
)


def nine_pods(needed_ago, busy_ago, *, assumed=False):
    """A state in which nine pods were needed, and filled by load, so many seconds ago."""
    needed = TimestampedRecommendation(ago(needed_ago), 9, assumed)
    return WorkloadState(LONG_AGO, (needed,), seen_at=ago(15), busiest=((ago(busy_ago), 9.0),))


AGES_AGO, NEEDED_AGES_AGO = nine_pods(240, 300), nine_pods(300, 240)
ASSUMED = nine_pods(240, 240, assumed=True)


@pytest.mark.parametrize(("minutes", "desired"), [(9, 10), (10, 3)])
def test_a_restart_forgets_what_a_forecast_asked_for_and_holds_as_long(minutes, desired):
    state = replace(quiet(3, 3), started_at=ago(60 * minutes))
    lower = signal(300, 300, lead_time=timedelta(minutes=10))

    assert decided(lower, state=state).desired_replicas == desired


@pytest.mark.parametrize(
    ("state", "reason"),
    [
        pytest.param(WorkloadState(ago(299), seen_at=ago(15)), Reason.RESTART_HOLD, id="restart"),
        pytest.param(
            quiet(0, holds=((Reason.BURST_HOLD, ago(60)),)), Reason.BURST_HOLD, id="burst"
        ),
        pytest.param(
            quiet(0, holds=((Reason.LOAD_VANISHED_HOLD, ago(60)),)),
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
    ("hold", "age", "desired"),
    [
        pytest.param(Reason.ROLLOUT_HOLD, 1799, 10, id="a rollout holds for half an hour"),
        pytest.param(Reason.ROLLOUT_HOLD, 1800, 3, id="a stuck one no longer"),
        pytest.param(Reason.PODS_NOT_READY_HOLD, 899, 10, id="unready pods for a quarter"),
        pytest.param(Reason.PODS_NOT_READY_HOLD, 900, 3, id="and no longer"),
    ],
)
def test_a_hold_is_bounded_in_time(hold, age, desired):
    facts = workload(10, rollout_in_progress=hold is Reason.ROLLOUT_HOLD)
    if hold is Reason.PODS_NOT_READY_HOLD:
        facts = replace(facts, ready_replicas=2)

    assert (
        decided(LOW, facts=facts, state=quiet(0, holds=((hold, ago(age)),))).desired_replicas
        == desired
    )


@pytest.mark.parametrize(("age", "desired"), [(1799, 10), (1800, 6)], ids=["for", "no longer"])
def test_metrics_that_contradict_each_other_hold_for_half_an_hour(age, desired):
    state = quiet(0, holds=((Reason.METRICS_CONTRADICT_HOLD, ago(age)),))

    assert decided(signal(0.0), signal(600), state=state).desired_replicas == desired


@pytest.mark.parametrize(
    ("ready", "rolls", "expected"),
    [
        pytest.param(8, True, 8, id="two of the new template do not come: six serve"),
        pytest.param(10, True, 6, id="all serve, as in a canary that pauses"),
        pytest.param(12, True, 6, id="more serve, as in a surge"),
        pytest.param(5, True, 10, id="fewer serve than are needed"),
        pytest.param(0, True, 6, id="none serve: none can be lost"),
        pytest.param(8, False, 6, id="without a rollout those that do not serve go first"),
    ],
)
def test_a_rollout_that_is_stuck_for_long_gives_up_no_ready_pod_that_is_needed(
    ready, rolls, expected
):
    """Deployments take them from the old template: of 10, scaled to 6, the real one left 4."""
    long_over = ((Reason.ROLLOUT_HOLD, ago(7200)), (Reason.PODS_NOT_READY_HOLD, ago(7200)))
    state = quiet(6, holds=long_over)
    facts = workload(10, ready_replicas=ready, rollout_in_progress=rolls, pods=None)
    decision = decided(signal(600), facts=facts, state=state)

    assert decision.desired_replicas == expected
    assert (Reason.ROLLOUT_HOLD in reasons(decision)) == (rolls and expected > 6)


@pytest.mark.parametrize(
    ("kind", "ready", "expected"),
    [
        pytest.param("Deployment", 9, 6, id="a Deployment takes the one that is not ready"),
        pytest.param("StatefulSet", 9, 7, id="a StatefulSet takes the last ones, ready or not"),
        pytest.param("StatefulSet", 10, 6, id="all are ready"),
    ],
)
def test_which_pods_go_is_known_where_one_is_not_ready(kind, ready, expected):
    facts = workload(10, target=TARGET._replace(kind=kind), ready_replicas=ready)
    decision = decided(signal(600), facts=facts, state=quiet(6))

    assert decision.desired_replicas == expected
    assert (Reason.PODS_NOT_READY_HOLD in reasons(decision)) == (expected > 6)


def test_a_broken_rollout_keeps_no_pod_of_a_workload_that_sleeps():
    asleep = quiet(0, idle_since=ago(7200), holds=((Reason.ROLLOUT_HOLD, ago(7200)),))
    facts = workload(1, ready_replicas=0, rollout_in_progress=True)

    assert decided(signal(0), facts=facts, state=asleep, minReplicas=0).desired_replicas == 0


def test_a_restart_forgets_the_cooldown_and_therefore_waits_for_it():
    state = replace(quiet(3), started_at=ago(400))

    assert decided(LOW, state=state, cooldown={"scaleDown": "401s"}).reason is Reason.RESTART_HOLD
    assert decided(LOW, state=state, cooldown={"scaleDown": "400s"}).desired_replicas == 3


@pytest.mark.parametrize(
    ("state", "detail"),
    [
        pytest.param(WorkloadState(ago(240), seen_at=ago(15)), "1m left", id="restart"),
        pytest.param(
            quiet(0, holds=((Reason.BURST_HOLD, ago(60)),)), "at most 14m left", id="a cause"
        ),
    ],
)
def test_a_hold_says_how_long_it_still_lasts(state, detail):
    assert decided(LOW, state=state).chain[0].detail == detail


def test_a_second_jump_of_the_clock_begins_its_hold_anew():
    jumped = replace(quiet(0, holds=((Reason.CLOCK_JUMP_HOLD, ago(299)),)), seen_at=ago(-60))

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


@pytest.mark.parametrize(
    ("moved_by", "reason"),
    [
        pytest.param(5, Reason.ALL_BELOW_TARGET, id="five seconds are a correction"),
        pytest.param(6, Reason.CLOCK_JUMP_HOLD, id="more is a jump, however short"),
        pytest.param(-6, Reason.CLOCK_JUMP_HOLD, id="back as well"),
    ],
)
def test_a_clock_that_is_known_to_have_been_set_holds(moved_by, reason):
    decision = decided(LOW, moved_by=timedelta(seconds=moved_by))

    assert decision.reason is reason


def test_a_clock_that_was_set_before_the_first_cycle_holds_as_well():
    first = replace(quiet(0), seen_at=None)

    assert decided(LOW, state=first, moved_by=timedelta(minutes=1)).reason is Reason.CLOCK_JUMP_HOLD


def test_a_jump_of_the_clock_holds_no_scale_out():
    assert decided(HIGH, state=replace(quiet(0), seen_at=ago(3600))).desired_replicas == 15


def test_a_restart_with_its_history_read_back_needs_no_hold():
    state = replace(quiet(3, 3), started_at=NOW, recovered=True)

    assert decided(LOW, state=state).desired_replicas == 3


@pytest.mark.parametrize(
    ("loads", "held"),
    [
        pytest.param((0, 600), True, id="one reads nothing, another is busy"),
        pytest.param((300, 600), False, id="both are busy"),
        pytest.param((9, 251), True, id="next to nothing, and a little more than a quarter"),
        pytest.param((10, 600), False, id="a hundredth is not nothing"),
        pytest.param((0, 250), False, id="a quarter is not busy"),
        pytest.param((0, 0), False, id="both read nothing"),
    ],
)
def test_metrics_that_contradict_each_other_hold(loads, held):
    decision = decided(*(signal(load, load) for load in loads))

    assert (decision.desired_replicas == 10) == held
    assert (decision.reason is Reason.METRICS_CONTRADICT_HOLD) == held


def test_a_load_that_vanishes_holds_and_a_load_that_sinks_does_not():
    gone, less = signal(2.0, 2.0), signal(200, 200)

    assert decided(gone, state=quiet(9)).reason is Reason.LOAD_VANISHED_HOLD
    assert decided(less, state=quiet(9)).reason is Reason.SCALE_DOWN_STABILIZED


def test_a_load_that_came_back_and_vanishes_again_holds_anew():
    vanished = ((Reason.LOAD_VANISHED_HOLD, ago(590)),)
    gone, again = signal(2.0, 2.0), quiet(9, holds=vanished)
    still = replace(quiet(2), holds=vanished)
    begun = quiet(9, holds=((Reason.LOAD_VANISHED_HOLD, ago(60)),))

    assert outcome(gone, state=again).state_if_held.since(Reason.LOAD_VANISHED_HOLD) == NOW
    assert outcome(gone, state=still).state_if_held.since(Reason.LOAD_VANISHED_HOLD) == ago(590)
    assert outcome(gone, state=begun).state_if_held.since(Reason.LOAD_VANISHED_HOLD) == ago(60)


def test_a_load_that_vanishes_begins_no_other_hold_anew():
    state = quiet(9, holds=((Reason.ROLLOUT_HOLD, ago(1700)),))
    step = outcome(signal(2.0, 2.0), state=state, facts=workload(10, rollout_in_progress=True))

    assert step.state_if_held.holds == (
        (Reason.ROLLOUT_HOLD, ago(1700)),
        (Reason.LOAD_VANISHED_HOLD, NOW),
    )


@pytest.mark.parametrize(
    ("hold", "age", "kept"),
    [
        pytest.param(Reason.ROLLOUT_HOLD, 60, False, id="a rollout that is complete"),
        pytest.param(Reason.PODS_NOT_READY_HOLD, 60, False, id="pods that became ready"),
        pytest.param(Reason.METRICS_CONTRADICT_HOLD, 60, False, id="metrics that agree"),
        pytest.param(Reason.BURST_HOLD, 899, True, id="a burst outlasts its cause"),
        pytest.param(Reason.BURST_HOLD, 900, False, id="for a quarter of an hour"),
        pytest.param(Reason.LOAD_VANISHED_HOLD, 599, True, id="so does a load that vanished"),
        pytest.param(Reason.LOAD_VANISHED_HOLD, 600, False, id="for ten minutes"),
    ],
)
def test_a_hold_is_forgotten_once_it_is_over_so_that_the_next_one_counts_anew(hold, age, kept):
    held = outcome(LOW, state=quiet(3, holds=((hold, ago(age)),))).state_if_held.since(hold)

    assert held == (ago(age) if kept else None)


def test_the_busiest_of_five_minutes_is_remembered_and_an_unknown_load_forgets_nothing():
    lately = ((ago(300), 9.0), (ago(200), 5.0), (ago(100), 2.0), (ago(50), 1.0))

    def remembered(load):
        return outcome(signal(load, 2.0), state=quiet(3, busiest=lately)).state_if_held.busiest

    assert remembered(200.0) == ((ago(200), 5.0), (NOW, 2.0))
    assert remembered(150.0) == ((ago(200), 5.0), (ago(100), 2.0), (NOW, 1.5))
    assert remembered(None) == lately


@pytest.mark.parametrize(
    ("gone", "before"),
    [
        pytest.param(signal(2.0, 2.0), quiet(2), id="of two pods one is noise"),
        pytest.param(signal(2.0, 460.0), quiet(9), id="not while more than half is expected"),
        pytest.param(signal(2.0, 2.0), WorkloadState(LONG_AGO), id="nor at first sight"),
        pytest.param(signal(100, 100), quiet(10), id="nor down to a tenth"),
        pytest.param(signal(2.0, 2.0), ASSUMED, id="nor from what was assumed"),
        pytest.param(signal(2.0, 2.0), AGES_AGO, id="nor from a load of five minutes ago"),
        pytest.param(signal(2.0, 2.0), NEEDED_AGES_AGO, id="nor from a need of then"),
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
    assert decided(signal(2.0, 400.0), state=quiet(8, 3)).reason is Reason.LOAD_VANISHED_HOLD
    assert decided(signal(2.0, 2.0), state=quiet(3)).reason is Reason.LOAD_VANISHED_HOLD


def test_as_many_ready_as_needed_are_enough():
    assert decided(LOW, facts=workload(10, ready_replicas=3)).desired_replicas == 3


def test_a_jumped_clock_still_holds_a_cycle_later():
    state = quiet(0, holds=((Reason.CLOCK_JUMP_HOLD, ago(299)),))

    assert decided(LOW, state=state).reason is Reason.CLOCK_JUMP_HOLD
    over = quiet(0, holds=((Reason.CLOCK_JUMP_HOLD, ago(300)),))
    assert decided(LOW, state=over).desired_replicas == 3


def test_a_jumped_clock_has_not_brought_on_what_a_forecast_asked_for():
    ahead = signal(300, 300, lead_time=timedelta(minutes=10))
    reasons = [
        decided(ahead, state=quiet(0, holds=((Reason.CLOCK_JUMP_HOLD, ago(age)),))).reason
        for age in (599, 600)
    ]

    assert reasons == [Reason.CLOCK_JUMP_HOLD, Reason.ALL_BELOW_TARGET]


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
    state = replace(quiet(3), holds=((Reason.ROLLOUT_HOLD, ago(300)),), seen_at=ago(0))
    for skew in clocks:
        now = NOW + timedelta(seconds=skew)
        state = outcome(LOW, facts=facts, state=state, now=now).state_if_held

    assert state.since(Reason.ROLLOUT_HOLD) == now - timedelta(seconds=age)


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

    # Five minutes, and until a surplus of seven of ten pods is worth a rescale.
    assert {n for seconds, n in desired.items() if seconds < 435} == {10}
    assert desired[435] == 3


def test_a_clock_that_is_set_back_changes_nothing_of_what_was_before():
    state = WorkloadState(
        ago(900),
        (TimestampedRecommendation(ago(60), 3),),
        events((120, 5)),
        last_scale_up_at=ago(120),
        last_scale_down_at=ago(240),
        holds=((Reason.BURST_HOLD, ago(30)),),
        idle_since=ago(50),
        reverted_at=(ago(40),),
        busiest=((ago(20), 2.5),),
    )

    assert state.as_of(NOW) == state
    assert replace(state, seen_at=ago(15)).as_of(NOW).started_at == ago(900)
    assert replace(state, seen_at=ago(-600)).as_of(NOW).started_at == ago(1500)


def test_after_a_clock_was_set_back_nothing_lies_in_the_future():
    later = NOW + timedelta(days=1)
    state = WorkloadState(
        later,
        (TimestampedRecommendation(later, 3),),
        events((-86_400, 5)),
        last_scale_up_at=later,
        last_scale_down_at=later,
        holds=((Reason.BURST_HOLD, later),),
        idle_since=later,
        reverted_at=(later,),
        busiest=((later, 2.5),),
    )

    assert state.as_of(NOW) == WorkloadState(
        NOW,
        (TimestampedRecommendation(NOW, 3),),
        events((0, 5)),
        last_scale_up_at=NOW,
        last_scale_down_at=NOW,
        holds=((Reason.BURST_HOLD, NOW),),
        idle_since=NOW,
        reverted_at=(NOW,),
        busiest=((NOW, 2.5),),
    )
