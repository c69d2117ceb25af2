"""How do cycle time, memory and requests grow with the policies: 100, 1,000, 10,000.

The daemon's own parts in this process, a real API server and a streaming stand-in for Prometheus in
others; CPU is counted for this process alone, so that other people's work on the machine does not
show.

    python tests/bench/scale.py [--cycles 12] [100 1000 10000]
"""

import argparse
import gc
import json
import logging
import resource
import statistics
import sys
import tempfile
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import yaml

sys.path.insert(0, str(Path(__file__).parents[1]))

from autoscaler.cluster.api import Request, answered, connect
from autoscaler.cluster.kubernetes_cluster import KubernetesCluster
from autoscaler.daemon import Daemon, World, spare_garbage_collection
from autoscaler.metrics.prometheus import PrometheusMetrics
from autoscaler.metrics.settings import PrometheusSettings
from autoscaler.review import log
from autoscaler.review.latest import LatestRecords
from autoscaler.review.log import DecisionLog
from autoscaler.review.record import DecisionRecord
from support.control_plane import ControlPlane
from support.processes import Process, free_port, wait_until
from support.workloads import deployment

NAMESPACE = "shop"
INTERVAL = timedelta(seconds=15)
POLICIES_PER_MAP = 500


class SteppedClock:
    """The real time, moved on by one interval per cycle."""

    def __init__(self) -> None:
        self.ahead = timedelta(0)

    def now(self) -> datetime:
        return datetime.now(tz=UTC) + self.ahead


def policy(name: str) -> str:
    target = {"averageValue": "120"}
    return yaml.safe_dump(
        {
            "scaleTargetRef": {"name": name},
            "mode": "ForecastAndScale",
            "minReplicas": 2,
            "maxReplicas": 60,
            "metrics": [
                {
                    "type": "RequestRate",
                    "requestRate": {"source": "linkerd", "target": target},
                }
            ],
        }
    )


def fill(api: object, n: int) -> None:
    """Create the namespace, n Deployments of ten replicas, and their policies."""
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}
    answered(api, Request("POST", "/api/v1/namespaces", body=namespace))
    names = [f"service-{i:05d}" for i in range(n)]
    path = f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments"
    with ThreadPoolExecutor(8) as pool:
        bodies = (deployment(name, replicas=10) for name in names)
        list(pool.map(lambda body: answered(api, Request("POST", path, body=body)), bodies))
    for start in range(0, n, POLICIES_PER_MAP):
        some = names[start : start + POLICIES_PER_MAP]
        body = {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {
                "name": f"policies-{start}",
                "labels": {"autoscaler/policies": "true"},
            },
            "data": {name: policy(name) for name in some},
        }
        maps = f"/api/v1/namespaces/{NAMESPACE}/configmaps"
        answered(api, Request("POST", maps, body=body))


def resident_mib() -> float:
    """Return what this process holds now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 2**20


def measured(n: int, *, cycles: int) -> dict[str, float]:
    """Return the figures of one size."""
    with tempfile.TemporaryDirectory() as folder:
        plane = ControlPlane(Path(folder))
        plane.start()
        # Nobody shall create a hundred thousand pods here.
        plane._processes.pop("kube-controller-manager").stop()
        port = free_port()
        stand_in = [sys.executable, Path(__file__).with_name("prometheus_stand_in.py")]
        prometheus = Process([*stand_in, str(port), str(n)], log=Path(folder) / "prometheus.log")
        try:
            return _measured(plane, f"http://127.0.0.1:{port}", n, cycles=cycles)
        finally:
            prometheus.stop()
            plane.stop()


def _measured(plane: ControlPlane, url: str, n: int, *, cycles: int) -> dict[str, float]:
    connection = connect(plane.admin_kubeconfig)
    fill(connection.client, n)
    cluster = KubernetesCluster(connection.client, namespace=NAMESPACE)
    cluster.start()
    wait_until(cluster.synced, within=120, what="the first lists")
    latest, lines, clock, rescaled = LatestRecords(), DecisionLog(), SteppedClock(), []

    def record(one: DecisionRecord) -> None:
        lines.write(one)
        latest.keep(one)
        rescaled.append(one.rescaled)

    settings = PrometheusSettings(url, timeout=timedelta(seconds=60))
    daemon = Daemon(
        World(PrometheusMetrics(settings), cluster, clock), interval=INTERVAL, record=record
    )
    daemon.cycle()  # everything is new to this one
    spare_garbage_collection()
    took, queries = [], _queries(url)
    for _ in range(cycles):
        rescaled.clear()
        clock.ahead += INTERVAL
        began = time.process_time()
        daemon.cycle()
        took.append(time.process_time() - began)
    figures = {
        "policies": n,
        "cpu_p50_s": statistics.median(took),
        "cpu_p99_s": float(np.quantile(took, 0.99)),
        "resident_mib": resident_mib(),
        "queries_per_cycle": (_queries(url) - queries) / cycles,
        "writes_last_cycle": sum(rescaled),
    }
    cluster.stop()
    return figures


def _queries(url: str) -> int:
    with urllib.request.urlopen(f"{url}/queries", timeout=60) as answer:
        return int(json.load(answer))


def main() -> None:
    """Measure the sizes that were asked for."""
    parser = argparse.ArgumentParser()
    parser.add_argument("sizes", nargs="*", type=int, default=[100, 1000, 10_000])
    parser.add_argument("--cycles", type=int, default=12)
    arguments = parser.parse_args()
    with Path("/dev/null").open("w") as nowhere:
        log.configure(log_format="json", level=logging.INFO, stream=nowhere)
        table(arguments.sizes, cycles=arguments.cycles)


def table(sizes: list[int], *, cycles: int) -> None:
    """Print a line per size."""
    print(
        f"{'policies':>9} {'cpu p50':>9} {'cpu p99':>9} {'us/policy':>10} {'MiB':>7} queries writes"
    )
    for size in sizes:
        row = measured(size, cycles=cycles)
        print(
            f"{row['policies']:>9.0f} {row['cpu_p50_s']:>8.3f}s {row['cpu_p99_s']:>8.3f}s "
            f"{row['cpu_p50_s'] / size * 1e6:>10.0f} {row['resident_mib']:>7.0f} "
            f"{row['queries_per_cycle']:>7.1f} {row['writes_last_cycle']:>6.0f}",
            flush=True,
        )
        gc.collect()


if __name__ == "__main__":
    main()
