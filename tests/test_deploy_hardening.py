"""What `deploy/` promises of its pod: no privileges, few doors, and one replica that always stays.

The chart and kustomize install the same.
That a real API server accepts these manifests is tested in `tests/real/`; here is what they say.
"""

import re
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml

from autoscaler.cli import parser
from support.helm_template import Chart

DEPLOY = Path(__file__).parents[1] / "deploy"
DNS, CONSUL = {("UDP", 53), ("TCP", 53)}, {8500, 8501}
# Behind the Service's 443: kubeadm, kind and k3s listen on 6443, minikube on 8443.
API_SERVER = {("TCP", 443), ("TCP", 6443), ("TCP", 8443)}

Manifest = dict[str, Any]


def kustomized() -> list[Manifest]:
    """Return the base, the Lease and the component for two replicas, as they are written."""
    folders = ("base", "rbac/lease", "components/high-availability")
    files = [file for folder in folders for file in DEPLOY.glob(f"{folder}/*.yaml")]
    manifests = [m for file in files for m in yaml.safe_load_all(file.read_text())]
    return [m for m in manifests if "kind" in m and m["kind"] != "Kustomization"]


def rendered(**values: Any) -> list[Manifest]:
    """Return what the chart makes of its defaults and some values."""
    enabled = {"podDisruptionBudget": {"enabled": True}, "replicaCount": 2, **values}
    text = Chart(DEPLOY / "helm").rendered(enabled, name="x", namespace="autoscaler-system")
    return [m for m in yaml.safe_load_all(text) if m]


def one(manifests: list[Manifest], kind: str) -> Manifest:
    """Return the manifest of a kind; of Deployments the whole one, not its patch."""
    return next(
        m for m in manifests if m["kind"] == kind and m.get("spec", {}).keys() != {"replicas"}
    )


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


def test_only_the_pod_gets_the_token_and_it_takes_no_variables_of_services(
    manifests: list[Manifest], pod: Manifest
) -> None:
    assert one(manifests, "ServiceAccount")["automountServiceAccountToken"] is False
    assert pod["spec"]["automountServiceAccountToken"] is True
    assert pod["spec"]["enableServiceLinks"] is False


def test_the_page_may_be_closed_to_all_but_some_and_probes_stay() -> None:
    some = [{"namespaceSelector": {"matchLabels": {"team": "platform"}}}]
    metrics, health = one(rendered(networkPolicy={"ingressFrom": some}), "NetworkPolicy")["spec"][
        "ingress"
    ]

    assert metrics["from"] == some
    assert "from" not in health


def test_another_port_of_prometheus_may_be_opened() -> None:
    more = {"ports": [{"protocol": "TCP", "port": 8428}]}
    egress = one(rendered(networkPolicy={"extraEgress": [more]}), "NetworkPolicy")["spec"]["egress"]

    assert egress[-1] == more


def without_names(value: Any) -> Any:
    """Return a manifest without labels, which differ between the chart and kustomize."""
    if isinstance(value, dict):
        labels = {"matchLabels", "labels", "selector"}
        return {k: without_names(v) for k, v in value.items() if k not in labels}
    return [without_names(v) for v in value] if isinstance(value, list) else value


@pytest.mark.parametrize("kind", ["NetworkPolicy", "PodDisruptionBudget", "Service"])
def test_the_chart_installs_what_kustomize_installs(kind: str) -> None:
    theirs, ours = one(rendered(), kind), one(kustomized(), kind)

    assert without_names(theirs["spec"]) == without_names(ours["spec"])


def test_the_chart_grants_the_same_lease() -> None:
    chart, base = (
        next(m for m in manifests if m["kind"] == "Role")
        for manifests in (rendered(), kustomized())
    )

    assert chart["rules"] == base["rules"]


def test_the_pod_of_the_chart_is_that_of_kustomize(monkeypatch: pytest.MonkeyPatch) -> None:
    chart, base = (
        without_names(one(manifests, "Deployment")["spec"]["template"]["spec"])
        for manifests in (rendered(), kustomized())
    )
    [theirs], [ours] = chart.pop("containers"), base.pop("containers")
    set_by = {v["name"]: v for v in theirs.pop("env")}
    set_here = {v["name"]: v for v in ours.pop("env")}
    differ = {"image": None, "imagePullPolicy": None}
    defaults = vars(parser().parse_args(["run"]))
    for name in set_by.keys() - set_here.keys():
        monkeypatch.setenv(name, set_by[name]["value"])

    assert set_here.items() <= set_by.items()
    assert vars(parser().parse_args(["run"])) == defaults
    assert theirs | differ == ours | differ
    assert {**chart, "serviceAccountName": None} == {**base, "serviceAccountName": None}
