"""The watch may bring anything: an object is kept, left out, or refused in a way that is handled.

The API server checks what it stores, but a custom resource is only as good as its schema.
"""

from functools import partial
from random import Random

import pytest

from autoscaler.cluster import parsing
from autoscaler.cluster.objects import PolicySource, Workload
from autoscaler.cluster.store import Store
from autoscaler.cluster.watched import Resource
from autoscaler.policy.book import PolicyBook
from autoscaler.strict import MALFORMED
from fuzz.hostile import inputs, mutated

META = {
    "namespace": "shop",
    "name": "checkout",
    "uid": "d1",
    "resourceVersion": "7",
    "generation": 5,
    "creationTimestamp": "2026-11-23T08:00:00Z",
    "labels": {"pod-template-hash": "abc"},
    "annotations": {"deployment.kubernetes.io/revision": "3"},
    "ownerReferences": [{"kind": "ReplicaSet", "uid": "rs1", "controller": True}],
    "managedFields": [{"manager": "helm", "fieldsV1": {"f:spec": {"f:replicas": {}}}}],
}
CONTAINER = {
    "name": "app",
    "restartPolicy": "Always",
    "resources": {"requests": {"cpu": "250m"}, "limits": {"memory": "1Gi"}},
}
CONTAINERS = {"containers": [CONTAINER], "initContainers": [CONTAINER]}
READY = {"type": "Ready", "status": "True", "lastTransitionTime": "2026-11-23T08:01:30Z"}
COUNTS = {"replicas": 3, "readyReplicas": 2, "updatedReplicas": 3, "observedGeneration": 5}
TARGET = {"kind": "Deployment", "name": "checkout", "apiVersion": "apps/v1"}
WORKLOAD = {
    "metadata": META,
    "spec": {"replicas": 3, "template": {"spec": CONTAINERS}},
    "status": COUNTS | {"conditions": [{"type": "Progressing", "reason": "ReplicaSetUpdated"}]},
}
POD = {
    "metadata": META,
    "spec": CONTAINERS,
    "status": {
        "phase": "Running",
        "startTime": "2026-11-23T08:00:10Z",
        "conditions": [READY],
        "containerStatuses": [{"restartCount": 1}],
    },
}
RIVAL = {"metadata": META, "spec": {"scaleTargetRef": TARGET, "minReplicas": 2}}
CONFIG_MAP = {"metadata": META, "data": {"checkout": "maxReplicas: 3", "cart": ""}}
READERS = {
    "ConfigMap": (parsing.policy_source, CONFIG_MAP),
    "Deployment": (partial(parsing.workload, kind="Deployment", api_version="apps/v1"), WORKLOAD),
    "Rollout": (partial(parsing.workload, kind="Rollout", api_version="argo/v1"), WORKLOAD),
    "ReplicaSet": (parsing.replica_set, {"metadata": META, "spec": COUNTS, "status": COUNTS}),
    "Pod": (parsing.pod, POD),
    "HPA": (parsing.horizontal_pod_autoscaler, RIVAL),
    "ScaledObject": (parsing.scaled_object, RIVAL),
}


def read(kind: str, raw: object) -> object:
    """Return what is kept of an object; None when it is left out or refused."""
    try:
        return READERS[kind][0](raw)
    except MALFORMED:
        return None


@pytest.mark.parametrize("kind", READERS)
def test_what_is_spoilt_below_is_good(kind):
    assert read(kind, READERS[kind][1]) is not None


@inputs(24_000)
def test_a_spoilt_object_is_kept_or_refused_and_counts_are_counts(chance: Random):
    kind = chance.choice(list(READERS))
    seen = read(kind, mutated(READERS[kind][1], chance))

    if isinstance(seen, Workload):
        assert min(seen.spec_replicas, seen.status_replicas, seen.ready_replicas) >= 0
        assert all(amount >= 0 for amount in seen.requests.values())


@inputs(8_000)
def test_what_was_kept_never_breaks_who_asks_for_it(chance: Random):
    store = Store()
    for kind in chance.choices(list(READERS), k=3):
        seen = read(kind, mutated(READERS[kind][1], chance))
        if seen is not None:
            store.put(seen)
    targets = list(store._workloads)

    assert set(store.workloads(targets)) == set(targets)
    assert PolicyBook().updated(store.documents()).policies == {}


@inputs(8_000)
def test_a_spoilt_config_map_holds_texts_only(chance: Random):
    seen = read("ConfigMap", mutated(CONFIG_MAP, chance))

    if isinstance(seen, PolicySource):
        assert all(isinstance(part, str) for item in seen.data.items() for part in item)


def test_an_object_that_cannot_be_read_is_left_out_and_told_once_for_each_reason(caplog):
    rollouts = Resource("/apis/argoproj.io/v1alpha1/rollouts", READERS["Rollout"][0])
    spoilt = WORKLOAD | {"spec": {"template": {"spec": {"containers": 5}}}}

    assert [rollouts.kept(spoilt), rollouts.kept(spoilt), rollouts.kept({})] == [None] * 3
    told = [(r.getMessage(), r.__dict__["fields"]["object"]) for r in caplog.records]
    assert told == [("object_unreadable", "shop/checkout"), ("object_unreadable", "None")]
