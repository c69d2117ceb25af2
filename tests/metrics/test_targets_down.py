"""Scrape targets that are down, and those that were when a window began."""

import re
from datetime import timedelta

import pytest

from autoscaler.metrics.meshes import LINKERD
from autoscaler.metrics.own_query import examined
from autoscaler.metrics.source import CONTROL_WINDOW, PROBE, SCRAPE_INTERVAL
from autoscaler.metrics.targets_down import Down, DownByPlace, down_query, told_down, usual
from support.load_series import TARGET, request_rate, workload
from support.prometheus_stub import row, success

NOW_DOWN = Down("linkerd-proxy", "10.0.0.7:4191")
BACK = Down("linkerd-proxy", "10.0.0.8:4191", window=CONTROL_WINDOW)


@pytest.mark.parametrize("seconds", [5, 17, 30, 61.7, 300])
def test_the_window_in_a_row_is_that_of_the_counters_whatever_the_scrape_interval(seconds):
    interval = timedelta(seconds=seconds)
    stretch = interval / SCRAPE_INTERVAL
    query = down_query([CONTROL_WINDOW * stretch], probe=PROBE * stretch)
    [written] = re.findall(r'"autoscaler_part", "([0-9.]+)"', query)
    counter = LINKERD.counters[0].bound(
        LINKERD.filled(namespace="shop", name="checkout", given={}), scrape_interval=interval
    )

    assert Down.of({"autoscaler_part": written}).window == counter.window


@pytest.mark.parametrize(
    ("down", "told"),
    [
        ([], ""),
        ([NOW_DOWN], "1 scrape target is down, 10.0.0.7:4191"),
        ([NOW_DOWN, NOW_DOWN], "2 scrape targets are down, first 10.0.0.7:4191"),
        ([BACK], "1 scrape target was down when the window of the rate began, 10.0.0.8:4191"),
        ([BACK, BACK],
         "2 scrape targets were down when the window of the rate began, first 10.0.0.8:4191"),
        ([BACK, NOW_DOWN], "1 scrape target is down, 10.0.0.7:4191"),
    ],
)  # fmt: skip
def test_what_is_down_is_told_before_what_was(down, told):
    assert told_down(down) == told


def test_of_many_windows_those_are_asked_about_that_most_queries_have():
    odd = [timedelta(seconds=n) for n in range(1, 1000)]
    common = [timedelta(minutes=2), timedelta(minutes=10)]

    asked = usual([*odd, timedelta(days=1), timedelta(days=1), *common, *common])

    assert set(common) <= asked
    assert len(asked) == 8
    assert max(asked) == timedelta(minutes=10)


@pytest.mark.parametrize(
    ("window", "seconds"),
    [("2m", 120), ("120s", 120), ("1h30m", 5400), ("500ms", 0.5), ("9" * 30 + "y", 1e12)],
)
def test_the_windows_of_a_query_are_spans_of_time(window, seconds):
    assert examined(f"rate(a[{window}]) + b").windows == {timedelta(seconds=seconds)}


SHOP = Down("pods", "a", "shop")
EDGE = Down("nginx", "b", "edge")


@pytest.mark.parametrize(
    ("place", "missed", "at"),
    [
        pytest.param(("pods", "shop"), [SHOP], [SHOP], id="its own"),
        pytest.param(("pods", "bank"), [], [], id="a namespace in which all are up"),
        pytest.param(("nginx", "shop"), [EDGE], [], id="a namespace that the exporter says"),
        pytest.param(("another", "shop"), [], [], id="a job of which all are up"),
    ],
)
def test_a_job_is_missed_where_it_scrapes_and_where_its_exporter_names_namespaces(
    place, missed, at
):
    scraped = {("pods", "shop"), ("pods", "bank"), ("nginx", "edge")}
    down = DownByPlace([SHOP, EDGE], scraped)

    assert (list(down.of(place)), list(down.at(place))) == (missed, at)


def test_a_query_without_a_rate_lacks_nothing_once_its_target_is_back(stub, reader_of):
    back = row(1, autoscaler_part="120.0", job="app", instance="a:80", namespace="shop")
    behind = {"autoscaler_part": "0:series0", "job": "app", "namespace": "shop"}
    rows = [row(7, autoscaler_part="0:load"), row(1, **behind)]
    rows += [row(1_772_452_800, autoscaler_part="0:at0")]
    stub.reply = lambda asked: success([back] if "up == 0" in asked.promql else rows)
    gauge = request_rate(query="sum(queue_depth)")
    [sample] = reader_of(stub.url).newest(
        [gauge], now=workload()[TARGET].seen_at, workloads=workload("checkout-1")
    )

    assert (sample.value, sample.doubt) == (7.0, None)
