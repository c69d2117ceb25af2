import math
import re
from html import escape
from xml.etree import ElementTree

import numpy as np
import pytest

from autoscaler.review.picture import frontier_chart, whole_chart
from autoscaler.review.report import report_html
from autoscaler.review.svg import Axis, thinned, time_ticks
from autoscaler.review.verdict import Run, Worth, summary, verdict, worst_hour, worth
from review.records import NOW
from review.replays import TICK, YAML, burst, replayed


@pytest.mark.parametrize(
    ("slow", "cost", "advice", "sentence"),
    [
        pytest.param(
            0.08,
            0.89,
            Worth.USE,
            "With risk 1%: 92% less slow time than the HPA tuned in hindsight at the same cost, "
            "or as little slow time at 11% lower cost.",
            id="it helps",
        ),
        pytest.param(
            0.004,
            0.95,
            Worth.USE,
            "With risk 1%: over 99% less slow time than the HPA tuned in hindsight at the same "
            "cost, or as little slow time at 5% lower cost.",
            id="nearly all is not all",
        ),
        pytest.param(
            1.25,
            1.25,
            Worth.PLAIN_HPA,
            "Prediction does not help on this load: at the same cost the HPA tuned in hindsight "
            "has 20% less slow time, and it costs 20% less for as little slow time. "
            "Keep a plain HPA.",
            id="it does not, and the report says so",
        ),
        pytest.param(
            0.98,
            1.01,
            Worth.HARDLY,
            "Prediction hardly matters on this load: 2% less slow time than the HPA tuned in "
            "hindsight at the same cost, 1% higher cost at the same slow time. "
            "A plain HPA does as well.",
            id="a draw",
        ),
        pytest.param(
            0.01,
            1.14,
            Worth.HARDLY,
            "Prediction is a trade on this load: 99% less slow time than the HPA tuned in "
            "hindsight at the same cost, but 14% higher cost at the same slow time. "
            "A plain HPA may do as well.",
            id="the two readings disagree",
        ),
    ],
)
def test_the_verdict_is_one_sentence_and_honest(slow, cost, advice, sentence):
    run = replayed(slow=slow, cost=cost)

    assert worth(run) is advice
    assert verdict(run) == sentence


@pytest.mark.parametrize(
    ("slow", "cost", "sentence"),
    [
        pytest.param(
            0.08,
            0.89,
            "With risk 1%: 92% less slow time than the HPA tuned in hindsight at the same cost; "
            "no HPA is slow as seldom: the best is slow 1.00% of the time at a cost of 1.60, "
            "we are slow 0.10% at 1.20.",
            id="and cheaper than the best of them",
        ),
        pytest.param(
            0.08,
            1.14,
            "Prediction is a trade on this load: 92% less slow time than the HPA tuned in "
            "hindsight at the same cost; no HPA is slow as seldom: the best is slow 1.00% of the "
            "time at a cost of 1.60, we are slow 0.10% at 1.20. A plain HPA may do as well.",
            id="and dearer",
        ),
    ],
)
def test_no_hpa_is_said_to_be_slow_as_seldom_where_none_is(slow, cost, sentence):
    run = replayed(slow=slow, cost=cost, frontier=((1.1, 0.05), (1.3, 0.01)))

    html = report_html(run, policy_yaml=YAML)

    assert verdict(run) == sentence
    assert '">HPA that is slow least</th><td>1.00%</td>' in html
    assert "to our slow time" not in html


@pytest.mark.parametrize(
    ("load", "caveat"),
    [
        pytest.param(
            np.full(160, 5.0),
            " In 40m no rhythm could be learned: a week or two would tell more.",
            id="forty minutes",
        ),
        pytest.param(np.full(2 * 5760, 5.0), "", id="two days"),
        pytest.param(np.full(160, 0.5), "", id="nothing to scale, however long"),
    ],
)
def test_a_short_recording_is_told_beside_its_verdict(load, caveat):
    run = replayed(slow=1.25, cost=1.25, load=load)

    assert summary(run) == verdict(run) + caveat
    assert escape(summary(run)) in report_html(run, policy_yaml=YAML)


def test_a_chart_says_of_which_day_it_is_and_in_which_time_zone():
    assert ">from 2026-11-23 09:00 UTC \N{RIGHTWARDS ARROW}<" in whole_chart(burst())


def test_no_slow_time_at_all_is_reached_by_an_hpa_without_any():
    run = replayed(ours=Run(0.0, 0.0, 1.2, 1.0), frontier=((1.1, 0.05), (2.0, 0.5 / 960)))

    assert not run.out_of_reach


def test_a_load_that_one_pod_carries_is_told_before_any_comparison():
    run = replayed(slow=0.08, cost=0.89, load=np.array([np.nan, 0.004, 0.0125]))

    assert worth(run) is Worth.ONE_POD
    assert verdict(run) == (
        "One pod carries all of this load: its highest is 0.013 of what a pod is said to carry. "
        "There is nothing to scale, or the two are in different units."
    )
    assert worth(replayed(load=np.array([0.5, 1.01]))) is Worth.USE


def test_of_no_load_at_all_no_cost_is_told():
    run = replayed(load=np.zeros(960), ours=Run(0.0, 0.0, 40320.0, 0.0))

    assert verdict(run).startswith("There is no load in this recording: no value is above 0")
    assert "40320" not in report_html(run, policy_yaml=YAML)


def test_where_there_is_mostly_no_load_it_is_told_what_costs_are_over():
    load = np.zeros(4 * 1440 * 2)
    load[:12] = 40.0

    told = summary(replayed(load=load, clairvoyant=Run(0.0, 0.0, 242.93, 0.0)))

    assert told.endswith(
        " Most of the time there is no load, for which the least is no pod; clairvoyance keeps one "
        "all the same, and costs 243 times the least."
    )
    assert "no load" not in summary(burst())


def test_a_point_at_the_right_edge_has_its_name_on_its_left():
    dear = replayed(ours=Run(0.001, 0.0, 6.9, 1.0))

    assert 'text-anchor="end">autoscaler<' in frontier_chart(dear)
    assert 'text-anchor="start">autoscaler<' in frontier_chart(replayed())


def test_each_slow_time_is_drawn_where_the_axis_says_it_is():
    drawn = frontier_chart(replayed(ours=Run(0.0001, 0.0, 1.2, 1.0)))
    ticks = {
        told: float(y) - 4
        for y, told in re.findall(r'y="([\d.]+)" text-anchor="end">(\S+%)', drawn)
    }
    points = {told: float(y) for y, told in re.findall(r'cy="([\d.]+)".*?<title>(\w+):', drawn)}

    assert points["autoscaler"] == pytest.approx(ticks["0.01%"], abs=0.11)
    assert points["clairvoyant"] > points["autoscaler"]
    assert ">clairvoyant, never slow<" in drawn  # a logarithm has no place for it


@pytest.mark.parametrize(
    ("low", "high", "ticks"),
    [
        pytest.param(0.0008, 0.2, [0.001, 0.01, 0.1], id="powers of ten"),
        pytest.param(0.015, 0.3, [0.02, 0.05, 0.1, 0.2], id="hardly any of them"),
    ],
)
def test_a_logarithmic_axis_has_numbers(low, high, ticks):
    assert Axis(low, high, (0, 100), log=True).ticks() == pytest.approx(ticks)


@pytest.mark.parametrize(
    ("days", "first", "second"),
    [
        pytest.param(0.5, "10:00", "12:00", id="hours"),
        pytest.param(3, "11-23 12:00", "11-24 00:00", id="half days"),
        pytest.param(7, "11-24", "11-25", id="days"),
    ],
)
def test_no_two_moments_below_a_chart_are_told_alike(days, first, second):
    told = re.findall(r"middle\">([^<]+)<", whole_chart(replayed(load=np.ones(int(days * 5760)))))

    assert told[:2] == [first, second]
    assert len(set(told)) == len(told)


@pytest.mark.parametrize(
    ("slow", "cost", "advice"),
    [
        (0.69, 0.99, Worth.USE),
        (0.75, 0.99, Worth.HARDLY),
        (0.99, 0.96, Worth.USE),
        (0.5, 1.01, Worth.HARDLY),
        (0.5, 1.2, Worth.HARDLY),
        (1.18, 1.005, Worth.HARDLY),
        (1.5, 1.005, Worth.PLAIN_HPA),
        (1.0, 1.0, Worth.HARDLY),
    ],
)
def test_both_readings_must_agree_and_one_be_clear(slow, cost, advice):
    assert worth(replayed(slow=slow, cost=cost)) is advice


def test_the_worst_hour_is_where_most_ticks_were_slow():
    worst = worst_hour(burst(), burst().ready)

    assert worst.first <= 600
    assert worst.last >= 607
    assert worst.slow_seconds == 8 * TICK
    assert (worst.peak_load, worst.ready_at_peak, worst.load_before) == (12.0, 6, 5.0)


def test_a_load_that_nobody_recorded_before_the_worst_is_not_said_to_be_none():
    run = burst()
    run.load[:600] = np.nan

    assert worst_hour(run, run.ready).load_before is None
    told = "earlier, when a pod ordered then would have been in time, nobody knows what it needed."
    assert told in report_html(run, policy_yaml=YAML)


def test_without_slow_time_there_is_no_worst_hour():
    run = replayed()

    assert worst_hour(run, run.ready) is None
    assert "no tick was slow" in report_html(replayed(), policy_yaml=YAML)


def test_the_worst_hour_is_told_with_what_could_have_been_known():
    html = report_html(burst(), policy_yaml=YAML)

    assert "the load was above what our ready pods carry for 2m." in html
    assert "it needed 12.0 pods and 6 were ready; 2m earlier" in html


def test_the_verdict_comes_first_and_the_figures_are_those_of_the_replay():
    html = report_html(burst(), policy_yaml=YAML)
    text = re.sub(r"<[^>]+>", " ", html.split("<main>")[1])

    assert text.index("92% less slow time") < text.index("Compared")
    for figure in ("0.10%", "1m26s", "0.02%", "1.200", "2.5", "1.25%", "1.600", "55% of that gap"):
        assert figure in text


def test_it_is_one_file_that_asks_nobody_for_anything():
    html = report_html(burst(), policy_yaml=YAML)

    assert not re.search(r"<script|<link|<img|url\(|https?://|@import", html)


def test_what_a_name_contains_is_text_and_never_markup():
    html = report_html(replayed(trace="<script>alert(1)</script>"), policy_yaml="a: <b>")

    assert "<script>" not in html
    assert "&lt;script&gt;" in html
    assert "a: &lt;b&gt;" in html


def test_the_charts_are_well_formed_and_have_a_name():
    charts = re.findall(r"<svg.*?</svg>", report_html(burst(), policy_yaml=YAML), re.DOTALL)

    assert len(charts) == 4
    for drawn in charts:
        assert ElementTree.fromstring(drawn).attrib["aria-label"]


def test_gaps_in_the_recording_are_gaps_in_the_line():
    load = np.full(960, 5.0)
    load[100:200] = np.nan
    html = report_html(replayed(load=load), policy_yaml=YAML)

    assert "nan" not in html.lower().replace("finance", "")
    assert re.search(r'<path class="load" d="M[^"]+M', html)


def test_where_prediction_does_not_help_the_advice_is_the_plain_hpa():
    html = report_html(replayed(slow=1.5, cost=1.2, gap_closed=-0.3), policy_yaml=YAML)

    assert "Keep a plain HPA on this workload." in html
    assert "None of that gap is closed." in html


def test_a_thinned_line_keeps_its_peaks_and_its_gaps():
    values = np.ones(9_000)
    values[4_321] = 50.0
    values[5_000:6_000] = np.nan
    t, thin = thinned(np.arange(9_000.0), values)

    assert len(t) == len(thin) <= 900
    assert np.nanmax(thin) == 50.0
    assert np.isnan(thin).sum() == 100


@pytest.mark.parametrize(
    ("low", "high", "log", "expected"),
    [
        (0, 10, False, [0, 2, 4, 6, 8, 10]),
        (0.95, 1.6, False, [1.0, 1.2, 1.4, 1.6]),
        (0.0008, 0.2, True, [0.001, 0.01, 0.1]),
    ],
)
def test_axes_have_round_numbers(low, high, log, expected):
    ticks = Axis(low, high, (0, 100), log).ticks()

    assert all(math.isclose(a, b) for a, b in zip(ticks, expected, strict=True))


def test_times_on_an_axis_are_round():
    start = NOW.timestamp()

    assert time_ticks(start + 77, start + 3 * 3600) == [start + 1800 * k for k in range(1, 7)]


def test_the_worst_hour_of_the_hpa_says_how_we_did_in_it():
    html = report_html(burst(), policy_yaml=YAML)

    assert "the load was above what its ready pods carry" in html
    assert "Our pods were slow for 2m of that hour." in html


def test_a_forecast_stands_at_the_moment_it_is_about():
    n = 240
    quantile = np.full(n, np.nan)
    quantile[100] = 9.0
    one = replayed(
        load=np.full(n, 5.0), quantile=quantile, median=quantile - 1, startup_seconds=120
    )

    band = re.search(r'<path class="band" d="M([0-9.]+),', whole_chart(one))

    assert float(band[1]) == pytest.approx(72 + (900 - 24 - 72) * 108 / (n - 1), abs=0.1)


def test_each_slow_tick_is_marked_below_the_axis():
    drawn = whole_chart(burst())

    marked = re.search(r'<path class="slow" d="([^"]*)"', drawn)[1]
    pixels = {72 + round((900 - 24 - 72) * tick / 959) for tick in range(600, 608)}
    assert {int(pixel) for pixel in re.findall(r"M(\d+),", marked)} == pixels
