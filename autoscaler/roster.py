"""Which policies are in force, and where in the batch of all load series each one's begin.

A roster is compiled when the policies change, not at every cycle: each policy knows at which
position of the batch its own series begin.
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, count

from autoscaler.decide.facts import Capacity, ForecastFacts, Sample, Signal, TargetRef
from autoscaler.policy.metric import MetricSpec
from autoscaler.policy.schema import WorkloadPolicy
from autoscaler.ports import LoadSeries

# A memory file gives each key the room of the longest, and a query may have ten thousand letters.
_LONGEST_KEY = 256


@dataclass(frozen=True, slots=True)
class Governed:
    """One policy in force: where it stands, what it governs, where its series begin."""

    source: str
    target: TargetRef
    policy: WorkloadPolicy
    series_slice: slice
    """The positions of this policy's metrics in every batch array."""
    labels: tuple[str, ...]
    """What people call each metric of the policy, in order."""
    series_keys: tuple[str, ...] = ()
    """What tells each metric from all others, in order."""

    def signals(
        self,
        samples: Sequence[Sample],
        capacities: Sequence[Capacity | None],
        forecasts: Sequence[ForecastFacts | None],
    ) -> tuple[Signal, ...]:
        """Return what is known of each metric, in order."""
        return tuple(map(Signal, self.labels, samples, capacities, forecasts))


@dataclass(frozen=True, slots=True)
class Roster:
    """Every governed workload and every load series, in one order."""

    governed: tuple[Governed, ...] = ()
    series: tuple[LoadSeries, ...] = ()
    series_keys: tuple[str, ...] = ()
    """Identities that outlive an edit: the same metric of the same target keeps its history."""
    time_zones: tuple[str, ...] = ()
    """The IANA zone whose days and weeks each series follows."""
    risks: tuple[float, ...] = ()
    """The accepted chance that each series is above its forecast."""

    targets: tuple[TargetRef, ...] = ()
    """Every governed workload."""


def compiled(policies: Mapping[TargetRef, tuple[str, WorkloadPolicy]]) -> Roster:
    """Return the roster of the given policies, by target with their sources."""
    governed: list[Governed] = []
    series: list[LoadSeries] = []
    for target, (source, policy) in policies.items():
        labels = tuple(_distinct(metric_label(metric) for metric in policy.metrics))
        keys = tuple(_series_key(target, metric) for metric in policy.metrics)
        place = slice(len(series), len(series) + len(labels))
        governed.append(Governed(source, target, policy, place, labels, keys))
        series.extend(LoadSeries(target, metric) for metric in policy.metrics)
    return Roster(
        tuple(governed),
        tuple(series),
        tuple(key for one in governed for key in one.series_keys),
        tuple(g.policy.forecast.time_zone for g in governed for _ in g.policy.metrics),
        tuple(g.policy.forecast.risk for g in governed for _ in g.policy.metrics),
        tuple(policies),
    )


def _series_key(target: TargetRef, metric: MetricSpec) -> str:
    """Identify a load by what is measured; a new target value is the same load."""
    what = metric.model_dump_json(
        by_alias=True, exclude={name: {"target"} for name in _SECTIONS}, exclude_none=True
    )
    key = f"{target.api_version}/{target.kind}/{target}/{what}"
    if len(key) <= _LONGEST_KEY:
        return key
    return f"{target}/{hashlib.sha256(key.encode()).hexdigest()}"


def _distinct(labels: Iterable[str]) -> Iterator[str]:
    """Yield labels, each with a number from its second time on: no series is told twice."""
    told: set[str] = set()
    for label in labels:
        numbered = (f"{label} {n}" for n in count(2))
        free = next(one for one in chain([label], numbered) if one not in told)
        told.add(free)
        yield free


_SECTIONS = ("request_rate", "resource", "container_resource", "pods", "object", "external")


def metric_label(metric: MetricSpec) -> str:
    """Return how people call a metric: its type and what tells it from its neighbours."""
    if metric.request_rate is not None:
        return f"{metric.type} {metric.request_rate.source or 'query'}"
    if metric.container_resource is not None:
        section = metric.container_resource
        return f"{metric.type} {section.container} {section.name}"
    if metric.resource is not None:
        return f"{metric.type} {metric.resource.name}"
    named = metric.pods or metric.object or metric.external
    return f"{metric.type} {named.metric.name}" if named else str(metric.type)
