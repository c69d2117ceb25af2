"""What is wrong with a policy's metrics, and what to do about it.

The daemon says "unknown" and why; this asks further: is the metric there at all, under which
labels, how often is it scraped, how much of the past is missing, what do sidecars take.
Everything is asked of the live Prometheus, nothing is changed.
"""

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

import numpy as np

from autoscaler.decide.facts import Doubt, Sample, TargetRef, WorkloadFacts
from autoscaler.errors import MetricUnavailableError
from autoscaler.metrics.answers import row_key
from autoscaler.metrics.connection import Connection, Question
from autoscaler.metrics.own_query import examined
from autoscaler.metrics.plan import Group, Plan, planned
from autoscaler.metrics.prometheus import PrometheusMetrics
from autoscaler.metrics.promql import Matcher, escaped_regex
from autoscaler.metrics.settings import PrometheusSettings
from autoscaler.metrics.transport import MALFORMED
from autoscaler.ports import LoadSeries

_STEP = timedelta(minutes=5)
# Below two weeks no weekday was seen twice; over a tenth of gaps a rhythm has holes.
_ENOUGH_PAST = timedelta(days=14)
_MOST_GAPS = 0.1
# Sidecars that take more than this make the pod's total a bad measure of the application.
_MOST_SIDECAR_SHARE = 0.2
# Ten times the window in which scrapes are counted.
_COUNTED = timedelta(minutes=10)

_FIX = {
    Doubt.NOT_A_NUMBER: "look for a division by zero in the query, or an exporter that writes NaN",
    Doubt.STALE: "the exporter is no longer scraped: look at Prometheus's targets",
    Doubt.PARTIAL: "look at Prometheus's targets that are down, and pods it does not scrape",
    Doubt.DUPLICATED: "two scrape jobs read the same pods: pin one with labels.job",
    Doubt.WARNED: "a store behind Prometheus did not answer: the number is a lower bound",
    Doubt.UNREACHABLE: "check the address, the network policy and the certificate",
    Doubt.REFUSED: "check the token, and paste the query into Prometheus",
    Doubt.CLOCK_SKEW: "synchronize the clocks of Prometheus and of this machine",
    Doubt.FOREIGN: "several clusters share this Prometheus: pin one with labels.cluster",
}


class Level(StrEnum):
    """How bad a finding is: an error makes the load unknown, a warning makes it worse."""

    OK = "ok"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at, what was found, and what to do about it."""

    level: Level
    subject: str
    says: str
    fix: str = ""


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """Everything that was found about one series, and the PromQL that was used."""

    series: LoadSeries
    findings: tuple[Finding, ...]
    promql: str

    @property
    def healthy(self) -> bool:
        """Whether the load can be trusted."""
        return not any(finding.level is Level.ERROR for finding in self.findings)


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
        return [
            self._diagnosis(one, sample, now=now)
            for one, sample in zip(series, samples, strict=True)
        ]

    def _diagnosis(self, one: LoadSeries, sample: Sample, *, now: datetime) -> Diagnosis:
        plan = planned([one], scrape_interval=self._settings.scrape_interval)
        findings = [self._newest(one, sample, plan, now=now)]
        reachable = sample.doubt not in {Doubt.UNREACHABLE, Doubt.REFUSED}
        if reachable and sample.value is not None:
            findings.append(self._past(one, now=now))
            findings += self._scrapes(plan, now=now)
            findings += self._sidecars(one, plan, now=now)
        queries = [group.newest_query() for group in plan.groups] or list(plan.queries.values())
        return Diagnosis(one, tuple(findings), "\n".join(queries))

    def _newest(self, one: LoadSeries, sample: Sample, plan: Plan, *, now: datetime) -> Finding:
        if sample.trusted and sample.sampled_at is not None:
            age = max(0.0, (now - sample.sampled_at).total_seconds())
            says = f"{sample.value:.6g} from {sample.n_series} series, {age:.0f} s old"
            return Finding(Level.OK, "newest sample", says)
        level = Level.ERROR if sample.value is None else Level.WARNING
        says = f"{sample.doubt}: {sample.detail}"
        fix = _FIX.get(sample.doubt, "") if sample.doubt else ""
        if sample.doubt is Doubt.ABSENT:
            fix = self._whereabouts(one, plan, now=now)
        return Finding(level, "newest sample", says, fix)

    def _whereabouts(self, one: LoadSeries, plan: Plan, *, now: datetime) -> str:
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
        wanted = group.members[0].keys[0]
        if not names:
            metrics = ", ".join(dict.fromkeys(c.metric for c in group.counters if not c.extra))
            return f"Prometheus has no {metrics}: is the exporter scraped, are labels renamed?"
        alike = difflib.get_close_matches(wanted, names, n=3, cutoff=0.3) or sorted(names)[:3]
        return f"there is no {wanted}; there is {', '.join(alike)}: correct labels or the name"

    def _past(self, one: LoadSeries, *, now: datetime) -> Finding:
        end = datetime.fromtimestamp(now.timestamp() // 60 * 60, tz=now.tzinfo)
        try:
            history = self._metrics.history([one], start=end - _ENOUGH_PAST, end=end, step=_STEP)
        except MetricUnavailableError as error:
            return Finding(Level.WARNING, "history", str(error), "see historyUrl for long ranges")
        known = np.flatnonzero(~np.isnan(history.load[0]))
        if known.size == 0:
            return Finding(Level.WARNING, "history", "nothing recorded", "forecasts begin reactive")
        span = (history.load.shape[1] - int(known[0])) * _STEP
        gaps = 1.0 - known.size / (history.load.shape[1] - int(known[0]))
        says = f"{span / timedelta(days=1):.1f} days, {gaps:.1%} of it missing"
        if gaps > _MOST_GAPS:
            fix = "find out why scrapes were missed; the forecast bridges 5 minutes"
            return Finding(Level.WARNING, "history", says, fix)
        if span < _ENOUGH_PAST - timedelta(hours=4):
            fix = "raise Prometheus's retention to 15 days, or give a historyUrl"
            return Finding(Level.WARNING, "history", says, fix)
        return Finding(Level.OK, "history", says)

    def _scrapes(self, plan: Plan, *, now: datetime) -> list[Finding]:
        """Return how often the series is scraped, against what the windows are made for."""
        if not plan.groups:
            return []
        counts = []
        for counter in plan.groups[0].counters:
            selected = counter.selector(plan.groups[0].narrowed(counter))
            rows = self._rows(f"max(count_over_time({selected}[10m]))", now=now)
            counts += [float(row["value"][1]) for row in rows]
        if not counts:
            return []
        interval = _COUNTED / max(counts)
        says = f"every {interval.total_seconds():.0f} s"
        if interval > 1.5 * self._settings.scrape_interval:
            fix = "scrape more often, or set the scrape interval so that windows are stretched"
            return [Finding(Level.WARNING, "scrapes", says, fix)]
        return [Finding(Level.OK, "scrapes", says)]

    def _sidecars(self, one: LoadSeries, plan: Plan, *, now: datetime) -> list[Finding]:
        """Return what share of the pods' CPU is not the named container's."""
        resource = one.metric.container_resource
        if resource is None or resource.name != "cpu" or not plan.groups:
            return []
        group = plan.groups[0]
        share = {"app": 0.0, "all": 0.0}
        for counter in group.counters:
            who = _only(group, counter.identity)
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
        level = Level.WARNING if rest > _MOST_SIDECAR_SHARE else Level.OK
        fix = "capacity is of the named container alone: size the sidecars' requests apart"
        return [
            Finding(level, "sidecars", f"{rest:.0%} of the pods' CPU", fix if rest > 0.2 else "")
        ]

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


def _only(group: Group, identity: tuple[str, ...]) -> list[Matcher]:
    """Return the conditions that leave one workload, where rows are told apart by pods."""
    target = group.members[0].target
    if len(identity) >= 2 and identity[1].startswith("pod"):
        return [
            Matcher(identity[0], "=", target.namespace),
            Matcher(identity[1], "=~", f"{escaped_regex(target.name)}-.+"),
        ]
    return []
