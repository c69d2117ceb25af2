"""Pods that never become ready are made up for, once and by at most a quarter."""

from dataclasses import replace
from datetime import timedelta

import pytest

from autoscaler.decide.decision import Limit
from autoscaler.decide.facts import Capacity, CapacitySource, PodFacts, PodPhase, Sample
from autoscaler.decide.reason import Reason
from autoscaler.decide.state import WorkloadState
from decide.worlds import (
    LONG_AGO,
    LOW,
    NOW,
    ago,
    decided,
    outcome,
    quiet,
    reasons,
    signal,
    workload,
)


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


@pytest.mark.parametrize(
    ("n_stuck", "load"),
    [pytest.param(7, 400, id="five for load"), pytest.param(3, 800, id="ten, which are there")],
)
def test_what_another_rule_keeps_is_never_lowered_to_what_is_made_up_for(n_stuck, load):
    facts = workload(10, ready_replicas=10 - n_stuck, pods=stuck(n_stuck, age=900))

    assert reasons(decided(signal(load), facts=facts)) == [Reason.PODS_NOT_READY_HOLD]


@pytest.mark.parametrize("n_ready", [10, 9], ids=["more than enough", "just enough"])
def test_where_enough_serve_nothing_is_made_up_for(n_ready):
    facts = workload(10, ready_replicas=n_ready, pods=stuck(1, age=90_000))

    assert decided(signal(900, 900), facts=facts).desired_replicas == 9


def test_a_scale_out_window_that_asked_for_as_many_makes_up_for_them_too():
    facts = workload(10, ready_replicas=8, pods=stuck(2, age=900))
    window = {"scaleUp": {"stabilizationWindowSeconds": 300}}

    assert decided(signal(1000), facts=facts, state=quiet(10), behavior=window).chain == (
        Limit(Reason.PODS_NEVER_READY, 10, 12, "2 not ready for long"),
    )
    rising = decided(signal(2000), facts=facts, state=quiet(10), behavior=window)
    assert reasons(rising) == [Reason.SCALE_UP_STABILIZED, Reason.PODS_NEVER_READY]
    assert rising.desired_replicas == 12


def test_in_a_scale_out_window_replacements_call_for_no_more_of_them():
    window = {"scaleUp": {"stabilizationWindowSeconds": 300}}
    state, pods, seen = quiet(10), stuck(2, age=900), []
    for cycle in range(10):
        now = NOW + timedelta(seconds=cycle)
        facts = workload(len(pods), ready_replicas=8, pods=pods)
        step = outcome(signal(2000), facts=facts, state=state, now=now, behavior=window)
        state = step.state_after(rescaled=step.decision.rescale)
        seen.append(step.decision.desired_replicas)
        more = range(step.decision.desired_replicas - len(pods))
        pods += tuple(PodFacts(f"new-{cycle}-{i}", now, ready=False) for i in more)

    assert seen == [12] * 10


def test_where_so_many_are_needed_younger_pods_make_up_for_nothing():
    pods = tuple(replace(p, created_at=ago(3600)) if p.ready else p for p in stuck(2, age=90_000))
    facts = workload(10, ready_replicas=8, pods=pods)

    assert decided(signal(1000), facts=facts).desired_replicas == 12
    assert decided(signal(900, 1000), facts=facts).desired_replicas == 12
    assert decided(signal(1000), signal(500), facts=facts).desired_replicas == 12


def test_pods_that_are_leaving_are_not_made_up_for():
    leaving = tuple(replace(pod, deleted=True) for pod in stuck(2, age=900))
    facts = workload(10, ready_replicas=8, pods=leaving)

    assert decided(signal(1000), facts=facts).desired_replicas == 10


@pytest.mark.parametrize("phase", [PodPhase.FAILED, PodPhase.SUCCEEDED])
def test_pods_that_ended_are_not_made_up_for(phase):
    ended = tuple(replace(pod, phase=phase) for pod in stuck(2, age=900))
    facts = workload(10, ready_replicas=8, pods=ended)

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


def test_where_a_window_keeps_fewer_than_are_needed_younger_pods_make_up_for_nothing():
    old = {"started_at": LONG_AGO, "ready_transition_at": LONG_AGO, "requests": {("app", "cpu"): 1}}
    young = {True: {"created_at": ago(3600)}, False: {}}
    pods = tuple(replace(p, **old | young[p.ready]) for p in stuck(2, age=90_000))
    busy = Sample(8.0, NOW, 8, {pod.name: 1.0 for pod in pods if pod.ready})
    rising = replace(signal(0.0, capacity=HALF_A_CORE), sample=busy)
    window = BY_CPU | {"behavior": {"scaleUp": {"stabilizationWindowSeconds": 300}}}
    facts = workload(10, ready_replicas=8, pods=pods)

    assert decided(rising, facts=facts, state=quiet(10), **window).desired_replicas == 12
    at_once = decided(rising, facts=facts, state=quiet(10), **BY_CPU)
    assert reasons(at_once) == [Reason.PODS_NEVER_READY]
    assert at_once.desired_replicas == 18


def test_while_pods_that_tolerance_asks_for_start_nothing_is_made_up_for():
    old = {"started_at": LONG_AGO, "ready_transition_at": LONG_AGO, "requests": {("app", "cpu"): 1}}
    pods = tuple(replace(pod, **old) for pod in stuck(2, age=60))
    one = replace(signal(0.0, capacity=HALF_A_CORE), sample=on_target(pods, NOW))
    facts = workload(10, ready_replicas=8, pods=pods)

    assert decided(one, facts=facts, **BY_CPU).chain == ()


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
    state = quiet(0, last_scale_down_at=ago(7200), holds=jumped)

    assert decided(LOW, state=state, **fields).desired_replicas == desired
