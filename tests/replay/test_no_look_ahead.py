from pathlib import Path

import numpy as np
import pytest

from autoscaler.policy.schema import WorkloadPolicy
from autoscaler.replay.run import replay
from autoscaler.replay.trace import Trace, read_trace

RECORDED = Path(__file__).parents[3] / "shared" / "traces"
N_RECORDINGS = 10
HOURS = 8
CUTS = (0.08, 0.31, 0.5, 0.77, 0.96)
POLICY = WorkloadPolicy.model_validate(
    {
        "scaleTargetRef": {"name": "shop"},
        "maxReplicas": 200,
        "metrics": [
            {"type": "RequestRate", "requestRate": {"query": "q", "target": {"averageValue": "1"}}}
        ],
    }
)


def recordings():
    """One that is made is cut at every share; those that were recorded at two each, in turn."""
    paths = sorted(RECORDED.glob("*.csv.gz"))[:N_RECORDINGS] if RECORDED.is_dir() else []
    turns = [(CUTS[k % len(CUTS)], CUTS[(k + 2) % len(CUTS)]) for k in range(len(paths))]
    each = zip(paths, turns, strict=True)
    return [
        pytest.param(None, CUTS, id="synthetic"),
        *(pytest.param(path, cuts, id=path.name.split(".")[0]) for path, cuts in each),
    ]


def some_hours(path):
    if path is None:
        minute = np.arange(HOURS * 60)
        noise = np.random.default_rng(1).uniform(0.8, 1.2, len(minute))
        return Trace("synthetic", 1_700_000_046.0, 60, noise * (20 + 10 * np.sin(minute / 60) ** 2))
    whole = read_trace(path)
    busy = whole.scaled(40 / np.nanpercentile(whole.load, 99.5))
    return busy.cut(busy.start_seconds + HOURS * 3600)


@pytest.mark.parametrize(("path", "cuts"), recordings())
def test_nothing_after_a_tick_reaches_its_decision(path, cuts):
    whole = some_hours(path)
    full = replay(POLICY, whole, compare=False)

    for share in cuts:
        end = whole.start_seconds + share * HOURS * 3600
        cut = replay(POLICY, whole.cut(end), compare=False)
        n = int((end - whole.start_seconds) // 15)
        np.testing.assert_array_equal(full.replicas[:n], cut.replicas[:n])
