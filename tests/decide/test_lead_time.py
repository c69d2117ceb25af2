"""How long a pod takes, from what was seen."""

from datetime import timedelta

import pytest

from autoscaler.decide.facts import Doubt, Routability, Sample
from autoscaler.decide.lead_time import (
    hold_seconds,
    lead_time,
    lead_time_of,
    longest_lead_time,
    metric_age_of,
)
from decide.worlds import NOW, ago, workload


def seconds(*values):
    return [timedelta(seconds=value) for value in values]


@pytest.mark.parametrize(
    ("seen", "configured", "expected"),
    [
        pytest.param((), None, 120, id="nothing seen: the default"),
        pytest.param((20, 20, 20, 20), None, 120, id="four pods are too few to believe in"),
        pytest.param((20, 20, 20, 300), None, 300, id="but enough to fear a slow start"),
        pytest.param((60, 60, 60, 60, 60), None, 60, id="five pods count"),
        pytest.param((60, 60, 60, 60, 90), None, 90, id="of fewer than ten the longest"),
        pytest.param((*range(51, 61),), None, 59, id="nine in ten are at most that slow"),
        pytest.param((60,) * 9 + (900,), None, 60, id="one broken node in ten is left to the risk"),
        pytest.param((60, 60, 7200), None, 1800, id="as far as a forecast looks ahead"),
        pytest.param((7200,) * 9, None, 1800, id="however slow all are"),
        pytest.param((60,) * 9, 7200, 7200, id="but the policy's own word is taken as it is"),
        pytest.param((5,) * 9, None, 45, id="never below a cycle and the metric's age"),
        pytest.param((900,) * 9, 90, 90, id="the policy's own word"),
        pytest.param((), 1, 45, id="but for the lower bound"),
    ],
)
def test_the_lead_time_is_the_ninetieth_percentile_of_what_was_seen(seen, configured, expected):
    configured = None if configured is None else timedelta(seconds=configured)

    assert lead_time(seconds(*seen), configured=configured) == timedelta(seconds=expected)


@pytest.mark.parametrize("n_seen", [0, 9], ids=["the default", "measured"])
def test_what_passes_from_ready_to_routable_comes_on_top(n_seen):
    seen, late = seconds(*[60] * n_seen), timedelta(seconds=20)

    assert lead_time(seen, routable_after=late) == lead_time(seen) + late


def test_a_workload_s_lead_time_is_that_of_its_pods_and_of_the_catalog():
    seen, late = tuple(seconds(*[60] * 9)), timedelta(seconds=20)
    in_consul = workload(lead_times=seen, routability=Routability(9, delay=late))

    assert lead_time_of(None, configured=None) == timedelta(seconds=120)
    assert lead_time_of(workload(lead_times=seen), configured=None) == timedelta(seconds=60)
    assert lead_time_of(in_consul, configured=None) == timedelta(seconds=80)


@pytest.mark.parametrize("facts", [None, workload()], ids=["nothing measured", "measured"])
def test_the_policy_and_the_pace_of_the_loop_count_for_each_workload(facts):
    slow = {"cycle": timedelta(minutes=2), "metric_age": timedelta(minutes=3)}

    assert lead_time_of(facts, configured=timedelta(minutes=9)) == timedelta(minutes=9)
    assert lead_time_of(facts, configured=None, **slow) == timedelta(minutes=5)


def test_a_slower_loop_and_an_older_metric_lengthen_it():
    got = lead_time(
        seconds(5, 5, 5, 5, 5), cycle=timedelta(minutes=1), metric_age=timedelta(minutes=2)
    )

    assert got == timedelta(minutes=3)


@pytest.mark.parametrize(
    ("samples", "expected"),
    [
        pytest.param([], 30, id="nothing measured: the default"),
        pytest.param([Sample(1.0)], 30, id="of an unknown time"),
        pytest.param([Sample(1.0, ago(5))], 5, id="as measured"),
        pytest.param([Sample(1.0, ago(5)), Sample(1.0, ago(40))], 40, id="the oldest of several"),
        pytest.param([Sample(1.0, ago(40)), Sample(1.0, ago(5))], 40, id="in any order"),
        pytest.param(
            [Sample(1.0, ago(50), doubt=Doubt.PARTIAL)], 50, id="a lower bound has an age"
        ),
        pytest.param([Sample(None, ago(90), doubt=Doubt.STALE)], 30, id="an unknown load has none"),
        pytest.param([Sample(1.0, ago(3600))], 30, id="nor has one of an hour ago"),
        pytest.param([Sample(1.0, ago(-20))], 0, id="never younger than now"),
    ],
)
def test_the_age_of_a_metric(samples, expected):
    assert metric_age_of(samples, now=NOW) == timedelta(seconds=expected)


@pytest.mark.parametrize(
    ("minutes", "longest"),
    [
        pytest.param((2, 10, 5), 10, id="of several"),
        pytest.param((), 0, id="of none"),
        pytest.param((31,), 30, id="no forecast looks farther"),
    ],
)
def test_the_longest_of_lead_times(minutes, longest):
    times = [timedelta(minutes=n) for n in minutes]

    assert longest_lead_time(times) == timedelta(minutes=longest)


def test_the_window_reaches_to_the_next_chance_to_correct():
    assert hold_seconds(timedelta(seconds=15)) == 60.0
    assert hold_seconds(timedelta(minutes=1)) == 120.0
