"""The daemon as its own process, with pods that are ready and a Consul that does not pass them."""

import os
import urllib.request
from collections.abc import Callable, Iterator

import pytest

from support.consul_stub import ConsulStub
from support.daemon import Record, RunningDaemon
from support.processes import free_port
from support.prometheus_server import PrometheusServer
from support.workloads import Namespace, deployment, policy_map, rate_policy

# With 61 or more, the test waits until "ready but not routable" is an alarm.
UNROUTABLE_SECONDS = float(os.environ.get("UNROUTABLE_SECONDS", "1"))


@pytest.fixture
def consul() -> Iterator[ConsulStub]:
    consul = ConsulStub()
    yield consul
    consul.stop()


@pytest.fixture
def pods(
    prometheus: PrometheusServer, namespace: Namespace, eventually: Callable[..., None]
) -> list[str]:
    """A Deployment whose policy names a Consul service, with two ready pods; their names."""
    prometheus.exporter.set("load", 150.0, {"app": "checkout"})
    namespace.apply(deployment("checkout", replicas=2))
    witnessed = rate_policy("checkout", consul={"service": "checkout"})
    namespace.apply(policy_map("autoscaling", {"checkout.yaml": witnessed}))
    eventually(lambda: len(namespace.pods()) == 2, within=30, what="two pods")
    namespace.mark_all_ready()
    return sorted(pod.metadata.name for pod in namespace.pods())


def passing(n: int | None) -> Callable[[Record], bool]:
    return lambda record: record["routability"]["passing"] == n


def test_ready_but_not_passing_in_consul_is_told_and_scales_nothing_in(
    start: Callable[..., RunningDaemon],
    prometheus: PrometheusServer,
    namespace: Namespace,
    pods: list[str],
    consul: ConsulStub,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CONSUL_HTTP_TOKEN", "secret")
    consul.token = "secret"
    consul.pass_pods(pods[0], namespace=namespace.name)
    port = free_port()

    flags = ("--consul-url", consul.address, "--metrics-port", str(port))
    daemon = start(prometheus, namespace, *flags)
    record = daemon.wait_for(
        "checkout",
        lambda r: r["routability"]["unroutable_seconds"] > UNROUTABLE_SECONDS,
        what="unroutable",
        within=60 + UNROUTABLE_SECONDS,
    )
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as page:
        told = page.read().decode()
    consul.token = "another"
    filtered = daemon.wait_for("checkout", passing(None), what="no word", within=30)
    consul.token = "secret"
    consul.pass_pods(*pods, namespace=namespace.name)
    passed = daemon.wait_for("checkout", passing(2), what="both pass", within=30)

    seen, alarm = record["routability"], UNROUTABLE_SECONDS > 60
    assert (seen["passing"], seen["alarming"]) == (1, alarm)
    assert seen["detail"] == f"1 of 2 ready pods do not pass, first {pods[1]}"
    assert ("not routable for" in record["message"]) == alarm == (seen["delay_seconds"] > 60)
    assert f'autoscaler_consul_passing{{namespace="{namespace.name}",name="checkout"' in told
    assert "autoscaler_unroutable_seconds{" in told
    assert "ACLs hide the service from us" in filtered["routability"]["detail"]
    assert not filtered["routability"]["alarming"]
    assert passed["routability"]["unroutable_seconds"] == 0
    assert namespace.replicas("checkout") == 2
