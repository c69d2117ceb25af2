"""What `deploy/` promises of its pod: no privileges, few doors, and one replica that always stays.

That a real API server takes these manifests is tested in `tests/real/`; here is what they say.
"""

import re
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml

from support.helm_template import Chart

DEPLOY = Path(__file__).parents[1] / "deploy"
DNS, API_SERVER, CONSUL = {("UDP", 53), ("TCP", 53)}, {("TCP", 443), ("TCP", 6443)}, {8500, 8501}

Manifest = dict[str, Any]


def kustomized() -> list[Manifest]:
    """Return the base and the component for two replicas, as they are written."""
    files = [*DEPLOY.glob("base/*.yaml"), *DEPLOY.glob("components/high-availability/*.yaml")]
    manifests = [m for file in files for m in yaml.safe_load_all(file.read_text())]
    return [m for m in manifests if "spec" in m]


def rendered(**values: Any) -> list[Manifest]:
    """Return what the chart makes of its defaults and some values."""
    enabled = {"podDisruptionBudget": {"enabled": True}, "replicaCount": 2, **values}
    text = Chart(DEPLOY / "helm").rendered(enabled, name="x", namespace="autoscaler-system")
    return [m for m in yaml.safe_load_all(text) if m and "spec" in m]


def one(manifests: list[Manifest], kind: str) -> Manifest:
    """Return the manifest of a kind; of Deployments the whole one, not its patch."""
    whole = {"selector", "podSelector"}
    return next(m for m in manifests if m["kind"] == kind and whole & m["spec"].keys())


@pytest.fixture(params=["kustomize", "helm"])
def manifests(request: pytest.FixtureRequest) -> list[Manifest]:
    return kustomized() if request.param == "kustomize" else rendered()


@pytest.fixture
def pod(manifests: list[Manifest]) -> Manifest:
    template: Manifest = one(manifests, "Deployment")["spec"]["template"]
    return template


def test_the_pod_is_nobody_and_may_do_nothing(pod: Manifest) -> None:
    spec = pod["spec"]
    [container] = spec["containers"]

    assert spec["securityContext"] == {
        "runAsNonRoot": True,
        "runAsUser": 65532,
        "runAsGroup": 65532,
        "fsGroup": 65532,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }


def test_nothing_of_its_node_is_shared_with_the_pod(pod: Manifest) -> None:
    spec = pod["spec"]

    assert not {"hostNetwork", "hostPID", "hostIPC"} & spec.keys()
    assert [set(volume) for volume in spec["volumes"]] == [{"name", "emptyDir"}]
    assert all("hostPort" not in port for port in spec["containers"][0]["ports"])


def test_its_memory_is_bounded_by_what_was_measured(pod: Manifest) -> None:
    """`tests/bench/scale.py` measures what ten thousand policies take."""
    assert pod["spec"]["containers"][0]["resources"]["limits"] == {"memory": "512Mi"}


def test_the_image_runs_as_the_same_nobody(pod: Manifest) -> None:
    [user] = re.findall(r"^USER (\d+):(\d+)$", (DEPLOY / "Dockerfile").read_text(), re.MULTILINE)
    context = pod["spec"]["securityContext"]

    assert user == (str(context["runAsUser"]), str(context["runAsGroup"]))


def ports(rules: list[Manifest]) -> set[tuple[str, int]]:
    """Return the doors that rules open; one that names no port opens all, and fails here."""
    return {(port["protocol"], port["port"]) for rule in rules for port in rule["ports"]}


def selects(selector: Manifest, pod: Manifest) -> bool:
    return selector["matchLabels"].items() <= pod["metadata"]["labels"].items()


def test_in_come_scrapes_and_probes_alone(manifests: list[Manifest], pod: Manifest) -> None:
    policy = one(manifests, "NetworkPolicy")["spec"]
    [container] = pod["spec"]["containers"]

    assert selects(policy["podSelector"], pod)
    assert set(policy["policyTypes"]) == {"Ingress", "Egress"}
    assert ports(policy["ingress"]) == {("TCP", p["containerPort"]) for p in container["ports"]}


def test_out_go_names_the_api_server_prometheus_and_consul(
    manifests: list[Manifest], pod: Manifest
) -> None:
    open_doors = ports(one(manifests, "NetworkPolicy")["spec"]["egress"])
    environment = {e["name"]: e.get("value") for e in pod["spec"]["containers"][0]["env"]}
    prometheus = urlsplit(str(environment["AUTOSCALER_PROMETHEUS_URL"])).port

    needed = DNS | API_SERVER | {("TCP", port) for port in {prometheus, *CONSUL}}
    assert open_doors == needed | {("TCP", 80)}  # a Prometheus behind an ingress


def test_the_doors_of_the_chart_move_with_its_ports() -> None:
    moved = rendered(metrics={"port": 9100}, health={"port": 9101})

    assert ports(one(moved, "NetworkPolicy")["spec"]["ingress"]) == {("TCP", 9100), ("TCP", 9101)}


def test_of_two_replicas_one_is_never_evicted_and_one_may_be(
    manifests: list[Manifest], pod: Manifest
) -> None:
    budget = one(manifests, "PodDisruptionBudget")["spec"]
    replicas = max(m["spec"]["replicas"] for m in manifests if m["kind"] == "Deployment")

    assert selects(budget["selector"], pod)
    assert 0 < budget["maxUnavailable"] < replicas
