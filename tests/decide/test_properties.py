"""What holds for every decision, whatever the policy, the facts, the memory and the faults."""

import math
from dataclasses import replace
from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from autoscaler.decide.facts import Doubt, Sample, Signal, WorkloadFacts
from autoscaler.decide.pipeline import reconciled
from autoscaler.decide.rate_limits import scale_down_limit, scale_up_limit
from autoscaler.decide.reason import Reason
from autoscaler.decide.state import WorkloadState
from autoscaler.policy.behavior import RateLimitType, SelectPolicy
from decide.strategies import LOADS, STATES, policies, signals, thorough, workloads
from decide.worlds import CAPACITY, LONG_AGO, NOW, TARGET

UNKNOWN = tuple(d for d in Doubt if d not in {Doubt.PARTIAL, Doubt.WARNED})
# Two doubts hold because a load is suspiciously low: more load may then mean fewer replicas.
SUSPICIOUS = {Reason.LOAD_VANISHED_HOLD, Reason.METRICS_CONTRADICT_HOLD}
one_metric = {"signal": signals(), "policy": policies(), "facts": workloads(), "state": STATES}


def decided(signal, policy, facts, state, now=NOW):
    return reconciled((signal,), workload=facts, policy=policy, state=state, now=now)


def lowest_allowed(policy, facts):
    """Current, unless the user's own maximum is below it."""
    return min(facts.spec_replicas, policy.max_replicas)


@thorough
@given(**one_metric)
def test_a_decision_lies_within_bounds_or_stands_still(signal, policy, facts, state):
    decision = decided(signal, policy, facts, state).decision

    stopped = {Reason.SCALING_DISABLED, Reason.REPLICAS_CONTESTED} & {
        limit.reason for limit in decision.chain
    }
    within = policy.min_replicas <= decision.desired_replicas <= policy.max_replicas
    assert within or (stopped and not decision.rescale)


@thorough
@given(
    st.lists(signals(), max_size=2),
    signals(doubts=UNKNOWN),
    policies(n_metrics=3),
    workloads(),
    STATES,
)
def test_unknown_load_never_lowers(others, unknown, policy, facts, state):
    every = (*others, unknown)
    policy = policy.model_copy(update={"metrics": policy.metrics[: len(every)]})
    decision = reconciled(every, workload=facts, policy=policy, state=state, now=NOW).decision

    assert decision.desired_replicas >= lowest_allowed(policy, facts)


@thorough
@given(
    signals(doubts=(Doubt.PARTIAL, Doubt.WARNED)),
    policies(),
    workloads(),
    STATES,
)
def test_partial_load_never_lowers(signal, policy, facts, state):
    decision = decided(signal, policy, facts, state).decision

    assert decision.desired_replicas >= lowest_allowed(policy, facts)


@thorough
@given(**one_metric, age=st.integers(0, 2400))
def test_nothing_is_lowered_during_the_scale_in_cooldown(signal, policy, facts, state, age):
    state = replace(state, last_scale_down_at=NOW - timedelta(seconds=age))
    cooldown = timedelta(seconds=age + 1)
    policy = policy.model_copy(
        update={"cooldown": policy.cooldown.model_copy(update={"scale_down": cooldown})}
    )
    decision = decided(signal, policy, facts, state).decision

    assert decision.desired_replicas >= lowest_allowed(policy, facts)


@thorough
@given(signals(), policies(), workloads(rollout=True), STATES)
def test_nothing_is_lowered_during_a_rollout(signal, policy, facts, state):
    decision = decided(signal, policy, facts, replace(state, doubts=())).decision

    assert decision.desired_replicas >= lowest_allowed(policy, facts)


@thorough
@given(**one_metric, share=st.floats(0, 0.99))
def test_nothing_is_lowered_within_a_window_of_our_own_start(signal, policy, facts, state, share):
    started_at = NOW - share * policy.behavior.scale_down_window
    state = replace(state, started_at=started_at, recovered=False)
    decision = decided(signal, policy, facts, state).decision

    no_window = not policy.behavior.scale_down_window
    assert no_window or decision.desired_replicas >= lowest_allowed(policy, facts)


@thorough
@given(**one_metric)
def test_rate_limits_are_never_exceeded_but_by_the_bounds(signal, policy, facts, state):
    decision = decided(signal, policy, facts, state).decision
    current, rules = facts.spec_replicas, policy.behavior
    up = scale_up_limit(current, rules=rules.scale_up, events=state.scale_events, now=NOW)
    down = scale_down_limit(current, rules=rules.scale_down, events=state.scale_events, now=NOW)

    assert decision.desired_replicas <= max(up, policy.min_replicas)
    assert decision.desired_replicas >= min(down, policy.max_replicas)


@thorough
@given(**one_metric, loads=st.tuples(LOADS, LOADS).map(sorted))
def test_more_load_never_means_fewer_replicas(signal, policy, facts, state, loads):
    less, more = (
        decided(
            replace(signal, sample=replace(signal.sample, value=load)), policy, facts, state
        ).decision
        for load in loads
    )

    suspicious = SUSPICIOUS & {limit.reason for limit in less.chain}
    assert suspicious or less.desired_replicas <= more.desired_replicas


@thorough
@given(**one_metric)
def test_the_same_facts_give_the_same_decision_again(signal, policy, facts, state):
    first = decided(signal, policy, facts, state)
    again = decided(signal, policy, facts, state)
    remembered = decided(signal, policy, facts, first.state_if_held)

    assert again == first
    assert remembered.decision == first.decision


@thorough
@given(**one_metric)
def test_every_changed_number_has_a_reason_and_the_chain_has_no_gap(signal, policy, facts, state):
    outcome = decided(signal, policy, facts, state)
    decision, wanted = outcome.decision, outcome.recommendation.replicas
    numbers = [facts.spec_replicas if wanted is None else wanted]
    for limit in decision.chain:
        assert limit.before == numbers[-1]
        numbers.append(limit.after)

    assert numbers[-1] == decision.desired_replicas
    deciding = [limit.reason for limit in decision.chain]
    assert decision.reason == [outcome.recommendation.reason, *deciding][-1]


@thorough
@given(signals(), policies(), workloads(), STATES)
def test_a_decision_that_was_carried_out_is_not_followed_by_another(signal, policy, facts, state):
    first = decided(signal, policy, facts, replace(state, started_at=LONG_AGO))
    desired = first.decision.desired_replicas
    carried_out = replace(
        facts,
        spec_replicas=desired,
        status_replicas=desired,
        ready_replicas=desired,
        resource_version="2",
    )
    again = decided(signal, policy, carried_out, first.state_after(rescaled=first.decision.rescale))

    settled = facts.ready_replicas == facts.spec_replicas
    assert again.decision.desired_replicas == desired or not settled


def raised_at_most(replicas, rules):
    """What the scale-out policies allow from the replicas at the start of each one's period."""
    limits = [
        at_start + p.value
        if p.type is RateLimitType.PODS
        else math.ceil(at_start * (1 + p.value / 100))
        for p, at_start in zip(rules.policies, replicas, strict=True)
    ]
    return min(limits) if rules.select_policy is SelectPolicy.MIN else max(limits)


@thorough
@given(
    st.lists(LOADS, min_size=6, max_size=12),
    policies(),
    st.integers(0, 40),
    st.sampled_from((15, 60, 240)),
)
def test_over_any_period_no_more_is_added_than_allowed(loads, policy, first, step_seconds):
    step, state, counts = timedelta(seconds=step_seconds), WorkloadState(LONG_AGO), [first]
    rules = policy.behavior.scale_up
    for tick, load in enumerate(loads):
        now, before = NOW + tick * step, counts[-1]
        facts = WorkloadFacts(TARGET, before, before, before, str(tick), now)
        signal = Signal("rate", Sample(load, now, 1), CAPACITY)
        outcome = reconciled((signal,), workload=facts, policy=policy, state=state, now=now)
        state = outcome.state_after(rescaled=outcome.decision.rescale)
        after = outcome.decision.desired_replicas
        started = [
            counts[max(tick - (p.period_seconds - 1) // step_seconds, 0)] for p in rules.policies
        ]
        forbidden = rules.select_policy is SelectPolicy.DISABLED
        most = before if forbidden else raised_at_most(started, rules)
        assert after <= max(before, most, policy.min_replicas)
        counts.append(after)
