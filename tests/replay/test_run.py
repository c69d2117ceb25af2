from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np

from autoscaler.policy.schema import WorkloadPolicy
from autoscaler.replay.run import replay
from autoscaler.replay.trace import Trace


def policy():
    return WorkloadPolicy.model_validate(
        {
            "scaleTargetRef": {"name": "shop"},
            "maxReplicas": 100,
            "metrics": [
                {
                    "type": "RequestRate",
                    "requestRate": {"query": "q", "target": {"averageValue": "10"}},
                }
            ],
        }
    )


def recorded(days=1):
    minute = np.arange(days * 1440)
    rng = np.random.default_rng(7)
    load = 200 + 150 * np.sin(minute / 1440 * 2 * np.pi) + rng.normal(0, 5, len(minute))
    return Trace("synthetic", 1_700_000_040.0, 60, load)


def test_one_decision_per_tick_beside_the_frontier():
    result = replay(policy(), recorded(), risk=0.01)

    assert len(result.replicas) == len(result.seconds) == 5760
    assert result.replicas.min() >= 1
    assert result.ours.cost < 2.0
    assert result.scores is not None


def test_days_run_in_the_policy_s_time_zone_when_its_clock_is_set_forward():
    changes = datetime(2026, 3, 29, tzinfo=UTC)  # in Berlin, where office hours then begin at 6
    began, until = changes - timedelta(days=3), changes + timedelta(hours=6)
    minutes = [
        began + timedelta(minutes=n) for n in range(int((until - began).total_seconds()) // 60)
    ]
    here = ZoneInfo("Europe/Berlin")
    load = np.array([20.0 + 100.0 * (8 <= at.astimezone(here).hour < 18) for at in minutes])
    trace = Trace("office hours", began.timestamp(), 60, load)
    local = policy().forecast.model_copy(update={"time_zone": "Europe/Berlin"})

    zoned = policy().model_copy(update={"forecast": local})
    decided = replay(zoned, trace, startup_seconds=120, compare=False)

    assert decided.replicas[-1] > 6  # by UTC nobody comes for another hour, and 3 are enough
