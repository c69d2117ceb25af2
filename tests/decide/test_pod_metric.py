"""What HPA would make of the pods: booting, silent and odd ones."""

from dataclasses import replace

import pytest

from autoscaler.decide.facts import (
    WHOLE_POD,
    Capacity,
    CapacitySource,
    PodFacts,
    PodPhase,
    Sample,
    Signal,
)
from autoscaler.decide.pod_metric import load_without_booting
from autoscaler.decide.reason import Reason
from autoscaler.policy.metric import MetricSpec
from decide.worlds import LONG_AGO, NOW, ago, forecast, outcome, recommended, signal, workload

CPU = {
    "type": "ContainerResource",
    "containerResource": {
        "name": "cpu",
        "container": "app",
        "target": {"type": "Utilization", "averageUtilization": 50},
    },
}


def cpu_pods(*started_ago, ready=True):
    return tuple(
        PodFacts(
            f"pod-{i}",
            ago(age),
            PodPhase.RUNNING,
            ready=ready or age > 300,
            started_at=ago(age),
            ready_transition_at=ago(max(age - 20, 0)),
            requests={("app", "cpu"): 1.0, ("sidecar", "cpu"): 4.0, ("app", "memory"): 2.0**30},
        )
        for i, age in enumerate(started_ago)
    )


def cpu_signal(by_pod, quantile=None):
    capacity = Capacity(0.5, CapacitySource.REQUEST)
    sample = Sample(sum(by_pod.values()), NOW, len(by_pod), by_pod=by_pod)
    return Signal("cpu", sample, capacity, None if quantile is None else forecast(quantile))


FAILS = {"ready": False, "ready_transition_at": ago(60)}
ONE_NOT_READY = (cpu_pods(9000)[0], replace(cpu_pods(9000)[0], name="pod-1", **FAILS))


def test_what_a_booting_pod_burns_is_no_load():
    facts = workload(2, pods=cpu_pods(9000, 30, ready=False))
    burning = cpu_signal({"pod-0": 0.5, "pod-1": 3.0}, quantile=0.5)
    warming = replace(burning, forecast=None)

    assert recommended(burning, facts=facts, metrics=[CPU]).replicas == 1
    assert recommended(warming, facts=facts, metrics=[CPU]).replicas == 2


@pytest.mark.parametrize(("cores", "expected"), [(0.0044, 10), (0.0040, 8), (0.029, 58)])
def test_what_a_pod_uses_is_rounded_up_to_milli_units_as_for_hpa(cores, expected):
    pods = tuple(replace(p, requests={("app", "cpu"): 0.01}) for p in cpu_pods(*[9000] * 10))
    facts = workload(10, pods=pods)
    used = cpu_signal({pod.name: cores for pod in pods})

    assert recommended(used, facts=facts, metrics=[CPU]).replicas == expected


@pytest.mark.parametrize(
    ("cores", "expected"),
    [
        pytest.param(0.018, 4, id="HPA reads 1 % of 1.8, and would keep 2"),
        pytest.param(0.49, 100, id="within the tolerance as for HPA"),
        pytest.param(0.44, 88, id="no more than HPA keeps"),
    ],
)
def test_no_step_in_goes_below_what_all_pods_together_need(cores, expected):
    pods = cpu_pods(*[9000] * 100)
    used = cpu_signal({pod.name: cores for pod in pods})

    assert recommended(used, facts=workload(100, pods=pods), metrics=[CPU]).replicas == expected


def test_a_target_below_a_milli_unit_is_one_as_for_hpa():
    tiny = {"name": "cpu", "target": {"averageValue": "100u"}}
    metrics = [{"type": "Resource", "resource": tiny}]
    facts = workload(2, pods=cpu_pods(9000, 9000))

    got = recommended(cpu_signal({"pod-0": 0.003, "pod-1": 0.002}), facts=facts, metrics=metrics)
    assert got.replicas == 4


@pytest.mark.parametrize(
    ("target", "own", "expected"),
    [
        pytest.param({"averageValue": "250m"}, {}, 3, id="cores per pod"),
        pytest.param({"averageUtilization": 50}, {}, 1, id="a share of what containers request"),
        pytest.param(
            {"averageUtilization": 5}, {}, 3, id="a small share of what containers request"
        ),
        pytest.param(
            {"averageUtilization": 5}, {(WHOLE_POD, "cpu"): 6.0}, 2, id="of what the pod requests"
        ),
    ],
)
def test_what_a_whole_pod_uses_is_measured_against_its_target(target, own, expected):
    metrics = [{"type": "Resource", "resource": {"name": "cpu", "target": target}}]
    pods = tuple(replace(p, requests=p.requests | own) for p in cpu_pods(9000, 9000))
    facts = workload(2, pods=pods)
    used = cpu_signal({"pod-0": 0.3, "pod-1": 0.3})
    used = replace(used, capacity=Capacity(2.5, CapacitySource.REQUEST))

    assert recommended(used, facts=facts, metrics=metrics).replicas == expected


def test_a_metric_that_hpa_does_not_read_by_pod_is_sized_by_its_total():
    seen = replace(signal(60.0), sample=Sample(60.0, NOW, 1, by_pod={"pod-0": 60.0}))
    facts = workload(2, pods=cpu_pods(9000, 9000))
    as_pods = {"metric": {"name": "rate"}, "target": {"averageValue": "100"}}

    assert recommended(seen, facts=facts).replicas == 1
    assert recommended(seen, facts=facts, metrics=[{"type": "Pods", "pods": as_pods}]).replicas == 2


def test_a_pod_that_uses_nothing_is_one_that_is_measured():
    facts = workload(2, pods=cpu_pods(9000, 9000))

    assert recommended(cpu_signal({"pod-0": 0.1, "pod-1": 0.0}), facts=facts, metrics=[CPU]) == (
        recommended(cpu_signal({"pod-0": 0.05, "pod-1": 0.05}), facts=facts, metrics=[CPU])
    )


STARTED, NEVER = ago(200), None


@pytest.mark.parametrize(
    ("fields", "load"),
    [
        pytest.param({}, 1.0, id="young, and ready for a minute: load"),
        pytest.param({"ready_transition_at": ago(59)}, 0.5, id="ready for less: boot"),
        pytest.param({"ready": False}, 0.5, id="not ready: boot"),
        pytest.param(
            {"started_at": ago(300), "ready_transition_at": ago(59)}, 1.0, id="not young: load"
        ),
        pytest.param(
            {"started_at": ago(299), "created_at": LONG_AGO, "ready_transition_at": ago(59)},
            0.5,
            id="young since its start, however long it waited for a node",
        ),
        pytest.param(
            {"started_at": ago(9000), "ready_transition_at": ago(8990), "ready": False},
            0.5,
            id="old, and never ready: boot",
        ),
        pytest.param(
            {"started_at": ago(9000), "ready_transition_at": ago(60), "ready": False},
            1.0,
            id="old, and no longer ready: load",
        ),
        pytest.param({"started_at": NEVER}, 0.5, id="young by its creation, of an unknown start"),
        pytest.param(
            {"started_at": NEVER, "ready_transition_at": NEVER, "created_at": LONG_AGO},
            1.0,
            id="old by its creation, and ready since nobody knows when",
        ),
    ],
)
@pytest.mark.parametrize("sampled_at", [NOW, None], ids=["", "a sample without a time is of now"])
def test_what_counts_as_boot_and_what_as_load(fields, load, sampled_at):
    pod = PodFacts("pod-0", ago(250), started_at=STARTED, ready_transition_at=ago(60))
    pods = (replace(pod, **fields), replace(pod, name="pod-1"))
    sample = Sample(1.0, sampled_at, 2, by_pod={"pod-0": 0.5, "pod-1": 0.5})
    facts, cpu = workload(2, pods=pods), MetricSpec.model_validate(CPU)

    assert load_without_booting(sample, 1.0, cpu, workload=facts, now=NOW) == load


def test_a_booting_pod_needs_the_memory_that_it_uses():
    target = {"type": "AverageValue", "averageValue": "1Gi"}
    memory = {"type": "Resource", "resource": {"name": "memory", "target": target}}
    facts = workload(2, pods=cpu_pods(9000, 30))
    sample = Sample(2.0**31, NOW, 2, by_pod={"pod-0": 2.0**30, "pod-1": 2.0**30})
    used = Signal("memory", sample, Capacity(2.0**30, CapacitySource.POLICY), forecast(1.0))
    got = recommended(used, facts=facts, metrics=[memory])

    assert (got.replicas, got.may_lower) == (2, True)


@pytest.mark.parametrize("wrong", [float("nan"), float("inf"), -1.0])
def test_a_pod_s_usage_that_cannot_be_one_is_missing(wrong):
    facts = workload(2, pods=cpu_pods(9000, 9000))
    one = cpu_signal({"pod-0": 0.1, "pod-1": wrong})
    seen = replace(one, sample=replace(one.sample, value=0.1))

    assert recommended(seen, facts=facts, metrics=[CPU]).replicas == 2


@pytest.mark.parametrize("wrong", [float("nan"), float("inf"), -1.0])
def test_nor_is_it_what_a_booting_pod_burns(wrong):
    facts, cpu = workload(2, pods=cpu_pods(9000, 30, ready=False)), MetricSpec.model_validate(CPU)
    sample = Sample(2.0, NOW, 2, by_pod={"pod-0": 2.0, "pod-1": wrong})

    assert load_without_booting(sample, 2.0, cpu, workload=facts, now=NOW) == 2.0


@pytest.mark.parametrize(
    ("changes", "may_lower"),
    [
        pytest.param({}, True, id="as many as serve"),
        pytest.param({"ready_replicas": 3}, False, id="one that serves is not listed"),
        pytest.param({"ready_replicas": 1}, True, id="one more, not counted yet"),
        pytest.param({"pods": ONE_NOT_READY}, False, id="one that is listed does not serve"),
    ],
)
@pytest.mark.parametrize("quantile", [None, 0.1])
def test_a_sum_over_pods_that_are_not_all_known_never_lowers(quantile, changes, may_lower):
    ended = replace(cpu_pods(9000)[0], name="evicted", phase=PodPhase.FAILED)
    leaving = replace(cpu_pods(9000)[0], name="leaving", deleted=True)
    facts = workload(2, pods=(*cpu_pods(9000, 9000), ended, leaving))
    low = cpu_signal({"pod-0": 0.1, "pod-1": 0.1}, quantile=quantile)
    got = recommended(low, facts=replace(facts, **changes), metrics=[CPU])

    assert (got.replicas, got.may_lower) == (1, may_lower)
    assert may_lower or got.reason is Reason.METRICS_PARTIAL_HOLD


def test_on_target_as_many_are_asked_for_as_are_ordered_as_for_hpa():
    facts = workload(4, status_replicas=3, ready_replicas=2, pods=cpu_pods(9000, 9000))
    on_target = cpu_signal({"pod-0": 0.5, "pod-1": 0.5})

    assert recommended(on_target, facts=facts, metrics=[CPU]).replicas == 4


def test_nor_does_anybody_else_lower_where_such_a_sum_asks_for_more():
    facts = workload(2, ready_replicas=3, pods=cpu_pods(9000, 9000))
    got = recommended(cpu_signal({"pod-0": 0.9, "pod-1": 0.9}), facts=facts, metrics=[CPU])

    assert (got.replicas, got.may_lower) == (4, False)


def test_what_boots_takes_away_no_more_than_there_is():
    facts, cpu = workload(2, pods=cpu_pods(9000, 30, ready=False)), MetricSpec.model_validate(CPU)
    sample = cpu_signal({"pod-0": 0.5, "pod-1": 3.0}, quantile=0.5).sample

    assert load_without_booting(sample, 2.0, cpu, workload=facts, now=NOW) == 0.0


def test_where_every_pod_boots_nothing_is_known_of_the_load():
    facts = workload(2, pods=cpu_pods(20, 30, ready=False))
    burning = cpu_signal({"pod-0": 0.01, "pod-1": 0.01}, quantile=0.4)
    alone = recommended(replace(burning, forecast=None), facts=facts, metrics=[CPU])
    trusted = recommended(burning, facts=facts, metrics=[CPU])

    assert (alone.replicas, alone.may_lower) == (None, False)
    assert (trusted.replicas, trusted.may_lower) == (1, False)


def test_where_hpa_has_no_answer_the_total_may_raise_and_never_lowers():
    unlike = replace(cpu_pods(9000)[0], name="pod-1", requests={})
    facts = workload(2, pods=(*cpu_pods(9000), unlike))
    more = recommended(cpu_signal({"pod-0": 1.4, "pod-1": 1.4}), facts=facts, metrics=[CPU])
    less = recommended(cpu_signal({"pod-0": 0.1, "pod-1": 0.1}), facts=facts, metrics=[CPU])

    assert (more.replicas, more.may_lower) == (6, False)
    assert (less.may_lower, less.reason) == (False, Reason.METRICS_PARTIAL_HOLD)


def test_a_pod_counts_once_a_whole_window_was_measured_since_it_became_ready():
    pod = replace(cpu_pods(200)[0], ready_transition_at=ago(80))
    facts = workload(1, pods=(pod,))
    fresh = cpu_signal({"pod-0": 0.9})
    older = replace(fresh, sample=replace(fresh.sample, sampled_at=ago(30)))

    assert recommended(fresh, facts=facts, metrics=[CPU]).replicas == 2
    assert recommended(older, facts=facts, metrics=[CPU]).replicas is None


def test_a_sample_of_a_clock_that_is_ahead_is_taken_for_one_of_now():
    pod = replace(cpu_pods(200)[0], ready_transition_at=ago(50))
    now = cpu_signal({"pod-0": 0.9})
    ahead = replace(now, sample=replace(now.sample, sampled_at=ago(-20)))

    assert recommended(ahead, facts=workload(1, pods=(pod,)), metrics=[CPU]).replicas is None


def serving(*started_ago, silent=0):
    """Return pods that are all ready, and what each burns but the last ones."""
    pods = cpu_pods(*started_ago, ready=True)
    return pods, {pod.name: 0.2 for pod in pods[: len(pods) - silent]}


@pytest.mark.parametrize(
    ("ages", "silent", "may_lower"),
    [
        pytest.param((9000,) * 4, 0, True, id="all are counted"),
        pytest.param((9000, 9000, 60, 60), 0, False, id="two take load, and count for nothing yet"),
        pytest.param((9000, 9000, 90, 90), 0, True, id="a minute later they count"),
        pytest.param((9000,) * 4, 1, False, id="one says nothing"),
    ],
)
@pytest.mark.parametrize("quantile", [None, 0.4])
def test_the_load_of_some_of_those_that_serve_never_lowers(ages, silent, may_lower, quantile):
    pods, by_pod = serving(*ages, silent=silent)
    facts = workload(6, ready_replicas=4, pods=pods)
    got = recommended(cpu_signal(by_pod, quantile=quantile), facts=facts, metrics=[CPU])

    assert got.replicas < 6
    assert got.may_lower is may_lower


@pytest.mark.parametrize(
    ("usage", "may_lower"),
    [
        pytest.param((0.2, 0.2), True, id="as many as serve"),
        pytest.param((0.2, 0.0), True, id="of which one uses nothing"),
        pytest.param((0.2,), False, id="fewer"),
        pytest.param((0.2, float("inf")), False, id="or one that is endless"),
        pytest.param((0.2, float("nan")), False, id="or one that is no number"),
    ],
)
def test_where_pods_are_not_watched_as_many_must_be_measured_as_serve(usage, may_lower):
    by_pod = {f"pod-{i}": cores for i, cores in enumerate(usage)}
    sample = Sample(0.2, NOW, len(by_pod), by_pod=by_pod)
    seen = Signal("cpu", sample, Capacity(0.5, CapacitySource.REQUEST), None)

    facts = workload(4, status_replicas=3, ready_replicas=2)
    assert recommended(seen, facts=facts, metrics=[CPU]).may_lower is may_lower


def test_pods_that_take_their_first_load_do_not_undo_their_own_scale_out():
    pods, by_pod = serving(*[9000] * 5, *[60] * 5)
    behavior = {"scaleDown": {"stabilizationWindowSeconds": 0}}
    facts = workload(10, pods=pods)
    step = outcome(cpu_signal(by_pod), facts=facts, metrics=[CPU], behavior=behavior)

    assert (step.recommendation.replicas, step.decision.desired_replicas) == (2, 10)


def test_a_named_container_is_measured_against_its_own_request():
    facts = workload(2, pods=cpu_pods(9000, 9000))

    got = recommended(cpu_signal({"pod-0": 0.9, "pod-1": 0.9}), facts=facts, metrics=[CPU])

    assert (got.replicas, got.proposals[0].usage_ratio) == (4, 1.8)


def test_a_pod_without_a_sample_makes_the_step_smaller():
    facts = workload(3, pods=cpu_pods(9000, 9000, 9000))

    assert (
        recommended(cpu_signal({"pod-0": 0.9, "pod-1": 0.9}), facts=facts, metrics=[CPU]).replicas
        == 4
    )
    assert (
        recommended(cpu_signal({"pod-0": 0.2, "pod-1": 0.2}), facts=facts, metrics=[CPU]).replicas
        == 3
    )
