"""What is known about one workload at one reconcile: values the adapters fill and the rules read.

*Unknown* is a value here (`Sample.value is None`), never a zero: absent, NaN, stale or partial data
may hold or raise a recommendation, it never lowers one.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NamedTuple

from autoscaler.value import value

# The kind of KEDA's objects, with which `WorkloadFacts.rival` then begins.
SCALED_OBJECT = "ScaledObject"
# In the place of a container's name: what a pod requests, or may use, for all its containers.
WHOLE_POD = ""


class TargetRef(NamedTuple):
    """The identity of a workload; a tuple, for it is looked up a dozen times in every cycle."""

    namespace: str
    name: str
    kind: str = "Deployment"
    api_version: str = "apps/v1"

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"


class PodPhase(StrEnum):
    """A pod's phase as the API server reports it."""

    PENDING = "Pending"
    RUNNING = "Running"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"
    UNKNOWN = "Unknown"


# Pods that stay listed and are none any more: evicted ones lie about for days.
_ENDED = frozenset({PodPhase.SUCCEEDED, PodPhase.FAILED})


@dataclass(frozen=True, slots=True)
class PodFacts:
    """One pod, as far as scaling rules care.

    `requests` is cores (cpu) or bytes (memory) by (container, resource), of the pod as a whole by
    (`WHOLE_POD`, resource); absent = not declared.
    """

    name: str
    created_at: datetime
    phase: PodPhase = PodPhase.RUNNING
    ready: bool = True
    deleted: bool = False
    started_at: datetime | None = None
    ready_transition_at: datetime | None = None
    template_hash: str = ""
    requests: Mapping[tuple[str, str], float] = field(default_factory=dict)

    @property
    def goes_on(self) -> bool:
        """Whether the pod serves, or may still come to serve: neither being deleted nor ended."""
        return not self.deleted and self.phase not in _ENDED

    @property
    def serves(self) -> bool:
        """Whether it is ready, and goes on."""
        return self.ready and self.goes_on


@dataclass(frozen=True, slots=True)
class Routability:
    """Whether clients that look a workload up in Consul find its ready pods.

    `passing` is None, *unknown*, while Consul does not answer, or not in full; the other figures
    then keep their last known values, so that a silent Consul never shortens the lead time.
    """

    passing: int | None
    unroutable_for: timedelta = timedelta(0)
    """For how long ready pods have not been passing: that of the one that waits longest."""
    delay: timedelta = timedelta(0)
    """How much later than Ready a pod is routable; lengthens the measured lead time."""
    detail: str = ""

    @property
    def alarming(self) -> bool:
        """Whether ready pods are known to be unroutable for longer than any catalog lags."""
        return self.passing is not None and self.unroutable_for > UNROUTABLE_AFTER


# consul-k8s syncs every 30 s; twice that is no longer the delay of a healthy catalog.
UNROUTABLE_AFTER = timedelta(seconds=60)


@dataclass(frozen=True, slots=True)
class WorkloadFacts:
    """One scale target as the informers last saw it.

    `spec_replicas` is what is ordered, `status_replicas` what exists, `ready_replicas` what serves.
    `resource_version` is that of the object whose `spec_replicas` was read: a patch carries it.
    `lead_times` are created -> Ready of recent pods of the current template, newest last.
    """

    target: TargetRef
    spec_replicas: int
    status_replicas: int
    ready_replicas: int
    resource_version: str
    seen_at: datetime
    rollout_in_progress: bool = False
    template_hash: str = ""
    annotations: Mapping[str, str] = field(default_factory=dict)
    pods: tuple[PodFacts, ...] | None = None
    """None when pods are not watched; the rules then reckon with the counts alone."""
    requests: Mapping[tuple[str, str], float] = field(default_factory=dict)
    """Of the pod template: cores or bytes by (container, resource)."""
    limits: Mapping[tuple[str, str], float] = field(default_factory=dict)
    """Likewise, for every container: infinite where one has no limit."""
    lead_times: tuple[timedelta, ...] = ()
    replicas_manager: str | None = None
    """Field manager that last wrote `spec.replicas`, from managedFields."""
    rival: str | None = None
    """`HorizontalPodAutoscaler shop/checkout` when another autoscaler claims the target."""
    hpa_max_replicas: int | None = None
    """`maxReplicas` of the HPA that claims the target; None where none does, or it does not say."""
    generation: int | None = None
    """Counts the writes of `spec`; None where nobody counts them."""
    uid: str = ""
    """Tells the object from another one that had the same name before."""
    routability: Routability | None = None
    """What Consul says of the pods; None where the policy names no service there."""

    def is_later_than(self, version: str) -> bool:
        """Whether this was read at a later `resourceVersion` of the object than the given one."""
        return is_later(self.resource_version, version)


def is_later(version: str, than: str) -> bool:
    """Whether one `resourceVersion` of an object is later than another.

    The API server counts them up; what is no number says only whether it is another one.
    """
    if version.isdecimal() and than.isdecimal():
        return int(version) > int(than)
    return version != than


class Doubt(StrEnum):
    """Why a sample cannot be trusted whole."""

    ABSENT = "absent"
    """Prometheus answers, and has no series."""
    NOT_SCRAPED = "not scraped"
    """No series either, and scrape targets that may have had it are down."""
    NOT_A_NUMBER = "not a number"
    STALE = "stale"
    PARTIAL = "partial"
    DUPLICATED = "duplicated"
    WARNED = "answered with warnings"
    UNREACHABLE = "source unreachable"
    REFUSED = "query refused"
    CLOCK_SKEW = "clock skew"
    FOREIGN = "another cluster's series"


@value(frozen=True, slots=True)
class Sample:
    """The newest answer for one signal: a value and its age travel together.

    `value` is the total over the workload in the metric's unit (requests/s, cores); None = unknown.
    A partial sample keeps its value (a lower bound: it may raise, never lower) and says so in
    `doubt`.
    """

    value: float | None
    sampled_at: datetime | None = None
    n_series: int = 0
    by_pod: Mapping[str, float] | None = None
    doubt: Doubt | None = None
    detail: str = ""

    @property
    def trusted(self) -> bool:
        """Whether the value may lower a recommendation."""
        return self.value is not None and self.doubt is None


class CapacitySource(StrEnum):
    """Where the load that one ready pod may carry came from."""

    POLICY = "policy"
    REQUEST = "container request"
    LEARNED = "learned"


@dataclass(frozen=True, slots=True)
class Capacity:
    """The load one ready pod may carry, in the metric's unit; 90 % bounds when learned."""

    per_pod: float
    source: CapacitySource
    low: float | None = None
    high: float | None = None
    saturated_at: float | None = None
    """The load at which one pod's CPU is used up; where it is known, small replica counts get
    square-root head-room (`sizing.py`)."""


class Trust(StrEnum):
    """Whether a series' forecast steers."""

    WARMING = "Warming"
    TRUSTED = "Trusted"
    DEMOTED = "Demoted"
    STALE = "Stale"


@value(frozen=True, slots=True)
class ForecastFacts:
    """The forecast of one signal: quantiles of its maximum over [now + lead, now + lead + hold].

    `quantile` is the load exceeded with chance `risk`; `reactive_quantile` the same from
    persistence alone, which sizes a demoted series. `skill` is 1 - loss / persistence loss;
    `coverage` the share of recent windows that stayed at or below their quantile.
    """

    median: float
    quantile: float
    reactive_quantile: float
    risk: float
    lead_time: timedelta
    hold: timedelta
    trust: Trust
    skill: float | None = None
    coverage: float | None = None
    burst: bool = False
    """A jump is under way: scale-in is frozen and the scale-out cooldown overridden."""
    age: timedelta = timedelta(0)
    """How old the newest sample behind this forecast is."""
    history: timedelta = timedelta.max
    """How much of the load's past it has seen."""

    def level(self, *, measured: bool) -> float:
        """Return the load to size for.

        That is the forecast's quantile where the forecast is trusted or no load is measured, else
        the quantile of persistence.
        """
        alone = self.trust is Trust.TRUSTED or not measured
        return self.quantile if alone else self.reactive_quantile


@value(frozen=True, slots=True)
class Signal:
    """One metric of the policy at this reconcile: measured, sized and forecast."""

    metric: str
    sample: Sample
    capacity: Capacity | None = None
    forecast: ForecastFacts | None = None
