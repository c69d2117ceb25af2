"""`autoscaler run`: the daemon against a real cluster and a real Prometheus.

Everything is built here and handed down; nothing below looks at flags or the environment.
With leader election a standby runs the same cycles and keeps its forecasts warm, but may not write.
"""

import argparse
import logging
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from datetime import timedelta
from functools import partial
from pathlib import Path

from autoscaler import __version__
from autoscaler.clocks import WallClock
from autoscaler.cluster.api import Connection, connect
from autoscaler.cluster.kubernetes_cluster import KubernetesCluster
from autoscaler.commands.leader_election import leader_election
from autoscaler.commands.prometheus import prometheus_settings
from autoscaler.daemon import Daemon, SystemClock, World
from autoscaler.decide.facts import TargetRef
from autoscaler.errors import AutoscalerError, FlagError
from autoscaler.jobs import run_once, serve
from autoscaler.loop import CycleSummary
from autoscaler.metrics.prometheus import PrometheusMetrics
from autoscaler.metrics.witness import ReadinessWitness
from autoscaler.policy.quantity import duration_text
from autoscaler.ports import Mandate
from autoscaler.review import log
from autoscaler.review.annotation import LAST_DECISION, annotation_due
from autoscaler.review.latest import SILENT_AFTER, LatestRecords
from autoscaler.review.log import DecisionLog, log_event
from autoscaler.review.record import DecisionRecord
from autoscaler.review.server import health_routes, review_routes, start_server
from autoscaler.review.telemetry import Telemetry
from autoscaler.review.tls import TlsFiles

logger = logging.getLogger(__name__)

# The first lists of a large cluster take minutes; a server that answers no page so long is down.
FIRST_LISTS = timedelta(seconds=60)
# A cycle that has not ended for this many intervals never will: the kubelet is to restart us.
_STUCK_INTERVALS = 20
# The page says that cycles are missing only after so many intervals: one may be late.
_SILENT_INTERVALS = 4


class _StoppedError(Exception):
    """A signal came before the first lists did: nothing has begun that would have to end."""


class Reporting:
    """Where every record goes, and what the daemon says of its own health."""

    def __init__(self, interval: timedelta) -> None:
        self.latest = LatestRecords(silent_after=max(SILENT_AFTER, _SILENT_INTERVALS * interval))
        self.telemetry = Telemetry(self.latest)
        self.annotate: Callable[[TargetRef, dict[str, str]], None] | None = None
        """Where the last decision is shown, None when nowhere."""
        self._log = DecisionLog()
        self._stuck_after = max(60.0, _STUCK_INTERVALS * interval.total_seconds())
        self._cycle_ended_at: float | None = None
        self._started_at = time.monotonic()

    def record(self, record: DecisionRecord) -> None:
        """Log, keep, count and show one record."""
        self._log.write(record)
        self.latest.keep(record)
        self.telemetry.count(record)
        if self.annotate is not None and (text := annotation_due(record)) is not None:
            self.annotate(record.target, {LAST_DECISION: text})

    def cycle_ended(self, summary: CycleSummary, took: timedelta) -> None:
        """Note that a cycle is done, and how it went."""
        self.latest.note_cycle(summary.at)
        self.telemetry.observe_cycle(took, broken=summary.broken)
        self._cycle_ended_at = time.monotonic()

    def alive(self) -> bool:
        """Whether cycles still end."""
        since = self._cycle_ended_at or self._started_at
        return time.monotonic() - since < self._stuck_after

    def ready(self) -> bool:
        """Whether a first cycle is done."""
        return self._cycle_ended_at is not None


def main(arguments: argparse.Namespace) -> int:
    """Run until a signal says stop, or for one cycle."""
    log.configure(log_format=arguments.log_format, level=_level(arguments.log_level))
    tls = tls_files(arguments)
    stop = stop_on_signals()
    connection = connect(Path(arguments.kubeconfig) if arguments.kubeconfig else None)
    reporting = Reporting(arguments.interval)
    log_event(logger, logging.INFO, "starting", version=__version__)
    with (
        suppress(_StoppedError),
        leader_election(connection, arguments) as mandate,
        _cluster(connection, arguments, mandate, stop=stop) as cluster,
        closing(PrometheusMetrics(prometheus_settings(arguments))) as metrics,
        closing(ReadinessWitness(arguments.consul_url)) as witness,
    ):
        reporting.latest.held_back = mandate.held_back
        daemon = Daemon(
            _world(metrics, cluster, witness),
            interval=arguments.interval,
            record=reporting.record,
            cycle_ended=reporting.cycle_ended,
            namespace=arguments.own_namespace or connection.namespace,
            mandate=mandate,
        )
        reporting.latest.policy_problems = daemon.policy_problems
        reporting.latest.doubtful_pasts = lambda: daemon.n_doubtful_history
        reporting.latest.out_of_sight = cluster.out_of_sight
        reporting.latest.governs = daemon.governs
        if arguments.annotate and not arguments.dry_run:
            reporting.annotate = cluster.annotate
        with _remembering(daemon, arguments):
            if arguments.once:
                run_once(daemon, stop=stop)
            else:
                _serve(daemon, reporting, arguments, stop, tls)
    log_event(logger, logging.INFO, "stopped")
    return 0


def _world(
    metrics: PrometheusMetrics, cluster: KubernetesCluster, witness: ReadinessWitness
) -> World:
    """Return what the daemon asks, by the real clock."""
    return World(
        metrics,
        cluster,
        SystemClock(),
        witness,
        clock_moved_by=WallClock().moved_by,
        cut_short=partial(_cut_short, metrics, cluster),
    )


def _cut_short(metrics: PrometheusMetrics, cluster: KubernetesCluster) -> None:
    """End what a cycle waits for: its questions fail, and writes are refused before they are sent.

    Writes first: what is decided without an answer is not to be written.
    """
    cluster.refuse_writes()
    metrics.close()


@contextmanager
def _remembering(daemon: Daemon, arguments: argparse.Namespace) -> Iterator[None]:
    """Take up what another process left; leave what was learned, unless the block fails."""
    memory = Path(arguments.memory_file) if arguments.memory_file else None
    if memory:
        daemon.remember(memory)
    yield
    if memory:
        daemon.save_memory(memory)


def _serve(
    daemon: Daemon,
    reporting: Reporting,
    arguments: argparse.Namespace,
    stop: threading.Event,
    tls: TlsFiles | None,
) -> None:
    """Run the jobs, with the HTTP ports open."""
    review = review_routes(reporting.telemetry.registry, reporting.latest)
    health = health_routes(reporting.alive, reporting.ready)
    ports = (
        (arguments.metrics_port, review, tls),
        (arguments.health_port, health, None),  # the kubelet's probes; they say ok and no more
    )
    servers = [start_server(routes, port=port, tls=tls) for port, routes, tls in ports if port]
    try:
        serve(daemon, interval=arguments.interval, stop=stop)
    finally:
        for server in servers:
            server.shutdown()
            server.server_close()


@contextmanager
def _cluster(
    connection: Connection,
    arguments: argparse.Namespace,
    mandate: Mandate,
    *,
    stop: threading.Event,
) -> Iterator[KubernetesCluster]:
    """Watch the cluster while the block runs."""
    cluster = KubernetesCluster(
        connection.client, namespace=arguments.namespace, may_write=mandate.may_write
    )
    cluster.start()
    try:
        if not cluster.wait_synced(FIRST_LISTS, stop=stop):
            if stop.is_set():
                raise _StoppedError
            raise AutoscalerError(
                f"the API server answered no more of the first lists for "
                f"{duration_text(FIRST_LISTS)}: {cluster.not_synced_because()}"
            )
        yield cluster
    finally:
        cluster.stop()


def tls_files(arguments: argparse.Namespace) -> TlsFiles | None:
    """Return where certificate and key stand, None for plain HTTP."""
    certificate, key = arguments.tls_cert_file, arguments.tls_key_file
    if bool(certificate) != bool(key):
        raise FlagError("--tls-cert-file and --tls-key-file go together")
    return TlsFiles(Path(certificate), Path(key)) if certificate else None


def stop_on_signals() -> threading.Event:
    """Return an event that SIGTERM and SIGINT set."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    return stop


def _level(name: str) -> int:
    return logging.getLevelNamesMapping()[name.upper()]
