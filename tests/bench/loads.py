"""The recordings a bench runs on: a folder of CSVs, or synthetic ones where there is none."""

from pathlib import Path

import numpy as np

from autoscaler.policy.schema import WorkloadPolicy
from autoscaler.replay.trace import Trace, read_trace

BESIDE_THE_REPOSITORY = Path(__file__).parents[3] / "shared" / "traces"
# Every recording is scaled so that its 99.5th percentile needs this many pods.
PODS_AT_PEAK = 40
BENCH_CAPACITY = 100.0


def traces_in(folder: Path) -> list[Trace]:
    """Return the recordings of a folder, or synthetic ones when it is absent."""
    paths = sorted(folder.glob("*.csv*")) if folder.is_dir() else []
    return [scaled(read_trace(path)) for path in paths] or [scaled(t) for t in synthetic_traces()]


def scaled(trace: Trace) -> Trace:
    """Return the recording at the bench's common peak."""
    peak = float(np.nanpercentile(trace.load, 99.5))
    return trace.scaled(PODS_AT_PEAK * BENCH_CAPACITY / peak)


def synthetic_traces() -> list[Trace]:
    """Return made-up loads: a daily rhythm, noise, clock-locked bursts, steps of five minutes."""
    rng = np.random.default_rng(11)
    minute = np.arange(9 * 1440)
    day = 1.0 + 0.6 * np.sin(2 * np.pi * minute / 1440)
    bursts = np.where(minute % 60 < 5, 1.8, 1.0)
    loads = {
        "daily": day * rng.normal(1, 0.02, len(minute)),
        "noisy": day * rng.gamma(25, 1 / 25, len(minute)),
        "hourly bursts": day * bursts * rng.normal(1, 0.03, len(minute)),
        "walk": np.exp(np.cumsum(rng.normal(0, 0.01, len(minute)))),
        "five minutes": np.repeat((day * rng.normal(1, 0.05, len(minute)))[::5], 5),
    }
    return [Trace(name, 1_700_000_040.0, 60, np.abs(load)) for name, load in loads.items()]


def bench_policy() -> WorkloadPolicy:
    """Return a policy with every default, whose capacity fits the common peak."""
    return WorkloadPolicy.model_validate(
        {
            "scaleTargetRef": {"name": "bench"},
            "maxReplicas": 1000,
            "metrics": [
                {
                    "type": "RequestRate",
                    "requestRate": {
                        "query": "bench",
                        "target": {"averageValue": str(BENCH_CAPACITY)},
                    },
                }
            ],
        }
    )
