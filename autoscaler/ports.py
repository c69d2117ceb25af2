"""What the loop asks of the world: metrics, a cluster, a clock, and perhaps a witness.

Three worlds answer: the cluster (`run`), a simulated one (`demo`) and the tests' own fakes.
Every call is a batch over all workloads, so that ten thousand policies cost a few queries.
"""

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from autoscaler.decide.facts import Sample, TargetRef, WorkloadFacts
from autoscaler.policy.document import PolicyDocument
from autoscaler.policy.metric import MetricSpec
from autoscaler.policy.schema import ConsulService

__all__ = [
    "UNANSWERED",
    "Clock",
    "Cluster",
    "HeldBack",
    "History",
    "LoadSeries",
    "Mandate",
    "Metrics",
    "PolicyDocument",
    "Term",
    "Witness",
    "held_back_as",
]

FloatArray = NDArray[np.float64]


class HeldBack(StrEnum):
    """Why a replica writes nothing on purpose: what it says then begins with this, and a colon."""

    DRY_RUN = "dry run"
    STANDBY = "standby"
    WAITING = "waiting"


# How a reason begins where the write may have arrived all the same: a time-out, a gateway's word.
UNANSWERED = "unanswered: "

_HELD_BACK = {str(why): why for why in HeldBack}


def held_back_as(because: str) -> HeldBack | None:
    """Return what a reason not to write begins with; None = nobody meant it."""
    return _HELD_BACK.get(because.partition(":")[0])


# What tells one of our terms from another; it has no order.
Term = int | str


@dataclass(frozen=True, slots=True)
class Mandate:
    """What this replica may decide and write; by default everything, always.

    `held_back` says why nothing at all may be written now, empty when it may, asked once a cycle;
    `may_write` is asked again by the cluster adapter before every write.
    `held_shards` are the shards decided here, each with what tells our term in it from others:
    between two terms somebody else may have written. `shard_of` tells a workload's shard.
    `compete` says that we can act from now on, and waits for a moment to be told what is ours, or
    until the event that it is given is set.
    """

    held_back: Callable[[], str] = lambda: ""
    may_write: Callable[[TargetRef], bool] = lambda target: True
    held_shards: Callable[[], Mapping[int, Term]] = lambda: {0: 0}
    shard_of: Callable[[TargetRef], int] = lambda target: 0
    compete: Callable[[threading.Event], None] = lambda stop: None


@dataclass(frozen=True, slots=True)
class LoadSeries:
    """The identity of one load series: one metric of one workload's policy."""

    target: TargetRef
    metric: MetricSpec


@dataclass(frozen=True, slots=True, eq=False)
class History:
    """Recorded loads on one grid, shape (n_series, n_samples), oldest first, NaN where unknown.

    Column k is the mean load of the `step` that ends at `end_at - (n_samples - 1 - k) * step`.
    """

    load: FloatArray
    step: timedelta
    end_at: datetime
    doubtful: frozenset[int] = frozenset()
    """Rows of which the source said that it may have told less than all."""


class Clock(Protocol):
    """Where `now` comes from; read once per reconcile."""

    def now(self) -> datetime:
        """Return the current instant, timezone-aware."""


class Metrics(Protocol):
    """Load in."""

    def newest(
        self,
        series: Sequence[LoadSeries],
        *,
        now: datetime,
        workloads: Mapping[TargetRef, WorkloadFacts],
    ) -> list[Sample]:
        """Return the newest sample of each series, in order; never raises for one series' sake."""

    def history(
        self, series: Sequence[LoadSeries], *, start: datetime, end: datetime, step: timedelta
    ) -> History:
        """Return the recorded loads of all series on one grid; gaps are NaN, never 0."""


class Cluster(Protocol):
    """Kubernetes, as far as scaling needs it."""

    def policies(self) -> Sequence[PolicyDocument]:
        """Return every policy document as last watched."""

    def workloads(self, targets: Sequence[TargetRef]) -> Mapping[TargetRef, WorkloadFacts]:
        """Return what the watch knows; an absent key is a target that does not exist."""

    def reread(self, target: TargetRef) -> WorkloadFacts:
        """Read one target from the API server itself, after a conflict."""

    def patch_scale(self, target: TargetRef, replicas: int, *, resource_version: str) -> None:
        """Write `spec.replicas`; raise `ScaleRefusedError` or one of its two kinds."""

    def patch_min_replicas(self, target: TargetRef, min_replicas: int) -> bool:
        """Write `spec.minReplicas` of the HPA on the target; False where it is that already."""

    def record_event(
        self, target: TargetRef, *, reason: str, message: str, warning: bool = False
    ) -> None:
        """Attach an Event to a workload or ConfigMap; a failure is logged, never raised."""


class Witness(Protocol):
    """Whether ready pods are found by those who call them."""

    def follow(self, services: Mapping[TargetRef, ConsulService]) -> None:
        """Ask about these services from now on, and about no others."""

    def witnessed(
        self, workloads: Mapping[TargetRef, WorkloadFacts], *, now: datetime
    ) -> Mapping[TargetRef, WorkloadFacts]:
        """Return the workloads with the witness's word on them; never waits, never raises."""
