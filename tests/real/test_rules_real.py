"""Rules that need somebody else on stage: other writers, HPAs, pauses, rollouts, other kinds."""

import math
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from autoscaler import memory_file
from autoscaler.decide.lead_time import DEFAULT_CYCLE, DEFAULT_METRIC_AGE
from support.accounts import account_with, granted
from support.control_plane import ControlPlane
from support.daemon import RunningDaemon
from support.prometheus_server import PrometheusServer
from support.workloads import (
    Namespace,
    StandInKubelet,
    deployment,
    governed_stateful_set,
    policy_map,
    rate_policy,
)

Start = Callable[..., RunningDaemon]
Eventually = Callable[..., None]

# Scale in at once, so that a test sees what holds it.
AT_ONCE = {
    "behavior": {"scaleDown": {"stabilizationWindowSeconds": 0}},
    "cooldown": {"scaleDown": "0s"},
    "forecast": {"leadTime": "1s"},  # a restart is held for at least as long
}


@pytest.fixture
def govern(prometheus: PrometheusServer, namespace: Namespace) -> Callable[..., None]:
    """Give `checkout` a load and a policy."""

    def begin(load: float, **fields: Any) -> None:
        prometheus.exporter.set("load", load, {"app": "checkout"})
        document = rate_policy("checkout", **fields)
        namespace.apply(policy_map("autoscaling", {"checkout.yaml": document}))

    return begin


def hpa(name: str, **spec: Any) -> dict[str, Any]:
    reference = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "checkout"}
    defaults = {"scaleTargetRef": reference, "minReplicas": 2, "maxReplicas": 40}
    return {
        "apiVersion": "autoscaling/v1",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": name},
        "spec": defaults | {"targetCPUUtilizationPercentage": 70} | spec,
    }


def test_a_writer_who_insists_is_named_and_left_alone(
    start: Start, govern: Callable[..., None], prometheus: PrometheusServer, namespace: Namespace
) -> None:
    namespace.apply(deployment("checkout", replicas=2))
    fast = {"policies": [{"type": "Pods", "value": 100, "periodSeconds": 1}]}
    govern(550.0, behavior={"scaleUp": fast})
    daemon = start(prometheus, namespace)
    order = None
    for _ in range(2):
        order = daemon.wait_for("checkout", lambda r: r["rescaled"], what="an order", after=order)
        namespace.apps.patch_namespaced_deployment(
            "checkout", namespace.name, {"spec": {"replicas": 2}}, field_manager="argocd-controller"
        )

    record = daemon.wait_for(
        "checkout", lambda r: r["reason"] == "ReplicasContested", what="contention seen"
    )
    later = daemon.wait_cycles("checkout", 3)

    assert record["chain"][-1]["detail"] == "overwritten by argocd-controller, 5m left"
    assert not any(r["rescaled"] for r in later)
    assert namespace.replicas("checkout") == 2


def test_an_hpa_on_the_target_is_refused_by_name_until_it_is_gone(
    start: Start, govern: Callable[..., None], prometheus: PrometheusServer, namespace: Namespace
) -> None:
    namespace.apply(deployment("checkout", replicas=2), hpa("by-hand"))
    govern(550.0)
    daemon = start(prometheus, namespace)

    record = daemon.wait_for("checkout", lambda r: r["desired_replicas"] == 2, what="a refusal")
    assert record["reason"] == "ReplicasContested"
    name = f"HorizontalPodAutoscaler {namespace.name}/by-hand"
    assert record["chain"][-1]["detail"] == f"governed by {name}"

    namespace.delete("hpa", "by-hand")
    daemon.wait_for("checkout", lambda r: r["rescaled"], what="a rescale", after=record)
    assert namespace.replicas("checkout") == 6


def test_with_actuator_hpa_its_min_replicas_is_the_predicted_floor(
    start: Start,
    plane: ControlPlane,
    govern: Callable[..., None],
    prometheus: PrometheusServer,
    namespace: Namespace,
    tmp_path: Path,
    eventually: Eventually,
) -> None:
    def min_replicas() -> int:
        return int(plane.get("hpa", "by-hand", namespace.name)["spec"]["minReplicas"])

    rules = granted(plane, tmp_path, "hpa-actuator")
    kubeconfig = account_with(plane, namespace.name, rules=rules)
    namespace.apply(deployment("checkout", replicas=2), hpa("by-hand"))
    govern(550.0, actuator="hpa")
    start(prometheus, namespace, kubeconfig=kubeconfig)

    eventually(lambda: min_replicas() == 6, within=60, what="minReplicas 6")
    eventually(lambda: namespace.replicas("checkout") == 6, within=60, what="the HPA following")


def test_a_floor_that_the_hpa_itself_caps_is_told_as_it_is_written(
    start: Start,
    plane: ControlPlane,
    govern: Callable[..., None],
    prometheus: PrometheusServer,
    namespace: Namespace,
    tmp_path: Path,
) -> None:
    rules = granted(plane, tmp_path, "hpa-actuator")
    kubeconfig = account_with(plane, namespace.name, rules=rules)
    namespace.apply(deployment("checkout", replicas=2), hpa("by-hand", maxReplicas=4))
    govern(550.0, actuator="hpa")
    daemon = start(prometheus, namespace, kubeconfig=kubeconfig)

    record = daemon.wait_for("checkout", lambda r: r["rescaled"], what="a floor")

    assert (record["desired_replicas"], record["reason"]) == (4, "HpaMaxReplicas")
    assert "at least 4 replicas, 2 are there: the HPA's own maxReplicas" in record["message"]
    assert plane.get("hpa", "by-hand", namespace.name)["spec"]["minReplicas"] == 4


def test_who_sleeps_is_calm_in_silence_and_in_doubt_once_prometheus_is_gone(
    start: Start, prometheus: PrometheusServer, namespace: Namespace
) -> None:
    namespace.apply(deployment("checkout", replicas=0))
    sleeper = rate_policy("checkout", minReplicas=0)
    namespace.apply(policy_map("autoscaling", {"checkout.yaml": sleeper}))
    daemon = start(prometheus, namespace)

    asleep = daemon.wait_for(
        "checkout", lambda r: r["reason"] == "DesiredWithinRange", what="sleep"
    )
    prometheus.stop()
    blind = daemon.wait_for(
        "checkout", lambda r: r["signals"][0]["doubt"] != "absent", what="doubt"
    )

    assert asleep["trust"] == "Asleep"
    assert asleep["message"].startswith("kept 0 replicas: asleep, and RequestRate query is silent")
    assert (blind["reason"], blind["desired_replicas"]) == ("MetricsUnknownHold", 0)


@pytest.mark.parametrize(
    ("annotations", "load", "reason", "replicas"),
    [
        pytest.param({"autoscaler/paused": "true"}, 750.0, "Paused", 4, id="whole"),
        pytest.param({"autoscaler/paused-scale-out": "true"}, 750.0, "ScaleOutPaused", 4, id="out"),
        pytest.param({"autoscaler/paused-scale-in": "true"}, 250.0, "ScaleInPaused", 4, id="in"),
        pytest.param({"autoscaler/paused-replicas": "5"}, 750.0, "PausedReplicas", 5, id="at 5"),
    ],
)
def test_an_annotation_pauses_and_its_removal_resumes(
    start: Start,
    govern: Callable[..., None],
    prometheus: PrometheusServer,
    namespace: Namespace,
    eventually: Eventually,
    annotations: dict[str, str],
    load: float,
    reason: str,
    replicas: int,
) -> None:
    paused = deployment("checkout", replicas=4)
    paused["metadata"]["annotations"] = annotations
    namespace.apply(paused)
    with StandInKubelet(namespace, startup=timedelta(0)):
        govern(load, **AT_ONCE)
        daemon = start(prometheus, namespace)
        daemon.wait_for("checkout", lambda r: r["reason"] == reason, what=reason)
        daemon.wait_cycles("checkout", 2)
        assert namespace.replicas("checkout") == replicas

        namespace.annotate("checkout", dict.fromkeys(annotations))
        needed = -(-load // 100)
        eventually(lambda: namespace.replicas("checkout") == needed, within=60, what="resumed")


def test_nothing_is_lowered_while_a_rollout_runs(
    start: Start,
    govern: Callable[..., None],
    prometheus: PrometheusServer,
    namespace: Namespace,
    eventually: Eventually,
) -> None:
    namespace.apply(deployment("checkout", replicas=6))
    eventually(lambda: len(namespace.pods()) == 6, within=20, what="six pods")
    namespace.mark_all_ready()
    # A load that fell could be expected to rise again: that would be a reason not to lower, too.
    govern(math.nan, **AT_ONCE)
    daemon = start(prometheus, namespace)
    daemon.wait_cycles("checkout", 2)
    namespace.apply(deployment("checkout", replicas=6, cpu="600m"))
    prometheus.exporter.set("load", 350.0, {"app": "checkout"})
    daemon.wait_for("checkout", lambda r: r["reason"] == "RolloutHold", what="the hold")
    daemon.wait_cycles("checkout", 3)
    assert namespace.replicas("checkout") == 6

    with StandInKubelet(namespace, startup=timedelta(0)):
        eventually(lambda: namespace.replicas("checkout") == 4, within=60, what="lowered after it")


def let_have_watched(memory: Path, longer: timedelta) -> None:
    """Let whoever left a memory have begun to watch so much earlier."""
    file = memory_file.beside(memory)
    memories = memory_file.read(file).memories
    for target, left in memories.items():
        begun = replace(left.state, started_at=left.state.started_at - longer)
        memories[target] = replace(left, state=begun)
    memory_file.write(file, memories)


def test_a_restart_that_remembers_what_was_decided_needs_no_hold(
    start: Start,
    govern: Callable[..., None],
    prometheus: PrometheusServer,
    namespace: Namespace,
    tmp_path: Path,
) -> None:
    memory = ("--memory-file", str(tmp_path / "memory"))
    # More than twice what 550 requests/s ask for, so that no forecast has a reason to keep them.
    namespace.apply(deployment("checkout", replicas=20))
    with StandInKubelet(namespace, startup=timedelta(0)):
        seconds = {"scaleDown": {"stabilizationWindowSeconds": 3}}
        fast = {"behavior": seconds, "cooldown": {"scaleDown": "0s"}}
        govern(550.0, pausedScaleIn=True, **fast)
        before = start(prometheus, namespace, *memory)
        before.wait_for("checkout", lambda r: r["ready_replicas"] == 20, what="twenty pods")
        before.wait_for("checkout", lambda r: r["signals"][0]["value"] == 550, what="a known load")
        before.wait_cycles("checkout", 4)
        assert before.stop() == 0
        # Longer than any forecast of its time looked ahead.
        let_have_watched(tmp_path / "memory", 2 * (DEFAULT_CYCLE + DEFAULT_METRIC_AGE))
        unpaused = {"checkout.yaml": rate_policy("checkout", **fast)}
        namespace.apply(policy_map("autoscaling", unpaused))
        after = start(prometheus, namespace, *memory)
        after.wait_for("checkout", lambda r: r["desired_replicas"] < 20, what="lowered")

    assert after.events("memory_not_used") == []
    assert "RestartHold" not in {r["reason"] for r in after.records("checkout")}


def test_a_stateful_set_is_scaled_by_the_same_path(
    start: Start,
    plane: ControlPlane,
    prometheus: PrometheusServer,
    namespace: Namespace,
    tmp_path: Path,
    eventually: Eventually,
) -> None:
    rules = granted(plane, tmp_path, "statefulsets")
    kubeconfig = account_with(plane, namespace.name, rules=rules)
    prometheus.exporter.set("load", 550.0, {"app": "basket"})
    namespace.apply(*governed_stateful_set("basket"))
    daemon = start(prometheus, namespace, kubeconfig=kubeconfig)
    record = daemon.wait_for("basket", lambda r: r["rescaled"], what="a rescale")

    assert (record["current_replicas"], record["desired_replicas"]) == (2, 6)
    eventually(lambda: len(namespace.pods("basket")) == 6, within=20, what="six pods")


def test_any_other_kind_with_scale_is_found_by_discovery(
    start: Start, plane: ControlPlane, prometheus: PrometheusServer, namespace: Namespace
) -> None:
    """A ReplicationController is of the server itself; Argo's Rollout has a test of its own."""
    reads = ["get", "list", "watch"]
    rules = [
        {"apiGroups": ["", "apps", "autoscaling"], "resources": ["*"], "verbs": reads},
        {"apiGroups": [""], "resources": ["replicationcontrollers/scale"], "verbs": ["patch"]},
    ]
    kubeconfig = account_with(plane, namespace.name, rules=rules)
    prometheus.exporter.set("load", 550.0, {"app": "legacy"})
    controller = deployment("legacy", replicas=2)
    controller["spec"]["selector"] = {"app": "legacy"}
    namespace.apply(controller | {"apiVersion": "v1", "kind": "ReplicationController"})
    reference = {"apiVersion": "v1", "kind": "ReplicationController", "name": "legacy"}
    document = rate_policy("legacy", scaleTargetRef=reference)
    namespace.apply(policy_map("autoscaling", {"legacy.yaml": document}))
    daemon = start(prometheus, namespace, kubeconfig=kubeconfig)
    daemon.wait_for("legacy", lambda r: r["rescaled"], what="a rescale")

    written = plane.get("replicationcontroller", "legacy", namespace.name)
    assert written["spec"]["replicas"] == 6


def test_a_kind_without_scale_is_said_to_be_so_and_left_alone(
    start: Start, prometheus: PrometheusServer, namespace: Namespace
) -> None:
    reference = {"apiVersion": "batch/v1", "kind": "Job", "name": "nightly"}
    document = rate_policy("nightly", scaleTargetRef=reference)
    namespace.apply(policy_map("autoscaling", {"nightly.yaml": document}))
    daemon = start(prometheus, namespace)
    record = daemon.wait_for("nightly", lambda r: True, what="a record")

    assert record["reason"] == "TargetNotFound"
    said = [line["error"] for line in daemon.events("kind_not_scalable")]
    assert said == [f"{namespace.name}/nightly: batch/v1 Job has no scale subresource"]
