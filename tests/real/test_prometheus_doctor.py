"""The doctor finds each planted problem in a real Prometheus and says what to do."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from autoscaler.decide.facts import TargetRef
from autoscaler.metrics.catalogue import pasteable
from autoscaler.metrics.doctor import Diagnosis, Doctor
from autoscaler.metrics.findings import Level
from autoscaler.metrics.settings import PrometheusSettings
from autoscaler.ports import LoadSeries
from support.load_series import cpu, request_rate
from support.prometheus_server import Exporter, Past, PrometheusServer, missing_binaries

END = time.time() // 60 * 60
NOW = datetime.fromtimestamp(END, tz=UTC)
DAY = 86_400.0


def every(seconds: float, *, days: float) -> np.ndarray:
    return np.arange(END - days * DAY, END + 1, seconds)


def requests(name: str, times: np.ndarray, **labels: str) -> Past:
    who = {"namespace": "shop", "deployment": name, "direction": "inbound", "pod": f"{name}-1",
           "job": "linkerd-proxy", "instance": f"{name}:4191", **labels}  # fmt: skip
    return Past("request_total", who, [(t, 50 * (t - times[0])) for t in times], "counter")


def container(name: str, cores: float) -> Past:
    times = every(30, days=0.1)
    who = {"namespace": "shop", "pod": "cp-7d4b9c5f6-bcdfg", "container": name, "job": "kubelet"}
    samples = [(t, cores * (t - times[0])) for t in times]
    return Past("container_cpu_usage_seconds_total", who, samples, "counter")


def pasts() -> list[Past]:
    short, long = every(30, days=0.5), every(30, days=14.01)
    holes = long[(long - END) // 3600 % 3 != 0]  # one hour of three is missing, not the last
    return [
        requests("good", long),
        requests("short", short),
        requests("holes", holes),
        requests("slow", every(120, days=0.5)),
        requests("old", short[short < END - 3600]),
        requests("seldom", every(300, days=0.5)),
        requests("twice", short),
        requests("twice", short, job="kubernetes-pods"),
        requests("both", short, cluster="a"),
        requests("both", short, cluster="b"),
        requests("seen", short, direction="outbound"),
        requests("seen", short),
        container("app", 0.5),
        container("linkerd-proxy", 0.3),
    ]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrometheusServer]:
    if missing_binaries():
        pytest.skip(f"missing: {', '.join(missing_binaries())}")
    exporter = Exporter()
    exporter.start()
    server = PrometheusServer(tmp_path_factory.mktemp("doctor"), exporter)
    server.import_past(*pasts())
    server.start()
    yield server
    server.stop()
    exporter.stop()


def linkerd(name: str, **labels: str) -> LoadSeries:
    return request_rate(source="linkerd", target=TargetRef("shop", name), labels=labels)


def own(name: str) -> LoadSeries:
    return request_rate(query=f'sum(rate(request_total{{deployment="{name}"}}[2m]))')


def diagnosis(url: str, series: LoadSeries) -> Diagnosis:
    doctor = Doctor(PrometheusSettings(url, timeout=timedelta(seconds=5)))
    try:
        [found] = doctor.diagnoses([series], now=NOW, workloads={})
    finally:
        doctor.close()
    return found


def test_a_clean_set_up_is_short_and_green(server):
    found = diagnosis(server.url, linkerd("good"))

    assert {finding.level for finding in found.findings} == {Level.OK}, found
    assert [f.subject for f in found.findings] == ["newest sample", "history", "scrapes"]
    assert "request_total" in found.promql
    [shown, *_] = pasteable("linkerd", namespace="shop", name="good")
    assert found.load_promql == shown


@pytest.mark.parametrize(
    ("series", "level", "subject", "says", "fix"),
    [
        pytest.param(linkerd("short"), "warning", "history", "0.5 days", "retention",
                     id="short history"),
        pytest.param(linkerd("holes"), "warning", "history", "% of it missing", "scrapes were",
                     id="gaps"),
        pytest.param(linkerd("slow"), "warning", "scrapes", "every 1", "scrape more often",
                     id="scraped too seldom"),
        pytest.param(linkerd("goood"), "error", "newest sample", "absent", "there is shop/good",
                     id="misspelt name"),
        pytest.param(cpu(target=TargetRef("shop", "cpp")), "error", "newest sample", "absent",
                     "there is no container app in a pod of shop/cpp; there is shop/cp-7d4b",
                     id="misspelt name of pods"),
        pytest.param(request_rate(source="istio"), "error", "newest sample", "absent",
                     "Prometheus has no istio_requests_total", id="no such metric"),
        pytest.param(linkerd("old"), "error", "newest sample", "absent", "there is no shop/old",
                     id="ended an hour ago"),
        pytest.param(linkerd("seldom"), "error", "newest sample", "a rate needs two",
                     "the series are there", id="one scrape in the window"),
        pytest.param(request_rate(query='sum(rate(request_total{deployment="good"}[20s]))'),
                     "error", "newest sample", "absent", "the series are there",
                     id="a window of one scrape"),
        pytest.param(linkerd("twice"), "warning", "newest sample", "duplicated", "labels.job",
                     id="two scrape jobs"),
        pytest.param(linkerd("both"), "error", "newest sample", "another cluster", "labels.cluster",
                     id="two clusters"),
        pytest.param(cpu(target=TargetRef("shop", "cp")), "warning", "sidecars",
                     "38% of the pods' CPU", "named container", id="sidecars"),
        pytest.param(request_rate(query="sum(rate(hits_total[2m])"), "error", "newest sample",
                     "unclosed left parenthesis", "pasted into Prometheus", id="no PromQL"),
        pytest.param(request_rate(query="sum(rate(hits_total[2m])) or vector(0)"), "error",
                     "newest sample", "absent", "none of these has a series: hits_total",
                     id="or vector(0)"),
        pytest.param(own("twice"), "warning", "duplicates", "scraped more than once", "pin one",
                     id="two scrape jobs in a query"),
        pytest.param(own("seen"), "warning", "duplicates", "from both sides: inbound, outbound",
                     'add direction="inbound"', id="both sides in a query"),
        pytest.param(request_rate(query="sum(request_total) / 0"), "error", "newest sample",
                     "not a number", "division by zero", id="Inf"),
    ],
)  # fmt: skip
def test_a_planted_problem_is_found_and_its_fix_said(server, series, level, subject, says, fix):
    found = diagnosis(server.url, series)

    findings = {finding.subject: finding for finding in found.findings}
    assert findings[subject].level == level, found
    assert says in findings[subject].says
    assert fix in findings[subject].fix
    assert (level == "error") == any(f.level == "error" for f in found.findings)


def test_a_server_that_does_not_answer_is_one_error():
    found = diagnosis("http://127.0.0.1:1", linkerd("good"))

    assert [finding.level for finding in found.findings] == [Level.ERROR]
    assert "network policy" in found.findings[0].fix
