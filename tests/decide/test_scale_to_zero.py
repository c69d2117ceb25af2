"""The last pod goes, and comes back."""

from dataclasses import replace
from datetime import timedelta

import pytest

from autoscaler.decide.facts import Doubt, Sample, Trust
from autoscaler.decide.reason import Reason
from autoscaler.decide.scale_to_zero import IDLE_BEFORE_ZERO
from decide.worlds import HIGH, NOW, ago, decided, outcome, quiet, recommended, signal, workload

PERCENT = {"type": "Percent", "value": 100, "periodSeconds": 15}


def test_no_idle_time_went_by_while_a_clock_jumped():
    idle = quiet(0, idle_since=ago(3900))
    state = replace(idle, seen_at=ago(3600))
    jumped = outcome(signal(0.0), facts=workload(1), state=state, minReplicas=0).state_if_held
    calm = outcome(signal(0.0), facts=workload(1), state=idle, minReplicas=0)

    assert jumped.idle_since == NOW
    assert calm.state_if_held.idle_since == ago(3900)


def test_an_idle_workload_goes_to_zero_and_comes_back():
    state, replicas, seen = quiet(0), 3, []
    for minute in range(40):
        now = NOW + timedelta(minutes=minute)
        load = 0.0 if minute < 30 else 40.0
        one = replace(signal(load), sample=replace(signal(load).sample, sampled_at=now))
        step = outcome(one, facts=workload(replicas), state=state, now=now, minReplicas=0)
        state = step.state_after(rescaled=step.decision.rescale)
        replicas = step.decision.desired_replicas
        seen.append(replicas)

    idle_minutes = IDLE_BEFORE_ZERO // timedelta(minutes=1)
    assert seen.index(0) in range(idle_minutes, idle_minutes + 7)  # then the window, and its worth
    assert seen[29:31] == [0, 1]


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        pytest.param({"policies": [PERCENT]}, (1, Reason.SCALE_UP_LIMIT), id="100 % of nothing"),
        pytest.param(
            {"selectPolicy": "Min", "policies": [PERCENT, {**PERCENT, "type": "Pods"}]},
            (1, Reason.SCALE_UP_LIMIT),
            id="the smallest of two",
        ),
        pytest.param({"selectPolicy": "Disabled"}, (0, Reason.SCALE_UP_LIMIT), id="not at all"),
    ],
)
def test_no_percentage_keeps_a_workload_from_waking(rules, expected):
    decision = decided(HIGH, spec=0, minReplicas=0, state=quiet(15), behavior={"scaleUp": rules})

    assert (decision.desired_replicas, decision.reason) == expected


def test_where_no_workload_goes_to_zero_none_is_said_to_go_or_to_come_back():
    low, high = recommended(signal(0.0), spec=1), recommended(HIGH, spec=0)

    assert (low.replicas, low.reason) == (0, Reason.ALL_BELOW_TARGET)
    assert (high.replicas, high.reason) == (15, Reason.METRIC_ABOVE_TARGET)


def test_the_last_pod_goes_only_after_an_idle_time():
    just_idle = quiet(1, idle_since=ago(599))
    long_idle = quiet(1, idle_since=ago(600))
    zero = {"minReplicas": 0, "spec": 1}

    assert recommended(signal(0.0, 5.0), state=just_idle, **zero).replicas == 1
    assert recommended(signal(0.0, 10.1), state=long_idle, **zero).replicas == 1
    assert recommended(signal(0.0), state=long_idle, **zero).replicas == 0
    assert recommended(signal(0.0, 0.0), state=long_idle, **zero).reason is Reason.SCALED_TO_ZERO


def test_a_quantile_that_is_not_quite_zero_keeps_no_pod():
    long_idle = quiet(0, idle_since=ago(600))
    almost_nothing = signal(0.0, 10.0)
    step = outcome(almost_nothing, state=long_idle, minReplicas=0, spec=1)

    assert (step.decision.desired_replicas, step.decision.reason) == (0, Reason.SCALED_TO_ZERO)
    assert outcome(almost_nothing, spec=1).decision.desired_replicas == 1


def test_an_idle_time_is_waited_for_once_whatever_the_window():
    long_idle = quiet(0, idle_since=ago(600))
    window = {"scaleDown": {"stabilizationWindowSeconds": 3600}}
    step = outcome(signal(0.0), state=long_idle, minReplicas=0, spec=1, behavior=window)

    assert step.decision.desired_replicas == 0


def test_no_load_in_one_metric_is_not_idle_while_another_is_unknown():
    long_idle = quiet(1, idle_since=ago(600))
    got = recommended(signal(0.0), signal(None), state=long_idle, minReplicas=0, spec=1)

    assert (got.replicas, got.may_lower) == (1, False)


def test_a_zero_that_is_not_the_whole_truth_is_not_idle():
    state = quiet(1, idle_since=ago(600))
    some = outcome(signal(0.0, doubt=Doubt.PARTIAL), state=state, minReplicas=0, spec=1)

    assert some.recommendation.replicas == 1
    assert some.state_if_held.idle_since is None


ABSENT, TINY, OLD = {"doubt": Doubt.ABSENT}, 9.0, {"age": timedelta(hours=5)}


@pytest.mark.parametrize(
    ("woken_by", "expected"),
    [
        pytest.param(signal(0.2), 1, id="the first request"),
        pytest.param(signal(0.2, capacity=None), 1, id="also where capacity is not learned yet"),
        pytest.param(signal(0.2, doubt=Doubt.PARTIAL), 1, id="or only some of it is seen"),
        pytest.param(signal(0.0, 120.0), 2, id="the forecast, ahead of traffic"),
        pytest.param(signal(0.0, 50.0), 1, id="also for a single pod"),
        pytest.param(signal(None, 120.0, **ABSENT), 2, id="which needs no metrics"),
        pytest.param(signal(0.0), 0, id="nothing at all"),
        pytest.param(signal(0.0, TINY), 0, id="a quantile that is not quite zero"),
        pytest.param(signal(None, TINY, **ABSENT), 0, id="nor with metrics that fell silent"),
        pytest.param(signal(None, **ABSENT), 0, id="silence alone"),
        pytest.param(signal(None, 120.0, **ABSENT, **OLD), 0, id="nor a forecast of this morning"),
        pytest.param(signal(0.0, 50.0, trust=Trust.WARMING), 0, id="nor persistence of what was"),
    ],
)
@pytest.mark.parametrize("beside", [(), (signal(0.0),)], ids=["alone", "beside an idle metric"])
def test_zero_is_woken_by_a_request_or_by_the_forecast(woken_by, expected, beside):
    got = recommended(woken_by, *beside, minReplicas=0, spec=0)

    assert got.replicas == expected
    blind = woken_by.sample.value is None
    woken = Reason.FORECAST_CARRIES_FLOOR if blind else Reason.WOKEN_FROM_ZERO
    assert not expected or got.reason is woken


def test_a_pod_that_is_ordered_is_not_taken_for_none_while_it_does_not_exist():
    ordered = workload(1, status_replicas=0, ready_replicas=0)

    assert recommended(signal(0.0), facts=ordered, minReplicas=0).replicas == 1


def test_the_forecast_wakes_by_its_own_quantile():
    seen = signal(0.0, 50.0, median=0.0, reactive_quantile=0.0)

    assert recommended(seen, minReplicas=0, spec=0).replicas == 1


def test_only_the_first_pod_is_woken_and_only_the_last_goes_to_sleep():
    low, high = recommended(signal(300), minReplicas=0), recommended(HIGH, minReplicas=0)

    assert (low.replicas, low.reason) == (3, Reason.ALL_BELOW_TARGET)
    assert (high.replicas, high.reason) == (15, Reason.METRIC_ABOVE_TARGET)


OLD_FORECAST = {"trust": Trust.STALE, "skill": 0.3}


ENDED = replace(signal(None), sample=Sample(None, doubt=Doubt.STALE))


LONG_SILENT = replace(signal(None), sample=Sample(None, ago(400), doubt=Doubt.STALE))


@pytest.mark.parametrize(
    "heard",
    [
        pytest.param((signal(None, **ABSENT),), id="no series"),
        pytest.param((ENDED,), id="a series that has just ended"),
        pytest.param(
            (signal(0.0), signal(None, **ABSENT)), id="beside a gateway that sees nothing"
        ),
        pytest.param(
            (signal(None, 50.0, **ABSENT, **OLD_FORECAST),), id="an old forecast of one pod"
        ),
        pytest.param((signal(None, capacity=None, **ABSENT),), id="no capacity learned yet"),
    ],
)
def test_who_sleeps_at_zero_and_falls_silent_is_in_no_doubt(heard):
    got = recommended(*heard, minReplicas=0, spec=0)

    assert (got.replicas, got.reason) == (0, Reason.DESIRED_WITHIN_RANGE)
    assert got.may_lower


@pytest.mark.parametrize("doubt", [d for d in Doubt if d not in {Doubt.ABSENT, Doubt.STALE}])
def test_any_other_doubt_is_one_also_of_who_sleeps(doubt):
    silent, doubted = signal(None, **ABSENT), signal(None, doubt=doubt)
    timeless = replace(doubted, sample=Sample(None, doubt=doubt))

    for unknown in ((doubted,), (silent, doubted), (timeless,)):
        got = recommended(*unknown, minReplicas=0, spec=0)
        assert (got.replicas, got.may_lower) == (None, False)


@pytest.mark.parametrize(
    "sample",
    [
        pytest.param(Sample(0.0, NOW, doubt=Doubt.PARTIAL), id="of some of it"),
        pytest.param(Sample(0.0, ago(400)), id="of long ago"),
    ],
)
def test_a_zero_that_may_not_be_one_leaves_who_sleeps_in_doubt(sample):
    got = recommended(replace(signal(0.0), sample=sample), minReplicas=0, spec=0)

    assert not got.may_lower


@pytest.mark.parametrize(
    ("heard", "facts", "least"),
    [
        pytest.param(
            signal(None, **ABSENT), workload(1, ready_replicas=0), 0, id="a pod is ordered"
        ),
        pytest.param(
            signal(None, **ABSENT), workload(0, ready_replicas=1), 0, id="one serves still"
        ),
        pytest.param(signal(None, **ABSENT), workload(0), 1, id="zero was not allowed"),
        pytest.param(LONG_SILENT, workload(0), 0, id="a series that nobody scrapes any more"),
    ],
)
def test_silence_is_a_doubt_where_it_is_not_sleep(heard, facts, least):
    got = recommended(heard, facts=facts, minReplicas=least)

    assert (got.may_lower, got.reason) == (False, Reason.METRICS_UNKNOWN_HOLD)
