import numpy as np
import pytest

from autoscaler.policy.schema import WorkloadPolicy
from autoscaler.replay.sweep import jobs_of, run_jobs
from autoscaler.replay.trace import Trace

distributed = pytest.importorskip("distributed")

POLICY = WorkloadPolicy.model_validate(
    {
        "scaleTargetRef": {"name": "shop"},
        "maxReplicas": 100,
        "metrics": [
            {"type": "RequestRate", "requestRate": {"query": "q", "target": {"averageValue": "5"}}}
        ],
    }
)


@pytest.mark.filterwarnings("default")
def test_a_dask_cluster_decides_as_one_process():
    load = 100 + 50 * np.sin(np.arange(60) / 20)
    jobs = jobs_of(POLICY, [Trace("a", 1_700_000_040.0, 60, load)], [30.0, 120.0], [0.01])
    with distributed.LocalCluster(
        n_workers=2,
        threads_per_worker=1,
        host="127.0.0.1",
        dashboard_address=None,
    ) as cluster:
        address = cluster.scheduler_address.replace("tcp://", "dask://")
        there = run_jobs(jobs, workers=address)

    for left, right in zip(there, run_jobs(jobs), strict=True):
        np.testing.assert_array_equal(left.replicas, right.replicas)
