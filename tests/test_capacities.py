"""What one pod carries, from the object the API server sends to the capacity that is learned."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from autoscaler.capacities import Capacities, CapacityPast, capacity_from_past
from autoscaler.cluster import parsing
from autoscaler.cluster.store import Store
from autoscaler.decide.facts import Doubt, Sample, TargetRef
from autoscaler.policy.schema import WorkloadPolicy
from autoscaler.roster import compiled

NOW = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
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


def policy(scope):
    cpu = {"name": "cpu", "target": {"averageUtilization": 80}}
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
                {"type": "RequestRate", "requestRate": {"source": "linkerd"}},
                by_container if scope == "container" else whole,
            ],
        }
    )


def minutes(n, *, throttled):
    """Loads and cores of one pod; every other minute asks for three times what the limit gives."""
    for minute in range(n):
        load = 300.0 if throttled and minute % 2 else 20.0 + minute % 40
        yield load, min(load * CORES_PER_REQUEST, LIMIT)


def learned(workload, *, scope="container", throttled=True, doubt=None):
    [governed] = compiled({TARGET: ("test", policy(scope))}).governed
    capacities = Capacities()
    for minute, (load, cores) in enumerate(minutes(120, throttled=throttled)):
        at = NOW + timedelta(minutes=minute)
        pair = [Sample(PODS * load, at, doubt=doubt), Sample(PODS * cores, at)]
        capacities.learn(governed, pair, workload, now=at)
    return capacities.of(governed, workload)[0]


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


def test_doubtful_minutes_teach_nothing():
    assert learned(seen(container(cpu="1")), doubt=Doubt.PARTIAL) is None


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
