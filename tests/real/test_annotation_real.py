"""The last decision on the Deployment, written with the RBAC of `components/annotation` alone."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from autoscaler.review.annotation import LAST_DECISION, LONGEST
from support.accounts import account_with, granted
from support.control_plane import ControlPlane
from support.daemon import RunningDaemon
from support.prometheus_server import PrometheusServer
from support.workloads import (
    Namespace,
    deployment,
    governed_stateful_set,
    policy_map,
    rate_policy,
)

Start = Callable[..., RunningDaemon]
Eventually = Callable[..., None]


@pytest.fixture
def account(plane: ControlPlane, namespace: Namespace, tmp_path: Path) -> Path:
    """A kubeconfig with what the cluster-wide overlay and the component grant."""
    return account_with(plane, namespace.name, rules=granted(plane, tmp_path, "annotation"))


@pytest.fixture
def govern(prometheus: PrometheusServer, namespace: Namespace) -> Callable[..., None]:
    """Give `checkout` a load that asks for six pods, and a policy."""

    def begin(**fields: Any) -> None:
        prometheus.exporter.set("load", 550.0, {"app": "checkout"})
        prometheus.wait_scraped("load")  # for the first decision is told at once, the next later
        namespace.apply(deployment("checkout", replicas=2))
        document = rate_policy("checkout", **fields)
        namespace.apply(policy_map("autoscaling", {"checkout.yaml": document}))

    return begin


def metadata(namespace: Namespace) -> dict[str, Any]:
    meta: dict[str, Any] = namespace.plane.get("deployment", "checkout", namespace.name)["metadata"]
    return meta


def said(namespace: Namespace) -> str:
    return str(metadata(namespace)["annotations"].get(LAST_DECISION, ""))


def test_the_last_decision_is_on_the_deployment_and_is_no_rollout(
    start: Start,
    govern: Callable[..., None],
    prometheus: PrometheusServer,
    namespace: Namespace,
    account: Path,
    eventually: Eventually,
) -> None:
    govern()
    daemon = start(prometheus, namespace, "--annotate", kubeconfig=account)
    daemon.wait_for("checkout", lambda r: r["rescaled"], what="a rescale")
    eventually(
        lambda: '"replicas": 6' in said(namespace), within=60, what="the annotation", every=1.0
    )
    text = said(namespace)
    later = daemon.wait_cycles("checkout", 5)

    assert json.loads(text)["message"]
    assert len(text) <= LONGEST
    assert said(namespace) == text, "written once, for nothing changed"
    assert not any(r["reason"] == "RolloutHold" for r in later)
    assert daemon.events("annotation_refused") == []


def test_the_last_decision_is_on_a_stateful_set_and_changes_nothing_else_of_it(
    start: Start,
    plane: ControlPlane,
    prometheus: PrometheusServer,
    namespace: Namespace,
    tmp_path: Path,
    eventually: Eventually,
) -> None:
    rules = granted(plane, tmp_path, "annotation", "statefulsets")
    account = account_with(plane, namespace.name, rules=rules)
    prometheus.exporter.set("load", 550.0, {"app": "basket"})
    prometheus.wait_scraped("load")
    namespace.apply(*governed_stateful_set("basket"))
    daemon = start(prometheus, namespace, "--annotate", kubeconfig=account)
    daemon.wait_for("basket", lambda r: r["rescaled"], what="a rescale")

    def meta() -> dict[str, Any]:
        found: dict[str, Any] = plane.get("statefulset", "basket", namespace.name)["metadata"]
        return found

    eventually(
        lambda: '"replicas": 6' in meta().get("annotations", {}).get(LAST_DECISION, ""),
        within=60,
        what="the annotation",
        every=1.0,
    )
    later = daemon.wait_cycles("basket", 3)

    assert meta()["generation"] == 2, "made, and scaled once"
    assert not any(r["reason"] == "RolloutHold" for r in later)
    assert daemon.events("annotation_refused") == []


def test_what_allows_to_annotate_does_not_allow_to_change_a_pod_template(
    plane: ControlPlane, namespace: Namespace, account: Path
) -> None:
    namespace.apply(deployment("checkout"))
    user = f"system:serviceaccount:{namespace.name}:granted"
    patch = {
        "spec": {"paused": True, "replicas": 9},
        "metadata": {"labels": {"stolen": "yes"}, "annotations": {LAST_DECISION: "{}"}},
    }
    generation = metadata(namespace)["generation"]
    namespace.apps.patch_namespaced_deployment_status("checkout", namespace.name, patch)
    written = plane.get("deployment", "checkout", namespace.name)

    assert plane.can_i(user, "patch", "deployments.apps/status", namespace=namespace.name) == "yes"
    assert plane.can_i(user, "patch", "deployments.apps", namespace=namespace.name) == "no"
    assert (written["spec"].get("paused"), written["spec"]["replicas"]) == (None, 1)
    assert "stolen" not in written["metadata"].get("labels", {})
    assert said(namespace) == "{}"
    assert metadata(namespace)["generation"] == generation, "so no rollout is seen in it"


def test_without_the_permission_it_is_said_once_and_scaling_goes_on(
    start: Start,
    govern: Callable[..., None],
    prometheus: PrometheusServer,
    namespace: Namespace,
    eventually: Eventually,
) -> None:
    govern()
    daemon = start(prometheus, namespace, "--annotate")  # with the RBAC of deploy/ as it is
    daemon.wait_for("checkout", lambda r: r["rescaled"], what="a rescale")
    eventually(
        lambda: bool(daemon.events("annotation_refused")), within=20, what="the refusal said"
    )
    daemon.wait_cycles("checkout", 4)

    refusals = [line["error"] for line in daemon.events("annotation_refused")]
    assert len(refusals) == 1
    assert 'cannot patch resource "deployments/status"' in refusals[0]
    assert namespace.replicas("checkout") == 6
    assert said(namespace) == ""
