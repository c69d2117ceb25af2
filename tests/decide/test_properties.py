"""What holds for every decision, whatever the policy, the facts, the memory and the faults."""

import math
from collections import Counter
from dataclasses import replace
from datetime import timedelta

from hypothesis import strategies as st

from autoscaler.decide.case import Case
from autoscaler.decide.decision import Decision
from autoscaler.decide.limits import at_rest
from autoscaler.decide.pipeline import damped
from autoscaler.decide.rate_limits import scale_down_limit, scale_up_limit
from autoscaler.decide.reason import Reason
from autoscaler.policy.schema import Actuator
from decide.strategies import (
    LOWER_BOUNDS,
    UNKNOWN,
    grown,
    over_worlds,
)
from decide.worlds import LONG_AGO, NOW, ago

# Two holds begin because a load is suspiciously low: more load may then mean fewer replicas.
SUSPICIOUS = {Reason.LOAD_VANISHED_HOLD, Reason.METRICS_CONTRADICT_HOLD}
# Somebody told us to leave it as it is, or at a number of theirs.
STANDSTILL = {Reason.SCALING_DISABLED, Reason.REPLICAS_CONTESTED, Reason.PAUSED}
# These give a reason also where they change nothing.
STOPS = {*STANDSTILL, Reason.PAUSED_REPLICAS, Reason.HPA_MAX_REPLICAS}
DIRECTION_PAUSED = {Reason.SCALE_IN_PAUSED, Reason.SCALE_OUT_PAUSED}
# Words of the recommendation itself, of HPA's conditions and of the adapters.
NOT_IN_A_CHAIN = {
    Reason.DESIRED_WITHIN_RANGE,
    Reason.FORECAST_ABOVE_TARGET,
    Reason.METRIC_ABOVE_TARGET,
    Reason.ALL_BELOW_TARGET,
    Reason.TARGET_NOT_FOUND,
    Reason.SCALED_TO_ZERO,
    Reason.WOKEN_FROM_ZERO,
}

shares = st.floats(0, 0.99)


def reasons(decision):
    return {limit.reason for limit in decision.chain}


def looked_back(policy):
    """Return how far scale-in looks back: its window, its cooldown, and periods that limit it."""
    limits = policy.behavior.scale_down.policies
    periods = [
        limit.period_seconds for limit in limits if limit.type == "Pods" or limit.value < 100
    ]
    window, cooldown = policy.behavior.scale_down_window, policy.cooldown.scale_down
    return max(window, cooldown, timedelta(seconds=max(periods, default=0)))


@over_worlds()
def test_a_workload_at_rest_passes_every_step_unchanged(world):
    outcome, current = world.outcome(), world.facts.spec_replicas
    wanted, state = outcome.recommendation, outcome.state_if_held
    case = Case(current, wanted, world.facts, world.policy, state, NOW)

    unchanged = damped(current, case) == Decision(current, current, wanted.reason)
    assert unchanged or not at_rest(current, case)


@over_worlds()
def test_a_decision_lies_within_bounds_or_stands_still(world):
    decision, bounds = world.decision, world.bounds()

    within = bounds.low <= decision.desired_replicas <= bounds.high
    # Whoever stands still: of an HPA that is given the floor, as many as it takes.
    still = min(world.facts.spec_replicas, world.most_of_an_hpa)
    stops = (STANDSTILL | DIRECTION_PAUSED) & reasons(decision)
    stands = stops and (decision.desired_replicas == still or not decision.rescale)
    there = min(world.facts.spec_replicas, world.policy.max_replicas, world.most_of_an_hpa)
    doubted = Reason.CLOCK_JUMP_HOLD in reasons(decision) and decision.desired_replicas == there
    assert within or stands or doubted or Reason.PAUSED_REPLICAS in reasons(decision)


@over_worlds(st.integers(1, 90))
def test_no_hpa_is_asked_for_a_floor_above_its_own_maximum(world, most):
    fed = world.with_policy(actuator=Actuator.HPA).with_facts(hpa_max_replicas=most)
    decision = fed.decision

    assert decision.desired_replicas <= most or decision.stands_still


@over_worlds(st.sampled_from(UNKNOWN), shares, st.sampled_from((None, 0.0, 1.0, 1e9)))
def test_one_unknown_load_among_several_never_lowers(world, doubt, share, value):
    place = int(share * len(world.signals))
    blind = world.with_sample(place, value=value, by_pod=None, doubt=doubt)

    assert blind.decision.desired_replicas >= blind.lowest_allowed


@over_worlds(st.sampled_from((None, "nan", "inf", "-1", "old", "early")), shares)
def test_a_load_that_cannot_be_one_never_lowers(world, wrong, share):
    place = int(share * len(world.signals))
    at = {"old": ago(301), "early": ago(-31)}.get(wrong, NOW)
    value = None if wrong is None else 1.0 if wrong in {"old", "early"} else float(wrong)
    spoilt = world.with_sample(place, value=value, sampled_at=at)

    assert spoilt.decision.desired_replicas >= spoilt.lowest_allowed


@over_worlds(st.sampled_from(LOWER_BOUNDS), shares)
def test_a_partial_load_never_lowers(world, doubt, share):
    partial = world.with_sample(int(share * len(world.signals)), doubt=doubt)

    assert partial.decision.desired_replicas >= partial.lowest_allowed


@over_worlds(
    shares, st.floats(0, 20), st.sampled_from((None, math.nan, math.inf, -1.0)), proportional=True
)
def test_a_ready_pod_whose_load_is_unknown_never_lowers(world, share, n_pods, wrong):
    place = int(share * len(world.signals))
    watched = world.with_serving_pods().with_load(place, n_pods, by_pod=True)
    known = dict(watched.signals[place].sample.by_pod)
    silent, _ = known.popitem()
    heard = known if wrong is None else known | {silent: wrong}
    blind = watched.with_sample(place, value=sum(known.values()), by_pod=heard)

    assert blind.decision.desired_replicas >= blind.lowest_allowed


@over_worlds(st.integers(0, 2400))
def test_nothing_is_lowered_during_the_scale_in_cooldown(world, age):
    cooldown = timedelta(seconds=age + 1)
    cooling = world.with_state(last_scale_down_at=ago(age)).with_policy(
        cooldown=world.policy.cooldown.model_copy(update={"scale_down": cooldown})
    )

    assert cooling.decision.desired_replicas >= cooling.lowest_allowed


@over_worlds(st.integers(0, 1799))
def test_nothing_is_lowered_in_the_first_half_hour_of_a_rollout(world, age):
    holds = ((Reason.ROLLOUT_HOLD, ago(age)),) if age else ()
    rolling = world.with_facts(rollout_in_progress=True).with_state(holds=holds)

    assert rolling.decision.desired_replicas >= rolling.lowest_allowed


@over_worlds(shares)
def test_nothing_is_lowered_until_we_ran_as_long_as_scale_in_looks_back(world, share):
    span = looked_back(world.policy)
    started = world.with_state(started_at=NOW - share * span, recovered=False)

    assert not span or started.decision.desired_replicas >= started.lowest_allowed


@over_worlds(st.integers(6, 1_000_000), st.sampled_from(("set", "back", "ahead")))
def test_nothing_is_lowered_when_the_clock_jumped(world, seconds, how):
    seen_at = {"back": ago(-seconds), "ahead": ago(300 + seconds)}.get(how, ago(15))
    moved_by = timedelta(seconds=seconds if how == "set" else 0)
    decision = world.with_state(seen_at=seen_at).outcome(moved_by=moved_by).decision

    # Not even for a ceiling of the schedule: it may not be its time.
    lowest = world.with_policy(schedule=()).lowest_allowed
    assert not looked_back(world.policy) or decision.desired_replicas >= lowest


@over_worlds()
def test_rate_limits_are_never_exceeded_but_by_the_user_s_own_word(world):
    decision, bounds = world.decision, world.bounds()
    current, rules, events = (
        world.facts.spec_replicas,
        world.policy.behavior,
        world.state.scale_events,
    )
    up = scale_up_limit(current, rules=rules.scale_up, events=events, now=NOW)
    down = scale_down_limit(current, rules=rules.scale_down, events=events, now=NOW)

    within = min(down, bounds.high) <= decision.desired_replicas <= max(up, bounds.low)
    assert within or Reason.PAUSED_REPLICAS in reasons(decision)


@over_worlds(
    st.tuples(st.floats(0, 120), st.floats(0, 120)).map(sorted), st.booleans(), proportional=True
)
def test_more_load_never_means_fewer_replicas(world, pods, by_pod):
    seen = world.with_serving_pods() if by_pod else world
    less, more = (seen.with_load(0, n_pods, by_pod=by_pod).decision for n_pods in pods)

    suspicious = SUSPICIOUS & reasons(less)
    assert suspicious or less.desired_replicas <= more.desired_replicas


@over_worlds(st.floats(1, 50))
def test_a_higher_forecast_never_means_fewer_replicas(world, factor):
    def forecasting(by):
        return replace(
            world,
            signals=tuple(
                s if s.forecast is None else replace(s, forecast=raised(s.forecast, by))
                for s in world.signals
            ),
        ).decision

    def raised(forecast, by):
        return replace(
            forecast,
            quantile=by * forecast.quantile,
            reactive_quantile=by * forecast.reactive_quantile,
        )

    less, more = forecasting(1.0), forecasting(factor)

    suspicious = SUSPICIOUS & reasons(less)
    assert suspicious or less.desired_replicas <= more.desired_replicas


@over_worlds()
def test_the_same_facts_give_the_same_decision_again(world):
    first = world.outcome()
    remembered = replace(world, state=first.state_if_held)

    assert world.outcome() == first
    assert remembered.decision == first.decision


@over_worlds()
def test_every_changed_number_has_a_reason_and_the_chain_has_no_gap(world):
    outcome = world.outcome()
    decision, wanted = outcome.decision, outcome.recommendation.replicas
    numbers = [world.facts.spec_replicas if wanted is None else wanted]
    for limit in decision.chain:
        assert limit.before == numbers[-1]
        assert limit.before != limit.after or decision.reason in STOPS
        numbers.append(limit.after)

    assert numbers[-1] == decision.desired_replicas
    assert decision.current_replicas == world.facts.spec_replicas
    deciding = [limit.reason for limit in decision.chain]
    assert decision.reason == [outcome.recommendation.reason, *deciding][-1]


@over_worlds(proportional=True)
def test_a_decision_that_was_carried_out_is_not_followed_by_another(world):
    world = world.with_state(started_at=LONG_AGO).with_facts(pods=None)
    first = world.outcome()
    desired, facts = first.decision.desired_replicas, world.facts
    carried_out = replace(
        world.with_facts(
            spec_replicas=desired,
            status_replicas=desired,
            ready_replicas=desired,
            resource_version="2",
        ),
        state=first.state_after(rescaled=first.decision.rescale),
    )

    settled = facts.ready_replicas == facts.spec_replicas and facts.spec_replicas > 0
    # Who stood above the highest goes there first, and on from there.
    first_step = facts.spec_replicas > world.bounds().high
    assert carried_out.decision.desired_replicas == desired or not settled or first_step


@over_worlds(st.sampled_from(("policy", "autoscaler/paused", "autoscaler/paused-replicas")))
def test_whoever_pauses_is_obeyed(world, how):
    if how == "policy":
        paused = world.with_facts(annotations={}).with_policy(paused=True)
    else:
        paused = world.with_facts(annotations={how: "yes"})

    assert not paused.decision.rescale
    assert paused.decision.reason is Reason.PAUSED


def test_the_worlds_are_wide_enough_to_prove_something():
    """A property over worlds in which nothing happens would hold whatever the rules are."""
    decisions = [grown(seed).decision for seed in range(5000)]
    given_as_reason = {reason for decision in decisions for reason in reasons(decision)}
    changes = [d.desired_replicas - d.current_replicas for d in decisions]
    undamped = Counter(d.reason for d in decisions if d.rescale and not d.chain)

    assert given_as_reason >= {reason for reason in Reason if reason not in NOT_IN_A_CHAIN}
    assert sum(change < 0 for change in changes) > 500
    assert sum(change > 0 for change in changes) > 500
    assert undamped[Reason.ALL_BELOW_TARGET] > 300
    assert undamped[Reason.METRIC_ABOVE_TARGET] > 100
    assert undamped[Reason.FORECAST_ABOVE_TARGET] > 30
