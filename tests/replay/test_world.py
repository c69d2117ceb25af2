import numpy as np
import pytest

from autoscaler.replay.clairvoyant import clairvoyant_replicas
from autoscaler.replay.elasticity import Elasticity, elasticity
from autoscaler.replay.frontier import frontier_of, hpa_sweep
from autoscaler.replay.hpa import KNEE, HpaConfigs, hpa_run
from autoscaler.replay.scores import scores
from autoscaler.replay.ticks import measured_load
from autoscaler.replay.world import Outcome, outcome, ready_replicas


def counts(*values):
    return np.array(values, dtype=np.int64)


@pytest.mark.parametrize(
    ("desired", "startup", "ready"),
    [
        pytest.param(counts(1, 3, 3, 3), 30, [1, 1, 1, 3], id="a pod serves after its start-up"),
        pytest.param(counts(3, 1, 1, 1), 30, [3, 1, 1, 1], id="a pod given up is gone at once"),
        pytest.param(counts(1, 3, 1, 3, 3), 30, [1, 1, 1, 1, 1], id="not-ready pods go first"),
        pytest.param(counts(2, 4, 4), 0, [2, 4, 4], id="no start-up"),
    ],
)
def test_ready_is_the_least_that_was_desired_during_a_start_up(desired, startup, ready):
    assert ready_replicas(desired, startup_seconds=startup).tolist() == ready


def test_slow_overload_and_cost_are_counted_over_known_ticks():
    load = np.array([1.0, 2.0, np.nan, 2.3, 3.0])

    got = outcome(load, counts(2, 2, 2, 2, 2), startup_seconds=0)

    assert got.slow == pytest.approx(2 / 4)
    assert got.overload == pytest.approx(1 / 4)
    assert got.cost == pytest.approx(8 / (1 + 2 + 3 + 3))


def test_the_clairvoyant_is_never_slow_and_orders_no_sooner_than_needed():
    load = np.array([1.0, 1.0, 1.0, 1.0, 5.0, 5.0, 1.0, 1.0])

    desired = clairvoyant_replicas(load, startup_seconds=30)

    assert desired.tolist() == [1, 1, 5, 5, 5, 5, 1, 1]
    assert outcome(load, desired, startup_seconds=30).slow == 0.0


def test_the_controller_reads_a_minute_that_ended_half_a_minute_ago():
    offered = np.arange(12.0)

    measured = measured_load(offered)

    assert np.isnan(measured[:6]).all()
    assert measured[6:].tolist() == [1.5, 2.5, 3.5, 4.5, 5.5, 6.5]


def test_the_frontier_keeps_only_what_nothing_beats():
    got = frontier_of(
        np.array([1.0, 2.0, 3.0]),
        np.array([0.1, 0.2, 0.01]),
        np.array([4.0, 5.0, 6.0]),
        n_ticks=1000,
    )

    assert got.cost.tolist() == [1.0, 3.0]
    assert got.cost_at(0.1) == pytest.approx(1.0)
    assert got.slow_at(3.0**0.5) == pytest.approx((0.1 * 0.01) ** 0.5)


def test_an_hpa_follows_a_step_and_waits_five_minutes_before_it_scales_in():
    offered = np.concatenate([np.full(40, 10.0), np.full(40, 20.0), np.full(60, 10.0)])
    configs = HpaConfigs(np.array([0.85]), np.array([False]))

    run = hpa_run(offered, measured_load(offered), configs, startup_seconds=30, first=10)

    assert run.desired[39, 0] == 10
    assert run.desired[50, 0] == 20
    assert run.desired[80 + 20, 0] == 20
    assert run.desired[80 + 30, 0] == 10


def test_an_hpa_grows_by_four_pods_or_to_double_a_tick_whichever_is_more():
    offered, configs = np.full(12, 19.0), HpaConfigs(np.array([KNEE]), np.array([False]))

    run = hpa_run(offered, measured_load(offered), configs, startup_seconds=0, first=1)

    assert run.desired[5:, 0].tolist() == [1, 5, 10, 19, 19, 19, 19]


def test_what_an_hpa_begins_with_counts_as_recommended():
    offered, configs = np.full(30, 2.0), HpaConfigs(np.array([KNEE]), np.array([False]))

    run = hpa_run(offered, measured_load(offered), configs, startup_seconds=0, first=10)

    assert run.desired[18:22, 0].tolist() == [10, 10, 2, 2]


def test_who_knows_the_future_keeps_one_pod_where_nothing_is_asked():
    assert clairvoyant_replicas(np.array([0.0, np.nan, 2.0]), startup_seconds=0).tolist() == [
        1, 1, 2,
    ]  # fmt: skip


def test_scores_take_no_slow_time_for_half_a_tick_and_see_no_gap_where_there_is_none():
    frontier = frontier_of(np.array([1.0, 2.0]), np.array([0.1, 0.001]), np.ones(2), n_ticks=1000)
    ours, best = Outcome(0.0, 0.0, 1.0, 1.0), Outcome(0.0, 0.0, 2.0, 1.0)

    got = scores(ours, frontier, best)

    assert got.slow_at_equal_cost == pytest.approx(0.0005 / 0.1)
    assert (got.limit, got.gap_closed) == (pytest.approx(1.0), None)


def test_perfect_supply_has_perfect_elasticity():
    load = np.array([1.0, 2.0, 3.0, 2.0])

    got = elasticity(load, counts(1, 2, 3, 2), startup_seconds=0)

    assert got == Elasticity(0.0, 0.0, 0.0, 0.0, 0.0)


def test_elasticity_tells_how_far_off_how_often_and_how_restless():
    load = np.array([2.0, 2.0, 4.0, 2.0, np.nan])

    got = elasticity(load, counts(2, 3, 3, 3, 9), startup_seconds=0)

    # Of the four known ticks one is short by a quarter, two have half of the demand too much;
    # of the three steps between them one moved while demand stood still.
    assert got == Elasticity(0.25 / 4, 1.0 / 4, 1 / 4, 2 / 4, 1 / 3)


def test_the_peer_is_the_hpa_of_the_sweep_whose_cost_is_nearest():
    load = 5.0 + 4.0 * np.sin(np.arange(960) / 60)
    sweep = hpa_sweep(load, measured_load(load), startup_seconds=60, first=5)

    peer = sweep.peer(1.3)

    alone = HpaConfigs(np.array([peer.target]), np.array([peer.by_cpu]))
    run = hpa_run(load, measured_load(load), alone, startup_seconds=60, first=5)
    assert abs(peer.cost - 1.3) == np.abs(sweep.cost - 1.3).min()
    assert peer.ready.tolist() == run.ready[:, 0].tolist()
    assert peer.slow == np.mean(load > peer.ready + 1e-9)
