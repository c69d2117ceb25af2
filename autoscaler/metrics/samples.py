"""From the rows of an answer to a `Sample` for each workload: its value, its age, and its doubts.

Absent is not zero, and a number may be incomplete: each sample says how old it is, how many series
stand behind it, and what is missing.
What is certainly wrong (no series, NaN, stale, two clusters mixed) has no value at all; what is a
lower bound or counted with doubt keeps its value, which may raise a recommendation and never lower
it.
"""

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import NamedTuple

from autoscaler.decide.facts import Doubt, PodFacts, Sample, WorkloadFacts
from autoscaler.metrics.answers import Rows, Table
from autoscaler.metrics.ownership import owner_name
from autoscaler.metrics.plan import Group, Member
from autoscaler.metrics.sample_quality import (
    Circumstances,
    not_scraped,
    settled,
    standing_still,
    unheard,
    with_doubt,
)
from autoscaler.metrics.targets_down import DOWN_UNKNOWN, Down, told_down


class _Parts(NamedTuple):
    """What a counter says, by part: found once, for it is asked of every workload."""

    load: Rows
    at: Rows
    late: Rows
    series: Rows
    emitters: Rows
    twice: Rows
    reset: Rows
    before: Rows


@dataclass(slots=True)
class _Found:
    """What the counters of one source say about one workload, added up."""

    load: float | None = None
    at: float | None = None
    n_series: int = 0
    twice: float = 0.0
    foreign: bool = False
    uncovered: bool = False
    n_reset: float = 0.0
    silent: list[str] = field(default_factory=list)
    seen: bool = False
    by_pod: dict[str, float] = field(default_factory=dict)

    def add(self, load: float, *, sign: int = 1) -> None:
        self.load = sign * load if self.load is None else self.load + sign * load

    @property
    def hole(self) -> str:
        """What is missing of the window of the rate, in words."""
        if self.uncovered:
            return "scraped for less than the window of the rate"
        if self.silent:
            return f"{len(self.silent)} exporters are silent, first {self.silent[0]}"
        if self.n_reset:  # what was counted between the last scrape and the restart is lost
            return f"{self.n_reset:g} counters began anew within the window of the rate"
        return ""

    def dated(self, at: float | None) -> None:
        """Take the oldest of the newest: a sum is as old as its oldest part."""
        if at is not None:
            self.seen = True
            self.at = at if self.at is None else min(self.at, at)


class Reading:
    """The answer to one group's question, ready to be asked about each member."""

    def __init__(
        self, group: Group, table: Table, circumstances: Circumstances, *, jobs: frozenset[str]
    ) -> None:
        self._group = group
        self._table = table
        self._around = circumstances
        self._pods = [
            _by_pod(table.of(number, "load")) if counter.by_pod else {}
            for number, counter in enumerate(group.counters)
        ]
        self._parts = [
            _Parts(*(table.of(number, part) for part in _Parts._fields))
            for number in range(len(group.counters))
        ]
        windows = {counter.window for counter in group.counters if counter.window}
        clusters = {each for counter in group.counters for each in counter.clusters}
        self._down = tuple(
            target
            for target in circumstances.down
            if target.job in jobs
            and circumstances.misses(target, windows)
            and (not clusters or target.cluster in {"", *clusters})
        )
        # Of the ways a source may be scraped a cluster has one; the others answer nothing.
        self._counters = [(n, group.counters[n]) for n in sorted(table.counters)]

    def sample(self, member: Member) -> Sample:
        """Return the newest sample of one workload, with the worst that is to be said of it."""
        found = self._found(member)
        sample = self._valued(found)
        if sample.value is not None and found.twice:
            detail = "scraped by more than one job: give labels.job"
            sample = replace(sample, doubt=Doubt.DUPLICATED, detail=detail)
        elif sample.value is not None and (missing := self._missing(member, found)):
            sample = replace(sample, doubt=Doubt.PARTIAL, detail=missing)
        elif sample.value is None and self._down and not self._group.source.per_pod:
            sample = not_scraped(sample, self._down)
        return with_doubt(sample, self._around)

    def silent_pods(self, member: Member) -> list[str]:
        """Return the pods of a workload of which fewer report than have been ready for a while.

        A pod without requests has no series either; whether it is scraped at all is asked apart.
        """
        facts = self._around.workloads.get(member.target)
        if not self._group.source.per_pod or facts is None or facts.pods is None:
            return []
        n_emitters = sum(
            self._parts[number].emitters.get(member.keys[number], 0) for number, _ in self._counters
        )
        if not 0 < n_emitters < len(facts.pods):
            return []
        pods = settled(facts.pods, now=self._around.now)
        return [pod.name for pod in pods] if n_emitters < len(pods) else []

    def _found(self, member: Member) -> _Found:
        found = _Found()
        for number, counter in self._counters:
            if counter.by_pod:
                self._add_pods(found, member, number)
            elif not counter.extra:
                self._add_row(found, member, number)
        for number, counter in self._counters:
            if not counter.extra or found.load is None:
                continue
            extra = self._parts[number].load.get(member.keys[number])
            if extra is not None:
                found.add(extra, sign=counter.sign)
        return found

    def _add_row(self, found: _Found, member: Member, number: int) -> None:
        parts, key = self._parts[number], member.keys[number]
        load = parts.load.get(key)
        if load is not None:
            found.add(load)
            found.uncovered |= self._uncovered(number, key)
            found.silent += self._silent_emitters(member, number)
        found.dated(parts.at.get(key))
        found.n_series += max(0, int(parts.series.get(key, 0)))
        found.twice += parts.twice.get(key, 0)
        found.n_reset += parts.reset.get(key, 0)
        found.foreign |= key in self._table.foreign

    def _add_pods(self, found: _Found, member: Member, number: int) -> None:
        """Add the rows of the workload's pods, of the named container if one is named."""
        pods = self._pods[number].get(member.target.namespace)
        if not pods:
            return
        parts, counter = self._parts[number], self._group.counters[number]
        whole = member.target.namespace + "/" * (len(counter.identity) - 1)
        at = parts.at.get(whole)
        idle = self._idle(member) if parts.late else ()
        for pod in self._pods_of(member, pods):
            for container, key, load in pods[pod]:
                if member.container and container != member.container:
                    continue
                found.add(load)
                found.uncovered |= self._uncovered(number, whole)
                found.by_pod[pod] = found.by_pod.get(pod, 0.0) + load
                found.dated(at if pod in idle else parts.late.get(key, at))
                found.n_series += 1
                found.twice += parts.twice.get(key, 0)
                found.n_reset += parts.reset.get(key, 0)
                found.foreign |= key in self._table.foreign
        if counter.window is not None:
            self._add_ended(found, member, pods)

    def _idle(self, member: Member) -> Collection[str]:
        """Return the pods that serve nothing, of which no newer sample is to be expected."""
        facts = self._around.workloads.get(member.target)
        pods = () if facts is None else facts.pods or ()
        return {pod.name for pod in pods if not pod.serves}

    def _add_ended(
        self, found: _Found, member: Member, pods: Mapping[str, list[tuple[str, str, float]]]
    ) -> None:
        """Add what pods that are gone served within the window: those here took over from them."""
        for pod in self._around.ended(member.target):
            for container, _, load in pods.get(pod, ()):
                if not member.container or container == member.container:
                    found.add(load)

    def _silent_emitters(self, member: Member, number: int) -> list[str]:
        """Return which emitters of a sum are silent, but for pods that have ended."""
        silent = self._table.silent(number, member.keys[number])
        facts = self._around.workloads.get(member.target)
        if not silent or self._group.counters[number].unit != ("pod",):
            return list(silent)
        if not self._group.source.per_pod or facts is None or facts.pods is None:
            return list(silent)
        here = {pod.name for pod in facts.pods if pod.goes_on}
        return [pod for pod in silent if pod in here]

    def _uncovered(self, number: int, key: str) -> bool:
        """Whether nothing was there before the window, so that a rate over it says too little."""
        counter = self._group.counters[number]
        return counter.window is not None and key not in self._parts[number].before

    def _pods_of(self, member: Member, pods: Mapping[str, object]) -> list[str]:
        """Return which of the pods in the answer are the workload's, by owner or else by name."""
        facts = self._around.workloads.get(member.target)
        if facts is not None and facts.pods is not None:
            return [pod.name for pod in facts.pods if pod.name in pods]
        kind, name = member.target.kind, member.target.name
        return [pod for pod in pods if pod.startswith(name) and owner_name(pod, kind=kind) == name]

    def _valued(self, found: _Found) -> Sample:
        """Return the value, or why there is none."""
        at = None if found.at is None else datetime.fromtimestamp(found.at, tz=UTC)
        if found.load is not None and 0 <= found.load < math.inf and at and not found.foreign:
            return Sample(found.load, at, found.n_series, found.by_pod or None)
        unknown = Sample(None, at, found.n_series)
        if found.foreign:
            detail = "several clusters answer: give labels.cluster"
            return replace(unknown, doubt=Doubt.FOREIGN, detail=detail)
        if found.load is None:
            detail = "one sample so far, a rate needs two" if found.seen else "no series"
            return replace(unknown, doubt=Doubt.ABSENT, detail=detail)
        if not math.isfinite(found.load):
            return replace(unknown, doubt=Doubt.NOT_A_NUMBER, detail=f"value {found.load}")
        if at is None:
            return replace(unknown, doubt=Doubt.STALE, detail="the series has ended")
        # Negative: sums that were scraped apart, or a counter that is none.
        detail = f"negative: {found.load:g}"
        return replace(unknown, value=0.0, doubt=Doubt.PARTIAL, detail=detail)

    def _missing(self, member: Member, found: _Found) -> str:
        """Return what is missing from the sum, in words: targets down, silent pods; else empty."""
        facts = self._around.workloads.get(member.target)
        pods = None if facts is None else facts.pods
        down = [target for target in self._down if self._concerns(target, member, pods)]
        if self._group.source.zero_is_silence and found.load == 0:
            return "a zero may be a sender that is gone: its series never expire"
        if not self._around.down_is_known:
            return DOWN_UNKNOWN
        if down:
            return told_down(down)
        if found.hole:
            return found.hole
        return "" if facts is None or not found.by_pod else self._unheard(facts, found)

    def _unheard(self, facts: WorkloadFacts, found: _Found) -> str:
        """Return which pods a sum over pods leaves out."""
        now, source = self._around.now, self._group.source
        missed = unheard(facts, found.by_pod, now=now)
        window = self._group.counters[0].window
        if missed or window is None or not source.zero_is_silence:
            return missed
        return standing_still(facts, found.by_pod, window=window, now=now)

    def _concerns(self, target: Down, member: Member, pods: tuple[PodFacts, ...] | None) -> bool:
        """Whether a target that is down may have held some of the workload's load.

        Where every pod is dated by itself, a kubelet that is down is missed by the pods of its node
        alone, as silent ones; one that is back is not told by any date.
        """
        if target.pod:
            return not self._group.source.per_pod or target.is_a_pod_of(member.target, pods)
        dated = pods is not None and all(counter.by_pod for counter in self._group.counters)
        return not dated or target.was is not None


def _by_pod(rows: Rows) -> dict[str, dict[str, list[tuple[str, str, float]]]]:
    """Index rows of `namespace/pod[/container]` by namespace and pod."""
    index: dict[str, dict[str, list[tuple[str, str, float]]]] = {}
    for key, load in rows.items():
        namespace, pod, *container = key.split("/")
        pods = index.setdefault(namespace, {})
        pods.setdefault(pod, []).append((container[0] if container else "", key, load))
    return index
