"""Which scrape targets are down, or were when the window of a rate began.

A target that is up again is missed like one that is down: its counters have no sample from before
the window, so that a rate over the window shows only what they counted since.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from autoscaler.decide.facts import PodFacts, TargetRef
from autoscaler.errors import MetricUnavailableError
from autoscaler.metrics.connection import Outcome
from autoscaler.metrics.ownership import owner_name
from autoscaler.metrics.plan import PART_LABEL
from autoscaler.metrics.promql import by, duration, labelled
from autoscaler.metrics.source import CLUSTER_LABEL
from autoscaler.strict import MALFORMED, text_of

# A scrape job, and the namespace of what it scrapes.
Place = tuple[str, str]
# Each costs Prometheus a look at every target's past.
_MOST_WINDOWS = 8
_LONGEST_WINDOW = timedelta(hours=1)
# The part of the answer that says where jobs scrape.
_SCRAPED = "scraped"
_LABELS = ("job", "instance", "namespace", "pod", CLUSTER_LABEL)


@dataclass(frozen=True, slots=True)
class Down:
    """A scrape target that Prometheus cannot reach now, or could not when a window began."""

    job: str
    instance: str
    namespace: str = ""
    pod: str = ""
    cluster: str = ""
    window: timedelta | None = None
    """The window at whose beginning it was down; None = it is down now."""

    @classmethod
    def of(cls, labels: Mapping[str, str]) -> "Down":
        """Return the target that a row of the answer stands for."""
        told = [text_of(labels.get(name, "")) for name in _LABELS]
        job, instance, namespace, pod, cluster = told
        seconds = labels.get(PART_LABEL)
        window = None if seconds is None else timedelta(seconds=float(seconds))
        return cls(job, instance, namespace, pod, cluster, window)

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


def usual(windows: Iterable[timedelta]) -> set[timedelta]:
    """Return the windows of users' queries that are asked about: those that most of them have."""
    counted = Counter(window for window in windows if window <= _LONGEST_WINDOW)
    return {window for window, _ in counted.most_common(_MOST_WINDOWS)}


def down_query(windows: Collection[timedelta], *, probe: timedelta) -> str:
    """Return the query for the targets that are down, or were just before one of the windows.

    And for the namespaces in which their jobs scrape.
    """
    labels = by(_LABELS)
    lately = f"min_over_time(up[{duration(max(windows) + probe)}]) == 0"
    places = f"count by (job, namespace) (up) and on (job) ({lately})"
    before = {
        window: f"max_over_time(up[{duration(probe)}] offset {duration(window)})"
        for window in sorted(set(windows))
    }
    return "\nor ".join(
        (
            f"count {labels} (up == 0)",
            labelled(places, PART_LABEL, _SCRAPED),
            *(
                labelled(
                    f"count {labels} (up == 1 and {then} == 0)",
                    PART_LABEL,
                    str(window.total_seconds()),
                )
                for window, then in before.items()
            ),
        )
    )


def targets_down(outcome: Outcome) -> tuple[tuple[Down, ...], bool, frozenset[Place]]:
    """Return the targets that are down, whether that is known at all, and where jobs scrape."""
    if not isinstance(outcome, MetricUnavailableError):
        with suppress(*MALFORMED):
            return _read(outcome.result)
    return (), False, frozenset()


def _read(rows: Iterable[Any]) -> tuple[tuple[Down, ...], bool, frozenset[Place]]:
    down: list[Down] = []
    scraped: set[Place] = set()
    for row in rows:
        labels = row["metric"]
        if labels.get(PART_LABEL) == _SCRAPED:
            scraped.add((text_of(labels.get("job", "")), text_of(labels.get("namespace", ""))))
        else:
            down.append(Down.of(labels))
    return tuple(down), True, frozenset(scraped)


def told_down(down: Sequence[Down]) -> str:
    """Return that targets are down, or were, in words; empty when none is."""
    now = [target for target in down if target.window is None]
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
