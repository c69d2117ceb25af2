"""Scrape targets that are down, and those that were when a window began."""

from datetime import timedelta

import pytest

from autoscaler.metrics.own_query import examined
from autoscaler.metrics.source import CONTROL_WINDOW
from autoscaler.metrics.targets_down import Down, DownByPlace, Outages, told_down
from support.load_series import NOW

NOW_DOWN = Down("linkerd-proxy", "10.0.0.7:4191")
BACK = Down("linkerd-proxy", "10.0.0.8:4191", was=(NOW, NOW))
SCRAPE = timedelta(seconds=30)


def missed_at(*cycles: tuple[int, bool], window: timedelta = CONTROL_WINDOW) -> bool:
    """Return whether a target is missed in the last of these cycles: seconds, and if it is down."""
    outages = Outages()
    for seconds, is_down in cycles:
        now = NOW + timedelta(seconds=seconds)
        targets = outages.note([NOW_DOWN] if is_down else [], now=now)
    return any(t.is_missed({window}, now=now, scrape_interval=SCRAPE) for t in targets)


FOUR_MINUTES = tuple((seconds, True) for seconds in range(0, 241, 15))


@pytest.mark.parametrize(
    ("cycles", "missed"),
    [
        pytest.param([(0, False)], False, id="it is up"),
        pytest.param([(0, True)], True, id="it is down"),
        pytest.param([*FOUR_MINUTES, (255, False)], True, id="it is back"),
        pytest.param([*FOUR_MINUTES, (375, False)], True, id="the window begins in its outage"),
        pytest.param([*FOUR_MINUTES, (390, False)], False, id="the window begins after it"),
        pytest.param([(0, True), (15, True), (30, False)], False, id="it was away for a scrape"),
        pytest.param([(0, True), (15, True), (150, False)], True, id="when the window began, too"),
        pytest.param([each for each in FOUR_MINUTES if each[0] % 45] + [(255, False)], True,
                     id="two servers, one of which sees it"),
        pytest.param([*FOUR_MINUTES, (4000, False), (255, False)], False, id="an hour ago"),
    ],
)  # fmt: skip
def test_a_target_is_missed_until_the_window_begins_after_its_return(cycles, missed):
    assert missed_at(*cycles) == missed


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


@pytest.mark.parametrize(
    ("window", "seconds"),
    [("2m", 120), ("120s", 120), ("1h30m", 5400), ("500ms", 0.5), ("9" * 30 + "y", 1e9)],
)
def test_the_windows_of_a_query_are_spans_of_time(window, seconds):
    windows = examined(f"rate(a[{window}]) + b").windows

    assert windows == {timedelta(seconds=seconds)}
    assert not BACK.is_missed(windows, now=NOW, scrape_interval=SCRAPE)


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
