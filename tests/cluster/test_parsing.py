"""What is read out of a Kubernetes object, one row per rule."""

from datetime import UTC, datetime

import pytest

from autoscaler.cluster import parsing
from autoscaler.cluster.objects import ReplicaSet, Rival
from autoscaler.decide.facts import PodPhase
from autoscaler.errors import PolicyError
from autoscaler.policy.parsing import policy_of

META = {"namespace": "shop", "name": "checkout", "uid": "d1", "resourceVersion": "7"}
CONTROLLED = [
    {"kind": "Whatever", "uid": "x", "controller": False},
    {"kind": "ReplicaSet", "uid": "rs1", "controller": True},
]


def deployment(status: dict[str, object], **meta: object) -> dict[str, object]:
    return {"metadata": META | meta, "spec": {"replicas": 3}, "status": status}


def progressing(reason: str) -> list[dict[str, str]]:
    return [{"type": "Progressing", "status": "True", "reason": reason}]


@pytest.mark.parametrize(
    ("kind", "raw", "expected"),
    [
        pytest.param(
            "Deployment",
            deployment({"replicas": 3, "updatedReplicas": 3, "readyReplicas": 1}),
            False,
            id="pods that start are no rollout",
        ),
        pytest.param(
            "Deployment",
            deployment({"replicas": 4, "updatedReplicas": 1}),
            True,
            id="old pods remain",
        ),
        pytest.param(
            "Deployment", deployment({"replicas": 4}), True, id="no new pod yet: field left out"
        ),
        pytest.param(
            "Thing", deployment({"replicas": 4}), False, id="a kind that never counts them"
        ),
        pytest.param(
            "Deployment",
            deployment({"observedGeneration": 4}, generation=5),
            True,
            id="the controller has not looked yet",
        ),
        pytest.param("Deployment", deployment({}, generation=1), True, id="just created"),
        pytest.param("Thing", deployment({}, generation=1), False, id="a kind that never tells"),
        pytest.param(
            "Deployment",
            deployment(
                {
                    "replicas": 3,
                    "updatedReplicas": 3,
                    "conditions": progressing("ReplicaSetUpdated"),
                }
            ),
            True,
            id="new pods still to become ready",
        ),
        pytest.param(
            "Deployment",
            deployment(
                {
                    "replicas": 3,
                    "updatedReplicas": 3,
                    "conditions": progressing("NewReplicaSetAvailable"),
                }
            ),
            False,
            id="done",
        ),
        pytest.param(
            "Deployment",
            deployment(
                {
                    "replicas": 3,
                    "updatedReplicas": 3,
                    "conditions": [{"type": "ReplicaFailure", "reason": "ReplicaSetUpdated"}],
                }
            ),
            False,
            id="another condition says nothing of it",
        ),
        pytest.param(
            "Deployment", deployment({"observedGeneration": 5}, generation=5), False, id="no pods"
        ),
        pytest.param(
            "StatefulSet",
            deployment({"replicas": 3, "currentRevision": "a", "updateRevision": "a"}),
            False,
            id="StatefulSet done",
        ),
        pytest.param(
            "StatefulSet",
            deployment(
                {
                    "replicas": 3,
                    "updatedReplicas": 1,
                    "currentRevision": "a",
                    "updateRevision": "b",
                }
            ),
            True,
            id="StatefulSet under way",
        ),
    ],
)
def test_a_rollout_is_in_progress(kind: str, raw: dict[str, object], expected: bool) -> None:
    assert parsing.rollout_in_progress(raw, kind=kind) is expected


def test_a_workload_whose_status_is_still_empty_has_no_pods() -> None:
    seen = parsing.workload(deployment({}), kind="Deployment", api_version="apps/v1")

    assert (seen.spec_replicas, seen.status_replicas, seen.ready_replicas) == (3, 0, 0)


@pytest.mark.parametrize("kind", ["Deployment", "StatefulSet", "ReplicaSet", "Rollout"])
def test_replicas_left_out_are_one_as_the_api_server_or_argo_has_it(kind: str) -> None:
    raw = {"metadata": META, "spec": {}}

    assert parsing.workload(raw, kind=kind, api_version="apps/v1").spec_replicas == 1


def test_a_kind_whose_scale_counts_elsewhere_is_not_taken_for_one_replica() -> None:
    """Ten task managers read as one would be "scaled out" to the five that are needed."""
    raw = {"metadata": META, "spec": {"taskManager": {"replicas": 10}}}

    with pytest.raises(ValueError, match=r"no spec\.replicas"):
        parsing.workload(raw, kind="FlinkDeployment", api_version="flink.apache.org/v1beta1")


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        pytest.param({"updateRevision": "checkout-7d"}, "checkout-7d", id="a StatefulSet's"),
        pytest.param({"currentPodHash": "7d"}, "7d", id="a Rollout's"),
        pytest.param({}, "", id="a Deployment's is that of its newest ReplicaSet"),
    ],
)
def test_the_template_that_a_workload_rolls_out(status: dict[str, object], expected: str) -> None:
    seen = parsing.workload(deployment(status), kind="Thing", api_version="v1")

    assert seen.template_hash == expected


def test_of_a_workload_it_is_known_who_wrote_its_replicas_and_how_often_its_spec_was_written():
    wrote = {"manager": "helm", "fieldsV1": {"f:spec": {"f:replicas": {}}}}
    told = deployment({}, generation=3, managedFields=[wrote])
    seen = parsing.workload(told, kind="Deployment", api_version="apps/v1")
    silent = parsing.workload(deployment({}), kind="Deployment", api_version="apps/v1")

    assert (seen.generation, seen.replicas_manager) == (3, "helm")
    assert (silent.generation, silent.replicas_manager) == (None, None)


@pytest.mark.parametrize("count", [-1, 2**62 + 1])
def test_what_cannot_be_a_count_is_refused(count: int) -> None:
    with pytest.raises(OverflowError, match=f"readyReplicas {count} is no count"):
        parsing.workload(
            deployment({"readyReplicas": count}), kind="Deployment", api_version="apps/v1"
        )


@pytest.mark.parametrize(
    ("fields", "active"),
    [
        pytest.param({"spec": {"replicas": 2}}, True, id="pods are ordered"),
        pytest.param({"spec": {"replicas": 0}, "status": {"replicas": 1}}, True, id="one is left"),
        pytest.param({"spec": {"replicas": 0}, "status": {"replicas": 0}}, False, id="none"),
        pytest.param({"spec": {"replicas": 0}}, False, id="none, and its status is empty"),
        pytest.param({"spec": {}}, True, id="left out, a count is one"),
        pytest.param({}, True, id="with everything else"),
    ],
)
def test_a_replica_set_is_active_while_it_has_pods(fields, active) -> None:
    meta = META | {
        "ownerReferences": [{"kind": "Deployment", "uid": "d1", "controller": True}],
        "annotations": {"deployment.kubernetes.io/revision": "4"},
        "labels": {"app": "checkout", "pod-template-hash": "abc"},
    }

    assert parsing.replica_set({"metadata": meta} | fields) == ReplicaSet(
        namespace="shop",
        name="checkout",
        uid="d1",
        owner_uid="d1",
        revision="4",
        template_hash="abc",
        active=active,
    )


def test_a_replica_set_that_nobody_controls_is_left_out() -> None:
    assert parsing.replica_set({"metadata": META, "spec": {"replicas": 2}}) is None


def test_of_annotations_only_our_own_are_kept() -> None:
    foreign = {"kubectl.kubernetes.io/last-applied-configuration": "{...}"}
    meta = {**META, "annotations": {"autoscaler/paused": "true", **foreign}}

    seen = parsing.workload({"metadata": meta}, kind="Deployment", api_version="apps/v1")

    assert seen.annotations == {"autoscaler/paused": "true"}


def test_the_generation_an_older_argo_writes_as_a_hash_is_no_rollout() -> None:
    raw = deployment({"observedGeneration": "6b8f4d9c"}, generation=5)

    assert not parsing.rollout_in_progress(raw, kind="Rollout")


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        pytest.param([], None, id="nobody"),
        pytest.param(
            [
                {"manager": "helm", "time": "2026-01-02T00:00:00Z", "f": {"f:replicas": {}}},
                {"manager": "argocd", "time": "2026-01-03T00:00:00Z", "f": {"f:replicas": {}}},
                {"manager": "kubectl", "time": "2026-01-04T00:00:00Z", "f": {"f:template": {}}},
            ],
            "argocd",
            id="the last one that wrote spec.replicas",
        ),
    ],
)
def test_the_manager_of_replicas(fields: list[dict[str, object]], expected: str | None) -> None:
    entries = [{**entry, "fieldsV1": {"f:spec": entry.pop("f")}} for entry in map(dict, fields)]

    assert parsing.manager_of("replicas", entries) == expected


def pod(**changes: object) -> dict[str, object]:
    meta = {
        "namespace": "shop",
        "name": "checkout-1",
        "uid": "p1",
        "creationTimestamp": "2026-11-23T08:00:00Z",
        "ownerReferences": CONTROLLED,
        "labels": {"pod-template-hash": "abc"},
    }
    ready = {"type": "Ready", "status": "True", "lastTransitionTime": "2026-11-23T08:01:30Z"}
    status = {"phase": "Running", "conditions": [ready]}
    return {"metadata": meta | changes, "spec": {}, "status": status}


def test_a_pod_is_its_controllers_and_says_when_it_became_ready() -> None:
    seen = parsing.pod(pod())

    assert seen is not None
    assert (seen.owner_uid, seen.facts.template_hash) == ("rs1", "abc")
    assert seen.ready_since == datetime(2026, 11, 23, 8, 1, 30, tzinfo=UTC)
    assert (seen.facts.ready, seen.facts.phase) == (True, PodPhase.RUNNING)
    assert (seen.facts.deleted, seen.facts.requests, seen.restarts) == (False, {}, 0)


def test_a_pod_that_leaves_or_is_not_ready_is_not_ready_since_then() -> None:
    raw = pod(deletionTimestamp="2026-11-23T08:05:00Z")
    initialized = {"type": "Initialized", "status": "True"}
    unready = {"type": "Ready", "status": "False", "lastTransitionTime": "2026-11-23T08:04:00Z"}
    raw["status"] = {
        "conditions": [initialized, unready],
        "startTime": "2026-11-23T08:00:02Z",
        "containerStatuses": [{"restartCount": 1}, {"restartCount": 4}, {"restartCount": 0}],
    }
    raw["spec"] = {"containers": [{"name": "app", "resources": {"requests": {"cpu": "500m"}}}]}
    seen = parsing.pod(raw)

    assert seen is not None
    assert (seen.facts.ready, seen.ready_since, seen.facts.deleted) == (False, None, True)
    assert seen.facts.ready_transition_at == datetime(2026, 11, 23, 8, 4, tzinfo=UTC)
    assert seen.facts.started_at == datetime(2026, 11, 23, 8, 0, 2, tzinfo=UTC)
    assert (seen.facts.requests, seen.restarts) == ({("app", "cpu"): 0.5}, 4)


def test_what_a_pod_was_given_is_what_it_requests() -> None:
    raw = pod()
    raw["spec"] = {"containers": [{"name": "app", "resources": {"requests": {"cpu": "4"}}}]}
    given = {"name": "app", "restartCount": 0, "resources": {"requests": {"cpu": "1"}}}
    raw["status"] = {"containerStatuses": [given]}

    seen = parsing.pod(raw)

    assert seen is not None
    assert seen.facts.requests == {("app", "cpu"): 1.0}


@pytest.mark.parametrize(
    "owners",
    [
        pytest.param([], id="nobody's"),
        pytest.param([{"kind": "Job", "uid": "j", "controller": True}], id="a Job's"),
        pytest.param([{"kind": "ReplicaSet", "uid": "r"}], id="owned but not controlled"),
    ],
)
def test_a_pod_no_scale_target_controls_is_left_out(owners: list[dict[str, object]]) -> None:
    assert parsing.pod(pod(ownerReferences=owners)) is None


def test_a_phase_of_a_later_kubernetes_is_unknown() -> None:
    raw = pod()
    raw["status"] = {"phase": "Hibernating"}
    seen = parsing.pod(raw)

    assert seen is not None
    assert seen.facts.phase is PodPhase.UNKNOWN


def test_a_scaled_object_without_a_kind_claims_a_deployment() -> None:
    raw = {"metadata": META | {"name": "so"}, "spec": {"scaleTargetRef": {"name": "checkout"}}}

    assert parsing.scaled_object(raw) == Rival(
        "shop", "so", "ScaledObject", "7", "Deployment", "checkout", "apps", min_replicas=0
    )


@pytest.mark.parametrize(
    ("spec", "most"),
    [
        pytest.param({"maxReplicas": 8}, 8, id="said"),
        pytest.param({}, None, id="a max that nobody says refuses no floor"),
    ],
)
def test_how_far_the_floor_of_an_hpa_may_go(spec: dict[str, int], most: int | None) -> None:
    seen = parsing.horizontal_pod_autoscaler({"metadata": META | {"name": "hpa"}, "spec": spec})

    assert seen.max_replicas == most


@pytest.mark.parametrize(
    ("version", "group"),
    [
        pytest.param("apps/v1", "apps", id="of a group"),
        pytest.param("v1", "", id="of the core"),
        pytest.param(None, "", id="not told"),
    ],
)
def test_what_an_hpa_claims(version: str | None, group: str) -> None:
    wanted = {"kind": "Thing", "name": "checkout", "apiVersion": version}
    raw = {"metadata": META | {"name": "hpa"}, "spec": {"scaleTargetRef": wanted}}

    assert parsing.horizontal_pod_autoscaler(raw) == Rival(
        "shop", "hpa", "HorizontalPodAutoscaler", "7", "Thing", "checkout", group, min_replicas=1
    )


def test_a_policy_in_binary_data_is_refused_by_name_instead_of_disappearing():
    meta = {"namespace": "shop", "name": "policies"}
    source = parsing.policy_source({"metadata": meta, "binaryData": {"checkout": "/w=="}})
    [document] = source.documents()

    with pytest.raises(PolicyError, match=r"key checkout: a policy is a mapping .* not UTF-8 text"):
        policy_of(document, own_namespace=None)
