"""`autoscaler doctor` on a real API server and a real Prometheus: clean, and with planted problems.

One Deployment with a pod, a fortnight of load and CPU behind it: each pod burns 0.05 cores and
2 ms per request, so that at 70 % of 500m it carries 150 requests/s.
"""

import json
import math
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from kubernetes import client

from autoscaler.cli import main
from support import prometheus_server
from support.consul_stub import ConsulStub
from support.control_plane import ControlPlane
from support.processes import wait_until
from support.prometheus_server import Exporter, Past, PrometheusServer
from support.workloads import Namespace, deployment

DAY = 86_400.0
BEGAN = time.time() - 15 * DAY
Doctor = Callable[..., tuple[int, str]]


def served(seconds: float) -> float:
    """Return the requests that one pod has served until then: 50 a second and a daily swell."""
    t = seconds - BEGAN
    return 50.0 * t - 30.0 * DAY / math.tau * (math.cos(math.tau * t / DAY) - 1.0)


def burnt(seconds: float) -> float:
    """Return the CPU seconds that one pod's application has burnt until then."""
    return 0.05 * (seconds - BEGAN) + 0.002 * served(seconds)


class Shop:
    """A namespace with a workload and its past, and the doctor that looks at it."""

    def __init__(self, namespace: Namespace, server: PrometheusServer) -> None:
        self.namespace, self.server = namespace, server

    def live(self, pods: list[str]) -> None:
        """Let each pod serve and burn, since a fortnight ago and now."""
        started, pasts = time.time(), []
        coarse = np.arange(started - 14.01 * DAY, started - 600, 60.0)
        times = np.concatenate([coarse, np.arange(started - 600, started, 1.0)])
        for pod in pods:
            who = {"namespace": self.namespace.name, "pod": pod}
            for metric, more, count in (
                ("request_total", {"deployment": "checkout", "direction": "inbound"}, served),
                ("container_cpu_usage_seconds_total", {"container": "app"}, burnt),
            ):
                labels = {**who, **more, "job": "live"}
                exporter = self.server.exporter
                exporter.set(metric, lambda count=count: count(time.time()), labels)
                samples = [(t, count(t)) for t in times]
                pasts.append(Past(metric, exporter.scraped(labels), samples, "counter"))
        self.server.import_past(*pasts)
        self.server.start()


@pytest.fixture(scope="module")
def shop(
    plane: ControlPlane, admin: client.ApiClient, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Shop]:
    if prometheus_server.missing_binaries():
        pytest.skip("apt-get install prometheus")
    plane.kubectl("create", "namespace", "clinic")
    namespace = Namespace(plane, admin, "clinic")
    namespace.apply(deployment("checkout", replicas=1))
    wait_until(lambda: len(namespace.pods()) == 1, within=30, what="a pod")
    namespace.mark_all_ready()
    exporter = Exporter()
    exporter.start()
    server = PrometheusServer(tmp_path_factory.mktemp("clinic"), exporter)
    shop = Shop(namespace, server)
    shop.live([pod.metadata.name for pod in namespace.pods()])
    wait_until(lambda: bool(server.query('up{job="live"} == 1')), within=30, what="a scrape")
    yield shop
    server.stop()
    exporter.stop()
    plane.kubectl("delete", "namespace", "clinic", "--wait=false")


@pytest.fixture
def doctor(
    shop: Shop, plane: ControlPlane, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> Doctor:
    """Run the command on one policy; return its exit code and what it printed."""

    def run(policy: dict[str, Any], *flags: str) -> tuple[int, str]:
        file = tmp_path / "policy.yaml"
        file.write_text(yaml.safe_dump(policy))
        address = ("--prometheus-url", shop.server.url, "--kubeconfig", str(plane.admin_kubeconfig))
        code = main(["doctor", str(file), *address, "--namespace", "clinic", *flags])
        return code, capsys.readouterr().out

    return run


def policy(name: str = "checkout", *, container: str = "app", **rate: Any) -> dict[str, Any]:
    cpu = {"name": "cpu", "container": container, "target": {"averageUtilization": 70}}
    return {
        "scaleTargetRef": {"name": name, "namespace": "clinic"},
        "maxReplicas": 20,
        "metrics": [
            {"type": "RequestRate", "requestRate": {"source": "linkerd"} | rate},
            {"type": "ContainerResource", "containerResource": cpu},
        ],
    }


def only_rate(name: str = "checkout") -> dict[str, Any]:
    return policy(name) | {"metrics": policy(name)["metrics"][:1]}


def test_a_clean_set_up_is_short_and_green_and_says_what_would_be_learned(doctor):
    code, told = doctor(policy())

    assert code == 0, told
    assert "WARN" not in told
    assert "FAIL" not in told
    assert len(told.splitlines()) <= 15
    assert "1 policy, 2 signals: 0 to mend, 0 to look at" in told
    [capacity] = [line for line in told.splitlines() if "capacity:" in line]
    assert float(capacity.split()[2]) == pytest.approx(150, rel=0.03)
    assert "lead time: 2m, the default until 5 starts were seen (1 so far)" in told, told
    assert "14.0 days" in told
    assert "promql sum by (namespace, deployment, cluster)" in told


@pytest.mark.parametrize(
    ("planted", "problem", "fix"),
    [
        pytest.param(policy("chekout"), "there is no Deployment clinic/chekout",
                     "correct scaleTargetRef", id="no such Deployment"),
        pytest.param(policy(container="php"), "no request to take a share of; requests are made by",
                     "correct the container's name", id="no such container"),
        pytest.param(policy(container="istio-proxy"), "FAIL newest sample: absent",
                     "there is no container istio-proxy in a pod of clinic/checkout; there is",
                     id="a container without series"),
        pytest.param(only_rate(), "neither given nor can it be learned", "add a ContainerResource",
                     id="no capacity"),
        pytest.param(policy(source="istio"), "FAIL newest sample: absent",
                     "Prometheus has no istio_requests_total", id="another mesh"),
        pytest.param(policy(labels={"job": "elsewhere"}), "FAIL newest sample: absent",
                     "Prometheus has no request_total", id="a job that is not there"),
        pytest.param(policy(source=None, query="sum(rate(hits_total[2m]))"),
                     "FAIL newest sample: absent", "none of these has a series: hits_total",
                     id="a query of nothing"),
        pytest.param(policy(source=None, query="sum(rate(hits_total[2m])"),
                     "FAIL newest sample: query refused", "pasted into Prometheus", id="no PromQL"),
    ],
)  # fmt: skip
def test_a_planted_problem_fails_and_its_fix_is_said(doctor, planted, problem, fix):
    code, told = doctor(_without_none(planted))

    assert code == 1, told
    assert problem in told
    assert fix in told


def _without_none(planted: dict[str, Any]) -> dict[str, Any]:
    """Return a policy without the fields that were planted as None."""
    planted["metrics"] = [
        {k: {n: x for n, x in v.items() if x is not None} if isinstance(v, dict) else v
         for k, v in metric.items()}
        for metric in planted["metrics"]
    ]  # fmt: skip
    return planted


def test_a_policy_that_is_refused_keeps_no_neighbour_from_being_looked_at(
    shop, plane, tmp_path, capsys
):
    file = tmp_path / "policies.yaml"
    file.write_text(yaml.safe_dump_all([policy(), policy("cart") | {"maxReplicas": "few"}]))
    address = ("--prometheus-url", shop.server.url, "--kubeconfig", str(plane.admin_kubeconfig))

    assert main(["doctor", str(file), *address, "--namespace", "clinic"]) == 2

    told = capsys.readouterr()
    assert "1 policy, 2 signals: 0 to mend, 0 to look at" in told.out
    assert "maxReplicas: 'few' is not a whole number" in told.err


def test_a_rival_is_named(doctor, shop, eventually):
    spec = {"scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "checkout"},
            "minReplicas": 1, "maxReplicas": 3}  # fmt: skip
    hpa = {"apiVersion": "autoscaling/v1", "kind": "HorizontalPodAutoscaler"}
    shop.namespace.apply({**hpa, "metadata": {"name": "checkout"}, "spec": spec})
    code, told = doctor(policy())
    shop.namespace.delete("hpa", "checkout")

    assert code == 1
    assert "FAIL target: HorizontalPodAutoscaler clinic/checkout scales it, too" in told
    assert "set actuator: hpa" in told


def test_a_consul_that_hides_the_service_is_told(doctor):
    consul = ConsulStub()
    consul.token = "secret"
    code, told = doctor(policy() | {"consul": {"service": "checkout"}}, "--consul-url",
                        consul.address)  # fmt: skip
    consul.stop()

    assert code == 0
    assert "WARN consul: Consul checkout: the answer was filtered" in told
    assert "that the token may read the service" in told


def test_as_json_everything_is_there_for_a_pipeline(doctor):
    code, told = doctor(policy(), "--output", "json")

    [report] = json.loads(told)
    assert code == 0
    assert [f["subject"] for f in report["findings"]] == ["capacity", "lead time"]
    assert "autoscaler_part" in report["signals"][0]["promql"]
