"""The embedded world of the demo, with everything that goes wrong in a real one.

Each port answers through what is in force now (`Mishaps`): the daemon above it is the real one.
Time has two clocks, as in life: the world's, and the daemon's, which may be wrong.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from zlib import crc32

import numpy as np

from autoscaler.decide.facts import Doubt, Sample, TargetRef, WorkloadFacts
from autoscaler.errors import (
    MetricUnavailableError,
    ScaleConflictError,
    ScaleRefusedError,
    ScaleUnansweredError,
)
from autoscaler.metrics.sample_quality import Circumstances, with_doubt
from autoscaler.ports import History, LoadSeries, PolicyDocument
from autoscaler.replay.demo_world import DemoClock, DemoCluster, DemoDeployment, DemoMetrics


class Mishap(StrEnum):
    """What may be wrong with one workload, or with everything."""

    ABSENT = "metric absent"
    NOT_A_NUMBER = "metric NaN"
    STALE = "metric stale"
    PARTIAL = "metric partial"
    NO_PROMETHEUS = "Prometheus away"
    NO_HISTORY = "history refused"
    CONFLICT = "patch: 409"
    CONTESTED = "patch: 409 twice"
    REFUSED = "patch: 500"
    TIMED_OUT = "patch: written, no answer"
    DEFECT = "patch: unexpected error"
    NO_REREAD = "409 and reread: 500"
    WATCH_BROKEN = "watch broken"
    GARBAGE = "policies garbage"
    ROLLOUT = "rollout"
    GONE = "Deployment away"
    BY_HAND = "scaled by hand"
    CLOCK_AHEAD = "clock ahead"
    CLOCK_BEHIND = "clock behind"


GARBAGE = (
    "",
    "{",
    "minReplicas: !!int ten",
    "a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b, *b]",
    "[" * 5000,
    "scaleTargetRef: {name: checkout}\nminReplicas: 9e999\nmaxReplicas: -1",
    "k" * 100_000 + ": 1",
    "scaleTargetRef: {name: \u202echeckout\u0000}",
)


@dataclass(slots=True)
class SkewedClock:
    """The daemon's clock: the world's, put forward or back."""

    world: DemoClock
    skew: timedelta = timedelta(0)

    def now(self) -> datetime:
        """Return what the daemon believes."""
        return self.world.now() + self.skew

    def watched(self) -> Callable[[], float]:
        """Return who tells by how many seconds the clock was set since asked last."""
        seen = self.skew

        def moved_by() -> float:
            nonlocal seen
            before, seen = seen, self.skew
            return (seen - before).total_seconds()

        return moved_by


@dataclass(slots=True)
class Mishaps:
    """What is wrong now, by workload; None stands for every workload."""

    in_force: dict[tuple[Mishap, TargetRef | None], datetime] = field(default_factory=dict)
    """Until when each lasts, by the world's clock."""

    def has(self, mishap: Mishap, target: TargetRef | None = None) -> bool:
        """Whether this concerns the workload (or, asked without one, everything)."""
        return (mishap, None) in self.in_force or (mishap, target) in self.in_force


class FaultyMetrics:
    """The `Metrics` port; who is not in the world has the load of `stand_in`, `past` is kept."""

    def __init__(
        self,
        inner: DemoMetrics,
        clock: DemoClock,
        mishaps: Mishaps,
        *,
        stand_in: TargetRef,
        past: timedelta,
    ) -> None:
        self._past = past
        self._inner = inner
        self._clock = clock
        self._mishaps = mishaps
        self._stand_in = stand_in
        self._last_seen: dict[TargetRef, Sample] = {}
        self.known: set[TargetRef] = set()
        self.given: dict[TargetRef, Sample] = {}
        """What the daemon was told in this cycle."""
        self.ahead = timedelta(0)
        """By how much Prometheus's own clock is wrong."""

    def newest(
        self,
        series: Sequence[LoadSeries],
        *,
        now: datetime,
        workloads: Mapping[TargetRef, WorkloadFacts],
    ) -> list[Sample]:
        """Return the samples as the world has them, then what is wrong with each."""
        targets = [one.target for one in series]
        true = zip(targets, self.measured(targets), strict=True)
        around = Circumstances(now, workloads)
        told = [self._stamped(self._spoilt(target, sample)) for target, sample in true]
        samples = [with_doubt(sample, around) for sample in told]
        self.given = dict(zip(targets, samples, strict=True))
        return samples

    def measured(self, targets: Sequence[TargetRef]) -> list[Sample]:
        """Return the newest truth, by the world's clock."""
        series = [LoadSeries(self._of(target), None) for target in targets]  # type: ignore[arg-type]
        return self._inner.newest(series, now=self._clock.now(), workloads={})

    def history(
        self, series: Sequence[LoadSeries], *, start: datetime, end: datetime, step: timedelta
    ) -> History:
        """Return the past; what lies beyond the world's now is not known to anybody."""
        if self._mishaps.has(Mishap.NO_HISTORY) or self._mishaps.has(Mishap.NO_PROMETHEUS):
            raise MetricUnavailableError("503 Service Unavailable")
        one_of = [replace(one, target=self._of(one.target)) for one in series]
        start, end = start - self.ahead, end - self.ahead
        start = max(start, end - self._past)
        history = self._inner.history(one_of, start=start, end=end, step=step)
        n_future = max(0, math.ceil((end - self._clock.now()) / step))
        load = history.load.copy()
        load[:, load.shape[1] - n_future :] = np.nan
        return replace(history, load=load)

    def _stamped(self, sample: Sample) -> Sample:
        if sample.sampled_at is None:
            return sample
        return replace(sample, sampled_at=sample.sampled_at + self.ahead)

    def _of(self, target: TargetRef) -> TargetRef:
        return target if target in self.known else self._stand_in

    def _spoilt(self, target: TargetRef, sample: Sample) -> Sample:
        has = self._mishaps.has
        if has(Mishap.NO_PROMETHEUS):
            return Sample(None, doubt=Doubt.UNREACHABLE, detail="connection refused")
        if has(Mishap.ABSENT, target):
            return Sample(None, doubt=Doubt.ABSENT)
        if has(Mishap.NOT_A_NUMBER, target):
            return Sample(None, sample.sampled_at, doubt=Doubt.NOT_A_NUMBER)
        if has(Mishap.STALE, target):
            return self._last_seen.get(target, sample)
        self._last_seen[target] = sample
        if has(Mishap.PARTIAL, target) and sample.value is not None:
            return replace(sample, value=sample.value / 3, doubt=Doubt.PARTIAL)
        return sample

    def forget(self, target: TargetRef) -> None:
        """Drop a workload that is gone."""
        self._last_seen.pop(target, None)


class FaultyCluster(DemoCluster):
    """The `Cluster` port; what is broken here is what `Mishaps` says."""

    def __init__(
        self,
        deployments: dict[TargetRef, DemoDeployment],
        documents: dict[TargetRef, PolicyDocument],
        clock: DemoClock,
        mishaps: Mishaps,
    ) -> None:
        super().__init__(deployments, (), clock)
        self.deployments = deployments
        self.documents = documents
        self._mishaps = mishaps
        self._held: dict[TargetRef, WorkloadFacts] = {}
        self._told: tuple[PolicyDocument, ...] = ()
        self._disturbed: set[TargetRef] = set()

    def policies(self) -> Sequence[PolicyDocument]:
        """Return the documents; the same object while none changed, garbage while it is said so."""
        if self._mishaps.has(Mishap.WATCH_BROKEN):
            return self._told
        now = [self._written(target, d) for target, d in self.documents.items()]
        if tuple(now) != self._told:
            self._told = tuple(now)
        return self._told

    def workloads(self, targets: Sequence[TargetRef]) -> Mapping[TargetRef, WorkloadFacts]:
        """Return what a watch would know: a broken one knows what it last knew."""
        if not self._mishaps.has(Mishap.WATCH_BROKEN):
            there = [t for t in targets if t in self.deployments]
            self._held = {
                target: self._seen(target)
                for target in there
                if not self._mishaps.has(Mishap.GONE, target)
            }
        self._disturbed.clear()
        return {target: self._held[target] for target in targets if target in self._held}

    def reread(self, target: TargetRef) -> WorkloadFacts:
        """Read past the watch, if the server answers."""
        if self._mishaps.has(Mishap.NO_REREAD, target):
            raise ScaleRefusedError(f"{target}: 500 Internal Server Error")
        return self._seen(target)

    def patch_scale(self, target: TargetRef, replicas: int, *, resource_version: str) -> None:
        """Order pods, unless something is in the way."""
        has = self._mishaps.has
        if has(Mishap.GONE, target):
            raise ScaleRefusedError(f"{target}: 404 Not Found")
        if has(Mishap.REFUSED, target):
            raise ScaleRefusedError(f"{target}: 500 Internal Server Error")
        if has(Mishap.DEFECT, target):
            raise RuntimeError(f"{target}: nobody expected this")
        self._disturb(target)
        super().patch_scale(target, replicas, resource_version=resource_version)
        if has(Mishap.TIMED_OUT, target):
            raise ScaleUnansweredError(f"{target}: no answer within 4 s")

    def record_event(
        self, target: TargetRef, *, reason: str, message: str, warning: bool = False
    ) -> None:
        """Drop the Event: a fortnight of them is not ours to keep."""

    def _disturb(self, target: TargetRef) -> None:
        """Somebody changed the object since it was read: once, or before every patch."""
        once = self._mishaps.has(Mishap.CONFLICT, target) or self._mishaps.has(
            Mishap.NO_REREAD, target
        )
        if self._mishaps.has(Mishap.CONTESTED, target) or (once and target not in self._disturbed):
            self._disturbed.add(target)
            raise ScaleConflictError(f"{target}: 409 Conflict")

    def _seen(self, target: TargetRef) -> WorkloadFacts:
        facts = super().reread(target)
        return replace(facts, rollout_in_progress=self._mishaps.has(Mishap.ROLLOUT, target))

    def _written(self, target: TargetRef, document: PolicyDocument) -> PolicyDocument:
        if not self._mishaps.has(Mishap.GARBAGE, target):
            return document
        return replace(document, text=GARBAGE[crc32(document.source.encode()) % len(GARBAGE)])
