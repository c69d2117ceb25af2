"""At the foot of the morning rise, with a fortnight behind it, the daemon scales before the load.

The fortnight is generated so that today's rise begins just after the daemon starts: "now" is real.
"""

import json
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from support.daemon import RunningDaemon
from support.prometheus_server import Past, PrometheusServer
from support.rhythm import DailyRhythm, LiveCounter
from support.workloads import Namespace, StandInKubelet, deployment, policy_map

QUERY = 'sum(rate(http_requests_total{app="checkout"}[2m]))'
# From the start of the daemon to the first request more than at night.
FOOT_SECONDS = 120.0
PER_POD = 100


def policy(name: str, mode: str) -> dict[str, object]:
    """Return a policy over the one recorded load; a pod is needed eight minutes ahead."""
    rate = {"query": QUERY, "target": {"averageValue": str(PER_POD)}}
    return {
        "scaleTargetRef": {"name": name},
        "mode": mode,
        "minReplicas": 2,
        "maxReplicas": 40,
        "metrics": [{"type": "RequestRate", "requestRate": rate}],
        "forecast": {"leadTime": "8m"},
    }


@pytest.fixture
def prometheus(new_prometheus: Callable[[], PrometheusServer]) -> PrometheusServer:
    """A Prometheus that is still to be given a past."""
    return new_prometheus()


@pytest.fixture
def rise(prometheus: PrometheusServer) -> DailyRhythm:
    """A Prometheus with fourteen days of the rhythm, and today's load live."""
    now = time.time()
    rhythm = DailyRhythm(rises_at=now + FOOT_SECONDS)
    labels = prometheus.exporter.scraped({"app": "checkout"})
    samples = rhythm.counted(until=now)
    prometheus.import_past(Past("http_requests_total", labels, samples, kind="counter"))
    live = LiveCounter(rhythm, since=samples[-1])
    prometheus.exporter.set("http_requests_total", live, {"app": "checkout"})
    prometheus.start()
    return rhythm


@pytest.fixture
def daemon(
    rise: DailyRhythm,
    prometheus: PrometheusServer,
    namespace: Namespace,
    service_account: Path,
    tmp_path: Path,
) -> Iterator[RunningDaemon]:
    """The daemon over one acting and one watching policy on the same load."""
    namespace.apply(deployment("checkout", replicas=2), deployment("shadow", replicas=2))
    policies = {
        "checkout.yaml": policy("checkout", "ForecastAndScale"),
        "shadow.yaml": policy("shadow", "ForecastOnly"),
    }
    namespace.apply(policy_map("autoscaling", policies))
    with StandInKubelet(namespace, startup=timedelta(seconds=2)):
        daemon = RunningDaemon(
            service_account,
            prometheus.url,
            *("--namespace", namespace.name),
            log=tmp_path / "daemon.log",
        )
        yield daemon
        assert daemon.stop() == 0


def test_replicas_are_raised_before_the_measured_load_needs_them(
    rise: DailyRhythm,
    daemon: RunningDaemon,
    namespace: Namespace,
    eventually: Callable[..., None],
) -> None:
    record = daemon.wait_for("checkout", lambda r: r["rescaled"], what="a rescale", within=120)
    desired = record["desired_replicas"]
    eventually(lambda: len(namespace.pods("checkout")) >= desired, within=20, what="the pods")
    eventually(lambda: bool(namespace.events("SuccessfulRescale")), within=20, what="the Event")

    signal = record["signals"][0]
    assert signal["value"] < 2 * PER_POD, "two pods carry what is measured"
    assert signal["reactive_replicas"] <= 2 < signal["predictive_replicas"]
    assert rise.load(time.time()) < 2 * PER_POD, "and what really comes"
    assert (record["trust"], record["recommendation"]["reason"]) == (
        "Trusted",
        "ForecastAboveTarget",
    )
    assert signal["forecast"]["lead_time_seconds"] == 480
    assert (signal["capacity"]["per_pod"], signal["capacity"]["source"]) == (PER_POD, "policy")
    assert namespace.replicas("checkout") >= desired > 2

    shadow = daemon.wait_for("shadow", lambda r: r["desired_replicas"] > 2, what="the same idea")
    assert not shadow["rescaled"]
    assert namespace.replicas("shadow") == 2
    assert json.dumps(shadow["not_rescaled_because"]).count("ForecastOnly") == 1
