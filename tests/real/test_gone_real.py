"""What is deleted while the daemon runs, and made anew: a workload, and a whole namespace."""

from collections.abc import Callable

from kubernetes import client

from support.control_plane import ControlPlane
from support.daemon import Record, RunningDaemon
from support.prometheus_server import PrometheusServer
from support.workloads import Namespace, deployment, policy_map, rate_policy

Start = Callable[..., RunningDaemon]


def rescaled(daemon: RunningDaemon, *, after: Record | None = None) -> Record:
    return daemon.wait_for("checkout", lambda r: r["rescaled"], what="a rescale", after=after)


def governed(namespace: Namespace, prometheus: PrometheusServer) -> None:
    prometheus.exporter.set("load", 550.0, {"app": "checkout"})
    namespace.apply(deployment("checkout", replicas=2))
    namespace.apply(policy_map("autoscaling", {"checkout.yaml": rate_policy("checkout")}))


def test_a_deployment_that_is_replaced_again_and_again_is_scaled_out_each_time_at_once(
    start: Start, prometheus: PrometheusServer, namespace: Namespace
) -> None:
    governed(namespace, prometheus)
    daemon = start(prometheus, namespace)
    first = last = rescaled(daemon)
    for _ in range(3):
        daemon.wait_cycles("checkout", 2)
        namespace.delete("deployment", "checkout")
        namespace.apply(deployment("checkout", replicas=2))
        last = rescaled(daemon, after=last)

    assert (last["current_replicas"], last["reason"]) == (2, first["reason"])
    assert "ReplicasContested" not in {r["reason"] for r in daemon.records("checkout")}


def test_a_namespace_that_is_deleted_releases_its_workloads_and_is_no_error(
    start: Start,
    plane: ControlPlane,
    admin: client.ApiClient,
    prometheus: PrometheusServer,
    namespace: Namespace,
    eventually: Callable[..., None],
) -> None:
    leaving = Namespace(plane, admin, f"{namespace.name}-leaving")
    plane.kubectl("create", "namespace", leaving.name)
    governed(leaving, prometheus)
    daemon = start(prometheus, leaving)
    rescaled(daemon)
    plane.kubectl("delete", "namespace", leaving.name, "--wait=false")
    released = f"{leaving.name}/checkout"
    eventually(
        lambda: daemon.events("policies_changed")[-1]["removed"] == released,
        within=60,
        what="its policy is released",
    )

    assert not [line for line in daemon.lines() if line["level"] == "ERROR"]
