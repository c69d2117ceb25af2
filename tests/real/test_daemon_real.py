"""The daemon as its own process with the RBAC of `deploy/`, on a real API server and Prometheus."""

import os
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

from support.accounts import account_that_may_scale
from support.control_plane import ControlPlane
from support.daemon import Record, RunningDaemon
from support.prometheus_server import PrometheusServer
from support.prometheus_stub import Asked, PrometheusStub, Reply, success
from support.webhook import Webhook
from support.workloads import (
    Namespace,
    StandInKubelet,
    deployment,
    policy_map,
    rate_policy,
)

Start = Callable[..., RunningDaemon]
policy = rate_policy

# Five minutes with OUTAGE_SECONDS=300; at an interval of 1 s the default is as many cycles as
# four minutes of the usual 15 s.
OUTAGE_SECONDS = float(os.environ.get("OUTAGE_SECONDS", "15"))


def reason_of(record: Record) -> list[str]:
    """Return every reason in a record."""
    steps = [step["reason"] for step in record["chain"]]
    return [record["reason"], record["recommendation"]["reason"], *steps]


def test_a_higher_load_is_scaled_out_and_everybody_can_see_why(
    start: Start,
    prometheus: PrometheusServer,
    namespace: Namespace,
    eventually: Callable[..., None],
) -> None:
    prometheus.exporter.set("load", 550.0, {"app": "checkout"})
    namespace.apply(deployment("checkout", replicas=2))
    namespace.apply(policy_map("autoscaling", {"checkout.yaml": policy("checkout")}))

    daemon = start(prometheus, namespace)
    record = daemon.wait_for("checkout", lambda r: r["rescaled"], what="a rescale")

    assert (record["current_replicas"], record["desired_replicas"]) == (2, 6)
    assert record["policy"] == f"ConfigMap {namespace.name}/autoscaling key checkout.yaml"
    assert record["signals"][0]["value"] == 550
    assert namespace.replicas("checkout") == 6
    eventually(lambda: bool(namespace.events("SuccessfulRescale")), within=20, what="the Event")
    event = namespace.events("SuccessfulRescale")[0]
    assert event.message.startswith("New size: 6; reason: ")


def test_forecast_only_writes_the_same_record_and_patches_nothing(
    start: Start, prometheus: PrometheusServer, namespace: Namespace
) -> None:
    prometheus.exporter.set("load", 550.0, {"app": "checkout"})
    namespace.apply(deployment("checkout", replicas=2))
    watching = policy("checkout", mode="ForecastOnly")
    namespace.apply(policy_map("autoscaling", {"checkout.yaml": watching}))

    daemon = start(prometheus, namespace)
    record = daemon.wait_for("checkout", lambda r: r["desired_replicas"] == 6, what="a decision")
    daemon.wait_cycles("checkout", 2)

    assert not record["rescaled"]
    assert "ForecastOnly" in record["not_rescaled_because"]
    assert namespace.replicas("checkout") == 2
    assert namespace.events("SuccessfulRescale") == []


def test_a_refused_policy_is_told_to_whoever_describes_its_config_map_and_so_is_its_end(
    start: Start,
    prometheus: PrometheusServer,
    namespace: Namespace,
    eventually: Callable[..., None],
) -> None:
    prometheus.exporter.set("load", 550.0, {"app": "checkout"})
    namespace.apply(deployment("checkout", replicas=2))
    namespace.apply(policy_map("autoscaling", {"a.yaml": policy("checkout", maxReplicas="many")}))

    def described(part: str) -> bool:
        name = ("configmap", "autoscaling", "--namespace", namespace.name)
        events = namespace.plane.kubectl("describe", *name).split("\nEvents:")[1]
        return all(word in events for word in part.split())

    daemon = start(prometheus, namespace)
    eventually(lambda: described("Warning PolicyRefused maxReplicas many"), within=40, what="it")
    namespace.apply(policy_map("autoscaling", {"a.yaml": policy("checkout")}))
    eventually(lambda: described("Normal PolicyAccepted"), within=40, what="its end")
    daemon.wait_cycles("checkout", 3)

    assert [e.series for e in namespace.events("PolicyRefused")] == [None]
    assert not daemon.events("event_lost")


def test_somebody_who_scaled_in_between_is_not_overwritten(
    start: Start,
    plane: ControlPlane,
    prometheus: PrometheusServer,
    namespace: Namespace,
    tmp_path: Path,
) -> None:
    intruded: list[str] = []

    def scale_to_seven(request: dict[str, Any]) -> None:
        who = request["userInfo"]["username"]
        if who.startswith("system:serviceaccount:") and not intruded:
            intruded.append(who)
            namespace.scale("checkout", 7)

    prometheus.exporter.set("load", 810.0, {"app": "checkout"})
    namespace.apply(deployment("checkout", replicas=2))
    namespace.apply(policy_map("autoscaling", {"checkout.yaml": policy("checkout")}))
    plane.kubectl("label", "namespace", namespace.name, f"intruder={namespace.name}")
    with Webhook(tmp_path, scale_to_seven) as webhook:
        namespace.apply(webhook.configuration(namespace.name))
        time.sleep(1.5)  # the server reads webhook configurations in the background
        daemon = start(prometheus, namespace)
        record = daemon.wait_for("checkout", lambda r: r["rescaled"], what="a rescale")
        plane.kubectl("delete", "validatingwebhookconfiguration", namespace.name)

    assert intruded == ["system:serviceaccount:autoscaler-system:predictive-autoscaler"]
    # Nine by the measured load; a slow machine lets the forecast join in, which asks for ten.
    assert record["current_replicas"] == 7
    assert record["desired_replicas"] in {9, 10}
    assert namespace.replicas("checkout") == record["desired_replicas"]


def test_a_forbidden_patch_is_one_clear_error_per_cycle_and_the_others_go_on(
    start: Start, plane: ControlPlane, prometheus: PrometheusServer, namespace: Namespace
) -> None:
    for app in ("checkout", "catalog"):
        prometheus.exporter.set("load", 550.0, {"app": app})
    namespace.apply(deployment("checkout", replicas=2), deployment("catalog", replicas=2))
    policies = {app: policy(app) for app in ("checkout", "catalog")}
    namespace.apply(policy_map("autoscaling", policies))
    kubeconfig = account_that_may_scale(plane, namespace.name, only="catalog")

    daemon = start(prometheus, namespace, kubeconfig=kubeconfig)
    daemon.wait_for("catalog", lambda r: r["rescaled"], what="the allowed rescale")
    records = daemon.wait_cycles("checkout", 3)

    refused = [r for r in daemon.records("checkout") if "403" in r["not_rescaled_because"]]
    errors = daemon.events("scale_refused")
    assert len(records) <= len(refused)
    assert abs(len(errors) - len(refused)) <= 1  # a cycle may be under way between both reads
    assert 'cannot patch resource "deployments/scale"' in errors[0]["error"]
    assert errors[0]["target"] == f"{namespace.name}/checkout"
    assert (namespace.replicas("checkout"), namespace.replicas("catalog")) == (2, 6)


def test_an_edited_policy_takes_effect_within_two_cycles(
    start: Start, prometheus: PrometheusServer, namespace: Namespace
) -> None:
    prometheus.exporter.set("load", 150.0, {"app": "checkout"})
    namespace.apply(deployment("checkout", replicas=2))
    namespace.apply(policy_map("autoscaling", {"checkout.yaml": policy("checkout")}))
    daemon = start(prometheus, namespace)
    daemon.wait_cycles("checkout", 2)

    namespace.apply(policy_map("autoscaling", {"checkout.yaml": policy("checkout", minReplicas=5)}))
    after = daemon.wait_cycles("checkout", 2)

    assert after[-1]["desired_replicas"] == 5
    assert namespace.replicas("checkout") == 5


def test_a_broken_edit_keeps_the_last_good_policy_and_says_what_is_wrong(
    start: Start, prometheus: PrometheusServer, namespace: Namespace
) -> None:
    for app in ("checkout", "catalog"):
        prometheus.exporter.set("load", 150.0, {"app": app})
    namespace.apply(deployment("checkout", replicas=2), deployment("catalog", replicas=2))
    good = {"checkout.yaml": policy("checkout"), "catalog.yaml": policy("catalog")}
    namespace.apply(policy_map("autoscaling", good))
    daemon = start(prometheus, namespace)
    daemon.wait_cycles("checkout", 2)

    broken = {"checkout.yaml": policy("checkout", maxReplicas="many")}
    namespace.apply(policy_map("autoscaling", good | broken))
    for app in ("checkout", "catalog"):
        prometheus.exporter.set("load", 380.0, {"app": app})
    for app in ("checkout", "catalog"):
        # A load that rose at once may be expected to rise on.
        daemon.wait_for(app, lambda r: r["desired_replicas"] >= 4, what=f"{app} still governed")

    said = [line["error"] for line in daemon.events("policy_refused")]
    assert len(said) == 1
    for part in (f"{namespace.name}/autoscaling", "checkout.yaml", "maxReplicas", "many"):
        assert part in said[0]


def test_a_past_that_is_not_answered_keeps_nobody_waiting_at_start_and_end(
    service_account: Path, namespace: Namespace, tmp_path: Path
) -> None:
    namespace.apply(deployment("checkout", replicas=2))
    namespace.apply(policy_map("autoscaling", {"checkout.yaml": policy("checkout")}))
    stub, let_go = PrometheusStub(), threading.Event()

    def reply(asked: Asked) -> Reply:
        if asked.path.endswith("query_range"):
            let_go.wait(60)
        return success([])

    stub.reply = reply
    scope = ("--namespace", namespace.name)
    daemon = RunningDaemon(service_account, stub.url, *scope, log=tmp_path / "daemon.log")
    daemon.wait_cycles("checkout", 1, within=40)
    code = daemon.stop()
    let_go.set()
    stub.stop()

    assert code == 0
    assert not daemon.events("history_progress") + daemon.events("history_unavailable")


def test_who_is_told_to_stop_while_prometheus_is_silent_ends_and_leaves_its_memory(
    service_account: Path, namespace: Namespace, tmp_path: Path, eventually: Callable[..., None]
) -> None:
    namespace.apply(deployment("checkout", replicas=2))
    namespace.apply(policy_map("autoscaling", {"checkout.yaml": policy("checkout")}))
    stub, asked, let_go = PrometheusStub(), threading.Event(), threading.Event()
    memory = tmp_path / "memory"
    flags = ("--namespace", namespace.name, "--memory-file", str(memory))
    flags = (*flags, "--prometheus-timeout", "60s")
    daemon = RunningDaemon(service_account, stub.url, *flags, log=tmp_path / "daemon.log")
    daemon.wait_cycles("checkout", 1, within=40)

    def silent(_: Asked) -> Reply:
        asked.set()
        let_go.wait(60)
        return success([])

    stub.reply = silent
    eventually(asked.is_set, within=20, what="a question")
    code = daemon.stop()
    let_go.set()
    stub.stop()

    assert (code, memory.exists()) == (0, True)
    assert daemon.events("last_cycle_cut_short")


def test_nothing_is_lowered_while_prometheus_is_away_and_it_recovers_alone(
    start: Start, prometheus: PrometheusServer, namespace: Namespace
) -> None:
    prometheus.exporter.set("load", 705.0, {"app": "checkout"})
    namespace.apply(deployment("checkout", replicas=8))
    namespace.apply(policy_map("autoscaling", {"checkout.yaml": policy("checkout")}))
    with StandInKubelet(namespace, startup=timedelta(seconds=1)):
        daemon = start(prometheus, namespace)
        daemon.wait_for("checkout", lambda r: r["signals"][0]["value"] == 705, what="a known load")

        prometheus.stop()
        prometheus.exporter.set("load", 10.0, {"app": "checkout"})
        daemon.wait_for("checkout", lambda r: r["signals"][0]["value"] is None, what="unknown")
        n_cycles = int(OUTAGE_SECONDS)
        during = daemon.wait_cycles("checkout", n_cycles, within=20 * OUTAGE_SECONDS)
        held = namespace.replicas("checkout")

        prometheus.exporter.set("load", 1150.0, {"app": "checkout"})
        prometheus.start()
        # It may come while `start` still waits, and on a busy machine Prometheus is slow to start.
        what = "a rescale on fresh metrics"
        daemon.wait_for(
            "checkout", lambda r: r["rescaled"], what=what, after=during[-1], within=120
        )

    assert held == 8
    assert {r["desired_replicas"] for r in during} == {8}
    holds = {"MetricsUnknownHold", "ForecastCarriesFloor"}
    assert all(holds & set(reason_of(r)) for r in during)
    assert all(r["signals"][0]["doubt"] == "source unreachable" for r in during)
    assert namespace.replicas("checkout") >= 12  # what is measured, or what a jump may become
