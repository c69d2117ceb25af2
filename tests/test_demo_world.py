from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from autoscaler.decide.facts import TargetRef
from autoscaler.errors import ScaleConflictError, ScaleRefusedError
from autoscaler.policy.metric import MetricSpec
from autoscaler.ports import LoadSeries
from autoscaler.replay.demo_load import Shape, names_and_shapes, synthetic_load
from autoscaler.replay.demo_world import DemoClock, DemoCluster, DemoDeployment, DemoMetrics

NOW = datetime(2026, 11, 20, 8, 0, tzinfo=UTC)
CHECKOUT = TargetRef("shop", "checkout")
STARTUP = timedelta(seconds=120)
SERIES = LoadSeries(
    CHECKOUT,
    MetricSpec.model_validate({"type": "RequestRate", "requestRate": {"source": "linkerd"}}),
)


def cluster_of(pods):
    clock = DemoClock(NOW)
    deployment = DemoDeployment(STARTUP, pods=[NOW - timedelta(hours=1)] * pods)
    return DemoCluster({CHECKOUT: deployment}, (), clock), clock


def test_an_ordered_pod_serves_after_its_startup_and_not_before():
    cluster, clock = cluster_of(2)
    cluster.patch_scale(CHECKOUT, 5, resource_version="1")

    clock.advance(STARTUP - timedelta(seconds=1))
    before = cluster.reread(CHECKOUT)
    clock.advance(timedelta(seconds=1))
    after = cluster.reread(CHECKOUT)

    assert (before.spec_replicas, before.ready_replicas) == (5, 2)
    assert (after.spec_replicas, after.ready_replicas) == (5, 5)


def test_scale_in_takes_pods_that_are_not_ready_first():
    cluster, _ = cluster_of(2)
    cluster.patch_scale(CHECKOUT, 5, resource_version="1")
    cluster.patch_scale(CHECKOUT, 2, resource_version="2")

    assert cluster.reread(CHECKOUT).ready_replicas == 2


def test_a_write_on_an_old_version_is_a_conflict():
    cluster, _ = cluster_of(2)
    cluster.patch_scale(CHECKOUT, 5, resource_version="1")

    with pytest.raises(ScaleConflictError, match="read at version 1"):
        cluster.patch_scale(CHECKOUT, 9, resource_version="1")


def test_a_target_that_is_not_there_is_absent_or_refused():
    cluster, _ = cluster_of(2)
    other = TargetRef("shop", "other")

    assert cluster.workloads([other]) == {}
    with pytest.raises(ScaleRefusedError, match="shop/other: 404"):
        cluster.reread(other)


def test_the_newest_sample_is_the_minute_that_ended_thirty_seconds_ago():
    load = np.arange(100.0)
    metrics = DemoMetrics({CHECKOUT: load}, start=NOW)

    [sample] = metrics.newest([SERIES], now=NOW + timedelta(seconds=15 * 10), workloads={})

    assert sample.value == np.mean([4, 5, 6, 7])  # ticks 4-7 ended 30 s before tick 10
    assert sample.sampled_at == NOW + timedelta(seconds=15 * 10 - 30)


def test_history_before_the_first_recording_is_a_gap_not_zero():
    metrics = DemoMetrics({CHECKOUT: np.full(8, 3.0)}, start=NOW)

    got = metrics.history(
        [SERIES],
        start=NOW - timedelta(minutes=1),
        end=NOW + timedelta(minutes=2),
        step=timedelta(minutes=1),
    )

    np.testing.assert_array_equal(got.load, [[np.nan, 3.0, 3.0]])


def days_of(shape, *, seed=1):
    live = NOW.timestamp() - NOW.timestamp() % 86_400
    return synthetic_load(
        shape,
        start_seconds=live - 7 * 86_400,
        live_seconds=live,
        end_seconds=live + 2 * 86_400,
        seed=seed,
    )


def test_a_seed_repeats_the_load():
    shape = names_and_shapes()[0][1]

    np.testing.assert_array_equal(days_of(shape), days_of(shape))


def test_the_weekend_is_quieter_and_the_launch_stays():
    load = days_of(Shape(100, 1000, 1000, launch_share=1.0)).reshape(9, -1).mean(axis=1)

    saturday, monday, friday = load[1], load[3], load[7]  # the first day is a Friday
    assert saturday < 0.7 * monday
    assert friday > 1.2 * monday


def test_the_flash_crowd_comes_at_three_quarters_of_the_live_days():
    calm, flash = days_of(Shape(100, 0, 0)), days_of(Shape(100, 0, 0, flash_share=4.0))

    first = int(np.argmax(flash - calm > 200))
    assert first * 15 == pytest.approx((7 + 1.5) * 86_400, abs=60)
