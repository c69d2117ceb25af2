"""The `Cluster` port on a real API server: what the watches see, and what writing answers."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest

from autoscaler.cluster.api import connect
from autoscaler.cluster.kubernetes_cluster import KubernetesCluster
from autoscaler.decide.facts import TargetRef, WorkloadFacts
from autoscaler.errors import ScaleConflictError, ScaleRefusedError
from support.control_plane import ControlPlane
from support.workloads import Namespace, deployment, policy_map

Eventually = Callable[..., None]


@pytest.fixture
def cluster(plane: ControlPlane, namespace: Namespace) -> Iterator[KubernetesCluster]:
    """The adapter, watching the test's namespace."""
    cluster = KubernetesCluster(connect(plane.admin_kubeconfig).client, namespace=namespace.name)
    cluster.start()
    assert cluster.wait_synced(timedelta(seconds=20))
    yield cluster
    cluster.stop()


@pytest.fixture
def target(namespace: Namespace) -> TargetRef:
    """The Deployment that most tests look at."""
    return TargetRef(namespace.name, "checkout")


def facts(cluster: KubernetesCluster, target: TargetRef) -> WorkloadFacts:
    return cluster.workloads([target])[target]


def has(
    cluster: KubernetesCluster, target: TargetRef, is_so: Callable[[WorkloadFacts], bool]
) -> Callable[[], bool]:
    return lambda: target in (seen := cluster.workloads([target])) and is_so(seen[target])


def test_a_deployment_and_its_pods_are_seen_without_asking(
    cluster: KubernetesCluster, namespace: Namespace, target: TargetRef, eventually: Eventually
) -> None:
    namespace.apply(deployment("checkout", replicas=3))
    all_there = has(cluster, target, lambda f: len(f.pods or ()) == f.status_replicas == 3)
    eventually(all_there, within=20, what="three pods")

    seen = facts(cluster, target)

    assert (seen.spec_replicas, seen.status_replicas, seen.ready_replicas) == (3, 3, 0)
    assert seen.requests == {("app", "cpu"): 0.5, ("linkerd-proxy", "cpu"): 0.1}
    assert {pod.template_hash for pod in seen.pods or ()} == {seen.template_hash} != {""}
    assert not any(pod.ready for pod in seen.pods or ())


def test_pods_that_become_ready_tell_the_lead_time(
    cluster: KubernetesCluster, namespace: Namespace, target: TargetRef, eventually: Eventually
) -> None:
    namespace.apply(deployment("checkout", replicas=2))
    eventually(lambda: len(namespace.pods()) == 2, within=20, what="two pods")
    for pod in namespace.pods():
        namespace.mark_ready(pod, at=pod.metadata.creation_timestamp + timedelta(seconds=42))
    eventually(has(cluster, target, lambda f: f.ready_replicas == 2), within=20, what="two ready")
    eventually(has(cluster, target, lambda f: len(f.lead_times) == 2), within=20, what="leads")

    assert facts(cluster, target).lead_times == (timedelta(seconds=42),) * 2


def test_the_lead_time_outlasts_the_last_pod(
    cluster: KubernetesCluster, namespace: Namespace, target: TargetRef, eventually: Eventually
) -> None:
    namespace.apply(deployment("checkout", replicas=1))
    eventually(lambda: len(namespace.pods()) == 1, within=20, what="a pod")
    [pod] = namespace.pods()
    namespace.mark_ready(pod, at=pod.metadata.creation_timestamp + timedelta(seconds=42))
    eventually(has(cluster, target, lambda f: f.ready_replicas == 1), within=20, what="it is ready")
    namespace.scale("checkout", 0)
    eventually(has(cluster, target, lambda f: f.pods == ()), within=20, what="no pod")
    eventually(has(cluster, target, lambda f: f.status_replicas == 0), within=20, what="no replica")

    assert facts(cluster, target).lead_times == (timedelta(seconds=42),)


def test_a_rollout_holds_until_the_new_pods_are_ready_and_a_rescale_is_none(
    cluster: KubernetesCluster, namespace: Namespace, target: TargetRef, eventually: Eventually
) -> None:
    def settled() -> bool:
        namespace.mark_all_ready()
        return has(cluster, target, lambda f: bool(f.pods) and not f.rollout_in_progress)()

    namespace.apply(deployment("checkout", replicas=2))
    eventually(settled, within=20, what="the first rollout done")
    before = facts(cluster, target)
    namespace.scale("checkout", 4)
    eventually(
        has(cluster, target, lambda f: f.status_replicas == 4 and not f.rollout_in_progress),
        within=20,
        what="a rescale that is no rollout",
    )
    namespace.apply(deployment("checkout", replicas=4, cpu="600m"))
    eventually(
        has(cluster, target, lambda f: f.rollout_in_progress), within=20, what="a second rollout"
    )
    eventually(settled, within=60, what="the second rollout done")
    after = facts(cluster, target)

    assert after.template_hash != before.template_hash
    assert after.requests["app", "cpu"] == 0.6


def test_somebody_elses_pods_with_the_same_labels_do_not_count(
    cluster: KubernetesCluster, namespace: Namespace, target: TargetRef, eventually: Eventually
) -> None:
    twin = deployment("twin", replicas=2)
    twin["spec"]["selector"]["matchLabels"]["twin"] = "yes"
    twin["spec"]["template"]["metadata"]["labels"] = {"app": "checkout", "twin": "yes"}
    twin["spec"]["selector"]["matchLabels"]["app"] = "checkout"
    namespace.apply(deployment("checkout", replicas=1), twin)
    other = TargetRef(namespace.name, "twin")
    eventually(lambda: len(namespace.pods("checkout")) == 3, within=20, what="three pods in all")
    eventually(has(cluster, other, lambda f: len(f.pods or ()) == 2), within=20, what="its two")
    eventually(has(cluster, target, lambda f: bool(f.pods)), within=20, what="ours")

    assert (len(facts(cluster, target).pods), len(facts(cluster, other).pods)) == (1, 2)


def test_the_pods_of_a_replica_set_that_was_cut_loose_do_not_count(
    cluster: KubernetesCluster, namespace: Namespace, target: TargetRef, eventually: Eventually
) -> None:
    namespace.apply(deployment("checkout", replicas=2))
    eventually(has(cluster, target, lambda f: len(f.pods or ()) == 2), within=20, what="two pods")
    loose = {pod.name for pod in facts(cluster, target).pods or ()}
    [first] = namespace.apps.list_namespaced_replica_set(namespace.name).items
    other = {"metadata": {"labels": {"app": "by-hand"}}}
    namespace.apps.patch_namespaced_replica_set(first.metadata.name, namespace.name, other)
    eventually(lambda: len(namespace.pods()) == 4, within=20, what="two pods of a new ReplicaSet")
    eventually(has(cluster, target, lambda f: len(f.pods or ()) == 2), within=20, what="two again")

    assert loose.isdisjoint(pod.name for pod in facts(cluster, target).pods or ())


def test_policies_are_seen_edited_and_gone(
    cluster: KubernetesCluster, namespace: Namespace, eventually: Eventually
) -> None:
    namespace.apply(policy_map("autoscaling", {"a.yaml": "a: 1", "b.yaml": "b: 1"}))
    eventually(lambda: len(cluster.policies()) == 2, within=30, what="two documents")
    unchanged = cluster.policies()
    assert cluster.policies() is unchanged
    created_at = unchanged[0].created_at
    assert created_at is not None

    namespace.apply(policy_map("autoscaling", {"a.yaml": "a: 2"}))
    eventually(lambda: len(cluster.policies()) == 1, within=30, what="one document")
    document = cluster.policies()[0]
    assert (document.text, document.namespace) == ("a: 2", namespace.name)
    assert document.created_at == created_at
    assert document.source == f"ConfigMap {namespace.name}/autoscaling key a.yaml"

    namespace.delete("configmap", "autoscaling")
    eventually(lambda: not cluster.policies(), within=30, what="no document")


def test_a_config_map_without_the_label_is_not_a_policy(
    cluster: KubernetesCluster, namespace: Namespace, eventually: Eventually
) -> None:
    other = policy_map("settings", {"a.yaml": "a: 1"})
    del other["metadata"]["labels"]
    namespace.apply(other, policy_map("autoscaling", {"b.yaml": "b: 1"}))
    eventually(lambda: bool(cluster.policies()), within=30, what="the labelled one")

    assert [d.text for d in cluster.policies()] == ["b: 1"]


def test_a_patch_with_the_version_that_was_read_is_written(
    cluster: KubernetesCluster, namespace: Namespace, target: TargetRef, eventually: Eventually
) -> None:
    namespace.apply(deployment("checkout", replicas=2))
    eventually(has(cluster, target, lambda f: f.status_replicas == 2), within=20, what="two pods")

    fresh = cluster.reread(target)
    cluster.patch_scale(target, 5, resource_version=fresh.resource_version)

    assert namespace.replicas("checkout") == 5
    eventually(has(cluster, target, lambda f: f.spec_replicas == 5), within=30, what="seen as 5")


def test_a_stale_patch_is_a_conflict_and_overwrites_nothing(
    cluster: KubernetesCluster, namespace: Namespace, target: TargetRef, eventually: Eventually
) -> None:
    namespace.apply(deployment("checkout", replicas=2))
    eventually(has(cluster, target, lambda f: f.status_replicas == 2), within=20, what="two pods")
    stale = cluster.reread(target)
    namespace.scale("checkout", 7)

    with pytest.raises(ScaleConflictError, match=rf"{target}: PATCH .*/scale: 409 "):
        cluster.patch_scale(target, 3, resource_version=stale.resource_version)

    assert namespace.replicas("checkout") == 7
    assert cluster.reread(target).spec_replicas == 7


def test_a_target_that_does_not_exist_is_absent_and_refused(
    cluster: KubernetesCluster, target: TargetRef
) -> None:
    assert cluster.workloads([target]) == {}
    with pytest.raises(ScaleRefusedError, match=r"404 .*\"checkout\" not found"):
        cluster.reread(target)


def test_a_forbidden_patch_names_who_may_not_do_what(
    plane: ControlPlane, namespace: Namespace, target: TargetRef
) -> None:
    namespace.apply(deployment("checkout"))
    plane.kubectl("create", "serviceaccount", "nobody", "-n", namespace.name)
    kubeconfig = plane.service_account_kubeconfig(namespace.name, "nobody")
    connection = connect(kubeconfig)
    cluster = KubernetesCluster(connection.client, namespace=namespace.name)

    with pytest.raises(ScaleRefusedError, match=r"403 .*nobody.* cannot patch .*deployments/scale"):
        cluster.patch_scale(target, 3, resource_version="1")

    cluster.stop()
    assert namespace.replicas("checkout") == 1
    assert connection.namespace == namespace.name


def test_nothing_is_written_by_who_may_not_write(
    plane: ControlPlane, namespace: Namespace, target: TargetRef
) -> None:
    namespace.apply(deployment("checkout"))
    client = connect(plane.admin_kubeconfig).client
    cluster = KubernetesCluster(client, namespace=namespace.name, may_write=lambda target: False)

    with pytest.raises(ScaleRefusedError, match="not the leader"):
        cluster.patch_scale(target, 3, resource_version="")

    cluster.stop()
    assert namespace.replicas("checkout") == 1


def test_an_event_is_on_the_deployment_and_repeats_are_counted(
    cluster: KubernetesCluster, namespace: Namespace, target: TargetRef, eventually: Eventually
) -> None:
    namespace.apply(deployment("checkout"))
    eventually(has(cluster, target, lambda f: True), within=20, what="the Deployment")
    for _ in range(3):
        cluster.record_event(target, reason="SuccessfulRescale", message="New size: 4")
    eventually(
        lambda: [e.series.count for e in namespace.events("SuccessfulRescale") if e.series] == [3],
        within=30,
        what="one Event, three times",
    )

    event = namespace.events("SuccessfulRescale")[0]

    assert (event.message, event.type) == ("New size: 4", "Normal")
    assert (
        event.involved_object.uid
        == namespace.plane.get("deployment", "checkout", namespace.name)["metadata"]["uid"]
    )
    assert datetime.now(tz=UTC) - event.event_time < timedelta(minutes=1)


def test_an_event_that_cannot_be_written_is_told_and_no_error(
    cluster: KubernetesCluster, eventually: Eventually, caplog: pytest.LogCaptureFixture
) -> None:
    nowhere = TargetRef("no-such-namespace", "checkout")

    cluster.record_event(nowhere, reason="SuccessfulRescale", message="New size: 4")
    eventually(lambda: "event_lost" in caplog.text, within=20, what="an Event lost")


def test_an_hpa_on_the_target_is_named_and_forgotten_when_it_goes(
    cluster: KubernetesCluster, namespace: Namespace, target: TargetRef, eventually: Eventually
) -> None:
    namespace.apply(deployment("checkout"))
    namespace.plane.kubectl(
        *("autoscale", "deployment", "checkout", "-n", namespace.name),
        *("--min=2", "--max=9", "--name=by-hand"),
    )
    name = f"HorizontalPodAutoscaler {namespace.name}/by-hand"
    eventually(has(cluster, target, lambda f: f.rival == name), within=20, what="the HPA named")

    namespace.delete("hpa", "by-hand")

    eventually(has(cluster, target, lambda f: f.rival is None), within=20, what="the HPA gone")


def test_who_wrote_the_replicas_is_known_by_name(
    cluster: KubernetesCluster, namespace: Namespace, target: TargetRef, eventually: Eventually
) -> None:
    namespace.apply(deployment("checkout", replicas=2))
    namespace.apps.patch_namespaced_deployment(
        "checkout", namespace.name, {"spec": {"replicas": 6}}, field_manager="argocd-controller"
    )

    eventually(
        has(cluster, target, lambda f: f.replicas_manager == "argocd-controller"),
        within=20,
        what="the manager named",
    )
