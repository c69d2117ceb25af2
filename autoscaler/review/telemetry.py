"""What the autoscaler says about itself to Prometheus: names after HPA's and kube-state-metrics'.

Per-policy series are rendered from the newest records when somebody scrapes, never during a
reconcile.
"""

from collections.abc import Callable, Iterator
from datetime import timedelta

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from autoscaler import __version__
from autoscaler.decide.facts import Signal
from autoscaler.review.attention import attention_of
from autoscaler.review.latest import LatestRecords
from autoscaler.review.record import DecisionRecord

_LABELS = ("namespace", "name", "kind")

# A field that is None is left out: absent is not zero, here as anywhere.
_PER_POLICY: tuple[tuple[str, str, Callable[[DecisionRecord], float | None]], ...] = (
    ("status_current_replicas", "Replicas ordered now.", lambda r: r.decision.current_replicas),
    ("status_desired_replicas", "Replicas decided.", lambda r: r.decision.desired_replicas),
    (
        "status_ready_replicas",
        "Replicas that serve.",
        lambda r: None if r.workload is None else r.workload.ready_replicas,
    ),
    (
        "recommended_replicas",
        "Replicas before damping.",
        lambda r: r.recommendation.replicas,
    ),
    (
        "spec_min_replicas",
        "The policy's minReplicas.",
        lambda r: None if r.spec is None else r.spec.min_replicas,
    ),
    (
        "spec_max_replicas",
        "The policy's maxReplicas.",
        lambda r: None if r.spec is None else r.spec.max_replicas,
    ),
)


_PER_SIGNAL: tuple[tuple[str, str, Callable[[Signal], float | None]], ...] = (
    ("load", "Load measured, in the metric's unit.", lambda s: s.sample.value),
    (
        "capacity",
        "Load one ready pod may carry.",
        lambda s: None if s.capacity is None else s.capacity.per_pod,
    ),
    (
        "forecast_median",
        "Median of the forecast load.",
        lambda s: None if s.forecast is None else s.forecast.median,
    ),
    (
        "forecast_quantile",
        "Load exceeded with the policy's risk.",
        lambda s: None if s.forecast is None else s.forecast.quantile,
    ),
    (
        "lead_time_seconds",
        "From a decision to a Ready pod.",
        lambda s: None if s.forecast is None else s.forecast.lead_time.total_seconds(),
    ),
    (
        "forecast_skill",
        "1 - loss / loss of persistence.",
        lambda s: None if s.forecast is None else s.forecast.skill,
    ),
    (
        "forecast_coverage",
        "Share of recent windows within their quantile.",
        lambda s: None if s.forecast is None else s.forecast.coverage,
    ),
)


# States as words: one series each, 1 for the word in force.
_STATES: tuple[tuple[str, str, Callable[[DecisionRecord], str]], ...] = (
    ("trust", "Trust in force: the least trusted forecast.", lambda r: str(r.trust)),
    ("reason", "The last rule that changed the number.", lambda r: str(r.decision.reason)),
    ("mode", "Whether decisions are carried out.", lambda r: str(r.mode)),
    ("attention", "What a person should know first.", lambda r: str(attention_of(r))),
)


class Telemetry:
    """The daemon's own metrics in one registry."""

    def __init__(self, latest: LatestRecords) -> None:
        self.registry = CollectorRegistry()
        self.registry.register(_PolicyCollector(latest))
        self._reconciliations = Counter(
            "autoscaler_reconciliations_total",
            "Policies decided, by what was done and what went wrong.",
            ("action", "error"),
            registry=self.registry,
        )
        self._cycle = Histogram(
            "autoscaler_reconciliation_duration_seconds",
            "One reconcile of all policies.",
            buckets=(0.05, 0.1, 0.25, 0.5, 1, 2, 3, 5, 10, 15, 30),
            registry=self.registry,
        )
        build = Gauge("autoscaler_build_info", "Always 1.", ("version",), registry=self.registry)
        build.labels(__version__).set(1)

    def count(self, record: DecisionRecord) -> None:
        """Count one record by its action: scale_up, scale_down or none."""
        change = record.decision.desired_replicas - record.decision.current_replicas
        action = "none" if not record.rescaled else "scale_up" if change > 0 else "scale_down"
        self._reconciliations.labels(action, "internal" if record.refused else "none").inc()

    def observe_cycle(self, duration: timedelta) -> None:
        """Record how long one reconcile took."""
        self._cycle.observe(duration.total_seconds())


class _PolicyCollector(Collector):
    def __init__(self, latest: LatestRecords) -> None:
        self._latest = latest

    def collect(self) -> Iterator[GaugeMetricFamily]:
        records = self._latest.all()
        for name, text, value_of in _PER_POLICY:
            family = GaugeMetricFamily(f"autoscaler_{name}", text, labels=_LABELS)
            for record in records:
                value = value_of(record)
                if value is not None:
                    target = record.target
                    family.add_metric((target.namespace, target.name, target.kind), value)
            yield family
        yield from _signal_families(records)
        yield _sample_ages(records)
        for name, text, state_of in _STATES:
            family = GaugeMetricFamily(f"autoscaler_{name}", text, labels=(*_LABELS, name))
            for record in records:
                target = record.target
                family.add_metric((target.namespace, target.name, target.kind, state_of(record)), 1)
            yield family


def _sample_ages(records: list[DecisionRecord]) -> GaugeMetricFamily:
    """Return how old each sample was when it was decided on."""
    family = GaugeMetricFamily(
        "autoscaler_sample_age_seconds", "Age of the newest sample.", labels=(*_LABELS, "metric")
    )
    for record in records:
        target = record.target
        for signal in record.signals:
            if signal.sample.sampled_at is not None:
                age = (record.at - signal.sample.sampled_at).total_seconds()
                family.add_metric((target.namespace, target.name, target.kind, signal.metric), age)
    return family


def _signal_families(records: list[DecisionRecord]) -> Iterator[GaugeMetricFamily]:
    """Yield load, band, capacity and lead time per signal."""
    for name, text, value_of in _PER_SIGNAL:
        family = GaugeMetricFamily(f"autoscaler_{name}", text, labels=(*_LABELS, "metric"))
        for record in records:
            target = record.target
            for signal in record.signals:
                value = value_of(signal)
                if value is not None:
                    labels = (target.namespace, target.name, target.kind, signal.metric)
                    family.add_metric(labels, value)
        yield family
