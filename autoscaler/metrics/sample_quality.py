"""Why a sample is doubted: age, clock skew, warnings, targets that are down, pods that are silent.

A sample that is certainly wrong (stale) loses its value; one that is a lower bound keeps it, which
may raise a recommendation and never lower it.
"""

import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import lru_cache
from statistics import fmean

from autoscaler.decide.facts import Doubt, PodFacts, Sample, TargetRef, WorkloadFacts
from autoscaler.decide.measured import MOST_CLOCK_SKEW
from autoscaler.decide.pod_metric import knows_every_ready_pod
from autoscaler.metrics.connection import Answer
from autoscaler.metrics.source import SCRAPE_INTERVAL
from autoscaler.metrics.targets_down import DOWN_UNKNOWN, Down, DownByPlace, Place, told_down

# A series that is silent for four scrapes is not being scraped.
_STALE_AFTER_SCRAPES = 4.0
# One scrape was missed: the end of the window is empty, and a rate over it says too little.
_LATE_AFTER_SCRAPES = 1.5
# Discovery, first scrape and the second one, without which there is no rate.
_POD_IS_NEW = timedelta(minutes=3)
# Where a pod counts twenty requests in a window, another that counts none has lost its sender: of
# five hundred million windows one is empty by chance.
_NEVER_NONE = 20.0
# Prometheus warns per series; the first few say it all.
_LONGEST_DETAIL = 200
# PromQL remarks on expressions, too (a counter whose name does not end in `_total`), up to 2.52
# among the warnings, and after the tenth it says how many more there are.
_OF_NOBODY = re.compile(r"PromQL info|[0-9]+ more [a-z ]*annotations omitted")
# A warning does not say whose expression it is about, and one policy's must not keep all others
# from lowering. What PromQL leaves out because of it is absent or a histogram: in doubt anyway.
_OF_SOMEBODY = re.compile(rf"PromQL warning|{_OF_NOBODY.pattern}")


def not_scraped(sample: Sample, down: Sequence[Down]) -> Sample:
    """Return what no series amounts to where these targets, which may have had it, are down."""
    if not down or sample.doubt not in {Doubt.ABSENT, Doubt.STALE}:
        return sample
    return replace(sample, doubt=Doubt.NOT_SCRAPED, detail=told_down(down))


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What is known beside the rows: the time, the pods, the targets that are down."""

    now: datetime
    workloads: Mapping[TargetRef, WorkloadFacts]
    down: tuple[Down, ...] = ()
    down_is_known: bool = True
    ended: Callable[[TargetRef], Collection[str]] = lambda target: ()
    """Which pods a workload had until a moment ago, whose work is still in windows of rates."""
    warnings: tuple[str, ...] = ()
    skew: timedelta = timedelta(0)
    scrape_interval: timedelta = SCRAPE_INTERVAL

    def misses(self, target: Down, windows: Collection[timedelta]) -> bool:
        """Whether a target is down, or was when one of these windows began."""
        return target.is_missed(windows, now=self.now, scrape_interval=self.scrape_interval)

    def of(self, answer: Answer, *, shared: bool) -> "Circumstances":
        """Return what is known beside the rows of one answer, `shared` by several series."""
        skew = timedelta(seconds=answer.skew_seconds)
        return replace(self, warnings=warnings_of(answer, shared=shared), skew=skew)


def warnings_of(answer: Answer, *, shared: bool) -> tuple[str, ...]:
    """Return the warnings that count against every series of an answer, `shared` by several."""
    passed_by = _OF_SOMEBODY if shared else _OF_NOBODY
    return tuple(told for told in answer.warnings if not passed_by.match(told))


def settled(pods: Iterable[PodFacts], *, now: datetime) -> list[PodFacts]:
    """Return the pods that serve for long enough to be in Prometheus."""
    return [
        pod
        for pod in pods
        if pod.serves
        and now - pod.created_at > _POD_IS_NEW
        and (pod.ready_transition_at is None or now - pod.ready_transition_at > _POD_IS_NEW)
    ]


def unheard(facts: WorkloadFacts, by_pod: Mapping[str, float], *, now: datetime) -> str:
    """Return which pods a sum over pods leaves out, in words; empty when none."""
    if not knows_every_ready_pod(facts):
        return f"{facts.ready_replicas} pods serve, not all of them are known by name"
    absent = [pod for pod in facts.pods or () if pod.name not in by_pod]
    silent = settled(absent, now=now) if absent else []
    return f"{len(silent)} ready pods are silent, first {silent[0].name}" if silent else ""


def standing_still(
    facts: WorkloadFacts, by_pod: Mapping[str, float], *, window: timedelta, now: datetime
) -> str:
    """Return which pods count nothing beside busy ones, in words: by chance they would not."""
    busy = [rate for rate in by_pod.values() if rate > 0]
    if not busy or fmean(busy) * window.total_seconds() < _NEVER_NONE:
        return ""
    still = settled((pod for pod in facts.pods or () if by_pod.get(pod.name) == 0), now=now)
    return f"{len(still)} ready pods count nothing, first {still[0].name}" if still else ""


def beside_down(
    sample: Sample,
    workload: TargetRef,
    around: Circumstances,
    *,
    read: Collection[Place],
    down: DownByPlace,
    windows: Collection[timedelta] = (),
) -> Sample:
    """Return what a user's query amounts to while targets of the jobs it reads are down.

    Those of the workload's own namespace are its pods, or other people's; elsewhere all are a
    gateway's that may have held some of its load.
    Those that were down when one of the query's `windows` began are missed as well.
    """
    absent = sample.doubt is Doubt.ABSENT
    if not read or not (absent or sample.trusted):
        return sample
    facts = around.workloads.get(workload)
    pods = None if facts is None else facts.pods
    # Where there are no series, a job may scrape nothing in a namespace for want of pods there.
    found = down.at if absent else down.of
    missed = [
        target
        for place in sorted(read)
        for target in found(place)
        if around.misses(target, windows)
        and (
            not target.pod
            or target.namespace != workload.namespace
            or target.is_a_pod_of(workload, pods)
        )
    ]
    if absent:
        return not_scraped(sample, missed)
    detail = told_down(missed) if around.down_is_known else DOWN_UNKNOWN
    return replace(sample, doubt=Doubt.PARTIAL, detail=detail) if detail else sample


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
