"""From a workload's past in a real Prometheus to a policy: source, capacity, risk, bounds."""

import time
from collections.abc import Iterator

import numpy as np
import pytest
import yaml

from autoscaler.cli import main
from autoscaler.policy.schema import Mode, WorkloadPolicy
from support.prometheus_server import Exporter, Past, PrometheusServer, missing_binaries

END = time.time() // 60 * 60
HOURS, PODS, REQUEST = 5.0, 4, 0.5
TIMES = np.arange(END - HOURS * 3600, END + 1, 30.0)
# A rhythm of two hours, so that five of them know it.
LOAD = 300 + 200 * np.sin(2 * np.pi * TIMES / 7200)
IDLE, CORES_PER_REQUEST = 0.05, 0.002
# (70 % of the request - idle) / cores per request/s
KNOWN_CAPACITY = (0.7 * REQUEST - IDLE) / CORES_PER_REQUEST


def counter(metric: str, rate: np.ndarray, **labels: str) -> Past:
    total = np.cumsum(rate * 30.0)
    return Past(metric, labels, list(zip(TIMES.tolist(), total.tolist(), strict=True)), "counter")


def pods_of(name: str) -> list[Past]:
    """Return what cAdvisor and kube-state-metrics tell of four pods."""
    cores = IDLE + CORES_PER_REQUEST * LOAD / PODS
    pods = [f"{name}-7d4b9c5f6-bcdf{letter}" for letter in "ghjk"]
    used = [
        counter("container_cpu_usage_seconds_total", cores, namespace="shop", pod=pod,
                container="app", job="kubelet")
        for pod in pods
    ]  # fmt: skip
    asked = [
        Past("kube_pod_container_resource_requests",
             {"namespace": "shop", "pod": pod, "container": "app", "resource": "cpu"},
             [(t, REQUEST) for t in TIMES.tolist()])
        for pod in pods
    ]  # fmt: skip
    return [*used, *asked]


def requests_of(name: str) -> Past:
    return counter("request_total", LOAD, namespace="shop", deployment=name, direction="inbound",
                   pod=f"{name}-1", job="linkerd-proxy", instance=f"{name}:4191")  # fmt: skip


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    if missing_binaries():
        pytest.skip(f"missing: {', '.join(missing_binaries())}")
    exporter = Exporter()
    exporter.start()
    server = PrometheusServer(tmp_path_factory.mktemp("recommend"), exporter)
    server.import_past(
        requests_of("checkout"), *pods_of("checkout"), *pods_of("worker"), requests_of("bare")
    )
    server.start()
    yield server.url
    server.stop()
    exporter.stop()


def recommended(url: str, name: str, *flags: str) -> int:
    where = ["--prometheus-url", url, "--days", f"{HOURS / 24:.4f}", "--startup", "60s"]
    return main(["recommend", "--namespace", "shop", "--name", name, *where, *flags])


def test_source_capacity_risk_and_bounds_are_proposed_and_can_be_replayed(url, tmp_path, capsys):
    assert recommended(url, "checkout") == 0

    out = capsys.readouterr().out
    policy = WorkloadPolicy.model_validate(yaml.safe_load(out))
    rate = policy.metrics[0].request_rate
    assert rate.source == "linkerd"
    assert rate.target.average_value == pytest.approx(KNOWN_CAPACITY, rel=0.05)
    assert (policy.min_replicas, policy.max_replicas) == (2, 7)
    assert (policy.mode, policy.scale_target_ref.namespace) == (Mode.FORECAST_ONLY, "shop")
    assert "averageValue was learned: at it a pod uses 70% of the 0.5 cores" in out

    written = tmp_path / "policy.yaml"
    written.write_text(out)
    asked = ["--prometheus-url", url, "--days", "0.1", "--output", "json"]
    assert main(["validate", str(written)]) == 0
    assert main(["replay", "--policy", str(written), *asked]) == 0


def test_what_a_pod_is_said_to_carry_is_proposed_to_the_digit(url, capsys):
    assert recommended(url, "checkout", "--capacity", "12345.5") == 0

    policy = yaml.safe_load(capsys.readouterr().out)
    assert policy["metrics"][0]["requestRate"]["target"] == {"averageValue": "12345.5"}


def test_where_only_cpu_is_known_the_cores_in_use_are_the_load(url, capsys):
    assert recommended(url, "worker", "--container", "app") == 0

    out = capsys.readouterr().out
    policy = WorkloadPolicy.model_validate(yaml.safe_load(out))
    section = policy.metrics[0].container_resource
    assert section.container == "app"
    assert section.target.average_value == pytest.approx(0.35)
    assert "no named source knows its request rate" in out


@pytest.mark.parametrize(
    ("name", "flags", "says"),
    [
        pytest.param("bare", (), "give --cpu-request, or --capacity", id="no request"),
        pytest.param("bare", ("--cpu-request", "500m"), "give --capacity", id="no CPU"),
        pytest.param("nobody", (), "has no past of its load", id="no such workload"),
        pytest.param("checkout", ("--source", "istio"), "has no past", id="another source"),
    ],
)
def test_what_cannot_be_known_is_asked_for(url, capsys, name, flags, says):
    assert recommended(url, name, *flags) == 2
    assert says in capsys.readouterr().err


def test_without_a_namespace_it_says_which_flag_is_missing(url, capsys):
    code = main(["recommend", "--name", "checkout", "--prometheus-url", url])

    assert code == 2
    assert "give --namespace" in capsys.readouterr().err
