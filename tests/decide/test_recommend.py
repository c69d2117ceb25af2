"""What load and forecast ask for before any damping."""

from dataclasses import replace
from datetime import timedelta

import pytest

from autoscaler.decide.facts import Capacity, CapacitySource, Doubt, Sample, Trust
from autoscaler.decide.measured import known_load
from autoscaler.decide.reason import Reason
from autoscaler.decide.sizing import replicas_for
from decide.worlds import NOW, PER_POD, ago, outcome, recommended, signal, workload

TRUSTED, DEMOTED, WARMING, STALE = Trust.TRUSTED, Trust.DEMOTED, Trust.WARMING, Trust.STALE


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


def test_a_trusted_forecast_asks_by_its_own_quantile_never_by_persistence():
    assert recommended(signal(400, 1500, reactive_quantile=2000.0)).replicas == 15
    assert recommended(signal(None, 1500, reactive_quantile=2000.0)).replicas == 15


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        pytest.param({"trust": TRUSTED}, 10, id="a trusted one has no say: HPA's tolerance"),
        pytest.param({"trust": STALE, "skill": 0.3}, 13, id="a stale one asks by persistence"),
    ],
)
def test_beside_a_measured_load_a_forecast_that_carries_no_more(fields, expected):
    old = signal(1090, 1300, age=timedelta(hours=5), **fields)

    assert recommended(old).replicas == expected


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

    persistence = signal(None, 1500, trust=STALE, skill=0.3, reactive_quantile=2000.0)

    assert recommended(persistence).replicas == 15
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
    assert recommended(signal(1000, doubt=Doubt.PARTIAL)).reason is Reason.METRICS_PARTIAL_HOLD


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


@pytest.mark.parametrize(
    ("loads", "reason"),
    [
        pytest.param(
            ((1200, 1500), (900, 950)), Reason.FORECAST_ABOVE_TARGET, id="by one forecast"
        ),
        pytest.param(((1600, 900), (100, 1500)), Reason.METRIC_ABOVE_TARGET, id="by one load"),
    ],
)
def test_of_two_metrics_the_larger_number_is_the_reason(loads, reason):
    assert recommended(*(signal(*each) for each in loads)).reason is reason


def test_the_busiest_metric_says_how_many_pods_are_busy():
    assert recommended(signal(500), signal(900)).busy_pods == 9.0
    assert recommended(signal(900, 100)).busy_pods == 9.0
    assert recommended(signal(None)).busy_pods is None


@pytest.mark.parametrize("quantile", [None, 900], ids=["measured", "trusted"])
def test_where_no_pod_exists_there_is_no_usage_ratio(quantile):
    none = workload(0, status_replicas=0)

    assert recommended(signal(900, quantile)).proposals[0].usage_ratio == 0.9
    assert recommended(signal(900, quantile), facts=none).proposals[0].usage_ratio is None


def test_what_keeps_a_forecast_from_steering_is_told_and_of_several_whose_it_is():
    steers, demoted = signal(500, 500), signal(500, 500, trust=DEMOTED, metric="cpu")

    assert recommended(steers).detail == ""
    assert recommended(demoted).detail == "forecast demoted"
    assert recommended(steers, demoted).detail == "forecast demoted: cpu"


def test_without_a_capacity_nothing_can_be_sized():
    got = recommended(signal(5000, 5000, capacity=None))

    assert (got.replicas, got.reason) == (None, Reason.CAPACITY_UNKNOWN_HOLD)


def test_a_forecast_that_asks_for_as_much_as_is_measured_is_not_the_reason():
    assert recommended(signal(1500, 1500)).reason is Reason.METRIC_ABOVE_TARGET


@pytest.mark.parametrize(
    ("load", "facts", "reason"),
    [
        pytest.param(signal(None, capacity=None), {}, Reason.METRICS_UNKNOWN_HOLD, id="unknown"),
        pytest.param(
            signal(40, capacity=None, doubt=Doubt.PARTIAL),
            {},
            Reason.METRICS_PARTIAL_HOLD,
            id="in part",
        ),
        pytest.param(
            signal(80, capacity=None),
            {"ready_replicas": 0},
            Reason.PODS_NOT_READY_HOLD,
            id="none ready",
        ),
    ],
)
def test_a_value_target_that_says_nothing_holds(load, facts, reason):
    queue = {"metric": {"name": "queue"}, "target": {"type": "Value", "value": "100"}}
    metrics = [{"type": "External", "external": queue}]
    got = recommended(load, facts=workload(10, **facts), metrics=metrics)

    assert (got.reason, got.may_lower) == (reason, False)


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
        pytest.param(10, 4, 100, (10, True), id="on target as many as are ordered, as HPA"),
        pytest.param(10, 0, 80, (None, False), id="none ready says nothing"),
        pytest.param(0, 0, 80, (1, True), id="from zero"),
    ],
)
def test_a_value_target_is_multiplied_by_ready_pods_if_there_are_any(spec, ready, load, expected):
    queue = {"metric": {"name": "queue"}, "target": {"type": "Value", "value": "100"}}
    got = recommended(
        signal(load, capacity=None),
        facts=workload(spec, status_replicas=ready, ready_replicas=ready),
        metrics=[{"type": "External", "external": queue}],
        minReplicas=0,
    )

    assert (got.replicas, got.may_lower) == expected


def test_an_average_is_that_over_the_pods_that_exist_as_for_hpa():
    coming = workload(20, status_replicas=10, ready_replicas=5)

    assert recommended(signal(1050), facts=coming).replicas == 10
    trusted = recommended(signal(1050, 100), facts=coming)
    assert (trusted.proposals[0].usage_ratio, trusted.busy_pods) == (1.05, 10.5)
    assert recommended(signal(1500), facts=coming).reason is Reason.ALL_BELOW_TARGET


def test_a_partial_total_of_a_value_target_never_lowers():
    queue = {"metric": {"name": "queue"}, "target": {"type": "Value", "value": "100"}}
    some = signal(40, capacity=None, doubt=Doubt.PARTIAL)
    got = recommended(some, metrics=[{"type": "External", "external": queue}])

    assert (got.replicas, got.may_lower) == (4, False)


def test_a_tolerance_named_in_one_direction_leaves_the_other_without_any():
    one_way = {"behavior": {"scaleDown": {"tolerance": "20%"}}}

    assert recommended(signal(1001, 100), **one_way).replicas == 11
    assert recommended(signal(850, 100), **one_way).replicas == 10
    other_way = {"behavior": {"scaleUp": {"tolerance": "5%"}}}
    assert recommended(signal(1040, 100), **other_way).replicas == 10
    assert recommended(signal(850, 100), **other_way).replicas == 9


def test_a_tolerance_that_the_policy_names_holds_for_a_trusted_forecast_too():
    behavior = {"scaleDown": {"tolerance": "20%"}, "scaleUp": {"tolerance": "5%"}}

    assert recommended(signal(850, 100), behavior=behavior).replicas == 10
    assert recommended(signal(1040, 100), behavior=behavior).replicas == 10
    assert recommended(signal(1060, 100), behavior=behavior).replicas == 11


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


def test_measured_load_gets_that_head_room_beside_a_trusted_forecast():
    learned = Capacity(80.0, CapacitySource.LEARNED, saturated_at=100.0)

    assert recommended(signal(400.0, 10.0, capacity=learned)).replicas == 6


def test_the_youngest_forecast_that_has_a_say_counts():
    young = signal(500, 500, history=timedelta(hours=6))
    old = signal(500, 500, metric="cpu")
    unheard = replace(signal(500, 500, metric="cpu", history=timedelta(0)), capacity=None)

    assert recommended(young, old).forecast_history == timedelta(hours=6)
    assert recommended(old, old).forecast_history == timedelta.max
    assert recommended(old, unheard).forecast_history == timedelta.max
    assert recommended(replace(old, forecast=None)).forecast_history is None
    assert recommended(signal(500, 500, age=timedelta(hours=5))).forecast_history is None
