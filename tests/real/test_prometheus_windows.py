"""What happened within the window of a rate, as a real Prometheus tells it."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from autoscaler.decide.facts import Doubt, Sample
from autoscaler.metrics.prometheus import PrometheusMetrics, PrometheusSettings
from autoscaler.ports import LoadSeries
from support.load_series import TARGET, cpu, request_rate, workload
from support.prometheus_server import Exporter, Past, PrometheusServer, missing_binaries

END = time.time() // 60 * 60
NOW = datetime.fromtimestamp(END, tz=UTC)
SCRAPE = 30.0


def scraped(begin: float, end: float, rate: float) -> list[tuple[float, float]]:
    """Return the scrapes of a counter that began at 0, in seconds before now."""
    return [(END + t, rate * (t - begin)) for t in np.arange(begin, end + 1, SCRAPE)]


def cores(pod: str, *, begin: float, end: float = 0.0, of: float = 0.5) -> Past:
    who = {"namespace": "shop", "pod": pod, "container": "app", "job": "kubelet"}
    return Past("container_cpu_usage_seconds_total", who, scraped(begin, end, of), "counter")


def requests(name: str, pod: str, *, end: float = 0.0) -> Past:
    who = {"namespace": "shop", "deployment": name, "pod": pod, "direction": "inbound",
           "job": "linkerd-proxy", "instance": f"{pod}:4191"}  # fmt: skip
    return Past("request_total", who, scraped(-3600, end, 50.0), "counter")


OLD = [f"checkout-7d4b9c5f6-bcdf{letter}" for letter in "ghjk"]
NEW = [f"checkout-5c8d6f7b9-bcdf{letter}" for letter in "ghjk"]


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    if missing_binaries():
        pytest.skip(f"missing: {', '.join(missing_binaries())}")
    exporter = Exporter()
    exporter.start()
    server = PrometheusServer(tmp_path_factory.mktemp("windows"), exporter)
    server.import_past(
        *(cores(pod, begin=-3600, end=-90) for pod in OLD),
        *(cores(pod, begin=-90) for pod in NEW),
        requests("checkout", OLD[0]),
        requests("checkout", OLD[1], end=-90),
    )
    server.start()
    yield server.url
    server.stop()
    exporter.stop()


def last_of(url: str, series: LoadSeries, *cycles: tuple[float, Sequence[str]]) -> Sample:
    """Return the last sample of cycles, each so many seconds from now, with these pods."""
    reader = PrometheusMetrics(PrometheusSettings(url))
    try:
        for seconds, pods in cycles:
            now = NOW + timedelta(seconds=seconds)
            young = timedelta(seconds=90) if pods == NEW else timedelta(hours=1)
            facts = {t: replace(f, seen_at=now) for t, f in workload(*pods, age=young).items()}
            [sample] = reader.newest([series], now=now, workloads=facts)
    finally:
        reader.close()
    return sample


def test_after_a_rollout_the_cpu_is_that_of_the_pods_before_and_after_it(url):
    sample = last_of(url, cpu(target=TARGET), (-100, OLD), (-60, NEW), (0, NEW))

    assert sample.value == pytest.approx(4 * 0.5, rel=0.1)
    assert sample.by_pod.keys() == set(NEW)


@pytest.mark.parametrize(
    ("pods", "doubt"),
    [
        pytest.param(OLD[:2], Doubt.PARTIAL, id="who scrapes one of them is silent"),
        pytest.param(OLD[:1], None, id="it has ended"),
    ],
)
def test_a_pod_whose_scrapes_stopped_without_a_word_is_missed(url, pods, doubt):
    sample = last_of(url, request_rate(source="linkerd"), (0, pods))

    assert sample.value < 100 * 0.8
    assert sample.doubt is doubt
