"""What a restart goes on with, and what it holds."""

from dataclasses import replace
from datetime import timedelta

import pytest

from autoscaler.decide.facts import PodFacts, PodPhase
from autoscaler.decide.holds import hold_after_restart
from autoscaler.decide.pipeline import reconciled
from autoscaler.decide.reason import Reason
from autoscaler.decide.recovery import (
    LONGEST_ABSENCE,
    Memory,
    growth_seen,
    state_at_hand_over,
    state_at_start,
)
from autoscaler.decide.state import Order, ScaleEvent, TimestampedRecommendation, WorkloadState
from decide.worlds import LONG_AGO, NOW, WORTH, ago, policy, signal, workload

REACH = timedelta(minutes=5)
DOWN_HOUR = {"scaleDown": {"stabilizationWindowSeconds": 3600}}
UP_HOUR = {"scaleUp": {"stabilizationWindowSeconds": 3600}}
SLOWLY = {"scaleUp": {"policies": [{"type": "Pods", "value": 2, "periodSeconds": 600}]}}
ONE_BY_ONE = {"scaleDown": {"policies": [{"type": "Pods", "value": 1, "periodSeconds": 900}]}}
LOW = signal(200.0, 200.0)
HIGH = signal(5000.0, 5000.0)
RECENT = tuple(TimestampedRecommendation(ago(s), 3) for s in range(290, 20, -15))


def remembered(**fields):
    state = WorkloadState(LONG_AGO, RECENT, seen_at=ago(30), generation=7)
    return Memory(replace(state, **fields), REACH)


def begun(memory, *, facts=None, **fields):
    facts = facts or workload(10, generation=7)
    return state_at_start(memory, workload=facts, policy=policy(**fields), now=NOW)


def decided(one, memory, *, facts=None, **fields):
    facts = facts or workload(10, generation=7)
    state = begun(memory, facts=facts, **fields)
    return reconciled([one], workload=facts, policy=policy(**fields), state=state, now=NOW).decision


def test_a_memory_without_a_hole_goes_on_scaling_in():
    decision = decided(LOW, remembered(surplus=WORTH))

    assert (decision.desired_replicas, decision.reason) == (3, Reason.SCALE_DOWN_STABILIZED)


def test_without_a_memory_nothing_is_lowered():
    assert decided(LOW, None).reason is Reason.RESTART_HOLD


@pytest.mark.parametrize(
    ("memory", "recovered"),
    [
        pytest.param(remembered(), True, id="nothing is missing"),
        pytest.param(remembered(seen_at=NOW - LONGEST_ABSENCE), True, id="away for two minutes"),
        pytest.param(remembered(seen_at=ago(121)), False, id="away for longer"),
        pytest.param(remembered(seen_at=ago(-1)), False, id="of a clock that was ahead"),
        pytest.param(remembered(seen_at=None), False, id="it never looked"),
        pytest.param(remembered(generation=6), False, id="somebody wrote since"),
        pytest.param(remembered(generation=None), False, id="who wrote is not known"),
        pytest.param(remembered(uid="another"), False, id="it is of another object of that name"),
        pytest.param(remembered(started_at=ago(330)), True, id="it had watched a window"),
        pytest.param(remembered(started_at=ago(329)), False, id="it had not"),
        pytest.param(remembered(started_at=ago(45), recovered=True), True, id="but knew of one"),
        pytest.param(remembered(seen_at=NOW), True, id="it was read at once"),
        pytest.param(remembered(generation=6, recovered=True), False, id="an old claim is void"),
    ],
)
def test_what_is_a_hole_in_a_memory(memory, recovered):
    after = begun(memory)

    assert (after.started_at, after.recovered) == (NOW, recovered)


@pytest.mark.parametrize(
    ("fields", "recovered"),
    [
        pytest.param({"behavior": DOWN_HOUR}, False, id="a longer window than before"),
        pytest.param({"cooldown": {"scaleDown": "9m"}}, True, id="a cooldown that was watched"),
        pytest.param({"cooldown": {"scaleDown": "2d"}}, False, id="a cooldown that was not"),
        pytest.param({"behavior": ONE_BY_ONE}, True, id="a period that was watched"),
    ],
)
def test_the_policy_of_today_says_how_much_has_to_be_known(fields, recovered):
    assert begun(remembered(), **fields).recovered is recovered


@pytest.mark.parametrize(("minutes", "recovered"), [(19, False), (21, True)])
def test_who_watched_for_less_than_a_lead_time_may_have_missed_what_was_asked_for(
    minutes, recovered
):
    memory = remembered(started_at=ago(60 * minutes))

    assert begun(memory, forecast={"leadTime": "20m"}).recovered is recovered


def test_a_workload_whose_writes_nobody_counts_is_never_recovered():
    assert not begun(remembered(generation=None), facts=workload(10, generation=None)).recovered


def test_a_memory_with_a_hole_still_limits():
    memory = remembered(
        generation=6,
        scale_events=(ScaleEvent(ago(60), 2),),
        last_scale_up_at=ago(60),
        last_scale_down_at=ago(900),
        order=Order(8, "5"),
        holds=((Reason.BURST_HOLD, ago(60)),),
        idle_since=ago(900),
    )
    after = begun(memory)

    assert (after.started_at, after.order) == (NOW, None)
    assert (after.holds, after.idle_since) == (memory.state.holds, None)
    assert after.scale_events == memory.state.scale_events
    assert (after.last_scale_up_at, after.last_scale_down_at) == (ago(60), ago(900))


@pytest.mark.parametrize("generation", [7, 6], ids=["without a hole", "with one"])
def test_a_restart_does_not_renew_what_a_period_allows(generation):
    memory = remembered(generation=generation, scale_events=(ScaleEvent(ago(60), 2),))

    assert decided(HIGH, memory, behavior=SLOWLY).reason is Reason.SCALE_UP_LIMIT
    assert decided(HIGH, memory, behavior=SLOWLY).desired_replicas == 10
    assert decided(HIGH, remembered(generation=generation), behavior=SLOWLY).desired_replicas == 12


@pytest.mark.parametrize("generation", [7, 6], ids=["without a hole", "with one"])
def test_a_restart_does_not_end_a_cooldown(generation):
    memory = remembered(generation=generation, last_scale_up_at=ago(60))
    waiting = decided(HIGH, memory, cooldown={"scaleUp": "2m"})

    assert (waiting.desired_replicas, waiting.reason) == (10, Reason.COOLDOWN_ACTIVE)


def pods(*ages, **fields):
    return tuple(PodFacts(f"p{i}", ago(age), **fields) for i, age in enumerate(ages))


OLD = pods(*[9000] * 7)


def test_without_a_memory_young_pods_count_as_what_a_period_allows():
    grown = workload(9, generation=7, pods=OLD + pods(60, 50))

    assert decided(HIGH, None, facts=grown, behavior=SLOWLY).desired_replicas == 9
    assert decided(HIGH, None, facts=grown, cooldown={"scaleUp": "1m"}).desired_replicas == 9
    assert decided(HIGH, None, facts=grown, cooldown={"scaleUp": "50s"}).desired_replicas == 18


def test_pods_that_came_while_we_were_away_count_too():
    grown = workload(9, generation=8, pods=OLD + pods(60, 10))
    after = begun(remembered(scale_events=(ScaleEvent(ago(60), 1),)), facts=grown)

    assert after.scale_events == (ScaleEvent(ago(60), 1), ScaleEvent(ago(10), 1))
    assert after.last_scale_up_at == ago(10)


@pytest.mark.parametrize("seen_at", [ago(7200), None], ids=["two hours ago", "never"])
def test_growth_counts_for_as_long_as_any_period_however_long_nobody_looked(seen_at):
    facts = workload(9, generation=8, pods=OLD + pods(1801, 1799))

    assert begun(remembered(seen_at=seen_at), facts=facts).scale_events == (
        ScaleEvent(ago(1799), 1),
    )


@pytest.mark.parametrize(
    ("facts", "ages"),
    [
        pytest.param({"pods": OLD + pods(50, 60)}, [60, 50], id="oldest first"),
        pytest.param({"pods": OLD + pods(-3600)}, [0], id="the API server's clock is ahead"),
        pytest.param({"pods": None}, [], id="pods are not watched"),
        pytest.param({"pods": OLD}, [], id="all of them are old"),
        pytest.param({"pods": OLD + pods(100)}, [], id="exactly as old as the period"),
        pytest.param({"pods": pods(60, 50)}, [], id="all are new: created, or rolled over"),
        pytest.param(
            {"pods": OLD + pods(60), "rollout_in_progress": True}, [], id="a rollout replaces"
        ),
        pytest.param({"pods": OLD + pods(60, deleted=True)}, [], id="one that leaves"),
        pytest.param({"pods": OLD + pods(60, phase=PodPhase.FAILED)}, [], id="one that failed"),
    ],
)
def test_what_pods_tell_of_growth(facts, ages):
    seen = growth_seen(workload(9, **facts), since=ago(100), now=NOW)

    assert seen == tuple(ScaleEvent(ago(age), 1) for age in ages)


@pytest.mark.parametrize(
    ("age", "desired"),
    [pytest.param(899, 10, id="held for the period"), pytest.param(900, 9, id="then one by one")],
)
def test_a_restart_forgets_what_a_period_took_and_therefore_waits_for_it(age, desired):
    state = WorkloadState(ago(age), RECENT, seen_at=ago(15), surplus=WORTH)
    outcome = reconciled(
        [LOW], workload=workload(10), policy=policy(behavior=ONE_BY_ONE), state=state, now=NOW
    )

    assert outcome.decision.desired_replicas == desired


def down(kind, value, *, seconds=900):
    return {"scaleDown": {"policies": [{"type": kind, "value": value, "periodSeconds": seconds}]}}


@pytest.mark.parametrize(
    ("fields", "minutes"),
    [
        pytest.param({}, 5, id="by default the window"),
        pytest.param({"behavior": DOWN_HOUR}, 60, id="a longer window"),
        pytest.param({"behavior": UP_HOUR}, 5, id="of scale-in, not of scale-out"),
        pytest.param({"cooldown": {"scaleDown": "10m"}}, 10, id="a longer cooldown"),
        pytest.param({"cooldown": {"scaleUp": "10m"}}, 5, id="likewise"),
        pytest.param({"behavior": down("Pods", 1)}, 15, id="a longer period"),
        pytest.param({"behavior": down("Pods", 150)}, 15, id="of however many pods"),
        pytest.param({"behavior": down("Percent", 10)}, 15, id="of a share"),
        pytest.param({"behavior": down("Percent", 99)}, 15, id="of nearly all"),
        pytest.param({"behavior": down("Percent", 100)}, 5, id="all of them is no limit"),
        pytest.param({"behavior": down("Pods", 1, seconds=60)}, 5, id="a shorter period"),
    ],
)
def test_how_long_a_start_without_a_memory_holds(fields, minutes):
    assert hold_after_restart(policy(**fields)) == timedelta(minutes=minutes)


def test_the_state_knows_the_generation_its_own_write_leaves():
    facts, rules = workload(2, generation=7), policy()
    outcome = reconciled([HIGH], workload=facts, policy=rules, state=begun(None), now=NOW)

    assert outcome.state_after(rescaled=False).generation == 7
    assert outcome.state_after(rescaled=True).generation == 8


def test_where_an_hpa_scales_for_us_the_generation_tells_nothing():
    by_hpa, facts = policy(actuator="hpa"), workload(2, generation=7)
    outcome = reconciled([HIGH], workload=facts, policy=by_hpa, state=begun(None), now=NOW)

    assert outcome.state_after(rescaled=True).generation is None


def test_who_leads_again_counts_its_own_growth_by_the_pods_alone():
    ours = (ScaleEvent(ago(600), -1), ScaleEvent(ago(60), 1))
    state = WorkloadState(LONG_AGO, scale_events=ours)
    pods = (PodFacts("old", LONG_AGO), PodFacts("ours", ago(55)), PodFacts("theirs", ago(20)))
    facts = workload(3, pods=pods)

    begun_again = state_at_hand_over(state, workload=facts, now=NOW)
    assert begun_again.scale_events == (ours[0], ScaleEvent(ago(55), 1), ScaleEvent(ago(20), 1))
    assert begun_again.last_scale_up_at == ago(20)
    assert state_at_hand_over(state, workload=None, now=NOW).scale_events == ours


@pytest.mark.parametrize("facts", [None, workload(3)], ids=["not seen yet", "seen"])
def test_who_leads_again_holds_as_after_a_restart_and_contradicts_nobody(facts):
    state = WorkloadState(LONG_AGO, RECENT, recovered=True, order=Order(3, "1"))

    assert state_at_hand_over(state, workload=facts, now=NOW) == replace(
        state, started_at=NOW, recovered=False, order=None
    )
