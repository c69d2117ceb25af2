import numpy as np
import pytest

from autoscaler.errors import TraceError
from autoscaler.policy.schema import WorkloadPolicy
from autoscaler.replay.sweep import geometric_mean, jobs_of, run_jobs, summaries
from autoscaler.replay.trace import Trace

POLICY = WorkloadPolicy.model_validate(
    {
        "scaleTargetRef": {"name": "shop"},
        "maxReplicas": 100,
        "metrics": [
            {"type": "RequestRate", "requestRate": {"query": "q", "target": {"averageValue": "5"}}}
        ],
    }
)


def recorded(name):
    minute = np.arange(180)
    return Trace(name, 1_700_000_040.0, 60, 100 + 50 * np.sin(minute / 20))


def test_every_combination_is_replayed_in_order_and_summed_up():
    jobs = jobs_of(POLICY, [recorded("a"), recorded("b")], [30.0, 120.0], [0.01])
    seen = []

    results = run_jobs(jobs, progress=lambda done, total: seen.append((done, total)))

    assert [(r.trace, r.startup_seconds) for r in results] == [
        ("a", 30.0),
        ("a", 120.0),
        ("b", 30.0),
        ("b", 120.0),
    ]
    assert seen[-1] == (4, 4)
    assert [(s.startup_seconds, s.n_traces) for s in summaries(results)] == [(30.0, 2), (120.0, 2)]


def test_two_processes_decide_as_one():
    jobs = jobs_of(POLICY, [recorded("a"), recorded("b")], [120.0], [0.01])

    one, two = run_jobs(jobs), run_jobs(jobs, workers="2")

    for left, right in zip(one, two, strict=True):
        np.testing.assert_array_equal(left.replicas, right.replicas)


@pytest.mark.parametrize("workers", ["0", "-1", "many", ""])
def test_nonsense_workers_are_refused(workers):
    with pytest.raises(TraceError, match="workers must be"):
        run_jobs([], workers=workers)


def test_a_geometric_mean_is_that_of_the_logarithms():
    assert geometric_mean([0.5, 2.0]) == pytest.approx(1.0)
