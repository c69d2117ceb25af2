"""KEDA's ScaledObject and Argo's Rollout through the real API server: RBAC, watch, scale.

They come from an extension API server (`support.extension_api` says why not from a CRD), which the
real one asks after it has authenticated and authorized us.
"""

import json
import logging
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from kubernetes import client
from kubernetes.client.exceptions import ApiException

from autoscaler.cluster.api import connect
from autoscaler.cluster.kubernetes_cluster import KubernetesCluster
from autoscaler.decide.facts import TargetRef
from autoscaler.errors import ScaleConflictError, ScaleRefusedError
from support.accounts import account_with, granted
from support.control_plane import ControlPlane
from support.daemon import RunningDaemon
from support.extension_api import CustomKind, ExtensionApi
from support.processes import wait_until
from support.prometheus_server import PrometheusServer
from support.workloads import Namespace, deployment, policy_map, rate_policy

Start = Callable[..., RunningDaemon]
SCALED_OBJECT = CustomKind("keda.sh", "v1alpha1", "ScaledObject", "scaledobjects")
ROLLOUT = CustomKind("argoproj.io", "v1alpha1", "Rollout", "rollouts", scale=True)
# What README.md says to grant for another kind.
ROLLOUT_RULES = [
    {"apiGroups": ["argoproj.io"], "resources": ["rollouts"], "verbs": ["get", "list", "watch"]},
    {"apiGroups": ["argoproj.io"], "resources": ["rollouts/scale"], "verbs": ["patch"]},
]


class Served:
    """One custom kind on the control plane."""

    def __init__(self, plane: ControlPlane, admin: client.ApiClient, kind: CustomKind) -> None:
        self._objects = client.CustomObjectsApi(admin)
        self._where = (kind.group, kind.version)
        self._kind = kind

    def is_served(self) -> bool:
        try:
            self._objects.list_cluster_custom_object(*self._where, self._kind.plural)
        except ApiException:
            return False
        return True

    def create(self, namespace: str, name: str, spec: dict[str, Any]) -> None:
        body = {
            "apiVersion": self._kind.api_version,
            "kind": self._kind.kind,
            "metadata": {"name": name},
            "spec": spec,
        }
        self._objects.create_namespaced_custom_object(
            *self._where, namespace, self._kind.plural, body
        )

    def get(self, namespace: str, name: str) -> dict[str, Any]:
        found: dict[str, Any] = self._objects.get_namespaced_custom_object(
            *self._where, namespace, self._kind.plural, name
        )
        return found

    def delete(self, namespace: str, name: str) -> None:
        self._objects.delete_namespaced_custom_object(
            *self._where, namespace, self._kind.plural, name
        )


def serve(
    plane: ControlPlane, admin: client.ApiClient, folder: Path, kind: CustomKind
) -> Iterator[Served]:
    with ExtensionApi(folder, kind) as api:
        names = []
        for registered in api.registration():
            plane.kubectl("apply", "-f", "-", stdin=json.dumps(registered))
            names.append((registered["kind"], registered["metadata"]["name"]))
        served = Served(plane, admin, kind)
        wait_until(served.is_served, within=30, what=f"{kind.kind} served", every=0.2)
        yield served
        for what, name in reversed(names):
            plane.kubectl("delete", what, name, "-n", "default")


@pytest.fixture
def scaled_objects(
    plane: ControlPlane, admin: client.ApiClient, tmp_path: Path
) -> Iterator[Served]:
    """KEDA is installed."""
    yield from serve(plane, admin, tmp_path, SCALED_OBJECT)


@pytest.fixture
def rollouts(plane: ControlPlane, admin: client.ApiClient, tmp_path: Path) -> Iterator[Served]:
    """Argo Rollouts is installed."""
    yield from serve(plane, admin, tmp_path, ROLLOUT)


def test_a_scaled_object_on_the_target_is_refused_by_name_until_it_is_gone(
    scaled_objects: Served, start: Start, prometheus: PrometheusServer, namespace: Namespace
) -> None:
    prometheus.exporter.set("load", 550.0, {"app": "checkout"})
    namespace.apply(deployment("checkout", replicas=2))
    namespace.apply(policy_map("autoscaling", {"checkout.yaml": rate_policy("checkout")}))
    scaled_objects.create(namespace.name, "by-keda", {"scaleTargetRef": {"name": "checkout"}})
    daemon = start(prometheus, namespace)

    record = daemon.wait_for(
        "checkout", lambda r: r["reason"] == "ReplicasContested", what="a refusal"
    )
    assert record["chain"][-1]["detail"] == f"governed by ScaledObject {namespace.name}/by-keda"
    assert namespace.replicas("checkout") == 2

    scaled_objects.delete(namespace.name, "by-keda")
    daemon.wait_for("checkout", lambda r: r["rescaled"], what="a rescale", after=record)
    assert namespace.replicas("checkout") == 6


def test_a_scaled_object_of_a_keda_that_came_after_us_is_refused_by_name_too(
    request: pytest.FixtureRequest, plane: ControlPlane, namespace: Namespace
) -> None:
    target = TargetRef(namespace.name, "checkout")
    namespace.apply(deployment("checkout", replicas=2))
    cluster = KubernetesCluster(connect(plane.admin_kubeconfig).client, namespace=namespace.name)
    cluster.start()
    assert cluster.wait_synced(timedelta(seconds=30))
    before = cluster.workloads([target])[target].rival
    keda: Served = request.getfixturevalue("scaled_objects")
    keda.create(namespace.name, "by-keda", {"scaleTargetRef": {"name": "checkout"}})
    cluster._ask_again_at.clear()  # a minute later
    cluster.workloads([target])
    wait_until(
        lambda: cluster.workloads([target])[target].rival is not None, within=20, what="a rival"
    )

    rival = cluster.workloads([target])[target].rival
    cluster.stop()
    assert (before, rival) == (None, f"ScaledObject {namespace.name}/by-keda")


@pytest.mark.parametrize("verb", ["list", "watch"])
def test_without_the_permission_the_watch_says_that_it_may_not_see_scaled_objects(
    scaled_objects: Served,
    plane: ControlPlane,
    namespace: Namespace,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    verb: str,
) -> None:
    rules = [
        rule | {"verbs": [v for v in rule["verbs"] if v != verb]}
        if "scaledobjects" in rule["resources"]
        else rule
        for rule in granted(plane, tmp_path)
    ]
    api = connect(account_with(plane, namespace.name, rules=rules)).client
    cluster = KubernetesCluster(api, namespace=namespace.name)

    def refused() -> set[str]:
        told = [r.__dict__["fields"] for r in caplog.records if r.msg == "watch_failed"]
        return {f["resource"].rpartition("/")[2] for f in told if f["status"] == 403}

    with caplog.at_level(logging.WARNING, logger="autoscaler.cluster"):
        cluster.start()
        wait_until(lambda: bool(refused()), within=60, what="said")
    cluster.stop()
    assert refused() == {"scaledobjects"}


def account_for_rollouts(
    plane: ControlPlane, namespace: Namespace, tmp_path: Path, *, without: str = ""
) -> Path:
    rules = [*granted(plane, tmp_path), *ROLLOUT_RULES]
    kept = [rule for rule in rules if without not in rule["resources"]]
    return account_with(plane, namespace.name, rules=kept)


def govern_rollout(rollouts: Served, prometheus: PrometheusServer, namespace: Namespace) -> None:
    prometheus.exporter.set("load", 550.0, {"app": "canary"})
    spec = deployment("canary", replicas=2)["spec"] | {"strategy": {"canary": {}}}
    rollouts.create(namespace.name, "canary", spec)
    reference = {"apiVersion": ROLLOUT.api_version, "kind": ROLLOUT.kind, "name": "canary"}
    document = rate_policy("canary", scaleTargetRef=reference)
    namespace.apply(policy_map("autoscaling", {"canary.yaml": document}))


def test_a_rollout_is_scaled_through_its_scale_subresource(
    rollouts: Served,
    plane: ControlPlane,
    start: Start,
    prometheus: PrometheusServer,
    namespace: Namespace,
    tmp_path: Path,
) -> None:
    govern_rollout(rollouts, prometheus, namespace)
    kubeconfig = account_for_rollouts(plane, namespace, tmp_path)
    daemon = start(prometheus, namespace, kubeconfig=kubeconfig)
    record = daemon.wait_for("canary", lambda r: r["rescaled"], what="a rescale")

    assert (record["current_replicas"], record["desired_replicas"]) == (2, 6)
    assert rollouts.get(namespace.name, "canary")["spec"]["replicas"] == 6
    seen = daemon.wait_for("canary", lambda r: r["current_replicas"] == 6, what="seen")
    assert not seen["rescaled"]


def test_a_rollout_that_may_not_be_scaled_is_refused(
    rollouts: Served, plane: ControlPlane, namespace: Namespace, tmp_path: Path
) -> None:
    rollouts.create(namespace.name, "canary", deployment("canary", replicas=2)["spec"])
    target = TargetRef(namespace.name, "canary", ROLLOUT.kind, ROLLOUT.api_version)
    kubeconfig = account_for_rollouts(plane, namespace, tmp_path, without="rollouts/scale")
    cluster = KubernetesCluster(connect(kubeconfig).client, namespace=namespace.name)

    with pytest.raises(ScaleRefusedError, match=r'403 .*cannot patch resource "rollouts/scale"'):
        cluster.patch_scale(target, 6, resource_version=cluster.reread(target).resource_version)

    cluster.stop()
    assert rollouts.get(namespace.name, "canary")["spec"]["replicas"] == 2


def test_a_rollout_that_somebody_else_wrote_is_a_conflict(
    rollouts: Served, plane: ControlPlane, namespace: Namespace, tmp_path: Path
) -> None:
    rollouts.create(namespace.name, "canary", deployment("canary", replicas=2)["spec"])
    target = TargetRef(namespace.name, "canary", ROLLOUT.kind, ROLLOUT.api_version)
    kubeconfig = account_for_rollouts(plane, namespace, tmp_path)
    cluster = KubernetesCluster(connect(kubeconfig).client, namespace=namespace.name)
    read = cluster.reread(target).resource_version
    cluster.patch_scale(target, 6, resource_version=read)

    with pytest.raises(ScaleConflictError, match=" 409 "):
        cluster.patch_scale(target, 3, resource_version=read)

    cluster.stop()
    assert rollouts.get(namespace.name, "canary")["spec"]["replicas"] == 6
