"""What one pod carries, from the object the API server sends to the capacity that is learned."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from autoscaler.capacities import (
    Capacities,
    CapacityPast,
    capacity_from_past,
    places_to_learn_from,
)
from autoscaler.cluster import parsing
from autoscaler.cluster.store import Store
from autoscaler.decide.facts import Doubt, Sample, TargetRef
from autoscaler.policy.metric import MetricSpec
from autoscaler.policy.schema import WorkloadPolicy
from autoscaler.roster import compiled

NOW = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
LATER = NOW + timedelta(hours=3)
TARGET = TargetRef("shop", "checkout")
PODS = 4
# One core is the limit; 0.01 cores a request and no idle: at 100 requests/s a pod is throttled.
CORES_PER_REQUEST, LIMIT = 0.01, 1.0
# At which a pod uses its whole request, half a core.
SATURATED_AT = 0.5 / CORES_PER_REQUEST


def container(**limits):
    requests = {"cpu": "500m"}
    return {"name": "app", "resources": {"requests": requests, "limits": limits}}


def seen(*containers):
    """The workload as facts, after the API server sent it as an object."""
    raw = {
        "metadata": {"namespace": "shop", "name": "checkout", "uid": "d1", "resourceVersion": "7"},
        "spec": {"replicas": PODS, "template": {"spec": {"containers": list(containers)}}},
        "status": {"replicas": PODS, "updatedReplicas": PODS, "readyReplicas": PODS},
    }
    store = Store(clock=lambda: NOW)
    store.put(parsing.workload(raw, kind="Deployment", api_version="apps/v1"))
    [facts] = store.workloads([TARGET]).values()
    return facts


def policy(scope, *, utilization=80, source="linkerd"):
    cpu = {"name": "cpu", "target": {"averageUtilization": utilization}}
    by_container = {
        "type": "ContainerResource",
        "containerResource": {**cpu, "container": "app"},
    }
    whole = {"type": "Resource", "resource": cpu}
    return WorkloadPolicy.model_validate(
        {
            "scaleTargetRef": {"name": "checkout"},
            "maxReplicas": 50,
            "metrics": [
                {"type": "RequestRate", "requestRate": {"source": source}},
                by_container if scope == "container" else whole,
            ],
        }
    )


def minutes(n, *, throttled):
    """Loads and cores of one pod; every other minute asks for three times what the limit gives."""
    for minute in range(n):
        load = 300.0 if throttled and minute % 2 else 20.0 + minute % 40
        yield load, min(load * CORES_PER_REQUEST, LIMIT)


def shown(workload, *, rules=None, throttled=True, doubts=(None, None), every=60, known=None):
    """What two hours of samples teach, one every so many seconds."""
    [governed] = compiled({TARGET: ("test", rules or policy("container"))}).governed
    capacities = known or Capacities()
    for tick, (load, cores) in enumerate(minutes(7200 // every, throttled=throttled)):
        at = NOW + timedelta(seconds=tick * every)
        totals = zip((load, cores), doubts, strict=True)
        pair = [Sample(PODS * total, at, doubt=doubt) for total, doubt in totals]
        capacities.learn(governed, pair, workload, now=at)
    return capacities


def learned(workload, *, scope="container", rules=None, **fields):
    rules = rules or policy(scope)
    [governed] = compiled({TARGET: ("test", rules)}).governed
    return shown(workload, rules=rules, **fields).of(governed, workload)[0]


@pytest.mark.parametrize("scope", ["container", "pod"])
def test_minutes_at_the_limit_are_left_out(scope):
    got = learned(seen(container(cpu="1")), scope=scope)

    assert got.saturated_at == pytest.approx(SATURATED_AT, rel=0.05)


def test_a_sidecar_without_a_limit_leaves_its_container_limited_and_the_pod_not():
    workload = seen(container(cpu="1"), {"name": "proxy"})

    assert learned(workload).saturated_at == pytest.approx(SATURATED_AT, rel=0.05)
    assert learned(workload, scope="pod").saturated_at != pytest.approx(SATURATED_AT, rel=0.05)


def test_without_a_limit_every_minute_counts():
    unlimited = learned(seen(container()), throttled=False)

    assert unlimited.saturated_at == pytest.approx(SATURATED_AT, rel=0.05)


@pytest.mark.parametrize("doubts", [(Doubt.PARTIAL, None), (None, Doubt.PARTIAL)])
def test_doubtful_minutes_teach_nothing(doubts):
    assert learned(seen(container(cpu="1")), doubts=doubts) is None


@pytest.mark.parametrize("wrong", [float("nan"), float("inf"), -1.0])
@pytest.mark.parametrize("place", [0, 1])
def test_what_cannot_be_a_load_teaches_nothing(wrong, place):
    [governed] = compiled({TARGET: ("test", policy("container"))}).governed
    samples, known = [Sample(80.0, NOW), Sample(0.8, NOW)], Capacities()
    samples[place] = Sample(wrong, NOW)
    known.learn(governed, samples, seen(container()), now=NOW)

    assert known.fit_of(TARGET) is None


def test_cold_minutes_teach_nothing():
    assert learned(replace(seen(container(cpu="1")), rollout_in_progress=True)) is None


def test_a_minute_teaches_once_however_often_we_look():
    by_minute, by_cycle = (
        shown(seen(container()), throttled=False, every=s).fit_of(TARGET) for s in (60, 15)
    )

    assert by_cycle.weight == pytest.approx(by_minute.weight)


def test_after_a_clock_was_set_back_minutes_go_on_teaching():
    workload = seen(container())
    [governed] = compiled({TARGET: ("test", policy("container"))}).governed
    known = Capacities()
    for at in (LATER, NOW, NOW + timedelta(minutes=1)):
        known.learn(governed, [Sample(80.0, at), Sample(0.8, at)], workload, now=at)

    assert round(known.fit_of(TARGET).weight) == 3


def test_another_pod_template_starts_over_and_stands_on_what_was_known():
    before = seen(container(cpu="1"))
    known, after = shown(before), replace(before, template_hash="v2")
    [governed] = compiled({TARGET: ("test", policy("container"))}).governed
    low = known.of(governed, before)[0].low
    known.learn(governed, [Sample(80.0, LATER), Sample(0.8, LATER)], after, now=LATER)

    fit = known.fit_of(TARGET)
    assert (fit.template_hash, fit.weight, fit.inherited.low) == ("v2", 1.0, low)
    assert known.of(governed, after)[0].per_pod == low


@pytest.mark.parametrize(
    "rules",
    [
        pytest.param(policy("container", source="istio"), id="another load"),
        pytest.param(policy("pod"), id="another scope of CPU"),
    ],
)
def test_an_edit_of_what_is_measured_starts_over_and_inherits_nothing(rules):
    workload, later = seen(container(cpu="1")), LATER + timedelta(minutes=1)
    known = shown(workload)
    [edited] = compiled({TARGET: ("test", rules)}).governed
    assert known.of(edited, workload)[0] is None
    for at in (LATER, later):
        known.learn(edited, [Sample(80.0, at), Sample(0.8, at)], workload, now=at)

    fit = known.fit_of(TARGET)
    assert (round(fit.weight), fit.inherited) == (2, None)
    assert known.of(edited, workload)[0] is None


def test_an_edit_of_the_cpu_target_forgets_nothing():
    workload = seen(container(cpu="1"))
    [edited] = compiled({TARGET: ("test", policy("container", utilization=40))}).governed

    assert shown(workload).of(edited, workload)[0] is not None


RATE = {"type": "RequestRate", "requestRate": {"source": "linkerd"}}
SIZED = {"type": "RequestRate", "requestRate": {"source": "istio", "target": {"averageValue": 9}}}
CPU = {"type": "Resource", "resource": {"name": "cpu", "target": {"averageUtilization": 80}}}
MEMORY = {"type": "Resource", "resource": {"name": "memory", "target": {"averageValue": 9}}}
QUEUE = {"metric": {"name": "queue"}, "target": {"averageValue": 9}}


@pytest.mark.parametrize(
    ("metrics", "places"),
    [
        pytest.param([RATE, CPU], (0, 1), id="a rate to be learned, and its CPU"),
        pytest.param([CPU, RATE], (1, 0), id="in any order"),
        pytest.param([SIZED, MEMORY, RATE, CPU], (2, 3), id="beside others"),
        pytest.param([RATE, RATE, CPU, CPU], (0, 2), id="of several the first"),
        pytest.param([SIZED, CPU], (None, 1), id="nothing to learn"),
        pytest.param([RATE, MEMORY], (0, None), id="nothing to learn from"),
        pytest.param([{"type": "External", "external": QUEUE}], (None, None), id="neither"),
    ],
)
def test_a_rate_is_learned_from_the_cpu_beside_it(metrics, places):
    fields = {"scaleTargetRef": {"name": "checkout"}, "maxReplicas": 50, "metrics": metrics}

    assert places_to_learn_from(WorkloadPolicy.model_validate(fields)) == places


def test_cores_per_pod_say_nothing_of_how_full_a_pod_may_be_so_that_hpa_s_share_counts():
    workload, rules = seen(container(cpu="1")), policy("pod")
    cores = {"name": "cpu", "target": {"averageValue": "100m"}}
    by_cores = rules.model_copy(
        update={"metrics": [rules.metrics[0], MetricSpec(type="Resource", resource=cores)]}
    )

    assert learned(workload, rules=by_cores).per_pod == learned(workload, rules=rules).per_pod


def test_without_a_cpu_request_or_metric_nothing_is_learned():
    past = CapacityPast(np.full(120, 90.0), np.ones(120), np.full(120, 2.0), warm_up=1)
    no_cpu = policy("pod").model_copy(update={"metrics": policy("pod").metrics[:1]})
    no_request = seen({"name": "app"})

    assert capacity_from_past(policy("pod"), seen(container()), past) is not None
    assert capacity_from_past(no_cpu, seen(container()), past) is None
    assert capacity_from_past(policy("pod"), no_request, past) is None


def test_the_target_of_the_cpu_metric_says_how_full_a_pod_may_be():
    workload = seen(container(cpu="1"))
    half, most = (learned(workload, rules=policy("pod", utilization=u)) for u in (40, 80))

    assert half.per_pod == pytest.approx(most.per_pod / 2, rel=0.05)


def test_moments_of_the_past_teach_once_the_pods_stood_for_a_while():
    n, unknown = np.array([2.0, 2, 2, 3, 3, 3, 0, 0]), float("nan")
    load = np.array([unknown, 9.0, 9, 9, 9, 9, 9, 9])
    past = CapacityPast(load, np.ones(8), n, warm_up=2)

    assert past.teaches.tolist() == [False, False, True, False, False, True, False, False]


@pytest.mark.parametrize(
    ("load", "cores"),
    [(0.0, 1.0), (float("nan"), 1.0), (9.0, float("nan")), (float("inf"), 1.0)],
    ids=["no load", "an unknown load", "unknown cores", "an endless load"],
)
def test_a_moment_of_which_something_is_not_known_teaches_nothing(load, cores):
    past = CapacityPast(np.array([load] * 2), np.array([cores] * 2), np.ones(2), warm_up=1)

    assert not past.teaches.any()


def test_a_past_is_read_by_the_same_rule():
    per_pod = np.array(list(minutes(120, throttled=True)))
    load, cores = PODS * per_pod.T
    past = CapacityPast(load, cores, np.full(120, float(PODS)), warm_up=1)

    got = capacity_from_past(policy("container"), seen(container(cpu="1")), past)

    assert got.saturated_at == pytest.approx(SATURATED_AT, rel=0.05)


def test_a_workload_no_policy_governs_is_forgotten():
    capacities = Capacities()
    workload, [governed] = seen(container()), compiled({TARGET: ("t", policy("pod"))}).governed
    capacities.learn(governed, [Sample(80.0, NOW), Sample(0.8, NOW)], workload, now=NOW)
    capacities.retain(set())

    assert capacities._fits == capacities._learned_at == {}
