"""The past of one workload as Prometheus has it: its load, what its pods use, how many there were.

Pods are counted and requests are read by metrics that cAdvisor and kube-state-metrics export.
What is not there is unknown, NaN or None, which is for the asker to tell.
"""

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import numpy as np

from autoscaler.commands.progress import progress_bar
from autoscaler.decide.facts import TargetRef
from autoscaler.errors import MetricUnavailableError
from autoscaler.metrics.findings import DOUBTFUL
from autoscaler.metrics.prometheus import PrometheusMetrics, PrometheusSettings
from autoscaler.metrics.transport import QueryRefusedError
from autoscaler.metrics.workload_past import cores_requested, pods_metric, query_metric
from autoscaler.policy.metric import MetricSpec
from autoscaler.ports import FloatArray, LoadSeries
from autoscaler.replay.trace import Trace

STEP = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Recorded:
    """Reads the last days of one workload, on one grid of minutes."""

    metrics: PrometheusMetrics
    target: TargetRef
    end: datetime
    doubtful: set[str] = field(default_factory=set)
    """What is to be said against what was read, once."""

    def load(self, metric: MetricSpec, *, days: float) -> Trace:
        """Return the load by one metric; a step's value stands at its beginning."""
        start = self.end - timedelta(days=days)
        history = self.metrics.history(
            [LoadSeries(self.target, metric)], start=start, end=self.end, step=STEP
        )
        if history.doubtful:
            self.doubtful.add(f"{self.target}: {DOUBTFUL}")
        seconds = int(STEP.total_seconds())
        return Trace(str(self.target), start.timestamp(), seconds, history.load[0])

    def found(self, metric: MetricSpec, *, days: float) -> float:
        """Return which share of the last days is known; 0 when Prometheus refuses the question."""
        try:
            return float(np.isfinite(self.load(metric, days=days).load).mean())
        except QueryRefusedError:
            return 0.0

    def pods(self, *, days: float) -> FloatArray:
        """Return how many pods had a container running at each minute."""
        return self.load(pods_metric(self.target), days=days).load

    def requested_cores(self, container: str | None) -> float | None:
        """Return the cores that one pod requests (or one container of it) now; None = unknown."""
        asked = cores_requested(self.target, container=container)
        recent = self.load(query_metric(f"avg(sum by (pod) ({asked}))"), days=0.05).load
        known = recent[np.isfinite(recent)]
        return float(known[-1]) if known.size else None


@contextmanager
def recorded(settings: PrometheusSettings, target: TargetRef) -> Iterator[Recorded]:
    """Yield the reader of one workload's past, up to the last full minute."""
    seconds = STEP.total_seconds()
    now = datetime.now(tz=UTC).timestamp() // seconds * seconds
    metrics = PrometheusMetrics(settings)
    past = Recorded(metrics, target, datetime.fromtimestamp(now, tz=UTC))
    # What is wrong is told in a sentence; a bare event name on the way there tells nobody anything.
    logging.getLogger("autoscaler").addHandler(logging.NullHandler())
    try:
        with progress_bar("asking Prometheus"):
            yield past
        for told in past.doubtful:
            print(told, file=sys.stderr)
    except QueryRefusedError:
        raise
    except MetricUnavailableError as error:
        told = f"{error}; does --prometheus-url say where Prometheus is?"
        raise MetricUnavailableError(told) from error
    finally:
        metrics.close()
