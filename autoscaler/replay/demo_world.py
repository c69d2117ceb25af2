"""A cluster that is not there: simulated pods, synthetic load, a clock only the demo moves.

It answers the same ports as Kubernetes and Prometheus do, so the demo runs the very loop that runs
in a cluster.
Pods take `startup` to become ready; scale in takes not-ready pods first; the newest sample is the
mean load of the last 60 s, 30 s old.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import numpy as np

from autoscaler.decide.facts import Sample, TargetRef, WorkloadFacts
from autoscaler.errors import ScaleConflictError, ScaleRefusedError
from autoscaler.ports import FloatArray, History, LoadSeries, PolicyDocument
from autoscaler.replay.ticks import METRIC_AGE_SECONDS, TICK_SECONDS, measured_load

METRIC_AGE = timedelta(seconds=METRIC_AGE_SECONDS)
_REMEMBERED_LEAD_TIMES = 20


@dataclass(slots=True)
class DemoClock:
    """A clock that stands still until it is moved."""

    at: datetime

    def now(self) -> datetime:
        """Return the current instant."""
        return self.at

    def advance(self, by: timedelta) -> None:
        """Move on."""
        self.at += by


@dataclass(slots=True)
class DemoDeployment:
    """One simulated Deployment: when each of its pods was created, oldest first."""

    startup: timedelta
    pods: list[datetime] = field(default_factory=list)
    version: int = 1
    lead_times: tuple[timedelta, ...] = ()

    def scale_to(self, replicas: int, *, now: datetime) -> None:
        """Create or remove pods; the newest go first, those not ready before those that serve."""
        self.version += 1
        missing = replicas - len(self.pods)
        if missing > 0:
            self.pods += [now] * missing
            self.lead_times = (*self.lead_times, self.startup)[-_REMEMBERED_LEAD_TIMES:]
        else:
            del self.pods[replicas:]

    def ready(self, *, now: datetime) -> int:
        """Return how many pods serve."""
        return sum(now - created >= self.startup for created in self.pods)


class DemoCluster:
    """The `Cluster` port over simulated Deployments."""

    def __init__(
        self,
        deployments: Mapping[TargetRef, DemoDeployment],
        documents: Sequence[PolicyDocument],
        clock: DemoClock,
    ) -> None:
        self._deployments = deployments
        self._documents = tuple(documents)
        self._clock = clock
        self.events: list[tuple[datetime, TargetRef, str, str]] = []

    def policies(self) -> Sequence[PolicyDocument]:
        """Return the demo's policies."""
        return self._documents

    def workloads(self, targets: Sequence[TargetRef]) -> Mapping[TargetRef, WorkloadFacts]:
        """Return the simulated Deployments that exist."""
        return {target: self.reread(target) for target in targets if target in self._deployments}

    def reread(self, target: TargetRef) -> WorkloadFacts:
        """Return one simulated Deployment as it is now."""
        now = self._clock.now()
        deployment = self._existing(target)
        return WorkloadFacts(
            target=target,
            spec_replicas=len(deployment.pods),
            status_replicas=len(deployment.pods),
            ready_replicas=deployment.ready(now=now),
            resource_version=str(deployment.version),
            seen_at=now,
            lead_times=deployment.lead_times,
        )

    def patch_scale(self, target: TargetRef, replicas: int, *, resource_version: str) -> None:
        """Order pods, unless somebody was faster."""
        deployment = self._existing(target)
        if resource_version != str(deployment.version):
            raise ScaleConflictError(f"{target}: read at version {resource_version}")
        deployment.scale_to(replicas, now=self._clock.now())

    def patch_min_replicas(self, target: TargetRef, min_replicas: int) -> bool:
        """Refuse: nobody runs an HPA in the demo."""
        raise ScaleRefusedError(f"{target}: no HorizontalPodAutoscaler to give {min_replicas} to")

    def record_event(
        self, target: TargetRef, *, reason: str, message: str, warning: bool = False
    ) -> None:
        """Keep the Event."""
        self.events.append((self._clock.now(), target, reason, message))

    def _existing(self, target: TargetRef) -> DemoDeployment:
        if target not in self._deployments:
            raise ScaleRefusedError(f"{target}: 404 not found")
        return self._deployments[target]


class DemoMetrics:
    """The `Metrics` port over synthetic load, which it never shows before its time."""

    def __init__(self, loads: Mapping[TargetRef, FloatArray], *, start: datetime) -> None:
        self._start = start
        self._loads = loads
        self._measured = {target: measured_load(load) for target, load in loads.items()}

    def newest(
        self,
        series: Sequence[LoadSeries],
        *,
        now: datetime,
        workloads: Mapping[TargetRef, WorkloadFacts],
    ) -> list[Sample]:
        """Return the mean of the 60 s that ended 30 s ago; a target without pods still has load."""
        tick = self._tick(now)
        return [
            Sample(float(self._measured[one.target][tick]), now - METRIC_AGE, n_series=1)
            for one in series
        ]

    def history(
        self, series: Sequence[LoadSeries], *, start: datetime, end: datetime, step: timedelta
    ) -> History:
        """Return the recorded means per step; what lies before the synthetic past is NaN."""
        ticks = int(step.total_seconds()) // TICK_SECONDS
        n_steps = int((end - start) / step)
        load = np.vstack(
            [self._steps(self._loads[one.target], start, n_steps, ticks) for one in series]
        )
        return History(load, step, end)

    def _tick(self, at: datetime) -> int:
        return int((at - self._start).total_seconds()) // TICK_SECONDS

    def _steps(self, load: FloatArray, start: datetime, n_steps: int, ticks: int) -> FloatArray:
        first = self._tick(start)
        padded = np.concatenate([np.full(max(0, -first), np.nan), load[max(0, first) :]])
        return np.asarray(padded[: n_steps * ticks].reshape(n_steps, ticks).mean(axis=1))
