import numpy as np
import pytest

from autoscaler.policy.schema import WorkloadPolicy
from autoscaler.replay.run import replay
from autoscaler.replay.trace import Trace

POLICY = WorkloadPolicy.model_validate(
    {
        "scaleTargetRef": {"name": "shop"},
        "minReplicas": 2,
        "maxReplicas": 50,
        "metrics": [
            {"type": "RequestRate", "requestRate": {"query": "q", "target": {"averageValue": "5"}}}
        ],
    }
)


def gaps(load, share, seed=0):
    return np.where(np.random.default_rng(seed).random(len(load)) < share, np.nan, load)


@pytest.mark.parametrize(
    ("step", "load"),
    [
        pytest.param(10, 50 + 20 * np.sin(np.arange(720) / 90), id="finer than a tick"),
        pytest.param(15, 50 + 20 * np.sin(np.arange(480) / 60), id="one row per tick"),
        pytest.param(900, 50 + 20 * np.sin(np.arange(20) / 3), id="a quarter of an hour"),
        pytest.param(60, gaps(np.full(120, 40.0), 0.4), id="four rows in ten missing"),
        pytest.param(60, np.where(np.arange(120) < 30, np.nan, 60.0), id="nothing at first"),
        pytest.param(60, np.where(np.arange(120) < 60, 80.0, np.nan), id="nothing at last"),
        pytest.param(60, np.zeros(120), id="always idle"),
        pytest.param(60, np.where(np.arange(120) < 60, 0.0, 150.0), id="idle, then launched"),
        pytest.param(60, np.where(np.arange(120) == 60, 1e9, 20.0), id="one absurd value"),
        pytest.param(60, np.full(120, np.nan), id="nothing known"),
        pytest.param(60, np.array([3.0, 4.0]), id="two rows"),
    ],
)
def test_odd_recordings_are_decided_within_bounds(step, load):
    result = replay(POLICY, Trace("odd", 1_700_000_046.0, step, load), startup_seconds=60.0)

    assert len(result.replicas) == -(-step * len(load) // 15)
    assert result.replicas.min() >= 2
    assert result.replicas.max() <= 50
    assert np.isfinite(result.ours.cost)


def test_a_gap_never_lowers():
    load = np.where((np.arange(180) >= 90) & (np.arange(180) < 150), np.nan, 150.0)

    replicas = replay(POLICY, Trace("gap", 1_700_000_040.0, 60, load), compare=False).replicas

    during = replicas[90 * 4 + 6 : 150 * 4]
    assert (np.diff(during) >= 0).all()
    assert during.min() >= 30


def test_through_a_morning_without_metrics_replicas_rise_as_on_earlier_days():
    minutes = np.arange(3 * 1440)
    hours = minutes % 1440 / 60
    true = 20 + 180 * np.clip(np.sin((hours - 6) / 12 * np.pi), 0, None)
    blind = (minutes >= 2 * 1440 + 7 * 60) & (minutes < 2 * 1440 + 14 * 60)
    load = np.where(blind, np.nan, true)

    replicas = replay(POLICY, Trace("blind", 1_699_920_000.0, 60, load), compare=False).replicas

    at = {hour: int(replicas[(2 * 1440 + hour * 60) * 4]) for hour in (7, 9, 11, 13)}
    needed = {hour: true[2 * 1440 + hour * 60] / 5 for hour in at}
    assert at[9] >= needed[9]
    assert at[11] >= 0.95 * needed[11]
    assert at[13] == at[11]  # four hours are over: it holds
