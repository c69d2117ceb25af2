"""What load and forecast ask for before any damping."""

from dataclasses import replace
from datetime import timedelta

import pytest

from autoscaler.decide.facts import (
    Capacity,
    CapacitySource,
    Doubt,
    PodFacts,
    PodPhase,
    Sample,
    Signal,
    Trust,
)
from autoscaler.decide.measured import known_load
from autoscaler.decide.pod_metric import load_without_booting
from autoscaler.decide.reason import Reason
from autoscaler.decide.sizing import replicas_for
from autoscaler.policy.metric import MetricSpec
from decide.worlds import NOW, PER_POD, ago, forecast, outcome, quiet, signal, workload

TRUSTED, DEMOTED, WARMING, STALE = Trust.TRUSTED, Trust.DEMOTED, Trust.WARMING, Trust.STALE


def recommended(*signals, **fields):
    return outcome(*signals, **fields).recommendation


@pytest.mark.parametrize(
    ("load", "quantile", "trust", "expected", "reason"),
    [
        pytest.param(900, 1500, TRUSTED, 15, Reason.FORECAST_ABOVE_TARGET, id="forecast leads"),
        pytest.param(1500, 900, TRUSTED, 15, Reason.METRIC_ABOVE_TARGET, id="measured floor"),
        pytest.param(950, 960, TRUSTED, 10, Reason.DESIRED_WITHIN_RANGE, id="enough as it is"),
        pytest.param(850, 870, TRUSTED, 9, Reason.ALL_BELOW_TARGET, id="tolerance keeps nothing"),
        pytest.param(1001, 900, TRUSTED, 11, Reason.METRIC_ABOVE_TARGET, id="nor hides a pod"),
        pytest.param(950, 600, DEMOTED, 10, Reason.DESIRED_WITHIN_RANGE, id="HPA's tolerance"),
        pytest.param(1090, 600, DEMOTED, 10, Reason.DESIRED_WITHIN_RANGE, id="in both directions"),
        pytest.param(1110, 600, WARMING, 12, Reason.METRIC_ABOVE_TARGET, id="HPA beyond it"),
        pytest.param(800, 1300, STALE, 13, Reason.FORECAST_ABOVE_TARGET, id="persistence"),
        pytest.param(1110, None, None, 12, Reason.METRIC_ABOVE_TARGET, id="no forecast: pure HPA"),
        pytest.param(400, None, None, 4, Reason.ALL_BELOW_TARGET, id="no forecast, less load"),
    ],
)
def test_the_larger_of_forecast_and_measurement(load, quantile, trust, expected, reason):
    got = recommended(signal(load, quantile, trust=trust) if trust else signal(load))

    assert (got.replicas, got.reason, got.may_lower) == (expected, reason, True)


def test_an_untrusted_forecast_asks_by_persistence_never_by_its_own_quantile():
    got = recommended(signal(400, 5000, trust=DEMOTED, reactive_quantile=600.0))

    assert (got.replicas, got.detail) == (6, "forecast demoted")


@pytest.mark.parametrize(
    ("doubt", "age", "expected", "reason"),
    [
        pytest.param(Doubt.ABSENT, 0, 15, Reason.FORECAST_CARRIES_FLOOR, id="absent"),
        pytest.param(Doubt.FOREIGN, 239, 15, Reason.FORECAST_CARRIES_FLOOR, id="for four hours"),
        pytest.param(Doubt.STALE, 240, 15, Reason.FORECAST_CARRIES_FLOOR, id="up to the last"),
        pytest.param(Doubt.STALE, 241, None, Reason.METRICS_UNKNOWN_HOLD, id="then it holds"),
    ],
)
def test_blind_the_forecast_carries_the_floor_for_a_bounded_time(doubt, age, expected, reason):
    got = recommended(signal(None, 1500, doubt=doubt, age=timedelta(minutes=age)))

    assert (got.replicas, got.reason, got.may_lower) == (expected, reason, False)


@pytest.mark.parametrize(
    ("trust", "skill"),
    [
        pytest.param(DEMOTED, 0.01, id="demoted"),
        pytest.param(WARMING, 0.5, id="warming"),
        pytest.param(STALE, None, id="stale, of unknown worth"),
        pytest.param(STALE, 0.0, id="stale, no better than persistence"),
    ],
)
def test_blind_an_untrusted_forecast_raises_nothing(trust, skill):
    got = recommended(signal(None, 5000, doubt=Doubt.ABSENT, trust=trust, skill=skill))

    assert (got.replicas, got.reason) == (None, Reason.METRICS_UNKNOWN_HOLD)


def test_blind_a_forecast_that_lacks_nothing_but_samples_carries_on_as_long_as_the_policy_says():
    stale = signal(None, 1500, trust=STALE, skill=0.3, age=timedelta(minutes=90))
    shorter = recommended(stale, forecast={"carriesFor": "1h"})

    assert recommended(stale).reason is Reason.FORECAST_CARRIES_FLOOR
    assert recommended(stale).replicas == 15
    assert (shorter.replicas, shorter.reason) == (None, Reason.METRICS_UNKNOWN_HOLD)


@pytest.mark.parametrize("endless", [float("nan"), float("inf")])
def test_a_forecast_that_is_no_number_says_nothing(endless):
    assert recommended(signal(850, endless)).replicas == 9
    assert recommended(signal(None, endless, doubt=Doubt.ABSENT)).replicas is None


def test_a_load_beyond_all_bounds_asks_for_whatever_is_allowed():
    least = Capacity(1e-300, CapacitySource.POLICY)

    assert recommended(signal(1e300, 1e300, capacity=least)).replicas == 2**31 - 1
    assert outcome(signal(1e300, capacity=least)).decision.desired_replicas == 20


def test_a_partial_sample_may_raise_and_never_lowers():
    more = recommended(signal(1500, 300, doubt=Doubt.PARTIAL))
    less = recommended(signal(300, 300, doubt=Doubt.PARTIAL))

    assert (more.replicas, more.reason) == (15, Reason.METRIC_ABOVE_TARGET)
    assert (less.reason, less.may_lower) == (Reason.METRICS_PARTIAL_HOLD, False)


@pytest.mark.parametrize(
    ("sample", "expected"),
    [
        pytest.param(Sample(5.0), 5.0, id="a number"),
        pytest.param(Sample(0.0), 0.0, id="zero is a number"),
        pytest.param(Sample(None), None, id="nothing"),
        pytest.param(Sample(float("nan")), None, id="not a number"),
        pytest.param(Sample(float("inf")), None, id="endless"),
        pytest.param(Sample(-1.0), None, id="less than nothing"),
        pytest.param(Sample(5.0, ago(300)), 5.0, id="five minutes old"),
        pytest.param(Sample(5.0, ago(301)), None, id="older"),
        pytest.param(Sample(5.0, ago(-30)), 5.0, id="a little ahead"),
        pytest.param(Sample(5.0, ago(-31)), None, id="from the future"),
        pytest.param(Sample(5.0, doubt=Doubt.WARNED), 5.0, id="with warnings: a lower bound"),
        pytest.param(Sample(5.0, doubt=Doubt.DUPLICATED), None, id="twice the series"),
        pytest.param(Sample(5.0, doubt=Doubt.CLOCK_SKEW), None, id="another clock"),
    ],
)
def test_what_a_sample_vouches_for(sample, expected):
    assert known_load(sample, now=NOW) == expected


def test_the_largest_metric_wins_and_one_unknown_forbids_less():
    both = recommended(signal(500, 500), signal(700, 700))
    blind = recommended(signal(500, 500), signal(None, doubt=Doubt.ABSENT))
    first = recommended(signal(None, doubt=Doubt.ABSENT), signal(500, 500))
    busy = recommended(signal(1500, 500), signal(None, doubt=Doubt.ABSENT))

    assert (both.replicas, both.may_lower) == (7, True)
    assert (first.replicas, first.may_lower, first.reason) == (
        5,
        False,
        Reason.METRICS_UNKNOWN_HOLD,
    )
    assert (blind.replicas, blind.may_lower, blind.reason) == (
        5,
        False,
        Reason.METRICS_UNKNOWN_HOLD,
    )
    assert (busy.replicas, busy.reason) == (15, Reason.METRIC_ABOVE_TARGET)


def test_without_a_capacity_nothing_can_be_sized():
    got = recommended(signal(5000, 5000, capacity=None))

    assert (got.replicas, got.reason) == (None, Reason.CAPACITY_UNKNOWN_HOLD)


def test_a_forecast_that_asks_for_as_much_as_is_measured_is_not_the_reason():
    assert recommended(signal(1500, 1500)).reason is Reason.METRIC_ABOVE_TARGET


def test_a_value_target_needs_no_capacity():
    queue = {
        "type": "External",
        "external": {"metric": {"name": "queue"}, "target": {"type": "Value", "value": "100"}},
    }
    got = recommended(signal(150, capacity=None), metrics=[queue])

    assert got.replicas == 15


@pytest.mark.parametrize(
    ("spec", "ready", "load", "expected"),
    [
        pytest.param(10, 10, 80, (8, True), id="all ready: HPA's formula"),
        pytest.param(10, 4, 80, (4, True), id="by ready pods, as HPA"),
        pytest.param(10, 0, 80, (None, False), id="none ready says nothing"),
        pytest.param(0, 0, 80, (1, True), id="from zero"),
    ],
)
def test_a_value_target_is_multiplied_by_ready_pods_if_there_are_any(spec, ready, load, expected):
    queue = {"metric": {"name": "queue"}, "target": {"type": "Value", "value": "100"}}
    got = recommended(
        signal(load, capacity=None),
        facts=workload(spec, ready_replicas=ready),
        metrics=[{"type": "External", "external": queue}],
        minReplicas=0,
    )

    assert (got.replicas, got.may_lower) == expected


def test_a_partial_total_of_a_value_target_never_lowers():
    queue = {"metric": {"name": "queue"}, "target": {"type": "Value", "value": "100"}}
    some = signal(40, capacity=None, doubt=Doubt.PARTIAL)
    got = recommended(some, metrics=[{"type": "External", "external": queue}])

    assert (got.replicas, got.may_lower) == (4, False)


def test_what_an_untrusted_forecast_needs_again_is_not_kept():
    trusted = signal(300, 300, scale_in_quantile=680.0)
    demoted = signal(300, 300, scale_in_quantile=680.0, trust=DEMOTED)

    assert (recommended(trusted).keep_replicas, recommended(demoted).keep_replicas) == (7, None)


def test_a_tolerance_named_in_one_direction_leaves_the_other_without_any():
    one_way = {"behavior": {"scaleDown": {"tolerance": "20%"}}}

    assert recommended(signal(1001, 100), **one_way).replicas == 11
    assert recommended(signal(850, 100), **one_way).replicas == 10


def test_a_tolerance_that_the_policy_names_holds_for_a_trusted_forecast_too():
    behavior = {"scaleDown": {"tolerance": "20%"}, "scaleUp": {"tolerance": "5%"}}

    assert recommended(signal(850, 100), behavior=behavior).replicas == 10
    assert recommended(signal(1040, 100), behavior=behavior).replicas == 10
    assert recommended(signal(1060, 100), behavior=behavior).replicas == 11


def test_what_is_needed_again_soon_is_kept_in_mind():
    assert recommended(signal(300, 400, scale_in_quantile=750.0)).keep_replicas == 8
    assert recommended(signal(300, 400)).keep_replicas is None


@pytest.mark.parametrize(
    ("load", "expected"),
    [
        pytest.param(0.0, 0, id="nothing"),
        pytest.param(0.0001, 1, id="next to nothing"),
        pytest.param(300.00000001, 3, id="a rounding error is no pod"),
        pytest.param(301.0, 4, id="a part of a pod is one"),
    ],
)
def test_a_load_asks_for_the_fewest_whole_pods_that_carry_it(load, expected):
    assert replicas_for(load, Capacity(PER_POD, CapacitySource.POLICY)) == expected


def test_small_counts_get_square_root_head_room_large_ones_have_it():
    learned = Capacity(80.0, CapacitySource.LEARNED, saturated_at=100.0)

    assert [replicas_for(100.0 * n, learned) for n in (0, 1, 4, 16, 64)] == [0, 2, 6, 20, 80]


CPU = {
    "type": "ContainerResource",
    "containerResource": {
        "name": "cpu",
        "container": "app",
        "target": {"type": "Utilization", "averageUtilization": 50},
    },
}


def cpu_pods(*started_ago, ready=True):
    return tuple(
        PodFacts(
            f"pod-{i}",
            ago(age),
            PodPhase.RUNNING,
            ready=ready or age > 300,
            started_at=ago(age),
            ready_transition_at=ago(max(age - 20, 0)),
            requests={("app", "cpu"): 1.0, ("sidecar", "cpu"): 4.0},
        )
        for i, age in enumerate(started_ago)
    )


def cpu_signal(by_pod, quantile=None):
    capacity = Capacity(0.5, CapacitySource.REQUEST)
    sample = Sample(sum(by_pod.values()), NOW, len(by_pod), by_pod=by_pod)
    return Signal("cpu", sample, capacity, None if quantile is None else forecast(quantile))


def test_what_a_booting_pod_burns_is_no_load():
    facts = workload(2, pods=cpu_pods(9000, 30, ready=False))
    burning = cpu_signal({"pod-0": 0.5, "pod-1": 3.0}, quantile=0.5)
    warming = replace(burning, forecast=None)

    assert recommended(burning, facts=facts, metrics=[CPU]).replicas == 1
    assert recommended(warming, facts=facts, metrics=[CPU]).replicas == 2


@pytest.mark.parametrize(("cores", "expected"), [(0.0044, 10), (0.0040, 8), (0.029, 58)])
def test_what_a_pod_uses_is_rounded_up_to_milli_units_as_for_hpa(cores, expected):
    pods = tuple(replace(p, requests={("app", "cpu"): 0.01}) for p in cpu_pods(*[9000] * 10))
    facts = workload(10, pods=pods)
    used = cpu_signal({pod.name: cores for pod in pods})

    assert recommended(used, facts=facts, metrics=[CPU]).replicas == expected


@pytest.mark.parametrize(
    ("cores", "expected"),
    [
        pytest.param(0.018, 4, id="HPA reads 1 % of 1.8, and would keep 2"),
        pytest.param(0.49, 100, id="within the tolerance as for HPA"),
        pytest.param(0.44, 88, id="no more than HPA keeps"),
    ],
)
def test_no_step_in_goes_below_what_all_pods_together_need(cores, expected):
    pods = cpu_pods(*[9000] * 100)
    used = cpu_signal({pod.name: cores for pod in pods})

    assert recommended(used, facts=workload(100, pods=pods), metrics=[CPU]).replicas == expected


def test_a_target_below_a_milli_unit_is_one_as_for_hpa():
    tiny = {"name": "cpu", "target": {"averageValue": "100u"}}
    metrics = [{"type": "Resource", "resource": tiny}]
    facts = workload(2, pods=cpu_pods(9000, 9000))

    got = recommended(cpu_signal({"pod-0": 0.003, "pod-1": 0.002}), facts=facts, metrics=metrics)
    assert got.replicas == 4


@pytest.mark.parametrize("wrong", [float("nan"), float("inf"), -1.0])
def test_a_pod_s_usage_that_cannot_be_one_is_missing(wrong):
    facts = workload(2, pods=cpu_pods(9000, 9000))
    one = cpu_signal({"pod-0": 0.1, "pod-1": wrong})
    seen = replace(one, sample=replace(one.sample, value=0.1))

    assert recommended(seen, facts=facts, metrics=[CPU]).replicas == 2


@pytest.mark.parametrize("wrong", [float("nan"), float("inf"), -1.0])
def test_nor_is_it_what_a_booting_pod_burns(wrong):
    facts, cpu = workload(2, pods=cpu_pods(9000, 30, ready=False)), MetricSpec.model_validate(CPU)
    sample = Sample(2.0, NOW, 2, by_pod={"pod-0": 2.0, "pod-1": wrong})

    assert load_without_booting(sample, 2.0, cpu, workload=facts, now=NOW) == 2.0


@pytest.mark.parametrize(
    ("changes", "may_lower"),
    [
        pytest.param({}, True, id="as many as serve"),
        pytest.param({"ready_replicas": 3}, False, id="one that serves is not listed"),
        pytest.param({"ready_replicas": 1}, True, id="one more, not counted yet"),
    ],
)
@pytest.mark.parametrize("quantile", [None, 0.1])
def test_a_sum_over_pods_that_are_not_all_known_never_lowers(quantile, changes, may_lower):
    ended = replace(cpu_pods(9000)[0], name="evicted", phase=PodPhase.FAILED)
    leaving = replace(cpu_pods(9000)[0], name="leaving", deleted=True)
    facts = workload(2, pods=(*cpu_pods(9000, 9000), ended, leaving))
    low = cpu_signal({"pod-0": 0.1, "pod-1": 0.1}, quantile=quantile)
    got = recommended(low, facts=replace(facts, **changes), metrics=[CPU])

    assert (got.replicas, got.may_lower) == (1, may_lower)
    assert may_lower or got.reason is Reason.METRICS_PARTIAL_HOLD


def test_what_boots_takes_away_no_more_than_there_is():
    facts, cpu = workload(2, pods=cpu_pods(9000, 30, ready=False)), MetricSpec.model_validate(CPU)
    sample = cpu_signal({"pod-0": 0.5, "pod-1": 3.0}, quantile=0.5).sample

    assert load_without_booting(sample, 2.0, cpu, workload=facts, now=NOW) == 0.0


def test_where_every_pod_boots_nothing_is_known_of_the_load():
    facts = workload(2, pods=cpu_pods(20, 30, ready=False))
    burning = cpu_signal({"pod-0": 0.01, "pod-1": 0.01}, quantile=0.4)
    alone = recommended(replace(burning, forecast=None), facts=facts, metrics=[CPU])
    trusted = recommended(burning, facts=facts, metrics=[CPU])

    assert (alone.replicas, alone.may_lower) == (None, False)
    assert (trusted.replicas, trusted.may_lower) == (1, False)


def test_where_hpa_has_no_answer_the_total_may_raise_and_never_lowers():
    unlike = replace(cpu_pods(9000)[0], name="pod-1", requests={})
    facts = workload(2, pods=(*cpu_pods(9000), unlike))
    more = recommended(cpu_signal({"pod-0": 1.4, "pod-1": 1.4}), facts=facts, metrics=[CPU])
    less = recommended(cpu_signal({"pod-0": 0.1, "pod-1": 0.1}), facts=facts, metrics=[CPU])

    assert (more.replicas, more.may_lower) == (6, False)
    assert (less.may_lower, less.reason) == (False, Reason.METRICS_PARTIAL_HOLD)


def test_a_pod_counts_once_a_whole_window_was_measured_since_it_became_ready():
    pod = replace(cpu_pods(200)[0], ready_transition_at=ago(80))
    facts = workload(1, pods=(pod,))
    fresh = cpu_signal({"pod-0": 0.9})
    older = replace(fresh, sample=replace(fresh.sample, sampled_at=ago(30)))

    assert recommended(fresh, facts=facts, metrics=[CPU]).replicas == 2
    assert recommended(older, facts=facts, metrics=[CPU]).replicas is None


def test_a_sample_of_a_clock_that_is_ahead_is_taken_for_one_of_now():
    pod = replace(cpu_pods(200)[0], ready_transition_at=ago(50))
    now = cpu_signal({"pod-0": 0.9})
    ahead = replace(now, sample=replace(now.sample, sampled_at=ago(-20)))

    assert recommended(ahead, facts=workload(1, pods=(pod,)), metrics=[CPU]).replicas is None


def serving(*started_ago, silent=0):
    """Return pods that are all ready, and what each burns but the last ones."""
    pods = cpu_pods(*started_ago, ready=True)
    return pods, {pod.name: 0.2 for pod in pods[: len(pods) - silent]}


@pytest.mark.parametrize(
    ("ages", "silent", "may_lower"),
    [
        pytest.param((9000,) * 4, 0, True, id="all are counted"),
        pytest.param((9000, 9000, 60, 60), 0, False, id="two take load, and count for nothing yet"),
        pytest.param((9000, 9000, 90, 90), 0, True, id="a minute later they count"),
        pytest.param((9000,) * 4, 1, False, id="one says nothing"),
    ],
)
@pytest.mark.parametrize("quantile", [None, 0.4])
def test_the_load_of_some_of_those_that_serve_never_lowers(ages, silent, may_lower, quantile):
    pods, by_pod = serving(*ages, silent=silent)
    facts = workload(6, ready_replicas=4, pods=pods)
    got = recommended(cpu_signal(by_pod, quantile=quantile), facts=facts, metrics=[CPU])

    assert got.replicas < 6
    assert got.may_lower is may_lower


@pytest.mark.parametrize(
    ("usage", "may_lower"),
    [
        pytest.param((0.2, 0.2), True, id="as many as serve"),
        pytest.param((0.2,), False, id="fewer"),
        pytest.param((0.2, float("nan")), False, id="or one that is no number"),
    ],
)
def test_where_pods_are_not_watched_as_many_must_be_measured_as_serve(usage, may_lower):
    by_pod = {f"pod-{i}": cores for i, cores in enumerate(usage)}
    sample = Sample(0.2, NOW, len(by_pod), by_pod=by_pod)
    seen = Signal("cpu", sample, Capacity(0.5, CapacitySource.REQUEST), None)

    assert recommended(seen, facts=workload(2), metrics=[CPU]).may_lower is may_lower


def test_pods_that_take_their_first_load_do_not_undo_their_own_scale_out():
    pods, by_pod = serving(*[9000] * 5, *[60] * 5)
    behavior = {"scaleDown": {"stabilizationWindowSeconds": 0}}
    facts = workload(10, pods=pods)
    step = outcome(cpu_signal(by_pod), facts=facts, metrics=[CPU], behavior=behavior)

    assert (step.recommendation.replicas, step.decision.desired_replicas) == (2, 10)


def test_a_named_container_is_measured_against_its_own_request():
    facts = workload(2, pods=cpu_pods(9000, 9000))

    got = recommended(cpu_signal({"pod-0": 0.9, "pod-1": 0.9}), facts=facts, metrics=[CPU])

    assert (got.replicas, got.proposals[0].usage_ratio) == (4, 1.8)


def test_a_pod_without_a_sample_makes_the_step_smaller():
    facts = workload(3, pods=cpu_pods(9000, 9000, 9000))

    assert (
        recommended(cpu_signal({"pod-0": 0.9, "pod-1": 0.9}), facts=facts, metrics=[CPU]).replicas
        == 4
    )
    assert (
        recommended(cpu_signal({"pod-0": 0.2, "pod-1": 0.2}), facts=facts, metrics=[CPU]).replicas
        == 3
    )


def test_the_last_pod_goes_only_after_an_idle_time():
    just_idle = quiet(1, doubts=((Reason.SCALED_TO_ZERO, ago(599)),))
    long_idle = quiet(1, doubts=((Reason.SCALED_TO_ZERO, ago(600)),))
    zero = {"minReplicas": 0, "spec": 1}

    assert recommended(signal(0.0, 5.0), state=just_idle, **zero).replicas == 1
    assert recommended(signal(0.0, 10.1), state=long_idle, **zero).replicas == 1
    assert recommended(signal(0.0), state=long_idle, **zero).replicas == 0
    assert recommended(signal(0.0, 0.0), state=long_idle, **zero).reason is Reason.SCALED_TO_ZERO


def test_a_quantile_that_is_not_quite_zero_keeps_no_pod():
    long_idle = quiet(0, doubts=((Reason.SCALED_TO_ZERO, ago(600)),))
    almost_nothing = signal(0.0, 10.0, scale_in_quantile=10.0)
    step = outcome(almost_nothing, state=long_idle, minReplicas=0, spec=1)

    assert (step.decision.desired_replicas, step.decision.reason) == (0, Reason.SCALED_TO_ZERO)
    assert outcome(almost_nothing, spec=1).decision.desired_replicas == 1


def test_an_idle_time_is_waited_for_once_whatever_the_window():
    long_idle = quiet(0, doubts=((Reason.SCALED_TO_ZERO, ago(600)),))
    window = {"scaleDown": {"stabilizationWindowSeconds": 3600}}
    step = outcome(signal(0.0), state=long_idle, minReplicas=0, spec=1, behavior=window)

    assert step.decision.desired_replicas == 0


def test_no_load_in_one_metric_is_not_idle_while_another_is_unknown():
    long_idle = quiet(1, doubts=((Reason.SCALED_TO_ZERO, ago(600)),))
    got = recommended(signal(0.0), signal(None), state=long_idle, minReplicas=0, spec=1)

    assert (got.replicas, got.may_lower) == (1, False)


def test_a_zero_that_is_not_the_whole_truth_is_not_idle():
    state = quiet(1, doubts=((Reason.SCALED_TO_ZERO, ago(600)),))
    some = outcome(signal(0.0, doubt=Doubt.PARTIAL), state=state, minReplicas=0, spec=1)

    assert some.recommendation.replicas == 1
    assert some.state_if_held.since(Reason.SCALED_TO_ZERO) is None


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
        pytest.param(signal(0.0, 50.0, trust=WARMING), 0, id="nor persistence of what was"),
    ],
)
def test_zero_is_woken_by_a_request_or_by_the_forecast(woken_by, expected):
    got = recommended(woken_by, minReplicas=0, spec=0)

    assert got.replicas == expected
    woken = {Reason.WOKEN_FROM_ZERO, Reason.FORECAST_CARRIES_FLOOR}
    assert not expected or got.reason in woken


OLD_FORECAST = {"trust": STALE, "skill": 0.3}
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

    assert not recommended(doubted, minReplicas=0, spec=0).may_lower
    assert not recommended(silent, doubted, minReplicas=0, spec=0).may_lower


@pytest.mark.parametrize(
    ("heard", "facts", "least"),
    [
        pytest.param(signal(None, **ABSENT), workload(1), 0, id="a pod is ordered"),
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


def test_the_youngest_forecast_that_has_a_say_counts():
    young = signal(500, 500, history=timedelta(hours=6))
    old = signal(500, 500, metric="cpu")
    unheard = replace(signal(500, 500, metric="cpu", history=timedelta(0)), capacity=None)

    assert recommended(young, old).forecast_history == timedelta(hours=6)
    assert recommended(old, old).forecast_history == timedelta.max
    assert recommended(old, unheard).forecast_history == timedelta.max
    assert recommended(replace(old, forecast=None)).forecast_history is None
