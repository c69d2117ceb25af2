"""Every named source, scraped by a real Prometheus from exporters that write what products write.

One Prometheus scrapes all of them every two seconds for about a minute; windows are stretched to
that interval, so nothing here is quicker than life but the clock of the windows.
"""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
import requests

from autoscaler.decide.facts import Doubt, PodFacts, Sample, WorkloadFacts
from autoscaler.metrics.catalogue import pasteable
from autoscaler.metrics.plan import source_of
from autoscaler.metrics.prometheus import PrometheusMetrics, PrometheusSettings
from autoscaler.metrics.sources import SOURCES
from support.processes import Process, free_port, wait_until
from support.product_exporters import ProductExporters
from support.product_pages import CASES, Case
from support.prometheus_server import missing_binaries

SERIES = [case.series for case in CASES.values()]
SCRAPE = timedelta(seconds=5)  # that windows are made for; scraped more often, as is usual


@pytest.fixture(scope="module")
def prometheus_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    if missing_binaries():
        pytest.skip(f"missing: {', '.join(missing_binaries())}")
    folder, port = tmp_path_factory.mktemp("sources"), free_port()
    exporters = ProductExporters([page for case in CASES.values() for page in case.pages])
    exporters.write_config(folder / "prometheus.yml", scrape_interval="2s")
    process = Process(
        ("prometheus", f"--config.file={folder / 'prometheus.yml'}", "--log.level=warn",
         f"--storage.tsdb.path={folder / 'data'}", f"--web.listen-address=127.0.0.1:{port}"),
        log=folder / "prometheus.log",
    )  # fmt: skip
    yield f"http://127.0.0.1:{port}"
    process.stop()
    exporters.stop()


@pytest.fixture(scope="module")
def reader(prometheus_url: str) -> Iterator[PrometheusMetrics]:
    reader = PrometheusMetrics(PrometheusSettings(prometheus_url, scrape_interval=SCRAPE))
    yield reader
    reader.close()


def newest(reader: PrometheusMetrics, case: Case) -> Sample:
    now = datetime.now(tz=UTC)
    n = len(case.pods)
    facts = WorkloadFacts(
        target=case.series.target, spec_replicas=n, status_replicas=n, ready_replicas=n,
        resource_version="1", seen_at=now,
        pods=tuple(PodFacts(name, created_at=now - timedelta(hours=1)) for name in case.pods),
    )  # fmt: skip
    workloads = {case.series.target: facts} if case.pods else {}
    [sample] = reader.newest([case.series], now=now, workloads=workloads)
    return sample


def is_settled(sample: Sample, case: Case) -> bool:
    return sample.doubt == case.doubt and (sample.value is None) == (case.load is None)


def is_asked_by_source(case: Case) -> bool:
    return case.doubt is None and case.series.metric.request_rate is not None


def pasted(url: str, case: Case) -> float:
    """Return the sum of what `sources show` prints, over a window that is covered here."""
    source, labels = source_of(case.series.metric)
    target, total = case.series.target, 0.0
    for text in pasteable(source.name, namespace=target.namespace, name=target.name, labels=labels):
        query, _, remark = text.partition("  #")
        asked = {"query": re.sub(r"\[\d+s\]", "[20s]", query)}
        rows = requests.get(f"{url}/api/v1/query", params=asked, timeout=10).json()["data"]
        found = sum(float(row["value"][1]) for row in rows["result"])
        total += -found if "taken away" in remark else found
    return total


@pytest.fixture(scope="module")
def settled(reader: PrometheusMetrics) -> None:
    """Wait until the longest window, that of CPU, is covered."""
    of_cpu = [case for name, case in CASES.items() if name.startswith("cpu")]
    wait_until(
        lambda: all(is_settled(newest(reader, case), case) for case in of_cpu),
        within=120,
        what="CPU windows covered",
    )


@pytest.mark.usefixtures("settled")
@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_the_load_is_right_within_two_percent_or_refused_with_the_reason(reader, case):
    sample = newest(reader, case)

    assert sample.doubt == case.doubt, sample
    if case.load is None:
        assert sample.value is None
    elif case.lower_bound:
        assert 0 < sample.value < case.load * 1.02
        assert not sample.trusted
    else:
        assert sample.value == pytest.approx(case.load, rel=0.02), sample


@pytest.mark.usefixtures("settled")
@pytest.mark.parametrize("name", [n for n, case in CASES.items() if is_asked_by_source(case)])
def test_the_promql_to_paste_gives_the_load_of_that_workload_alone(prometheus_url, name):
    assert pasted(prometheus_url, CASES[name]) == pytest.approx(CASES[name].load, rel=0.02)


@pytest.mark.usefixtures("settled")
def test_no_named_source_is_left_out():
    named = [source_of(case.series.metric)[0].name for case in CASES.values()]

    assert set(named) == set(SOURCES)
    assert len(SOURCES) == 14


def test_ten_questions_answer_for_all_of_them_together(reader):
    samples = reader.newest(SERIES, now=datetime.now(tz=UTC), workloads={})

    known = [s.value is not None or s.doubt is Doubt.ABSENT for s in samples]
    assert all(known)


@pytest.mark.usefixtures("settled")
def test_the_past_agrees_with_the_newest_sample(reader):
    step = timedelta(seconds=5)
    wanted = {
        name: np.nan if case.load is None else case.load
        for name, case in CASES.items()
        if not case.lower_bound
    }

    def loads() -> dict[str, float]:
        end = datetime.now(tz=UTC).replace(microsecond=0)
        history = reader.history(SERIES, start=end - 4 * step, end=end, step=step)
        known = dict(zip(CASES, history.load[:, -1], strict=True))
        return {name: known[name] for name in wanted}

    # The last target was first scraped two seconds after the first one.
    wait_until(lambda: np.isnan(list(loads().values())).sum() == 1, within=30, what="all covered")

    assert loads() == pytest.approx(wanted, rel=0.02, nan_ok=True)
