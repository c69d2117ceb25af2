"""Which scrape targets are down, or were when the window of a rate began.

A target that is up again is missed like one that is down: its counters have no sample from before
the window, so that a rate over the window shows only what they counted since.
When it was down is remembered from cycle to cycle: to ask Prometheus for the past of every target
would cost it several times what it costs to say which are down.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from autoscaler.decide.facts import PodFacts, TargetRef
from autoscaler.metrics.ownership import owner_name
from autoscaler.metrics.promql import Matcher, any_of, by, selector
from autoscaler.metrics.source import CLUSTER_LABEL
from autoscaler.strict import text_of

# A scrape job, and the namespace of what it scrapes.
Place = tuple[str, str]
_LABELS = ("job", "instance", "namespace", "pod", CLUSTER_LABEL)
DOWN_QUERY = f"count {by(_LABELS)} (up == 0)"
# Longer than the window of any load.
_REMEMBERED_FOR = timedelta(hours=1)
# Of two replicas behind one address one may see a target that the other does not.
_ONE_OUTAGE = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Down:
    """A scrape target that Prometheus cannot reach now, or could not a while ago."""

    job: str
    instance: str
    namespace: str = ""
    pod: str = ""
    cluster: str = ""
    was: tuple[datetime, datetime] | None = None
    """When it was first and last seen down; None = it is down now."""

    @classmethod
    def of(cls, labels: Mapping[str, str]) -> "Down":
        """Return the target that a row of `up` stands for."""
        told = [text_of(labels.get(name, "")) for name in _LABELS]
        job, instance, namespace, pod, cluster = told
        return cls(job, instance, namespace, pod, cluster)

    def was_down(self, within: timedelta, *, now: datetime) -> bool:
        """Whether it is down, or was within so long a time."""
        return self.was is None or now - self.was[1] <= within

    def is_missed(
        self, windows: Iterable[timedelta], *, now: datetime, scrape_interval: timedelta
    ) -> bool:
        """Whether it is down, or was for a scrape or more when one of these windows began."""
        if self.was is None:
            return True
        first, last = self.was[0] + scrape_interval, self.was[1] + scrape_interval
        return any(first <= now - window < last for window in windows)

    def is_a_pod_of(self, workload: TargetRef, pods: tuple[PodFacts, ...] | None) -> bool:
        """Whether this is one of the workload's pods, by owner or else by name.

        One that has ended, or is about to, serves nothing that could be missed; by its name alone
        that cannot be told.
        """
        if self.namespace and self.namespace != workload.namespace:
            return False
        if pods is not None:
            return any(pod.name == self.pod and pod.goes_on for pod in pods)
        return owner_name(self.pod, kind=workload.kind) == workload.name


DOWN_UNKNOWN = "which scrape targets are down is not known"


class Outages:
    """When targets were down within the last hour."""

    def __init__(self) -> None:
        self._outages: dict[Down, tuple[datetime, datetime]] = {}

    def note(self, down: Collection[Down], *, now: datetime) -> tuple[Down, ...]:
        """Remember who is down now; return them, and those that were down before."""
        for target in down:
            first, last = self._outages.get(target, (now, now))
            self._outages[target] = (first if abs(now - last) <= _ONE_OUTAGE else now, now)
        self._outages = {
            target: was
            for target, was in self._outages.items()
            if abs(now - was[1]) < _REMEMBERED_FOR
        }
        back = self._outages.keys() - set(down)
        return (*down, *(replace(target, was=self._outages[target]) for target in back))


def scraped_query(jobs: Iterable[str]) -> str:
    """Return the query for the namespaces in which jobs scrape."""
    return f"count by (job, namespace) ({selector('up', [Matcher('job', '=~', any_of(jobs))])})"


def places(rows: Iterable[Any]) -> frozenset[Place]:
    """Return where jobs scrape, as an answer tells it."""
    found = (row["metric"] for row in rows)
    return frozenset((labels.get("job", ""), labels.get("namespace", "")) for labels in found)


def told_down(down: Sequence[Down]) -> str:
    """Return that targets are down, or were, in words; empty when none is."""
    now = [target for target in down if target.was is None]
    told = now or down
    when = "down" if now else "down when the window of the rate began"
    if len(told) == 1:
        return f"1 scrape target {'is' if now else 'was'} {when}, {told[0].instance}"
    are = "are" if now else "were"
    return f"{len(told)} scrape targets {are} {when}, first {told[0].instance}" if told else ""


class DownByPlace:
    """Targets by where they are scraped: many of them are asked for by many queries."""

    def __init__(self, down: Iterable[Down], scraped: Collection[Place]) -> None:
        self._scraped = scraped
        self._by_place: dict[Place, list[Down]] = {}
        self._by_job: dict[str, list[Down]] = {}
        for target in down:
            self._by_place.setdefault((target.job, target.namespace), []).append(target)
            self._by_job.setdefault(target.job, []).append(target)

    def at(self, place: Place) -> Sequence[Down]:
        """Return the targets that a job scrapes in a namespace."""
        return self._by_place.get(place, ())

    def of(self, place: Place) -> Sequence[Down]:
        """Return the targets that may have had series of a job with a namespace.

        Where the job scrapes nothing in that namespace, the label is the exporter's own
        (`honor_labels`), as a gateway's or a kubelet's: any target of the job may have had them.
        """
        return self.at(place) if place in self._scraped else self._by_job.get(place[0], ())
