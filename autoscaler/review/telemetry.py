"""What the autoscaler says about itself to Prometheus: its work, and every policy's state.

Per-policy series are rendered from the newest records when somebody scrapes (`exposition.py`),
never during a reconcile.
"""

from collections import Counter as Tally
from collections.abc import Callable, Iterable, Iterator
from datetime import timedelta

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Metric, generate_latest
from prometheus_client.metrics_core import GaugeMetricFamily
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector

from autoscaler import __version__
from autoscaler.ports import held_back_as
from autoscaler.review.exposition import policy_families
from autoscaler.review.latest import LatestRecords
from autoscaler.review.record import DecisionRecord


class PolicyRegistry(CollectorRegistry):
    """The daemon's own metrics, and those of every policy, which it renders itself."""

    def __init__(self, latest: LatestRecords) -> None:
        super().__init__()
        self._latest = latest

    def collect(self) -> Iterable[Metric]:
        """Yield every family, as any registry does."""
        yield from super().collect()
        for text in policy_families(self._latest.all()):
            yield from text_string_to_metric_families(text)

    def exposition(self) -> Iterator[bytes]:
        """Yield the text of a scrape, family by family."""
        own = CollectorRegistry()
        own.collect = super().collect  # type: ignore[method-assign]  # all but the policies
        yield generate_latest(own)
        for text in policy_families(self._latest.all()):
            yield text.encode()


class _Role(Collector):
    """Whether this replica writes, as a word: `active`, `standby`, `waiting` or `dry run`."""

    def __init__(self, latest: LatestRecords) -> None:
        self._latest = latest

    def collect(self) -> Iterable[Metric]:
        """Yield one series, of the word in force."""
        role = held_back_as(self._latest.held_back()) or "active"
        family = GaugeMetricFamily("autoscaler_role", "What this replica may do.", labels=["role"])
        family.add_metric([role], 1)
        yield family


class Telemetry:
    """The daemon's own metrics in one registry."""

    def __init__(self, latest: LatestRecords) -> None:
        self.registry = PolicyRegistry(latest)
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
        self._failures = Counter(
            "autoscaler_policy_failures_total",
            "Turns of policies that ended in an error of ours; replicas stay as they are.",
            registry=self.registry,
        )
        self._ask(
            "autoscaler_policy_problems",
            "Policies refused as they are written; the last good version of each stays in force.",
            lambda: len(latest.policy_problems()),
        )
        self._ask(
            "autoscaler_doubtful_history_series",
            "Series whose history was answered with a warning; it is used, and read again.",
            lambda: float(latest.doubtful_pasts()),
        )
        self._ask(
            "autoscaler_kinds_out_of_sight",
            "Kinds that cannot be listed or watched: decisions rest on what was seen last of them.",
            lambda: float(latest.out_of_sight()),
        )
        self._counted: Tally[tuple[str, str]] = Tally()
        """Of the cycle under way: the library's own counter takes a lock for each."""
        build = Gauge("autoscaler_build_info", "Always 1.", ("version",), registry=self.registry)
        build.labels(__version__).set(1)
        self.registry.register(_Role(latest))

    def _ask(self, name: str, told: str, count: Callable[[], float]) -> None:
        """Add a gauge of what is counted when somebody scrapes."""
        Gauge(name, told, registry=self.registry).set_function(count)

    def count(self, record: DecisionRecord) -> None:
        """Count one record by its action: scale_up, scale_down or none."""
        change = record.decision.desired_replicas - record.decision.current_replicas
        action = "none" if not record.rescaled else "scale_up" if change > 0 else "scale_down"
        self._counted[action, "internal" if record.refused else "none"] += 1

    def observe_cycle(self, duration: timedelta, *, broken: int = 0) -> None:
        """Record how long one reconcile took, what was counted in it, and what went wrong."""
        self._cycle.observe(duration.total_seconds())
        self._failures.inc(broken)
        for labels, n in self._counted.items():
            self._reconciliations.labels(*labels).inc(n)
        self._counted.clear()
