"""Reads back the past of N meshed workloads as the daemon does; made to be killed.

Every point is compared with what the stand-in Prometheus is known to have answered (`load_at`).
"""

import argparse
import json
import logging
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from autoscaler.decide.facts import TargetRef
from autoscaler.metrics.prometheus import PrometheusMetrics, PrometheusSettings
from autoscaler.policy.metric import MetricSpec
from autoscaler.ports import LoadSeries
from autoscaler.review import log

METRIC = MetricSpec.model_validate({"type": "RequestRate", "requestRate": {"source": "linkerd"}})


def load_at(seconds: NDArray[np.float64], number: int) -> NDArray[np.float64]:
    """Return what service `number` serves at some instants, in requests/s."""
    return 100.0 + number % 7 + np.floor(seconds / 60) % 1440


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--url", required=True)
    parser.add_argument("--cache", type=Path)
    parser.add_argument("--workloads", type=int, required=True)
    parser.add_argument("--days", type=float, required=True)
    parser.add_argument("--step", type=float, default=300.0)
    parser.add_argument("--end", type=float, required=True)
    parser.add_argument("--batch", type=int, default=200)
    given = parser.parse_args()
    log.configure(log_format="json", level=logging.INFO)
    began = time.monotonic()
    settings = PrometheusSettings(
        given.url, history_cache=given.cache, history_timeout=timedelta(minutes=2)
    )
    metrics, n_wrong, n_points = PrometheusMetrics(settings), 0, 0
    series = [
        LoadSeries(TargetRef("shop", f"service-{i:05d}"), METRIC) for i in range(given.workloads)
    ]
    end, step = datetime.fromtimestamp(given.end, tz=UTC), timedelta(seconds=given.step)
    for first in range(0, len(series), given.batch):
        history = metrics.history(
            series[first : first + given.batch],
            start=end - timedelta(days=given.days),
            end=end,
            step=step,
        )
        at = given.end - given.step * np.arange(history.load.shape[1])[::-1]
        for row, known in enumerate(history.load, start=first):
            n_wrong += int((~np.isclose(known, load_at(at, row), atol=1e-3)).sum())
        n_points += history.load.size
    metrics.close()
    took = time.monotonic() - began
    print(json.dumps({"seconds": took, "points": n_points, "wrong": n_wrong, "mib": peak_mib()}))


def peak_mib() -> float:
    """Return the most memory this process ever held; `ru_maxrss` would include its parent's."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


if __name__ == "__main__":
    main()
