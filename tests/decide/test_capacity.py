"""How much one pod carries: declared or learned."""

import math
from dataclasses import replace
from datetime import timedelta
from random import Random

import pytest

from autoscaler.decide.capacity import declared_capacity, limit_per_pod, requested_per_pod
from autoscaler.decide.facts import WHOLE_POD, Capacity, CapacitySource, PodFacts, PodPhase
from autoscaler.decide.learned_capacity import (
    CapacityFit,
    for_template,
    learned_capacity,
    warmed_up,
    with_minute,
)
from autoscaler.policy.metric import MetricSpec
from decide.worlds import NOW, ago, workload

REQUESTS = {("app", "cpu"): 0.5, ("sidecar", "cpu"): 0.1, ("app", "memory"): 2.0**30}


CPU = {"name": "cpu", "target": {"averageUtilization": 80}}
APP_CPU = {**CPU, "container": "app"}


def metric(kind, section):
    return MetricSpec.model_validate({"type": kind, kind[0].lower() + kind[1:]: section})


@pytest.mark.parametrize(
    ("kind", "section", "expected"),
    [
        pytest.param(
            "RequestRate",
            {"source": "linkerd", "target": {"averageValue": "120"}},
            Capacity(120.0, CapacitySource.POLICY),
            id="requests per pod",
        ),
        pytest.param("RequestRate", {"source": "linkerd"}, None, id="to be learned"),
        pytest.param(
            "ContainerResource",
            {"name": "cpu", "container": "app", "target": {"averageUtilization": 80}},
            Capacity(0.4, CapacitySource.REQUEST),
            id="one container",
        ),
        pytest.param(
            "ContainerResource",
            {"name": "cpu", "container": "db", "target": {"averageUtilization": 80}},
            None,
            id="no such container",
        ),
        pytest.param(
            "Resource",
            {"name": "cpu", "target": {"averageUtilization": 50}},
            Capacity(0.3, CapacitySource.REQUEST),
            id="the whole pod",
        ),
        pytest.param(
            "Resource",
            {"name": "memory", "target": {"averageUtilization": 50}},
            Capacity(2.0**29, CapacitySource.REQUEST),
            id="memory",
        ),
        pytest.param(
            "Resource",
            {"name": "cpu", "target": {"averageValue": "250m"}},
            Capacity(0.25, CapacitySource.POLICY),
            id="cores per pod",
        ),
        pytest.param(
            "External",
            {"metric": {"name": "q"}, "target": {"value": "9"}},
            None,
            id="a total has no share",
        ),
    ],
)
def test_capacity_is_declared_by_the_target_or_by_a_share_of_the_request(kind, section, expected):
    got = declared_capacity(metric(kind, section), workload(requests=REQUESTS))

    assert (got is None) == (expected is None)
    assert got is None or (got.source, got.per_pod) == (
        expected.source,
        pytest.approx(expected.per_pod),
    )


WHOLE = {(WHOLE_POD, "cpu"): 3.0}
NO_LIMIT = {("app", "cpu"): 1.0, ("sidecar", "cpu"): math.inf, ("app", "memory"): 2.0**30}


@pytest.mark.parametrize(
    ("kind", "section", "limits", "expected"),
    [
        pytest.param("ContainerResource", APP_CPU, NO_LIMIT, 1.0, id="of one container"),
        pytest.param("Resource", CPU, NO_LIMIT, None, id="one without a limit, the pod has none"),
        pytest.param("Resource", CPU, REQUESTS, 0.6, id="of all containers together"),
        pytest.param("Resource", CPU, NO_LIMIT | WHOLE, 3.0, id="of the pod itself"),
        pytest.param("ContainerResource", APP_CPU, NO_LIMIT | WHOLE, 1.0, id="of one all the same"),
        pytest.param("Resource", CPU, {}, None, id="nothing known"),
        pytest.param("RequestRate", {"source": "linkerd"}, NO_LIMIT, None, id="no resource"),
    ],
)
def test_the_limit_of_a_pod(kind, section, limits, expected):
    assert limit_per_pod(metric(kind, section), workload(limits=limits)) == expected


def taught(
    minutes, *, idle=0.05, slope=0.004, noise=0.01, outliers=0.0, load=(20, 120), fit=None, seed=3
):
    """A fit after so many warm minutes of cores = idle + slope * load, with noise and outliers."""
    random, fit = Random(seed), fit or CapacityFit("v1")
    for _ in range(minutes):
        per_pod = random.uniform(*load)
        cores = idle + slope * per_pod + random.gauss(0, noise)
        cores += 2.0 if random.random() < outliers else 0.0
        fit = with_minute(fit, load_per_pod=per_pod, cores_per_pod=max(cores, 0.0))
    return fit


def mixed(*cores, **fields):
    """A workload whose template requests one core, amid pods that request as many as given."""
    pods = (
        PodFacts(f"pod-{n}", ago(99), requests={("app", "cpu"): c}) for n, c in enumerate(cores)
    )
    return workload(requests={("app", "cpu"): 1.0}, pods=tuple(pods), **fields)


@pytest.mark.parametrize(
    ("facts", "cores"),
    [
        pytest.param(mixed(0.5, 1.0, rollout_in_progress=True), 0.5, id="the old ones are smaller"),
        pytest.param(mixed(2.0, rollout_in_progress=True), 1.0, id="the new ones are smaller"),
        pytest.param(mixed(0.0, rollout_in_progress=True), 1.0, id="the old ones ask for nothing"),
        pytest.param(mixed(rollout_in_progress=True), 1.0, id="there are none"),
        pytest.param(mixed(0.5, 1.0), 0.75, id="no rollout: one was changed in place"),
        pytest.param(mixed(0.25, 0.25), 0.25, id="a webhook made them smaller"),
        pytest.param(mixed(), 1.0, id="no pod yet"),
        pytest.param(
            replace(mixed(0.5, rollout_in_progress=True), pods=None), 1.0, id="pods not watched"
        ),
    ],
)
def test_what_pods_request_counts_and_the_smaller_while_two_templates_run(facts, cores):
    got = declared_capacity(metric("ContainerResource", APP_CPU), facts)

    assert got == Capacity(cores * 80 / 100, CapacitySource.REQUEST)


def test_pods_that_request_what_the_template_does_do_not_hide_one_that_was_changed():
    facts = mixed(0.5, 1.0)
    facts = replace(facts, requests=facts.pods[1].requests)

    assert requested_per_pod(metric("ContainerResource", APP_CPU), facts) == 0.75


@pytest.mark.parametrize("rolls", [False, True])
def test_what_a_limit_range_gives_to_pods_is_their_request(rolls):
    facts = replace(mixed(0.5, 0.5, rollout_in_progress=rolls), requests={})

    assert requested_per_pod(metric("Resource", CPU), facts) == 0.5


@pytest.mark.parametrize("rolls", [False, True])
def test_where_neither_pods_nor_templates_request_anything_nothing_is_requested(rolls):
    facts = replace(mixed(0.0, 0.0, rollout_in_progress=rolls), requests={})

    assert requested_per_pod(metric("Resource", CPU), facts) is None


def test_of_two_templates_without_requests_the_smaller_of_what_pods_were_given_counts():
    facts = replace(mixed(0.5, 0.25, rollout_in_progress=True), requests={})

    assert requested_per_pod(metric("Resource", CPU), facts) == 0.25


@pytest.mark.parametrize("rolls", [False, True])
@pytest.mark.parametrize("gone", [{"deleted": True}, {"phase": PodPhase.FAILED}])
def test_pods_that_are_gone_request_nothing(gone, rolls):
    facts = mixed(0.5, rollout_in_progress=rolls)
    facts = replace(facts, pods=tuple(replace(pod, **gone) for pod in facts.pods))

    assert requested_per_pod(metric("ContainerResource", APP_CPU), facts) == 1.0


def test_idle_and_slope_are_found_and_the_truth_lies_between_the_bounds():
    fit = taught(600)
    got = learned_capacity(fit, request_cores=0.5)

    idle = fit.cores - fit.slope * fit.load
    assert (idle, fit.slope) == (pytest.approx(0.05, abs=0.01), pytest.approx(0.004, rel=0.05))
    assert got.low <= (0.8 * 0.5 - 0.05) / 0.004 <= got.high
    assert got.per_pod == got.low
    assert got.saturated_at == pytest.approx((0.5 - 0.05) / 0.004, rel=0.05)


def test_the_bounds_narrow_with_every_minute():
    widths = [
        (got := learned_capacity(taught(n), request_cores=0.5)).high - got.low
        for n in (40, 200, 1000)
    ]

    assert widths == sorted(widths, reverse=True)


def test_a_few_wild_minutes_change_little():
    clean, wild = (
        learned_capacity(taught(800, outliers=o), request_cores=0.5) for o in (0.0, 0.02)
    )

    assert wild.per_pod == pytest.approx(clean.per_pod, rel=0.15)


def test_half_an_hour_of_minutes_is_the_least():
    assert learned_capacity(taught(25), request_cores=0.5) is None
    assert learned_capacity(taught(31), request_cores=0.5) is not None


def test_without_spread_idle_counts_as_load_which_asks_for_more_pods():
    flat = learned_capacity(taught(200, load=(60, 60.5)), request_cores=0.5)

    assert flat.high is None
    assert flat.per_pod < (0.8 * 0.5 - 0.05) / 0.004


@pytest.mark.parametrize(
    ("load_variance", "idle"),
    [
        pytest.param(0.02, 0.06, id="a slope over hardly any spread is guesswork"),
        pytest.param(400.0, 0.41, id="an idle pod alone uses more than the target"),
    ],
)
def test_where_a_slope_says_nothing_all_cores_count_as_load(load_variance, idle):
    slope, load = 0.004, 60.0
    cores = idle + slope * load
    fit = CapacityFit("v1", 1000.0, load, cores, load_variance, slope * load_variance, 1e-6)
    got = learned_capacity(fit, request_cores=0.5)

    assert (got.per_pod, got.high) == (pytest.approx(0.8 * 0.5 * load / cores), None)


def test_a_throttled_minute_teaches_nothing():
    fit = taught(100)

    assert with_minute(fit, load_per_pod=90.0, cores_per_pod=1.90, limit_cores=2.0) is fit
    assert with_minute(fit, load_per_pod=90.0, cores_per_pod=1.89, limit_cores=2.0) is not fit


def test_a_new_template_starts_over_and_stands_on_the_old_ones_low_end():
    known = learned_capacity(taught(400), request_cores=0.5)
    fresh = for_template(taught(400), "v2", known=known)

    assert (fresh.weight, fresh.template_hash) == (0.0, "v2")
    assert for_template(CapacityFit("v1", learned_of="a b"), "v2", known=None).learned_of == "a b"
    assert learned_capacity(fresh, request_cores=0.5).per_pod == known.low
    assert for_template(fresh, "v2", known=None) is fresh


def test_a_template_that_was_gone_before_it_was_known_passes_on_what_it_inherited():
    known = learned_capacity(taught(400), request_cores=0.5)
    second = for_template(taught(400), "v2", known=known)

    assert for_template(second, "v3", known=None).inherited == known


# Sixty requests a second for a fifth of a core.
KNOWN = CapacityFit("v1", 1000.0, 60.0, 0.29, 400.0, 1.6, 0.01)


@pytest.mark.parametrize(
    "nothing",
    [
        pytest.param({"load": 0.0}, id="no load"),
        pytest.param({"cores": 0.0}, id="no cores"),
        pytest.param({"weight": 29.9}, id="too few minutes"),
    ],
)
def test_nothing_is_known_of(nothing):
    before = Capacity(7.0, CapacitySource.LEARNED)

    assert learned_capacity(replace(KNOWN, **nothing), request_cores=0.5) is None
    inherits = replace(KNOWN, inherited=before, **nothing)
    assert learned_capacity(inherits, request_cores=0.5) == before


@pytest.mark.parametrize(
    "odd",
    [
        pytest.param({"covariance": -1.6}, id="cores fall with the load"),
        pytest.param({"covariance": 0.0}, id="cores are the same whatever the load"),
        pytest.param({"load_variance": 0.0}, id="the load is the same at all times"),
        pytest.param({"cores": 0.45, "spread": 9.0}, id="in such noise the low end is below zero"),
    ],
)
def test_without_a_slope_to_rely_on_all_cores_count_as_load(odd):
    fit = replace(KNOWN, **odd)
    got, per_core = learned_capacity(fit, request_cores=0.5), 60 / fit.cores

    assert (got.per_pod, got.low) == (pytest.approx(0.4 * per_core), got.per_pod)
    assert (got.high, got.saturated_at) == (None, pytest.approx(0.5 * per_core))


@pytest.mark.parametrize(
    ("fit", "low", "high", "full"),
    [
        pytest.param(KNOWN, 87.117, 87.889, 112.5, id="a pod that uses less than its target"),
        pytest.param(replace(KNOWN, cores=0.45), 47.234, 47.762, 72.5, id="one that uses more"),
    ],
)
def test_the_bounds_are_those_of_ninety_per_cent(fit, low, high, full):
    """By hand, with z = 1.645: 0.4 -+ 0.00065 cores over a slope of 0.004 +- 0.0000325."""
    got = learned_capacity(fit, request_cores=0.5)

    assert (got.low, got.high) == (pytest.approx(low, abs=5e-4), pytest.approx(high, abs=5e-4))
    assert (got.per_pod, got.saturated_at) == (got.low, pytest.approx(full))


def test_a_load_of_less_than_a_request_a_second_is_one_and_thirty_minutes_are_enough():
    rare = replace(KNOWN, weight=30.0, load=0.6, load_variance=0.04, covariance=0.016)
    got = learned_capacity(rare, request_cores=0.5)

    assert 0.6 < got.low < (0.4 - 0.05) / 0.4 < got.high


def test_a_target_beyond_the_whole_request_takes_no_pod_for_saturated_before_it():
    got = learned_capacity(KNOWN, request_cores=0.5, utilization=1.5)

    assert got.saturated_at == got.low > 112.5


@pytest.mark.parametrize(
    ("cores", "counts"),
    [
        pytest.param(0.29 + 0.0168, 1.0, id="1.345 spreads off: all of it"),
        pytest.param(0.29 + 0.0336, 0.5, id="twice as far: half"),
        pytest.param(0.29 + 2.4, 0.01, id="a hundredth at the least"),
    ],
)
def test_a_wild_minute_counts_for_less_the_farther_out_it_lies(cores, counts):
    after = with_minute(KNOWN, load_per_pod=60.0, cores_per_pod=cores)

    assert after.weight - 0.5 ** (1 / 1440) * 1000 == pytest.approx(counts, rel=0.01)


def test_the_first_minute_has_no_spread_and_the_second_is_all_spread():
    first = with_minute(CapacityFit("v1"), load_per_pod=60.0, cores_per_pod=0.29)
    second = with_minute(first, load_per_pod=70.0, cores_per_pod=0.34)

    assert first == CapacityFit("v1", 1.0, 60.0, 0.29)
    assert second.spread == pytest.approx(0.05 / 2, rel=1e-3)
    assert second.slope == pytest.approx(0.005)


def test_a_slope_that_may_be_flat_makes_the_upper_bound_far_not_low():
    doubtful = CapacityFit("v1", 31.0, 70.0, 0.35, 33.0, 0.033, 0.2)
    got = learned_capacity(doubtful, request_cores=0.5)

    assert 0 < got.low == got.per_pod < got.high


def test_a_changed_service_is_followed_within_days():
    fit = taught(3 * 1440, slope=0.008, fit=taught(1440, slope=0.004), seed=5)

    assert fit.slope == pytest.approx(0.008, rel=0.2)


def pod(ready_for, **fields):
    return PodFacts("p", ago(9000), ready_transition_at=ago(ready_for), **fields)


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        pytest.param({}, True, id="counts alone, all ready"),
        pytest.param({"ready_replicas": 9}, False, id="one is not ready"),
        pytest.param({"ready_replicas": 11}, False, id="one is one too many"),
        pytest.param({"spec_replicas": 11}, False, id="one more was ordered just now"),
        pytest.param({"rollout_in_progress": True}, False, id="a rollout"),
        pytest.param({"pods": (pod(120), pod(9000))}, True, id="all warm"),
        pytest.param({"pods": (pod(119), pod(9000))}, False, id="one is warming up"),
        pytest.param({"pods": (pod(5, deleted=True), pod(9000))}, True, id="one is leaving"),
        pytest.param({"pods": (pod(9000, ready=False),)}, False, id="one is ready no more"),
        pytest.param({"pods": (PodFacts("p", ago(9)),)}, True, id="ready since nobody knows when"),
        pytest.param({"pods": (pod(5, phase=PodPhase.PENDING),)}, True, id="one more is ordered"),
    ],
)
def test_a_minute_teaches_only_where_every_pod_is_warm(facts, expected):
    assert warmed_up(replace(workload(10), **facts), now=NOW) is expected


def test_nothing_runs_nothing_is_learned():
    assert not warmed_up(workload(0), now=NOW + timedelta(hours=1))


def glitched(fit, *, minutes, **times):
    """The fit after minutes whose load or cores are so many times as high as the minute's is."""
    load, cores = (times.get(name, 1.0) for name in ("load", "cores"))
    for _ in range(minutes):
        fit = with_minute(fit, load_per_pod=60.0 * load, cores_per_pod=0.35 * cores)
    return fit


@pytest.mark.parametrize("times", [{"load": 1e3}, {"load": 1e10}, {"cores": 1e10}], ids=str)
def test_a_counter_that_jumped_does_not_change_what_a_pod_carries(times):
    before = learned_capacity(fit := taught(2000), request_cores=0.5)

    got = learned_capacity(glitched(fit, minutes=5, **times), request_cores=0.5)

    assert got.per_pod == pytest.approx(before.per_pod, rel=0.01)


def test_the_tenth_odd_minute_is_believed():
    fit = taught(2000)

    ninth, tenth = (glitched(fit, minutes=n, load=1e3) for n in (9, 10))
    assert ninth.load == fit.load
    assert tenth.load > fit.load


def test_a_launch_is_believed_after_ten_minutes_also_when_it_comes_in_pieces():
    idle = taught(2000, load=(0.1, 0.2))
    launched = learned_capacity(taught(60, fit=idle), request_cores=0.5)
    pieces = idle
    for _ in range(20):
        pieces = taught(57, fit=taught(3, fit=pieces), load=(0.1, 0.2))
    in_pieces = learned_capacity(pieces, request_cores=0.5)

    true = learned_capacity(taught(2000), request_cores=0.5)
    assert launched.per_pod == pytest.approx(true.per_pod, rel=0.3)
    assert in_pieces.per_pod == pytest.approx(true.per_pod, rel=0.3)
