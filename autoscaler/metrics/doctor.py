"""What is wrong with a policy's metrics, and what to do about it.

The daemon says "unknown" and why; this asks further: is the metric there at all, under which
labels, how often is it scraped, how much of the past is missing, is anything counted twice, what do
sidecars take.
Everything is asked of the live Prometheus, nothing is changed.
"""

import difflib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import numpy as np

from autoscaler.decide.facts import Doubt, Sample, TargetRef, WorkloadFacts
from autoscaler.errors import MetricUnavailableError
from autoscaler.metrics.answers import row_key
from autoscaler.metrics.catalogue import counted_load, only_of
from autoscaler.metrics.connection import Connection, Question
from autoscaler.metrics.findings import DOUBTFUL, ENOUGH_PAST, Finding, Level, of_past
from autoscaler.metrics.grid import FloatArray
from autoscaler.metrics.own_query import examined
from autoscaler.metrics.plan import Group, Member, Plan, planned
from autoscaler.metrics.prometheus import PrometheusMetrics
from autoscaler.metrics.promql import Matcher
from autoscaler.metrics.settings import PrometheusSettings
from autoscaler.metrics.source import Counter
from autoscaler.metrics.workload_past import cores_requested, pods_metric
from autoscaler.policy.quantity import load_text
from autoscaler.ports import LoadSeries
from autoscaler.remedies import REMEDY, remedy
from autoscaler.strict import MALFORMED

_STEP = timedelta(minutes=5)
# Sidecars that take more than this make the pod's total a bad measure of the application.
_MOST_SIDECAR_SHARE = 0.2
# Ten times the window in which scrapes are counted.
_COUNTED = timedelta(minutes=10)
# Of series that are there, and of which a rate says nothing.
_TOO_FEW = (
    "the series are there, and a rate needs two scrapes in its window: wait for the second, scrape "
    "more often, or make the window longer"
)
# What tells two scrapes of one exporter apart, and nothing else.
_OF_THE_SCRAPE = "job, endpoint, prometheus, prometheus_replica"
# Labels whose values are two views of the same requests, and the view that a load wants.
_VIEWS = {"reporter": "destination", "direction": "inbound"}


@dataclass(frozen=True, slots=True, eq=False)
class Diagnosis:
    """Everything that was found about one series, and the PromQL that was used."""

    series: LoadSeries
    findings: tuple[Finding, ...]
    promql: str
    load_promql: str
    past: FloatArray = field(default_factory=lambda: np.empty(0))
    """The recorded load of a fortnight by five minutes, NaN where unknown; empty = unread."""


class Doctor:
    """Asks one Prometheus about the series of policies."""

    def __init__(self, settings: PrometheusSettings) -> None:
        self._settings = settings
        self._metrics = PrometheusMetrics(settings)
        self._connection = Connection(settings)

    def close(self) -> None:
        """Let go of connections and threads."""
        self._metrics.close()
        self._connection.close()

    def diagnoses(
        self,
        series: Sequence[LoadSeries],
        *,
        now: datetime,
        workloads: Mapping[TargetRef, WorkloadFacts],
    ) -> list[Diagnosis]:
        """Return what is to be said about each series, in order; never raises."""
        samples = self._metrics.newest(series, now=now, workloads=workloads)
        known = [i for i, sample in enumerate(samples) if sample.value is not None]
        pasts = dict(zip(known, self._pasts([series[i] for i in known], now=now), strict=True))
        return [
            self._diagnosis(one, sample, pasts.get(i), now=now)
            for i, (one, sample) in enumerate(zip(series, samples, strict=True))
        ]

    def pods_of_the_past(self, target: TargetRef, *, now: datetime) -> FloatArray:
        """Return how many pods a workload had, on the grid of `Diagnosis.past`.

        Raises
        ------
        MetricUnavailableError
            When that cannot be read.
        """
        end = _on_the_minute(now)
        series = [LoadSeries(target, pods_metric(target))]
        start = end - ENOUGH_PAST
        pods: FloatArray = self._metrics.history(series, start=start, end=end, step=_STEP).load[0]
        return pods

    def cpu_requests(self, target: TargetRef, *, now: datetime) -> dict[tuple[str, str], float]:
        """Return the cores that containers request, as kube-state-metrics has them; or nothing."""
        rows = self._rows(f"max by (container) ({cores_requested(target)})", now=now)
        return {(r["metric"].get("container", ""), "cpu"): float(r["value"][1]) for r in rows}

    def _diagnosis(
        self,
        one: LoadSeries,
        sample: Sample,
        past: tuple[Finding, FloatArray] | None,
        *,
        now: datetime,
    ) -> Diagnosis:
        plan = planned([one], scrape_interval=self._settings.scrape_interval)
        findings, load = [self._newest(sample, plan, now=now)], np.empty(0)
        if past is not None:
            found, load = past
            findings += [found, *self._scrapes(plan, now=now), *self._twice(plan, now=now)]
            findings += self._sidecars(one, plan, now=now)
        queries = [group.newest_query() for group in plan.groups] or list(plan.queries.values())
        promql = self._loads_of(plan, now=now)
        return Diagnosis(one, tuple(findings), "\n".join(queries), promql, load)

    def _newest(self, sample: Sample, plan: Plan, *, now: datetime) -> Finding:
        if sample.trusted and sample.value is not None and sample.sampled_at is not None:
            age = max(0.0, (now - sample.sampled_at).total_seconds())
            says = f"{load_text(sample.value)} from {sample.n_series} series, {age:.0f} s old"
            return Finding(Level.OK, "newest sample", says)
        level = Level.ERROR if sample.value is None else Level.WARNING
        says = f"{sample.doubt}: {sample.detail}"
        fix = remedy(sample.doubt, sample.detail) if sample.doubt else ""
        if sample.doubt is Doubt.ABSENT:
            fix = self._whereabouts(plan, now=now) if sample.sampled_at is None else _TOO_FEW
        return Finding(level, "newest sample", says, fix)

    def _whereabouts(self, plan: Plan, *, now: datetime) -> str:
        """Return why a series is absent: no such metric, or none of this workload."""
        if not plan.groups:
            [query] = plan.queries.values()
            found = [each.text for each in examined(query).selectors]
            return f"none of these has a series: {', '.join(found)}" if found else ""
        [group] = plan.groups
        names: set[str] = set()
        for counter in group.counters:
            if counter.extra:
                continue
            labels = ", ".join(counter.identity)
            rows = self._rows(f"count by ({labels}) ({counter.selector()})", now=now)
            names |= {row_key(counter, row["metric"]) for row in rows}
        if not names:
            metrics = ", ".join(dict.fromkeys(c.metric for c in group.counters if not c.extra))
            return f"Prometheus has no {metrics}: is the exporter scraped, are labels renamed?"
        key = group.members[0].keys[0]
        alike = difflib.get_close_matches(key, names, n=3, cutoff=0.3) or sorted(names)[:3]
        wanted = _wanted(group)
        return f"there is no {wanted}; there is {', '.join(alike)}: correct labels or the name"

    def _pasts(
        self, series: Sequence[LoadSeries], *, now: datetime
    ) -> list[tuple[Finding, FloatArray]]:
        """Return what is to be said of each recorded load, and the load itself."""
        end = _on_the_minute(now)
        try:
            history = self._metrics.history(series, start=end - ENOUGH_PAST, end=end, step=_STEP)
        except MetricUnavailableError as error:
            fix = "--prometheus-history-url names a server for long ranges"
            unread = Finding(Level.WARNING, "history", str(error), fix)
            return [(unread, np.empty(0))] * len(series)
        doubtful = Finding(Level.WARNING, "history", DOUBTFUL, REMEDY[Doubt.WARNED])
        return [
            (doubtful if i in history.doubtful else of_past(load, step=_STEP), load)
            for i, load in enumerate(history.load)
        ]

    def _scrapes(self, plan: Plan, *, now: datetime) -> list[Finding]:
        """Return how often the series is scraped, against what the windows are made for."""
        counts = [
            float(row["value"][1])
            for selected in _selectors(plan)
            for row in self._rows(f"max(count_over_time({selected}[10m]))", now=now)
        ]
        if not plan.groups or not counts:
            return []
        interval = _COUNTED / max(counts)
        says = f"every {interval.total_seconds():.0f} s"
        if interval > 1.5 * self._settings.scrape_interval:
            fix = "scrape more often, or set the scrape interval so that windows are stretched"
            return [Finding(Level.WARNING, "scrapes", says, fix)]
        return [Finding(Level.OK, "scrapes", says)]

    def _twice(self, plan: Plan, *, now: datetime) -> list[Finding]:
        """Return what of a user's own query is counted twice; named sources see to that."""
        findings = []
        for selected in () if plan.groups else _selectors(plan):
            twice = f"count(count without ({_OF_THE_SCRAPE}) ({selected}) > 1)"
            for row in self._rows(twice, now=now):
                says = f"{row['value'][1]} series of {selected} are scraped more than once"
                fix = 'pin one scrape in the query, such as {job="..."}'
                findings.append(Finding(Level.WARNING, "duplicates", says, fix))
            for label, wanted in _VIEWS.items():
                views = self._rows(f"count by ({label}) ({selected})", now=now)
                names = sorted(row["metric"].get(label, "") for row in views)
                if wanted in names and len(set(names) - {""}) > 1:
                    says = f"{selected} counts each request from both sides: {', '.join(names)}"
                    fix = f'add {label}="{wanted}" to the query'
                    findings.append(Finding(Level.WARNING, "duplicates", says, fix))
        return findings

    def _sidecars(self, one: LoadSeries, plan: Plan, *, now: datetime) -> list[Finding]:
        """Return what share of the pods' CPU is not the named container's."""
        resource = one.metric.container_resource
        if resource is None or resource.name != "cpu" or not plan.groups:
            return []
        group = plan.groups[0]
        share = {"app": 0.0, "all": 0.0}
        member = group.members[0]
        for counter, key in zip(group.counters, member.keys, strict=True):
            who = _only(member, counter, key)
            rows = self._rows(
                f"sum by ({counter.identity[2]}) ({counter.load(counter.selector(who))})", now=now
            )
            for row in rows:
                value = float(row["value"][1])
                share["all"] += value
                named = row["metric"].get(counter.identity[2]) == resource.container
                share["app"] += value if named else 0.0
        if not share["all"]:
            return []
        rest = 1 - share["app"] / share["all"]
        says = f"{rest:.0%} of the pods' CPU"
        if rest > _MOST_SIDECAR_SHARE:
            fix = "capacity is of the named container alone: size the sidecars' requests apart"
            return [Finding(Level.WARNING, "sidecars", says, fix)]
        return [Finding(Level.OK, "sidecars", says)]

    def _loads_of(self, plan: Plan, *, now: datetime) -> str:
        """Return the PromQL of the load alone, of the label generations that are there."""
        counted = [
            (counter, _only(group.members[0], counter, key, container=group.members[0].container))
            for group in plan.groups
            for counter, key in zip(group.counters, group.members[0].keys, strict=True)
        ]
        there = [
            (counter, only)
            for counter, only in counted
            if self._rows(f"count({counter.selector(only)})", now=now)
        ]
        if all(counter.extra for counter, _ in there):
            there = [(counter, only) for counter, only in counted if not counter.extra]
        lines = [counted_load(counter, only) for counter, only in there]
        return "\n".join(lines or plan.queries.values())

    def _rows(self, promql: str, *, now: datetime) -> list[Any]:
        """Return the rows of a question, none when it cannot be answered."""
        [outcome] = self._connection.ask([Question(promql, at=now)])
        if isinstance(outcome, MetricUnavailableError):
            return []
        try:
            return [
                row for row in outcome.result if float(row["value"][1]) == float(row["value"][1])
            ]
        except MALFORMED:
            return []


def _on_the_minute(now: datetime) -> datetime:
    return datetime.fromtimestamp(now.timestamp() // 60 * 60, tz=now.tzinfo)


def _selectors(plan: Plan) -> Iterator[str]:
    """Yield what the newest sample of one series is read from."""
    for group in plan.groups:
        for counter in group.counters:
            yield counter.selector(group.narrowed(counter))
    for text in plan.queries.values():
        yield from (found.text for found in examined(text).selectors)


def _wanted(group: Group) -> str:
    """Return what a series was looked for by: a pod's owner and container, or the row's key."""
    member = group.members[0]
    if not all(counter.by_pod for counter in group.counters):
        return member.keys[0]
    pod = f"pod of {member.target}"
    return f"container {member.container} in a {pod}" if member.container else pod


def _only(
    member: Member, counter: Counter, key: str, *, container: str | None = None
) -> list[Matcher]:
    """Return the conditions that leave one workload, or one of its containers."""
    target = member.target
    return only_of(counter, key, namespace=target.namespace, name=target.name, container=container)
