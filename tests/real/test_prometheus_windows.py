"""What happened within the window of a rate, as a real Prometheus tells it."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from autoscaler.decide.facts import Doubt, Sample, TargetRef
from autoscaler.metrics.prometheus import PrometheusMetrics, PrometheusSettings, Workloads
from autoscaler.ports import LoadSeries
from support.load_series import TARGET, cpu, request_rate, workload
from support.prometheus_server import Exporter, Past, PrometheusServer, missing_binaries

END = time.time() // 60 * 60
NOW = datetime.fromtimestamp(END, tz=UTC)
SCRAPE = 30.0
Away = tuple[float, float]  # seconds before now


def scraped(begin: float, end: float, rate: float) -> list[tuple[float, float]]:
    """Return the scrapes of a counter that began at 0, in seconds before now."""
    return [(END + t, rate * (t - begin)) for t in np.arange(begin, end + 1, SCRAPE)]


def cores(pod: str, *, begin: float, end: float = 0.0, of: float = 0.5) -> Past:
    who = {"namespace": "shop", "pod": pod, "container": "app", "job": "kubelet"}
    return Past("container_cpu_usage_seconds_total", who, scraped(begin, end, of), "counter")


def requests(name: str, pod: str, *, end: float = 0.0, away: Away = (0.0, 0.0)) -> list[Past]:
    """Return what a proxy counts, and that it could not be scraped for a while."""
    target = {"namespace": "shop", "pod": pod, "job": "linkerd-proxy", "instance": f"{pod}:4191"}
    who = {"deployment": name, "direction": "inbound", **target}
    began, ended = (END + t for t in away)
    whole = scraped(-3600, end, 50.0)
    counted = [(at, value) for at, value in whole if not began < at < ended]
    up = [(at, float(not began < at < ended)) for at, _ in whole]
    return [Past("request_total", who, counted, "counter"), Past("up", target, up)]


def ingress(instance: str, *, answers: bool = True) -> list[Past]:
    """Return what a controller counts for `shop`, by the namespace it honours, and that it does."""
    target = {"namespace": "ingress", "job": "ingress-nginx", "instance": instance}
    who = {**target, "namespace": "shop", "service": "web", "controller_pod": instance}
    counted = scraped(-3600, 0.0 if answers else -600, 50.0)
    up = [(at, float(answers)) for at, _ in scraped(-3600, 0.0, 1.0)]
    return [
        Past("nginx_ingress_controller_requests", who, counted, "counter"),
        Past("up", target, up),
    ]


OLD = [f"checkout-7d4b9c5f6-bcdf{letter}" for letter in "ghjk"]
CART = [f"cart-7d4b9c5f6-bcdf{letter}" for letter in "gh"]
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
        *requests("checkout", OLD[0]),
        *requests("checkout", OLD[1], end=-90),
        *requests("cart", CART[0]),
        *requests("cart", CART[1], away=(-240, -30)),
        *ingress("a"),
        *ingress("b", answers=False),
        *requests("desk", "desk-7d4b9c5f6-bcdfg"),
        *requests("desk", "desk-7d4b9c5f6-bcdfh", away=(-900, -360)),
        *requests("till", "till-7d4b9c5f6-bcdfg"),
        *requests("till", "till-7d4b9c5f6-bcdfh", away=(-90, -30)),
    )
    server.start()
    yield server.url
    server.stop()
    exporter.stop()


def own(window: str, name: str = "cart") -> LoadSeries:
    query = f'sum(rate(request_total{{deployment="{name}"}}[{window}]))'
    return request_rate(query=query, target=TargetRef("shop", name))


def newest(url: str, series: LoadSeries, workloads: Workloads, *, since: float = 0.0) -> Sample:
    """Return the last sample of cycles that began so many seconds ago."""
    reader = PrometheusMetrics(PrometheusSettings(url))
    try:
        for seconds in np.arange(-since, 1, SCRAPE):
            now = NOW + timedelta(seconds=float(seconds))
            [sample] = reader.newest([series], now=now, workloads=workloads)
    finally:
        reader.close()
    return sample


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


CART_NOW = "1 scrape target was down when the window of the rate began, cart-7d4b9c5f6-bcdfh:4191"


@pytest.mark.parametrize(
    "series",
    [
        pytest.param(request_rate(source="linkerd", target=TargetRef("shop", "cart")), id="source"),
        pytest.param(own("2m"), id="query"),
    ],
)
@pytest.mark.parametrize("known", [True, False], ids=["pods are watched", "pods by name"])
def test_a_target_that_is_back_is_missed_until_the_window_begins_after_its_return(
    url, series, known
):
    facts = workload(*CART, target=series.target) if known else {}
    sample = newest(url, series, facts, since=300)

    assert sample.value < 100 * 0.8
    assert (sample.doubt, sample.detail) == (Doubt.PARTIAL, CART_NOW)


def test_a_target_that_was_away_for_less_than_the_window_is_missed_by_nobody(url):
    series = request_rate(source="linkerd", target=TargetRef("shop", "till"))
    sample = newest(url, series, {}, since=150)

    assert sample.value == pytest.approx(100, rel=0.01)
    assert sample.trusted


def test_a_query_misses_a_gateway_whose_series_have_the_namespaces_of_its_workloads(url):
    query = 'sum(rate(nginx_ingress_controller_requests{namespace="shop",service="web"}[2m]))'
    sample = newest(url, request_rate(query=query, target=TargetRef("shop", "web")), {})

    assert sample.value == pytest.approx(50, rel=0.01)
    assert (sample.doubt, sample.detail) == (Doubt.PARTIAL, "1 scrape target is down, b")


@pytest.mark.parametrize(("window", "missed"), [("10m", True), ("600s", True), ("2m", False)])
def test_a_query_misses_a_target_that_was_down_when_its_own_window_began(url, window, missed):
    sample = newest(url, own(window, name="desk"), {}, since=960)

    assert (sample.value < 90) == missed
    assert (sample.doubt is Doubt.PARTIAL) == missed


def test_a_query_misses_no_target_of_its_job_in_another_namespace(url):
    sample = newest(url, own("2m", name="till"), {}, since=300)

    assert sample.trusted
