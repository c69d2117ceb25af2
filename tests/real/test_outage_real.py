"""The watches when the API server goes away, and comes back having forgotten what they saw."""

from collections.abc import Callable
from datetime import timedelta

from autoscaler.cluster.api import connect
from autoscaler.cluster.kubernetes_cluster import KubernetesCluster
from autoscaler.decide.facts import TargetRef
from support.control_plane import ControlPlane
from support.workloads import Namespace, deployment


def test_the_watch_survives_a_restart_and_a_compaction_of_the_api_server(
    new_control_plane: Callable[[], ControlPlane], eventually: Callable[..., None]
) -> None:
    plane = new_control_plane()
    connection = connect(plane.admin_kubeconfig)
    namespace = Namespace(plane, connection.client, "default")
    target = TargetRef("default", "checkout")
    cluster = KubernetesCluster(connect(plane.admin_kubeconfig).client)
    cluster.start()
    namespace.apply(deployment("checkout", replicas=2))
    eventually(lambda: target in cluster.workloads([target]), within=20, what="seen")

    plane.stop_api_server()
    known = cluster.workloads([target])[target]
    plane.start_api_server()
    namespace.apply(deployment("checkout", replicas=5), deployment("cart"))
    eventually(
        lambda: cluster.workloads([target])[target].spec_replicas == 5, within=60, what="seen again"
    )

    plane.stop_api_server()
    plane.compact_etcd()
    plane.start_api_server()
    namespace.delete("deployment", "cart")
    namespace.scale("checkout", 6)
    eventually(
        lambda: cluster.workloads([target])[target].spec_replicas == 6, within=60, what="relisted"
    )
    cart = TargetRef("default", "cart")
    eventually(lambda: not cluster.workloads([cart]), within=60, what="the deleted one forgotten")

    cluster.stop()
    connection.close()
    assert known.spec_replicas == 2
    assert cluster.wait_synced(timedelta(0))
