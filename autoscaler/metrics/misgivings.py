"""What speaks against a number: its age, the clocks, the answer's warnings, targets that are down.

What is certainly wrong loses its value; what is a lower bound keeps it, which may raise a
recommendation and never lower it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import lru_cache

from autoscaler.decide.facts import Doubt, PodFacts, PodPhase, Sample, TargetRef, WorkloadFacts
from autoscaler.decide.measured import MOST_CLOCK_SKEW
from autoscaler.metrics.connection import Answer
from autoscaler.metrics.source import SCRAPE_INTERVAL

# A series that is silent for four scrapes is not being scraped.
_STALE_AFTER_SCRAPES = 4.0
# One scrape was missed: the end of the window is empty, and a rate over it says too little.
_LATE_AFTER_SCRAPES = 1.5
# Discovery, first scrape and the second one, without which there is no rate.
_POD_IS_NEW = timedelta(minutes=3)
# Prometheus warns per series; the first few say it all.
_LONGEST_DETAIL = 200


@dataclass(frozen=True, slots=True)
class Down:
    """A scrape target that Prometheus cannot reach now."""

    job: str
    instance: str
    namespace: str = ""
    pod: str = ""

    @classmethod
    def of(cls, labels: Mapping[str, str]) -> "Down":
        """Return the target that a row of `up` stands for."""
        names = ("job", "instance", "namespace", "pod")
        return cls(*(labels.get(name, "") for name in names))


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What is known beside the rows: the time, the pods, the targets that are down."""

    now: datetime
    workloads: Mapping[TargetRef, WorkloadFacts]
    down: tuple[Down, ...] = ()
    down_is_known: bool = True
    warnings: tuple[str, ...] = ()
    skew: timedelta = timedelta(0)
    scrape_interval: timedelta = SCRAPE_INTERVAL

    def of(self, answer: Answer) -> "Circumstances":
        """Return what is known beside the rows of one answer."""
        skew = timedelta(seconds=answer.skew_seconds)
        return replace(self, warnings=answer.warnings, skew=skew)


def settled(pods: Iterable[PodFacts], *, now: datetime) -> list[PodFacts]:
    """Return the pods that serve for long enough to be in Prometheus."""
    return [
        pod
        for pod in pods
        if pod.ready
        and not pod.deleted
        and pod.phase is PodPhase.RUNNING
        and now - pod.created_at > _POD_IS_NEW
        and (pod.ready_transition_at is None or now - pod.ready_transition_at > _POD_IS_NEW)
    ]


def with_doubt(sample: Sample, around: Circumstances) -> Sample:
    """Return a sample with what its age, the clocks and the answer's warnings say against it."""
    age = timedelta(0) if sample.sampled_at is None else around.now - sample.sampled_at
    late, stale = _limits(around.scrape_interval)
    plain = -MOST_CLOCK_SKEW <= age <= late and not around.skew and not around.warnings
    if sample.value is None or plain:
        return sample
    detail = f"newest sample is {age.total_seconds():.0f} s old"
    if age > stale:
        return replace(sample, value=None, by_pod=None, doubt=Doubt.STALE, detail=detail)
    if sample.doubt is None and age > late:
        return replace(sample, doubt=Doubt.PARTIAL, detail=detail)
    skew = around.skew or max(timedelta(0), -age)
    if abs(skew) > MOST_CLOCK_SKEW:
        detail = f"Prometheus's clock is {skew.total_seconds():+.0f} s from ours"
        return replace(sample, doubt=Doubt.CLOCK_SKEW, detail=detail)
    if sample.doubt is None and around.warnings:
        detail = "; ".join(around.warnings)[:_LONGEST_DETAIL]
        return replace(sample, doubt=Doubt.WARNED, detail=detail)
    return sample


@lru_cache(maxsize=16)
def _limits(scrape_interval: timedelta) -> tuple[timedelta, timedelta]:
    """Return from which ages on a sample is late, and stale."""
    return _LATE_AFTER_SCRAPES * scrape_interval, _STALE_AFTER_SCRAPES * scrape_interval
