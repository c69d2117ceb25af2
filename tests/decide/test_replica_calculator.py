"""One per-pod metric, HPA's arithmetic: each row is a sentence of its algorithm."""

from dataclasses import replace

import pytest

from autoscaler.decide.facts import PodPhase
from autoscaler.decide.pod_classes import MeasuredPod, SampleTiming, booting, classified
from autoscaler.decide.replica_calculator import (
    MetricErrorKind,
    PodMetric,
    ReplicaCalculationError,
    replicas_for_pod_metric,
)
from autoscaler.decide.usage_ratio import Tolerances
from autoscaler.policy.metric import TargetType

OLD = 100_000.0
HALF = PodMetric(TargetType.UTILIZATION, 50)
HUNDRED_EACH = PodMetric(TargetType.AVERAGE_VALUE, 100_000)


def pod(usage, name="pod", request=1000, **fields):
    """An old, ready pod; usage None = no sample."""
    values = {
        "start_age_seconds": OLD,
        "ready_transition_age_seconds": OLD - 10,
        "has_sample": usage is not None,
    }
    return MeasuredPod(
        name,
        request_milli=request,
        usage_milli=usage,
        **values | fields,
    )


def pods(*usages, **fields):
    return [pod(usage, f"pod-{i}", **fields) for i, usage in enumerate(usages)]


def asked(the_pods, metric=HALF, current=None, strangers=()):
    return replicas_for_pod_metric(
        the_pods,
        current_replicas=len(the_pods) if current is None else current,
        metric=metric,
        samples_for_unknown_pods=strangers,
    )


PENDING, FAILED = {"phase": PodPhase.PENDING}, {"phase": PodPhase.FAILED}


@pytest.mark.parametrize(
    ("the_pods", "current", "expected"),
    [
        pytest.param(pods(500, 500), None, 2, id="on target"),
        pytest.param(pods(549, 550), None, 2, id="54 percent is within tolerance of 50"),
        pytest.param(pods(560, 560), None, 3, id="56 percent is not"),
        pytest.param(pods(450, 450), None, 2, id="45 percent is exactly at the tolerance"),
        pytest.param(pods(440, 440, 440, 440), None, 4, id="a little less rounds up to the same"),
        pytest.param(pods(200, 200, 200, 200), None, 2, id="well below shrinks"),
        pytest.param(pods(1000, 1000), 5, 4, id="ready pods count, not declared replicas"),
        pytest.param(
            [*pods(800, 800), pod(None, **PENDING)],
            3,
            3,
            id="a pending pod is reckoned with nothing on the way up",
        ),
        pytest.param(
            [*pods(100, 100), pod(None, **PENDING)],
            3,
            1,
            id="a pending pod is left out on the way down",
        ),
        pytest.param(
            [*pods(800, 800), pod(None)],
            3,
            3,
            id="a pod without a sample counts as zero on the way up",
        ),
        pytest.param(
            [*pods(300, 300), pod(None)],
            3,
            3,
            id="and as fully used on the way down, here until it holds",
        ),
        pytest.param(
            [*pods(10, 10, 10), pod(None)],
            4,
            2,
            id="but a very empty workload shrinks nevertheless",
        ),
        pytest.param(
            [*pods(1000, 1000), pod(9000, deleted=True)], 3, 4, id="a pod being deleted is ignored"
        ),
        pytest.param([*pods(1000, 1000), pod(9000, **FAILED)], 3, 4, id="a failed pod is ignored"),
        pytest.param(
            [pod(9000, **FAILED), *pods(1000, 1000)], 3, 4, id="wherever it stands in the list"
        ),
        pytest.param(
            [*pods(600), pod(None), pod(None)],
            3,
            3,
            id="a direction that flips holds",
        ),
        pytest.param(
            [*pods(100, 100, 100), pod(None)], 2, 2, id="what was filled in turns no step in to out"
        ),
        pytest.param([*pods(1000, 1000), pod(None)], 8, 8, id="nor one out to in"),
        pytest.param(
            [*pods(400, 400, 400, 400), pod(None, **PENDING)],
            2,
            4,
            id="where nothing is filled in, ready pods count",
        ),
    ],
)
def test_utilization_counts_pods_as_hpa_does(the_pods, current, expected):
    named = [replace(one, name=f"pod-{i}") for i, one in enumerate(the_pods)]

    assert asked(named, current=current).replicas == expected


@pytest.mark.parametrize(
    ("the_pods", "strangers", "expected", "mean"),
    [
        pytest.param(pods(100_000, 100_000), (), 2, 100_000, id="on target"),
        pytest.param(
            pods(150_000, 150_001), (), 3, 150_000, id="the mean is floored before the ratio"
        ),
        pytest.param(
            pods(150_000, 150_000),
            (300_000,),
            4,
            200_000,
            id="unknown pods' samples enter the mean",
        ),
        pytest.param(
            pods(200_000, None), (), 2, 200_000, id="missing counts as zero on the way up"
        ),
        pytest.param(
            pods(50_000, None), (), 2, 50_000, id="missing counts as on target on the way down"
        ),
        pytest.param(
            pods(10_000, 10_000, 10_000, None),
            (),
            2,
            10_000,
            id="whatever the missing one requests",
        ),
    ],
)
def test_average_value_per_pod(the_pods, strangers, expected, mean):
    proposal = asked(the_pods, HUNDRED_EACH, strangers=strangers)

    assert (proposal.replicas, proposal.value_milli) == (expected, mean)


def test_missing_pods_count_as_the_target_where_it_is_above_their_request():
    above = PodMetric(TargetType.UTILIZATION, 200)

    assert asked(pods(100, 100, None), above).replicas == 2


def test_the_reported_utilization_is_that_before_filling_in():
    assert asked([*pods(1000, 1000), pod(None)]).utilization == 100


@pytest.mark.parametrize(
    ("up", "down", "usage", "expected"),
    [
        pytest.param(0.0, 0.1, 510, 3, id="no tolerance upwards acts on one percent"),
        pytest.param(0.5, 0.1, 740, 2, id="a wide one upwards holds"),
        pytest.param(0.5, 0.1, 750, 2, id="also exactly at its edge"),
        pytest.param(0.0, 0.6, 210, 2, id="a wide one downwards holds"),
        pytest.param(0.0, 0.1, 210, 1, id="and the default downwards does not"),
    ],
)
def test_tolerance_has_a_direction(up, down, usage, expected):
    metric = PodMetric(TargetType.UTILIZATION, 50, tolerances=Tolerances(up, down))

    assert asked(pods(usage, usage), metric).replicas == expected


@pytest.mark.parametrize(
    ("the_pods", "metric", "kind"),
    [
        pytest.param(pods(None, None), HALF, MetricErrorKind.NO_SAMPLES, id="nothing returned"),
        pytest.param(
            [pod(None, has_sample=True)],
            HALF,
            MetricErrorKind.CONTAINER_MISSING,
            id="no such container",
        ),
        pytest.param(
            [*pods(5), pod(5, request=None, **FAILED)],
            HALF,
            MetricErrorKind.MISSING_REQUEST,
            id="even a failed pod must declare a request",
        ),
        pytest.param(
            pods(5, request=0),
            HALF,
            MetricErrorKind.NO_MATCHING_PODS,
            id="requests add up to nothing",
        ),
        pytest.param(
            [pod(5, **PENDING)], HALF, MetricErrorKind.NO_SAMPLES, id="no counted pod has a sample"
        ),
        pytest.param(
            [pod(5, **FAILED), pod(None, "x")],
            HUNDRED_EACH,
            MetricErrorKind.NO_SAMPLES,
            id="the only sample is ignored",
        ),
    ],
)
def test_a_metric_without_an_answer_says_why(the_pods, metric, kind):
    with pytest.raises(ReplicaCalculationError) as error:
        asked(the_pods, metric)

    assert error.value.kind is kind


def test_no_pods_is_an_error_too():
    with pytest.raises(ReplicaCalculationError, match="no_pods"):
        asked([], HUNDRED_EACH, strangers=(5,))


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        pytest.param({"start_age_seconds": None}, True, id="never started"),
        pytest.param({"ready_transition_age_seconds": None}, True, id="never any readiness"),
        pytest.param(
            {"start_age_seconds": 299.0, "ready_transition_age_seconds": 200.0},
            False,
            id="young, but ready for long enough",
        ),
        pytest.param(
            {"start_age_seconds": 299.0, "ready_transition_age_seconds": 89.0},
            True,
            id="no whole window since it became ready",
        ),
        pytest.param(
            {"start_age_seconds": 299.0, "ready_transition_age_seconds": 90.0},
            False,
            id="exactly a window since",
        ),
        pytest.param({"start_age_seconds": 299.0, "ready": False}, True, id="young and not ready"),
        pytest.param(
            {"start_age_seconds": 300.0, "ready_transition_age_seconds": 0.0},
            False,
            id="old enough and ready just now",
        ),
        pytest.param(
            {"start_age_seconds": 400.0, "ready_transition_age_seconds": 371.0, "ready": False},
            True,
            id="old and never ready",
        ),
        pytest.param(
            {"start_age_seconds": 400.0, "ready_transition_age_seconds": 370.0, "ready": False},
            False,
            id="old, was ready, then not",
        ),
        pytest.param(
            {"start_age_seconds": 400.0, "ready_transition_age_seconds": 500.0, "ready": False},
            True,
            id="a transition before the start is never ready",
        ),
    ],
)
def test_a_pod_boots_until_its_sample_is_of_its_ready_time(fields, expected):
    assert booting(pod(5, **fields), SampleTiming(metric_age_seconds=30.0)) is expected


def test_only_cpu_knows_booting_pods():
    young = pods(5, start_age_seconds=10.0, ready_transition_age_seconds=5.0)

    assert classified(young, cpu=True, timing=SampleTiming()).unready == tuple(young)
    assert classified(young, cpu=False, timing=SampleTiming()).ready == tuple(young)
