"""Which scrape targets are down, or were when the window of a rate began.

A target that is up again is missed like one that is down: its counters have no sample from before
the window, so that a rate over the window shows only what they counted since.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from autoscaler.decide.facts import PodFacts, TargetRef
from autoscaler.metrics.ownership import owner_name
from autoscaler.metrics.plan import PART_LABEL
from autoscaler.metrics.promql import by, duration, labelled
from autoscaler.metrics.source import CLUSTER_LABEL
from autoscaler.strict import text_of

# A scrape job, and the namespace of what it scrapes.
Place = tuple[str, str]
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


def down_query(windows: Iterable[timedelta], *, probe: timedelta) -> str:
    """Return the query for the targets that are down, or were just before one of the windows."""
    labels = by(_LABELS)
    before = {
        window: f"max_over_time(up[{duration(probe)}] offset {duration(window)})"
        for window in sorted(set(windows))
    }
    return "\nor ".join(
        (
            f"count {labels} (up == 0)",
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


def targets_down(rows: Iterable[Any]) -> tuple[Down, ...]:
    """Return the targets in an answer; an error of `MALFORMED` where it is none."""
    return tuple(Down.of(row["metric"]) for row in rows)


def told_down(down: Sequence[Down]) -> str:
    """Return that targets are down, or were, in words; empty when none is."""
    now = [target for target in down if target.window is None]
    told = now or down
    when = "down" if now else "down when the window of the rate began"
    if len(told) == 1:
        return f"1 scrape target {'is' if now else 'was'} {when}, {told[0].instance}"
    are = "are" if now else "were"
    return f"{len(told)} scrape targets {are} {when}, first {told[0].instance}" if told else ""


def by_place(down: Iterable[Down]) -> dict[Place, list[Down]]:
    """Return targets by where they are scraped: many of them are asked for by many queries."""
    places: dict[Place, list[Down]] = {}
    for target in down:
        places.setdefault((target.job, target.namespace), []).append(target)
    return places
