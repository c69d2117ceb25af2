"""A real Prometheus behind a proxy that misbehaves: every fault is unknown, none is a zero."""

import resource
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from autoscaler.decide.facts import Doubt, Sample
from autoscaler.errors import MetricUnavailableError
from autoscaler.forecasting import Forecasts
from autoscaler.metrics.connection import Question
from autoscaler.metrics.prometheus import PrometheusMetrics, PrometheusSettings
from autoscaler.metrics.transport import QueryRefusedError
from autoscaler.missing_history import STEP
from autoscaler.roster import Roster
from support.fault_proxy import FaultProxy
from support.load_series import request_rate
from support.prometheus_server import Exporter, Past, PrometheusServer, missing_binaries

WHO = {"namespace": "shop", "deployment": "checkout", "direction": "inbound", "job": "live"}
SERIES = [
    request_rate(source="linkerd"),
    request_rate(query='sum(rate(request_total{deployment="checkout"}[2m]))'),
]
HOUR = timedelta(hours=1)
EIGHT_DAYS_AGO = time.time() - 8 * 86_400


def counted(seconds: float, *, rate: float = 50.0) -> float:
    return rate * (seconds - EIGHT_DAYS_AGO)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrometheusServer]:
    """A Prometheus with a week of 50 requests/s, an hour-old series, and one that is NaN."""
    if missing_binaries():
        pytest.skip(f"missing: {', '.join(missing_binaries())}")
    folder: Path = tmp_path_factory.mktemp("faults")
    exporter = Exporter()
    who = {**WHO, "instance": f"127.0.0.1:{exporter.port}"}
    exporter.set("request_total", lambda: counted(time.time()), WHO)
    exporter.set("nan_total", float("nan"), WHO)
    exporter.start()
    server = PrometheusServer(folder, exporter)
    # As dense at the end as the live scrapes: a rate reckons with the mean spacing of its window.
    # Up to this moment, not to when the file was collected: a gap would be an uncovered window.
    started = time.time()
    coarse = np.arange(started - 7 * 86_400, started - 300, 15.0)
    times = np.concatenate([coarse, np.arange(started - 300, started, 1.0)])
    hour_ago = times[times < started - 3600]
    server.import_past(
        Past("request_total", who, [(t, counted(t)) for t in times], "counter"),
        Past("old_total", who, [(t, counted(t)) for t in hour_ago], "counter"),
    )
    server.start()
    yield server
    server.stop()
    exporter.stop()


@pytest.fixture
def proxy(server: PrometheusServer) -> Iterator[FaultProxy]:
    proxy = FaultProxy(server.port)
    yield proxy
    proxy.stop()


@pytest.fixture
def reader(proxy: FaultProxy) -> Iterator[PrometheusMetrics]:
    settings = PrometheusSettings(
        proxy.url, timeout=timedelta(seconds=1), history_timeout=timedelta(seconds=10)
    )
    reader = PrometheusMetrics(settings)
    yield reader
    reader.close()


def newest(reader: PrometheusMetrics, *series) -> list[Sample]:
    return reader.newest(series or SERIES, now=datetime.now(tz=UTC), workloads={})


def is_live(sample: Sample, server: PrometheusServer) -> bool:
    """Whether what is read was scraped, not imported: the past ends where the server began."""
    began = (server.folder / "prometheus.yml").stat().st_mtime
    return sample.sampled_at is not None and sample.sampled_at.timestamp() > began + 1


@pytest.mark.parametrize("fault", ["reset", "hang", "slow", "cut", "429", "503", "HTML"])
def test_a_fault_is_unknown_and_it_recovers_within_two_cycles(
    server, proxy, reader, eventually, fault
):
    eventually(lambda: is_live(newest(reader)[0], server), within=30, what="a live sample")
    threads = threading.active_count()
    proxy.misbehave(fault)

    during = [newest(reader) for _ in range(3)]
    proxy.misbehave("")
    after = [newest(reader) for _ in range(2)]

    assert {(s.value, s.doubt) for pair in during for s in pair} == {(None, Doubt.UNREACHABLE)}
    assert all(sample.detail for pair in during for sample in pair)
    assert [sample.value for sample in after[-1]] == pytest.approx([50, 50], rel=0.02)
    assert threading.active_count() <= threads + 8


def test_warnings_make_a_right_number_a_lower_bound(server, proxy, reader, eventually):
    eventually(lambda: is_live(newest(reader)[0], server), within=30, what="a live sample")
    proxy.misbehave("warnings")

    samples = newest(reader)

    assert [s.value for s in samples] == pytest.approx([50, 50], rel=0.02)
    assert {(s.doubt, s.trusted, s.detail) for s in samples} == {
        (Doubt.WARNED, False, "store 3: no answer")
    }


def test_more_points_than_prometheus_answers_are_refused_with_its_words(reader):
    end = datetime.fromtimestamp(time.time() // 60 * 60, tz=UTC)
    week = Question("up", at=end, start=end - timedelta(days=7), step=timedelta(seconds=15))

    [refused] = reader._connection.ask([week])

    assert isinstance(refused, QueryRefusedError)
    assert "11,000 points" in str(refused)


def test_an_empty_answer_is_absent(proxy, reader):
    proxy.misbehave("empty")

    assert {(s.value, s.doubt) for s in newest(reader)} == {(None, Doubt.ABSENT)}


@pytest.mark.parametrize(
    ("query", "doubt"),
    [
        pytest.param("sum(rate(old_total[2m]))", Doubt.ABSENT, id="an hour old"),
        pytest.param("sum(rate(old_total[2h]))", Doubt.ABSENT, id="an hour old, long window"),
        pytest.param("sum(rate(old_total[2m])) or vector(0)", Doubt.ABSENT, id="or vector(0)"),
        pytest.param("sum(nan_total)", Doubt.NOT_A_NUMBER, id="NaN"),
        pytest.param("sum(request_total) / 0", Doubt.NOT_A_NUMBER, id="Inf"),
        pytest.param("sum(rate(request_total)", Doubt.REFUSED, id="no PromQL"),
    ],
)
def test_a_lying_query_is_unknown_with_its_reason(reader, query, doubt):
    [sample] = newest(reader, request_rate(query=query))

    assert (sample.value, sample.doubt) == (None, doubt)
    assert sample.detail


@pytest.mark.parametrize(
    ("query", "words"),
    [
        pytest.param(
            "sum(rate(request_total[2m])", "1:28: parse error: unclosed left", id="syntax"
        ),
        pytest.param(
            "sumo(rate(request_total[2m]))", 'unknown function with name "sumo"', id="name"
        ),
        pytest.param("rate(request_total)", "expected type range vector", id="no range"),
        pytest.param("request_total[2m]", "answers a range vector", id="a range"),
        pytest.param('"request_total"', "answers a text", id="a text"),
        pytest.param(
            "up * on (job) up{x=~'.*'} or up * on () {__name__=~'.+'}",
            "duplicate series",
            id="runtime",
        ),
    ],
)
def test_a_wrong_query_says_so_in_prometheus_s_words_and_its_neighbours_are_read(
    server, reader, eventually, query, words
):
    eventually(lambda: is_live(newest(reader)[0], server), within=30, what="a live sample")

    *good, wrong = newest(reader, *SERIES, request_rate(query=query))

    assert [s.value for s in good] == pytest.approx([50, 50], rel=0.02)
    assert (wrong.value, wrong.doubt) == (None, Doubt.REFUSED)
    assert words in wrong.detail[:120]


def test_a_query_that_takes_too_long_is_found_and_its_neighbours_are_read(
    server, reader, eventually
):
    eventually(lambda: is_live(newest(reader)[0], server), within=30, what="a live sample")
    minutes = 'rate(request_total{deployment="checkout"}[1h])[6d:1s]'
    slow = " + ".join([f"max(sum_over_time({minutes}))"] * 30)  # a third of a second each
    queries = [request_rate(query=f"sum(rate(request_total[2m])) * {i}") for i in (1, 2, 3)]

    cycles = [newest(reader, SERIES[0], *queries, request_rate(query=slow)) for _ in range(3)]

    first, *_, (linkerd, *good, found) = cycles
    assert [sample.value is None for sample in first] == [False, True, True, True, True]
    assert [s.value for s in (linkerd, *good)] == pytest.approx([50, 50, 100, 150], rel=0.05)
    assert (found.value, found.doubt) == (None, Doubt.UNREACHABLE)


@pytest.mark.parametrize("query", ["scalar(sum(rate(request_total[2m])))", "25 + 25"])
def test_a_scalar_is_a_load_as_any_other(server, reader, eventually, query):
    eventually(lambda: is_live(newest(reader)[0], server), within=30, what="a live sample")

    [sample] = newest(reader, request_rate(query=query))

    assert (sample.value, sample.doubt) == (pytest.approx(50, rel=0.02), None)


def test_a_week_by_the_quarter_minute_is_read_in_pieces(reader):
    end = datetime.fromtimestamp(time.time() // 60 * 60 - 900, tz=UTC)

    history = reader.history(
        SERIES, start=end - timedelta(days=6), end=end, step=timedelta(seconds=15)
    )

    assert history.load.shape == (2, 6 * 86_400 // 15)
    assert np.nanmax(np.abs(history.load / 50 - 1)) < 0.02
    assert np.isnan(history.load).mean() < 0.001


def test_a_past_that_cannot_be_asked_for_is_an_error(proxy, reader):
    proxy.misbehave("503")
    end = datetime.fromtimestamp(time.time() // 60 * 60, tz=UTC)

    with pytest.raises(MetricUnavailableError, match="503"):
        reader.history(SERIES, start=end - timedelta(hours=1), end=end, step=timedelta(minutes=1))


def test_minutes_for_which_prometheus_was_away_are_read_from_it_once_it_is_back(proxy, reader):
    series = SERIES[1]
    forecasts = Forecasts()
    forecasts.follow(
        Roster(series=(series,), series_keys=("k",), time_zones=("UTC",), risks=(0.01,))
    )
    back = datetime.fromtimestamp(time.time() // 60 * 60 - 600, tz=UTC)

    def read(now: datetime) -> None:
        wanted = forecasts.missing_history(limit=9)
        start, end = forecasts.span_missing(wanted, now=now)
        past = reader.history([series], start=max(start, back - 2 * HOUR), end=end, step=STEP)
        forecasts.accept_history(list(wanted), past)

    read(back - 20 * STEP)
    for minutes in (19, 18, *range(16, 2, -2), 1, 0):
        proxy.misbehave("reset" if 2 < minutes < 17 else "")
        now = back - minutes * STEP
        forecasts.observe(reader.newest([series], now=now, workloads={}), now=now)
    assert forecasts.n_missing_history == 1
    read(back)

    memory = forecasts._engine.memory
    missed = memory.index - np.arange(5, 15)[:, None]
    loads = memory.loads(missed, np.array([0]), memory.index)
    assert loads == pytest.approx(50, rel=0.02)
    assert forecasts.n_missing_history == 0


def test_an_hour_of_faults_costs_no_memory(proxy, reader):
    proxy.misbehave("HTML")
    newest(reader)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for _ in range(3):
        newest(reader)

    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 20_000  # KiB
